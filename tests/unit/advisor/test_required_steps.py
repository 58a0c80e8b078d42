"""Mechanisms told apart by the steps that do something."""

import numpy as np
import pytest

from msc_plans.advisor import Advisor, DiscriminateGoal
from msc_plans.advisor.required_steps import needed_steps, steps_in_question
from msc_plans.condition import Condition
from msc_plans.kinetics.inference import Posterior
from msc_plans.kinetics.mechanism_file import mechanisms

DIRECT = mechanisms()["direct"]
WHERE = [Condition(float(t), float(t), 14.0) for t in (300, 340)]
NAMES = ("465 to NC", "Nucl to NC")


@pytest.fixture
def posterior():
    """The prior's mean in all particles, with the direct step off in one half."""
    found = Posterior(DIRECT, particles=50)
    found.z[:] = 0.0
    step = list(DIRECT.constants).index("Nucl to NC")
    found.z[:25, step] = -20.0
    found.z[25:, step] = 2.0
    return found


def needed(posterior, error):
    predicted = posterior.predict(WHERE)
    errors = np.full((50, predicted.shape[2]), error)
    return needed_steps(posterior, np.arange(50), NAMES, WHERE, predicted, errors)


def test_steps_in_question_are_those_that_not_all_mechanisms_have():
    assert steps_in_question(mechanisms().values()) == (
        "465 to NC", "403 to NC", "382 to 437", "Nucl to NC", "M to NC",
    )  # fmt: skip
    assert steps_in_question([DIRECT, DIRECT]) == ()


def test_a_step_that_does_nothing_is_not_needed(posterior):
    found = needed(posterior, 0.2)
    assert found[:25].tolist() == [[True, False]] * 25
    assert found[25:, 1].all()


def test_where_anything_may_be_wrong_no_step_is_needed(posterior):
    assert not needed(posterior, 1e3).any()


def test_without_no_step_is_what_is_predicted(posterior):
    chosen = np.array([3, 40])
    off = np.zeros((2, len(DIRECT.constants)), dtype=bool)
    assert posterior.without(off, chosen, WHERE) == pytest.approx(posterior.predict(WHERE)[chosen])


def test_the_goal_tells_steps_apart_or_mechanisms_where_there_are_none():
    built_in = mechanisms()
    pair = {name: built_in[name] for name in ("sequential", "direct")}
    one = Advisor(DiscriminateGoal(), mechanisms=pair, particles=50)
    one.suggest()
    assert sum(one.rivals.values()) == pytest.approx(1)
    assert set(one.rivals) <= {"465 to NC", "Nucl to NC", "465 to NC + Nucl to NC", "none of them"}
    assert "to tell" in one.explain("trial-0001").reason
    same = Advisor(DiscriminateGoal(), mechanisms={"a": built_in["direct"], "b": built_in["direct"]}, particles=50)
    assert set(same.rivals) == {"a", "b"}
