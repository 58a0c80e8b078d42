"""Figures of results: what a reader sees must be what the result says."""

from dataclasses import replace

import numpy as np
import pytest
from matplotlib.figure import Figure

from msc_plans.analysis.lamellae.result import LamellaeResult, Peak
from msc_plans.analysis.saxs.result import FamilyShare, SaxsResult
from msc_plans.analysis.uvvis.result import FamilyBand, Nanocrystal, UvVisResult
from msc_plans.families import built_in_families
from msc_plans.views.lamellae import draw_lamellae
from msc_plans.views.scattering import draw_curve, draw_sizes
from msc_plans.views.spectrum import draw_spectrum

WAVELENGTH = np.linspace(340.0, 700.0, 361)
Q = np.geomspace(0.1, 5.0, 100)


def gaussian(x, at, width):
    return np.exp(-0.5 * ((x - at) / width) ** 2)


def band(name, at, *, detected):
    return FamilyBand(
        family=name, detected=detected, probability=0.99 if detected else 0.01, wavelength_nm=at, fwhm_nm=20.0,
        height=0.1, area_nm=2.0, concentration_mol_l=1e-5, sigma={},
    )  # fmt: skip


def spectrum(*detected, crystal=True):
    rest = (
        0.02
        + 2.0 * np.exp(-(WAVELENGTH - 340.0) / 20.0)
        + (0.1 * gaussian(WAVELENGTH, 527.0, 15.0) if crystal else 0.0)
    )
    families = tuple(band(f"CdSe-{at}", at + 0.3, detected=at in detected) for at in (403, 437, 465))
    fit = rest + sum(0.1 * gaussian(WAVELENGTH, at, 8.0) for at in detected)
    found = Nanocrystal(
        wavelength_nm=527.2, band_center_nm=527.0, height=0.1, fwhm_nm=30.0, diameter_nm=2.65, diameter_in_range=True,
        aggregation_number=175.0, unit="CdSe units", edge_nm=540.0, size_dispersion=0.05, sigma={},
    )  # fmt: skip
    return UvVisResult(
        families=families, nanocrystal=found if crystal else None, noise=1e-3, optical_density_nm=1.0,
        wavelength_nm=WAVELENGTH, absorbance=fit, fit=fit, rest=rest, baseline=np.full_like(WAVELENGTH, 0.02),
    )  # fmt: skip


def scattering(**changes):
    fit = 2.0 / (1.0 + Q**4) + 0.05
    radius = np.linspace(0.8, 1.1, 30)
    density = gaussian(radius, 0.95, 0.03)
    result = SaxsResult(
        mean_radius_nm=0.9512, mean_radius_interval_nm=(0.9432, 0.9592), relative_width=0.05, relative_width_sigma=0.01,
        volume_fraction=1.5e-3, volume_fraction_sigma=1e-5, verdict="quantized", chi2_reduced=1.03, method="inversion",
        radius_nm=radius, volume_weighted=density, volume_weighted_sigma=0.1 * density, q_inv_nm=Q, intensity=fit,
        intensity_sigma=0.01 * fit, fit=fit, background=np.full_like(Q, 0.05),
        table_radii_nm={family.name: family.radius_nm for family in built_in_families()},
    )  # fmt: skip
    return replace(result, **changes)


def lamellar(*peaks, d=np.nan):
    fit = 0.05 + sum(gaussian(Q, at, 0.03) for at in peaks) + 0.02 / Q
    found = tuple(Peak(at, 0.07, 1.0, 0.1, order, {}) for order, at in enumerate(peaks, 1))
    structure = "lamellar" if np.isfinite(d) else "none"
    return LamellaeResult(found, structure, d, 0.01, 1.0, Q, fit, 0.01 * fit, fit, 0.05 + 0.02 / Q)


def drawn(draw, result, size=(6.0, 4.2), **kwargs):
    """Return the axes, drawn once, and all text on them."""
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots()
    draw(axes, result, **kwargs)
    figure.canvas.draw()
    return axes, "\n".join(text.get_text() for text in axes.texts)


def test_a_spectrum_names_what_was_found_and_nothing_else():
    axes, text = drawn(draw_spectrum, spectrum(403, 437), title="280 °C")
    assert "CdSe-403: 403.3 nm" in text
    assert "CdSe-437: 437.3 nm" in text
    assert "465" not in text
    assert "NC: 527 nm, ⌀ 2.65 nm" in text
    assert axes.get_title() == "280 °C"


def test_marks_stand_at_their_maxima_and_keep_apart():
    axes, _ = drawn(draw_spectrum, spectrum(403, 437, 465), size=(4.0, 3.8))
    assert [text.xy[0] for text in axes.texts] == pytest.approx([403.3, 437.3, 465.3, 527.2])
    boxes = [text.get_window_extent() for text in axes.texts]
    assert not any(a.overlaps(b) for k, a in enumerate(boxes) for b in boxes[k + 1 :])
    inside = axes.get_window_extent()
    assert all(inside.y0 <= box.y0 and box.y1 <= inside.y1 for box in boxes)


def test_a_weak_shoulder_is_not_dwarfed_by_the_ultraviolet():
    axes, _ = drawn(draw_spectrum, spectrum())
    low, high = axes.get_ylim()
    assert high - low < 0.6


def test_a_blank_spectrum_says_so_and_its_noise_fills_little():
    blank = spectrum(crystal=False)
    noise = np.random.default_rng(1).normal(0, 1e-3, len(WAVELENGTH))
    flat = np.zeros_like(noise)
    axes, text = drawn(draw_spectrum, replace(blank, absorbance=noise, fit=flat, rest=flat, baseline=flat))
    assert text == "no family, no nanocrystals"
    assert np.ptp(axes.get_ylim()) > 20e-3


def test_a_curve_shows_its_fit_and_says_what_it_hides():
    result = scattering()
    intensity = result.intensity.copy()
    intensity[-3:] = -0.01
    axes, text = drawn(draw_curve, replace(result, intensity=intensity, warnings=("q ends early",)))
    assert "reduced χ² 1.03" in text
    assert "3 points ≤ 0 not shown" in text
    assert "q ends early" in text
    assert axes.get_ylabel() == "intensity / cm⁻¹"
    assert axes.get_ylim()[0] > 0.01
    assert drawn(draw_curve, scattering(volume_fraction=np.nan))[0].get_ylabel() == "intensity"


def test_sizes_give_mean_interval_verdict_and_family_radii():
    shares = (FamilyShare("CdSe-437", 0.94, 0.7, 0.02), FamilyShare("CdSe-465", 1.02, 0.3, 0.02))
    _, text = drawn(draw_sizes, scattering(families=shares))
    assert "quantized" in text
    assert "0.951 nm (95 %: 0.943 to 0.959)" in text
    assert "437: 70 ± 2 %" in text.replace("\u00a0", " ")
    assert "CdSe-403" not in text
    _, text = drawn(draw_sizes, scattering(verdict="not resolved", volume_fraction=np.nan))
    assert "not resolved" in text
    assert "volume fraction" not in text
    assert "CdSe-403" in text


def test_family_names_give_way_where_there_is_no_room():
    radius = np.geomspace(0.5, 40.0, 60)
    wide = scattering(radius_nm=radius, volume_weighted=gaussian(radius, 10, 5), volume_weighted_sigma=0 * radius)
    axes, text = drawn(draw_sizes, wide)
    assert axes.get_xscale() == "log"
    assert "CdSe-403" not in text
    assert "families" in text.splitlines()


def test_no_scatterers_and_a_volume_fraction_that_can_not_be():
    nothing = scattering(mean_radius_nm=np.nan, radius_nm=np.zeros(0), verdict="no scatterers")
    assert drawn(draw_sizes, nothing)[1] == "no scatterers above background"
    assert "not in cm⁻¹?" in drawn(draw_sizes, scattering(volume_fraction=90.0))[1]


def test_lamellae_show_orders_and_spacing():
    axes, text = drawn(draw_lamellae, lamellar(1.84, 3.68, d=3.415), title="25 °C")
    assert "1.840 nm⁻¹\norder 1" in text
    assert "3.680 nm⁻¹\norder 2" in text
    assert "lamellar, d = 3.415 nm" in text
    assert [text.xy[0] for text in axes.texts[:2]] == [1.84, 3.68]
    assert drawn(draw_lamellae, lamellar())[1] == "no Bragg peak"
