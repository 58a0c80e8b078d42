"""Frames made here from a known I(q), pixel by pixel by the textbook's formulas, and integrated."""

import numpy as np
import pytest
from scipy import stats

from msc_plans.analysis.curve import ScatteringCurve, subtract
from msc_plans.analysis.integration.geometry import PoniGeometry
from msc_plans.analysis.integration.integrator import Integrator
from msc_plans.analysis.integration.mask import beam_stop_mask, detector_mask, load_mask

SHAPE = (240, 200)
PIXEL_M = 172e-6
GEOMETRY = PoniGeometry(0.35, 60.5 * PIXEL_M, 98.0 * PIXEL_M, 12.0, SHAPE)
WAVELENGTH_NM = 1.239841984 / 12.0
# monitor counts for each photon that a pixel would count
FACTOR = 2.5e-6
THICKNESS_CM = 0.15
PARAMETERS = {"exposure_s": 1.0, "thickness_cm": THICKNESS_CM, "calibration_factor": FACTOR}


def pixels(polarization=0.0, geometry=GEOMETRY):
    """q in nm⁻¹, and solid angle in sr times polarisation, of each pixel of a detector normal to the beam."""
    row_m = (np.arange(SHAPE[0]) + 0.5) * PIXEL_M - geometry.poni1_m
    column_m = (np.arange(SHAPE[1]) + 0.5) * PIXEL_M - geometry.poni2_m
    radius = np.hypot(row_m[:, None], column_m[None, :])
    two_theta = np.arctan(radius / geometry.distance_m)
    solid_angle = (PIXEL_M / geometry.distance_m) ** 2 * np.cos(two_theta) ** 3
    # columns are horizontal; the horizontal share of the beam is (1 + polarization)/2
    azimuth = np.arctan2(row_m[:, None], column_m[None, :])
    horizontal = 1 - (np.sin(two_theta) * np.cos(azimuth)) ** 2
    vertical = 1 - (np.sin(two_theta) * np.sin(azimuth)) ** 2
    share = (1 + polarization) / 2
    q = 4 * np.pi / WAVELENGTH_NM * np.sin(two_theta / 2)
    return q, solid_angle * (share * horizontal + (1 - share) * vertical)


def guinier(q):
    """A particle of 1 nm radius of gyration over a constant, cm⁻¹."""
    return 0.5 * np.exp(-(q**2) / 3) + 0.02


def expected(intensity, *, i0, transmission, polarization=0.0, exposure_s=1.0, solid=None):
    q, weight = pixels(polarization)
    return i0 / FACTOR * exposure_s * transmission * THICKNESS_CM * intensity(q) * weight


@pytest.fixture(scope="module")
def integrator():
    return Integrator(GEOMETRY, points=100, polarization=0.0)


def test_intensity_is_absolute_at_the_mean_q_of_each_bin(integrator):
    frame = expected(guinier, i0=1e6, transmission=0.8)
    curve = integrator.reduce(frame, i0=1e6, i1=0.9 * 0.8e6, empty_beam_ratio=0.9, **PARAMETERS)
    assert curve.absolute
    assert curve.transmission == pytest.approx(0.8)
    q, _ = pixels()
    assert curve.q_inv_nm[0] < q.min() + 0.05
    assert curve.q_inv_nm[-1] == pytest.approx(q.max(), abs=0.05)
    assert curve.pixels.sum() == frame.size
    np.testing.assert_allclose(curve.intensity, guinier(curve.q_inv_nm), rtol=1e-3)


@pytest.mark.parametrize("polarization", [0.0, 0.98, -0.5])
def test_a_flat_scatterer_is_flat_when_solid_angle_and_polarization_are_taken_out(polarization):
    flat = Integrator(GEOMETRY, points=50, polarization=polarization)
    frame = expected(np.ones_like, i0=1e6, transmission=0.8, polarization=polarization)
    curve = flat.reduce(frame, i0=1e6, transmission=0.8, **PARAMETERS)
    np.testing.assert_allclose(curve.intensity, 1.0, rtol=2e-5)


@pytest.mark.parametrize("i0", [1e6, 3e3])
def test_errors_are_those_of_counting_down_to_a_hundredth_of_a_count_a_pixel(integrator, i0):
    mean = expected(np.ones_like, i0=i0, transmission=0.8)
    pulls = []
    for seed in range(20):
        frame = np.random.default_rng(seed).poisson(mean)
        curve = integrator.reduce(frame, i0=i0, transmission=0.8, **PARAMETERS)
        pulls.append((curve.intensity - 1.0) / curve.sigma)
        assert np.corrcoef(pulls[-1][:-1], pulls[-1][1:])[0, 1] == pytest.approx(0, abs=0.4)
    enough = curve.pixels * mean.mean() > 20
    pulls = np.array(pulls)[:, enough]
    assert pulls.size > 1000
    assert pulls.mean() == pytest.approx(0, abs=0.15)
    assert pulls.std() == pytest.approx(1, abs=0.06)
    if i0 == 1e6:
        assert stats.kstest(pulls.ravel(), "norm").pvalue > 1e-3


def test_where_nothing_is_counted_the_error_is_one_count(integrator):
    curve = integrator.reduce(np.zeros(SHAPE, int), i0=1e6, transmission=0.8, **PARAMETERS)
    q, weight = pixels()
    where = (q >= 3.0) & (q < 4.0)
    within = (curve.q_inv_nm >= 3.0) & (curve.q_inv_nm < 4.0)
    assert np.all(curve.intensity == 0)
    one_count = FACTOR / (1e6 * 0.8 * THICKNESS_CM * weight[where].mean() * curve.pixels[within])
    np.testing.assert_allclose(curve.sigma[within], one_count, rtol=0.02)


def test_exposures_of_a_fading_beam_count_by_their_monitors(integrator):
    rng = np.random.default_rng(1)
    monitors = np.array([1e6, 5e5, 1e5])
    frames = np.array([rng.poisson(expected(guinier, i0=i0, transmission=0.7)) for i0 in monitors])
    curve = integrator.reduce(frames, i0=monitors, i1=0.7 * monitors, **PARAMETERS)
    long = integrator.reduce(frames.sum(axis=0), i0=monitors.sum(), transmission=0.7, **PARAMETERS)
    np.testing.assert_allclose(curve.intensity, long.intensity, rtol=1e-6)
    np.testing.assert_allclose(curve.sigma, long.sigma, rtol=1e-6)


def test_bad_pixels_are_left_out_and_counted(integrator):
    rng = np.random.default_rng(2)
    clean = rng.poisson(expected(guinier, i0=1e6, transmission=0.8)).astype(np.int32)
    frame = clean.copy()
    hot = rng.choice(frame.size, 12, replace=False)
    frame.flat[hot] = np.geomspace(1e4, 2**20 - 1, 12)
    frame[100, 50] = 0
    frame[120:124] = -1
    frame[10, 10] = frame[10, 11] = 2_000_000
    used = Integrator(GEOMETRY, points=100, polarization=0.0, saturation=2**20)
    curve = used.reduce(frame, i0=1e6, transmission=0.8, **PARAMETERS)
    assert set(curve.warnings) == {
        "12 hot pixels were left out", "1 dead pixels were left out", "2 saturated pixels were left out",
    }  # fmt: skip
    truth = guinier(curve.q_inv_nm)
    assert np.std((curve.intensity - truth) / curve.sigma) == pytest.approx(1, abs=0.25)
    assert curve.pixels.sum() == frame.size - 4 * SHAPE[1] - 15


def test_a_clean_frame_loses_no_pixel(integrator):
    rng = np.random.default_rng(3)
    for i0 in (1e3, 1e5, 1e7):
        frame = rng.poisson(expected(guinier, i0=i0, transmission=0.8))
        assert integrator.reduce(frame, i0=i0, transmission=0.8, **PARAMETERS).warnings == ()


def test_arcs_of_oriented_lamellae_are_signal_not_hot_pixels(integrator):
    q, weight = pixels()
    rows, columns = np.indices(SHAPE)
    azimuth = np.arctan2((rows + 0.5) * PIXEL_M - GEOMETRY.poni1_m, (columns + 0.5) * PIXEL_M - GEOMETRY.poni2_m)
    arcs = 5.0 * np.exp(-(((q - 4.0) / 0.15) ** 2)) * np.exp(-((np.sin(azimuth) / 0.1) ** 2))
    mean = 1e6 / FACTOR * 0.8 * THICKNESS_CM * (0.05 + arcs) * weight
    frame = np.random.default_rng(4).poisson(mean)
    curve = integrator.reduce(frame, i0=1e6, transmission=0.8, **PARAMETERS)
    assert curve.warnings == ()
    peak = np.argmin(abs(curve.q_inv_nm - 4.0))
    edges = (
        0.5 * (curve.q_inv_nm[peak - 1] + curve.q_inv_nm[peak]),
        0.5 * (curve.q_inv_nm[peak] + curve.q_inv_nm[peak + 1]),
    )
    ring = (q >= edges[0]) & (q < edges[1])
    assert curve.intensity[peak] == pytest.approx((0.05 + arcs)[ring].mean(), rel=0.05)


def test_a_background_is_subtracted_by_its_own_transmission_with_its_errors(integrator):
    def solvent(q):
        return 0.03 + 0.001 / q

    rng = np.random.default_rng(5)
    behind = rng.poisson(expected(solvent, i0=1e6, transmission=0.87, exposure_s=4.0))
    filled = rng.poisson(expected(lambda q: guinier(q) + solvent(q), i0=8e5, transmission=0.8))
    background = integrator.reduce(behind, i0=1e6, transmission=0.87, uid="b", **{**PARAMETERS, "exposure_s": 4.0})
    curve = integrator.reduce(filled, i0=8e5, transmission=0.8, background=background, uid="s", **PARAMETERS)
    assert (curve.uid, curve.background_uid) == ("s", "b")
    pulls = ((curve.intensity - guinier(curve.q_inv_nm)) / curve.sigma)[1:]
    assert abs(pulls.mean()) < 0.35
    assert pulls.std() == pytest.approx(1, abs=0.25)


def test_a_background_of_other_points_or_units_is_refused(integrator):
    frame = expected(guinier, i0=1e6, transmission=0.8)
    curve = integrator.reduce(frame, i0=1e6, transmission=0.8, **PARAMETERS)
    other = Integrator(GEOMETRY, points=80).reduce(frame, i0=1e6, transmission=0.8, uid="old", **PARAMETERS)
    with pytest.raises(ValueError, match=r"background old has other points: 80 up to .* the sample 100 up to"):
        subtract(curve, other)
    relative = integrator.reduce(
        frame, i0=1e6, transmission=0.8, **{k: v for k, v in PARAMETERS.items() if k != "calibration_factor"}
    )
    assert not relative.absolute
    with pytest.raises(ValueError, match="the sample is absolute, its background not calibrated"):
        subtract(curve, relative)


def test_displaced_solvent_is_not_subtracted():
    def curve(intensity):
        points = np.arange(1.0, 4.0)
        return ScatteringCurve(points, intensity * np.ones(3), 0.1 * np.ones(3), absolute=True)

    left = subtract(curve(2.0), curve(1.0), share=0.9)
    np.testing.assert_allclose(left.intensity, 1.1)
    np.testing.assert_allclose(left.sigma, np.hypot(0.1, 0.09))


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"frames": np.ones((619, 487))}, "a frame of 619 × 487 pixels; this detector has 240 × 200"),
        ({"frames": np.ones(9)}, "a frame of 9 pixels"),
        ({"frames": -np.ones(SHAPE)}, "no pixel of the frame is usable"),
        ({"i0": 0.0}, "i0 was 0 counts/s: no beam"),
        ({"i0": [1e6, 1e6]}, "i0 has 2 values for 1 frames"),
        ({"i1": float("nan"), "transmission": None}, "i1 was nan"),
        ({"transmission": 1.3}, "a transmission of 1.3 can't be"),
        ({"transmission": None}, "neither i1 nor a transmission"),
        ({"thickness_cm": 0.0}, "thickness_cm must be positive, not 0.0"),
        ({"exposure_s": -1.0}, "exposure_s must be positive"),
        ({"calibration_factor": 0.0}, "calibration_factor must be positive"),
    ],
)
def test_what_can_not_be_normalised_is_refused_in_words(integrator, wrong, words):
    arguments = {"frames": np.ones(SHAPE), "i0": 1e6, "transmission": 0.8, **PARAMETERS, **wrong}
    with pytest.raises(ValueError, match=words):
        integrator.reduce(arguments.pop("frames"), **arguments)


def test_a_geometry_or_mask_that_can_not_be_is_refused():
    with pytest.raises(ValueError, match=r"distance_m must be positive, not 0\.0"):
        PoniGeometry(0.0, 0.0, 0.0, 12.0, SHAPE)
    with pytest.raises(ValueError, match="the mask has 10 × 10 pixels, the frame 240 × 200"):
        Integrator(GEOMETRY, np.zeros((10, 10), bool))
    with pytest.raises(ValueError, match="the mask leaves no pixel"):
        Integrator(GEOMETRY, np.ones(SHAPE, bool))


def test_masks_of_detector_beam_stop_and_file(tmp_path):
    gaps = detector_mask("Pilatus 300k", (619, 487))
    # three modules of 195 rows with 17 between them
    expected_gaps = np.ones((619, 487), bool)
    for top in (0, 212, 424):
        expected_gaps[top : top + 195] = False
    assert np.array_equal(gaps, expected_gaps)
    with pytest.raises(ValueError, match="no detector 'abacus'"):
        detector_mask("abacus", SHAPE)
    with pytest.raises(ValueError, match=r"Pilatus 300k has \(619, 487\)"):
        detector_mask("Pilatus 300k", SHAPE)
    shadow = beam_stop_mask(GEOMETRY, 2e-3)
    assert shadow.sum() == pytest.approx(np.pi * (2e-3 / PIXEL_M) ** 2, rel=0.03)
    assert shadow[60, 97]
    import fabio

    np.save(tmp_path / "mask.npy", shadow)
    fabio.edfimage.EdfImage(data=shadow.astype(np.uint8)).write(str(tmp_path / "mask.edf"))
    for name in ("mask.npy", "mask.edf"):
        assert np.array_equal(load_mask(tmp_path / name, SHAPE), shadow)
    with pytest.raises(ValueError, match=r"mask.npy: the mask has \(240, 200\)"):
        load_mask(tmp_path / "mask.npy", (5, 5))
