"""A curve made ready for fitting: sorted, without gaps, with an error for each point."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import nnls

__all__ = ["FEWEST_POINTS", "PreparedCurve", "prepare", "variance_model"]

FEWEST_POINTS = 15
"""A curve of fewer points isn't fitted."""
_FLOOR = 1e-4
_SIMPLER = 10.0


@dataclass(frozen=True)
class PreparedCurve:
    """Points that are used, by ascending q."""

    q_inv_nm: np.ndarray = field(repr=False)
    intensity: np.ndarray = field(repr=False)
    sigma: np.ndarray = field(repr=False)
    given: bool = True
    """Whether the errors came with the curve; else they are estimated from its scatter."""
    warnings: tuple[str, ...] = ()


def prepare(q_inv_nm: ArrayLike, intensity: ArrayLike, sigma: ArrayLike | None = None) -> PreparedCurve:
    """Sort a curve, drop what can't be used, estimate the errors where there are none.

    Rows with q ≤ 0, or with q or intensity not finite, are dropped; so are rows with an unusable error while at least
    half of the errors are usable. With fewer, all errors are estimated from the scatter of the points.

    Raises
    ------
    ValueError
        The arrays differ in length or are not one-dimensional, fewer than `FEWEST_POINTS` usable points are left, or
        the intensity is the same everywhere.
    """
    q, y = (np.asarray(values, dtype=float) for values in (q_inv_nm, intensity))
    if q.ndim != 1 or y.shape != q.shape:
        raise ValueError(
            f"q_inv_nm and intensity must be columns of equal length, not of shapes {q.shape} and {y.shape}"
        )
    errors = None if sigma is None else np.asarray(sigma, dtype=float)
    if errors is not None and errors.shape != q.shape:
        raise ValueError(f"sigma must have one value a point, shape {q.shape}, not {errors.shape}")
    keep = np.isfinite(q) & np.isfinite(y) & (q > 0)
    warnings: list[str] = []
    if errors is not None:
        good = keep & np.isfinite(errors) & (errors > 0)
        if 2 * good.sum() >= keep.sum() and good.sum() >= FEWEST_POINTS:
            keep = good
        else:
            errors = None
            warnings.append("the errors given can't be used; estimated from the scatter of the points")
    if keep.sum() < FEWEST_POINTS:
        raise ValueError(
            f"only {keep.sum()} of {len(q)} rows have q > 0 and a finite intensity; a fit needs {FEWEST_POINTS}"
        )
    order = np.argsort(q[keep], kind="stable")
    q, y = q[keep][order], y[keep][order]
    if np.ptp(y) == 0 or np.ptp(q) == 0:
        raise ValueError("all intensities (or all q) are equal: this is not a scattering curve")
    if errors is None:
        return PreparedCurve(q, y, _from_scatter(q, y), False, tuple(warnings))
    s = errors[keep][order]
    return PreparedCurve(
        q, y, np.maximum(s, _FLOOR * np.maximum(np.abs(y), np.median(np.abs(y)) * 1e-3)), True, tuple(warnings)
    )


def variance_model(signal: np.ndarray, residual: np.ndarray) -> np.ndarray:
    """σ of each point from squared residuals: relative, ``σ = a |S|``, or ``σ² = a² S² + b |S| + c²``, a, b, c ≥ 0.

    The second, a relative error with counting and a floor, is taken where it is better by more than its two parameters
    are worth: in many curves nearly all points have one intensity, and a flexible fit may follow the few others.
    Residuals beyond 3.5 σ count as 3.5 σ.
    """
    signal = np.abs(signal)
    scale = float(np.mean(signal) + np.mean(np.abs(residual))) or 1.0
    s = np.maximum(signal / scale, 1e-6)
    square = (residual / scale) ** 2
    least = (_FLOOR * s) ** 2
    relative = _variance(s[:, None] ** 2, square, least)
    general = _variance(np.column_stack([s**2, s, np.ones_like(s)]), square, least)

    def surprise(variance: np.ndarray) -> float:
        return float(np.sum(np.log(variance) + np.minimum(square / variance, 12.0)))

    return scale * np.sqrt(general if surprise(relative) - surprise(general) > _SIMPLER else relative)


def _variance(terms: np.ndarray, square: np.ndarray, least: np.ndarray) -> np.ndarray:
    middle = float(np.median(square / terms[:, 0])) / 0.455
    variance = np.maximum(middle * terms[:, 0], least)
    for _ in range(20):
        clipped = np.minimum(square, 12.0 * variance)
        coefficients, _ = nnls(terms / variance[:, None], clipped / variance)
        new = np.maximum(terms @ coefficients, least)
        settled = np.max(np.abs(new / variance - 1.0)) < 1e-3
        variance = new
        if settled:
            break
    return variance


def _from_scatter(q: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Distance of each point from the cubic through its four neighbours, over what noise makes of it."""
    x = np.log(q)
    around = [x[k : len(x) - 4 + k] for k in (0, 1, 3, 4)]
    values = [y[k : len(y) - 4 + k] for k in (0, 1, 3, 4)]
    distance, gain = y[2:-2].copy(), np.ones(len(y) - 4)
    for a, place in enumerate(around):
        weight = np.ones(len(place))
        for b, other in enumerate(around):
            if a != b:
                gap = place - other
                weight *= (x[2:-2] - other) / np.where(gap == 0, np.inf, gap)
        distance -= weight * values[a]
        gain += weight**2
    gain = np.sqrt(gain)
    smooth = np.median(np.lib.stride_tricks.sliding_window_view(np.pad(y, 3, mode="edge"), 7), axis=1)
    inner = variance_model(smooth[2:-2], distance / gain)
    # The two points at each end have the relative error of the third.
    ends = np.maximum(1.0, np.abs(smooth) / (np.abs(np.interp(x, x[2:-2], smooth[2:-2])) + 1e-300))
    return np.interp(x, x[2:-2], inner) * ends
