"""What the mechanism gets wrong, learnt near the measured conditions.

The particles come from a simplified mechanism. For a quantity q (a logarithm, or a wavelength) the truth is
taken as ``q = q_particle + g``, with g a Gaussian process of mean 0 over (T_nucleation, T_growth, ln t),
Matérn 3/2 (Rasmussen & Williams 2006, eq. 4.17). Each particle is corrected by the g that its own misses at
the measured conditions imply, plus a draw of what remains uncertain (Matheron's rule). At a measured
condition all particles then agree with the measurement; far from any they keep their own prediction, and g's
amplitude is the doubt left in it. Each draw has an amplitude of its own, from a short list, in proportion to
how probable it makes the mean miss: few points do not settle how wrong the mechanism is.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from msc_plans.condition import Condition

__all__ = ["Residual"]

NUCLEATION_LENGTH = 40.0
GROWTH_LENGTH = 25.0
LOG_TIME_LENGTH = 0.5


def _features(conditions: Sequence[Condition]) -> NDArray[np.float64]:
    return np.array(
        [
            (
                one.nucleation_temperature / NUCLEATION_LENGTH,
                one.growth_temperature / GROWTH_LENGTH,
                np.log(one.residence_time) / LOG_TIME_LENGTH,
            )
            for one in conditions
        ]
    ).reshape(-1, 3)


def _matern(one: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
    distance = np.sqrt(3) * np.linalg.norm(one[:, None] - other[None], axis=-1)
    return (1 + distance) * np.exp(-distance)


@dataclass(frozen=True)
class Residual:
    """Misses of one quantity at measured conditions.

    Parameters
    ----------
    conditions : sequence of Condition
        Where the quantity was measured.
    values, sigmas : array
        What was measured there.
    amplitudes : tuple of float
        Standard deviations of g to choose from, in the quantity's unit.
    """

    conditions: Sequence[Condition]
    values: NDArray[np.float64]
    sigmas: NDArray[np.float64]
    amplitudes: tuple[float, ...]

    def shares(self, at_measured: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the probability of each amplitude given the predictions (sets, measured) there."""
        if not self.conditions:
            return np.full(len(self.amplitudes), 1 / len(self.amplitudes))
        miss = self.values - at_measured.mean(axis=0)
        features = _features(self.conditions)
        kernel = _matern(features, features)

        def evidence(amplitude: float) -> float:
            factor = np.linalg.cholesky(amplitude**2 * kernel + np.diag(self.sigmas**2 + 1e-8))
            white = np.linalg.solve(factor, miss)
            return float(-0.5 * white @ white - np.log(np.diag(factor)).sum())

        logs = np.array([evidence(one) for one in self.amplitudes])
        weights = np.exp(logs - logs.max())
        return weights / weights.sum()

    def correct(
        self,
        at_measured: NDArray[np.float64],
        at_new: NDArray[np.float64],
        conditions: Sequence[Condition],
        rng: np.random.Generator,
    ) -> NDArray[np.float64]:
        """Return corrected draws (sets, new) of predictions at the measured and at new conditions."""
        known = len(self.conditions)
        features = np.concatenate([_features(self.conditions), _features(conditions)])
        kernel = _matern(features, features)
        values, vectors = np.linalg.eigh(kernel)
        root = vectors * np.sqrt(np.maximum(values, 0.0))
        chosen = rng.choice(len(self.amplitudes), size=len(at_new), p=self.shares(at_measured))
        draws = rng.standard_normal((len(at_new), len(features))) @ root.T
        draws *= np.array(self.amplitudes)[chosen, None]
        if not known:
            return at_new + draws
        noise = self.sigmas * rng.standard_normal((len(at_new), known))
        miss = self.values + noise - at_measured - draws[:, :known]
        corrected = at_new + draws[:, known:]
        for number, amplitude in enumerate(self.amplitudes):
            covariance = amplitude**2 * kernel[:known, :known] + np.diag(self.sigmas**2 + 1e-8)
            gain = np.linalg.solve(covariance, amplitude**2 * kernel[:known, known:])
            corrected[chosen == number] += miss[chosen == number] @ gain
        return corrected
