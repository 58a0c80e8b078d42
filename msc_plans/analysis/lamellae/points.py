"""Single points of a curve: what they are worth, which of them stand alone, and which of those are orders of a peak."""

import math
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from msc_plans.analysis.lamellae.model import PeakFit
from msc_plans.analysis.lamellae.order import HEXAGONAL
from msc_plans.analysis.saxs.noise import PreparedCurve

__all__ = ["distinct", "errors", "lone_points", "offset_of", "orders_of_one_point"]

MOST_POINTS: Final = 800
_RELATIVE_ERROR = 0.003
_SLOPE_ERROR = 0.05


def distinct(curve: PreparedCurve) -> PreparedCurve:
    """One point for each q, and no more than `MOST_POINTS`: neighbours are averaged by their errors."""
    q = curve.q_inv_nm
    number = np.cumsum(np.diff(q, prepend=q[0]) > 1e-9 * q)
    number = number // math.ceil((number[-1] + 1) / MOST_POINTS)
    starts = np.flatnonzero(np.diff(number, prepend=-1))
    if len(starts) == len(q):
        return curve
    weight = curve.sigma**-2.0
    total = np.add.reduceat(weight, starts)
    q, y = (np.add.reduceat(weight * values, starts) / total for values in (q, curve.intensity))
    return replace(curve, q_inv_nm=q, intensity=y, sigma=total**-0.5)


def errors(curve: PreparedCurve) -> np.ndarray:
    """σ with what no model describes better: 0.3 % of the intensity, and 5 % of the step to the next points."""
    step = np.abs(np.diff(curve.intensity))
    steps = np.maximum(np.append(step, step[-1]), np.insert(step, 0, step[0]))
    return np.sqrt(curve.sigma**2 + (_RELATIVE_ERROR * curve.intensity) ** 2 + (_SLOPE_ERROR * steps) ** 2)


def lone_points(q: np.ndarray, y: np.ndarray, sigma: np.ndarray) -> np.ndarray:
    """Indices of points that leave the line through neighbours that agree with one another."""
    at = np.arange(3, len(q) - 3)
    outer, inner = at[:, None] + np.array([-3, -2, 2, 3]), at[:, None] + np.array([-1, 1])
    x = q[outer] - q[at, None]
    x_mean, y_mean = x.mean(axis=1), y[outer].mean(axis=1)
    slope = np.sum((x - x_mean[:, None]) * y[outer], axis=1) / np.sum((x - x_mean[:, None]) ** 2, axis=1)
    line = y_mean - slope * x_mean
    own = y[at] - line
    beside = np.sum(y[inner] - line[:, None] - slope[:, None] * (q[inner] - q[at, None]), axis=1)
    around = np.std(y[outer] - line[:, None] - slope[:, None] * x, axis=1)
    noise = np.hypot(sigma[at], 0.6 * sigma[outer].mean(axis=1))
    quiet = np.abs(beside) < np.maximum(3.5 * math.sqrt(2.0) * sigma[inner].mean(axis=1), 0.06 * np.abs(own))
    return at[(np.abs(own) > np.maximum(7.0 * noise, 6.0 * around)) & quiet]


def offset_of(curve: PreparedCurve) -> float:
    """What to add to a curve, of which too much may have been subtracted: how far it is below 0, and half its least."""
    smooth = np.median(sliding_window_view(np.pad(curve.intensity, 3, mode="edge"), 7), axis=1)
    least = float(smooth.min())
    return max(-least, 0.0) + 0.5 * abs(least)


def orders_of_one_point(
    curve: PreparedCurve, sigma: np.ndarray, lone: np.ndarray, fit: PeakFit, offset: float
) -> tuple[tuple[float, float, float, float], ...]:
    """Lone points that stand at an order of a peak, or of another such point: (q, spacing, height, σ)."""
    q = curve.q_inv_nm
    height = curve.intensity + offset - np.interp(q, fit.of.q, fit.model * fit.of.sigma)
    above = [int(k) for k in lone if height[k] > 5.0 * sigma[k]]
    spacing = np.gradient(q)
    firsts = [(atom.place, 0.1 * atom.fwhm) for atom in fit.atoms if atom.is_peak]
    ratios = (2.0, 3.0, HEXAGONAL[1], HEXAGONAL[3])
    kept = set()
    for k in above:
        others = [*firsts, *((float(q[j]), 0.5 * float(spacing[j])) for j in above if j != k)]
        for n, (other, doubt) in enumerate(others):
            low, high = min(q[k], other), max(q[k], other)
            for order in ratios if n < len(firsts) else ratios[:2]:
                allowed = 0.5 * spacing[k] * (order if low == q[k] else 1.0) + doubt * (order if low == other else 1.0)
                if abs(high - order * low) <= allowed:
                    kept.add(k)
    return tuple((float(q[k]), float(spacing[k]), float(height[k]), float(sigma[k])) for k in sorted(kept))
