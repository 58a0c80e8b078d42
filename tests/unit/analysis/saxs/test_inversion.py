"""Distributions that are not one or two peaks, and errors found from the scatter of points."""

import numpy as np
import pytest

from msc_plans.analysis.saxs.analyse import analyse
from msc_plans.analysis.saxs.inversion import invert
from msc_plans.analysis.saxs.noise import prepare, variance_model
from msc_plans.analysis.saxs.populations import Basis, weigh
from msc_plans.families import built_in_families

Q = np.linspace(0.05, 5.0, 250)
CONTRAST_INV_CM2 = built_in_families().material.contrast_inv_cm2


def spheres(radius_nm):
    x = np.outer(Q, radius_nm)
    return 4 / 3 * np.pi * radius_nm**3 * (3 * (np.sin(x) - x * np.cos(x)) / x**3) ** 2


def curve(radius, share, noise, seed=1):
    share = share / share.sum()
    clean = 1e-3 * CONTRAST_INV_CM2**2 * 1e-21 * (spheres(radius) @ share) + 0.02
    sigma = noise * clean
    mean = share @ radius
    return (Q, clean + sigma * np.random.default_rng(seed).normal(size=len(Q)), sigma), mean


def sizes(*means):
    radius = np.linspace(0.4, 6.0, 3000)
    return radius, sum(np.exp(-0.5 * ((radius / mean - 1) / 0.05) ** 2) / mean for mean in means)


def test_four_sizes_are_four_sizes():
    data, mean = curve(*sizes(0.9, 1.5, 2.4, 4.0), 0.003)
    result = analyse(*data)
    low, high = result.mean_radius_interval_nm
    assert low < mean < high
    assert result.mean_radius_nm == pytest.approx(mean, rel=0.02)
    assert 0.7 < result.chi2_reduced < 1.5
    assert result.volume_fraction == pytest.approx(1e-3, rel=0.03)
    density = np.interp([0.9, 1.2, 1.5, 1.9, 2.4, 3.1, 4.0], result.radius_nm, result.volume_weighted)
    peaks, gaps = density[::2], density[1::2]
    assert np.all(gaps < 0.3 * np.minimum(peaks[:-1], peaks[1:]))


def test_what_a_population_misses_is_inverted():
    data, mean = curve(*sizes(1.5, 2.4), 0.01)
    prepared = prepare(*data)
    basis = Basis.of(prepared.q_inv_nm)
    _, one, two, *_ = weigh(prepared, basis).models
    assert invert(prepared, basis, two, signed=False) is None
    found = invert(prepared, basis, one, signed=False)
    assert found is not None
    assert abs(one.mean_nm / mean - 1) > abs(found.mean_nm / mean - 1)
    assert found.mean_nm == pytest.approx(mean, rel=0.03)
    assert np.all(found.share >= 0)
    assert found.share.sum() == pytest.approx(1.0)
    misfit = np.mean(((prepared.intensity - found.fit) / prepared.sigma) ** 2)
    assert misfit < 3.0 < one.chi2 / len(Q)
    low, valley, high = np.interp([1.5, 1.95, 2.4], found.radius_nm, found.share)
    assert valley < 0.3 * min(low, high)
    np.testing.assert_allclose(found.background, 0.02, rtol=0.1)


@pytest.mark.parametrize("noise", [0.02, 0.005])
def test_a_flat_distribution(noise):
    radius = np.linspace(1.2, 2.8, 1500)
    data, mean = curve(radius, np.ones(1500), noise)
    result = analyse(*data)
    assert result.mean_radius_nm == pytest.approx(mean, rel=0.01)
    assert result.relative_width == pytest.approx(1.6 / np.sqrt(12) / 2.0, abs=0.015)


@pytest.mark.parametrize("noise", [0.005, 0.03])
def test_errors_from_the_scatter(noise):
    radius = np.linspace(1.2, 1.6, 200)
    (q, intensity, sigma), _ = curve(radius, np.ones(200), noise)
    found = prepare(q, intensity)
    assert not found.given
    assert np.median(found.sigma / sigma) == pytest.approx(1.0, abs=0.25)


def test_the_noises_kind_is_told_apart():
    rng = np.random.default_rng(5)
    signal = np.geomspace(1.0, 1e4, 400)
    relative = variance_model(signal, 0.02 * signal * rng.normal(size=400))
    np.testing.assert_allclose(relative, 0.02 * signal, rtol=0.15)
    counting = variance_model(signal, np.sqrt(signal) * rng.normal(size=400))
    assert np.median(counting / np.sqrt(signal)) == pytest.approx(1.0, abs=0.15)


def test_rows_are_sorted_and_unusable_ones_dropped():
    q, intensity, sigma = (np.arange(20.0), np.arange(20.0) + 1.0, np.full(20, 0.1))
    intensity[3], sigma[5], sigma[6] = np.nan, 0.0, np.nan
    found = prepare(q[::-1], intensity[::-1], sigma[::-1])
    np.testing.assert_array_equal(found.q_inv_nm, [1, 2, 4, *range(7, 20)])
    assert found.given
    none = prepare(q, intensity, np.zeros(20))
    assert not none.given
    assert "can't be used" in none.warnings[0]
