"""The advisor on worlds of its own equations: this proves the algebra, not the chemistry."""

import json
import math
from functools import cache

import numpy as np
import pytest

from msc_plans.advisor import Advisor, Budget, CostModel, DiscriminateGoal, LearnGoal, MaximiseGoal, SearchSpace
from msc_plans.condition import Condition
from msc_plans.kinetics.inference import Posterior
from msc_plans.kinetics.mechanism_file import mechanisms
from msc_plans.kinetics.observation import Observables, heights_of
from msc_plans.kinetics.synthetic import outcome_record

OBSERVABLES = Observables()
SPACE = SearchSpace.equal_ovens()
KEY = "CdSe-437_ratio"
MECHANISMS = {name: mechanisms()[name] for name in ("sequential", "dead_end")}
TRUE = MECHANISMS["sequential"]


@cache
def world():
    """Return a draw of the prior in which CdSe-437 has a window inside the range."""
    prior = Posterior(TRUE, particles=2000, seed=77)
    predicted = prior.predict(SPACE.candidates())
    inside = OBSERVABLES.ratio(heights_of(predicted), "CdSe-437") >= 0.085
    heights = heights_of(predicted)[..., OBSERVABLES.index("CdSe-437")]
    for row, cells, height in zip(prior.parameters, inside, heights, strict=True):
        # A window inside the range, with bands that stand out of the noise of 0.001.
        if 3 <= cells.sum() <= 6 and not cells[:2].any() and not cells[-2:].any() and height[cells].min() > 0.01:
            return row
    raise AssertionError("no window among the draws")


def outcome(condition):
    number = SPACE.candidates().index(condition)
    return outcome_record(TRUE, world(), condition, np.random.default_rng(number), relative_noise=0.03)


def point_at(suggestion):
    condition = Condition.from_mapping(suggestion)
    return {**suggestion, **outcome_record(TRUE, world(), condition, np.random.default_rng(1))}


def particles(one):
    return {name: posterior.z.tolist() for name, posterior in one.belief.posteriors.items()}


def point(suggestion):
    return {**suggestion, **outcome(Condition.from_mapping(suggestion))}


def advisor(**settings):
    return Advisor(**{"particles": 80, "seed": 1, "mechanisms": MECHANISMS, **settings})


@cache
def finished():
    """Return an advisor whose campaign ran to its stop, with the conditions in order."""
    one = advisor(particles=200)
    order = []
    for _ in range(12):
        suggestion = one.suggest()[0]
        order.append(Condition.from_mapping(suggestion))
        one.ingest([point(suggestion)])
        if one.should_stop()[0]:
            break
    return one, order


def test_a_suggestion_holds_exactly_the_condition_and_its_id():
    (suggestion,) = advisor().suggest()
    assert set(suggestion) == {"_id", "nucleation_temperature", "growth_temperature", "residence_time"}
    assert 260 <= suggestion["growth_temperature"] <= 320


def test_the_map_is_right_with_fewer_conditions_than_the_grid():
    one, order = finished()
    truth = [outcome(cell)[KEY] >= 0.085 for cell in SPACE.candidates()]
    assert [cell.probability >= 0.5 for cell in one.cells()] == truth
    assert one.should_stop() == (True, "every cell is decided")
    assert len(order) < len(truth)


def test_no_condition_is_suggested_twice():
    _, order = finished()
    assert len(set(order)) == len(order)


def test_the_reason_is_a_sentence_with_numbers():
    one, order = finished()
    first = one.explain("trial-0001")
    assert first.condition == order[0]
    assert first.reason.startswith("nothing is measured yet")
    last = one.explain(f"trial-{len(order):04d}")
    assert "CdSe-437" in last.reason
    assert " mL" in last.reason
    assert last.ratio.low <= last.ratio.median <= last.ratio.high
    assert 0 <= last.probability <= 1
    assert last.runner_up not in (None, last.condition)
    assert last.cost.microlitres > 1000
    assert all(isinstance(value, (int, float, str)) for value in last.as_document().values())
    with pytest.raises(ValueError, match="'trial-9999' was never suggested"):
        one.explain("trial-9999")


def test_measured_conditions_dominate_the_prediction_there():
    one, order = finished()
    prediction = one.predict(order)
    found = [outcome(condition)[KEY] for condition in order]
    assert (prediction.ratio_low <= np.array(found) + 0.005).all()
    assert (prediction.ratio_high >= found).all()
    before = advisor().predict(order)
    narrower = (prediction.ratio_high - prediction.ratio_low) / (before.ratio_high - before.ratio_low)
    assert np.median(narrower) < 0.3
    assert one.get_best_points()[0][2][KEY] == max(found)


def test_a_plane_is_predicted_everywhere():
    one, _ = finished()
    plane = [Condition(t, t, s) for t in np.linspace(240, 350, 12) for s in np.geomspace(1.5, 14, 12)]
    prediction = one.predict(plane)
    for name in ("height", "ratio", "probability", "nc_wavelength_nm", "nc_height"):
        assert getattr(prediction, name).shape == (144,)
        assert np.isfinite(getattr(prediction, name)).all()


def test_failed_and_pending_conditions_are_passed_over():
    one = advisor()
    first, second, third = one.suggest(3)
    conditions = {Condition.from_mapping(s) for s in (first, second, third)}
    assert len(conditions) == 3
    one.register_failures([first])
    rest = [Condition.from_mapping(one.suggest()[0]) for _ in range(9)]
    assert not conditions & set(rest)
    assert len(set(rest)) == 9
    with pytest.raises(ValueError, match="a failed suggestion needs its '_id'"):
        one.register_failures([{"residence_time": 3.0}])


def test_everything_measured_leads_to_a_repeat_rather_than_to_nothing():
    small = SearchSpace([270.0, 290.0], [14.0])
    one = advisor(space=small)
    one.ingest([{**c.as_dict(), **outcome(c)} for c in small.candidates()])
    again = one.suggest(5)
    assert {Condition.from_mapping(s) for s in again} == set(small.candidates())


def test_bad_points_are_refused_by_name_and_nothing_is_taken():
    one = advisor()
    (suggestion,) = one.suggest()
    good = point(suggestion)
    bad = {key: value for key, value in good.items() if key != "nc_height"}
    with pytest.raises(ValueError, match="the point lacks the outcome nc_height"):
        one.ingest([good, {**bad, "_id": "other"}])
    assert one.trials.measured_count == 0
    with pytest.raises(ValueError, match="a condition needs residence_time"):
        one.ingest([{key: value for key, value in good.items() if key not in ("residence_time", "_id")}])
    with pytest.raises(ValueError, match="num_points must be a positive integer, not 0"):
        one.suggest(0)


def test_points_may_come_from_outside_without_condition_or_twice():
    one = advisor()
    (suggestion,) = one.suggest()
    only_id = {key: value for key, value in point(suggestion).items() if "temperature" not in key}
    del only_id["residence_time"]
    one.ingest([only_id])
    one.ingest([only_id])
    assert one.trials.measured_count == 1
    outside = Condition(330, 330, 14)
    one.ingest([{**outside.as_dict(), **outcome(outside)}])
    assert one.trials.measured_count == 2
    assert one.trials.was_measured(outside)


def test_a_budget_stops_the_campaign():
    one = advisor(budget=Budget(conditions=1))
    assert one.should_stop() == (False, None)
    one.ingest([point(one.suggest()[0])])
    assert one.should_stop() == (True, "the budget of 1 conditions is used up")


def test_nothing_is_suggested_that_the_syringes_do_not_hold():
    prices = {c: CostModel().cost(None, c).microlitres for c in SPACE.candidates()}
    cheapest = min(prices.values())
    one = advisor(budget=Budget(microlitres=1.01 * cheapest))
    (suggestion,) = one.suggest(3)
    assert prices[Condition.from_mapping(suggestion)] == pytest.approx(cheapest, rel=0.01)
    one.ingest([point(suggestion)])
    assert one.suggest() == []
    assert one.should_stop() == (True, "what is left of the budget pays for no condition")


def test_the_same_seed_gives_the_same_suggestions():
    def order(seed):
        one = advisor(seed=seed)
        found = []
        for _ in range(2):
            suggestion = one.suggest()[0]
            found.append((suggestion, one.explain(suggestion["_id"])))
            one.ingest([point(suggestion)])
        return found

    assert order(1) == order(1)
    assert order(1) != order(2)


def test_a_loaded_checkpoint_goes_on_as_the_original(tmp_path):
    path = tmp_path / "state" / "advisor.json"
    one = advisor(checkpoint_path=path)
    first, second, third = one.suggest(3)
    one.ingest([point(first) | {"nc_wavelength_nm": math.nan, "nc_wavelength_nm_sigma": math.nan}])
    one.register_failures([second])
    one.checkpoint()
    assert json.loads(path.read_text())["schema_version"] == 2
    assert [p.name for p in path.parent.iterdir()] == ["advisor.json"]
    other = Advisor.load(path)
    assert particles(other) == particles(one)
    assert other.explain(first["_id"]) == one.explain(first["_id"])
    assert other.suggest() == one.suggest()
    for each in (one, other):
        each.ingest([point(third)])
    assert particles(other) == particles(one)
    assert other.should_stop() == one.should_stop()


def test_bad_checkpoints_are_refused(tmp_path):
    with pytest.raises(ValueError, match="no checkpoint_path was given"):
        advisor().checkpoint()
    path = tmp_path / "advisor.json"
    path.write_text('{"schema_version": 99}')
    with pytest.raises(ValueError, match="schema version 99; this advisor reads 1 to 2"):
        Advisor.load(path)
    path.write_text("{")
    with pytest.raises(ValueError, match="isn't an advisor checkpoint"):
        Advisor.load(path)
    path.write_text('{"schema_version": 2, "posteriors": {"mine": {}}}')
    with pytest.raises(ValueError, match="of the mechanisms mine, which are not known: hand them to load"):
        Advisor.load(path)
    path.write_text('{"schema_version": 2}')
    with pytest.raises(ValueError, match="isn't a complete advisor checkpoint: KeyError"):
        Advisor.load(path)


def test_a_checkpoint_of_an_older_version_is_learnt_again(tmp_path):
    path = tmp_path / "advisor.json"
    one = advisor(checkpoint_path=path)
    one.ingest([point(one.suggest()[0])])
    one.checkpoint()
    state = json.loads(path.read_text())
    for key in ("posteriors", "checks"):
        del state[key]
    path.write_text(json.dumps({**state, "schema_version": 1, "particles": [[0.0] * 32] * 400}))
    other = Advisor.load(path, MECHANISMS)
    assert other.trials.points == one.trials.points
    assert other.belief.conditions == one.belief.conditions
    assert set(other.mechanism_probabilities) == set(MECHANISMS)


@pytest.mark.parametrize("goal", [DiscriminateGoal(), LearnGoal()])
def test_mechanisms_and_rate_constants_are_asked_for_in_bits(goal):
    one = advisor(goal=goal, space=SearchSpace([260.0, 300.0, 340.0], [3.0, 14.0]))
    first, second = one.suggest(2)
    assert Condition.from_mapping(first) != Condition.from_mapping(second)
    assert " bit; about" in one.explain(first["_id"]).reason
    one.ingest([point_at(first)])
    assert sum(one.mechanism_probabilities.values()) == pytest.approx(1.0)
    assert one.should_stop()[0] is False


def test_maximise_finds_a_good_condition():
    one = advisor(goal=MaximiseGoal("CdSe-437"))
    for _ in range(5):
        suggestion = one.suggest()[0]
        one.ingest([point(suggestion)])
        if one.should_stop()[0]:
            break
    best = one.get_best_points()[0][2]["CdSe-437_height"]
    assert best >= 0.8 * max(outcome(cell)["CdSe-437_height"] for cell in SPACE.candidates())
