"""Both signals made here from one sample: curves summed sphere by sphere, heights by Yu's extinction."""

import math
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from msc_plans.analysis.joint.analyse import combine, outcome
from msc_plans.analysis.joint.truncated import truncate
from msc_plans.analysis.saxs.analyse import analyse
from msc_plans.analysis.uvvis.result import FamilyBand, Nanocrystal, UvVisResult
from msc_plans.families import Family, built_in_families

Q = np.linspace(0.6, 5.0, 120)
CDSE = built_in_families()
CONTRAST_INV_CM2 = CDSE.material.contrast_inv_cm2
AVOGADRO = 6.02214076e23
PATH_CM = 0.1
NOISE = 0.002


def per_fraction(radius_nm, diameter_nm):
    """Absorbance of a volume fraction of 1."""
    volume_l = 4 / 3 * np.pi * (radius_nm * 1e-8) ** 3
    return 5857.0 * diameter_nm**2.65 * PATH_CM / (AVOGADRO * volume_l)


def population(mean, width):
    """V F², nm³, of a lognormal population by volume."""
    log_width = math.sqrt(math.log1p(width**2))
    steps = np.linspace(-4.5, 4.5, 121)
    share = np.exp(-0.5 * steps**2)
    radius = mean * np.exp(-0.5 * log_width**2 + log_width * steps)
    x = np.outer(Q, radius)
    return (4 / 3 * np.pi * radius**3 * (3 * (np.sin(x) - x * np.cos(x)) / x**3) ** 2) @ share / share.sum()


def scattered(amounts, crystals, rng, scale=1.0, absolute=True):
    clean = 0.02 + 1e-3 * (Q / 0.6) ** -3.0
    parts = [(amounts.get(f.name, 0.0), f.radius_nm, 0.05) for f in CDSE] + ([crystals] if crystals else [])
    for fraction, radius, width in parts:
        if fraction:
            clean = clean + scale * fraction * CONTRAST_INV_CM2**2 * 1e-21 * population(radius, width)
    unit = 1.0 if absolute else 37.0
    sigma = 0.01 * clean
    return analyse(Q, unit * (clean + sigma * rng.normal(size=len(Q))), unit * sigma, absolute=absolute)


def absorbed(amounts, crystals, rng, extinction=1.0, species=0.0, sizing=0.0, reach=True):
    bands = []
    for family in CDSE:
        factor = per_fraction(family.radius_nm, family.diameter_nm) * extinction * math.exp(species * rng.normal())
        height = max(amounts.get(family.name, 0.0) * factor + NOISE * rng.normal(), 0.0) if reach else 0.0
        to_mol = 1 / (family.extinction_l_mol_cm * PATH_CM)
        noise = NOISE if reach else math.inf
        seen = height > 5 * NOISE
        sigma = {"height": noise, "concentration_mol_l": noise * to_mol}
        bands.append(
            FamilyBand(
                family=family.name, detected=seen, probability=float(seen), wavelength_nm=family.wavelength_nm,
                fwhm_nm=20.0, height=height, area_nm=20 * height, concentration_mol_l=height * to_mol, sigma=sigma,
                extinction_l_mol_cm=family.extinction_l_mol_cm, extinction_source=family.source,
            )
        )  # fmt: skip
    crystal = None
    if crystals:
        fraction, radius, _ = crystals
        height = fraction * per_fraction(radius, 2 * radius) * extinction + NOISE * rng.normal()
        diameter = 2 * radius * math.exp(sizing * rng.normal())
        sigma = {"height": NOISE, "diameter_nm": 0.02 * diameter}
        crystal = Nanocrystal(
            wavelength_nm=520.0, band_center_nm=520.0, height=height, fwhm_nm=30.0, diameter_nm=diameter,
            diameter_in_range=True, aggregation_number=100.0, unit="CdSe units", edge_nm=530.0, size_dispersion=0.1,
            sigma=sigma,
        )  # fmt: skip
    none = np.zeros(0)
    limit = NOISE if crystal else 5 * NOISE
    return UvVisResult(
        families=tuple(bands), nanocrystal=crystal, noise=1e-3, optical_density_nm=1.0, wavelength_nm=none,
        absorbance=none, fit=none, rest=none, baseline=none, misfit=1.0, nanocrystal_height_sigma=limit,
    )  # fmt: skip


@cache
def curve(name, absolute=True, seed=1):
    return scattered(*SAMPLES[name], np.random.default_rng(seed), absolute=absolute)


def spectrum(name, seed=2, **errors):
    return absorbed(*SAMPLES[name], np.random.default_rng(seed), **errors)


SAMPLES = {
    "two families": ({"CdSe-437": 7e-4, "CdSe-465": 3e-4}, None),
    "family and crystals": ({"CdSe-437": 5e-4}, (5e-4, 1.6, 0.12)),
    "crystals": ({}, (1e-3, 1.8, 0.1)),
    "blank": ({}, None),
}


@pytest.mark.parametrize("name", ["two families", "family and crystals", "crystals"])
def test_amounts_of_one_sample(name):
    amounts, crystals = SAMPLES[name]
    result = combine(spectrum(name), curve(name))
    truth = {**amounts, **({"NC": crystals[0]} if crystals else {})}
    for species in result.species:
        low, high = species.volume_fraction_interval
        assert low <= truth.get(species.name, 0.0) <= high
        if species.name in truth:
            assert species.volume_fraction_sigma < 0.25 * species.volume_fraction
            volume_l = 4 / 3 * np.pi * (species.radius_nm * 1e-8) ** 3
            assert species.concentration_mol_l * AVOGADRO * volume_l == pytest.approx(species.volume_fraction)
            assert species.units_mol_l * AVOGADRO * 0.0562e-24 == pytest.approx(species.volume_fraction)
    assert result.volume_fraction == pytest.approx(1e-3, rel=0.3)
    assert result.agree
    assert result.p_value > 0.01
    assert result.disagreement == ()
    assert result.of("NC").radius_nm == pytest.approx(crystals[1], rel=0.02) if crystals else True


def test_intervals_cover_and_true_samples_agree():
    rng = np.random.default_rng(5)
    covered, agreed, pulls = [], [], []
    names = [family.name for family in CDSE]
    for trial in range(24):
        amounts = {str(name): 10 ** rng.uniform(-4, -3) for name in rng.choice(names, 1 + trial % 2, replace=False)}
        crystals = (10 ** rng.uniform(-4, -3), rng.uniform(1.25, 2.2), rng.uniform(0.06, 0.2)) if trial % 3 else None
        saxs = scattered(amounts, crystals, rng, scale=math.exp(0.13 * rng.normal()))
        uvvis = absorbed(amounts, crystals, rng, math.exp(0.3 * rng.normal()), 0.2, 0.06)
        result = combine(uvvis, saxs)
        truth = {**amounts, "NC": crystals[0] if crystals else 0.0}
        for species in result.species:
            low, high = species.volume_fraction_interval
            covered.append(low <= truth.get(species.name, 0.0) <= high)
        pulls.append((result.volume_fraction - sum(truth.values())) / result.volume_fraction_sigma)
        agreed.append(result.agree)
    # 120 intervals of 95 %, and 24 tests at 1 %.
    assert np.mean(covered) >= 0.89
    assert sum(agreed) >= 22
    assert 0.5 < np.sqrt(np.mean(np.square(pulls))) < 1.6


@pytest.mark.parametrize(("extinction", "words"), [(5.0, "UV-vis sees"), (0.2, "SAXS sees")])
@pytest.mark.parametrize("name", ["two families", "family and crystals", "crystals"])
def test_five_times_the_volume_is_said(name, extinction, words):
    result = combine(spectrum(name, extinction=extinction), curve(name))
    assert not result.agree
    assert result.p_value < 0.01
    assert result.disagreement[0].startswith(words)
    assert 4.0 < float(result.disagreement[0].removeprefix(words).split()[0]) < 6.0
    record = outcome(result)
    assert record["agree"] == 0.0
    assert words in str(record["disagreement"])


@pytest.mark.parametrize("extinction", [0.75, 1.3])
def test_what_the_extinction_leaves_open_is_no_disagreement(extinction):
    result = combine(spectrum("two families", extinction=extinction), curve("two families"))
    assert result.agree
    # The scattering is the surer.
    assert result.volume_fraction == pytest.approx(1e-3, rel=0.15)
    assert result.extinction_factor == pytest.approx(extinction, rel=0.2)


def test_other_sizes_are_said():
    result = combine(spectrum("two families"), curve("crystals"))
    assert not result.agree
    words = next(words for words in result.disagreement if words.startswith("mean radius"))
    by_saxs, by_uvvis = (float(part.split()[-2]) for part in words.replace(" by ", "|").split("|")[:2])
    assert by_saxs == pytest.approx(1.8, abs=0.02)
    assert by_uvvis == pytest.approx((0.7 * 0.94 + 0.3 * 1.02), abs=0.02)


def test_uvvis_splits_what_scattering_cannot():
    saxs = curve("two families")
    blind = combine(spectrum("two families", reach=False), saxs, path_length_cm=PATH_CM)
    both = combine(spectrum("two families"), saxs)
    assert both.of("CdSe-437").fraction == pytest.approx(0.7, abs=2.5 * both.of("CdSe-437").fraction_sigma)
    assert both.of("CdSe-437").fraction_sigma < 0.5 * blind.of("CdSe-437").fraction_sigma
    names = [species.name for species in blind.species]
    pair = [names.index("CdSe-437"), names.index("CdSe-465")]
    spread = blind.covariance[np.ix_(pair, pair)]
    assert spread[0, 1] / math.sqrt(spread[0, 0] * spread[1, 1]) < -0.3
    assert math.isnan(blind.of("CdSe-437").uvvis_volume_fraction)


def test_a_blank_has_limits():
    result = combine(spectrum("blank"), curve("blank"))
    assert result.agree
    assert math.isnan(result.of("NC").radius_nm)
    for species in result.species:
        low, high = species.volume_fraction_interval
        assert low == 0.0
        assert 0.0 < high < 5e-6
        assert species.volume_fraction < high
    assert all(isinstance(value, (float, str)) for value in outcome(result).values())


@pytest.mark.parametrize(
    ("seen", "measured", "words"),
    [("two families", "blank", "SAXS no particles"), ("blank", "crystals", "UV-vis at most")],
)
def test_one_signal_blank_and_the_other_not(seen, measured, words):
    result = combine(spectrum(seen), curve(measured))
    assert not result.agree
    assert words in result.disagreement[0]


def test_a_curve_without_absolute_scale_gives_shares():
    result = combine(spectrum("family and crystals", extinction=5.0), curve("family and crystals", absolute=False))
    assert result.agree
    assert not result.absolute
    assert "not in cm⁻¹" in result.warnings[-1]
    assert result.of("CdSe-437").fraction == pytest.approx(0.5, abs=0.05)
    # The amount is that of the spectrum, as wrong as its extinction.
    assert result.volume_fraction == pytest.approx(5e-3, rel=0.3)
    assert result.volume_fraction_sigma > 0.2 * result.volume_fraction


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"families": ()}, "families is empty"),
        ({"contrast_inv_cm2": 0.0}, "contrast_inv_cm2"),
        ({"path_length_cm": -1.0}, "path_length_cm must be positive, not -1.0"),
        ({"extinction_sigma": math.nan}, "extinction_sigma"),
    ],
)
def test_what_cannot_be_combined_says_why(change, words):
    with pytest.raises(ValueError, match=words):
        combine(spectrum("blank"), curve("blank"), **change)


def test_a_path_that_cannot_be_told_is_asked_for():
    with pytest.raises(ValueError, match="path_length_cm must be positive, not nan"):
        combine(spectrum("blank", reach=False), curve("blank"))


def test_another_table_than_the_spectrum_was_searched_for():
    table = replace(CDSE, families=(*CDSE, Family("CdSe-480", 480.0, 2.2, radius_nm=1.1)))
    result = combine(spectrum("two families"), curve("two families"), families=table)
    assert math.isnan(result.of("CdSe-480").uvvis_volume_fraction)
    assert result.agree
    with pytest.raises(ValueError, match="no species 'CdSe-999'"):
        result.of("CdSe-999")


@pytest.mark.parametrize(("mean", "correlation"), [((1.0, -0.5, 2.0), 0.0), ((0.5, -1.0, 0.3), -0.6)])
def test_cut_gaussians_agree_with_draws(mean, correlation):
    covariance = np.eye(3) + correlation * np.array([[0, 1, 0.2], [1, 0, 0.1], [0.2, 0.1, 0]])
    draws = np.random.default_rng(0).multivariate_normal(mean, covariance, 400_000)
    draws = draws[(draws[:, :2] > 0).all(axis=1)]
    cut = truncate(np.array(mean), covariance, np.array([True, True, False]))
    np.testing.assert_allclose(cut.mean, draws.mean(axis=0), atol=0.01)
    np.testing.assert_allclose(cut.covariance, np.cov(draws.T), atol=0.02)
    for number in (0, 1):
        low, high = cut.interval(number)
        inside = np.mean((draws[:, number] >= low) & (draws[:, number] <= high))
        assert inside == pytest.approx(0.95, abs=0.005)


def test_a_gaussian_far_below_the_cut_is_an_exponential():
    cut = truncate(np.array([-30.0]), np.eye(1), np.array([True]))
    assert cut.mean[0] == pytest.approx(1 / 30, rel=0.01)
    assert cut.interval(0)[1] == pytest.approx(-math.log(0.05) / 30, rel=0.01)
