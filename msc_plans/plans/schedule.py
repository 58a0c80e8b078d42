"""What conditions cost in time and liquid, and the order in which they cost least.

Ovens heat at their ramp rate and cool at it while they can; below T* = T_ambient + r τ air cools them no faster than
dT/dt = -(T - T_ambient)/τ. Both travel at once, so a move costs the longer of the two; then the mixture must pass.
The cheapest order is the shortest path through all conditions with these (one-way) costs, a travelling salesman's:
found from the best of several starts by moving stretches of the path and turning them round while that helps
(Or-opt, 2-opt).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from msc_plans.condition import Condition
from msc_plans.protocols import Reactor

__all__ = ["Pace", "cheapest_order"]

AMBIENT_C = 25.0
_DWELL_S = 30.0
_SETTLE_S = 1.5
_FAR_K = 30.0
_APPROACH_K = 5.0
_LONGEST_STRETCH = 30


@dataclass(frozen=True)
class Pace:
    """How fast a reactor gets from condition to condition, and what it uses.

    Parameters
    ----------
    heating_k_min, cooling_s : float
        Ramp of the ovens, K/min, and the time constant of their cooling by air, s.
    heated_ul, behind_ul, flush_ul : float
        Chamber and coil; behind them; what must pass until a condition is reached, µL.
    cd_fraction : float
        Share of the Cd stream.
    standby_ul_min : float
        Solvent that flows while the ovens travel, µL/min.
    """

    heating_k_min: float = 60.0
    cooling_s: float = 280.0
    heated_ul: float = 251.5
    behind_ul: float = 70.0
    flush_ul: float = 480.0
    cd_fraction: float = 0.5
    standby_ul_min: float = 100.0

    @classmethod
    def of(cls, reactor: Reactor, standby_ul_min: float = 100.0) -> "Pace":
        """Return that of a reactor."""
        geometry = reactor.geometry
        return cls(
            heating_k_min=reactor.heating_k_min,
            cooling_s=reactor.cooling_s,
            heated_ul=geometry.heated_ul,
            behind_ul=geometry.behind_ul,
            flush_ul=reactor.flush_volumes * geometry.swept_ul,
            cd_fraction=geometry.cd_fraction,
            standby_ul_min=standby_ul_min,
        )

    def oven_s(self, start: float, end: float) -> float:
        """Seconds that an oven takes from one temperature to another, °C."""
        rate = self.heating_k_min / 60.0
        if end >= start:
            return (end - start) / rate
        knee = AMBIENT_C + rate * self.cooling_s
        ramped = max(start - max(end, knee), 0.0) / rate
        top = min(start, knee)
        if end >= top:
            return ramped
        return ramped + self.cooling_s * math.log(max(top - AMBIENT_C, 1.0) / max(end - AMBIENT_C, 1.0))

    def travel_s(self, now: Condition, then: Condition) -> float:
        """Seconds until both ovens are at the next condition."""
        return max(
            self.oven_s(now.nucleation_temperature, then.nucleation_temperature),
            self.oven_s(now.growth_temperature, then.growth_temperature),
        )

    def flow_ul_min(self, condition: Condition) -> float:
        """Flow of mixture, µL/min."""
        return 60.0 * self.heated_ul / condition.residence_time

    def seconds(self, now: Condition, then: Condition, exposure_s: float, *, known_ahead: bool = True) -> float:
        """Seconds from the end of one measurement to that of the next.

        Where the next condition is known in advance its ovens leave while the last liquid flows to the cells.
        """
        far = (
            max(
                abs(now.nucleation_temperature - then.nucleation_temperature),
                abs(now.growth_temperature - then.growth_temperature),
            )
            > _FAR_K
        )
        travel = self.travel_s(now, then)
        ovens = travel + (_DWELL_S if far else _SETTLE_S - self._near_s(travel) if travel else 0.0)
        if known_ahead:
            saved = 60.0 * self.behind_ul / self.flow_ul_min(now)
            ovens = max(ovens - (saved if saved > exposure_s else 0.0), 0.0)
        return ovens + 60.0 * self.flush_ul / self.flow_ul_min(then) + exposure_s

    def _near_s(self, travel_s: float) -> float:
        """Seconds that the mixture starts before the ovens are there."""
        return min(_APPROACH_K * 60.0 / self.heating_k_min, travel_s)

    def mixture_ul(self, now: Condition, then: Condition, exposure_s: float) -> float:
        """Mixture that a condition takes, µL: it starts when the ovens are 5 K off."""
        near = self._near_s(self.travel_s(now, then)) + _SETTLE_S
        return self.flush_ul + self.flow_ul_min(then) * (near + exposure_s) / 60.0


def cheapest_order(conditions: Sequence[Condition], pace: Pace, start: Condition | None = None) -> list[int]:
    """Return the numbers of the conditions in the order in which oven travel takes least.

    Parameters
    ----------
    conditions : sequence of Condition
        Shape (N,).
    pace : Pace
        Rates of the ovens.
    start : Condition, optional
        Where the ovens are; without it the first may be any.

    Returns
    -------
    list of int
        Shape (N,). Where several orders cost the same, one that changes residence time seldom.
    """
    number = len(conditions)
    if number < 2:
        return list(range(number))
    cost = np.array([[_pair(pace, a, b) for b in conditions] for a in conditions])
    first = np.array([0.0 if start is None else _pair(pace, start, b) for b in conditions])
    cost = np.vstack([np.column_stack([cost, np.zeros(number)]), np.append(first, 0.0)])  # last: where it starts
    keys = [
        lambda c: (c.residence_time, c.nucleation_temperature, c.growth_temperature),
        lambda c: (c.residence_time, c.growth_temperature, c.nucleation_temperature),
    ]
    starts = [sorted(range(number), key=lambda i, key=key: key(conditions[i])) for key in keys]
    starts += [_snake(conditions, order) for order in (0, 1)] + [_nearest(cost), list(range(number))]
    begun = min((np.array([number, *order]) for order in starts), key=lambda path: _length(path, cost))
    return [int(one) for one in _improve(begun, cost)[1:]]


def _pair(pace: Pace, now: Condition, then: Condition) -> float:
    # a change of flow costs no oven travel, yet is no reason to go to and fro
    return pace.travel_s(now, then) + 0.1 * abs(math.log(now.residence_time / then.residence_time))


def _snake(conditions: Sequence[Condition], slow: int) -> list[int]:
    """Rows of one temperature, every other one backwards."""
    rows: dict[tuple[float, float], list[int]] = {}
    for place, one in enumerate(conditions):
        pair = (one.nucleation_temperature, one.growth_temperature)
        rows.setdefault((one.residence_time, pair[slow]), []).append(place)
    order: list[int] = []
    for count, key in enumerate(sorted(rows)):
        quick = sorted(
            rows[key],
            key=lambda i: (conditions[i].nucleation_temperature, conditions[i].growth_temperature)[1 - slow],
        )
        order += quick[::-1] if count % 2 else quick
    return order


def _nearest(cost: NDArray[np.float64]) -> list[int]:
    left = set(range(len(cost) - 1))
    here, order = len(cost) - 1, []
    while left:
        here = min(left, key=lambda one: (cost[here, one], one))
        left.remove(here)
        order.append(here)
    return order


def _length(path: NDArray[np.int64], cost: NDArray[np.float64]) -> float:
    return float(cost[path[:-1], path[1:]].sum())


def _improve(path: NDArray[np.int64], cost: NDArray[np.float64]) -> NDArray[np.int64]:
    """Move or turn stretches of a path (its first place stays) while that makes it shorter."""
    size, improved = len(path), True
    while improved:
        improved = False
        for length in range(1, min(_LONGEST_STRETCH, size - 1) + 1):
            for first in range(1, size - length + 1):
                gain, place, turned = _best_place(path, cost, first, first + length - 1)
                if gain > 1e-6:
                    stretch = path[first : first + length]
                    rest = np.concatenate([path[:first], path[first + length :]])
                    parts = [rest[: place + 1], stretch[::-1] if turned else stretch, rest[place + 1 :]]
                    path, improved = np.concatenate(parts), True
    return path


def _best_place(path: NDArray[np.int64], cost: NDArray[np.float64], first: int, last: int) -> tuple[float, int, bool]:
    """Return what is gained at most by taking a stretch out and putting it in elsewhere, where, and whether turned."""
    head, tail = path[first], path[last]
    rest = np.concatenate([path[:first], path[last + 1 :]])
    before, after = rest, np.append(rest[1:], -1)
    taken = cost[path[first - 1], head] + (cost[tail, path[last + 1]] if last + 1 < len(path) else 0.0)
    joined = cost[path[first - 1], path[last + 1]] if last + 1 < len(path) else 0.0
    stretch = path[first : last + 1]
    inside, turned_inside = _length(stretch, cost), _length(stretch[::-1], cost)
    # the link that is opened there; between the stretch's own neighbours it is the new one
    opened = np.where(after >= 0, cost[before, after], 0.0)
    ends = np.where(after >= 0, cost[tail, after], 0.0)
    turned_ends = np.where(after >= 0, cost[head, after], 0.0)
    straight = taken - joined + opened - cost[before, head] - ends
    turned = taken - joined + opened - cost[before, tail] - turned_ends + inside - turned_inside
    best, best_turned = int(np.argmax(straight)), int(np.argmax(turned))
    if straight[best] >= turned[best_turned]:
        return float(straight[best]), best, False
    return float(turned[best_turned]), best_turned, True
