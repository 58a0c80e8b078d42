"""Bring the reactor up and measure one condition: one condition, one run."""

import uuid
from collections.abc import Mapping
from typing import Any

import bluesky.plan_stubs as bps
import bluesky.preprocessors as bpp
from bluesky.utils import MsgGenerator, plan

from msc_plans.condition import Condition
from msc_plans.plan_stubs import reach, safely, take_dark_and_reference
from msc_plans.protocols import Reactor, SpectrometerLike

__all__ = ["SCHEMA_VERSION", "bring_up", "condition_run", "measure_condition"]

SCHEMA_VERSION = "1"


@plan
def bring_up(
    reactor: Reactor,
    spectrometer: SpectrometerLike,
    nucleation_temperature: float,
    growth_temperature: float,
    integration_time_ms: float = 100.0,
    num_spectra: int = 5,
) -> MsgGenerator[None]:
    """Start the ovens towards their first temperatures and meanwhile take dark and reference in solvent.

    Parameters
    ----------
    reactor, spectrometer
        The devices.
    nucleation_temperature, growth_temperature : float
        Where the ovens start, °C; the first condition need not be there.
    integration_time_ms : float
        Of every spectrum until changed.
    num_spectra : int
        Spectra averaged in every collection.

    Raises
    ------
    ValueError
        A temperature an oven can't do; nothing has moved.
    """
    reactor.nucleation.check_value(nucleation_temperature)
    reactor.growth.check_value(growth_temperature)
    if not integration_time_ms > 0 or num_spectra < 1:
        raise ValueError(f"integration time {integration_time_ms} ms and {num_spectra} spectra: both must be above 0")

    def _bring_up() -> MsgGenerator[None]:
        yield from bps.abs_set(reactor.nucleation.setpoint, nucleation_temperature, group="ovens")
        yield from bps.abs_set(reactor.growth.setpoint, growth_temperature, group="ovens")
        yield from bps.abs_set(spectrometer.integration_time_ms, integration_time_ms, wait=True)
        yield from bps.abs_set(spectrometer.num_spectra, num_spectra, wait=True)
        yield from bps.wait("ovens")
        yield from take_dark_and_reference(reactor, spectrometer)

    yield from safely(_bring_up(), reactor, spectrometer)


@plan
def measure_condition(
    reactor: Reactor,
    spectrometer: SpectrometerLike,
    nucleation_temperature: float,
    growth_temperature: float,
    residence_time: float,
    num: int = 1,
    sample: str = "CdSe",
    lots: dict[str, str] | None = None,
    purpose: str = "measure",
    campaign_uid: str = "",
    trial_id: str = "",
    md: dict[str, Any] | None = None,
) -> MsgGenerator[str]:
    """Reach a condition and record spectra of the stream: one run.

    Streams: ``baseline`` (the reactor before and after), ``dark_reference`` (dark, reference, wavelength as
    last taken), ``primary`` (counts and readbacks).

    Parameters
    ----------
    reactor, spectrometer
        The devices.
    nucleation_temperature, growth_temperature : float
        °C; either may be the hotter.
    residence_time : float
        Seconds in chamber and coil.
    num : int
        Events in the primary stream.
    sample, lots
        What flows, and the precursor lots by name.
    purpose, campaign_uid, trial_id : str
        Why it is measured; a campaign fills these in.

    Returns
    -------
    str
        The run's uid.

    Raises
    ------
    ValueError
        A condition the reactor can't do, or a spectrometer without dark and reference; nothing has moved.
    """
    condition = Condition(nucleation_temperature, growth_temperature, residence_time)
    run = condition_run(
        reactor,
        spectrometer,
        condition,
        num=num,
        sample=sample,
        lots=lots,
        purpose=purpose,
        campaign_uid=campaign_uid,
        trial_id=trial_id,
        md=md,
    )
    return (yield from safely(run, reactor, spectrometer))


def condition_run(
    reactor: Reactor,
    spectrometer: SpectrometerLike,
    condition: Condition,
    *,
    num: int = 1,
    sample: str = "CdSe",
    lots: Mapping[str, str] | None = None,
    purpose: str = "measure",
    campaign_uid: str = "",
    trial_id: str = "",
    md: Mapping[str, Any] | None = None,
) -> MsgGenerator[str]:
    """Run of :func:`measure_condition` for plans that make the reactor safe themselves."""
    reactor.check_value(condition.as_dict())
    if num < 1:
        raise ValueError(f"num must be 1 or more, not {num}")
    metadata: dict[str, Any] = {
        "plan_name": "measure_condition",
        "purpose": purpose,
        "condition": condition.as_dict(),
        "sample": sample,
        "lots": dict(lots or {}),
        "campaign_uid": campaign_uid,
        "trial_id": trial_id or str(uuid.uuid4()),
        "schema_version": SCHEMA_VERSION,
        "detectors": [spectrometer.name],
        "motors": [reactor.name],
        **(md or {}),
    }
    yield from _require_dark_and_reference(spectrometer)

    @bpp.run_decorator(md=metadata)
    def run() -> MsgGenerator[Any]:
        yield from _read_stream("baseline", reactor)
        yield from bps.checkpoint()
        yield from reach(reactor, condition)
        yield from _read_stream("dark_reference", spectrometer.calibration)
        yield from bps.abs_set(spectrometer.spectrum_type, "Corrected Sample", wait=True)
        for _ in range(num):
            yield from bps.checkpoint()
            yield from bps.trigger_and_read([spectrometer, reactor])
        yield from _read_stream("baseline", reactor)

    return (yield from run())


def _read_stream(name: str, device: Any) -> MsgGenerator[Mapping[str, Any]]:
    yield from bps.create(name)
    reading = yield from bps.read(device)
    yield from bps.save()
    return reading


def _require_dark_and_reference(spectrometer: SpectrometerLike) -> MsgGenerator[None]:
    for signal, what in (
        (spectrometer.calibration.dark_available, "dark"),
        (spectrometer.calibration.reference_available, "reference"),
    ):
        available = yield from bps.rd(signal)
        if available == "No":
            raise ValueError(f"{spectrometer.name} has no {what} yet; run bring_up or take_dark_and_reference")
