"""Regularised inversion about the populations, for distributions that a few populations don't describe.

The distribution is f₀ + δ, f₀ that of the best model, δ a Gaussian process in ln R with standard deviation s times a
broadened f₀. Evidence decides s, beside the model's own parameters: for most curves s = 0, and the populations are the
answer. Where it is not, f₀ + δ ≥ 0 of highest posterior probability is: non-negative least squares with the process as
its penalty, Tikhonov's regularisation with the strength found by evidence (MacKay, *Neural Computation* 1992, 4, 415).
"""

import math
from dataclasses import dataclass, field

import numpy as np
from scipy.optimize import nnls

from msc_plans.analysis.saxs.fit import columns
from msc_plans.analysis.saxs.noise import PreparedCurve
from msc_plans.analysis.saxs.populations import Basis, Model

__all__ = ["Inversion", "invert"]

_STRIDE = 4
_LENGTH = 0.12
_BROADENING = 0.3
_FLOOR = 0.02
_STRENGTHS = (0.1, 0.3, 1.0, 3.0)
_LEAST_EVIDENCE = 6.0
_LEAST_NOISE = 0.01


@dataclass(frozen=True)
class Inversion:
    """A distribution by regularised inversion."""

    radius_nm: np.ndarray = field(repr=False)
    share: np.ndarray = field(repr=False)
    """Share of the volume at each radius of a grid with equal steps in ln R; they sum to 1."""
    share_sigma: np.ndarray = field(repr=False)
    amount: float
    """As the sum of a model's amounts."""
    mean_nm: float
    width: float
    spread: np.ndarray
    """σ of mean radius, relative width and ln(amount), shape (3,)."""
    fit: np.ndarray = field(repr=False)
    background: np.ndarray = field(repr=False)


def invert(curve: PreparedCurve, basis: Basis, model: Model, signed: bool) -> Inversion | None:
    """The distribution where the populations of `model` don't describe the curve, else None.

    Parameters
    ----------
    curve : PreparedCurve
    basis : Basis
        For the curve's q.
    model : Model
        The best, with at least one population.
    signed : bool
        Whether the constant may be negative.
    """
    own_rows = columns(model.theta, curve.q_inv_nm, curve.sigma, basis.log_radius, basis.table)
    pull = curve.intensity / curve.sigma - model.amounts @ own_rows
    # From point to point, for the whole misfit is what is in question.
    noise = max(min(float(np.mean(np.diff(pull) ** 2)) / 2.0, float(np.mean(pull**2))), _LEAST_NOISE)
    scale = curve.sigma * math.sqrt(noise)
    cells = np.arange(0, len(basis.log_radius), _STRIDE)
    size = np.diff(np.append(cells, len(basis.log_radius)))
    log_radius = np.add.reduceat(basis.log_radius, cells) / size
    radius = np.exp(log_radius)
    total = float(model.amounts[2:].sum())
    start = model.density(basis.log_radius)
    start = np.add.reduceat(start, cells)
    kernel = total * (np.add.reduceat(basis.table, cells, axis=0) / size[:, None]).T / scale[:, None]
    apart = log_radius[:, None] - log_radius
    broad = np.exp(-0.5 * (apart / _BROADENING) ** 2) @ start
    envelope = broad / broad.sum() + _FLOOR * broad.max() / broad.sum()
    correlation = np.exp(-0.5 * (apart / _LENGTH) ** 2) + 1e-8 * np.eye(len(radius))
    root = envelope[:, None] * np.linalg.cholesky(correlation)
    rows, residual = own_rows / math.sqrt(noise), pull / math.sqrt(noise)
    # What the model's own parameters could do is theirs.
    own, _ = np.linalg.qr(model.gradient.T)
    process = kernel @ root
    left, singular, _ = np.linalg.svd(process - own @ (own.T @ process), full_matrices=False)
    along = left.T @ (residual - own @ (own.T @ residual))

    def evidence(strength: float) -> float:
        gain = (strength * singular) ** 2
        return 0.5 * float(np.sum(along**2 * gain / (1.0 + gain) - np.log1p(gain)))

    strength = max(_STRENGTHS, key=evidence)
    if evidence(strength) < _LEAST_EVIDENCE:
        return None
    precision = np.linalg.solve(root, np.eye(len(radius))) / strength
    # Unknown: both signs of the constant where it may be negative, upturn, shares.
    nuisance = np.column_stack([rows[0], -rows[0] * signed, rows[1]])
    unit = np.sqrt((nuisance**2).sum(axis=0)) + 1e-300
    design = np.block([[nuisance / unit, kernel], [np.zeros((len(radius), 3)), precision]])
    solution, _ = nnls(
        design, np.concatenate([curve.intensity / scale, precision @ start]), maxiter=50 * design.shape[1]
    )
    constant, upturn = (solution[0] - solution[1]) / unit[0], solution[2] / unit[2]
    found = solution[3:]
    background = constant * rows[0] + upturn * rows[1]
    full = design[:, [0, 2, *range(3, design.shape[1])]]
    covariance = np.linalg.pinv(full.T @ full, hermitian=True)[2:, 2:]
    whole = float(found.sum())
    share = found / whole
    mean = float(share @ radius)
    width = math.sqrt(max(float(share @ radius**2) - mean**2, 0.0)) / mean
    by_share = (np.eye(len(share)) - share[:, None]) / whole
    by_mean = radius - mean
    by_width = (by_mean**2 - (width * mean) ** 2) / (2.0 * width * mean**2) - width * by_mean / mean
    slopes = np.array([by_mean, by_width, np.ones(len(radius))]) / whole
    return Inversion(
        radius,
        share,
        np.sqrt(np.maximum(np.diag(by_share @ covariance @ by_share.T), 0.0)),
        total * whole,
        mean,
        width,
        np.sqrt(np.maximum(np.diag(slopes @ covariance @ slopes.T), 0.0)),
        (background + kernel @ found) * scale,
        background * scale,
    )
