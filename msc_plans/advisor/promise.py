"""What each candidate promises for the goal, from joint draws of what is true there."""

from collections.abc import Sequence
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from msc_plans.advisor import acquisition
from msc_plans.advisor.edges import edges_of
from msc_plans.advisor.goals import DiscriminateGoal, Goal, MapGoal, MaximiseGoal, family_of
from msc_plans.advisor.noise import height_sigma, sigmas
from msc_plans.advisor.outlook import Outlook
from msc_plans.advisor.suggestion import Cell
from msc_plans.advisor.trials import Trials
from msc_plans.analysis.accumulation import ABSENT_RATIO, ACCUMULATED_RATIO
from msc_plans.condition import Condition
from msc_plans.kinetics.observation import heights_of

__all__ = ["Promise", "threshold_of"]

_DRAWS: Final = 600
_MOMENTS: Final = 160
"""Draws where each is compared with each."""
_LEARNT: Final = 0.05
"""Of a bit about the mechanism, what a bit about its rate constants is worth: mechanisms with unknown constants predict
nothing that could tell them apart."""
_ABSENT: Final = ABSENT_RATIO / ACCUMULATED_RATIO
"""Where a family counts as absent, as a share of the ratio from which it counts as accumulated."""
_OPEN_CELLS: Final = 0.02
"""Share of a map's cells that may stay undecided."""


def threshold_of(goal: Goal) -> float:
    """Return the ratio from which the goal's family counts as accumulated."""
    return goal.threshold if isinstance(goal, MapGoal) else ACCUMULATED_RATIO


class Promise:
    """What the candidates promise.

    Parameters
    ----------
    goal : Goal
        What the campaign is after.
    outlook : Outlook
        What is believed of the candidates.
    trials : Trials
        What was measured, failed, or is under way.
    targets : ndarray of bool, shape (candidates,)
        The goal's own conditions.
    rng : Generator
        Source of the draws.
    """

    def __init__(
        self, goal: Goal, outlook: Outlook, trials: Trials, targets: NDArray[np.bool_], rng: np.random.Generator
    ) -> None:
        self._goal, self._outlook, self._trials, self._targets, self._rng = goal, outlook, trials, targets, rng
        seen = outlook.belief.observables
        family = family_of(goal, seen.families)
        names = {family, seen.families[family].denominator, "NC height"}
        optical = [number for number, name in enumerate(seen.names) if name in names]
        self.quantities = outlook.draws(_DRAWS, rng, optical).quantities
        heights = heights_of(self.quantities)
        self._ratio = seen.ratio(heights, family)
        self._height = heights[..., seen.index(family)]
        sigma = height_sigma(heights)[..., seen.index(family)] / np.maximum(self._height, 1e-6)
        self._outcomes = self._ratio * (1 + sigma * rng.standard_normal(self._ratio.shape))
        self._groups = np.zeros(_DRAWS, dtype=np.intp)
        self._taken = np.array([trials.is_pending(one) for one in outlook.candidates])
        for number in np.flatnonzero(self._taken):
            self.take(int(number))
        self.cells = self._cells()
        self.unconfirmed = self._unconfirmed()

    def gain(self) -> NDArray[np.floating]:
        """Gain of each candidate: bits, or for `maximise` the expected gain of its measure."""
        if isinstance(self._goal, MapGoal):
            ratio, threshold = self._ratio[:, self._targets], self._goal.threshold
            classes = ratio >= threshold, ratio <= _ABSENT * threshold
            bits = acquisition.map_information(self._outcomes, *classes, self._groups)
            if not self.unconfirmed:
                return bits
            return 1e-3 * bits + np.array([2.0 * (one in self.unconfirmed) for one in self._outlook.candidates])
        if isinstance(self._goal, MaximiseGoal):
            return acquisition.expected_improvement(self.values, self.best_value())
        return np.where(self._taken, 0.5 * self._bits, self._bits)

    @cached_property
    def _bits(self) -> NDArray[np.floating]:
        """Bits about mechanism and rate constants, whatever is under way."""
        chosen, expected, variance = self._outlook.moments(_MOMENTS, self._rng)
        noise = sigmas(heights_of(expected))
        optical = slice(0, noise.shape[-1])
        expected, spread = expected[..., optical], variance[..., optical] + noise**2
        bits = acquisition.precision(expected, spread)
        if isinstance(self._goal, DiscriminateGoal):
            kinds = self._outlook.kinds[chosen]
            bits = _LEARNT * bits + acquisition.mechanism_information(kinds, expected, spread, self._rng)
        return bits

    @property
    def undecided(self) -> list[Cell]:
        """Cells that may be in either class and could be measured."""
        return [one for one in self.cells if not one.decided and not self._trials.was_failed(one.condition)]

    @property
    def is_decided(self) -> bool:
        """Whether so few cells are undecided that the map is done."""
        return len(self.undecided) <= _OPEN_CELLS * len(self.cells)

    @property
    def values(self) -> NDArray[np.floating]:
        """Draws of what is to be maximised, shape (draws, candidates)."""
        pure = isinstance(self._goal, MaximiseGoal) and self._goal.by == "purity"
        return self._ratio if pure else self._height

    def best_value(self) -> float:
        """Highest expectation among what was measured or is under way; 0 without any."""
        known = self._taken | np.array([self._trials.was_measured(one) for one in self._outlook.candidates])
        return float(self.values.mean(axis=0)[known].max()) if known.any() else 0.0

    def take(self, number: int) -> None:
        """Count a candidate as measured, whatever will come out."""
        self._taken[number] = True
        if self._groups.max() < 15:
            self._groups = self._groups * 4 + acquisition.bins_of(self._outcomes[:, number], 4)

    def edge(self, condition: Condition) -> tuple[Condition, Condition] | None:
        """The edge of the window a condition lies at."""
        return next((pair for pair in self._edges() if condition in pair), None)

    def _edges(self) -> Sequence[tuple[Condition, Condition]]:
        if not isinstance(self._goal, MapGoal):
            return []
        return edges_of({cell.condition: cell.probability for cell in self.cells})

    def _cells(self) -> list[Cell]:
        ratio = self._ratio[:, self._targets]
        where = [one for one, wanted in zip(self._outlook.candidates, self._targets, strict=True) if wanted]
        threshold = threshold_of(self._goal)
        accumulated, absent = (ratio >= threshold).mean(axis=0), (ratio <= _ABSENT * threshold).mean(axis=0)
        rows = np.column_stack([accumulated, absent, np.median(ratio, axis=0)]).tolist()
        return [
            Cell(one, probability, chance, middle, self._trials.was_measured(one))
            for one, (probability, chance, middle) in zip(where, rows, strict=True)
        ]

    def _unconfirmed(self) -> set[Condition]:
        """The unmeasured cells at edges, once nothing else is left to decide."""
        failed = self._trials.was_failed
        if not isinstance(self._goal, MapGoal) or not self._goal.confirm_edges or not self.is_decided:
            return set()
        beside = {one for pair in self._edges() for one in pair}
        return {one for one in beside if not self._trials.was_measured(one) and not failed(one)}
