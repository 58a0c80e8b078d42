"""Bragg peaks of layers in a scattering curve: positions, widths, orders, spacing, and how they melt.

A peak is reported where no smooth background and no form factor can stand in for it (`lamellae_background`), at a
chance of 1e-3 a curve that noise alone makes one (`lamellae_search`). One peak is one peak: a spacing is given only
where the orders say that the peaks are those of lamellae, 2π n/q_n (`lamellae_order`).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike

from msc_plans.analysis.lamellae.model import Atom, area_of
from msc_plans.analysis.lamellae.order import structure_of
from msc_plans.analysis.lamellae.result import LamellaeResult, Peak, Structure
from msc_plans.analysis.lamellae.search import SearchResult, area_at, search
from msc_plans.analysis.saxs.noise import prepare

__all__ = ["LamellaeResult", "Melting", "Peak", "Structure", "analyse", "melting"]

_SAME_PLACE = 0.05
_SURE = 3.0


def analyse(q_inv_nm: ArrayLike, intensity: ArrayLike, sigma: ArrayLike | None = None) -> LamellaeResult:
    """Find the Bragg peaks of one curve.

    Parameters
    ----------
    q_inv_nm : array-like, shape (points,)
        Momentum transfer, nm⁻¹, in any order.
    intensity : array-like, shape (points,)
        In any unit; rows that aren't finite are left out.
    sigma : array-like, shape (points,), optional
        Errors of the intensity; without them they are estimated from the scatter of the points.

    Raises
    ------
    ValueError
        The columns differ in length, or hold fewer than 15 usable points or one value only.
    """
    curve = prepare(q_inv_nm, intensity, sigma)
    found = search(curve)
    fit = found.fit
    peaks = sorted(_peaks(found), key=lambda peak: peak.q_inv_nm)
    structure, orders = structure_of([(peak.q_inv_nm, peak.sigma["q_inv_nm"]) for peak in peaks])
    peaks = [_with_order(peak, order) for peak, order in zip(peaks, orders, strict=True)]
    d, d_sigma = _spacing_nm(peaks) if structure == "lamellar" else (math.nan, math.nan)
    errors = fit.of.sigma
    return LamellaeResult(
        tuple(peaks),
        structure,
        d,
        d_sigma,
        fit.chi2 / fit.freedom,
        fit.of.q,
        fit.of.y * errors - found.offset,
        errors,
        fit.model * errors - found.offset,
        fit.model * errors - fit.peaks - found.offset,
    )


def _peaks(found: SearchResult) -> list[Peak]:
    fit = found.fit
    peaks = []
    covariance = fit.covariance(fit.disturbance())
    shown = [(atom, float(height)) for atom, height in zip(fit.atoms, fit.heights, strict=True) if atom.is_peak]
    for k, (atom, height) in enumerate(shown):
        block = covariance[3 * k : 3 * k + 3, 3 * k : 3 * k + 3]
        s_height, s_place, s_fwhm = (math.sqrt(max(block[i, i], 0.0)) for i in range(3))
        step = found.limits.spacing_at(atom.place)
        # A peak that fills no more than a point or two is placed by the grid.
        s_place = max(s_place, 0.3 * step) if atom.fwhm < 1.2 * step else s_place
        area = area_of(atom.fwhm, fit.mix) * height
        slope = np.array([area / height, 0.0, area / atom.fwhm]) if height else np.zeros(3)
        s_area = math.sqrt(max(float(slope @ block @ slope), 0.0))
        peaks.append(_peak(atom, height, area, s_place, s_fwhm, s_height, s_area))
    for place, step, height, s_height in found.points:
        peaks.append(_peak(Atom(place, step), height, height * step, 0.3 * step, step, s_height, s_height * step))
    return peaks


def _peak(
    atom: Atom, height: float, area: float, s_place: float, s_fwhm: float, s_height: float, s_area: float
) -> Peak:
    sigma = {"q_inv_nm": s_place, "fwhm_inv_nm": s_fwhm, "height": s_height, "area_inv_nm": s_area}
    return Peak(atom.place, atom.fwhm, height, area, None, sigma)


def _with_order(peak: Peak, order: int | None) -> Peak:
    return Peak(peak.q_inv_nm, peak.fwhm_inv_nm, peak.height, peak.area_inv_nm, order, peak.sigma)


def _spacing_nm(peaks: Sequence[Peak]) -> tuple[float, float]:
    """2π/q₁ and its σ, with q₁ the weighted mean of q_n/n."""
    first = [(peak.q_inv_nm / peak.order, peak.sigma["q_inv_nm"] / peak.order) for peak in peaks if peak.order]
    weights = np.array([max(sigma, 1e-9 * q) ** -2.0 for q, sigma in first])
    q1 = float(weights @ np.array([q for q, _ in first]) / weights.sum())
    return 2.0 * math.pi / q1, 2.0 * math.pi / q1**2 / math.sqrt(float(weights.sum()))


@dataclass(frozen=True)
class Melting:
    """Intensity of the first order over temperature; arrays of shape (temperatures,), by ascending temperature."""

    temperature_c: np.ndarray
    area_inv_nm: np.ndarray = field(repr=False)
    """Intensity of the first order, integrated over q; where no peak was found, what fits at its place."""
    area_sigma_inv_nm: np.ndarray = field(repr=False)
    upper_limit_inv_nm: np.ndarray = field(repr=False)
    """95 % limit of the area where the peak is absent, NaN where it is there."""
    present: np.ndarray = field(repr=False)
    interval_c: tuple[float, float]
    """Melted between the last temperature where the peak is there and the first above it; −inf or inf where the data
    don't reach, NaN without any peak."""


def melting(temperature_c: Sequence[float], results: Sequence[LamellaeResult]) -> Melting:
    """Follow the first order over temperature.

    Its place is that of the first order (of lamellae; else of the peak of greatest height over its σ) of the curve that
    shows it best; peaks within 5 % of it are the same one.

    Raises
    ------
    ValueError
        The two differ in length, are empty, or a temperature is not finite or there twice.
    """
    t = np.asarray(temperature_c, dtype=float)
    if t.ndim != 1 or len(t) != len(results) or not len(t):
        raise ValueError(
            f"temperature_c has shape {t.shape}, results {len(results)}: one temperature a result, at least one"
        )
    if not np.all(np.isfinite(t)) or len(np.unique(t)) != len(t):
        raise ValueError(f"temperature_c must be finite and each there once, not {temperature_c!r}")
    order = np.argsort(t)
    t = t[order]
    curves = [results[k] for k in order]
    lamellar = [result for result in curves if result.structure == "lamellar" and result.peaks[0].order == 1]
    firsts = [result.peaks[0] for result in lamellar] or [
        max(result.peaks, key=_clarity) for result in curves if result.peaks
    ]
    nothing = np.full(len(t), math.nan)
    if not firsts:
        return Melting(t, nothing, nothing, nothing, np.zeros(len(t), bool), (math.nan, math.nan))
    best = max(firsts, key=_clarity)
    area, sigma, limit, present = np.zeros(len(t)), np.zeros(len(t)), nothing.copy(), np.zeros(len(t), bool)
    for k, result in enumerate(curves):
        same = [p for p in result.peaks if abs(p.q_inv_nm - best.q_inv_nm) < _SAME_PLACE * best.q_inv_nm]
        if same:
            peak = max(same, key=lambda p: p.area_inv_nm)
            area[k], sigma[k], present[k] = peak.area_inv_nm, peak.sigma["area_inv_nm"], True
        else:
            area[k], sigma[k] = area_at(result, best.q_inv_nm, best.fwhm_inv_nm)
            limit[k] = max(area[k], 0.0) + 1.645 * sigma[k]
    last = int(np.flatnonzero(present)[-1])
    interval = (float(t[last]), float(t[last + 1]) if last + 1 < len(t) else math.inf)
    return Melting(t, area, sigma, limit, present, interval)


def _clarity(peak: Peak) -> float:
    return peak.area_inv_nm / max(peak.sigma["area_inv_nm"], 1e-300)
