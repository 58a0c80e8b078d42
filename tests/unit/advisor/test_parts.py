import numpy as np
import pytest

from msc_plans.advisor import Budget, Cost, CostModel, MapGoal, MaximiseGoal, SearchSpace, make_goal
from msc_plans.advisor.acquisition import (
    class_entropy,
    expected_improvement,
    map_information,
    mechanism_information,
    precision,
)
from msc_plans.advisor.edges import edges_of
from msc_plans.advisor.goals import DiscriminateGoal, LearnGoal, goal_of
from msc_plans.condition import Condition


def equal(temperature, time=14.0):
    return Condition(temperature, temperature, time)


class TestSearchSpace:
    def test_the_default_is_the_demo(self):
        found = SearchSpace.equal_ovens().candidates()
        assert [one.growth_temperature for one in found] == list(range(240, 351, 10))
        assert all(one.nucleation_temperature == one.growth_temperature for one in found)

    def test_the_pumps_limit_the_residence_time(self):
        space = SearchSpace([280], [1.5, 3, 14, 60], flow_limits=(3000, 20580), reactor_volume_ul=1029)
        assert [one.residence_time for one in space.candidates()] == [3, 14]
        with pytest.raises(ValueError, match="flow_limits must be"):
            SearchSpace([280], [14], flow_limits=(5, 2))
        with pytest.raises(ValueError, match="reactor_volume_ul must be above 0"):
            SearchSpace([280], [14], reactor_volume_ul=0)

    def test_limits_and_forbidden_regions_are_kept(self):
        space = SearchSpace(
            [260, 280, 300],
            [4.5, 14],
            growth_offsets=[0, -50],
            limits={"growth_temperature": (220, 290)},
            forbidden=[{"nucleation_temperature": (270, 290), "residence_time": (10, 20)}],
        )
        found = space.candidates()
        assert Condition(280, 280, 4.5) in found
        assert Condition(280, 230, 14) not in found
        assert Condition(300, 300, 14) not in found
        assert Condition(260, 210, 14) not in found
        assert Condition(300, 250, 14) in found
        assert not space.allows(equal(275))

    def test_nonsense_is_refused(self):
        with pytest.raises(ValueError, match="a region names 'temperature'"):
            SearchSpace([280], [14], limits={"temperature": (0, 1)})
        with pytest.raises(ValueError, match="no condition is left"):
            SearchSpace([280], [14], limits={"growth_temperature": (0, 1)})
        with pytest.raises(ValueError, match="not both"):
            SearchSpace([280], [14], growth_offsets=[0], growth_temperatures=[280])
        with pytest.raises(ValueError, match="must be \\(low, high\\)"):
            SearchSpace([280], [14], limits={"growth_temperature": (3, 1)})


class TestGoals:
    def test_a_goal_is_made_by_name(self):
        assert make_goal("map", threshold=0.1) == MapGoal(threshold=0.1)
        assert make_goal("maximise", family="CdSe-465") == MaximiseGoal("CdSe-465")

    def test_a_family_is_for_the_goals_that_are_about_one(self):
        assert goal_of("map", "CdSe-465") == MapGoal("CdSe-465")
        assert goal_of("discriminate", "CdSe-465") == DiscriminateGoal()
        assert goal_of("learn", "CdSe-437") == LearnGoal()
        with pytest.raises(ValueError, match="unknown family 'CdSe-500'"):
            goal_of("learn", "CdSe-500")
        with pytest.raises(ValueError, match="unknown goal 'win'"):
            goal_of("win", "CdSe-437")

    def test_unknown_names_are_refused_with_the_valid_ones(self):
        with pytest.raises(ValueError, match="unknown goal 'win'; goals are map, maximise, discriminate, learn"):
            make_goal("win")
        with pytest.raises(ValueError, match="unknown family 'CdSe-500'; families are CdSe-382, CdSe-403"):
            make_goal("map", family="CdSe-500")
        with pytest.raises(ValueError, match="goal 'map' has no setting colour; it has family"):
            make_goal("map", colour="red")

    def test_a_map_without_cells_is_refused(self):
        with pytest.raises(ValueError, match="no candidate has a residence time of 5 s; they have 14 s"):
            MapGoal(residence_time=5.0).targets(SearchSpace.equal_ovens().candidates())
        with pytest.raises(ValueError, match=r"residence_time must be above 0 s, or None for all, not 0\.0"):
            MapGoal(residence_time=0.0)


class TestCost:
    def test_travel_dwell_flushing_and_acquisition_add_up(self):
        model = CostModel(reactor_volume_ul=1000, flush_volumes=3, acquisition_seconds=14)
        up = model.cost(equal(280), equal(300))
        assert up.seconds == pytest.approx(60 * 20 / 40 + 60 + 42 + 14)
        assert up.microlitres == pytest.approx(4000)
        assert model.cost(equal(300), equal(280)).seconds == pytest.approx(60 * 20 / 30 + 60 + 42 + 14)
        assert model.cost(equal(280), Condition(280, 250, 14)).seconds == pytest.approx(60 + 60 + 42 + 14)
        assert str(Cost(360, 3100)) == "about 6 min and 3.1 mL"
        with pytest.raises(ValueError, match="heating_k_min must be above 0, not 0"):
            CostModel(heating_k_min=0)

    def test_a_budget_says_what_is_used_up(self):
        assert Budget(conditions=3).exceeded(2, Cost(1e9, 1e9)) is None
        assert Budget(conditions=3).exceeded(3, Cost(0, 0)) == "the budget of 3 conditions is used up"
        assert Budget(microlitres=10).affords(Cost(1e9, 10.0))
        assert not Budget(seconds=5).affords(Cost(5.1, 0.0))
        assert Budget(microlitres=10).exceeded(3, Cost(0, 11)) == "the budget of 10 µL is used up"


class TestAcquisition:
    def test_the_outcome_that_decides_most_cells_tells_most(self):
        rng = np.random.default_rng(0)
        edge = rng.uniform(0, 4, 2000)
        cells = edge[:, None] > np.arange(5)[None]
        outcomes = edge[:, None] - np.array([-9.0, 2.0]) + np.array([100.0, 0.0]) * rng.standard_normal((2000, 1))
        noise, signal = map_information(outcomes, cells, ~cells, np.zeros(2000, dtype=int))
        assert signal > 1.5
        assert noise < 0.1

    def test_what_is_known_anyway_is_not_counted(self):
        rng = np.random.default_rng(0)
        value = rng.standard_normal(2000)
        cells = (value > 0)[:, None]
        groups = (value > 0).astype(int)
        nothing = np.zeros(2000, dtype=int)
        assert map_information(value[:, None], cells, ~cells, nothing)[0] == pytest.approx(1.0, abs=0.1)
        assert map_information(value[:, None], cells, ~cells, groups)[0] == pytest.approx(0.0, abs=1e-9)

    def test_what_is_in_neither_class_is_no_question(self):
        value = np.random.default_rng(0).standard_normal(2000)[:, None]
        nothing = np.zeros(2000, dtype=int)
        assert map_information(value, value > 9, value < 0, nothing)[0] == pytest.approx(0.0, abs=1e-3)
        # quarters in either class, half in neither: half a bit, which the outcome tells whole
        assert class_entropy(np.array([0.25]), np.array([0.25])) == pytest.approx([0.5])
        told = map_information(value, value > 0.6745, value < -0.6745, nothing, bins=4)[0]
        assert told == pytest.approx(0.5, abs=0.05)

    def test_improvement_counts_what_lies_above_the_best(self):
        draws = np.array([[0.0, 2.0], [4.0, 2.0]])
        assert expected_improvement(draws, 1.0) == pytest.approx([1.5, 1.0])

    def test_an_outcome_that_settles_the_mechanism_tells_one_bit(self):
        rng = np.random.default_rng(0)
        mechanism = np.repeat([0, 3], 500)
        expected = np.zeros((1000, 3, 2))
        expected[500:, 1, 0], expected[500:, 2, 0] = 2.0, 30.0
        bits = mechanism_information(mechanism, expected, np.ones_like(expected), rng)
        # nothing; two unit normals 2 apart (by quadrature: 0.486 bit); all
        assert bits == pytest.approx([0.0, 0.486, 1.0], abs=0.05)
        assert mechanism_information(mechanism[:500], expected[:500], np.ones((500, 3, 2)), rng).tolist() == [0, 0, 0]

    def test_precision_is_that_of_a_linear_measurement(self):
        rng = np.random.default_rng(0)
        theta = rng.standard_normal((4000, 1))
        expected = np.stack([np.hstack([0 * theta, theta]), np.hstack([3 * theta, 0 * theta])], axis=1)
        bits = precision(expected, np.ones_like(expected))
        assert bits == pytest.approx([0.5 * np.log2(2), 0.5 * np.log2(10)], rel=0.03)


def test_edges_are_found_within_rows():
    chances = {equal(t): p for t, p in ((240, 0.0), (260, 0.9), (280, 0.8), (300, 0.1))}
    chances[equal(270, 4.5)] = 0.0
    assert edges_of(chances) == [(equal(240), equal(260)), (equal(280), equal(300))]
