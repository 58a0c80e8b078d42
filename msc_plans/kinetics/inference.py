"""What the data say of the rate constants: tempered sequential Monte Carlo over particles.

Each particle is a point z of the whitened prior (standard normal in every direction): ``θ = mean + sigma z``
over the rate constants and the two optical gains. New conditions enter by tempering (Del Moral, Doucet &
Jasra, J. R. Stat. Soc. B 2006, 68, 411): their likelihood is raised from the power 0 to 1 in stages, each as
large as keeps half of the particles effective; a stage reweighs, resamples systematically and moves the
particles by Metropolis steps. These are autoregressive (preconditioned Crank–Nicolson; Cotter et al., Stat.
Sci. 2013, 28, 424): about the normal distribution fitted to the other half of the particles, and about the
prior in a random few of the directions, which brings back what resampling thins out there.

The errors of the model enter by :class:`~msc_plans.kinetics.observation.Discrepancy`; as the residuals are
judged by a Student t, data that no parameter explains widen the cloud rather than concentrate it on one
particle.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from msc_plans.condition import Condition
from msc_plans.kinetics.mechanism import Mechanism
from msc_plans.kinetics.observation import (
    GAIN_PRIORS,
    Discrepancy,
    Observation,
    Predicted,
    log_likelihood,
    predict,
)
from msc_plans.kinetics.solver import Reactor, solve

__all__ = ["Posterior"]

KEEP = 0.5
MAX_STAGES = 40


class Posterior:
    """Particles over the parameters of one mechanism, all of equal weight.

    Parameters
    ----------
    mechanism : Mechanism
        The mechanism.
    reactor : Reactor
        Feed and volumes.
    errors : Discrepancy
        How wrong the model may be.
    particles : int
        Number of particles, an even number of at least 50.
    effort : float
        Sweeps of Metropolis steps in a stage times the number of conditions, within 2 to 10 sweeps a stage.
    seed : int
        Seed; the result depends on it and the order of the data only.
    """

    def __init__(
        self,
        mechanism: Mechanism,
        reactor: Reactor | None = None,
        errors: Discrepancy | None = None,
        *,
        particles: int = 400,
        effort: float = 20.0,
        seed: int = 0,
    ) -> None:
        if particles < 50 or particles % 2:
            raise ValueError(f"particles must be an even number of at least 50, not {particles!r}")
        self.mechanism = mechanism
        self.reactor = reactor or Reactor()
        self.errors = errors or Discrepancy()
        self.effort = effort
        self.seed = seed
        self._mean = np.concatenate([mechanism.prior_mean, [one.mean for one in GAIN_PRIORS]])
        self._sigma = np.concatenate([mechanism.prior_sigma, [one.sigma for one in GAIN_PRIORS]])
        self.z = np.random.default_rng([seed, 0]).standard_normal((particles, len(self._mean)))
        self.conditions: list[Condition] = []
        self.observations: list[Observation] = []

    @property
    def parameters(self) -> NDArray[np.float64]:
        """The particles in physical units: log10 k, E (kJ/mol), ln gain of families and nanocrystals."""
        return self._mean + self._sigma * self.z

    def interval(self, probability: float = 0.95) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the lower and upper ends of each parameter's central interval."""
        tail = 50 * (1 - probability)
        low, high = np.percentile(self.parameters, [tail, 100 - tail], axis=0)
        return low, high

    def predict(self, conditions: Sequence[Condition], *, thin: int = 1) -> Predicted:
        """Return the signals each particle (every ``thin``-th) predicts for the conditions."""
        return self._predict(self.z[::thin], conditions)

    def restore(
        self,
        z: NDArray[np.float64],
        conditions: Sequence[Condition],
        observations: Sequence[Observation],
    ) -> None:
        """Take up the state another posterior had."""
        if z.shape != self.z.shape:
            raise ValueError(f"particles must have the shape {self.z.shape}, not {z.shape}")
        self.z = z.copy()
        self.conditions, self.observations = list(conditions), list(observations)

    def update(self, conditions: Sequence[Condition], observations: Sequence[Observation]) -> None:
        """Learn from new conditions and what was observed there.

        Raises
        ------
        ValueError
            The two sequences differ in length.
        """
        if len(conditions) != len(observations):
            raise ValueError(f"{len(conditions)} conditions but {len(observations)} observations")
        if not conditions:
            return
        rng = np.random.default_rng([self.seed, 1, len(self.conditions)])
        old = len(self.conditions)
        self.conditions += conditions
        self.observations += observations
        terms = self._terms(self.z)
        power = 0.0
        for stage in range(MAX_STAGES):
            fresh = terms[:, old:].sum(axis=1)
            step = 1 - power if stage == MAX_STAGES - 1 else _step(fresh, 1 - power)
            power += step
            weights = np.exp(step * (fresh - fresh.max()))
            chosen = _systematic(weights / weights.sum(), rng)
            self.z, terms = self.z[chosen], terms[chosen]
            powers = np.ones(len(self.conditions))
            powers[old:] = power
            done = power >= 1 - 1e-9
            for _ in range(int(np.clip(self.effort / len(self.conditions), 2, 10))):
                self._sweep(terms, powers, rng)
            if done:
                return

    def _sweep(self, terms: NDArray[np.float64], powers: NDArray[np.float64], rng: np.random.Generator) -> None:
        """Move every particle once within the cloud, and once within the prior in a few directions."""
        number, directions = self.z.shape
        order = rng.permutation(number)
        halves = order[: number // 2], order[number // 2 :]
        for mine, others in (halves, halves[::-1]):
            centre = self.z[others].mean(axis=0)
            covariance = np.cov(self.z[others].T)
            # Few particles leave chance correlations; shrinking them and a floor keep every direction open.
            covariance = 1.1 * (0.7 * covariance + 0.3 * np.diag(np.diag(covariance))) + 0.02 * np.eye(directions)
            root = np.linalg.cholesky(covariance)
            fresh = rng.choice([0.2, 0.5, 0.9], size=(len(mine), 1))
            noise = rng.standard_normal((len(mine), directions)) @ root.T
            now = self.z[mine]
            proposal = centre + np.sqrt(1 - fresh**2) * (now - centre) + fresh * noise
            cloud = [(np.linalg.solve(root, (z - centre).T) ** 2).sum(axis=0) for z in (now, proposal)]
            prior = [(z**2).sum(axis=1) for z in (now, proposal)]
            bonus = 0.5 * (prior[0] - prior[1] - cloud[0] + cloud[1])
            self._accept(mine, proposal, bonus, terms, powers, rng)
        moved = rng.random(self.z.shape) < rng.choice([0.05, 0.15, 0.4], size=(number, 1))
        fresh = rng.choice([0.3, 0.6, 1.0], size=(number, 1))
        proposal = np.sqrt(1 - fresh**2) * self.z + fresh * rng.standard_normal(self.z.shape)
        self._accept(np.arange(number), np.where(moved, proposal, self.z), np.zeros(number), terms, powers, rng)

    def _accept(
        self,
        mine: NDArray[np.intp],
        proposal: NDArray[np.float64],
        bonus: NDArray[np.float64],
        terms: NDArray[np.float64],
        powers: NDArray[np.float64],
        rng: np.random.Generator,
    ) -> None:
        """Replace particles by proposals after Metropolis; ``bonus`` is ln of prior and proposal ratios."""
        new = self._terms(proposal)
        take = np.log(rng.random(len(mine))) < (new - terms[mine]) @ powers + bonus
        self.z[mine[take]] = proposal[take]
        terms[mine[take]] = new[take]

    def _terms(self, z: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return ln p(observation | particle), shape (particles, conditions)."""
        predicted = self._predict(z, self.conditions)
        return np.stack(
            [log_likelihood(predicted, one, number, self.errors) for number, one in enumerate(self.observations)],
            axis=1,
        )

    def _predict(self, z: NDArray[np.float64], conditions: Sequence[Condition]) -> Predicted:
        parameters = self._mean + self._sigma * z
        rates = len(self.mechanism)
        concentrations = solve(self.mechanism, parameters[:, :rates], conditions, self.reactor, rtol=1e-2)
        return predict(self.mechanism, concentrations, parameters[:, rates:], self.reactor.cadmium_millimolar)


def _step(values: NDArray[np.float64], most: float) -> float:
    """Return the largest power up to ``most`` that leaves the share KEEP of the particles effective."""

    def effective(step: float) -> float:
        weights = np.exp(step * (values - values.max()))
        return float(weights.sum() ** 2 / (weights**2).sum()) / len(values)

    if effective(most) >= KEEP:
        return most
    low, high = 0.0, most
    for _ in range(40):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if effective(middle) >= KEEP else (low, middle)
    return max(low, 1e-4 * most)


def _systematic(weights: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.intp]:
    """Return the indices systematic resampling keeps."""
    number = len(weights)
    points = (rng.random() + np.arange(number)) / number
    return np.minimum(np.searchsorted(np.cumsum(weights), points), number - 1)
