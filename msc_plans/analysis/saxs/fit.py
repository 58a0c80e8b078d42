"""Least squares for a few populations of spheres over a constant and an upturn.

    I(q) = c + u (q/q₁)⁻ᵖ + Σⱼ aⱼ ∫ Dⱼ V F² dR,    u, aⱼ ≥ 0

p, λ of the populations' shape and their means and relative widths are searched by Levenberg and Marquardt's method;
c, u and aⱼ follow from them in closed form at each step (variable projection; Golub & Pereyra, *SIAM J. Numer. Anal.*
1973, 10, 413). Weak priors on p, the relative widths and the smallest radii decide what the data leave open.
"""

import numpy as np
from numba import njit

from msc_plans.analysis.saxs.form import population

__all__ = [
    "FLAT",
    "FLAT_SPREAD",
    "POWER_LIMITS",
    "POWER_PRIOR",
    "SHAPE_LIMITS",
    "WIDTH_LIMITS",
    "WIDTH_PRIOR",
    "columns",
    "fit",
    "non_negative",
    "pair_search",
]

POWER_LIMITS = (0.5, 6.0)
POWER_PRIOR = (3.2, 1.0)
"""Mean and standard deviation of the upturn's exponent."""
WIDTH_LIMITS = (0.012, 0.7)
WIDTH_PRIOR = (np.log(0.1), 0.7)
"""Mean and standard deviation of ln(relative width)."""
FLAT = 3.2
FLAT_SPREAD = 0.15
"""Spheres of q_max R below `FLAT` look much like the constant: improbable by a half-Gaussian of this width in ln R."""
SHAPE_LIMITS = (0.0, 1.2)
"""Of λ; evenly probable between."""

_STEP = 1e-4
_SHAPE_HIGH = SHAPE_LIMITS[1]
_POWER_LOW, _POWER_HIGH = POWER_LIMITS
_POWER_MEAN, _POWER_SPREAD = POWER_PRIOR
_WIDTH_LOW, _WIDTH_HIGH = np.log(WIDTH_LIMITS[0]), np.log(WIDTH_LIMITS[1])
_WIDTH_MEAN, _WIDTH_SPREAD = WIDTH_PRIOR


@njit(cache=True, nogil=True)
def _upturn(theta: np.ndarray, q: np.ndarray, sigma: np.ndarray, row: np.ndarray) -> None:
    for i in range(len(q)):
        row[i] = (q[i] / q[0]) ** (-theta[0]) / sigma[i]


@njit(cache=True, nogil=True)
def _particles(
    theta: np.ndarray,
    j: int,
    q: np.ndarray,
    sigma: np.ndarray,
    log_radius: np.ndarray,
    table: np.ndarray,
    weights: np.ndarray,
    row: np.ndarray,
) -> None:
    mean, width = np.exp(theta[2 + 2 * j]), np.exp(theta[3 + 2 * j])
    # Coarse enough for the width, and for the oscillations of F² at the highest q.
    stride = max(1, int(min(width / 3.0, 1.0 / (q[-1] * mean)) / (log_radius[1] - log_radius[0])))
    first, last = population(log_radius, mean, width, theta[1], weights, stride)
    row[:] = 0.0
    for k in range(first, last, stride):
        weight, source = weights[k], table[k]
        for i in range(len(q)):
            row[i] += weight * source[i]
    for i in range(len(q)):
        row[i] /= sigma[i]


@njit(cache=True, nogil=True)
def columns(
    theta: np.ndarray, q: np.ndarray, sigma: np.ndarray, log_radius: np.ndarray, table: np.ndarray
) -> np.ndarray:
    """Weighted columns, shape (2 + populations, points), of constant, upturn and each population, all over σ.

    `theta` is p, λ, then ln(mean) and ln(relative width) of each population.
    """
    count = (len(theta) - 2) // 2
    out = np.empty((2 + count, len(q)))
    out[0] = 1.0 / sigma
    _upturn(theta, q, sigma, out[1])
    weights = np.empty(len(log_radius))
    for j in range(count):
        _particles(theta, j, q, sigma, log_radius, table, weights, out[2 + j])
    return out


@njit(cache=True, nogil=True)
def _solve_subset(
    gram: np.ndarray, projection: np.ndarray, chosen: np.ndarray, signed: bool
) -> tuple[bool, np.ndarray, float]:
    index = np.flatnonzero(chosen)
    size = len(index)
    lower = np.zeros((size, size))
    x = np.zeros(size)
    for i in range(size):
        for j in range(i + 1):
            total = gram[index[i], index[j]]
            for k in range(j):
                total -= lower[i, k] * lower[j, k]
            if i == j:
                if total <= 1e-13 * gram[index[i], index[i]]:
                    return False, np.zeros(len(projection)), 0.0
                lower[i, i] = np.sqrt(total)
            else:
                lower[i, j] = total / lower[j, j]
        total = projection[index[i]]
        for k in range(i):
            total -= lower[i, k] * x[k]
        x[i] = total / lower[i, i]
    gain = 0.0
    for i in range(size):
        gain += x[i] * x[i]
    for i in range(size - 1, -1, -1):
        total = x[i]
        for k in range(i + 1, size):
            total -= lower[k, i] * x[k]
        x[i] = total / lower[i, i]
    full = np.zeros(len(projection))
    feasible = True
    for i in range(size):
        full[index[i]] = x[i]
        if x[i] < 0 and (index[i] > 0 or not signed):
            feasible = False
    return feasible, full, gain


@njit(cache=True, nogil=True)
def non_negative(rows: np.ndarray, y: np.ndarray, signed: bool) -> np.ndarray:
    """Coefficients ≥ 0 (of the first row: of either sign if `signed`) of a handful of rows that fit `y` best.

    Every subset is tried.
    """
    size = len(rows)
    gram = rows @ rows.T
    projection = rows @ y
    feasible, best, most = _solve_subset(gram, projection, np.ones(size, np.bool_), signed)
    if feasible:
        return best
    best, most = np.zeros(size), -1.0
    chosen = np.zeros(size, np.bool_)
    for pattern in range(1, 2**size):
        for j in range(size):
            chosen[j] = (pattern >> j) & 1
        feasible, x, gain = _solve_subset(gram, projection, chosen, signed)
        if feasible and gain > most:
            best, most = x, gain
    return best


@njit(cache=True, nogil=True)
def _residuals(theta: np.ndarray, rows: np.ndarray, q: np.ndarray, y: np.ndarray, signed: bool) -> np.ndarray:
    """Return the residuals of the best amounts, and of the priors."""
    coefficients = non_negative(rows, y, signed)
    points, count = len(q), (len(theta) - 2) // 2
    out = np.empty(points + 1 + 2 * count)
    out[:points] = y
    for j in range(len(rows)):
        for i in range(points):
            out[i] -= coefficients[j] * rows[j, i]
    out[points] = (theta[0] - _POWER_MEAN) / _POWER_SPREAD
    for j in range(count):
        out[points + 1 + 2 * j] = (theta[3 + 2 * j] - _WIDTH_MEAN) / _WIDTH_SPREAD
        out[points + 2 + 2 * j] = max(0.0, np.log(FLAT / q[-1]) - theta[2 + 2 * j]) / FLAT_SPREAD
    return out


@njit(cache=True, nogil=True)
def _bound(theta: np.ndarray, log_low: float, log_high: float) -> None:
    theta[0] = min(max(theta[0], _POWER_LOW), _POWER_HIGH)
    theta[1] = min(max(theta[1], 0.0), _SHAPE_HIGH)
    for j in range((len(theta) - 2) // 2):
        theta[2 + 2 * j] = min(max(theta[2 + 2 * j], log_low), log_high)
        theta[3 + 2 * j] = min(max(theta[3 + 2 * j], _WIDTH_LOW), _WIDTH_HIGH)


@njit(cache=True, nogil=True)
def fit(
    start: np.ndarray,
    q: np.ndarray,
    y: np.ndarray,
    sigma: np.ndarray,
    log_radius: np.ndarray,
    table: np.ndarray,
    signed: bool,
    log_low: float,
    log_high: float,
    steps: int,
) -> tuple[np.ndarray, float]:
    """Best parameters from a start, and the penalised χ² there. `y` is the intensity over σ."""
    theta = start.copy()
    _bound(theta, log_low, log_high)
    rows = columns(theta, q, sigma, log_radius, table)
    residual = _residuals(theta, rows, q, y, signed)
    cost = np.sum(residual**2)
    damping, size = 1e-2, len(theta)
    weights = np.empty(len(log_radius))
    for _ in range(steps):
        jacobian = np.empty((size, len(residual)))
        for a in range(size):
            moved = theta.copy()
            moved[a] += _STEP
            changed = rows.copy()
            if a == 0:
                _upturn(moved, q, sigma, changed[1])
            for j in range(len(rows) - 2):
                if a == 1 or a // 2 == j + 1:
                    _particles(moved, j, q, sigma, log_radius, table, weights, changed[2 + j])
            jacobian[a] = (_residuals(moved, changed, q, y, signed) - residual) / _STEP
        normal = jacobian @ jacobian.T
        slope = jacobian @ residual
        gained = -1.0
        for _ in range(8):
            damped = normal.copy()
            for a in range(size):
                damped[a, a] += damping * normal[a, a] + 1e-9
            move = -np.linalg.solve(damped, slope)
            largest = 0.0
            for a in range(size):
                largest = max(largest, abs(move[a]))
            if largest > 1.0:
                move /= largest
            trial = theta + move
            _bound(trial, log_low, log_high)
            new_rows = columns(trial, q, sigma, log_radius, table)
            new = _residuals(trial, new_rows, q, y, signed)
            new_cost = np.sum(new**2)
            if new_cost < cost:
                gained = cost - new_cost
                theta, rows, residual, cost = trial, new_rows, new, new_cost
                damping = max(damping / 10.0, 1e-6)
                break
            damping *= 6.0
        if gained < 1e-3:
            break
    return theta, cost


@njit(cache=True, nogil=True)
def pair_search(gram: np.ndarray, projection: np.ndarray) -> tuple[float, int, int]:
    """Largest drop of χ² by two library columns with positive amounts, and which two (-1 where there are none)."""
    best, first, second = 0.0, -1, -1
    for i in range(len(projection)):
        for j in range(i + 1, len(projection)):
            determinant = gram[i, i] * gram[j, j] - gram[i, j] ** 2
            if determinant <= 1e-9 * gram[i, i] * gram[j, j]:
                continue
            a = (gram[j, j] * projection[i] - gram[i, j] * projection[j]) / determinant
            b = (gram[i, i] * projection[j] - gram[i, j] * projection[i]) / determinant
            if a > 0 and b > 0:
                gain = a * projection[i] + b * projection[j]
                if gain > best:
                    best, first, second = gain, i, j
    return best, first, second
