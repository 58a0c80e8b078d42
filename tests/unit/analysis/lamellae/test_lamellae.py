"""Bragg peaks of analytic curves, and what they are the orders of."""

import math

import numpy as np
import pytest

from msc_plans.analysis.lamellae.analyse import analyse, melting

Q = np.linspace(0.3, 5.0, 300)


def gaussian(q, place, fwhm, height):
    return height * np.exp(-4 * math.log(2) * ((q - place) / fwhm) ** 2)


def curve(*peaks, noise=0.01, seed=1, q=Q):
    clean = 2e-3 * q**-3.5 + 0.02 + sum(gaussian(q, *peak) for peak in peaks)
    sigma = noise * clean + 1e-5
    return q, clean + sigma * np.random.default_rng(seed).normal(size=len(q)), sigma


def places(result):
    return [peak.q_inv_nm for peak in result.peaks]


@pytest.mark.parametrize("given", [True, False], ids=["with sigma", "without"])
def test_two_orders_are_lamellae(given):
    q, y, sigma = curve((1.84, 0.06, 0.05), (3.68, 0.06, 0.01))
    result = analyse(q[::-1], y[::-1], sigma[::-1] if given else None)
    assert result.structure == "lamellar"
    assert [peak.order for peak in result.peaks] == [1, 2]
    assert result.d_spacing_nm == pytest.approx(2 * math.pi / 1.84, abs=4 * result.d_spacing_sigma_nm)
    assert result.d_spacing_sigma_nm < 0.01
    first = result.peaks[0]
    assert abs(first.q_inv_nm - 1.84) < 4 * first.sigma["q_inv_nm"] < 0.02
    assert abs(first.fwhm_inv_nm - 0.06) < 4 * first.sigma["fwhm_inv_nm"] < 0.03
    assert abs(first.height - 0.05) < 5 * first.sigma["height"] < 0.02


def test_one_peak_is_one_peak():
    result = analyse(*curve((1.84, 0.06, 0.05)))
    assert result.structure == "single peak"
    assert result.peaks[0].order is None
    assert math.isnan(result.d_spacing_nm)


def test_a_hexagonal_packing_is_no_lamellae():
    result = analyse(*curve(*((1.2 * math.sqrt(k), 0.05, 0.05 / k) for k in (1, 3, 4))))
    assert result.structure == "hexagonal"
    assert math.isnan(result.d_spacing_nm)


def test_other_ratios_are_not_indexed():
    result = analyse(*curve(*((math.sqrt(k), 0.04, 0.05) for k in (1, 2, 3))))
    assert result.structure == "unindexed"
    assert places(result) == pytest.approx([1.0, 1.414, 1.732], abs=0.01)


@pytest.mark.parametrize("seed", range(3))
def test_nothing_is_found_in_a_bare_background(seed):
    assert analyse(*curve(seed=seed)).structure == "none"


def test_fringes_of_spheres_are_no_peaks():
    x = 6.0 * Q
    form = (3 * (np.sin(x) - x * np.cos(x)) / x**3) ** 2
    y = 10 * form + 2e-4
    sigma = 0.02 * y
    assert not analyse(Q, y + sigma * np.random.default_rng(2).normal(size=len(Q)), sigma).peaks


def test_a_single_wild_point_is_no_peak():
    q, y, sigma = curve()
    y[150] *= 1.6
    assert analyse(q, y, sigma).structure == "none"


def test_lamellae_melt_between_two_temperatures():
    heights = {25.0: 0.05, 50.0: 0.03, 100.0: 0.0}
    results = [analyse(*curve((1.84, 0.06, h), (3.68, 0.06, 0.2 * h), seed=int(t))) for t, h in heights.items()]
    found = melting(list(heights), results)
    assert found.interval_c == (50.0, 100.0)


@pytest.mark.parametrize(
    ("q", "y", "words"),
    [(Q, Q[:-1], "length|shape"), (Q[:5], Q[:5], "5|points|rows"), (Q, np.ones_like(Q), "equal|same|curve")],
    ids=["shapes", "few", "flat"],
)
def test_what_is_no_curve_is_refused(q, y, words):
    with pytest.raises(ValueError, match=words):
        analyse(q, y)
