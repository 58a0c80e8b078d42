"""An advisor as a JSON file.

What was measured is in it, and the particles that were learnt from it. A file whose particles don't suit the mechanisms
of today (another version's) is read all the same: they are learnt again from what was measured.
"""

import json
import math
import os
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np

from msc_plans.advisor.cost import Budget, Cost, CostModel
from msc_plans.advisor.goals import Goal, make_goal
from msc_plans.advisor.space import SearchSpace
from msc_plans.advisor.suggestion import Interval, Suggestion
from msc_plans.advisor.trials import Point, Trials
from msc_plans.condition import Condition
from msc_plans.families import FamilyTable, built_in_families
from msc_plans.kinetics.belief import Belief, Check
from msc_plans.kinetics.mechanism import Mechanism
from msc_plans.kinetics.mechanism_file import mechanisms
from msc_plans.kinetics.observation import Observables, Optics
from msc_plans.kinetics.solver import FlowModel

__all__ = ["SCHEMA_VERSION", "read", "write"]

SCHEMA_VERSION = 2


class AdvisorState(Protocol):
    """What a checkpoint holds of an advisor."""

    goal: Goal
    space: SearchSpace
    cost: CostModel
    budget: Budget
    reactor: FlowModel
    optics: Optics
    seed: int
    particles: int
    trials: Trials
    belief: Belief
    observables: Observables


_Advisor = TypeVar("_Advisor", bound=AdvisorState)


def write(path: Path, advisor: AdvisorState) -> None:
    """Write an advisor's state; a reader never sees half a file."""
    trials, belief = advisor.trials, advisor.belief
    state: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "seed": advisor.seed,
        "goal": {"name": advisor.goal.name, **asdict(advisor.goal)},
        "space": advisor.space.as_dict(),
        "cost": asdict(advisor.cost),
        "budget": asdict(advisor.budget),
        "reactor": asdict(advisor.reactor),
        "optics": asdict(advisor.optics),
        "spent": asdict(trials.spent),
        "suggestions": [asdict(one) for one in trials.suggestions.values()],
        "failed": {name: one.as_dict() for name, one in trials.failed.items()},
        "points": [
            {
                "trial_id": one.trial_id,
                "nominal": one.nominal.as_dict(),
                "condition": one.condition.as_dict(),
                # JSON has no NaN.
                "outcome": {key: _or_none(value) for key, value in one.outcome.items()},
            }
            for one in trials.points
        ],
        "particles": advisor.particles,
        "families": list(advisor.observables.families.names),
        "posteriors": {
            name: {"constants": list(one.mechanism.constants), "log_evidence": one.log_evidence, "z": one.z.tolist()}
            for name, one in belief.posteriors.items()
        },
        "checks": [
            {"misses": [_or_none(miss) for miss in one.misses], "p_value": one.p_value} for one in belief.checks
        ],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(state, file, allow_nan=False)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _or_none(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _or_nan(value: float | None) -> float:
    return math.nan if value is None else value


def read(
    path: Path,
    make: Callable[..., _Advisor],
    known: Mapping[str, Mechanism] | None,
    families: FamilyTable | None,
) -> _Advisor:
    """Return the advisor a file holds."""
    try:
        state = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} isn't an advisor checkpoint: {error}") from error
    version = state.get("schema_version") if isinstance(state, dict) else None
    if not isinstance(version, int) or not 1 <= version <= SCHEMA_VERSION:
        raise ValueError(f"{path} has schema version {version!r}; this advisor reads 1 to {SCHEMA_VERSION}")
    try:
        return _restored(
            state,
            path,
            make,
            mechanisms() if known is None else known,
            built_in_families() if families is None else families,
        )
    except (KeyError, TypeError, IndexError, AttributeError, OverflowError) as error:
        raise ValueError(f"{path} isn't a complete advisor checkpoint: {error!r}") from error


def _restored(
    state: Mapping[str, Any],
    path: Path,
    make: Callable[..., _Advisor],
    known: Mapping[str, Mechanism],
    families: FamilyTable,
) -> _Advisor:
    stored = state.get("posteriors", {})
    unknown = sorted(set(stored) - set(known))
    if unknown:
        raise ValueError(f"{path} is of the mechanisms {', '.join(unknown)}, which are not known: hand them to load()")
    looked_for = state.get("families", list(families.names))
    if looked_for != list(families.names):
        raise ValueError(
            f"{path} is of the families {', '.join(looked_for)}, and the table has {', '.join(families.names)}: "
            "hand their table to load()"
        )
    advisor = make(
        make_goal(families=families, **state["goal"]),
        SearchSpace(**state["space"]),
        cost=CostModel(**state["cost"]),
        budget=Budget(**state["budget"]),
        reactor=FlowModel(**state["reactor"]),
        optics=Optics(**state["optics"]),
        mechanisms={name: known[name] for name in stored} or known,
        families=families,
        seed=state["seed"],
        **({"particles": state["particles"]} if state["schema_version"] > 1 else {}),
        checkpoint_path=path,
    )
    trials = advisor.trials
    trials.spent = Cost(**state["spent"])
    trials.failed = {name: Condition(**one) for name, one in state["failed"].items()}
    for one in state["suggestions"]:
        trials.suggest(_suggestion(one))
    for one in state["points"]:
        outcome = {key: _or_nan(value) for key, value in one["outcome"].items()}
        trials.points.append(
            Point(one["trial_id"], Condition(**one["nominal"]), Condition(**one["condition"]), outcome)
        )
    conditions = [one.condition for one in trials.points]
    observations = [advisor.observables.observation(one.outcome) for one in trials.points]
    belief = advisor.belief
    suits = {name: list(one.mechanism.constants) for name, one in belief.posteriors.items()}
    if suits != {name: one["constants"] for name, one in stored.items()}:
        for condition, observation in zip(conditions, observations, strict=True):
            belief.update([condition], [observation])
        return advisor
    belief.conditions, belief.observations = conditions, observations
    belief.checks = [
        Check(condition, np.array([_or_nan(miss) for miss in one["misses"]]), one["p_value"])
        for condition, one in zip(conditions, state["checks"], strict=True)
    ]
    for name, one in stored.items():
        belief.posteriors[name].restore(np.array(one["z"]), one["log_evidence"], conditions, observations)
    return advisor


def _suggestion(state: Mapping[str, Any]) -> Suggestion:
    runner_up = state["runner_up"]
    return Suggestion(
        **{
            **state,
            "condition": Condition(**state["condition"]),
            "runner_up": None if runner_up is None else Condition(**runner_up),
            "cost": Cost(**state["cost"]),
            **{name: _interval(state[name]) for name in ("height", "ratio", "nc_wavelength_nm")},
        }
    )


def _interval(state: Mapping[str, float]) -> Interval:
    middle = state["mean"] if "mean" in state else state["median"]  # before 2026-11-23 it was the mean
    return Interval(middle, state["low"], state["high"])
