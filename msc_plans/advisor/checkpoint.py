"""An advisor as a JSON file."""

import json
import math
import os
import tempfile
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from msc_plans.advisor.cost import Budget, Cost, CostModel
from msc_plans.advisor.goals import make_goal
from msc_plans.advisor.space import SearchSpace
from msc_plans.advisor.suggestion import Interval, Suggestion
from msc_plans.advisor.trials import Point
from msc_plans.condition import Condition
from msc_plans.kinetics.observation import Observation, Optics
from msc_plans.kinetics.solver import Reactor

if TYPE_CHECKING:
    from msc_plans.advisor.advisor import Advisor

__all__ = ["SCHEMA_VERSION", "read", "write"]

SCHEMA_VERSION = 1


def write(path: Path, advisor: "Advisor") -> None:
    """Write an advisor's state; a reader never sees half a file."""
    trials, posterior = advisor.trials, advisor.posterior
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
                "outcome": {key: v if math.isfinite(v) else None for key, v in one.outcome.items()},
            }
            for one in trials.points
        ],
        "particles": posterior.z.tolist(),
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


def read(path: Path, make: "type[Advisor]") -> "Advisor":
    """Return the advisor a file holds."""
    try:
        state = json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise ValueError(f"{path} is no advisor checkpoint: {error}") from error
    version = state.get("schema_version") if isinstance(state, dict) else None
    if version != SCHEMA_VERSION:
        raise ValueError(f"{path} has schema version {version!r}; this advisor reads {SCHEMA_VERSION}")
    advisor = make(
        make_goal(**state["goal"]),
        SearchSpace(**state["space"]),
        cost=CostModel(**state["cost"]),
        budget=Budget(**state["budget"]),
        reactor=Reactor(**state["reactor"]),
        optics=Optics(**state["optics"]),
        seed=state["seed"],
        particles=len(state["particles"]),
        checkpoint_path=path,
    )
    trials = advisor.trials
    trials.spent = Cost(**state["spent"])
    trials.failed = {name: Condition(**one) for name, one in state["failed"].items()}
    for one in state["suggestions"]:
        trials.suggest(_suggestion(one))
    for one in state["points"]:
        outcome = {key: math.nan if value is None else value for key, value in one["outcome"].items()}
        trials.points.append(
            Point(one["trial_id"], Condition(**one["nominal"]), Condition(**one["condition"]), outcome)
        )
    advisor.posterior.restore(
        np.array(state["particles"]),
        [one.condition for one in trials.points],
        [Observation.from_record(one.outcome) for one in trials.points],
    )
    return advisor


def _suggestion(state: Mapping[str, Any]) -> Suggestion:
    runner_up = state["runner_up"]
    return Suggestion(
        **{
            **state,
            "condition": Condition(**state["condition"]),
            "runner_up": None if runner_up is None else Condition(**runner_up),
            "cost": Cost(**state["cost"]),
            **{name: Interval(**state[name]) for name in ("height", "ratio", "nc_wavelength_nm")},
        }
    )
