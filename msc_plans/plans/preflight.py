"""Before anything moves: how long conditions will take, what they will use, and whether they can be done."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import bluesky.plan_stubs as bps
from bluesky.utils import MsgGenerator

from msc_plans.condition import Condition
from msc_plans.plan_stubs import FLUSH_VOLUMES
from msc_plans.plans.schedule import AMBIENT_C, Pace
from msc_plans.protocols import Reactor

__all__ = ["Forecast", "forecast", "preflight"]

_SPARE = 1.05
_BAR = 20


@dataclass(frozen=True)
class Forecast:
    """What a series of conditions will take.

    Attributes
    ----------
    conditions : int
        How many.
    seconds : float
        With the way to the first.
    used_ul : mapping
        µL by liquid: ``Cd``, ``Se``, ``Solvent``.
    refills : mapping
        How often each syringe must be filled on the way.
    """

    conditions: int
    seconds: float
    used_ul: Mapping[str, float]
    refills: Mapping[str, int]

    def __str__(self) -> str:
        used = ", ".join(f"{name} {volume / 1e3:.1f} mL" for name, volume in self.used_ul.items())
        filled = [f"{name} {count}×" for name, count in self.refills.items() if count]
        refills = f"; refill {', '.join(filled)}" if filled else ""
        return f"{number_of(self.conditions, 'condition')}, about {duration(self.seconds)}; {used}{refills}"


def progress(done: int, total: int, left_s: float) -> str:
    """Return a bar of conditions with the time that is left: ``[#####...............] about 24 min left``."""
    filled = _BAR * done // total
    return f"[{'#' * filled}{'.' * (_BAR - filled)}] about {duration(left_s)} left"


def number_of(count: int, what: str) -> str:
    """Return how many of something: ``1 run``, ``2 runs``."""
    return f"{count} {what}{'' if count == 1 else 's'}"


def duration(seconds: float) -> str:
    """Return a time as a person says it."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60.0)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02d} min"


def forecast(
    conditions: Sequence[Condition],
    pace: Pace,
    *,
    exposure_s: float,
    start: Condition | None = None,
    contents_ul: Mapping[str, float] | None = None,
    capacity_ul: float = 100_000.0,
) -> Forecast:
    """Reckon what conditions take in this order.

    Parameters
    ----------
    conditions : sequence of Condition
        In the order of measurement.
    pace : Pace
        Of the reactor.
    exposure_s : float
        For each condition, s.
    start : Condition, optional
        Where the ovens are; default: cold.
    contents_ul : mapping, optional
        What the syringes hold, µL; default: full.
    capacity_ul : float
        Of each syringe.

    Raises
    ------
    ValueError
        No conditions, or one that takes more than a syringe holds.
    """
    if not conditions:
        raise ValueError("there are no conditions to measure")
    here = start or Condition(AMBIENT_C, AMBIENT_C, conditions[0].residence_time)
    left = dict(contents_ul or dict.fromkeys(("Cd", "Se", "Solvent"), capacity_ul))
    used, refills, seconds = dict.fromkeys(left, 0.0), dict.fromkeys(left, 0), 0.0
    swept_ul = pace.heated_ul + pace.behind_ul
    for number, one in enumerate(conditions):
        seconds += pace.seconds(here, one, exposure_s, known_ahead=number > 0)
        mixture = pace.mixture_ul(here, one, exposure_s)
        parts = {
            "Cd": pace.cd_fraction * mixture,
            "Se": (1.0 - pace.cd_fraction) * mixture,
            "Solvent": pace.standby_ul_min * pace.travel_s(here, one) / 60.0
            + (0.0 if number else FLUSH_VOLUMES * swept_ul),
        }
        for name, volume in parts.items():
            if volume * _SPARE > capacity_ul:
                raise ValueError(
                    f"{one} takes {volume / 1e3:.1f} mL of {name}; its syringe holds {capacity_ul / 1e3:g}"
                )
            if volume * _SPARE > left[name]:
                left[name], refills[name] = capacity_ul, refills[name] + 1
            left[name] -= volume
            used[name] += volume
        here = one
    return Forecast(len(conditions), seconds, used, refills)


def preflight(reactor: Reactor, conditions: Sequence[Condition], *, exposure_s: float) -> MsgGenerator[Forecast]:
    """Check all conditions and estimate their time and volumes, from the ovens' readings and the syringes' contents.

    Raises
    ------
    ValueError
        One can't be done: beyond the ovens, the pumps, or what a syringe holds. Nothing has moved.
    """
    for condition in conditions:
        reactor.check_value(condition.as_dict())
    here = yield from now(reactor, conditions[0].residence_time if conditions else 1.0)
    contents = {}
    for name, pump in syringes(reactor).items():
        contents[name] = float((yield from bps.rd(pump.content_ul)))
    standby_ul_min = float((yield from bps.rd(reactor.standby_flow)))
    pace = Pace.of(reactor, standby_ul_min)
    capacity = min(float(pump.capacity_ul) for pump in syringes(reactor).values())
    return forecast(conditions, pace, exposure_s=exposure_s, start=here, contents_ul=contents, capacity_ul=capacity)


def now(reactor: Reactor, residence_time: float) -> MsgGenerator[Condition]:
    """Return where the ovens are."""
    nucleation = yield from bps.rd(reactor.nucleation.reading)
    growth = yield from bps.rd(reactor.growth.reading)
    return Condition(float(nucleation), float(growth), residence_time)


def syringes(reactor: Reactor) -> dict[str, Any]:
    """Return the pumps by what they hold."""
    return {"Cd": reactor.pump_cd, "Se": reactor.pump_se, "Solvent": reactor.pump_solvent}
