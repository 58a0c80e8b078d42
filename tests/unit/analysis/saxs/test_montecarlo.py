"""The Monte Carlo method against what its equations say, summed here sphere by sphere."""

import numpy as np
import pytest

from msc_plans.analysis.saxs.montecarlo import monte_carlo

Q = np.geomspace(0.3, 5.0, 100)


def spheres(radius_nm):
    x = np.outer(Q, radius_nm)
    return 4 / 3 * np.pi * np.asarray(radius_nm) ** 3 * (3 * (np.sin(x) - x * np.cos(x)) / x**3) ** 2


@pytest.fixture(scope="module")
def curve():
    radius = 1.5 * (1 + 0.1 * np.linspace(-4, 4, 201))
    share = np.exp(-0.5 * ((radius / 1.5 - 1) / 0.1) ** 2)
    clean = 0.1 * spheres(radius) @ share / share.sum() + 0.02
    noise = np.random.default_rng(3).normal(size=len(Q))
    return Q, clean * (1 + 0.01 * noise / np.sqrt(np.mean(noise**2))), 0.01 * clean


@pytest.fixture(scope="module")
def found(curve):
    return monte_carlo(*curve, radius_limits_nm=(0.5, 3.0), contributions=200, repetitions=8)


def test_chi2_scale_and_background_are_those_of_the_spheres(curve, found):
    q, intensity, sigma = curve
    for radius, chi2, scale, background in zip(
        found.radius_nm, found.chi2_reduced, found.scale, found.background, strict=True
    ):
        model = spheres(radius).mean(axis=1)
        design = np.column_stack([model, np.ones_like(q)]) / sigma[:, None]
        best, *_ = np.linalg.lstsq(design, intensity / sigma)
        assert scale == pytest.approx(best[0], rel=1e-4)
        assert background == pytest.approx(best[1], rel=1e-3)
        misfit = np.mean((intensity / sigma - design @ best) ** 2)
        assert chi2 == pytest.approx(misfit, rel=1e-3)


def test_it_stops_at_the_stopping_value(found):
    assert np.all(found.converged)
    assert np.all(found.chi2_reduced <= 1.0)
    assert np.all(found.chi2_reduced > 0.9)
    assert np.all(found.steps < 100_000)


def test_the_distribution_lies_around_the_truth(found):
    assert found.radius_nm.shape == (8, 200)
    assert found.radius_nm.mean() == pytest.approx(1.5, rel=0.02)
    density, spread = found.histogram(np.linspace(0.4, 3.1, 28))
    assert density.sum() * 0.1 == pytest.approx(1.0)
    assert np.all(spread >= 0)
    assert 1.35 < np.linspace(0.45, 3.05, 27)[np.argmax(density)] < 1.65


def test_a_lower_stop_narrows_the_distribution(curve, found):
    finer = monte_carlo(*curve, radius_limits_nm=(0.5, 3.0), contributions=200, repetitions=8, stop=0.985)
    widths = [m.radius_nm.std(axis=1).mean() / 1.5 for m in (found, finer)]
    assert 0.09 < widths[1] < widths[0]


def test_repetitions_differ_and_seeds_repeat(curve, found):
    again = monte_carlo(*curve, radius_limits_nm=(0.5, 3.0), contributions=200, repetitions=8)
    np.testing.assert_array_equal(again.radius_nm, found.radius_nm)
    assert len({tuple(np.sort(one)) for one in found.radius_nm}) == 8
    other = monte_carlo(*curve, radius_limits_nm=(0.5, 3.0), contributions=200, repetitions=8, seed=1)
    assert not np.array_equal(other.radius_nm, found.radius_nm)


def test_what_cannot_be_reached_ends_unconverged(curve):
    stuck = monte_carlo(*curve, radius_limits_nm=(0.5, 3.0), repetitions=2, stop=0.01, most_steps=500)
    assert not stuck.converged.any()
    assert np.all(stuck.steps == 500)


def test_limits_without_a_word_come_from_q(curve):
    radius = monte_carlo(*curve, repetitions=1, most_steps=1).radius_nm
    assert np.pi / 5.0 <= radius.min()
    assert radius.max() <= np.pi / 0.3 * 1.001
    # Uniform in radius before the first step is taken.
    assert radius.mean() == pytest.approx(0.5 * (np.pi / 5.0 + np.pi / 0.3), rel=0.1)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"radius_limits_nm": (2.0, 1.0)}, "radius_limits_nm"),
        ({"contributions": 0}, "contributions"),
        ({"repetitions": 0}, "repetitions"),
    ],
)
def test_settings_out_of_range(curve, change, words):
    with pytest.raises(ValueError, match=words):
        monte_carlo(*curve, **change)
