"""The advisor: which condition next, and why.

It satisfies bluesky_adaptive's ``Optimizer``, ``TrialFaultAware``, ``SupportsStoppingCriteria`` and
``Checkpointable`` by structure, without importing them. All randomness follows from the seed and the number
of points known, so that asking twice gives the same answer and a loaded checkpoint goes on as the original
would.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from msc_plans.advisor import acquisition, checkpoint, words
from msc_plans.advisor.cost import Budget, Cost, CostModel
from msc_plans.advisor.edges import edges_of
from msc_plans.advisor.ensemble import accumulated, draw, full_height, summarise
from msc_plans.advisor.goals import Goal, MapGoal
from msc_plans.advisor.space import SearchSpace
from msc_plans.advisor.suggestion import Cell, Prediction, Suggestion
from msc_plans.advisor.trials import Trials
from msc_plans.condition import Condition
from msc_plans.kinetics.inference import Posterior
from msc_plans.kinetics.observation import OUTCOME_KEYS, Observation, Optics
from msc_plans.kinetics.palencia import FAMILIES, palencia_2020
from msc_plans.kinetics.solver import Reactor

__all__ = ["Advisor"]

MAX_CANDIDATES = 48
REPEATS = 3
COST_POWER = 0.25
LEAST_POINTS = 3
LEAST_GAIN = 0.02
MEASUREMENT_NOISE = 0.1


class Advisor:
    """Suggest conditions, learn from their outcomes, say why and when to stop.

    Parameters
    ----------
    goal : Goal, optional
        What the campaign is after. Default: map where CdSe-437 accumulates at 14 s.
    space : SearchSpace, optional
        The permitted conditions. Default: both ovens equal at 240…350 °C, 14 s.
    cost : CostModel, optional
        What a condition costs.
    budget : Budget, optional
        What may be used. Default: no limit.
    reactor : Reactor, optional
        Feed and volumes.
    optics : Optics, optional
        The optical cell.
    seed : int
        Seed.
    particles : int
        Particles over the rate constants.
    checkpoint_path : path, optional
        Where :meth:`checkpoint` writes.
    """

    def __init__(
        self,
        goal: Goal | None = None,
        space: SearchSpace | None = None,
        *,
        cost: CostModel | None = None,
        budget: Budget | None = None,
        reactor: Reactor | None = None,
        optics: Optics | None = None,
        seed: int = 0,
        particles: int = 400,
        checkpoint_path: str | Path | None = None,
    ) -> None:
        self.goal = goal or MapGoal()
        self.space = space or SearchSpace.equal_ovens()
        self.cost = cost or CostModel()
        self.budget = budget or Budget()
        self.reactor = reactor or Reactor()
        self.optics = optics or Optics()
        self.seed = seed
        self.checkpoint_path = None if checkpoint_path is None else Path(checkpoint_path)
        self.posterior = Posterior(palencia_2020(), self.reactor, particles=particles, seed=seed)
        self.trials = Trials()
        self._candidates = self.space.candidates()
        self._targets = self.goal.targets(self._candidates)

    @classmethod
    def load(cls, path: str | Path) -> "Advisor":
        """Return the advisor a checkpoint holds; it goes on as the one that wrote it.

        Raises
        ------
        ValueError
            The file is no checkpoint, or of another version.
        """
        return checkpoint.read(Path(path), cls)

    # --- the protocols -------------------------------------------------------------------------------------

    def suggest(self, num_points: int | None = None) -> list[dict[str, object]]:
        """Return the next conditions (default one), best first, with an ``_id`` each.

        Conditions that are measured, failed or under way are left out while others remain; if fewer than
        ``num_points`` remain, fewer are returned.

        Raises
        ------
        ValueError
            ``num_points`` is not a positive integer.
        """
        number = 1 if num_points is None else num_points
        if isinstance(number, bool) or not isinstance(number, int) or number < 1:
            raise ValueError(f"num_points must be a positive integer, not {num_points!r}")
        pool = self._pool()
        under_way = self.trials.pending()
        every = [*pool, *under_way, *self._targets]
        draws = draw(self.posterior, self.goal.family, every, self._rng(2), repeats=REPEATS)
        prediction = summarise(draws, every, self.goal.threshold, self._full())
        classes = accumulated(draws, self.goal.threshold)
        undecided = np.array([not self.trials.was_measured(one) for one in self._targets])
        noise = MEASUREMENT_NOISE * self._rng(3).standard_normal(draws.log_ratio.shape)
        outcomes = draws.log_ratio + noise
        groups = np.zeros(len(outcomes), dtype=np.intp)
        for column in range(len(pool), len(pool) + len(under_way)):
            groups = _split(groups, outcomes[:, column])
        best = self._best_height()
        unconfirmed = self._unconfirmed(self._shares(prediction))
        left = list(range(len(pool)))
        place = self.trials.last_condition()
        suggestions = []
        while left and len(suggestions) < number:
            if isinstance(self.goal, MapGoal):
                cells = classes[:, len(pool) + len(under_way) :][:, undecided]
                gain = acquisition.information(outcomes[:, left], cells, groups)
            else:
                gain = acquisition.expected_improvement(draws.height[:, left], best)
            if unconfirmed:
                gain = np.array([2.0 if pool[one] in unconfirmed else 0.0 for one in left]) + 1e-3 * gain
            costs = [self.cost.cost(place, pool[one]) for one in left]
            worth = np.maximum(gain, 1e-9) / np.array([one.seconds for one in costs]) ** COST_POWER
            order = np.argsort(-worth, kind="stable")
            chosen = left[order[0]]
            runner_up = pool[left[order[1]]] if len(left) > 1 else None
            suggestions.append(self._announce(prediction, chosen, runner_up, costs[order[0]]))
            groups = _split(groups, outcomes[:, chosen])
            best = max(best, float(draws.height[:, chosen].mean()))
            place = pool[chosen]
            left.remove(chosen)
        return suggestions

    def ingest(self, points: Sequence[Mapping[str, object]]) -> None:
        """Learn from outcomes; all points are checked before any is taken.

        A point holds the outcome keys of :meth:`Observation.keys` and the three values of its condition
        (which may be left out when ``_id`` is one of the suggestions). An ``_id`` already taken is passed
        over, so that a resumed campaign may hand in its points again.

        Raises
        ------
        ValueError
            A point lacks a key or holds no number there.
        """
        new: list[tuple[Condition, Observation]] = []
        admitted: list[tuple[str | None, Condition, dict[str, float]]] = []
        for point in points:
            name = None if point.get("_id") is None else str(point["_id"])
            if name is not None and (self.trials.is_measured_id(name) or name in [one[0] for one in admitted]):
                continue
            condition = self.trials.condition_of(point)
            observation = Observation.from_record(point)
            record = {key: float(point[key]) for key in OUTCOME_KEYS}  # type: ignore[arg-type]
            new.append((condition, observation))
            admitted.append((name, condition, record))
        for name, condition, record in admitted:
            self.trials.add(name, condition, record, self.cost)
        self.posterior.update([one for one, _ in new], [one for _, one in new])

    def register_failures(self, suggestions: Sequence[Mapping[str, object]]) -> None:
        """Note that suggestions failed; their conditions are not suggested again.

        Raises
        ------
        ValueError
            A suggestion has no ``_id``, or an unknown one and no condition.
        """
        for suggestion in suggestions:
            self.trials.fail(suggestion)

    def should_stop(self) -> tuple[bool, str | None]:
        """Return whether to stop, and why."""
        spent = self.budget.exceeded(self.trials.measured_count, self.trials.spent)
        if spent:
            return True, spent
        if self.trials.measured_count < LEAST_POINTS:
            return False, None
        if isinstance(self.goal, MapGoal):
            shares = {one.condition: one.probability for one in self.cells()}
            stop = self._all_decided(shares) and not self._unconfirmed(shares)
            return stop, "every cell is decided" if stop else None
        draws = draw(self.posterior, self.goal.family, self._targets[:MAX_CANDIDATES], self._rng(4))
        best = self._best_height()
        if acquisition.expected_improvement(draws.height, best).max() < LEAST_GAIN * best:
            return True, f"no condition promises {100 * LEAST_GAIN:g} % more {self.goal.family} than the best"
        return False, None

    def checkpoint(self) -> None:
        """Write everything to ``checkpoint_path``, whole or not at all.

        Raises
        ------
        ValueError
            The advisor was made without a path.
        """
        if self.checkpoint_path is None:
            raise ValueError("no checkpoint_path was given to the Advisor")
        checkpoint.write(self.checkpoint_path, self)

    def get_best_points(self) -> list[tuple[str, dict[str, float], dict[str, float]]]:
        """Return id, condition and outcome of the measured point with the most of the goal's family."""
        key = f"{self.goal.family}_{'ratio' if isinstance(self.goal, MapGoal) else 'height'}"
        measured = self.trials.points
        if not measured:
            return []
        best = max(measured, key=lambda one: np.nan_to_num(one.outcome[key], nan=-np.inf))
        return [(best.trial_id, best.condition.as_dict(), dict(best.outcome))]

    # --- what people ask -----------------------------------------------------------------------------------

    def explain(self, trial_id: str) -> Suggestion:
        """Return what was said when this id was suggested.

        Raises
        ------
        ValueError
            The id was never suggested.
        """
        return self.trials.suggestion(trial_id)

    def predict(self, conditions: Sequence[Condition]) -> Prediction:
        """Return the predicted outcomes at any conditions, on the grid or not."""
        draws = draw(self.posterior, self.goal.family, conditions, self._rng(5))
        return summarise(draws, conditions, self.goal.threshold, self._full())

    def cells(self) -> list[Cell]:
        """Return the goal's conditions with P(accumulated): measured where measured, else predicted."""
        open_cells = [one for one in self._targets if not self.trials.was_measured(one)]
        predicted: dict[Condition, float] = {}
        if open_cells:
            draws = draw(self.posterior, self.goal.family, open_cells, self._rng(4), repeats=REPEATS)
            shares = accumulated(draws, self.goal.threshold).mean(axis=0)
            predicted = {one: float(share) for one, share in zip(open_cells, shares, strict=True)}
        return [
            Cell(one, predicted[one], False) if one in predicted else Cell(one, self._measured_share(one), True)
            for one in self._targets
        ]

    # --- inside --------------------------------------------------------------------------------------------

    def _rng(self, purpose: int) -> np.random.Generator:
        return np.random.default_rng([self.seed, purpose, len(self.posterior.conditions)])

    def _full(self) -> float:
        default = self.optics.full_conversion_height(self.reactor.cadmium_millimolar)
        return full_height(self.posterior.observations, default)

    def _pool(self) -> list[Condition]:
        """Return the conditions to choose from: the open ones, or else what may be measured again."""
        working = [one for one in self._candidates if not self.trials.was_failed(one)] or self._candidates
        idle = [one for one in working if not self.trials.is_pending(one)] or working
        pool = [one for one in idle if not self.trials.was_measured(one)] or idle
        if len(pool) <= MAX_CANDIDATES:
            return pool
        targets = [one for one in pool if one in self._targets]
        preferred = targets if isinstance(self.goal, MapGoal) and len(targets) < MAX_CANDIDATES else []
        others = [one for one in pool if one not in preferred]
        chosen = self._rng(6).choice(len(others), MAX_CANDIDATES - len(preferred), replace=False)
        return preferred + [others[one] for one in sorted(chosen)]

    def _shares(self, prediction: Prediction) -> dict[Condition, float]:
        """Return P(accumulated) of the goal's conditions, measured where measured."""
        around = dict(zip(prediction.conditions, prediction.probability.tolist(), strict=True))
        return {
            one: self._measured_share(one) if self.trials.was_measured(one) else around[one] for one in self._targets
        }

    def _all_decided(self, shares: Mapping[Condition, float]) -> bool:
        return all(
            Cell(one, share, self.trials.was_measured(one)).decided or self.trials.was_failed(one)
            for one, share in shares.items()
        )

    def _unconfirmed(self, shares: Mapping[Condition, float]) -> list[Condition]:
        """Return the unmeasured cells at edges, once nothing else is left to decide."""
        if not isinstance(self.goal, MapGoal) or not self.goal.confirm_edges or not self._all_decided(shares):
            return []
        beside = {one for pair in edges_of(shares) for one in pair}
        return [one for one in beside if not self.trials.was_measured(one) and not self.trials.was_failed(one)]

    def _best_height(self) -> float:
        column = FAMILIES.index(self.goal.family)
        return max((float(one.heights[column] / one.full_height) for one in self.posterior.observations), default=0.0)

    def _measured_share(self, condition: Condition) -> float:
        """Return P(ratio ≥ threshold) by the measurements at the condition."""
        outcomes = [one.outcome for one in self.trials.points if self.space.same(one.nominal, condition)]
        ratios = np.array([one[f"{self.goal.family}_ratio"] for one in outcomes])
        sigmas = np.array([max(one[f"{self.goal.family}_ratio_sigma"], 1e-6) for one in outcomes])
        if not np.isfinite(ratios + sigmas).any():
            return 0.0
        weights = np.nan_to_num(sigmas**-2.0)
        mean = np.nansum(weights * ratios) / weights.sum()
        return float(ndtr((mean - self.goal.threshold) * np.sqrt(weights.sum())))

    def _announce(
        self, prediction: Prediction, number: int, runner_up: Condition | None, cost: Cost
    ) -> dict[str, object]:
        condition = prediction.conditions[number]
        share = float(prediction.probability[number])
        edges = edges_of(self._shares(prediction)) if isinstance(self.goal, MapGoal) else []
        edge = next((pair for pair in edges if condition in pair), None)
        suggestion = Suggestion(
            trial_id=self.trials.next_id(),
            condition=condition,
            goal=str(self.goal),
            reason=words.reason(self.goal, condition, share, edge, bool(self.trials.points), cost),
            height=prediction.interval("height", number),
            ratio=prediction.interval("ratio", number),
            nc_wavelength_nm=prediction.interval("nc_wavelength_nm", number),
            probability=share,
            runner_up=runner_up,
            cost=cost,
        )
        self.trials.suggest(suggestion)
        return {"_id": suggestion.trial_id, **condition.as_dict()}


def _split(groups: NDArray[np.intp], values: NDArray[np.float64]) -> NDArray[np.intp]:
    """Refine groups by the quarter a value lies in, as long as each group keeps enough draws."""
    if groups.max() >= 15:
        return groups
    return groups * 4 + acquisition.bins_of(values, 4)
