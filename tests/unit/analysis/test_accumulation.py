import math

import pytest

from msc_plans.analysis.accumulation import accumulated_probability, verdict


@pytest.mark.parametrize(
    ("ratio", "sigma", "expected"),
    [
        (0.14, 0.01, "accumulated"),
        (0.09, 0.01, "undecided"),
        (0.07, 0.001, "undecided"),
        (0.05, 0.001, "absent"),
        (0.0, 0.01, "absent"),
        (0.04, 0.1, "undecided"),
        (0.2, math.inf, "undecided"),
    ],
)
def test_verdicts_follow_the_papers_two_bounds(ratio, sigma, expected):
    assert verdict(ratio, sigma) == expected


def test_what_is_hardly_there_is_absent_whatever_its_sigma_and_never_accumulated():
    assert verdict(0.02, 0.05) == "undecided"
    assert verdict(0.02, 0.05, there=0.04) == "absent"
    assert verdict(0.3, 0.01, there=0.9) == "undecided"
    assert accumulated_probability(0.085, 0.01, there=0.4) == pytest.approx(0.2)


def test_probability_is_that_of_a_normal_error():
    assert accumulated_probability(0.085, 0.01) == pytest.approx(0.5)
    assert accumulated_probability(0.085 + 1.6448536 * 0.01, 0.01) == pytest.approx(0.95)
