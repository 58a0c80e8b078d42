"""The advisor: which condition next, and why.

It satisfies bluesky_adaptive's ``Optimizer``, ``TrialFaultAware``, ``SupportsStoppingCriteria`` and
``Checkpointable`` by structure, without importing them. All randomness follows from the seed and the number
of points known, so that asking twice gives the same answer and a loaded checkpoint goes on as the original
would.

What takes seconds (moving the particles, integrating every candidate) is :meth:`Advisor.prepare`, for a thread of its
own while the reactor heats and flushes. Without it nothing is lost: ``ingest`` catches up first.
"""

import contextlib
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from msc_plans.advisor import checkpoint
from msc_plans.advisor import reasons as words
from msc_plans.advisor.cost import Budget, Cost, CostModel
from msc_plans.advisor.goals import DiscriminateGoal, Goal, LearnGoal, MapGoal, MaximiseGoal, family_of, with_family
from msc_plans.advisor.outlook import Outlook
from msc_plans.advisor.promise import Promise, threshold_of
from msc_plans.advisor.space import SearchSpace
from msc_plans.advisor.suggestion import Cell, Prediction, Suggestion
from msc_plans.advisor.trials import Trials
from msc_plans.condition import Condition
from msc_plans.families import FamilyTable
from msc_plans.kinetics.belief import Belief
from msc_plans.kinetics.mechanism import Mechanism
from msc_plans.kinetics.observation import Observables, Observation, Optics, heights_of
from msc_plans.kinetics.solver import FlowModel

__all__ = ["NOTHING", "Advisor"]

NOTHING: Final = "none of them"
"""What is needed where no step in question is."""

_DRAWS: Final = 600
_LOOKED_OVER: Final = 400
"""Particles integrated at every candidate; what a sub-sample costs is in ``docs/decisions``."""
_COST_POWER: Final = 0.1
"""Of seconds in gain over cost: a long way is taken for much more information only."""
_LEAST_POINTS = 3
_LEAST_GAIN = 0.02
_LEAST_BITS = 0.01


class Advisor:
    """Suggest conditions, learn from their outcomes, say why and when to stop.

    Parameters
    ----------
    goal : Goal, optional
        What the campaign is after. Default: map where the table's campaign family accumulates at 14 s.
    space : SearchSpace, optional
        The permitted conditions. Default: both ovens equal at 240…350 °C, 14 s.
    cost : CostModel, optional
        What a condition costs.
    budget : Budget, optional
        What may be used. Default: no limit.
    reactor : FlowModel, optional
        Feed and volumes.
    optics : Optics, optional
        The optical cell.
    mechanisms : mapping, optional
        Mechanisms by name. Default: the paper's and their rival.
    families : FamilyTable, optional
        What is looked for. Default: the built-in table.
    seed : int
        Seed.
    particles : int
        Particles over the rate constants of each mechanism.
    checkpoint_path : path, optional
        Where :meth:`checkpoint` writes.

    Attributes
    ----------
    family : str
        The family that the goal is about; for goals about none, the one whose height and ratio are predicted.

    Raises
    ------
    ValueError
        The table lacks the goal's family or what the kinetic model needs, no mechanism makes the family, or no
        candidate is one of the goal's.
    """

    def __init__(
        self,
        goal: Goal | None = None,
        space: SearchSpace | None = None,
        *,
        cost: CostModel | None = None,
        budget: Budget | None = None,
        reactor: FlowModel | None = None,
        optics: Optics | None = None,
        mechanisms: Mapping[str, Mechanism] | None = None,
        families: FamilyTable | None = None,
        seed: int = 0,
        particles: int = 200,
        checkpoint_path: str | Path | None = None,
    ) -> None:
        self.observables = Observables(families)
        self.goal = with_family(goal or MapGoal(), self.observables.families)
        self.family = family_of(self.goal, self.observables.families)
        self.space = space or SearchSpace.equal_ovens()
        self.cost = cost or CostModel()
        self.budget = budget or Budget()
        self.reactor = reactor or FlowModel()
        self.optics = optics or Optics()
        self.seed = seed
        self.particles = particles
        self.checkpoint_path = None if checkpoint_path is None else Path(checkpoint_path)
        self.belief = Belief(mechanisms, self.reactor, observables=self.observables, particles=particles, seed=seed)
        made = any(self.family in one.species for one in self.belief.mechanisms.values())
        if isinstance(self.goal, (MapGoal, MaximiseGoal)) and not made:
            raise ValueError(f"the goal is about {self.family}, which is not a species of any of the mechanisms")
        self.trials = Trials()
        self._candidates = self.space.candidates()
        targets = set(self.goal.targets(self._candidates))
        self._targets = np.array([one in targets for one in self._candidates])
        self._waiting: list[tuple[Condition, Observation]] = []
        self._outlook: Outlook | None = None
        self._kept: tuple[Outlook, tuple[int, ...], Promise] | None = None

    @classmethod
    def load(
        cls,
        path: str | Path,
        mechanisms: Mapping[str, Mechanism] | None = None,
        families: FamilyTable | None = None,
    ) -> "Advisor":
        """Return the advisor a checkpoint holds; it goes on as the one that wrote it.

        Mechanisms and families of one's own must be handed in, as a checkpoint holds their names only.

        Raises
        ------
        ValueError
            The file isn't a checkpoint, or is of a later version, or of unknown mechanisms or families.
        """
        return checkpoint.read(Path(path), cls, mechanisms, families)

    # --- the protocols -------------------------------------------------------------------------------------

    def suggest(self, num_points: int | None = None) -> list[dict[str, object]]:
        """Return the next conditions (default one), best first, with an ``_id`` each.

        Conditions that are measured, failed or under way are left out while others remain; those that what is left
        of the budget does not pay for always are. If fewer than ``num_points`` remain, fewer are returned.

        Raises
        ------
        ValueError
            ``num_points`` is not a positive integer.
        """
        number = 1 if num_points is None else num_points
        if isinstance(number, bool) or not isinstance(number, int) or number < 1:
            raise ValueError(f"num_points must be a positive integer, not {num_points!r}")
        promise = self._promise()
        left = self._pool()
        place, spent = self.trials.last_condition(), self.trials.spent
        suggestions = []
        while len(suggestions) < number:
            priced = {one: self.cost.cost(place, self._candidates[one]) for one in left}
            left = [one for one, price in priced.items() if self.budget.affords(spent + price)]
            if not left:
                break
            gain, costs = promise.gain()[left], [priced[one] for one in left]
            worth = np.maximum(gain, 1e-9) / np.array([one.seconds for one in costs]) ** _COST_POWER
            order = np.argsort(-worth, kind="stable")
            chosen = left[order[0]]
            runner_up = self._candidates[left[order[1]]] if len(left) > 1 else None
            suggestions.append(self._announce(promise, chosen, runner_up, costs[order[0]], float(gain[order[0]])))
            promise.take(chosen)
            place, spent = self._candidates[chosen], spent + priced[chosen]
            left.remove(chosen)
        return suggestions

    def ingest(self, points: Sequence[Mapping[str, object]]) -> None:
        """Learn from outcomes; all points are checked before any is taken.

        A point holds the outcome keys of `Observables` and the three values of its condition
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
            new.append((condition, self.observables.observation(point)))
            admitted.append((name, condition, _numbers(point)))
        if not new:
            return
        if self._waiting:
            self.prepare()
        for name, condition, record in admitted:
            self.trials.add(name, condition, record, self.cost)
        if self._outlook is not None:
            self._outlook.learn([one for one, _ in new], [seen for _, seen in new])
        self._waiting += new

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
        place = self.trials.last_condition()
        prices = (self.cost.cost(place, self._candidates[one]) for one in self._pool())
        if not any(self.budget.affords(self.trials.spent + price) for price in prices):
            return True, "what is left of the budget pays for no condition"
        if self.trials.measured_count < _LEAST_POINTS:
            return False, None
        if isinstance(self.goal, DiscriminateGoal):
            name, probability = max(self.rivals.items(), key=lambda item: item[1])
            if probability >= self.goal.certainty and self._waiting:
                # particles that are only reweighed are few: nothing is called certain before they have learnt it all
                self.prepare()
                name, probability = max(self.rivals.items(), key=lambda item: item[1])
            stop = probability >= self.goal.certainty
            return stop, f"{name} has a probability of {probability:.3f}" if stop else None
        promise = self._promise()
        if isinstance(self.goal, MapGoal):
            if not promise.is_decided or promise.unconfirmed:
                return False, None
            left, cells = len(promise.undecided), len(promise.cells)
            return True, f"all but {left} of {cells} cells are decided" if left else "every cell is decided"
        best = float(promise.gain().max())
        if isinstance(self.goal, LearnGoal):
            stop = best < _LEAST_BITS
            return stop, "no condition tells more about the rate constants" if stop else None
        stop = best < _LEAST_GAIN * promise.best_value()
        promised = f"no condition promises {100 * _LEAST_GAIN:g} % more {self.family} than the best"
        return stop, promised if stop else None

    def checkpoint(self) -> None:
        """Write everything to ``checkpoint_path``, whole or not at all.

        Raises
        ------
        ValueError
            The advisor was made without a path.
        """
        if self.checkpoint_path is None:
            raise ValueError("no checkpoint_path was given to the Advisor")
        self.prepare()
        checkpoint.write(self.checkpoint_path, self)

    def get_best_points(self) -> list[tuple[str, dict[str, float], dict[str, float]]]:
        """Return id, condition and outcome of the measured point with the most of the goal's family."""
        measured = self.trials.points
        if not measured:
            return []

        def value(outcome: Mapping[str, float]) -> float:
            values = self.observables.observation(outcome).values
            if isinstance(self.goal, MaximiseGoal) and self.goal.by == "amount":
                return float(values[self.observables.index(self.family)])
            return float(self.observables.ratio(heights_of(values), self.family))

        best = max(measured, key=lambda one: value(one.outcome))
        return [(best.trial_id, best.condition.as_dict(), dict(best.outcome))]

    # --- what people ask -----------------------------------------------------------------------------------

    def prepare(self) -> None:
        """Do in advance what takes seconds: learn from what was handed in, and look over all candidates."""
        if self._waiting:
            self.belief.update([one for one, _ in self._waiting], [seen for _, seen in self._waiting])
            self._waiting = []
            self._outlook = None
        _ = self.outlook

    @property
    def outlook(self) -> Outlook:
        """What is believed over the candidates."""
        if self._outlook is None:
            self._outlook = Outlook(self.belief, self._candidates, _LOOKED_OVER)
            if isinstance(self.goal, DiscriminateGoal):
                _ = self._outlook.needed
            self._outlook.learn([one for one, _ in self._waiting], [seen for _, seen in self._waiting])
        return self._outlook

    @property
    def mechanism_probabilities(self) -> dict[str, float]:
        """Probability of each mechanism after all that was handed in."""
        return self.outlook.probabilities

    @property
    def rivals(self) -> dict[str, float]:
        """Probability of what the goal `discriminate` tells apart: the steps that are needed, joined by " + ".

        Only steps that not all mechanisms have are named; see `msc_plans.advisor.required_steps`. Where
        mechanisms differ in no step, it is the mechanisms.
        """
        found = self.outlook.needed_probabilities
        return {" + ".join(names) or NOTHING: share for names, share in found.items()} or self.mechanism_probabilities

    @property
    def alarm(self) -> str | None:
        """Name and reason of an alarm, or None: see `Belief.alarm`."""
        self.prepare()
        return self.belief.alarm

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
        draws = self.outlook.elsewhere(conditions, _DRAWS, self._rng(1))
        return self._prediction(draws.quantities, conditions)

    def cells(self) -> list[Cell]:
        """Return the goal's conditions with P(accumulated) and the expected ratio."""
        return self._promise().cells

    def best_condition(self) -> Condition:
        """Return the candidate that is expected to hold the most (or purest) of the family, measured or not."""
        return self._candidates[int(np.argmax(self._promise().values.mean(axis=0)))]

    # --- inside --------------------------------------------------------------------------------------------

    def _promise(self) -> Promise:
        """What the candidates promise at present: the draws are made once, whoever asks."""
        trials, outlook = self.trials, self.outlook
        counts = len(outlook.conditions), trials.measured_count, len(trials.suggestions), len(trials.failed)
        if self._kept is None or self._kept[:2] != (outlook, counts):
            self._kept = outlook, counts, Promise(self.goal, outlook, trials, self._targets, self._rng(2))
        return self._kept[2]

    def _rng(self, purpose: int) -> np.random.Generator:
        return np.random.default_rng([self.seed, purpose, self.trials.measured_count])

    def _full(self) -> float:
        """Latest full-conversion height, absorbance."""
        seen = self.outlook.observations
        if seen:
            return seen[-1].full_height
        fed_mol_l = 1e-3 * self.reactor.cadmium_millimolar
        return self.observables.families.material.full_conversion_height(fed_mol_l, self.optics.path_length_cm)

    def _prediction(self, draws: NDArray[np.floating], conditions: Sequence[Condition]) -> Prediction:
        threshold = threshold_of(self.goal)
        return Prediction.of(draws, conditions, self.family, threshold, self._full(), self.observables)

    def _pool(self) -> list[int]:
        """Return the numbers of the conditions to choose from: the open ones, or else what may be measured again."""
        every = range(len(self._candidates))
        working = [one for one in every if not self.trials.was_failed(self._candidates[one])] or list(every)
        idle = [one for one in working if not self.trials.is_pending(self._candidates[one])] or working
        return [one for one in idle if not self.trials.was_measured(self._candidates[one])] or idle

    def _announce(
        self, promise: Promise, number: int, runner_up: Condition | None, cost: Cost, gain: float
    ) -> dict[str, object]:
        condition = self._candidates[number]
        values = promise.quantities[:, [number]]
        expected = self._prediction(values, [condition])
        share = float(expected.probability[0])
        rivals = self.rivals if isinstance(self.goal, DiscriminateGoal) else {}
        suggestion = Suggestion(
            trial_id=self.trials.next_id(),
            condition=condition,
            goal=str(self.goal),
            reason=words.reason(
                self.goal, condition, share, promise.edge(condition), gain, rivals, cost,
                begun=bool(self.trials.points),
            ),
            height=expected.interval("height", 0),
            ratio=expected.interval("ratio", 0),
            nc_wavelength_nm=expected.interval("nc_wavelength_nm", 0),
            probability=share,
            runner_up=runner_up,
            cost=cost,
        )  # fmt: skip
        self.trials.suggest(suggestion)
        return {"_id": suggestion.trial_id, **condition.as_dict()}


def _numbers(point: Mapping[str, object]) -> dict[str, float]:
    """What a point holds besides its condition, as far as it is numbers."""
    found: dict[str, float] = {}
    for key, value in point.items():
        if key not in ("_id", *Condition.__dataclass_fields__):
            with contextlib.suppress(TypeError, ValueError):
                found[key] = math.nan if value is None else float(value)  # type: ignore[arg-type]
    return found
