import math

import pytest

from msc_plans.condition import Condition


def test_values_become_floats_and_sort():
    condition = Condition(280, 270, 14)
    assert condition.as_dict() == {
        "nucleation_temperature": 280.0,
        "growth_temperature": 270.0,
        "residence_time": 14.0,
    }
    assert Condition(270, 350, 1) < condition
    assert str(condition) == "280 °C → 270 °C, 14 s"


@pytest.mark.parametrize("bad", [math.nan, math.inf, "280", None, True])
def test_what_is_no_finite_number_is_named(bad):
    with pytest.raises(ValueError, match="nucleation_temperature must be a finite number, not"):
        Condition(bad, 280, 14)


@pytest.mark.parametrize("time", [0, -3.5])
def test_a_time_must_be_positive(time):
    with pytest.raises(ValueError, match=rf"residence_time must be above 0 s, not {time:g} s"):
        Condition(280, 280, time)


def test_from_mapping_names_what_is_missing():
    more = {"_id": "a", "nucleation_temperature": 280, "growth_temperature": 280, "residence_time": 14}
    assert Condition.from_mapping(more) == Condition(280, 280, 14)
    with pytest.raises(ValueError, match="a condition needs growth_temperature, residence_time"):
        Condition.from_mapping({"nucleation_temperature": 280})
