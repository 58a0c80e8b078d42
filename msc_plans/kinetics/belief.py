"""What is believed of the mechanisms together: one posterior each, weighed by their evidence.

The probability of a mechanism is its evidence over the sum of all (equal before any data). Before new data are taken
in, they are compared with what all mechanisms together predict; where none fits, an alarm is raised by name.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2

from msc_plans.condition import Condition
from msc_plans.kinetics.discrepancy import Discrepancy
from msc_plans.kinetics.inference import Posterior
from msc_plans.kinetics.mechanism import Mechanism
from msc_plans.kinetics.mechanism_file import mechanisms
from msc_plans.kinetics.observation import QUANTITIES, Observation
from msc_plans.kinetics.solver import Reactor

__all__ = ["ALARM", "Belief", "Check", "Particles"]

ALARM: Final = "no mechanism fits"
"""Name of the alarm."""
_ALARM_CHANCE = 1e-3


@dataclass(frozen=True)
class Particles:
    """Particles of all mechanisms side by side.

    Attributes
    ----------
    mechanism : ndarray, shape (particles,)
        Number of each particle's mechanism.
    log_weight : ndarray, shape (particles,)
        ln of its weight; the weights sum to 1.
    predicted : ndarray, shape (particles, conditions, quantities)
        What each predicts.
    """

    mechanism: NDArray[np.intp]
    log_weight: NDArray[np.float64]
    predicted: NDArray[np.float64]


@dataclass(frozen=True)
class Check:
    """How new data compare with what was predicted.

    Attributes
    ----------
    condition : Condition
        Where.
    misses : ndarray, shape (quantities,)
        Seen less predicted, over the standard deviation of both; NaN where nothing was seen.
    p_value : float
        Chance that data as far off or farther come from any of the mechanisms.
    """

    condition: Condition
    misses: NDArray[np.float64]
    p_value: float

    @property
    def worst(self) -> str:
        """The quantity that is farthest off."""
        return QUANTITIES[int(np.nanargmax(np.abs(self.misses)))] if np.isfinite(self.misses).any() else ""


class Belief:
    """Posteriors of several mechanisms.

    Parameters
    ----------
    candidates : mapping, optional
        Mechanisms by name. Default: the paper's and their rival.
    reactor : Reactor, optional
        Feed and volumes.
    particles : int
        Particles of each mechanism.
    seed : int
        Seed.
    """

    def __init__(
        self,
        candidates: Mapping[str, Mechanism] | None = None,
        reactor: Reactor | None = None,
        *,
        particles: int = 200,
        seed: int = 0,
    ) -> None:
        self.mechanisms = dict(mechanisms() if candidates is None else candidates)
        if not self.mechanisms:
            raise ValueError("a belief needs at least one mechanism")
        self.reactor = reactor or Reactor()
        self.seed = seed
        self.posteriors = {
            name: Posterior(one, self.reactor, particles=particles, seed=seed) for name, one in self.mechanisms.items()
        }
        self.conditions: list[Condition] = []
        self.observations: list[Observation] = []
        self.checks: list[Check] = []

    def __len__(self) -> int:
        """Return the number of particles."""
        return sum(len(one.z) for one in self.posteriors.values())

    @property
    def probabilities(self) -> dict[str, float]:
        """Probability of each mechanism."""
        logs = np.array([one.log_evidence for one in self.posteriors.values()])
        weights = np.exp(logs - logs.max())
        return dict(zip(self.posteriors, (weights / weights.sum()).tolist(), strict=True))

    @property
    def discrepancy(self) -> Discrepancy:
        """Of all that was seen so far."""
        return Discrepancy(tuple(self.conditions), tuple(self.observations))

    @property
    def alarm(self) -> str | None:
        """Name and reason of the alarm, or None while some mechanism fits."""
        if not self.checks:
            return None
        worst = min(self.checks, key=lambda one: one.p_value)
        chance = 1 - (1 - worst.p_value) ** len(self.checks)
        if chance >= _ALARM_CHANCE:
            return None
        return f"{ALARM}: {worst.worst} at {worst.condition} is off by {np.nanmax(np.abs(worst.misses)):.1f} σ"

    def update(self, conditions: Sequence[Condition], observations: Sequence[Observation]) -> None:
        """Learn from new conditions and what was seen there; the order of the data is part of the seed.

        Raises
        ------
        ValueError
            The two sequences differ in length.
        """
        if len(conditions) != len(observations):
            raise ValueError(f"{len(conditions)} conditions but {len(observations)} observations")
        self.checks += self._compared(conditions, observations)
        for posterior in self.posteriors.values():
            posterior.update(conditions, observations)
        self.conditions += conditions
        self.observations += observations

    def particles(self, conditions: Sequence[Condition], most: int | None = None) -> Particles:
        """Return all particles with their predictions; of each mechanism no more than its share of ``most``."""
        number, logs, predicted = [], [], []
        share = len(self) if most is None else max(most // len(self.posteriors), 1)
        for k, (name, posterior) in enumerate(self.posteriors.items()):
            thin = -(-len(posterior.z) // share)
            one = posterior.predict(conditions, thin=thin)
            predicted.append(one)
            number.append(np.full(len(one), k))
            logs.append(np.full(len(one), np.log(max(self.probabilities[name], 1e-300) / len(one))))
        return Particles(np.concatenate(number), np.concatenate(logs), np.concatenate(predicted))

    def _compared(self, conditions: Sequence[Condition], observations: Sequence[Observation]) -> list[Check]:
        if not conditions:
            return []
        particles = self.particles([*self.conditions, *conditions])
        known = len(self.conditions)
        mean, variance = self.discrepancy.expected(
            particles.predicted[:, :known], particles.predicted[:, known:], conditions
        )
        weight = np.exp(particles.log_weight)
        weight = weight * np.isfinite(particles.predicted[..., 0]).all(axis=1)
        weight /= weight.sum()
        mean = np.where(weight[:, None, None] > 0, mean, 0.0)
        checks = []
        for number, (condition, seen) in enumerate(zip(conditions, observations, strict=True)):
            centre = weight @ mean[:, number]
            spread = weight @ ((mean[:, number] - centre) ** 2 + variance[:, number]) + seen.sigmas**2
            misses = (seen.values - centre) / np.sqrt(spread)
            looked = np.isfinite(misses)
            # Quantities of one condition are not independent: the worst counts, times how many there are.
            worst = float(np.max(np.abs(misses[looked]), initial=0.0))
            single = float(chi2.sf(worst**2, 1))
            checks.append(Check(condition, misses, 1 - (1 - single) ** max(int(looked.sum()), 1)))
        return checks
