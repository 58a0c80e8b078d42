"""What is believed, laid out over the candidates, so that a new result needs no integration of them.

Integrating every candidate with every particle takes seconds and is done while the reactor heats; a new result then
only changes the particles' weights.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from msc_plans.condition import Condition
from msc_plans.kinetics.belief import Belief
from msc_plans.kinetics.discrepancy import Discrepancy
from msc_plans.kinetics.observation import QUANTITIES, Observation

__all__ = ["Draws", "Outlook"]


@dataclass(frozen=True)
class Draws:
    """Joint draws of what is true at the candidates.

    Attributes
    ----------
    mechanism : ndarray, shape (draws,)
        Number of each draw's mechanism.
    quantities : ndarray, shape (draws, candidates, quantities)
        On the scales of `msc_plans.kinetics.observation.QUANTITIES`.
    """

    mechanism: NDArray[np.intp]
    quantities: NDArray[np.float64]


class Outlook:
    """Weighted particles of all mechanisms with their predictions at the candidates.

    Parameters
    ----------
    belief : Belief
        What is believed; not to be updated while the outlook is in use.
    candidates : sequence of Condition
        Where.
    particles : int
        At the most, of all mechanisms.
    """

    def __init__(self, belief: Belief, candidates: Sequence[Condition], particles: int) -> None:
        self.belief, self.candidates, self._most = belief, tuple(candidates), particles
        found = belief.particles([*belief.conditions, *candidates], particles)
        known = len(belief.conditions)
        self.conditions, self.observations = list(belief.conditions), list(belief.observations)
        self.mechanism = found.mechanism
        self.log_weight = np.where(np.isfinite(found.predicted[..., 0]).all(axis=1), found.log_weight, -np.inf)
        self.at_seen, self.predicted = found.predicted[:, :known], found.predicted[:, known:]

    @property
    def probabilities(self) -> dict[str, float]:
        """Probability of each mechanism."""
        weights = self._weights()
        return {name: float(weights[self.mechanism == k].sum()) for k, name in enumerate(self.belief.posteriors)}

    @property
    def effective(self) -> float:
        """How many particles of equal weight the weighted ones are worth."""
        return float(1.0 / np.sum(self._weights() ** 2))

    @property
    def discrepancy(self) -> Discrepancy:
        """Of all that was seen so far."""
        return Discrepancy(tuple(self.conditions), tuple(self.observations))

    def learn(self, conditions: Sequence[Condition], observations: Sequence[Observation]) -> None:
        """Reweigh the particles by new results."""
        if not conditions:
            return
        new = self.belief.particles(conditions, self._most).predicted
        before = self.discrepancy.log_likelihood(self.at_seen) if self.conditions else 0.0
        self.conditions += conditions
        self.observations += observations
        self.at_seen = np.concatenate([self.at_seen, new], axis=1)
        gain = self.discrepancy.log_likelihood(self.at_seen) - before
        self.log_weight = self.log_weight + np.where(np.isfinite(gain), gain, -np.inf)

    def draws(self, number: int, rng: np.random.Generator, quantities: Sequence[int] = range(len(QUANTITIES))) -> Draws:
        """Return draws at the candidates; quantities that aren't named stay the mechanisms' own."""
        chosen = self._resampled(number, rng)
        values = self.discrepancy.corrected(
            self.at_seen[chosen], self.predicted[chosen], self.candidates, rng, quantities
        )
        return Draws(self.mechanism[chosen], values)

    def elsewhere(self, conditions: Sequence[Condition], number: int, rng: np.random.Generator) -> Draws:
        """Return draws at conditions that aren't candidates; these are integrated."""
        chosen = self._resampled(number, rng)
        predicted = self.belief.particles(conditions, self._most).predicted[chosen]
        return Draws(
            self.mechanism[chosen], self.discrepancy.corrected(self.at_seen[chosen], predicted, conditions, rng)
        )

    def moments(
        self, number: int, rng: np.random.Generator
    ) -> tuple[NDArray[np.intp], NDArray[np.float64], NDArray[np.float64]]:
        """Return, of some particles, the mechanism's number, expectations given each, and variances about them."""
        chosen = self._resampled(number, rng)
        mean, variance = self.discrepancy.expected(self.at_seen[chosen], self.predicted[chosen], self.candidates)
        return self.mechanism[chosen], mean, variance

    def _weights(self) -> NDArray[np.float64]:
        if not np.isfinite(self.log_weight).any():
            return np.full(len(self.log_weight), 1.0 / len(self.log_weight))
        weights = np.exp(self.log_weight - self.log_weight.max())
        return weights / weights.sum()

    def _resampled(self, number: int, rng: np.random.Generator) -> NDArray[np.intp]:
        points = (rng.random() + np.arange(number)) / number
        return np.minimum(np.searchsorted(np.cumsum(self._weights()), points), len(self.log_weight) - 1)
