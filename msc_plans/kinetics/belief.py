"""What is believed of the mechanisms together: one posterior each, weighed by their evidence.

The probability of a mechanism is its evidence over the sum of all (equal before any data). Before new data are taken
in, they are compared with what all mechanisms together predict; where none fits, an alarm is raised by name. All of
them predict that nothing absorbs at the red end of a spectrum: what does is on the windows, or the reference is old.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student

from msc_plans.condition import Condition
from msc_plans.kinetics.discrepancy import Discrepancy
from msc_plans.kinetics.inference import Posterior, check_lengths
from msc_plans.kinetics.mechanism import Mechanism
from msc_plans.kinetics.mechanism_file import mechanisms
from msc_plans.kinetics.observation import Observables, Observation
from msc_plans.kinetics.solver import FlowModel

__all__ = ["ALARM", "OPTICS_ALARM", "Belief", "Check", "Particles"]

ALARM: Final = "no mechanism fits"
"""Name of the alarm by what is seen of clusters and crystals."""
OPTICS_ALARM: Final = "optics changed"
"""Name of the alarm by the baseline."""
_TAIL: Final = 8
"""Degrees of freedom of Student's t for what is off by many σ: an analysis misjudges its σ at times."""
_BASELINE_SIGMA: Final = 0.003
"""Absorbance: a lamp of 0.7 % drift since its reference."""
_BASELINE_LIMIT: Final = 5.0
_ALARM_CHANCE = 1e-3
_EVIDENCE_ERROR: Final = 1.1
"""Standard deviation of ln evidence by 200 particles: over four seeds it was 0.4 to 1.8 with eight conditions."""
_DRAWS: Final = 4000
_LEAST_SHARE: Final = 0.3
"""Share of the particles asked for that is dealt out evenly at the least: what is improbable may become probable."""


@dataclass(frozen=True)
class Particles:
    """Particles of all mechanisms side by side.

    Attributes
    ----------
    mechanism : ndarray, shape (particles,)
        Number of each particle's mechanism.
    index : ndarray, shape (particles,)
        Number of each particle in its posterior.
    log_weight : ndarray, shape (particles,)
        ln of its weight; the weights sum to 1.
    predicted : ndarray, shape (particles, conditions, quantities)
        What each predicts.
    """

    mechanism: NDArray[np.intp]
    index: NDArray[np.intp]
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


class Belief:
    """Posteriors of several mechanisms.

    Parameters
    ----------
    candidates : mapping, optional
        Mechanisms by name. Default: the paper's and their rival.
    reactor : FlowModel, optional
        Feed and volumes.
    observables : Observables, optional
        What is seen. Default: of the built-in families.
    particles : int
        Particles of each mechanism.
    seed : int
        Seed.

    Raises
    ------
    ValueError
        There is no mechanism, or none makes any of the families.
    """

    def __init__(
        self,
        candidates: Mapping[str, Mechanism] | None = None,
        reactor: FlowModel | None = None,
        *,
        observables: Observables | None = None,
        particles: int = 200,
        seed: int = 0,
    ) -> None:
        self.mechanisms = dict(mechanisms() if candidates is None else candidates)
        if not self.mechanisms:
            raise ValueError("a belief needs at least one mechanism")
        self.reactor = reactor or FlowModel()
        self.observables = observables or Observables()
        self.observables.check(self.mechanisms.values())
        self.seed = seed
        self.posteriors = {
            name: Posterior(one, self.reactor, observables=self.observables, particles=particles, seed=seed)
            for name, one in self.mechanisms.items()
        }
        self.conditions: list[Condition] = []
        self.observations: list[Observation] = []
        self.checks: list[Check] = []

    def __len__(self) -> int:
        """Return the number of particles."""
        return sum(len(one.z) for one in self.posteriors.values())

    @property
    def probabilities(self) -> dict[str, float]:
        """Probability of each mechanism, its evidence being known to the error of its Monte Carlo only."""
        logs = np.array([one.log_evidence for one in self.posteriors.values()])
        errors = np.array([_EVIDENCE_ERROR * np.sqrt(200 / len(one.z)) for one in self.posteriors.values()])
        drawn = logs + bool(self.conditions) * errors * np.random.default_rng(0).standard_normal((_DRAWS, len(logs)))
        weights = np.exp(drawn - drawn.max(axis=1, keepdims=True))
        shares = (weights / weights.sum(axis=1, keepdims=True)).mean(axis=0)
        return dict(zip(self.posteriors, shares.tolist(), strict=True))

    @property
    def discrepancy(self) -> Discrepancy:
        """Error of the model by all that was seen so far."""
        return Discrepancy(tuple(self.conditions), tuple(self.observations), self.observables.names)

    @property
    def alarm(self) -> str | None:
        """Name and reason of the alarm, or None while some mechanism fits and the optics are as at the reference."""
        if not self.checks:
            return None
        baseline = self.observations[-1].baseline
        if abs(baseline) > _BASELINE_LIMIT * _BASELINE_SIGMA:
            found = (
                f"absorbance of {baseline:.3f} at the red end, where nothing should absorb, at {self.conditions[-1]}"
            )
            return f"{OPTICS_ALARM}: {found}; a deposit on the windows, or an old reference"
        worst = min(self.checks, key=lambda one: one.p_value)
        chance = 1 - (1 - worst.p_value) ** len(self.checks)
        if chance >= _ALARM_CHANCE:
            return None
        off = int(np.nanargmax(np.abs(worst.misses)))
        return f"{ALARM}: {self.observables.names[off]} at {worst.condition} is off by {abs(worst.misses[off]):.1f} σ"

    def update(self, conditions: Sequence[Condition], observations: Sequence[Observation]) -> None:
        """Learn from new conditions and what was seen there; the order of the data is part of the seed.

        Raises
        ------
        ValueError
            The two sequences differ in length.
        """
        check_lengths(conditions, observations)
        self.checks += self._compared(conditions, observations)
        for posterior in self.posteriors.values():
            posterior.update(conditions, observations)
        self.conditions += conditions
        self.observations += observations

    def particles(self, conditions: Sequence[Condition], most: int | None = None) -> Particles:
        """Return all particles with their predictions.

        Or about ``most`` of them: of each mechanism as many as it is probable, and a few where it is not.
        """
        number, index, logs, predicted = [], [], [], []
        for k, (name, share) in enumerate(self.probabilities.items()):
            few = None if most is None else max(round(most * share), round(_LEAST_SHARE * most / len(self.posteriors)))
            one = self.posteriors[name].predict(conditions, most=few)
            predicted.append(one)
            index.append(self.posteriors[name].some(few))
            number.append(np.full(len(one), k))
            logs.append(np.full(len(one), np.log(max(share, 1e-300) / len(one))))
        return Particles(*map(np.concatenate, (number, index, logs, predicted)))

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
            sigma = np.sqrt(variance[:, number] + seen.sigmas**2)
            centre = weight @ mean[:, number]
            spread = weight @ ((mean[:, number] - centre) ** 2 + sigma**2)
            below = weight @ student.cdf((seen.values - mean[:, number]) / sigma, _TAIL)
            tails = 2 * np.minimum(below, 1 - below)[np.isfinite(seen.values)]
            # Quantities of one condition are not independent: the worst counts, times how many there are.
            chance = min(1.0, float(np.min(tails, initial=1.0)) * max(len(tails), 1))
            checks.append(Check(condition, (seen.values - centre) / np.sqrt(spread), chance))
        return checks
