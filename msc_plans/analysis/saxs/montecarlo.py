"""Radius distribution by the Monte Carlo method of Bressler, Pauw & Thünemann, *J. Appl. Cryst.* 2015, 48, 962.

A set of spheres of equal volume share stands for the distribution. They start at random radii; each step proposes
another radius for one of them and takes it if χ² falls, with scale and constant background optimal in closed form at
every step, until χ² per point is at the stopping value. Repetitions from other starts give mean and spread of each bin.
Radii are rounded to a grid of ln R, finer than any curve can tell, so that a step costs one pass over the points.
"""

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
from numba import njit
from numpy.typing import ArrayLike

from msc_plans.analysis.saxs.form import log_grid, sphere_table

__all__ = ["MonteCarlo", "monte_carlo"]

_FINEST = 0.002
_ROWS = 3000
_PICK_BITS = 15
_SHIFT = np.uint64(64 - _PICK_BITS)


@dataclass(frozen=True)
class MonteCarlo:
    """Sets of spheres that fit a curve."""

    radius_nm: np.ndarray = field(repr=False)
    """Shape (repetitions, contributions)."""
    chi2_reduced: np.ndarray
    """Shape (repetitions,): χ² per point."""
    scale: np.ndarray = field(repr=False)
    """Shape (repetitions,): intensity over ∫ D V F² dR, nm⁻³."""
    background: np.ndarray = field(repr=False)
    steps: np.ndarray
    converged: np.ndarray

    def histogram(self, edges_nm: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
        """Volume-weighted density, 1/nm, of each bin and its standard deviation over the repetitions."""
        edges = np.asarray(edges_nm, dtype=float)
        per_nm = 1.0 / (np.diff(edges) * self.radius_nm.shape[1])
        each = np.array([np.histogram(one, edges)[0] for one in self.radius_nm]) * per_nm
        spread = each.std(axis=0, ddof=1) if len(each) > 1 else np.full(len(per_nm), np.nan)
        return each.mean(axis=0), spread


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def _one(
    table: np.ndarray,
    radii: np.ndarray,
    nearest: np.ndarray,
    weight: np.ndarray,
    y: np.ndarray,
    contributions: int,
    stop: float,
    most: int,
    seed: int,
) -> tuple[np.ndarray, float, float, float, int]:
    """One repetition; `table` and `y` are over σ, `weight` is 1/σ, `nearest` the row of evenly spaced radii."""
    points, rows = len(y), len(radii)
    along_weight, along_y = np.empty(rows), np.empty(rows)
    for k in range(rows):
        a, b = 0.0, 0.0
        for i in range(points):
            a += table[k, i] * weight[i]
            b += table[k, i] * y[i]
        along_weight[k], along_y[k] = a, b
    s_ww, s_wy, s_yy = 0.0, 0.0, 0.0
    for i in range(points):
        s_ww += weight[i] * weight[i]
        s_wy += weight[i] * y[i]
        s_yy += y[i] * y[i]
    state = np.uint64(seed)
    chosen = np.empty(contributions, np.int64)
    model = np.zeros(points)
    s_mw, s_my = 0.0, 0.0
    best, scale, background = np.inf, 0.0, 0.0
    target = stop * points
    for step in range(-contributions, most):
        # splitmix64 (Steele, Lea & Flood, OOPSLA 2014).
        state += np.uint64(0x9E3779B97F4A7C15)
        z = state
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = z ^ (z >> np.uint64(31))
        new = np.int64(nearest[np.int64(z >> _SHIFT)])
        row = table[new]
        if step < 0:
            chosen[step + contributions] = new
            for i in range(points):
                model[i] += row[i]
            s_mw += along_weight[new]
            s_my += along_y[new]
            if step < -1:
                continue
            s_mm = 0.0
            for i in range(points):
                s_mm += model[i] * model[i]
            new_mw, new_my = s_mw, s_my
            slot, old = 0, new
        else:
            slot = step % contributions
            old = chosen[slot]
            last = table[old]
            s_mm = 0.0
            for i in range(points):
                value = model[i] + (row[i] - last[i])
                s_mm += value * value
            new_mw = s_mw + along_weight[new] - along_weight[old]
            new_my = s_my + along_y[new] - along_y[old]
        determinant = s_mm * s_ww - new_mw * new_mw
        a = (new_my * s_ww - new_mw * s_wy) / determinant if determinant > 0 else 0.0
        a = max(a, 0.0)
        b = (s_wy - a * new_mw) / s_ww
        # χ² = Σ(y − a m − b w)², exact for a, b that need not both be free.
        chi2 = s_yy + a * a * s_mm + b * b * s_ww - 2.0 * (a * new_my + b * s_wy - a * b * new_mw)
        if chi2 < best:
            best, scale, background = chi2, a, b
            if step >= 0:
                for i in range(points):
                    model[i] += row[i] - table[old, i]
                chosen[slot], s_mw, s_my = new, new_mw, new_my
        if best <= target and step >= -1:
            return radii[chosen], best / points, scale * contributions, background, step + 1
    return radii[chosen], best / points, scale * contributions, background, most


def monte_carlo(
    q_inv_nm: np.ndarray,
    intensity: np.ndarray,
    sigma: np.ndarray,
    *,
    radius_limits_nm: tuple[float, float] | None = None,
    contributions: int = 300,
    repetitions: int = 10,
    stop: float = 1.0,
    most_steps: int = 100_000,
    seed: int = 0,
) -> MonteCarlo:
    """Fit sets of spheres to a curve of particles and a constant.

    Parameters
    ----------
    q_inv_nm, intensity, sigma : ndarray, shape (points,)
    radius_limits_nm : (float, float), optional
        Between which radii are drawn uniformly; without them π/q_max and π/q_min.
    contributions : int
        Spheres in a set.
    repetitions : int
        Sets, each from its own start.
    stop : float
        χ² per point at which a repetition ends.
    most_steps : int
        Steps after which it ends anyway, not converged.
    seed : int
        Of the random numbers; the same seed gives the same result.

    Raises
    ------
    ValueError
        A number is not positive, or the limits are not in order.
    """
    for name, value in (("contributions", contributions), ("repetitions", repetitions), ("most_steps", most_steps)):
        if not value >= 1:
            raise ValueError(f"{name} must be at least 1, not {value!r}")
    low, high = radius_limits_nm or (np.pi / float(np.max(q_inv_nm)), np.pi / float(np.min(q_inv_nm)))
    if not 0 < low < high < np.inf:
        raise ValueError(f"radius_limits_nm must be (smallest, largest), positive, not {radius_limits_nm!r}")
    radii = log_grid(low, high, max(_FINEST, np.log(high / low) / _ROWS))
    radii[-1] = high
    table = (sphere_table(q_inv_nm, radii) / sigma).astype(np.float32)
    even = low + (high - low) * (np.arange(2**_PICK_BITS) + 0.5) / 2**_PICK_BITS
    place = np.log(even / low) / np.log(radii[1] / radii[0])
    nearest = np.minimum(np.rint(place), len(radii) - 1).astype(np.uint16)
    weight, y = 1.0 / sigma, intensity / sigma
    seeds = np.random.SeedSequence(seed).generate_state(repetitions).tolist()

    def run(one: int) -> tuple[np.ndarray, float, float, float, int]:
        return _one(table, radii, nearest, weight, y, contributions, stop, most_steps, one)

    # As numba's own threads: beside other processes a site gives each its share of the cores.
    threads = int(os.environ.get("NUMBA_NUM_THREADS") or os.cpu_count() or 1)
    with ThreadPoolExecutor(max_workers=min(repetitions, threads)) as pool:
        radius, chi2, scale, background, steps = zip(*pool.map(run, seeds), strict=True)
    chi2 = np.array(chi2)
    return MonteCarlo(np.array(radius), chi2, np.array(scale), np.array(background), np.array(steps), chi2 <= stop)
