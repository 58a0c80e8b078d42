"""Area detector of the twin: geometry, mask, counts and their noise."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from ioc_sim.physics.frame import Exposure, FrameDetector, poisson
from ioc_sim.physics.mesophase import Lamellae
from ioc_sim.physics.scattering import Q_INV_NM, sphere_nm6
from ioc_sim.physics.scenario_file import load_scenario

EXPOSURE = Exposure(flux_ph_s=1e12, exposure_s=1.0, transmission=0.85, thickness_cm=0.15, energy_kev=12.46)
INTENSITY_CM = 0.02 + 0.1 * sphere_nm6(Q_INV_NM, 0.94, 0.05) / sphere_nm6(0.0, 0.94, 0.05)


@pytest.fixture(scope="module")
def model():
    return load_scenario("palencia2020").frame


@pytest.fixture(scope="module")
def detector(model):
    return FrameDetector(model)


def exposure(**changes):
    return replace(EXPOSURE, **changes)


def test_scattering_vector_and_solid_angle_by_hand(model, detector):
    row, column = 500, 40
    y = (row + 0.5 - model.centre_row) * model.pixel_mm
    x = (column + 0.5 - model.centre_column) * model.pixel_mm
    two_theta = np.arctan(np.sqrt(x**2 + y**2) / model.distance_mm)
    q = 4 * np.pi / (12.3984198 / 12.46 / 10) * np.sin(two_theta / 2)
    assert detector.q_inv_nm(12.46)[row, column] == pytest.approx(q, rel=1e-8)
    flat = (model.pixel_mm / model.distance_mm) ** 2
    assert detector.solid_angle_sr[row, column] == pytest.approx(flat * np.cos(two_theta) ** 3)
    np.testing.assert_allclose(detector.q_inv_nm(24.92), 2 * detector.q_inv_nm(12.46))


def test_frame_reaches_the_first_minimum_of_the_clusters(detector):
    q = detector.q_inv_nm(12.46)[~detector.mask]
    assert q.min() < 0.15
    assert q.max() > 5.2


def test_expected_counts_by_hand(model, detector):
    row, column = 300, 100
    q = detector.q_inv_nm(12.46)[row, column]
    sigma = np.interp(q, Q_INV_NM, INTENSITY_CM)
    counts = 1e12 * 0.85 * 0.15 * sigma * detector.solid_angle_sr[row, column] * model.efficiency
    counts += model.parasitic_counts_s * 0.85
    assert detector.expected(INTENSITY_CM, EXPOSURE)[row, column] == pytest.approx(counts, rel=1e-6)


def test_another_energy_moves_a_peak(model, detector):
    lamellae = Lamellae(load_scenario("palencia2020").mesophase, Q_INV_NM)
    intensity = 1e-3 + lamellae.peaks_cm(0.02, 25.0)
    rows = np.arange(model.rows)
    for energy in (8.0, 12.46, 14.0):
        # the column through the beam
        column = round(model.centre_column)
        profile = detector.expected(intensity, exposure(energy_kev=energy))[:, column]
        profile[detector.mask[:, column]] = 0.0
        peak = rows[np.argmax(profile)]
        assert detector.q_inv_nm(energy)[peak, column] == pytest.approx(1.843, abs=0.02)


def test_gaps_are_those_of_three_modules(detector):
    assert detector.gaps.sum() == 2 * 17 * 487
    assert detector.gaps[195:212].all()
    assert detector.gaps[407:424].all()
    frame = detector.frame(INTENSITY_CM, EXPOSURE, np.random.default_rng(0))
    assert not frame[detector.gaps].any()


def test_gaps_can_be_flagged(model):
    frame = FrameDetector(model, gap_value=-1).frame(INTENSITY_CM, EXPOSURE, np.random.default_rng(0))
    assert (frame[195:212] == -1).all()
    assert (frame[:195] >= 0).all()


def test_beam_stop_shades_a_disc(model, detector):
    frame = detector.frame(INTENSITY_CM, EXPOSURE, np.random.default_rng(0))
    assert not frame[detector.shadow].any()
    area = np.pi * (model.beamstop_radius_mm / model.pixel_mm) ** 2
    assert detector.shadow.sum() == pytest.approx(area, rel=0.05)
    assert detector.shadow[int(model.centre_row), int(model.centre_column)]


def test_hot_pixels_stay_where_they_are_and_do_not_count(model, detector):
    rng = np.random.default_rng(0)
    short = detector.frame(INTENSITY_CM, EXPOSURE, rng)
    dark = detector.frame(INTENSITY_CM, exposure(flux_ph_s=0.0), rng)
    again = FrameDetector(model).frame(INTENSITY_CM, EXPOSURE, np.random.default_rng(99))
    assert detector.hot.sum() == model.hot_pixels
    assert (short[detector.hot] >= 999).all()
    np.testing.assert_array_equal(short[detector.hot], dark[detector.hot])
    np.testing.assert_array_equal(short[detector.hot], again[detector.hot])
    assert not dark[~detector.hot].any()
    assert not (detector.hot & (detector.gaps | detector.shadow)).any()


def test_counts_stop_at_twenty_bits(model, detector):
    frame = detector.frame(INTENSITY_CM, exposure(exposure_s=1e5), np.random.default_rng(0))
    assert frame.dtype == np.int32
    assert frame.max() == model.max_counts == 2**20 - 1


def test_a_seed_repeats_its_frame(detector):
    frames = [detector.frame(INTENSITY_CM, EXPOSURE, np.random.default_rng(seed)) for seed in (3, 3, 4)]
    np.testing.assert_array_equal(frames[0], frames[1])
    assert (frames[0] != frames[2]).mean() > 0.5


def test_without_noise_the_mean_is_rounded(model):
    still = FrameDetector(model.model_copy(update={"poisson": False, "hot_pixels": 0}))
    mean = still.expected(INTENSITY_CM, EXPOSURE)
    np.testing.assert_array_equal(still.frame(INTENSITY_CM, EXPOSURE, np.random.default_rng(0)), np.rint(mean))


@pytest.mark.parametrize("exposure_s", [0.003, 0.04, 0.2, 5.0])
def test_variance_is_the_mean(detector, exposure_s):
    rng, shot = np.random.default_rng(1), exposure(exposure_s=exposure_s)
    mean = detector.expected(INTENSITY_CM, shot)[~detector.mask]
    pulls = [(detector.frame(INTENSITY_CM, shot, rng)[~detector.mask] - mean) / np.sqrt(mean) for _ in range(4)]
    # a million pixels: mean to 1e-3, variance to √((2 + 1/λ)/n)
    assert np.mean(pulls) == pytest.approx(0.0, abs=4e-3)
    assert np.var(pulls) == pytest.approx(1.0, abs=4 * np.sqrt((2 + (1 / mean).mean()) / (4 * mean.size)))


@pytest.mark.parametrize("mean", [0.5, 5.9, 6.0, 7.3, 12.0, 40.0, 900.0])
def test_poisson_numbers_have_their_distribution(mean):
    drawn = poisson(np.full(400_000, mean), np.random.default_rng(7)).astype(int)
    edges = np.unique(stats.poisson.ppf(np.linspace(0.0005, 0.9995, 60), mean)).astype(int)
    found = np.bincount(np.searchsorted(edges, drawn, side="left"), minlength=len(edges) + 1)
    shares = np.diff(np.concatenate([[0.0], stats.poisson.cdf(edges, mean), [1.0]]))
    assert found.sum() == drawn.size
    assert stats.chisquare(found, shares / shares.sum() * drawn.size).pvalue > 1e-3


def test_poisson_numbers_of_large_and_small_means_side_by_side():
    mean = np.tile([0.0, 2.0, 50.0], 20_000)
    drawn = poisson(mean, np.random.default_rng(0))
    assert not drawn[::3].any()
    assert drawn[1::3].mean() == pytest.approx(2.0, abs=0.04)
    assert drawn[2::3].mean() == pytest.approx(50.0, abs=0.2)
    np.testing.assert_array_equal(drawn, np.rint(drawn))


def test_azimuthal_average_gives_back_the_intensity(model, detector):
    """Own geometry and binning, apart from the detector's; what is left is counting noise."""
    shot = exposure(exposure_s=20.0)
    frame = detector.frame(INTENSITY_CM, shot, np.random.default_rng(5)).astype(float)
    rows, columns = np.mgrid[: model.rows, : model.columns] + 0.5
    radius = model.pixel_mm * np.hypot(rows - model.centre_row, columns - model.centre_column)
    two_theta = np.arctan2(radius, model.distance_mm)
    q = 4 * np.pi * shot.energy_kev / 1.2398420 * np.sin(two_theta / 2)
    solid_angle = (model.pixel_mm * np.cos(two_theta) / model.distance_mm) ** 2 * np.cos(two_theta)
    through = shot.flux_ph_s * shot.exposure_s * shot.transmission
    gain = through * shot.thickness_cm * solid_angle * model.efficiency
    parasitic = model.parasitic_counts_s * through / 1e12
    good = ~detector.mask
    edges = np.linspace(0.12, 6.8, 201)
    total, weight, made = (
        np.histogram(q[good], edges, weights=w[good])[0]
        for w in (frame - parasitic, gain, gain * np.interp(q, Q_INV_NM, INTENSITY_CM))
    )
    average, truth = total / weight, made / weight
    noise = np.sqrt(made + np.histogram(q[good], edges)[0] * parasitic) / weight
    chi2 = (((average - truth) / noise) ** 2).mean()
    assert chi2 == pytest.approx(1.0, abs=0.3)
    assert (noise / truth).max() < 0.01
