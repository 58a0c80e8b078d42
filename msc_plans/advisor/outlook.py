"""What is believed, laid out over the candidates, so that a new result needs no integration of them.

Integrating every candidate with every particle takes seconds and is done while the reactor heats; a new result then
only changes the particles' weights.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from msc_plans.advisor.required_steps import needed_steps, steps_in_question
from msc_plans.condition import Condition
from msc_plans.kinetics.belief import Belief
from msc_plans.kinetics.discrepancy import Discrepancy
from msc_plans.kinetics.observation import Observation

__all__ = ["Draws", "Outlook"]

_LOOKED_AT: Final = 60
"""Candidates, evenly, where it is looked for what a step does."""


@dataclass(frozen=True)
class Draws:
    """Joint draws of what is true at the candidates.

    Attributes
    ----------
    mechanism : ndarray, shape (draws,)
        Number of each draw's mechanism.
    quantities : ndarray, shape (draws, candidates, quantities)
        By `Observables.names`, on the scales of the observations.
    """

    mechanism: NDArray[np.intp]
    quantities: NDArray[np.floating]


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
        self._names = steps_in_question(belief.mechanisms.values())
        found = belief.particles([*belief.conditions, *candidates], particles)
        known = len(belief.conditions)
        self.conditions, self.observations = list(belief.conditions), list(belief.observations)
        self.mechanism, self._index = found.mechanism, found.index
        self.log_weight = np.where(np.isfinite(found.predicted[..., 0]).all(axis=1), found.log_weight, -np.inf)
        self.at_seen = found.predicted[:, :known]
        # A suggestion waits for the copying of these: half the memory is half the wait.
        self.predicted = found.predicted[:, known:].astype(np.float32)

    @property
    def probabilities(self) -> dict[str, float]:
        """Probability of each mechanism."""
        weights = self._weights()
        return {name: float(weights[self.mechanism == k].sum()) for k, name in enumerate(self.belief.posteriors)}

    @property
    def needed_probabilities(self) -> dict[tuple[str, ...], float]:
        """Probability of each set of needed steps among those in question; empty if there are none in question."""
        weights, found = self._weights(), {}
        if not self._names:
            return {}
        for row, weight in zip(self.needed, weights.tolist(), strict=True):
            names = tuple(name for name, wanted in zip(self._names, row, strict=True) if wanted)
            found[names] = found.get(names, 0.0) + weight
        return found

    @cached_property
    def needed(self) -> NDArray[np.bool_]:
        """Which steps in question each particle needs, by what the belief has seen and some candidates."""
        known = len(self.belief.conditions)
        some = np.arange(len(self.candidates))[:: max(1, len(self.candidates) // _LOOKED_AT)]
        where = [*self.belief.conditions, *(self.candidates[one] for one in some)]
        predicted = np.concatenate([self.at_seen[:, :known], self.predicted[:, some]], axis=1)
        error = self.discrepancy.error(self.at_seen)
        found = np.empty((len(self.mechanism), len(self._names)), dtype=bool)
        for k, posterior in enumerate(self.belief.posteriors.values()):
            mine = self.mechanism == k
            found[mine] = needed_steps(posterior, self._index[mine], self._names, where, predicted[mine], error[mine])
        return found

    @property
    def kinds(self) -> NDArray[np.intp]:
        """Label of each particle: particles that need the same steps are of one kind."""
        if not self._names:
            return self.mechanism
        return np.unique(self.needed, axis=0, return_inverse=True)[1].ravel()

    @property
    def effective(self) -> float:
        """How many particles of equal weight the weighted ones are worth."""
        return float(1.0 / np.sum(self._weights() ** 2))

    @property
    def discrepancy(self) -> Discrepancy:
        """Error of the model by all that was seen so far."""
        return Discrepancy(tuple(self.conditions), tuple(self.observations), self.belief.observables.names)

    def learn(self, conditions: Sequence[Condition], observations: Sequence[Observation]) -> None:
        """Reweigh the particles by new results."""
        if not conditions:
            return
        new = self.belief.particles(conditions, self._most).predicted
        known = len(self.conditions)
        self.conditions += conditions
        self.observations += observations
        self.at_seen = np.concatenate([self.at_seen, new], axis=1)
        before, after = self.discrepancy.log_likelihoods(self.at_seen, known)
        possible = np.isfinite(after)
        self.log_weight = self.log_weight + np.subtract(after, before, where=possible, out=np.full_like(after, -np.inf))

    def draws(self, number: int, rng: np.random.Generator, quantities: Sequence[int] | None = None) -> Draws:
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
    ) -> tuple[NDArray[np.intp], NDArray[np.floating], NDArray[np.floating]]:
        """Return the numbers of some particles, expectations given each, and variances about them."""
        chosen = self._resampled(number, rng)
        mean, variance = self.discrepancy.expected(self.at_seen[chosen], self.predicted[chosen], self.candidates)
        return chosen, mean, variance

    def _weights(self) -> NDArray[np.float64]:
        if not np.isfinite(self.log_weight).any():
            return np.full(len(self.log_weight), 1.0 / len(self.log_weight))
        weights = np.exp(self.log_weight - self.log_weight.max())
        return weights / weights.sum()

    def _resampled(self, number: int, rng: np.random.Generator) -> NDArray[np.intp]:
        points = (rng.random() + np.arange(number)) / number
        return np.minimum(np.searchsorted(np.cumsum(self._weights()), points), len(self.log_weight) - 1)
