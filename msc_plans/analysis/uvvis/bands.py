"""Family bands and the nanocrystals' first maximum, measured on a fit, with their uncertainties."""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter1d

from msc_plans.analysis.uvvis.fit import SpectrumFit
from msc_plans.analysis.uvvis.model import FWHM_PER_SIGMA, REST
from msc_plans.families import Family, FamilyTable

__all__ = ["BandShape", "FirstMaximum", "first_maximum", "measure_families"]

_FINE_NM = 0.5
_EYE_SIGMA_NM = 8.0
"""Resolution at which a person reads a maximum or shoulder: on 34 aliquots of two real growth runs, read by hand by
others, the point of greatest curvature of the spectrum smoothed so falls within 4 nm of the reading in all."""
_BEND_SIGMAS = 4.0
_SIZEABLE = 0.2
_WIDEST_NM = 85.0
"""A bend wider than this (eye's resolution included) belongs to baseline or continuum, not to a transition."""
_READING_SIGMA_NM = 1.2
"""By how much the place of greatest curvature and the highest point of a band differ (1 σ)."""
_TOP_SHARE, _TOP_NM = 0.5, 2.2
_PLACE_GAIN = 5.0
"""Of the error that the fit's covariance gives a maximum: which columns are in use is a choice that it does not know.
By maximum likelihood on 1500 synthetic spectra (Student's t of 6 degrees of freedom) 4.5 to 5.3."""
_HEIGHT_SHARE = 0.06
"""Share of the height that the split between baseline, families and the rest leaves open (1 σ)."""
_READ_FROM_NM, _READ_TO_NM = -10.0, 715.0
"""Where readings lie: from so far beyond the shortest first maximum looked for, nm, to the end of the visible."""


@dataclass(frozen=True)
class BandShape:
    """A band: maximum, width, height, area and the covariance-derived σ of each."""

    wavelength_nm: float
    fwhm_nm: float
    height: float
    area_nm: float
    sigma: dict[str, float]
    covered: bool
    """Whether the spectrum reaches over the place of the band."""


@dataclass(frozen=True)
class FirstMaximum:
    """The nanocrystals' first absorption maximum."""

    wavelength_nm: float
    centre_nm: float
    edge_nm: float
    height: float
    fwhm_nm: float
    sigma: dict[str, float]


def covers(wavelength_nm: np.ndarray, family: Family) -> bool:
    """Return whether measured points lie on both sides of the family's maximum and within its half width of it."""
    reach = 0.5 * family.fwhm_nm[1]
    near = wavelength_nm[np.abs(wavelength_nm - family.wavelength_nm) <= reach]
    return bool(near.size >= 3 and near.min() < family.wavelength_nm - 0.3 * reach
                and near.max() > family.wavelength_nm + 0.3 * reach)  # fmt: skip


def measure_families(fit: SpectrumFit, families: FamilyTable) -> list[BandShape]:
    """Measure each family's band: its shape on the fit, its σ from a joint linearised fit with everything else."""
    x = fit.binned.wavelength_nm
    shapes = [_shape(fit, number, family) for number, family in enumerate(families)]
    covered = [covers(x, family) for family in families]
    rest = fit.active[fit.model.kind[fit.active] < 0]
    weight = 1.0 / np.hypot(fit.binned.sigma, 1e-3 * np.abs(fit.binned.absorbance - np.min(fit.binned.absorbance)))
    parts, scales = [fit.model.evaluate(x, rest)], [np.ones(len(rest))]
    for (centre, fwhm, height, _), family in zip(shapes, families, strict=True):
        z = (x - centre) / (fwhm / FWHM_PER_SIGMA)
        band = np.exp(-0.5 * z * z)
        known = max(height, 1e-12)
        parts.append(np.stack([band, known * band * z * FWHM_PER_SIGMA / fwhm, known * band * z * z / fwhm], axis=1))
        # Position and width are known beforehand to lie in the family's ranges.
        low, high = family.fwhm_nm
        scales.append(np.array([1e6, family.tolerance_nm / 1.5, (high - low) / 3.5]))
    design = np.concatenate(parts, axis=1) * weight[:, None]
    normal = design.T @ design / fit.scale
    # A coefficient that can't be negative is known at least to its own size.
    own = np.where(fit.model.kind[rest] == REST, np.abs(fit.coefficients[rest]), 1e6)
    prior = np.concatenate([1.0 / np.maximum(own, 1e-9) ** 2, *[1.0 / scale**2 for scale in scales[1:]]])
    size = np.sqrt(np.diag(normal) + prior)
    covariance = np.linalg.pinv(
        (normal + np.diag(prior)) / np.outer(size, size) + 1e-9 * np.eye(len(size)), hermitian=True
    ) / np.outer(size, size)
    out = []
    for number, (centre, fwhm, height, area) in enumerate(shapes):
        at = len(rest) + 3 * number
        s_height, s_centre, s_fwhm = np.sqrt(np.maximum(np.diag(covariance)[at : at + 3], 0.0))
        ratio = area / height if height > 0 else fwhm * 1.0645
        correlation = covariance[at, at + 2]
        variance = (ratio * s_height) ** 2 + (1.0645 * height * s_fwhm) ** 2 + 2 * ratio * 1.0645 * height * correlation
        sigma = {
            "height": float(s_height),
            "wavelength_nm": float(s_centre),
            "fwhm_nm": float(s_fwhm),
            "area_nm": float(np.sqrt(max(variance, 0.0))),
        }
        if not covered[number]:
            sigma = dict.fromkeys(sigma, float("inf"))
            height = area = 0.0
        out.append(BandShape(centre, fwhm, height, area, sigma, covered[number]))
    return out


def _shape(fit: SpectrumFit, number: int, family: Family) -> tuple[float, float, float, float]:
    """Maximum, FWHM, height and area of one family's part of the fit; the table's middle values where it has none."""
    middle = float(np.sqrt(family.fwhm_nm[0] * family.fwhm_nm[1]))
    which = fit.active[fit.model.kind[fit.active] == number]
    if not which.size:
        return family.wavelength_nm, middle, 0.0, 0.0
    reach = family.tolerance_nm + 2.0 * family.fwhm_nm[1]
    grid = np.arange(family.wavelength_nm - reach, family.wavelength_nm + reach, 0.25)
    curve = fit.model.evaluate(grid, which) @ fit.coefficients[which]
    top = int(np.argmax(curve))
    height = float(curve[top])
    above = grid[curve >= 0.5 * height]
    area = float(np.trapezoid(curve, grid))
    return float(grid[top]), float(above[-1] - above[0] + 0.25), height, area


def first_maximum(fit: SpectrumFit) -> FirstMaximum | None:
    """Find the nanocrystals' first maximum or shoulder in the fitted absorption without baseline and families.

    It is the reddest place where that absorption, at the resolution of a person's eye, bends down most, and where the
    bend is a sizeable part of the strongest bend; None where there is no bend beyond its uncertainty.
    """
    x = fit.binned.wavelength_nm
    low, high = max(fit.model.first_nm + _READ_FROM_NM, float(x[0])), min(_READ_TO_NM, float(x[-1]))
    if high - low < 40.0:
        return None
    grid = np.arange(low - 30.0, high + 30.0, _FINE_NM)
    rest = np.flatnonzero(fit.model.kind[fit.active] == REST)
    if not rest.size:
        return None
    basis = fit.model.evaluate(grid, fit.active[rest])
    covariance = fit.covariance[np.ix_(rest, rest)]
    curve = basis @ fit.coefficients[fit.active[rest]]
    bend_basis = _bend(basis, _EYE_SIGMA_NM)
    bend = bend_basis @ fit.coefficients[fit.active[rest]]
    peaks = 1 + np.flatnonzero((bend[1:-1] > bend[:-2]) & (bend[1:-1] >= bend[2:]) & (bend[1:-1] > 0))
    candidates = []
    for k in peaks[(grid[peaks] >= low) & (grid[peaks] <= high)]:
        half_width, band = _bend_width(bend, k)
        real = bend[k] > _BEND_SIGMAS * _deviation(bend_basis[k], covariance) and curve[k] > 0
        if real and FWHM_PER_SIGMA * half_width < _WIDEST_NM:
            candidates.append((int(k), half_width, band))
    if not candidates:
        return None
    strongest = max(band for _, _, band in candidates)
    k, half_width, _ = [c for c in candidates if c[2] >= _SIZEABLE * strongest][-1]

    curvature = float(bend[k + 1] - 2 * bend[k] + bend[k - 1])
    place = float(grid[k]) - _FINE_NM * 0.5 * float(bend[k + 1] - bend[k - 1]) / min(curvature, -1e-300)
    place -= _towards_top(curve, k)
    # At the reading F = d(bend)/dλ is 0; an error δF moves it by −δF/F'.
    slope_row = (bend_basis[k + 1] - bend_basis[k - 1]) / (2 * _FINE_NM)
    s_place = min(30.0, _PLACE_GAIN * _deviation(slope_row, covariance) / max(-curvature / _FINE_NM**2, 1e-15))

    slope = np.gradient(gaussian_filter1d(curve, 2.0 / _FINE_NM, mode="nearest"), _FINE_NM)
    red = slice(k, min(len(grid), k + int(2.5 * half_width / _FINE_NM) + 2))
    near = slice(max(0, k - int(12 / _FINE_NM)), k + int(12 / _FINE_NM) + 1)
    # The eye's resolution adds in quadrature to the band's own width.
    fwhm = FWHM_PER_SIGMA * float(np.sqrt(max(half_width**2 - _EYE_SIGMA_NM**2, 9.0)))
    sigma = {
        "wavelength_nm": float(np.hypot(s_place, _READING_SIGMA_NM)),
        "band_center_nm": float(np.hypot(s_place, 1.3)),
        "height": float(np.hypot(_deviation(basis[k], covariance), _HEIGHT_SHARE * curve[k])),
        "fwhm_nm": float(np.hypot(2.0 * s_place, 0.1 * fwhm)),
    }
    centre = float(grid[near][int(np.argmax(_bend(curve, 2.0)[near]))])
    edge = float(grid[red][int(np.argmin(slope[red]))])
    return FirstMaximum(place, centre, edge, float(curve[k]), fwhm, sigma)


def _towards_top(curve: np.ndarray, k: int) -> float:
    """How far, nm, the reading lies from the greatest curvature towards a highest point close by."""
    blue = k
    while blue > 0 and curve[blue - 1] > curve[blue]:
        blue -= 1
    is_top = 0 < blue < k
    return min(_TOP_SHARE * _FINE_NM * (k - blue), _TOP_NM) if is_top else 0.0


def _bend(curve: np.ndarray, resolution_nm: float) -> np.ndarray:
    """Minus the second derivative along the first axis at a resolution (σ), 1/nm²."""
    smooth = gaussian_filter1d(curve, resolution_nm / _FINE_NM, axis=0, order=2, mode="nearest")
    return -smooth / _FINE_NM**2


def _deviation(row: np.ndarray, covariance: np.ndarray) -> float:
    return float(np.sqrt(max(row @ covariance @ row, 0.0)))


def _bend_width(bend: np.ndarray, k: int) -> tuple[float, float]:
    """σ, nm, and height of the Gaussian that bends so: a Gaussian bends down between its centre ± σ."""
    right = k
    while right < len(bend) - 1 and bend[right] > 0:
        right += 1
    left = k
    while left > 0 and bend[left] > 0:
        left -= 1
    # On the blue side the next transition comes soon: the red side shows the band's own width.
    half_width = _FINE_NM * min(right - k, 1.5 * max(k - left, 1))
    half_width = max(half_width, _EYE_SIGMA_NM)
    smoothing = half_width / np.sqrt(max(half_width**2 - _EYE_SIGMA_NM**2, 9.0))
    return half_width, float(bend[k] * half_width**2 * smoothing)
