"""A Gaussian of a few numbers, some of which can't be negative.

Expectation propagation (Minka, *Proc. UAI* 2001, 362; for orthants Cunningham, Hennig & Lacoste-Julien, arXiv
1111.6832): each bound is replaced by the Gaussian factor that gives the right mean and variance beside all the others.
"""

import math
from dataclasses import dataclass, field

import numpy as np
from scipy.special import log_ndtr, ndtr, ndtri

__all__ = ["Truncated", "truncate"]

_ROUNDS = 60
_SETTLED = 1e-6
_LEAST = 1e-12
_LEAST_POSITIVE = 1e-100


@dataclass(frozen=True)
class Truncated:
    """Mean and covariance of the truncated Gaussian, and the Gaussians that its marginals are cut from."""

    mean: np.ndarray
    covariance: np.ndarray = field(repr=False)
    uncut_mean: np.ndarray = field(repr=False)
    """Shape (numbers,): each marginal is this Gaussian, cut at 0 where bounded."""
    uncut_sigma: np.ndarray = field(repr=False)

    def interval(self, number: int, probability: float = 0.95) -> tuple[float, float]:
        """Narrowest interval of this probability for the marginal of a bounded number."""
        mean, sigma = float(self.uncut_mean[number]), float(self.uncut_sigma[number])
        positive = float(ndtr(mean / sigma))
        half = sigma * float(ndtri(0.5 * (1.0 + probability * positive)))
        if half < mean:
            return mean - half, mean + half
        if positive < _LEAST_POSITIVE:
            # So far out the tail is an exponential.
            return 0.0, -math.log1p(-probability) * sigma**2 / -mean
        return 0.0, mean - sigma * float(ndtri(positive * (1.0 - probability)))


def truncate(mean: np.ndarray, covariance: np.ndarray, bounded: np.ndarray) -> Truncated:
    """Cut a Gaussian at 0 in some of its numbers.

    Parameters
    ----------
    mean : ndarray, shape (n,)
    covariance : ndarray, shape (n, n)
        Positive definite.
    bounded : ndarray of bool, shape (n,)
        Numbers that can't be negative.
    """
    spread = np.sqrt(np.diag(covariance))
    start = mean / spread
    matrix = covariance / np.outer(spread, spread)
    precision = np.zeros(len(mean))
    shift = np.zeros(len(mean))
    now, cov = start.copy(), matrix.copy()
    places = np.flatnonzero(bounded)
    for _ in range(_ROUNDS):
        largest = 0.0
        for k in places:
            left = max(1.0 / cov[k, k] - precision[k], _LEAST)
            centre, width = (now[k] / cov[k, k] - shift[k]) / left, 1.0 / math.sqrt(left)
            z = centre / width
            hazard = math.exp(-0.5 * z * z - 0.5 * math.log(2 * math.pi) - float(log_ndtr(z)))
            cut_mean = centre + width * hazard
            cut_variance = max(1.0 - hazard * (z + hazard), _LEAST) * width * width
            new_precision = max(1.0 / cut_variance - left, 0.0)
            change = new_precision - precision[k]
            new_shift = cut_mean * (left + new_precision) - centre * left
            moved = new_shift - shift[k]
            precision[k], shift[k] = new_precision, new_shift
            column = cov[:, k].copy()
            gain = 1.0 / (1.0 + change * column[k])
            now = now + column * gain * (moved - change * now[k])
            cov = cov - gain * change * np.outer(column, column)
            largest = max(largest, abs(moved) / (1.0 + abs(new_shift)))
        if largest < _SETTLED:
            break
    variance = np.diag(cov)
    left = np.maximum(1.0 / variance - precision, _LEAST)
    uncut = (now / variance - shift) / left
    return Truncated(now * spread, cov * np.outer(spread, spread), uncut * spread, spread / np.sqrt(left))
