"""Least squares with most coefficients held non-negative, restarted from a nearby solution.

The active-set method of Lawson and Hanson on the normal equations, in the form of Bro and De Jong (*J. Chemometrics*
1997, 11, 393), which takes a starting set: fits that differ by a few columns cost a few steps. Compiled, as a spectrum
takes a dozen fits of a few hundred columns.
"""

import numpy as np
from numba import njit

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
    begin = free & allowed if start is None else (free | start) & allowed
    return _solve(np.ascontiguousarray(gram), projection, free, allowed, begin, tolerance)


@njit(cache=True, nogil=True)
def _solve(
    gram: np.ndarray, projection: np.ndarray, free: np.ndarray, allowed: np.ndarray, begin: np.ndarray, tolerance: float
) -> np.ndarray:
    count = len(projection)
    open_ = allowed.copy()
    index = np.empty(count, np.int64)
    x = np.zeros(count)
    # Rows of the Cholesky factor, and of the forward substitution after them, stay as columns are appended.
    lower, forward = np.empty((count, count)), np.empty(count)
    used = 0
    for column in range(count):
        if begin[column]:
            index[used] = column
            used += 1
    used, known = _feasible(gram, projection, free, index, x, used, lower, forward, 0)
    gradient = np.empty(count)
    for _ in range(3 * count):
        gradient[:] = projection
        for k in range(used):
            row, weight = gram[index[k]], x[k]
            for column in range(count):
                gradient[column] -= weight * row[column]
        for k in range(used):
            gradient[index[k]] = -np.inf
        best, most = -1, tolerance
        for column in range(count):
            if open_[column] and gradient[column] > most:
                best, most = column, gradient[column]
        if best < 0:
            break
        index[used], x[used] = best, 0.0
        used, known = _feasible(gram, projection, free, index, x, used + 1, lower, forward, known)
        kept = False
        for k in range(used):
            kept = kept or index[k] == best
        # Rounding: the column's own gain is below what the solution resolves. Leave it out for good.
        open_[best] = kept
    full = np.zeros(count)
    for k in range(used):
        full[index[k]] = x[k]
    return full


@njit(cache=True, nogil=True)
def _feasible(
    gram: np.ndarray,
    projection: np.ndarray,
    free: np.ndarray,
    index: np.ndarray,
    x: np.ndarray,
    used: int,
    lower: np.ndarray,
    forward: np.ndarray,
    known: int,
) -> tuple[int, int]:
    """Solve on the columns in use, dropping columns on the way until no bound coefficient is negative.

    Returns how many are in use, and for how many of them the factor is known.
    """
    while used:
        new = _positive_definite_solve(gram, projection, index, used, lower, forward, known)
        known = used
        step, first = np.inf, -1
        for k in range(used):
            if new[k] <= 0 and not free[index[k]]:
                gap = x[k] - new[k]
                along = x[k] / gap if gap > 0 else 0.0
                if along < step:
                    step, first = along, k
        if first < 0:
            x[:used] = new
            return used, known
        largest = 1.0
        for k in range(used):
            x[k] += step * (new[k] - x[k])
            largest = max(largest, abs(x[k]))
        x[first] = 0.0
        kept = 0
        for k in range(used):
            # A warm start has columns at 0 that want below it: all go at once.
            if free[index[k]] or new[k] > 0 or x[k] > 1e-12 * largest:
                index[kept], x[kept] = index[k], x[k]
                kept += 1
            elif kept == k:
                known = k
        used = kept
    return used, 0


@njit(cache=True, nogil=True)
def _positive_definite_solve(
    gram: np.ndarray,
    projection: np.ndarray,
    index: np.ndarray,
    used: int,
    lower: np.ndarray,
    forward: np.ndarray,
    known: int,
) -> np.ndarray:
    """Cholesky, from row `known` on; a column that depends on those before it gets the coefficient 0."""
    for i in range(known, used):
        row = gram[index[i]]
        for j in range(i + 1):
            total = row[index[j]]
            for k in range(j):
                total -= lower[i, k] * lower[j, k]
            if i != j:
                lower[i, j] = total / lower[j, j]
            else:
                lower[i, i] = np.sqrt(total) if total > 1e-13 * row[index[i]] else np.inf
        total = projection[index[i]]
        for k in range(i):
            total -= lower[i, k] * forward[k]
        forward[i] = total / lower[i, i]
    out = forward[:used].copy()
    for i in range(used - 1, -1, -1):
        out[i] /= lower[i, i]
        for k in range(i):
            out[k] -= lower[i, k] * out[i]
    return out
