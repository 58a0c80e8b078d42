"""Families and nanocrystals in analytic spectra."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from msc_plans.analysis.uvvis.analyse import absorbance, accumulation, analyse, outcome
from msc_plans.families import Family, FamilyTable, built_in_families

CDSE = built_in_families()
SIZING = CDSE.material.known_sizing("these tests")
EXTINCTION = CDSE.material.known_extinction("these tests")

GRID = np.arange(320.0, 800.0, 0.8)
NOISE = 5e-4


def band(x, centre_nm, fwhm_nm, height):
    return height * np.exp(-4 * math.log(2) * ((x - centre_nm) / fwhm_nm) ** 2)


def continuum(x, onset_nm, height):
    return height / (1 + np.exp((x - onset_nm) / 14.0))


def nanocrystals(x, centre_nm, height, fwhm_nm=26.0):
    return (
        band(x, centre_nm, fwhm_nm, height)
        + band(x, centre_nm - 55, 60, 0.6 * height)
        + continuum(x, centre_nm - 90, 2.0 * height)
    )


def cluster(x, centre_nm, height, fwhm_nm=18.0):
    return band(x, centre_nm, fwhm_nm, height) + continuum(x, centre_nm - 55, 0.8 * height)


def measured(values, noise=NOISE, seed=1):
    return values + noise * np.random.default_rng(seed).normal(size=len(values))


def found(result):
    return {family.family for family in result.families if family.detected}


@pytest.mark.parametrize("family", CDSE.families, ids=lambda family: family.name)
@pytest.mark.parametrize("seed", range(3))
def test_a_single_family_is_recovered_within_its_uncertainty(family, seed):
    truth = family.wavelength_nm + 0.8
    result = analyse(GRID, measured(cluster(GRID, truth, 0.05), seed=seed))
    assert found(result) == {family.name}
    assert result.nanocrystal is None
    one = result.family(family.name)
    assert abs(one.wavelength_nm - truth) < max(0.7, 3 * one.sigma["wavelength_nm"])
    assert abs(one.height - 0.05) < 3 * one.sigma["height"] < 0.03
    assert abs(one.fwhm_nm - 18.0) < 4.0
    assert one.area_nm == pytest.approx(1.0645 * 18 * 0.05, rel=0.3)
    assert one.concentration_mol_l == pytest.approx(one.height / EXTINCTION.l_mol_cm(family.diameter_nm) / 0.1)


@pytest.mark.parametrize("centre_nm", [492.0, 527.0, 572.0, 640.0])
def test_nanocrystals_alone(centre_nm):
    result = analyse(GRID, measured(nanocrystals(GRID, centre_nm, 0.1)))
    assert found(result) == set()
    crystal = result.nanocrystal
    assert crystal is not None
    assert crystal.wavelength_nm == pytest.approx(centre_nm, abs=3.0)
    assert crystal.band_center_nm == pytest.approx(centre_nm, abs=4.0)
    true_height = float(np.interp(crystal.wavelength_nm, GRID, nanocrystals(GRID, centre_nm, 0.1)))
    assert abs(crystal.height - true_height) < 3 * crystal.sigma["height"]
    assert crystal.diameter_nm == pytest.approx(SIZING.diameter_nm(crystal.wavelength_nm))
    assert crystal.diameter_in_range
    assert crystal.wavelength_nm < crystal.edge_nm < crystal.wavelength_nm + 25


def test_clusters_beside_nanocrystals():
    y = nanocrystals(GRID, 520.0, 0.1) + cluster(GRID, 437.0, 0.08) + cluster(GRID, 403.0, 0.05)
    result = analyse(GRID, measured(y))
    assert found(result) == {"CdSe-403", "CdSe-437"}
    assert result.nanocrystal is not None
    assert result.nanocrystal.wavelength_nm == pytest.approx(520, abs=3)


def test_a_higher_transition_is_no_family():
    y = cluster(GRID, 465.0, 0.1) + band(GRID, 405.0, 55.0, 0.07)
    assert found(analyse(GRID, measured(y))) == {"CdSe-465"}


def test_a_nanocrystal_passing_a_familys_place_is_told_by_its_width():
    y = nanocrystals(GRID, 468.0, 0.1, fwhm_nm=42.0)
    result = analyse(GRID, measured(y))
    assert "CdSe-465" not in found(result)
    assert result.nanocrystal is not None


@pytest.mark.parametrize("seed", range(10))
def test_a_blank_with_scattering_and_drift_holds_nothing(seed):
    y = 0.02 + 0.08 * (GRID / 350) ** -4 + 1e-5 * (GRID - 500)
    result = analyse(GRID, measured(y, seed=seed))
    assert found(result) == set()
    assert result.nanocrystal is None
    assert abs(result.optical_density_nm) < 3.0
    record = outcome(result, full_conversion_height=0.4)
    red = y[0.9 * GRID[-1] + 0.1 * GRID[0] <= GRID]
    assert record["baseline"] == pytest.approx(red.mean(), abs=2e-3)
    assert record["nc_height"] == 0.0
    assert 0 < record["nc_height_sigma"] < 0.02
    assert math.isnan(record["nc_wavelength_nm"])


def test_the_integral_counts_all_that_absorbs_and_knows_its_error():
    y = nanocrystals(GRID, 527.0, 0.2) + cluster(GRID, 437.0, 0.03) + 0.012
    above = GRID >= 350
    true = float(np.trapezoid(y[above] - 0.012, GRID[above]))
    results = [analyse(GRID, measured(y, seed=seed)) for seed in range(20)]
    misses = [(one.integrated_absorbance_nm - true) / one.integrated_absorbance_sigma_nm for one in results]
    assert abs(np.mean(misses)) < 1.5
    assert 0.2 < np.std(misses) < 1.6


def test_noise_is_that_of_the_spectrum():
    result = analyse(GRID, measured(nanocrystals(GRID, 527.0, 0.2), noise=2e-3))
    assert result.noise == pytest.approx(2e-3, rel=0.2)


def test_order_and_grid_do_not_matter():
    y = nanocrystals(GRID, 520.0, 0.1) + cluster(GRID, 437.0, 0.06)
    noisy = measured(y)
    forward, backward = analyse(GRID, noisy), analyse(GRID[::-1], noisy[::-1])
    assert outcome(forward, full_conversion_height=0.4) == pytest.approx(
        outcome(backward, full_conversion_height=0.4), nan_ok=True
    )
    for step in (0.37, 1.0, 2.5):
        other = np.arange(325.0, 790.0, step)
        again = analyse(other, measured(np.interp(other, GRID, y), seed=3))
        assert found(again) == found(forward)
        assert again.nanocrystal is not None
        assert forward.nanocrystal is not None
        assert again.nanocrystal.wavelength_nm == pytest.approx(forward.nanocrystal.wavelength_nm, abs=1.5)
        one, two = again.family("CdSe-437"), forward.family("CdSe-437")
        assert abs(one.height - two.height) < 3 * one.sigma["height"]


def test_gaps_and_saturated_pixels_are_left_out():
    y = measured(nanocrystals(GRID, 527.0, 0.1) + cluster(GRID, 437.0, 0.08))
    y[(GRID > 440) & (GRID < 443)] = np.nan
    y[(GRID > 600) & (GRID < 640)] = np.inf
    result = analyse(GRID, y)
    assert found(result) == {"CdSe-437"}
    assert np.isfinite(result.absorbance).all()


def test_arrays_for_plotting_belong_together():
    result = analyse(GRID[::-1], measured(cluster(GRID, 437.0, 0.05))[::-1])
    assert np.all(np.diff(result.wavelength_nm) > 0)
    shapes = {a.shape for a in (result.absorbance, result.fit, result.rest, result.baseline)}
    assert shapes == {result.wavelength_nm.shape}
    assert float(np.std(result.absorbance - result.fit)) < 2 * NOISE
    assert float(np.max(result.fit - result.rest)) == pytest.approx(result.family("CdSe-437").height, rel=0.1)


def test_a_family_outside_the_spectrum_is_unknown_not_absent():
    inside = GRID > 420
    result = analyse(GRID[inside], measured(nanocrystals(GRID, 527.0, 0.1))[inside])
    gone = result.family("CdSe-382")
    assert not gone.detected
    assert math.isnan(gone.probability)
    assert math.isinf(gone.sigma["height"])
    judged = accumulation(result, "CdSe-382", full_conversion_height=0.4)
    assert judged.verdict == "undecided"


def test_concentration_follows_the_path():
    y = measured(cluster(GRID, 437.0, 0.05))
    thin, thick = analyse(GRID, y), analyse(GRID, y, path_length_cm=1.0)
    assert thin.family("CdSe-437").concentration_mol_l == pytest.approx(
        10 * thick.family("CdSe-437").concentration_mol_l
    )


def test_families_may_be_others():
    table = FamilyTable((Family("CdS-350", 350.0, 2.0), Family("mine", 425.0, 1.7)))
    result = analyse(GRID, measured(cluster(GRID, 425.0, 0.05)), families=table)
    assert found(result) == {"mine"}
    with pytest.raises(ValueError, match="no family 'CdSe-437'"):
        result.family("CdSe-437")


@pytest.mark.parametrize(("height", "verdict"), [(0.1, "accumulated"), (0.0, "absent")], ids=["accumulated", "absent"])
def test_accumulation(height, verdict):
    y = nanocrystals(GRID, 527.0, 0.1) + cluster(GRID, 437.0, height)
    result = analyse(GRID, measured(y))
    judged = accumulation(result, "CdSe-437", full_conversion_height=0.4)
    assert judged.verdict == verdict
    assert judged.ratio == pytest.approx(height / (0.1 + 0.008), abs=0.25)
    record = outcome(result, full_conversion_height=0.4)
    assert record["CdSe-437_ratio"] == judged.ratio
    assert record["CdSe-437_ratio_sigma"] == judged.ratio_sigma


def test_the_record_is_flat_and_complete():
    record = outcome(analyse(GRID, measured(nanocrystals(GRID, 527.0, 0.1))), full_conversion_height=0.4)
    keys = [
        "height",
        "height_sigma",
        "wavelength_nm",
        "fwhm_nm",
        "probability",
        "concentration_mol_l",
        "ratio",
        "ratio_sigma",
    ]
    assert {f"{family.name}_{key}" for family in CDSE for key in keys} < set(record)
    assert all(isinstance(value, float) for value in record.values())
    assert {"nc_wavelength_nm", "nc_height", "nc_height_sigma", "optical_density_nm", "noise"} < set(record)


def test_accumulation_refuses_nonsense():
    result = analyse(GRID, measured(np.zeros_like(GRID)))
    with pytest.raises(ValueError, match="full_conversion_height must be positive"):
        accumulation(result, "CdSe-437", full_conversion_height=0.0)
    with pytest.raises(ValueError, match="no family 'x'"):
        accumulation(result, "x", full_conversion_height=0.4)


@pytest.mark.parametrize(
    ("x", "y", "options", "words"),
    [
        (GRID, GRID[:-1], {}, "one length"),
        (GRID[None], GRID[None], {}, "one spectrum each"),
        (np.where(GRID > 500, np.nan, GRID), GRID, {}, "wavelength_nm must be finite"),
        (np.repeat(GRID, 2), np.repeat(GRID, 2), {}, "more than once"),
        (GRID, np.full_like(GRID, np.nan), {}, "only 0 bins"),
        (GRID + 900, GRID, {}, "only 0 bins"),
        (GRID, GRID, {"path_length_cm": 0.0}, "path_length_cm must be positive"),
        (GRID, GRID, {"families": ()}, "families is empty"),
    ],
)
def test_bad_input_is_named(x, y, options, words):
    with pytest.raises(ValueError, match=words):
        analyse(x, y, **options)


def test_absorbance_of_counts():
    reference = np.array([1000.0, 1000.0, 60000.0, 40.0, 1000.0])
    counts = np.array([140.0, 1000.0, 65000.0, 45.0, 30.0])
    got = absorbance(counts, 40.0, reference, saturation=64000.0)
    assert got[0] == pytest.approx(-math.log10(100 / 960))
    assert got[1] == pytest.approx(0.0)
    assert np.isnan(got[2:]).all()


@pytest.mark.parametrize(
    ("counts", "dark", "reference", "options", "words"),
    [
        ([1.0, 2.0], [0.0], [3.0, 3.0], {}, r"dark has shape \(1,\)"),
        ([1.0, math.nan], 0.0, [3.0, 3.0], {}, "counts is not finite at pixel 1"),
        ([1.0, 2.0], 0.0, [3.0, math.inf], {}, "reference is not finite at pixel 1"),
        ([1.0, 2.0], 5.0, [3.0, 3.0], {}, "nowhere above dark"),
        ([1503.0, 1498.0, 1501.0], 1500.0, [31500.0] * 3, {}, "the sample shows 3.3e-05 of the reference's light"),
        ([1.0, 2.0], 0.0, [3.0, 3.0], {"saturation": -1.0}, "saturation must be a positive"),
        ([[1.0]], 0.0, 1.0, {}, "counts must be one spectrum"),
    ],
)
def test_bad_counts_are_named(counts, dark, reference, options, words):
    with pytest.raises(ValueError, match=words):
        absorbance(counts, dark, reference, **options)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    low=st.floats(250, 520),
    span=st.floats(80, 700),
    points=st.integers(60, 900),
    scale=st.floats(1e-6, 50),
    offset=st.floats(-2, 5),
    kind=st.sampled_from(["noise", "walk", "steps", "flat", "peaks"]),
    holes=st.floats(0, 0.2),
)
def test_whatever_comes_in_numbers_come_out(seed, low, span, points, scale, offset, kind, holes):
    rng = np.random.default_rng(seed)
    x = np.sort(rng.uniform(low, low + span, points))
    y = {
        "noise": rng.normal(size=points),
        "walk": np.cumsum(rng.normal(size=points)) / math.sqrt(points),
        "steps": (rng.random(points) > 0.5) * 1.0,
        "flat": np.zeros(points),
        "peaks": sum(band(x, rng.uniform(300, 800), rng.uniform(2, 80), rng.uniform(-0.2, 1)) for _ in range(5)),
    }[kind] * scale + offset
    y[rng.random(points) < holes] = np.nan
    usable = np.isfinite(y) & (x >= 330) & (x <= 750)
    if len(np.unique(np.floor((x[usable] - 330) / 2))) < 25:
        with pytest.raises(ValueError, match="bins of 2 nm"):
            analyse(x, y)
        return
    result = analyse(x, y)
    for one in result.families:
        assert math.isnan(one.probability) or 0 <= one.probability <= 1
        assert math.isfinite(one.height)
        assert one.height >= 0
        assert math.isfinite(one.wavelength_nm)
        assert math.isfinite(one.fwhm_nm)
        assert all(value >= 0 for value in one.sigma.values())
    if result.nanocrystal is not None:
        crystal = result.nanocrystal
        assert all(math.isfinite(value) for value in (crystal.wavelength_nm, crystal.height, crystal.diameter_nm))
        assert all(math.isfinite(value) and value >= 0 for value in crystal.sigma.values())
    assert np.isfinite(result.fit).all()
    assert math.isfinite(result.optical_density_nm)
    assert math.isfinite(result.noise)
    assert all(isinstance(value, float) for value in outcome(result, full_conversion_height=0.4).values())


@pytest.mark.parametrize("maximum_nm", [450.0, 458.0, 465.0, 472.0])
def test_nanocrystals_in_passing_a_family_are_told_from_it_by_width(maximum_nm):
    result = analyse(GRID, measured(nanocrystals(GRID, maximum_nm, 0.1, fwhm_nm=42.0)))
    assert found(result) == set()
    assert abs(result.nanocrystal.wavelength_nm - maximum_nm) < 6.0


def test_tails_of_a_clusters_band_are_no_nanocrystals():
    lorentzian = 0.3 / (1 + ((GRID - 437.0) / 9.0) ** 2)
    y = 0.3 * (0.7 * band(GRID, 437.0, 18.0, 1.0) + lorentzian) + continuum(GRID, 380.0, 0.2)
    result = analyse(GRID, measured(y))
    assert found(result) == {"CdSe-437"}
    assert result.nanocrystal is None


def test_a_saturated_stretch_is_left_out():
    y = measured(nanocrystals(GRID, 527.0, 0.1) + cluster(GRID, 437.0, 0.05) + continuum(GRID, 372.0, 1.5))
    clipped = np.minimum(y, 1.2)
    assert (clipped == 1.2).sum() > 20
    result = analyse(GRID, clipped)
    assert found(result) == {"CdSe-437"}
    assert result.nanocrystal.wavelength_nm == pytest.approx(527.0, abs=3.0)
    assert len(result.wavelength_nm) == ((clipped < 1.2) & (GRID >= 330) & (GRID <= 750)).sum()


def test_size_dispersion_is_the_inhomogeneous_width():
    narrow, wide = (
        analyse(GRID, measured(nanocrystals(GRID, 540.0, 0.3, fwhm_nm=fwhm))).nanocrystal for fwhm in (22.0, 34.0)
    )
    # Yu 2003 at 540 nm: D = 2.85 nm, dD/dλ = 0.0171; single nanocrystals 14.1 nm wide
    expected = 0.0171 * math.sqrt(34.0**2 - 14.1**2) / 2.3548 / 2.85
    assert wide.size_dispersion == pytest.approx(expected, rel=0.25)
    assert narrow.size_dispersion < wide.size_dispersion
    assert 0 < wide.sigma["size_dispersion"] < wide.size_dispersion
