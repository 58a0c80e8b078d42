"""Least squares with most coefficients held non-negative, restarted from a nearby solution.

The active-set method of Lawson and Hanson on the normal equations, in the form of Bro and De Jong (*J. Chemometrics*
1997, 11, 393), which takes a starting set: fits that differ by a few columns cost a few steps.
"""

import numpy as np
from scipy.linalg import get_lapack_funcs

__all__ = ["solve"]

(_POSV,) = get_lapack_funcs(("posv",), dtype=np.float64)


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
    passive = free & allowed
    if start is not None:
        passive = passive | (start & allowed)
    blocked = ~allowed
    index = np.flatnonzero(passive)
    index, x = _feasible(gram, projection, free, index, np.zeros(len(index)))
    for _ in range(3 * len(projection)):
        gradient = projection - x @ gram[index]
        gradient[blocked] = -np.inf
        gradient[index] = -np.inf
        best = int(gradient.argmax())
        if not gradient[best] > tolerance:
            break
        index, x = _feasible(gram, projection, free, np.append(index, best), np.append(x, 0.0))
        if not (index == best).any():
            # Rounding: the column's own gain is below what the solution resolves. Leave it out for good.
            blocked = blocked.copy()
            blocked[best] = True
    full = np.zeros(len(projection))
    full[index] = x
    return full


def _feasible(
    gram: np.ndarray, projection: np.ndarray, free: np.ndarray, index: np.ndarray, x: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Solve on the columns `index`, dropping columns on the way until no bound coefficient is negative."""
    while index.size:
        new = _positive_definite_solve(gram[index[:, None], index], projection[index])
        negative = (new <= 0) & ~free[index]
        if not negative.any():
            return index, new
        gap = x[negative] - new[negative]
        steps = np.divide(x[negative], gap, out=np.zeros_like(gap), where=gap > 0)
        x = x + steps.min() * (new - x)
        # A warm start has columns at 0 that want below it: all go at once.
        leaving = negative & (x <= 1e-12 * np.abs(x).max(initial=1.0))
        if not leaving.any():
            leaving[np.flatnonzero(negative)[int(steps.argmin())]] = True
        kept = ~leaving
        index, x = index[kept], x[kept]
    return index, x


def _positive_definite_solve(matrix: np.ndarray, vector: np.ndarray) -> np.ndarray:
    _, solution, info = _POSV(matrix, vector)
    if info != 0:
        return np.linalg.lstsq(matrix, vector, rcond=1e-12)[0]
    return solution
