"""Scattering of the twin against closed forms, another program and the paper's numbers."""

import numpy as np
import pytest

from ioc_sim.physics.composition import Composition
from ioc_sim.physics.mesophase import Lamellae, ordered_share, teubner_strey
from ioc_sim.physics.scattering import Q_INV_NM, Scattering, sphere_nm6
from ioc_sim.physics.scenario_file import load_scenario
from ioc_sim.physics.sizing import sphere_diameter_nm

# sasmodels 1.1.0, sphere: volume fraction 1e-3, sld 39.7 and 6.2e-6 Å⁻²; Gaussian with 800 points over 8 widths
SASMODELS_Q = np.array([0.1, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0])
SASMODELS_CM = {
    (0.87, 0.0): "3.090854e-1 2.656227e-1 1.641501e-1 6.697668e-2 1.365642e-2 1.515336e-4 1.602492e-3 2.078077e-3",
    (0.87, 0.03): "3.124202e-1 2.680185e-1 1.647493e-1 6.663133e-2 1.346310e-2 2.551685e-4 1.647274e-3 2.011871e-3",
    (0.94, 0.05): "4.014489e-1 3.343448e-1 1.862488e-1 6.120928e-2 7.445601e-3 6.785382e-4 2.758058e-3 1.400524e-3",
    (1.80, 0.1): "3.050594e+0 1.431445e+0 7.669040e-2 1.782046e-2 3.342227e-3 2.245069e-3 8.044074e-4 4.999095e-4",
}
GRID_UNITS = np.geomspace(40.0, 4000.0, 180)
GRID_NM = sphere_diameter_nm(GRID_UNITS, 0.0562)
MOL_L_PER_NM3 = 1 / 0.602214076


@pytest.fixture(scope="module")
def scenario():
    return load_scenario("palencia2020")


@pytest.fixture(scope="module")
def scattering(scenario):
    return Scattering(scenario, GRID_UNITS, GRID_NM)


def content(scenario, species=None, sizes=None, cd_excess=0.0, se_excess=0.0):
    units = scenario.chemistry.species
    amounts = dict.fromkeys(units, 0.0) | (species or {})
    sizes = np.zeros(len(GRID_NM)) if sizes is None else sizes
    return Composition(amounts, units, sizes, GRID_UNITS, GRID_NM, cd_excess, se_excess)


def intensity_cm(q, radius, width, volume_fraction, contrast_a2):
    """Volume fraction over the mean volume of the distribution is the number density."""
    mean_volume = 4 * np.pi / 3 * radius**3 * (1 + 3 * width**2)
    return volume_fraction / mean_volume * (contrast_a2 * 100) ** 2 * 1e7 * sphere_nm6(q, radius, width)


@pytest.mark.parametrize(("radius", "width"), SASMODELS_CM)
def test_spheres_agree_with_sasmodels(radius, width):
    ours = intensity_cm(SASMODELS_Q, radius, width, 1e-3, 33.5e-6)
    np.testing.assert_allclose(ours, [float(x) for x in SASMODELS_CM[radius, width].split()], rtol=2e-6)


@pytest.mark.parametrize(("radius", "i0_cm", "minimum"), [(0.87, 0.31, 5.2), (0.94, 0.39, 4.8), (1.02, 0.50, 4.4)])
def test_absolute_intensity_and_minimum_of_the_clusters(scenario, radius, i0_cm, minimum):
    saxs = scenario.saxs
    contrast = saxs.crystal_sld_a2 - saxs.solvent_sld_a2
    assert intensity_cm(0.0, radius, 0.0, 1e-3, contrast) == pytest.approx(i0_cm, rel=0.03)
    q = np.linspace(4.0, 5.6, 16001)
    lowest = q[np.argmin(sphere_nm6(q, radius))]
    assert lowest == pytest.approx(4.493409 / radius, abs=2e-4)
    assert lowest == pytest.approx(minimum, abs=0.05)


def test_absolute_intensity_of_a_nanocrystal(scenario):
    contrast = scenario.saxs.crystal_sld_a2 - scenario.saxs.solvent_sld_a2
    assert intensity_cm(0.0, 1.8, 0.0, 1e-3, contrast) == pytest.approx(2.7, rel=0.03)


def test_guinier_slope_is_three_fifths_of_the_radius_squared():
    radius, q = 1.3, np.array([0.01, 0.02])
    slope = np.diff(np.log(sphere_nm6(q, radius))) / np.diff(q**2)
    assert -3.0 * slope[0] == pytest.approx(0.6 * radius**2, rel=1e-4)


def test_porod_limit():
    # 2π Δρ² S: here V²P q⁴ → 2π <4πR²>, once the oscillations are damped
    radius, width, q = 2.0, 0.1, np.linspace(15.0, 20.0, 6)
    surface = 4 * np.pi * radius**2 * (1 + width**2)
    np.testing.assert_allclose(sphere_nm6(q, radius, width) * q**4, 2 * np.pi * surface, rtol=2e-3)


@pytest.mark.parametrize("width", [0.0, 0.03, 0.1, 0.2])
def test_closed_form_is_the_average_over_radii_and_joins_its_series(width):
    nodes, weights = np.polynomial.hermite_e.hermegauss(90)
    q = np.geomspace(0.05, 12.0, 300)
    x = q[:, None] * 0.94 * (1 + width * nodes)
    amplitude = 4 * np.pi * (np.sin(x) - x * np.cos(x)) / q[:, None] ** 3
    clear = q * 0.94 > 0.1
    np.testing.assert_allclose(
        sphere_nm6(q, 0.94, width)[clear], (amplitude**2 @ weights / weights.sum())[clear], rtol=1e-9
    )
    edge = 0.3 / 0.94
    below, above = sphere_nm6([edge * (1 - 1e-9), edge * (1 + 1e-9)], 0.94, width)
    assert below == pytest.approx(above, rel=1e-8)


def test_composition_scatters_as_its_clusters_and_crystals(scenario, scattering):
    sizes = np.zeros(len(GRID_NM))
    sizes[90] = 1e-6
    mixed = content(scenario, {"CdSe-403": 2e-6}, sizes)
    parts = scattering.components_cm(mixed, 230.0)
    scale = ((scenario.saxs.crystal_sld_a2 - scenario.saxs.solvent_sld_a2) * 100) ** 2 * 1e7 / MOL_L_PER_NM3
    width = scenario.saxs.cluster_relative_width
    radius = scenario.saxs.cluster_radius_nm["CdSe-403"]
    np.testing.assert_allclose(parts["CdSe-403"], 2e-6 * scale * sphere_nm6(Q_INV_NM, radius, width))
    dispersion = scenario.chemistry.nanocrystals.relative_dispersion
    np.testing.assert_allclose(parts["NC"], 1e-6 * scale * sphere_nm6(Q_INV_NM, GRID_NM[90] / 2, dispersion))
    np.testing.assert_allclose(scattering.intensity_cm(mixed, 230.0), sum(parts.values()))
    assert not parts["hump"].any()
    assert not parts["CdSe-437"].any()


def test_a_composition_on_another_grid_is_refused(scenario, scattering):
    empty = content(scenario)
    other = Composition(empty.species, empty.units, empty.sizes, GRID_UNITS * 2, GRID_NM, 0.0, 0.0)
    with pytest.raises(ValueError, match="another grid"):
        scattering.intensity_cm(other, 25.0)


def test_truth_of_one_family_and_of_none(scenario, scattering):
    radius, width = scenario.saxs.cluster_radius_nm["CdSe-437"], scenario.saxs.cluster_relative_width
    one = scattering.particles(content(scenario, {"CdSe-437": 1e-5}))
    volume = 4 * np.pi / 3 * radius**3 * (1 + 3 * width**2)
    assert one.volume_fraction == pytest.approx(1e-5 / MOL_L_PER_NM3 * volume)
    assert one.radius_nm == pytest.approx(radius * (1 + 3 * width**2), rel=1e-3)
    assert one.relative_width == pytest.approx(width, rel=0.01)
    assert one.shares["CdSe-437"] == pytest.approx(1.0)
    none = scattering.particles(content(scenario))
    assert none.volume_fraction == 0.0
    assert np.isnan(none.radius_nm)
    assert sum(none.shares.values()) == 0.0


def mixture_437_465(scenario, share_465, volume_fraction):
    radius, width = scenario.saxs.cluster_radius_nm, scenario.saxs.cluster_relative_width
    volume = {name: 4 * np.pi / 3 * r**3 * (1 + 3 * width**2) for name, r in radius.items()}
    shares = {"CdSe-437": 1 - share_465, "CdSe-465": share_465}
    return {name: volume_fraction * share / volume[name] * MOL_L_PER_NM3 for name, share in shares.items()}


def test_truth_of_a_mixture(scenario, scattering):
    truth = scattering.particles(content(scenario, mixture_437_465(scenario, 0.3, 1e-3)))
    assert truth.volume_fraction == pytest.approx(1e-3)
    assert truth.shares["CdSe-465"] == pytest.approx(0.3)
    assert truth.radius_nm == pytest.approx(0.966, abs=0.002)
    assert truth.relative_width == pytest.approx(0.05, abs=0.003)


def test_one_population_passes_for_the_mixture_of_two_families(scenario, scattering):
    """0.96 nm and 5 % reproduces 70:30 of 0.94 and 1.02 nm within 0.25 % at every q up to 5."""
    chosen = (Q_INV_NM > 0.1) & (Q_INV_NM < 5.0)
    background = scattering.background_cm()[chosen]
    mixture = scattering.intensity_cm(content(scenario, mixture_437_465(scenario, 0.3, 1e-3)), 230.0)[chosen]
    contrast = scenario.saxs.crystal_sld_a2 - scenario.saxs.solvent_sld_a2
    single = intensity_cm(Q_INV_NM[chosen], 0.9596, 0.049, 1e-3, contrast)
    np.testing.assert_allclose(single + background, mixture + background, rtol=2.5e-3)


def test_teubner_strey_form():
    # sasmodels 1.1.0, teubner_strey: xi 80 Å, d 225 Å (maximum at 0.25 nm⁻¹), over its value there
    q = np.array([0.01, 0.1, 0.2, 0.25, 0.3, 0.5, 1.0, 2.0])
    reference = [0.55634617, 0.63919002, 0.90605973, 1.0, 0.86589083, 0.12195122, 0.00552486, 0.00031484]
    np.testing.assert_allclose(teubner_strey(q, 0.25, 8.0), reference, atol=1e-8)
    fine = np.linspace(0.05, 1.0, 9501)
    assert fine[np.argmax(teubner_strey(fine, 0.25, 8.0))] == pytest.approx(0.25, abs=1e-4)


def test_bragg_peaks_are_two_orders_of_one_spacing(scenario):
    q = np.arange(1.0, 5.0, 1e-3)
    peaks = Lamellae(scenario.mesophase, q).peaks_cm(0.02, 25.0)
    first = q[q < 2.5][np.argmax(peaks[q < 2.5])]
    second = q[q > 2.5][np.argmax(peaks[q > 2.5])]
    assert first == pytest.approx(1.84, abs=0.005)
    assert second == pytest.approx(3.69, abs=0.007)
    assert second / first == pytest.approx(2.0, abs=2e-3)


def test_lamellae_weaken_and_melt(scenario):
    cold, warm, hot = (ordered_share(scenario.mesophase, t) for t in (25.0, 50.0, 100.0))
    assert cold > 0.99
    assert 0.3 < warm < 0.8
    assert hot < 1e-4
    assert ordered_share(scenario.mesophase, scenario.mesophase.melting_c) == pytest.approx(0.5)
    assert ordered_share(scenario.mesophase, 400.0) >= 0.0


def test_precursor_mixture_by_temperature(scenario, scattering):
    mixture = content(scenario, {"P": 0.02}, se_excess=0.02)
    background = scattering.background_cm()
    first, second = (int(np.argmin(np.abs(Q_INV_NM - q))) for q in (1.843, 3.685))
    cold, warm, hot = (scattering.intensity_cm(mixture, t) for t in (25.0, 50.0, 100.0))
    for at in (first, second):
        assert cold[at] > 1.2 * warm[at] > background[at]
        assert hot[at] < 0.02 * background[at]
    hump = (Q_INV_NM > 0.1) & (Q_INV_NM < 0.6)
    peaks = scattering.components_cm(mixture, 100.0)["hump"]
    assert 0.2 < Q_INV_NM[np.argmax(peaks)] < 0.3
    np.testing.assert_allclose(cold[hump], hot[hump], rtol=0.1)


def test_the_structure_is_the_cadmium_precursors(scenario, scattering):
    cadmium = scattering.intensity_cm(content(scenario, cd_excess=0.02), 25.0)
    selenium = scattering.intensity_cm(content(scenario, se_excess=0.04), 25.0)
    assert not selenium.any()
    below = (Q_INV_NM > 0.1) & (Q_INV_NM < 1.0)
    background = scattering.background_cm()
    assert (cadmium[below] > 0.1 * background[below]).all()
    assert cadmium[np.argmin(np.abs(Q_INV_NM - 0.25))] > 3 * background[np.argmin(np.abs(Q_INV_NM - 0.25))]


def test_background_of_solvent_and_windows(scattering):
    filled, empty = scattering.background_cm(), scattering.background_cm(solvent=False)
    solvent = filled - empty
    # kT κ Δρ² of octadecene: 4.116e-21 J × 8.4e-10 /Pa × (7.64e10 cm⁻²)², in cm⁻¹
    assert solvent[0] == pytest.approx(4.116e-21 * 8.4e-10 * 1e6 * 7.64e10**2, rel=0.05)
    slope = np.diff(np.log(empty[[0, 40]]))[0] / np.diff(np.log(Q_INV_NM[[0, 40]]))[0]
    assert slope == pytest.approx(-3.25, abs=0.01)
    near = (Q_INV_NM > 3.0) & (Q_INV_NM < 5.0)
    assert Q_INV_NM[near][np.argmax(empty[near])] == pytest.approx(4.05, abs=0.05)
