"""Bring the reactor up and measure one condition: one condition, one run."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import bluesky.plan_stubs as bps
import bluesky.preprocessors as bpp
from bluesky.utils import FailedStatus, MsgGenerator, RunEngineControlException, plan

from msc_plans.condition import Condition
from msc_plans.plan_stubs import (
    begin_reach,
    dark_and_reference,
    drop_event,
    is_tripped,
    read_stream,
    safely,
    trigger_and_read,
)
from msc_plans.plans.check import check_choice, check_count, check_flag, check_number, check_texts
from msc_plans.plans.preflight import now, preflight
from msc_plans.plans.refill import (
    REFILLS,
    refill_for_reference,
    refill_if_needed,
    require_filled,
    require_reference,
)
from msc_plans.protocols import Reactor, SaxsLike, SpectrometerLike

__all__ = [
    "SCHEMA_VERSION",
    "RunMetadata",
    "arm",
    "bring_up",
    "bring_up_steps",
    "check_exposure",
    "check_run",
    "condition_run",
    "measure_condition",
    "recorded",
    "require_dark_and_reference",
]

SCHEMA_VERSION = "1"

_LONGEST_MS = 3.6e6
_LONGEST_FRAME_S = 3600.0


@dataclass(frozen=True)
class RunMetadata:
    """What the start document of a run says of it beside its condition.

    Attributes
    ----------
    purpose, campaign_uid, trial_id : str
        Why it is measured.
    sample : str
        What flows; empty: a session fills in the material of its family table.
    lots : mapping
        Precursor lots by name.
    background_uid : str
        Run of the solvent that is subtracted from the frames; empty for the session's latest.
    md : mapping
        What a person adds.

    Raises
    ------
    ValueError
        A value that should be text isn't.
    """

    purpose: str = "measure"
    campaign_uid: str = ""
    trial_id: str = ""
    sample: str = ""
    lots: Mapping[str, str] = field(default_factory=dict)
    background_uid: str = ""
    md: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("purpose", "campaign_uid", "trial_id", "sample", "background_uid"):
            if not isinstance(getattr(self, name), str):
                raise ValueError(f"{name} must be words, not {getattr(self, name)!r}")
        check_texts("lots", self.lots)
        check_texts("md", self.md, any_values=True)

    def start(self, condition: Condition | None, **more: Any) -> dict[str, Any]:
        """Return the metadata of a run."""
        found: dict[str, Any] = {
            "purpose": self.purpose,
            "sample": self.sample,
            "lots": dict(self.lots),
            "campaign_uid": self.campaign_uid,
            "trial_id": self.trial_id or str(uuid.uuid4()),
            "schema_version": SCHEMA_VERSION,
        }
        if self.background_uid:
            found["background_uid"] = self.background_uid
        if condition is not None:
            found["condition"] = condition.as_dict()
        return found | more | dict(self.md)


@plan
def bring_up(
    reactor: Reactor,
    spectrometer: SpectrometerLike,
    nucleation_temperature: float,
    growth_temperature: float,
    integration_time_ms: float = 100.0,
    num_spectra: int = 5,
    prime_volumes: float = 0.0,
    refills: Literal["refuse", "ask", "draw"] = "refuse",
) -> MsgGenerator[None]:
    """Start the ovens towards their first temperatures and meanwhile prime the lines, take dark and reference.

    Parameters
    ----------
    reactor, spectrometer
        The devices.
    nucleation_temperature, growth_temperature : float
        Where the ovens start, °C; the first condition need not be there.
    integration_time_ms : float
        Of every spectrum until changed, ms.
    num_spectra : int
        Spectra averaged in every collection.
    prime_volumes : float
        Swept volumes of mixture that fill the precursor lines first; 0 if they are full.
    refills
        A syringe without solvent enough for the reference: ``refuse``, ``ask`` a person, or ``draw`` it full.

    Raises
    ------
    ValueError
        A temperature an oven can't do, a number out of range, or a syringe without enough; nothing has moved.
    """
    reactor.nucleation.check_value(nucleation_temperature)
    reactor.growth.check_value(growth_temperature)
    check_number("integration_time_ms", integration_time_ms, 0.0, _LONGEST_MS, "ms")
    check_count("num_spectra", num_spectra)
    if prime_volumes != 0:
        reactor.mixture.check_value(prime_volumes)
    check_choice("refills", refills, ("refuse", *REFILLS))
    if refills == "refuse":
        yield from require_reference(reactor)
    steps = bring_up_steps(
        reactor,
        spectrometer,
        nucleation_temperature,
        growth_temperature,
        integration_time_ms,
        num_spectra,
        prime_volumes,
        refills,
    )
    yield from safely(steps, reactor, spectrometer)


def bring_up_steps(
    reactor: Reactor,
    spectrometer: SpectrometerLike,
    nucleation_temperature: float,
    growth_temperature: float,
    integration_time_ms: float = 100.0,
    num_spectra: int = 5,
    prime_volumes: float = 0.0,
    refills: Literal["refuse", "ask", "draw"] = "refuse",
) -> MsgGenerator[None]:
    """What :func:`bring_up` does, for plans that check and make the reactor safe themselves."""
    yield from bps.checkpoint()
    if refills != "refuse":
        yield from refill_for_reference(reactor, refills)
    yield from bps.abs_set(reactor.nucleation.setpoint, nucleation_temperature, group="ovens")
    yield from bps.abs_set(reactor.growth.setpoint, growth_temperature, group="ovens")
    yield from bps.abs_set(spectrometer.integration_time_ms, integration_time_ms, group="ovens")
    yield from bps.abs_set(spectrometer.num_spectra, num_spectra, group="ovens")
    yield from bps.wait("ovens")
    if prime_volumes:
        yield from bps.abs_set(reactor.mixture, prime_volumes, wait=True)
    yield from dark_and_reference(reactor, spectrometer)


@plan
def measure_condition(
    reactor: Reactor,
    spectrometer: SpectrometerLike,
    nucleation_temperature: float,
    growth_temperature: float,
    residence_time: float,
    num: int = 1,
    saxs: SaxsLike | None = None,
    frame_exposure_s: float = 10.0,
    transient: bool = False,
    sample: str = "",
    lots: dict[str, str] | None = None,
    purpose: str = "measure",
    campaign_uid: str = "",
    trial_id: str = "",
    background_uid: str = "",
    refills: Literal["refuse", "ask", "draw"] = "refuse",
    md: dict[str, Any] | None = None,
) -> MsgGenerator[str]:
    """Reach a condition and record spectra, and frames, of the stream: one run.

    Streams: ``baseline`` (the reactor before and after), ``dark_reference`` (dark, reference, wavelength as
    last taken), ``primary`` (counts, frame and readbacks), ``transient`` where asked for.

    Parameters
    ----------
    reactor, spectrometer
        The devices.
    nucleation_temperature, growth_temperature : float
        °C; either may be the hotter.
    residence_time : float
        In chamber and coil, s.
    num : int
        Events in the primary stream.
    saxs
        The SAXS detector; without it spectra only.
    frame_exposure_s : float
        Of each frame, s.
    transient : bool
        Whether spectra are taken on the way there, too.
    sample, lots
        What flows (default: the material of the session's family table), and the precursor lots by name.
    purpose, campaign_uid, trial_id : str
        Why it is measured; a campaign fills these in.
    background_uid : str
        Run of the solvent to subtract from the frames; empty: the session's latest.
    refills
        What is done about a syringe without enough: ``refuse``, ``ask`` a person to fill it and wait for a resume, or
        ``draw`` from its reservoir.
    md
        Further entries of the start document.

    Returns
    -------
    str
        The run's uid.

    Raises
    ------
    ValueError
        A condition the reactor can't do, a syringe without enough for it (with ``refills``: that can't hold enough), or
        a spectrometer without dark and reference; nothing has moved.
    """
    condition = Condition(nucleation_temperature, growth_temperature, residence_time)
    why = RunMetadata(purpose, campaign_uid, trial_id, sample, lots or {}, background_uid, md or {})
    check_run(reactor, condition, num=num, frame_exposure_s=frame_exposure_s)
    check_flag("transient", transient)
    check_choice("refills", refills, ("refuse", *REFILLS))
    yield from require_dark_and_reference(spectrometer)
    exposure_s = 0.0 if saxs is None else num * frame_exposure_s
    if refills == "refuse":
        yield from require_filled(reactor, condition, exposure_s)
    else:
        yield from preflight(reactor, [condition], exposure_s=exposure_s)
    run = condition_run(reactor, spectrometer, condition, why, saxs=saxs, num=num, transient=transient)
    if saxs is not None:
        run = arm(run, saxs, frame_exposure_s)

    def steps() -> MsgGenerator[str]:
        if refills != "refuse":
            here = yield from now(reactor, residence_time)
            yield from refill_if_needed(reactor, here, condition, exposure_s, refills)
        return (yield from run)

    return (yield from safely(steps(), reactor, spectrometer, saxs))


def check_run(reactor: Reactor, condition: Condition, *, num: int = 1, frame_exposure_s: float = 1.0) -> None:
    """Refuse what can't be measured.

    Raises
    ------
    ValueError
        The reactor can't do the condition, or a number is out of its range.
    """
    reactor.check_value(condition.as_dict())
    check_exposure(frame_exposure_s, num)


def check_exposure(frame_exposure_s: float, num: int = 1) -> None:
    """Raise ValueError for frames, or a number of them, that can't be had."""
    check_number("frame_exposure_s", frame_exposure_s, 0.0, _LONGEST_FRAME_S, "s")
    check_count("num", num)


def arm(plan: MsgGenerator[Any], saxs: SaxsLike, frame_exposure_s: float) -> MsgGenerator[Any]:
    """Stage the detector for a plan, once for all its runs, with this exposure."""

    def armed() -> MsgGenerator[Any]:
        yield from bps.abs_set(saxs.camera.exposure_s, frame_exposure_s, wait=True)
        return (yield from plan)

    return (yield from bpp.stage_wrapper(armed(), [saxs]))


def condition_run(
    reactor: Reactor,
    spectrometer: SpectrometerLike,
    condition: Condition,
    why: RunMetadata,
    *,
    saxs: SaxsLike | None = None,
    num: int = 1,
    then: Condition | None = None,
    exposure_s: float = 1.0,
    transient: bool = False,
) -> MsgGenerator[str]:
    """Run of :func:`measure_condition` for plans that make the reactor safe, and arm the detector, themselves.

    ``then`` is the condition after this one: the ovens leave for it while the last liquid flows to the cells, if
    that takes longer than ``exposure_s``.
    """
    detectors = [spectrometer] if saxs is None else [spectrometer, saxs]
    metadata = why.start(
        condition,
        plan_name="measure_condition",
        detectors=[one.name for one in detectors],
        motors=[reactor.name],
    )

    def run() -> MsgGenerator[Any]:
        yield from bps.checkpoint()
        yield from begin_reach(
            reactor, condition, group="reach", then=then if num == 1 else None, exposure_s=exposure_s
        )
        yield from bps.abs_set(spectrometer.spectrum_type, "Corrected Sample", group="reach")
        # make_safe has closed it, if the last plan failed or was ended
        yield from bps.abs_set(spectrometer.shutter, "Open", group="reach")
        # read while the ovens travel
        yield from read_stream("baseline", [reactor])
        yield from read_stream("dark_reference", [spectrometer.calibration])
        if transient:
            yield from _until_reached(reactor, spectrometer)
        yield from bps.wait("reach")
        yield from trigger_and_read([*detectors, reactor])
        for number in range(2, num + 1):
            # after an interruption the way to the condition is gone again; otherwise this is done at once
            yield from bps.checkpoint()
            last = then if number == num else None
            yield from begin_reach(reactor, condition, group="reach", then=last, exposure_s=exposure_s)
            yield from bps.wait("reach")
            yield from trigger_and_read([*detectors, reactor])
        # what has been measured is not measured again after an interruption
        yield from bps.checkpoint()
        yield from read_stream("baseline", [reactor])

    return (yield from recorded(run(), metadata, reactor))


def recorded(steps: MsgGenerator[Any], metadata: Mapping[str, Any], reactor: Reactor) -> MsgGenerator[str]:
    """Make a run of steps: ``fail`` if they could not be done, ``abort`` if something came between.

    Returns
    -------
    str
        The run's uid.
    """
    uid = yield from bps.open_run(dict(metadata))

    def done() -> MsgGenerator[None]:
        # what a pause at the end of the run repeats would find no run open
        yield from bps.checkpoint()
        yield from bps.close_run()

    def close(error: Exception) -> MsgGenerator[None]:
        yield from drop_event()
        yield from bps.checkpoint()
        cause = error.__cause__ or error
        if isinstance(error, RunEngineControlException):
            yield from bps.close_run(exit_status=getattr(error, "exit_status", "abort"))
        elif isinstance(error, (FailedStatus, TimeoutError)) and not (yield from is_tripped(reactor)):
            yield from bps.close_run(exit_status="fail", reason=str(cause))
        else:
            yield from bps.close_run(exit_status="abort", reason=f"{type(cause).__name__}: {cause}")

    yield from bpp.contingency_wrapper(steps, except_plan=close, else_plan=done)
    return uid


def _until_reached(reactor: Reactor, spectrometer: SpectrometerLike) -> MsgGenerator[None]:
    """Take spectra of what flows by until the condition is reached."""
    reached = False
    while not reached:
        yield from trigger_and_read([spectrometer, reactor], name="transient")
        reached = bool((yield from bps.wait("reach", timeout=0.1, error_on_timeout=False)))


def require_dark_and_reference(spectrometer: SpectrometerLike) -> MsgGenerator[None]:
    """Refuse a spectrometer that has not seen the dark, or the solvent.

    Raises
    ------
    ValueError
        It has no dark or no reference.
    """
    for signal, what in (
        (spectrometer.calibration.dark_available, "dark"),
        (spectrometer.calibration.reference_available, "reference"),
    ):
        available = yield from bps.rd(signal)
        if available == "No":
            raise ValueError(f"{spectrometer.name} has no {what} yet; run bring_up or take_dark_and_reference")
