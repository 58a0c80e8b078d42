"""The advisor in bluesky_adaptive's own loop."""

import numpy as np
import pytest
from bluesky import RunEngine
from bluesky_adaptive.plans import optimize
from bluesky_adaptive.protocols import (
    Checkpointable,
    OptimizationProblem,
    Optimizer,
    SupportsStoppingCriteria,
    TrialFaultAware,
)
from ophyd.sim import SynAxis

from msc_plans.advisor import Advisor
from msc_plans.condition import Condition
from msc_plans.kinetics.mechanism_file import mechanisms
from msc_plans.kinetics.synthetic import outcome_record

MECHANISMS = {"sequential": mechanisms()["sequential"]}
AXES = ("nucleation_temperature", "growth_temperature", "residence_time")


def advisor(**settings):
    return Advisor(particles=60, mechanisms=MECHANISMS, **settings)


def outcome(condition):
    mechanism = MECHANISMS["sequential"]
    parameters = np.array([*(prior.mean for prior in mechanism.priors), 0.0, 0.0])
    return outcome_record(mechanism, parameters, condition, np.random.default_rng(0))


@pytest.mark.parametrize("protocol", [Optimizer, TrialFaultAware, SupportsStoppingCriteria, Checkpointable])
def test_the_protocols_are_satisfied(protocol):
    assert isinstance(advisor(), protocol)


def problem(one, evaluate):
    return OptimizationProblem(
        optimizer=one, actuators=[SynAxis(name=name) for name in AXES], sensors=[], evaluation_function=evaluate
    )


def evaluate(uid, suggestions):
    return [{"_id": one["_id"], **outcome(Condition.from_mapping(one))} for one in suggestions]


def test_it_runs_in_bluesky_adaptives_loop(tmp_path):
    one = advisor(checkpoint_path=tmp_path / "advisor.json")
    RE = RunEngine({}, call_returns_result=True)
    names = []
    RE.subscribe(lambda name, document: names.append(name))
    RE(optimize(problem(one, evaluate), iterations=2, n_points=2, checkpoint_interval=1))
    assert one.trials.measured_count == 4
    assert (tmp_path / "advisor.json").exists()
    assert "event" in names


def test_a_trial_that_fails_there_is_registered():
    def broken(uid, suggestions):
        raise RuntimeError("no light")

    one = advisor()
    with pytest.raises(RuntimeError, match="no light"):
        RunEngine({})(optimize(problem(one, broken), iterations=1))
    failed = one.trials.failed["trial-0001"]
    assert Condition.from_mapping(one.suggest()[0]) != failed
