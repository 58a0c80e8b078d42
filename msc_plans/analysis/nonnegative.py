"""Least squares with most coefficients held non-negative, restarted from a nearby solution.

The active-set method of Lawson and Hanson on the normal equations, in the form of Bro and De Jong (*J. Chemometrics*
1997, 11, 393), which takes a starting set: fits that differ by a few columns cost a few steps.
"""

import numpy as np
from scipy.linalg import lapack

__all__ = ["solve"]


def solve(
    gram: np.ndarray,
    projection: np.ndarray,
    *,
    free: np.ndarray,
    allowed: np.ndarray,
    start: np.ndarray | None = None,
    tolerance: float = 0.2,
) -> np.ndarray:
    """Minimise ``xᵀGx/2 − cᵀx`` with ``x ≥ 0`` except where free.

    Parameters
    ----------
    gram : ndarray, shape (n, n)
        ``AᵀA`` (and any penalty on its diagonal), A weighted by 1/σ and with columns of unit length.
    projection : ndarray, shape (n,)
        ``Aᵀy``.
    free : ndarray of bool, shape (n,)
        Columns whose coefficient may be negative.
    allowed : ndarray of bool, shape (n,)
        Columns that may be used at all; a column outside has coefficient 0.
    start : ndarray of bool, shape (n,), optional
        Columns to begin with, e.g. those in use in a similar fit.
    tolerance : float
        A column enters when its gradient exceeds this; with unit columns and unit σ it is in standard deviations.

    Returns
    -------
    ndarray, shape (n,)
        The coefficients.
    """
    count = len(projection)
    passive = free & allowed
    if start is not None:
        passive |= start & allowed
    x = _feasible(gram, projection, passive, free, np.zeros(count))
    for _ in range(3 * count):
        gradient = projection - gram @ x
        gradient[passive | ~allowed] = -np.inf
        best = int(np.argmax(gradient))
        if not gradient[best] > tolerance:
            break
        passive[best] = True
        x = _feasible(gram, projection, passive, free, x)
        if not passive[best]:
            # Rounding: the column's own gain is below what the solution resolves. Leave it out for good.
            allowed = allowed.copy()
            allowed[best] = False
    return x


def _feasible(
    gram: np.ndarray, projection: np.ndarray, passive: np.ndarray, free: np.ndarray, x: np.ndarray
) -> np.ndarray:
    """Solve on the passive set, leaving columns (in place) until no bound coefficient is negative."""
    while True:
        index = np.flatnonzero(passive)
        new = np.zeros_like(x)
        if not index.size:
            return new
        new[index] = _positive_definite_solve(gram[np.ix_(index, index)], projection[index])
        negative = passive & ~free & (new <= 0)
        if not negative.any():
            return new
        gap = x[negative] - new[negative]
        step = float(np.min(np.where(gap > 0, x[negative] / np.where(gap > 0, gap, 1.0), 0.0)))
        x = x + step * (new - x)
        leaving = passive & ~free & (x <= 1e-12 * max(1.0, float(np.max(np.abs(x))))) & negative
        if not leaving.any():
            leaving = negative
        passive[leaving] = False
        x = np.where(passive, x, 0.0)


def _positive_definite_solve(matrix: np.ndarray, vector: np.ndarray) -> np.ndarray:
    _, solution, info = lapack.dposv(matrix, vector)
    if info != 0:
        return np.linalg.lstsq(matrix, vector, rcond=1e-12)[0]
    return solution
