"""The Gaussian process beside the model, against its closed forms."""

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from msc_plans.condition import Condition
from msc_plans.kinetics.discrepancy import REACHES, Discrepancy, amplitudes_of, distance_kernel
from msc_plans.kinetics.observation import Observables, Observation

QUANTITIES = Observables().names
NUMBER = QUANTITIES.index("CdSe-437")
SIGMA = 0.02


def equal(temperature, time=14.0):
    return Condition(temperature, temperature, time)


def seen(*values):
    rows = []
    for value in values:
        row = np.full(len(QUANTITIES), np.nan)
        row[NUMBER] = value
        rows.append(Observation(row, np.full(len(QUANTITIES), SIGMA), 1.0))
    return tuple(rows)


def predictions(*columns):
    found = np.zeros((len(columns[0]), len(columns), len(QUANTITIES)))
    found[..., NUMBER] = np.array(columns).T
    return found


def test_the_likelihood_is_that_of_correlated_normal_errors():
    where = (equal(280), equal(300), equal(310))
    values = np.array([-3.0, -2.0, -2.5])
    model = predictions([-2.8, -2.5], [-2.2, -2.5], [-2.4, -2.4])
    found = Discrepancy(where, seen(*values), QUANTITIES).log_likelihood(model)
    for miss, total in zip(values - model[..., NUMBER], found, strict=True):
        terms = [
            share / len(REACHES) * multivariate_normal.pdf(
                miss, cov=size**2 * distance_kernel(where, where, reach) + SIGMA**2 * np.eye(3)
            )
            for reach in range(len(REACHES))
            for share, size in zip((0.4, 0.4, 0.2), amplitudes_of(QUANTITIES)[NUMBER], strict=True)
        ]  # fmt: skip
        # without the powers of 2 π
        assert total == pytest.approx(np.log(sum(terms)) + 1.5 * np.log(2 * np.pi), abs=1e-9)


def test_a_set_without_prediction_is_impossible():
    model = predictions([np.nan, 0.0])
    model[0] = np.nan
    found = Discrepancy((equal(280),), seen(0.0), QUANTITIES).log_likelihood(model)
    assert found[0] == -np.inf
    assert np.isfinite(found[1])


def test_measured_conditions_dominate_and_far_ones_do_not():
    where, new = (equal(280), equal(300)), [equal(280), equal(300), equal(290), Condition(450, 450, 14)]
    rng = np.random.default_rng(0)
    model = rng.normal(5.0, 0.5, 4000)
    of = Discrepancy(where, seen(4.0, 3.0), QUANTITIES)
    at_seen, at_new = predictions(model, model), predictions(*([model] * 4))
    draws = of.corrected(at_seen, at_new, new, rng, [NUMBER])[..., NUMBER]
    mean, variance = of.expected(at_seen, at_new, new)
    assert draws.mean(axis=0)[:2] == pytest.approx([4.0, 3.0], abs=0.02)
    assert draws.std(axis=0)[:2] == pytest.approx([SIGMA, SIGMA], rel=0.1)
    assert 3.0 < draws.mean(axis=0)[2] < 4.2
    assert draws.mean(axis=0)[3] == pytest.approx(5.0, abs=0.1)
    assert draws.std(axis=0)[2] < 0.6 < draws.std(axis=0)[3]
    # the draws have the moments that are given in closed form
    assert mean[..., NUMBER].mean(axis=0) == pytest.approx(draws.mean(axis=0), abs=0.06)
    total = np.sqrt(variance[..., NUMBER].mean(axis=0) + mean[..., NUMBER].var(axis=0))
    assert total == pytest.approx(draws.std(axis=0), rel=0.08)


def test_a_model_that_is_far_off_is_given_a_large_error():
    where = tuple(equal(t) for t in (260, 280, 300, 320))
    close, far = (
        Discrepancy(where, seen(*values), QUANTITIES)
        .level_shares(predictions(*([[0.0]] * 4)))[0, NUMBER]
        .reshape(2, 3)
        .sum(axis=0)
        for values in ((0.05, -0.05, 0.02, 0.0), (1.5, -1.5, 1.0, -1.2))
    )
    assert np.argmax(close) == 0
    assert np.argmax(far) == 2
    assert far[2] > 0.99


def test_without_measurements_only_doubt_is_added():
    rng = np.random.default_rng(0)
    nothing = np.zeros((4000, 0, len(QUANTITIES)))
    new = [equal(280), equal(281)]
    draws = Discrepancy((), (), QUANTITIES).corrected(nothing, predictions(*([np.zeros(4000)] * 2)), new, rng)[
        ..., NUMBER
    ]
    expected = np.sqrt(1.09 * np.array([0.4, 0.4, 0.2]) @ amplitudes_of(QUANTITIES)[NUMBER] ** 2)
    assert draws.std(axis=0) == pytest.approx([expected, expected], rel=0.1)
    assert np.corrcoef(draws.T)[0, 1] > 0.85
