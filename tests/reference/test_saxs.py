"""Form factors against sasmodels; curves made by other programs, not collected where the data are not there."""

import re
from pathlib import Path

import numpy as np
import pytest
from scipy.signal import find_peaks

from msc_plans.analysis.saxs.analyse import analyse
from msc_plans.analysis.saxs.form import scattering
from msc_plans.families import built_in_families

CONTRAST_INV_CM2 = built_in_families().material.contrast_inv_cm2
DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "saxs"

# sasmodels 1.1.0, sphere, double precision: volume fraction 1e-3, sld 39.7 and 6.2e-6 Å⁻²; the lognormal by number,
# 4000 points over 20 widths; cm⁻¹
SASMODELS_Q = np.array([0.1, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0])
SASMODELS_CM = {
    (0.94, 0.0): "3.89757250e-1 3.26451206e-1 1.85013537e-1 6.25301249e-2 7.67277678e-3 2.89094011e-4 2.85397365e-3 "
    "1.55855647e-3",
    (0.87, 0.03): "3.12857677e-1 2.68352675e-1 1.64872111e-1 6.66132787e-2 1.34288163e-2 2.52293895e-4 1.65417560e-3 "
    "2.01067456e-3",
    (0.94, 0.05): "4.03110678e-1 3.35532403e-1 1.86559376e-1 6.10845219e-2 7.36942005e-3 6.96551924e-4 2.76333188e-3 "
    "1.39089614e-3",
    (1.8, 0.1): "3.11449084e0 1.44072207e0 7.49830049e-2 1.75990985e-2 3.45854620e-3 2.18938020e-3 8.01900344e-4 "
    "5.02816676e-4",
    (3.0, 0.2): "2.11045803e1 9.70487367e-1 4.38150121e-2 7.94315065e-3 2.50777736e-3 1.02506330e-3 4.93707500e-4 "
    "2.66290708e-4",
}


@pytest.mark.parametrize(("radius", "width"), SASMODELS_CM)
def test_spheres_agree_with_sasmodels(radius, width):
    # By number the median of the lognormal is the radius; weighted by volume its mean is larger.
    mean, relative = radius * np.exp(3.5 * width**2), np.sqrt(np.expm1(width**2))
    ours = scattering(SASMODELS_Q, mean, relative, contrast_inv_cm2=CONTRAST_INV_CM2, volume_fraction=1e-3)
    np.testing.assert_allclose(ours, [float(x) for x in SASMODELS_CM[radius, width].split()], rtol=1e-6)


def test_first_minimum_of_the_sphere():
    q = np.linspace(4.0, 6.0, 200001)
    assert q[np.argmin(scattering(q, 0.94))] * 0.94 == pytest.approx(4.493409, abs=1e-4)


if DATA.is_dir():

    def _columns(name):
        """Numeric rows of a file, whatever its separators and line ends."""
        text = (DATA / name).read_bytes().decode().replace("\r\n", "\n").replace("\r", "\n")
        rows = []
        for line in text.split("\n"):
            try:
                rows.append([float(word) for word in re.split(r"[;\s,]+", line.strip()) if word])
            except ValueError:
                continue
        lengths = [len(row) for row in rows]
        width = max(set(lengths), key=lengths.count)
        return np.array([row for row in rows if len(row) == width]).T

    def test_the_tutorial_curves_three_modes_are_found():
        q, intensity, sigma = _columns("quickstartdemo1.csv")
        found = []
        for method in ("inversion", "monte carlo"):
            result = analyse(q, intensity, sigma, absolute=False, method=method)
            assert result.verdict == "continuous"
            # By ln R, in which the three are alike in width; smoothed over the Monte Carlo's bins.
            density = np.convolve(result.volume_weighted * result.radius_nm, np.ones(3) / 3, mode="same")
            peaks, _ = find_peaks(np.concatenate([[0.0], density, [0.0]]), prominence=0.05 * density.max())
            modes = result.radius_nm[peaks - 1]
            assert len(modes) == 3
            found.append(modes)
        # The methods share no more than the curve.
        np.testing.assert_allclose(found[0], found[1], rtol=0.2)

    def test_the_radius_of_equal_spheres_is_that_of_their_minimum():
        q, intensity = _columns("sphere_80.txt")
        minimum = q[np.argmin(intensity[q < 0.08])]
        result = analyse(10.0 * q, intensity, absolute=False)
        assert result.mean_radius_nm == pytest.approx(8.0, rel=2e-3)
        assert result.mean_radius_nm == pytest.approx(0.1 * 4.493409 / minimum, rel=0.02)
        assert result.relative_width < 0.02

    def test_polydisperse_spheres():
        q, intensity, sigma = _columns("PolySpheres.txt")
        result = analyse(10.0 * q, intensity, sigma, absolute=False)
        # Guinier's radius of a polydisperse sphere curve weighs by volume squared: <R⁸>/<R⁶> = 5/3 of its square.
        low = (q > 0) & (q < 0.006)
        slope = np.polyfit(q[low] ** 2, np.log(intensity[low]), 1)[0]
        guinier_nm = 0.1 * np.sqrt(-3.0 * slope)
        density = result.volume_weighted * np.gradient(result.radius_nm)
        moments = [density @ result.radius_nm**power for power in (5, 3)]
        assert np.sqrt(0.6 * moments[0] / moments[1]) == pytest.approx(guinier_nm, rel=0.02)
        low_nm, high_nm = result.mean_radius_interval_nm
        assert low_nm < result.mean_radius_nm < high_nm

    def test_lamellae_are_no_spheres():
        q, intensity, sigma = _columns("ISIS_83404.TXT")
        result = analyse(10.0 * q, intensity, sigma)
        assert any("do not describe" in warning for warning in result.warnings)
