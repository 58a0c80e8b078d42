"""How wrong the model may be: a Gaussian process beside it (Kennedy & O'Hagan, *J. R. Stat. Soc. B* 2001, 63, 425).

What is seen at condition x is ``y = m(θ, x) + δ(x) + ε``, with ε the error of the measurement and δ a process of mean 0
over (T_nucleation, T_growth, ln t), Matérn 3/2 (Rasmussen & Williams 2006, eq. 4.17), of its own for each quantity. How
large δ is and how far it reaches isn't known: its standard deviation and its length scale are of short lists, weighed
by what the data say. Errors of the model at neighbouring conditions are alike, so many of them count no more than a
few; and near a measurement the measurement decides, whatever the mechanism says.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular

from msc_plans.condition import Condition
from msc_plans.kinetics.observation import Observation

__all__ = ["REACHES", "Discrepancy", "amplitudes_of", "distance_kernel"]

REACHES: Final = np.array([[100.0, 30.0, 0.7], [200.0, 60.0, 1.4]])
"""Length scales of δ: K of nucleation, K of growth, ln time. A wrong rate constant is wrong by nearly as much tens of K
away, and growth is where the time is spent; the chamber's few per cent make the nucleation temperature count less."""
_RELATIVE: Final = (0.1, 0.2, 0.4)
_BY_QUANTITY = {"NC maximum": (3.0, 8.0, 20.0), "NC width": (0.1, 0.25, 0.6), "SAXS radius": (0.02, 0.05, 0.15)}
_LEVELS: Final = [(reach, size) for reach in range(len(REACHES)) for size in range(len(_RELATIVE))]
_SHARES: Final = np.log(np.tile([0.4, 0.4, 0.2], len(REACHES)) / len(REACHES))
_OWN: Final = 0.3
"""Standard deviation, over the amplitude, of what each condition has of its own."""
_SAME: Final = np.array([0.5, 0.5, 0.02])
"""Conditions closer than this (K, K, ln time) are one."""
_JITTER: Final = 1e-6


def amplitudes_of(names: Sequence[str]) -> NDArray[np.float64]:
    """Return the standard deviations that δ may have, on the quantities' scales, shape (quantities, 3)."""
    return np.array([_BY_QUANTITY.get(name, _RELATIVE) for name in names])


def distance_kernel(one: Sequence[Condition], other: Sequence[Condition], reach: int) -> NDArray[np.float64]:
    """Covariance of δ between conditions over the square of its amplitude, shape (one, other)."""
    apart = _features(one)[:, None] - _features(other)[None]
    distance = np.sqrt(3) * np.linalg.norm(apart / REACHES[reach], axis=-1)
    return (1 + distance) * np.exp(-distance) + _OWN**2 * (np.abs(apart) < _SAME).all(axis=-1)


def _features(conditions: Sequence[Condition]) -> NDArray[np.float64]:
    rows = [(one.nucleation_temperature, one.growth_temperature, np.log(one.residence_time)) for one in conditions]
    return np.array(rows).reshape(-1, 3)


@lru_cache(maxsize=4)
def _root(conditions: tuple[Condition, ...], reach: int) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    """Return the root of the kernel between conditions, and the same in the precision that draws need."""
    kernel = distance_kernel(conditions, conditions, reach)
    root = np.linalg.cholesky(kernel + _JITTER * np.eye(len(kernel)))
    return root, root.astype(np.float32)


@dataclass(frozen=True)
class Discrepancy:
    """δ, given the conditions and what was seen there.

    Parameters
    ----------
    conditions : sequence of Condition
        Where.
    observations : sequence of Observation
        What was seen at each.
    names : sequence of str
        What is observed, as `Observables.names`.
    """

    conditions: Sequence[Condition]
    observations: Sequence[Observation]
    names: Sequence[str]

    def log_likelihood(self, predicted: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return ln p(all seen | set), shape (sets,), of predictions of shape (sets, conditions, quantities)."""
        return self.log_likelihoods(predicted, len(self.conditions))[1]

    def log_likelihoods(self, predicted: NDArray[np.float64], first: int) -> NDArray[np.float64]:
        """Return ln p of what was seen at the ``first`` conditions, and of all, shape (2, sets)."""
        squares = self._white(predicted) ** 2
        found = np.empty((2, len(predicted)))
        for row, number in enumerate((first, len(self.conditions))):
            found[row] = _total(self._levels(squares, number)).sum(axis=0)
            found[row, ~np.isfinite(predicted[:, :number, 0]).all(axis=1)] = -np.inf
        return found

    def level_shares(self, predicted: NDArray[np.float64]) -> NDArray[np.float64]:
        """Probability of each reach and amplitude, shape (sets, quantities, 6); the prior's where nothing was seen."""
        terms = self._levels(self._white(predicted) ** 2, len(self.conditions))
        return np.exp(terms - _total(terms)[..., None]).transpose(1, 0, 2)

    def error(self, predicted: NDArray[np.float64]) -> NDArray[np.float64]:
        """Standard deviation of δ by what was seen, shape (sets, quantities)."""
        sizes = np.array([self._amplitudes[:, step] for _, step in _LEVELS]).T
        return np.sqrt((self.level_shares(predicted) * sizes**2).sum(axis=-1))

    def expected(
        self, at_seen: NDArray[np.float64], at_new: NDArray[np.floating], conditions: Sequence[Condition]
    ) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
        """Mean and variance of what is true at new conditions, for each set.

        Parameters as of :meth:`corrected`; both results have the shape (sets, new, quantities).
        """
        known = len(self.conditions)
        mean, variance = at_new.copy(), np.empty_like(at_new)
        shares = self.level_shares(at_seen)
        every = [*self.conditions, *conditions]
        kernels = [distance_kernel(self.conditions, every, reach) for reach in range(len(REACHES))]
        for number in range(len(self.names)):
            which, sigma, miss = self._seen(number, at_seen)
            total = np.zeros((2, *at_new.shape[:2]))
            for level, (reach, step) in enumerate(_LEVELS):
                kernel, size = kernels[reach], self._amplitudes[number, step]
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
        at_new: NDArray[np.floating],
        conditions: Sequence[Condition],
        rng: np.random.Generator,
        quantities: Sequence[int] | None = None,
    ) -> NDArray[np.floating]:
        """Draws of what is true at new conditions, one for each set, by Matheron's rule.

        Parameters
        ----------
        at_seen, at_new : ndarray, shape (sets, seen, quantities) and (sets, new, quantities)
            Predictions of the mechanism.
        conditions : sequence of Condition
            The new ones.
        rng : Generator
            Source of the draws.
        quantities : sequence of int, optional
            Which to correct; the others stay as predicted. Default: all.
        """
        known, new = len(self.conditions), tuple(conditions)
        processes = [self._process(new, reach) for reach in range(len(REACHES))]
        shares = self.level_shares(at_seen)
        out = at_new.copy()
        for number in range(len(self.names)) if quantities is None else quantities:
            chosen = (rng.random(len(at_new))[:, None] > np.cumsum(shares[:, number], axis=1)[:, :-1]).sum(axis=1)
            noise = rng.standard_normal((len(at_new), known + len(new)), dtype=np.float32)
            which, sigma, miss = self._seen(number, at_seen)
            for level, (reach, step) in enumerate(_LEVELS):
                mine = chosen == level
                if not mine.any():
                    continue
                within, across, root, rows = processes[reach]
                size = self._amplitudes[number, step]
                at_candidates = size * (noise[mine, known:] @ root.T)
                at_known = size * (noise[mine] @ rows.T)
                covariance = size**2 * within[np.ix_(which, which)] + np.diag(sigma**2)
                gain = np.linalg.solve(covariance, size**2 * across[which])
                wrong = sigma * rng.standard_normal((mine.sum(), len(which)))
                out[mine, :, number] += at_candidates + (miss[mine] + wrong - at_known[:, which]) @ gain
        return out

    def _process(self, new: tuple[Condition, ...], reach: int) -> tuple[NDArray[np.floating], ...]:
        """Of δ with amplitude 1: kernels within what is known and across to the new; and its root by rows.

        The rows of the root are those of the new, (new, new), then of the known, (known, known + new), whose own
        noise stands first. So most of the work depends on the new alone, which are the same from call to call.
        """
        within, across = (distance_kernel(self.conditions, other, reach) for other in (self.conditions, new))
        exact, root = _root(new, reach)
        shared = solve_triangular(exact, across.T, lower=True, check_finite=False).T
        own = np.linalg.cholesky(within + _JITTER * np.eye(len(within)) - shared @ shared.T)
        return within, across, root, np.concatenate([own, shared], axis=1)

    def _seen(
        self, number: int, predicted: NDArray[np.float64]
    ) -> tuple[NDArray[np.intp], NDArray[np.float64], NDArray[np.float64]]:
        """Return where a quantity was seen, its σ there, and seen less predicted, shape (sets, seen)."""
        values = self._values[number, 0]
        which = np.flatnonzero(np.isfinite(values))
        return which, self._sigmas[number, which], values[which] - predicted[:, which, number]

    def _white(self, predicted: NDArray[np.float64]) -> NDArray[np.float64]:
        """Misses made independent with σ 1, shape (quantities, sets, levels, conditions)."""
        miss = np.nan_to_num(self._values - predicted.transpose(2, 0, 1), posinf=0.0, neginf=0.0)
        quantities, levels, seen, _ = self._whiteners.shape
        across = self._whiteners.reshape(quantities, levels * seen, seen).transpose(0, 2, 1)
        return (miss @ across).reshape(quantities, len(predicted), levels, seen)

    def _levels(self, squares: NDArray[np.float64], number: int) -> NDArray[np.float64]:
        """Return ln of share and likelihood of each level by so many conditions, shape (quantities, sets, 6)."""
        density = _SHARES - self._log_scales[..., :number].sum(axis=-1)
        return density[:, None] - 0.5 * squares[..., :number].sum(axis=-1)

    @cached_property
    def _amplitudes(self) -> NDArray[np.float64]:
        return amplitudes_of(self.names)

    @cached_property
    def _values(self) -> NDArray[np.float64]:
        """Shape (quantities, 1, conditions); NaN where nothing was seen."""
        seen = [one.values + 0 * one.sigmas for one in self.observations]
        return np.array(seen).reshape(-1, len(self.names)).T[:, None]

    @cached_property
    def _sigmas(self) -> NDArray[np.float64]:
        """Shape (quantities, conditions)."""
        return np.array([one.sigmas for one in self.observations]).reshape(-1, len(self.names)).T

    @cached_property
    def _factors(self) -> NDArray[np.floating]:
        """Cholesky factors of the covariance of what was seen, shape (quantities, levels, conditions, conditions).

        That of the first few conditions is the beginning of that of all.
        """
        kernels = [distance_kernel(self.conditions, self.conditions, reach) for reach in range(len(REACHES))]
        seen = np.isfinite(self._values[:, 0])
        both = seen[:, :, None] & seen[:, None, :]
        noise = np.where(seen, self._sigmas, 1.0)[:, None, :, None] * np.eye(len(self.conditions))
        covariances = np.array([self._amplitudes[:, step, None, None] ** 2 * kernels[reach] for reach, step in _LEVELS])
        return np.linalg.cholesky(covariances.swapaxes(0, 1) * both[:, None] + noise**2)

    @cached_property
    def _whiteners(self) -> NDArray[np.floating]:
        """Of the shape of the factors; makes misses independent with σ 1."""
        return np.linalg.inv(self._factors)

    @cached_property
    def _log_scales(self) -> NDArray[np.float64]:
        """Shape (quantities, levels, conditions); their sum is −ln of the density of no miss, up to a constant."""
        return np.log(np.diagonal(self._factors, axis1=2, axis2=3))


def _total(terms: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sum over the last axis of what terms are the logarithm of."""
    most = terms.max(axis=-1)
    return most + np.log(np.exp(terms - most[..., None]).sum(axis=-1))
