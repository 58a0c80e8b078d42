"""Scans of one variable: each condition is a run of its own, joined by ``campaign_uid``."""

import uuid
from collections.abc import Iterable, Sequence
from typing import Any

from bluesky.utils import MsgGenerator, plan

from msc_plans.condition import Condition
from msc_plans.plan_stubs import safely
from msc_plans.plans.measure import condition_run
from msc_plans.protocols import Reactor, SpectrometerLike

__all__ = ["nucleation_temperature_scan", "residence_time_scan"]


@plan
def nucleation_temperature_scan(
    reactor: Reactor,
    spectrometer: SpectrometerLike,
    nucleation_temperatures: Sequence[float],
    residence_time: float,
    growth_temperature: float | None = None,
    md: dict[str, Any] | None = None,
) -> MsgGenerator[list[str]]:
    """Measure at several nucleation temperatures.

    Parameters
    ----------
    nucleation_temperatures : sequence of float
        °C, in the order of measurement.
    residence_time : float
        s.
    growth_temperature : float, optional
        °C; without it the growth oven follows the nucleation oven.

    Returns
    -------
    list of str
        The runs' uids.

    Raises
    ------
    ValueError
        Any of the conditions is beyond the reactor; nothing has moved.
    """
    conditions = [
        Condition(t, t if growth_temperature is None else growth_temperature, residence_time)
        for t in nucleation_temperatures
    ]
    return (yield from _scan(reactor, spectrometer, conditions, "nucleation_temperature_scan", md))


@plan
def residence_time_scan(
    reactor: Reactor,
    spectrometer: SpectrometerLike,
    residence_times: Sequence[float],
    nucleation_temperature: float,
    growth_temperature: float | None = None,
    md: dict[str, Any] | None = None,
) -> MsgGenerator[list[str]]:
    """Measure at several residence times.

    Parameters
    ----------
    residence_times : sequence of float
        s, in the order of measurement.
    nucleation_temperature : float
        °C.
    growth_temperature : float, optional
        °C; without it the growth oven has the nucleation temperature.

    Returns
    -------
    list of str
        The runs' uids.

    Raises
    ------
    ValueError
        Any of the conditions is beyond the reactor; nothing has moved.
    """
    growth = nucleation_temperature if growth_temperature is None else growth_temperature
    conditions = [Condition(nucleation_temperature, growth, time) for time in residence_times]
    return (yield from _scan(reactor, spectrometer, conditions, "residence_time_scan", md))


def _scan(
    reactor: Reactor,
    spectrometer: SpectrometerLike,
    conditions: Iterable[Condition],
    purpose: str,
    md: dict[str, Any] | None,
) -> MsgGenerator[list[str]]:
    conditions = list(conditions)
    if not conditions:
        raise ValueError(f"{purpose}: no conditions to measure")
    for condition in conditions:
        reactor.check_value(condition.as_dict())
    campaign_uid = str(uuid.uuid4())

    def runs() -> MsgGenerator[list[str]]:
        uids = []
        for number, condition in enumerate(conditions, 1):
            uid = yield from condition_run(
                reactor,
                spectrometer,
                condition,
                purpose=purpose,
                campaign_uid=campaign_uid,
                trial_id=f"{campaign_uid[:8]}-{number:03d}",
                md=md,
            )
            uids.append(uid)
        return uids

    return (yield from safely(runs(), reactor, spectrometer))
