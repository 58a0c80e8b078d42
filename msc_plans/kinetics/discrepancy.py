"""How wrong the model may be: a Gaussian process beside it (Kennedy & O'Hagan, *J. R. Stat. Soc. B* 2001, 63, 425).

What is seen at condition x is ``y = m(θ, x) + δ(x) + ε``, with ε the error of the measurement and δ a process of mean 0
over (T_nucleation, T_growth, ln t), Matérn 3/2 (Rasmussen & Williams 2006, eq. 4.17), of its own for each quantity. How
large δ is and how far it reaches isn't known: its standard deviation and its length scale are of short lists, weighed
by what the data say. Errors of the model at neighbouring conditions are alike, so many of them count no more than a
few; and near a measurement the measurement decides, whatever the mechanism says.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from msc_plans.condition import Condition
from msc_plans.kinetics.observation import QUANTITIES, Observation

__all__ = ["AMPLITUDES", "Discrepancy", "distance_kernel"]

REACHES: Final = np.array([[100.0, 30.0, 0.7], [200.0, 60.0, 1.4]])
"""Length scales of δ: K of nucleation, K of growth, ln time. A wrong rate constant is wrong by nearly as much tens of K
away, and growth is where the time is spent; the chamber's few per cent make the nucleation temperature count less."""
_RELATIVE: Final = (0.1, 0.2, 0.4)
_BY_QUANTITY = {"NC maximum": (3.0, 8.0, 20.0), "NC width": (0.1, 0.25, 0.6), "SAXS radius": (0.02, 0.05, 0.15)}
AMPLITUDES: Final = np.array([_BY_QUANTITY.get(name, _RELATIVE) for name in QUANTITIES])
"""Standard deviations of δ, shape (quantities, 3), on the quantities' scales."""
_LEVELS: Final = [(reach, size) for reach in range(len(REACHES)) for size in range(AMPLITUDES.shape[1])]
_SHARES: Final = np.log(np.tile([0.4, 0.4, 0.2], len(REACHES)) / len(REACHES))
_OWN: Final = 0.3
"""Standard deviation, over the amplitude, of what each condition has of its own."""
_SAME: Final = np.array([0.5, 0.5, 0.02])
"""Conditions closer than this (K, K, ln time) are one."""
_JITTER: Final = 1e-6


def distance_kernel(one: Sequence[Condition], other: Sequence[Condition], reach: int) -> NDArray[np.float64]:
    """Covariance of δ between conditions over the square of its amplitude, shape (one, other)."""
    apart = _features(one)[:, None] - _features(other)[None]
    distance = np.sqrt(3) * np.linalg.norm(apart / REACHES[reach], axis=-1)
    return (1 + distance) * np.exp(-distance) + _OWN**2 * (np.abs(apart) < _SAME).all(axis=-1)


def _features(conditions: Sequence[Condition]) -> NDArray[np.float64]:
    rows = [(one.nucleation_temperature, one.growth_temperature, np.log(one.residence_time)) for one in conditions]
    return np.array(rows).reshape(-1, 3)


@dataclass(frozen=True)
class Discrepancy:
    """δ, given the conditions and what was seen there."""

    conditions: Sequence[Condition]
    observations: Sequence[Observation]

    def log_likelihood(self, predicted: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return ln p(all seen | set), shape (sets,), of predictions of shape (sets, conditions, quantities)."""
        total = np.zeros(len(predicted))
        for number, seen in enumerate(self._seen):
            if len(seen.which):
                total += _total(self._terms(predicted, number))
        return np.where(np.isfinite(predicted[..., 0]).all(axis=1), total, -np.inf)

    def level_shares(self, predicted: NDArray[np.float64]) -> NDArray[np.float64]:
        """Probability of each reach and amplitude, shape (sets, quantities, 6); the prior's where nothing was seen."""
        shares = np.tile(np.exp(_SHARES), (len(predicted), len(QUANTITIES), 1))
        for number, seen in enumerate(self._seen):
            if len(seen.which):
                terms = self._terms(predicted, number)
                shares[:, number] = np.exp(terms - _total(terms)[:, None])
        return shares

    def expected(
        self, at_seen: NDArray[np.float64], at_new: NDArray[np.float64], conditions: Sequence[Condition]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Mean and variance of what is true at new conditions, for each set.

        Parameters as of :meth:`corrected`; both results have the shape (sets, new, quantities).
        """
        known = len(self.conditions)
        mean, variance = at_new.copy(), np.empty_like(at_new)
        shares = self.level_shares(at_seen)
        every = [*self.conditions, *conditions]
        kernels = [distance_kernel(self.conditions, every, reach) for reach in range(len(REACHES))]
        for number in range(len(QUANTITIES)):
            seen = self._seen[number]
            which, miss, sigma = seen.which, seen.miss(at_seen[..., number]), seen.sigmas
            total = np.zeros((2, *at_new.shape[:2]))
            for level, (reach, step) in enumerate(_LEVELS):
                kernel, size = kernels[reach], AMPLITUDES[number, step]
                covariance = size**2 * kernel[np.ix_(which, which)]
                across = size**2 * kernel[which, known:]
                gain = np.linalg.solve(covariance + np.diag(sigma**2), across) if len(which) else across
                shift = np.nan_to_num(miss) @ gain
                left = size**2 * (1 + _OWN**2) - np.sum(across * gain, axis=0)
                share = shares[:, number, level, None]
                total += share * np.array([shift, left + shift**2])
            mean[..., number] += total[0]
            variance[..., number] = total[1] - total[0] ** 2
        return mean, variance

    def corrected(
        self,
        at_seen: NDArray[np.float64],
        at_new: NDArray[np.float64],
        conditions: Sequence[Condition],
        rng: np.random.Generator,
        quantities: Sequence[int] = range(len(QUANTITIES)),
    ) -> NDArray[np.float64]:
        """Draws of what is true at new conditions, one for each set, by Matheron's rule.

        Parameters
        ----------
        at_seen, at_new : ndarray, shape (sets, seen, quantities) and (sets, new, quantities)
            Predictions of the mechanism.
        conditions : sequence of Condition
            The new ones.
        rng : Generator
            Source of the draws.
        quantities : sequence of int
            Which to correct; the others stay as predicted.
        """
        every = [*self.conditions, *conditions]
        known = len(self.conditions)
        kernels = [distance_kernel(every, every, reach) for reach in range(len(REACHES))]
        roots = [np.linalg.cholesky(kernel + _JITTER * np.eye(len(every))).T for kernel in kernels]
        shares = self.level_shares(at_seen)
        out = at_new.copy()
        for number in quantities:
            chosen = (rng.random(len(at_new))[:, None] > np.cumsum(shares[:, number], axis=1)[:, :-1]).sum(axis=1)
            noise = rng.standard_normal((len(at_new), len(every)))
            seen = self._seen[number]
            which, miss, sigma = seen.which, seen.miss(at_seen[..., number]), seen.sigmas
            for reach, (kernel, root) in enumerate(zip(kernels, roots, strict=True)):
                those = np.array([level[0] for level in _LEVELS])[chosen] == reach
                process = np.zeros_like(noise)
                process[those] = noise[those] @ root
                for level, (of, step) in enumerate(_LEVELS):
                    mine = chosen == level
                    if of != reach or not mine.any():
                        continue
                    size = AMPLITUDES[number, step]
                    out[mine, :, number] += size * process[mine][:, known:]
                    covariance = size**2 * kernel[np.ix_(which, which)] + np.diag(sigma**2)
                    gain = np.linalg.solve(covariance, size**2 * kernel[which, known:])
                    wrong = sigma * rng.standard_normal((mine.sum(), len(which)))
                    out[mine, :, number] += (miss[mine] + wrong - size * process[mine][:, which]) @ gain
        return out

    @cached_property
    def _seen(self) -> list["_Seen"]:
        """Of each quantity."""
        kernels = [distance_kernel(self.conditions, self.conditions, reach) for reach in range(len(REACHES))]
        return [
            _Seen.of(
                np.array([one.values[number] for one in self.observations]),
                np.array([one.sigmas[number] for one in self.observations]),
                np.array([AMPLITUDES[number, step] ** 2 * kernels[reach] for reach, step in _LEVELS]),
            )
            for number in range(len(QUANTITIES))
        ]

    def _terms(self, predicted: NDArray[np.float64], number: int) -> NDArray[np.float64]:
        """Return ln of share and likelihood of each level, shape (sets, 6)."""
        seen = self._seen[number]
        miss = np.nan_to_num(seen.miss(predicted[..., number]))
        white = np.einsum("ki,lji->lkj", miss, seen.whiteners, optimize=True)
        return _SHARES + seen.log_densities - 0.5 * (white**2).sum(axis=2).T


@dataclass(frozen=True)
class _Seen:
    """One quantity, where it was seen."""

    which: NDArray[np.intp]
    values: NDArray[np.float64]
    sigmas: NDArray[np.float64]
    whiteners: NDArray[np.float64]
    """Shape (levels, seen, seen): makes misses independent with σ 1."""
    log_densities: NDArray[np.float64]
    """Of no miss, up to a constant."""

    @classmethod
    def of(
        cls,
        values: NDArray[np.float64],
        sigmas: NDArray[np.float64],
        kernels: NDArray[np.float64],
    ) -> "_Seen":
        which = np.flatnonzero(np.isfinite(values) & np.isfinite(sigmas))
        covariances = kernels[:, which[:, None], which] + np.diag(sigmas[which] ** 2)
        factors = np.linalg.cholesky(covariances)
        densities = -np.log(np.diagonal(factors, axis1=1, axis2=2)).sum(axis=1)
        whiteners = np.asarray(np.linalg.inv(factors), dtype=float)
        return cls(which, values[which], sigmas[which], whiteners, densities)

    def miss(self, predicted: NDArray[np.float64]) -> NDArray[np.float64]:
        """Seen less predicted, shape (sets, seen)."""
        return self.values - predicted[:, self.which]


def _total(terms: NDArray[np.float64]) -> NDArray[np.float64]:
    most = terms.max(axis=1)
    return most + np.log(np.exp(terms - most[:, None]).sum(axis=1))
