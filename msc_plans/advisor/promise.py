"""What each candidate promises for the goal, from joint draws of what is true there."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from msc_plans.advisor import acquisition
from msc_plans.advisor.edges import edges_of
from msc_plans.advisor.goals import DiscriminateGoal, Goal, MapGoal, MaximiseGoal
from msc_plans.advisor.outlook import Outlook
from msc_plans.advisor.suggestion import Cell
from msc_plans.advisor.trials import Trials
from msc_plans.analysis.accumulation import ABSENT_RATIO, ACCUMULATED_RATIO
from msc_plans.condition import Condition
from msc_plans.kinetics.observation import HEIGHT_SOFT, QUANTITIES, heights_of, ratio_of

__all__ = ["Promise", "threshold_of"]

_DRAWS: Final = 600
_MIDDLE: Final = (ABSENT_RATIO / ACCUMULATED_RATIO) ** 0.5
"""Between absent and accumulated, as a share of the threshold: what lies between counts as neither."""
_OPEN_CELLS: Final = 0.02
"""Share of a map's cells that may stay undecided."""
_RATIO_SOFT = 0.005
_HEIGHT_NOISE, _RELATIVE_NOISE = 0.003, 0.12
_MEASURED_SIGMA: Final = np.array([0.15] * 4 + [0.1, 2.0, 0.2])
"""What a measurement usually brings of the quantities by UV-vis; heights at their strongest."""


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
        names = {goal.family, "CdSe-465", "NC height"}
        optical = [number for number, name in enumerate(QUANTITIES) if name in names]
        self.quantities = outlook.draws(_DRAWS, rng, optical).quantities
        self._ratio = ratio_of(self.quantities, goal.family)
        self._height = heights_of(self.quantities)[..., QUANTITIES.index(goal.family)]
        noise = np.hypot(_RELATIVE_NOISE, _HEIGHT_NOISE / (self._height + HEIGHT_SOFT))
        self._outcomes = np.log(self._ratio + _RATIO_SOFT) + noise * rng.standard_normal(self._ratio.shape)
        self._groups = np.zeros(_DRAWS, dtype=np.intp)
        self._taken = np.array([trials.is_pending(one) for one in outlook.candidates])
        for number in np.flatnonzero(self._taken):
            self.take(int(number))
        self.cells = self._cells()
        self.unconfirmed = self._unconfirmed()

    def gain(self) -> NDArray[np.float64]:
        """Of each candidate: bits, or for `maximise` the expected gain of its measure."""
        if isinstance(self._goal, MapGoal):
            classes = self._ratio[:, self._targets] >= _MIDDLE * self._goal.threshold
            bits = acquisition.map_information(self._outcomes, classes, self._groups)
            if not self.unconfirmed:
                return bits
            return 1e-3 * bits + np.array([2.0 * (one in self.unconfirmed) for one in self._outlook.candidates])
        if isinstance(self._goal, MaximiseGoal):
            return acquisition.expected_improvement(self.values, self.best_value())
        mechanism, expected, variance = self._outlook.moments(_DRAWS // 2, self._rng)
        optical = slice(0, len(_MEASURED_SIGMA))
        noise = np.array(np.broadcast_to(_MEASURED_SIGMA, expected[..., optical].shape))
        heights = heights_of(expected) + HEIGHT_SOFT
        noise[..., : heights.shape[-1]] = np.hypot(noise[..., : heights.shape[-1]], _HEIGHT_NOISE / heights)
        expected, spread = expected[..., optical], variance[..., optical] + noise**2
        if isinstance(self._goal, DiscriminateGoal):
            bits = acquisition.mechanism_information(mechanism, expected, spread, self._rng)
        else:
            bits = acquisition.precision(expected, spread)
        return np.where(self._taken, 0.5 * bits, bits)

    @property
    def undecided(self) -> list[Cell]:
        """Cells that may be in either class and could be measured."""
        return [one for one in self.cells if not one.decided and not self._trials.was_failed(one.condition)]

    @property
    def is_decided(self) -> bool:
        """Whether so few cells are undecided that the map is done."""
        return len(self.undecided) <= _OPEN_CELLS * len(self.cells)

    @property
    def values(self) -> NDArray[np.float64]:
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
        shares, middles = (ratio >= threshold_of(self._goal)).mean(axis=0), np.median(ratio, axis=0)
        return [
            Cell(one, float(share), float(middle), self._trials.was_measured(one))
            for one, share, middle in zip(where, shares, middles, strict=True)
        ]

    def _unconfirmed(self) -> set[Condition]:
        """The unmeasured cells at edges, once nothing else is left to decide."""
        failed = self._trials.was_failed
        if not isinstance(self._goal, MapGoal) or not self._goal.confirm_edges or not self.is_decided:
            return set()
        beside = {one for pair in self._edges() for one in pair}
        return {one for one in beside if not self._trials.was_measured(one) and not failed(one)}
