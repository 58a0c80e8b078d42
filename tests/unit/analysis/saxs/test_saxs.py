"""Sizes from scattering curves that are summed here sphere by sphere."""

import math
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from msc_plans.analysis.saxs.analyse import analyse, fit_families, two_modes
from msc_plans.families import Family, FamilyTable, built_in_families

Q = np.linspace(0.1, 5.0, 200)
CONTRAST_INV_CM2 = built_in_families().material.contrast_inv_cm2


def spheres(q, radius_nm):
    x = np.outer(q, radius_nm)
    return 4 / 3 * np.pi * np.asarray(radius_nm) ** 3 * (3 * (np.sin(x) - x * np.cos(x)) / x**3) ** 2


def population(q, mean, width, fraction=1e-3):
    """cm⁻¹; Gaussian by volume."""
    radius = mean * (1 + width * np.linspace(-4.5, 4.5, 301))
    share = np.exp(-0.5 * ((radius / mean - 1) / width) ** 2)
    return fraction * CONTRAST_INV_CM2**2 * 1e-21 * (spheres(q, radius) @ share) / share.sum()


def curve(*populations, q=Q, background=0.02, upturn=0.01, power=3.0, noise=0.01, seed=1):
    clean = background + upturn * (q / 0.1) ** -power + sum(population(q, *p) for p in populations)
    sigma = noise * clean
    return q, clean + sigma * np.random.default_rng(seed).normal(size=len(q)), sigma


@pytest.mark.parametrize(("mean", "width"), [(0.94, 0.05), (1.5, 0.1), (2.4, 0.2)])
def test_one_population(mean, width):
    result = analyse(*curve((mean, width)))
    low, high = result.mean_radius_interval_nm
    assert result.mean_radius_nm == pytest.approx(mean, rel=0.01)
    assert low < mean < high
    assert result.relative_width == pytest.approx(width, abs=0.02)
    assert result.volume_fraction == pytest.approx(1e-3, rel=0.05)
    assert abs(result.volume_fraction - 1e-3) < 4 * result.volume_fraction_sigma
    assert 0.7 < result.chi2_reduced < 1.3
    assert result.warnings == ()


def test_two_populations_far_apart():
    result = analyse(*curve((0.94, 0.05, 5e-4), (1.9, 0.1, 5e-4)))
    assert result.mean_radius_nm == pytest.approx(1.42, rel=0.02)
    width = math.sqrt(0.5 * (0.94**2 * (1 + 0.05**2) + 1.9**2 * (1 + 0.1**2)) - 1.42**2) / 1.42
    assert result.relative_width == pytest.approx(width, abs=0.03)
    assert result.verdict == "continuous"
    assert result.families == ()
    density = np.interp([0.94, 1.35, 1.9], result.radius_nm, result.volume_weighted)
    assert density[1] < 0.2 * min(density[0], density[2])


@pytest.mark.parametrize("method", ["inversion", "monte carlo"])
def test_the_distribution_is_a_density_around_the_mean(method):
    result = analyse(*curve((1.5, 0.1)), method=method, radius_limits_nm=(0.5, 4.0))
    radius, density = result.radius_nm, result.volume_weighted
    assert radius.shape == density.shape == result.volume_weighted_sigma.shape
    assert np.all(np.diff(radius) > 0)
    assert np.all(density >= 0)
    step = np.gradient(radius)
    assert density @ step == pytest.approx(1.0, abs=0.03)
    assert (density * radius) @ step == pytest.approx(1.5, rel=0.03)
    assert result.method == method


def test_fit_and_background_add_up():
    result = analyse(*curve((1.2, 0.08)))
    q = result.q_inv_nm
    # Below 0.4 nm⁻¹ the upturn is a hundredth of the particles and less.
    high = q > 0.4
    np.testing.assert_allclose(result.background[high], 0.02 + 0.01 * (q[high] / 0.1) ** -3.0, rtol=0.05)
    np.testing.assert_allclose(result.fit - result.background, population(q, 1.2, 0.08), rtol=0.05, atol=5e-4)


@pytest.mark.parametrize("power", [2.0, 3.0, 4.0])
@pytest.mark.parametrize("seed", range(4))
def test_a_blank_has_no_scatterers(power, seed):
    result = analyse(*curve(upturn=0.1, power=power, noise=0.02, seed=seed))
    assert result.verdict == "no scatterers"
    assert math.isnan(result.mean_radius_nm)
    assert math.isnan(result.relative_width)
    assert result.volume_fraction == 0.0
    assert result.radius_nm.size == 0
    assert result.families == ()
    np.testing.assert_allclose(result.fit, result.background)


def test_weak_scatterers_are_found():
    result = analyse(*curve((0.94, 0.05, 1e-4)))
    assert result.verdict != "no scatterers"
    assert result.mean_radius_nm == pytest.approx(0.94, rel=0.05)


@pytest.mark.parametrize("radius", [0.87, 0.94, 1.02])
def test_a_family_alone_is_quantized(radius):
    result = analyse(*curve((radius, 0.05), noise=0.005))
    assert result.verdict == "quantized"
    held = max(result.families, key=lambda share: share.fraction)
    assert held.radius_nm == radius


@pytest.mark.parametrize(("mean", "width"), [(1.15, 0.05), (0.94, 0.16), (1.8, 0.05), (1.3, 0.2)])
def test_off_the_table_or_broad_is_continuous(mean, width):
    result = analyse(*curve((mean, width), noise=0.005))
    assert result.verdict == "continuous"
    assert result.families == ()


def test_between_two_families_is_not_resolved():
    result = analyse(*curve((0.94, 0.05, 6e-4), (1.02, 0.05, 4e-4)))
    assert result.verdict == "not resolved"


def test_without_a_table_nothing_is_quantized():
    assert analyse(*curve((0.94, 0.05), noise=0.005), families=FamilyTable(())).verdict == "continuous"
    table = FamilyTable((Family("A", 500.0, 3.0, radius_nm=1.5),))
    assert analyse(*curve((1.5, 0.05), noise=0.005), families=table).verdict == "quantized"


def test_order_gaps_and_scale_do_not_matter():
    q, intensity, sigma = curve((1.2, 0.08))
    plain = analyse(q, intensity, sigma)
    shuffled = np.random.default_rng(0).permutation(len(q))
    rows = [np.append(column[shuffled], np.nan) for column in (q, intensity, sigma)]
    other = analyse(rows[0], 1e3 * rows[1], 1e3 * rows[2], absolute=False)
    assert other.mean_radius_nm == pytest.approx(plain.mean_radius_nm, rel=1e-3)
    assert math.isnan(other.volume_fraction)
    assert len(other.q_inv_nm) == len(q)
    assert np.all(np.diff(other.q_inv_nm) > 0)


@pytest.mark.parametrize("factor", [0.3, 3.0, None])
def test_wrong_or_missing_errors_give_the_same_interval(factor):
    q, intensity, sigma = curve((1.2, 0.08))
    right = analyse(q, intensity, sigma)
    wrong = analyse(q, intensity, None if factor is None else factor * sigma)
    assert wrong.mean_radius_nm == pytest.approx(1.2, rel=0.01)
    lengths = [np.diff(r.mean_radius_interval_nm)[0] for r in (right, wrong)]
    assert lengths[1] == pytest.approx(lengths[0], rel=0.4)


def test_errors_that_do_not_follow_the_scatter_are_replaced():
    q, intensity, sigma = curve((1.2, 0.08), noise=0.01)
    result = analyse(q, intensity, np.full(len(q), float(np.median(sigma))))
    assert "errors given don't follow" in result.warnings[0]
    assert result.mean_radius_nm == pytest.approx(1.2, rel=0.01)


def test_an_oversubtracted_background_is_negative():
    q, intensity, sigma = curve((1.2, 0.08), upturn=0.0)
    result = analyse(q, intensity - 0.1, sigma)
    assert (intensity - 0.1).min() < 0
    assert result.mean_radius_nm == pytest.approx(1.2, rel=0.02)
    assert result.background[-1] == pytest.approx(-0.08, rel=0.05)


def test_what_is_not_spheres_is_said():
    q = np.linspace(0.1, 5.0, 200)
    intensity = 0.02 + np.exp(-0.5 * ((q - 1.84) / 0.03) ** 2)
    result = analyse(q, intensity * (1 + 0.01 * np.random.default_rng(2).normal(size=len(q))), 0.01 * intensity)
    assert any("do not describe" in warning for warning in result.warnings)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"intensity": np.ones(3)}, "equal length"),
        ({"sigma": np.ones(3)}, "one value a point"),
        ({"intensity": np.full(200, np.nan)}, "only 0 of 200 rows"),
        ({"intensity": np.ones(200)}, "equal"),
        ({"method": "guess"}, "guess"),
        ({"contrast_inv_cm2": 0.0}, "contrast_inv_cm2"),
        ({"radius_limits_nm": (2.0, 1.0)}, "radius_limits_nm"),
    ],
)
def test_what_cannot_be_analysed_says_why(change, words):
    q, intensity, sigma = curve((1.2, 0.08))
    arguments = {"q_inv_nm": q, "intensity": intensity, "sigma": sigma} | change
    with pytest.raises(ValueError, match=words):
        analyse(**arguments)


def test_threads_do_not_disturb_one_another():
    curves = [curve((mean, 0.08), seed=k) for k, mean in enumerate((0.9, 1.2, 1.6, 2.0))]
    alone = [analyse(*c).mean_radius_nm for c in curves]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda c: analyse(*c).mean_radius_nm, curves * 3))
    assert together == alone * 3


def test_shares_of_held_families():
    share, errors, pulls = 0.7, [], []
    for seed in range(20):
        found = fit_families(
            *curve((0.94, 0.05, 7e-4), (1.02, 0.05, 3e-4), seed=seed), radii_nm=(0.94, 1.02), relative_widths=0.05
        )
        errors.append(found.fractions[0] - share)
        pulls.append(errors[-1] / found.fraction_sigmas[0])
        assert found.fractions.sum() == pytest.approx(1.0)
    assert np.max(np.abs(errors)) < 0.015
    assert 0.4 < np.std(pulls) < 1.6
    assert "0.94 nm" in found.conditional_on
    assert "held" in found.conditional_on


def test_held_families_are_refused_where_they_make_no_sense():
    c = curve((0.94, 0.05))
    with pytest.raises(ValueError, match="radii_nm"):
        fit_families(*c, radii_nm=())
    with pytest.raises(ValueError, match="the same"):
        fit_families(*c, radii_nm=(0.94, 0.94))
    with pytest.raises(ValueError, match="relative_widths"):
        fit_families(*c, radii_nm=(0.94, 1.02), relative_widths=(0.05, 0.05, 0.05))


def test_two_free_modes_are_refused():
    q, intensity, sigma = curve((0.94, 0.05, 7e-4), (1.02, 0.05, 3e-4), upturn=0.0)
    close = two_modes(q, intensity, sigma, radii_nm=(0.94, 1.02), fraction=0.7)
    assert not close.resolvable
    assert close.fraction_sigma_free > 0.5
    assert close.fraction_sigma_held < 0.01
    assert "not resolvable" in close.words
    far = two_modes(*curve((0.94, 0.05, 5e-4), (1.9, 0.05, 5e-4)), radii_nm=(0.94, 1.9))
    assert far.resolvable
    with pytest.raises(ValueError, match="fraction"):
        two_modes(q, intensity, sigma, radii_nm=(0.94, 1.02), fraction=1.0)
    with pytest.raises(ValueError, match="radii_nm"):
        two_modes(q, intensity, sigma, radii_nm=(0.94, 0.94))
