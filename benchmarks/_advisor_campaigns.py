"""Single campaigns on a world, ours or a peer's; each returns plain numbers, so that it can run in any process.

What a campaign does not know is the world's truth; it is read here for scoring only.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import numpy as np
from _advisor_peers import AllAbsent, AxPeer, GridOrder, LevelSet, Peer, Sobol
from _advisor_worlds import CELLS, TIMES_S, World, random_scenario

from msc_plans.advisor import Advisor, CostModel, DiscriminateGoal, MapGoal, MaximiseGoal, SearchSpace
from msc_plans.advisor.cost import Cost
from msc_plans.advisor.goals import Goal
from msc_plans.condition import Condition
from msc_plans.kinetics.solver import FlowModel

PEERS: Final[Mapping[str, Callable[[list[Condition], int], Peer]]] = {
    "all absent": AllAbsent,
    "grid order": GridOrder,
    "Sobol": Sobol,
    "level set": LevelSet,
    "Ax": AxPeer,
    "Ax height": lambda cells, seed: AxPeer(cells, seed, goal="height"),
}
GOALS: Final[Mapping[str, Goal]] = {
    "map": MapGoal(residence_time=None, confirm_edges=False),
    "maximise": MaximiseGoal(),
    "discriminate": DiscriminateGoal(),
}
CLASSES: Final = ("ladder", "needs an extra step", "beside")
"""By where nanocrystals come from: one cluster, a cluster and another way, or another way alone."""
_FROM_CLUSTERS: Final = {"465 to NC", "403 to NC"}
_FROM_OTHERS: Final = {"Nucl to NC", "M to NC"}
_HELD_OUT: Final = 12
_SPACE: Final = SearchSpace(
    [float(nucleation) for nucleation in range(260, 351, 10)],
    list(TIMES_S),
    growth_offsets=[-float(drop) for drop in range(0, 91, 10)],
)
_COST: Final = CostModel(reactor_volume_ul=251.5)
_ORDER: Final = {cell: number for number, cell in enumerate(CELLS)}


@dataclass(frozen=True)
class Task:
    """One campaign: whose, on which world, for what, how long, with which seed."""

    who: str
    world: str
    goal: str
    conditions: int
    seed: int


def run(task: Task) -> list[dict[str, Any]]:
    """Return what is true after each condition.

    Of every campaign: ``hours``, ``ml`` (used so far), ``suggest_s`` (wall time from result to next suggestion). Of a
    map: ``accuracy`` (balanced), and of ours ``prior_accuracy`` and the number of ``undecided`` cells; of a search
    ``share`` (true height at the best measured cell over the true best); of ours ``prepare_s``, ``prepare_cpu_s``,
    ``alarm``, ``classes`` (probabilities), and after the last condition ``covered`` and ``looked`` (held-out quantities
    inside their 95 %).
    """
    world = world_of(task.world)
    return _ours(task, world) if task.who == "ours" else _theirs(task, world)


@lru_cache
def world_of(name: str) -> World:
    """A scenario by name, or ``random N``."""
    return World(random_scenario(int(name.split()[1])) if name.startswith("random") else name)


def _theirs(task: Task, world: World) -> list[dict[str, Any]]:
    peer, place, spent, rows = PEERS[task.who](world.cells, task.seed), None, Cost(0.0, 0.0), []
    condition = peer.suggest()
    for _ in range(task.conditions):
        spent += _COST.cost(place, condition)
        place, record = condition, world.measure(condition, task.seed)
        began = time.perf_counter()
        peer.ingest(condition, record)
        condition = peer.suggest()
        row: dict[str, Any] = {"suggest_s": time.perf_counter() - began, **_used(spent)}
        if task.goal == "map":
            row["accuracy"] = world.truth.balanced_accuracy(peer.classify())
        else:
            row["share"] = _share(world, peer.best())
        rows.append(row)
    return rows


def _ours(task: Task, world: World) -> list[dict[str, Any]]:
    advisor = Advisor(GOALS[task.goal], _SPACE, reactor=reactor_of(world), seed=task.seed)
    place, spent, rows = None, Cost(0.0, 0.0), []
    (suggestion,) = advisor.suggest()
    prior = _mapped(advisor, world) if task.goal == "map" else {}
    for number in range(task.conditions):
        condition = Condition.from_mapping(suggestion)
        spent += _COST.cost(place, condition)
        place = condition
        record = world.measure(condition, task.seed)
        began = time.perf_counter()
        advisor.ingest([{**suggestion, **record}])
        (suggestion,) = advisor.suggest()
        took = time.perf_counter() - began
        cpu, began = time.process_time(), time.perf_counter()
        advisor.prepare()
        row = {
            "suggest_s": took,
            "prepare_s": time.perf_counter() - began,
            "prepare_cpu_s": time.process_time() - cpu,
            "alarm": advisor.alarm,
            "classes": _classes(advisor),
            **_used(spent),
        }
        if task.goal == "map":
            row |= _mapped(advisor, world) | {"prior_accuracy": prior["accuracy"]}
        elif task.goal == "maximise":
            _, best, _ = advisor.get_best_points()[0]
            row["share"] = _share(world, Condition.from_mapping(best))
        if number == task.conditions - 1:
            row |= _held_out(advisor, world, task.seed)
        rows.append(row)
    return rows


def reactor_of(world: World) -> FlowModel:
    """What the lab knows of it: its feed and its volumes."""
    plumbing = world.scenario.plumbing
    whole = plumbing.chamber_ul + plumbing.coil_ul
    return FlowModel(1e3 * world.scenario.precursor.cd_mol_l, plumbing.chamber_ul / whole)


def _mapped(advisor: Advisor, world: World) -> dict[str, Any]:
    said = np.zeros(len(CELLS), dtype=bool)
    cells = advisor.cells()
    for cell in cells:
        said[_ORDER[cell.condition]] = cell.accumulated
    return {
        "accuracy": world.truth.balanced_accuracy(said),
        "undecided": sum(not cell.decided for cell in cells),
    }


def _share(world: World, cell: Condition) -> float:
    heights = world.truth.height_437
    return float(heights[_ORDER[cell]] / heights.max())


def _classes(advisor: Advisor) -> dict[str, float]:
    found: dict[str, float] = dict.fromkeys(CLASSES, 0.0)
    for names, probability in advisor.outlook.needed_probabilities.items():
        clusters, others = (len(of & {*names}) for of in (_FROM_CLUSTERS, _FROM_OTHERS))
        if clusters + others:  # by the others there are no nanocrystals anywhere
            found[CLASSES[2 if not clusters else int(clusters + others > 1)]] += probability
    return found


def _held_out(advisor: Advisor, world: World, seed: int) -> dict[str, int]:
    """Count measurements of other cells inside the 95 % that was predicted of them, errors of both included."""
    rng = np.random.default_rng([seed, 99])
    known = {point.condition for point in advisor.trials.points}
    cells = [one for one in world.cells if one not in known]
    cells = [cells[k] for k in rng.choice(len(cells), _HELD_OUT, replace=False)]
    seen = [advisor.observables.observation(world.measure(one, seed + 1000)) for one in cells]
    values, sigmas = (np.array([getattr(one, name) for one in seen]) for name in ("values", "sigmas"))
    draws = advisor.outlook.elsewhere(cells, 1000, rng).quantities
    draws = draws + np.nan_to_num(sigmas) * rng.standard_normal(draws.shape)
    low, high = np.percentile(draws, [2.5, 97.5], axis=0)
    looked = np.isfinite(values)
    return {"covered": int(np.sum((low <= values) & (values <= high) & looked)), "looked": int(looked.sum())}


def _used(spent: Cost) -> dict[str, float]:
    return {"hours": spent.seconds / 3600, "ml": spent.microlitres / 1000}
