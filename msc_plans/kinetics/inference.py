"""What the data say of rate constants and mechanisms: tempered sequential Monte Carlo, condition by condition.

A `Posterior` holds particles over the parameters of one mechanism. Each is a point z of the whitened prior (standard
normal in every direction): ``θ = mean + sigma z`` over the rate constants and two optical gains. New conditions enter
by tempering (Del Moral, Doucet & Jasra, *J. R. Stat. Soc. B* 2006, 68, 411): their likelihood is raised from the power
0 to 1 in stages, each as large as keeps half of the particles effective; a stage reweighs, resamples systematically and
moves the particles by Metropolis steps: autoregressive (Cotter et al., *Stat. Sci.* 2013, 28, 424) about the normal
distribution fitted to the other half of the particles, along the difference of two of that half (ter Braak, *Stat.
Comput.* 2006, 16, 239), and about the prior in a random few of the directions. The means of the weights multiply to the
evidence of the mechanism. Errors of the model enter by `discrepancy`.
"""

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from msc_plans.condition import Condition
from msc_plans.kinetics.discrepancy import Discrepancy
from msc_plans.kinetics.mechanism import Mechanism
from msc_plans.kinetics.observation import GAIN_PRIORS, Observables, Observation
from msc_plans.kinetics.solver import FlowModel, solve

__all__ = ["RTOL", "Posterior", "check_lengths"]

RTOL: Final = 1e-2
"""Relative error of a step in inference: at the end, 99 % of the prior's draws are within 0.05 % of the feed, while the
model is off by 10 %."""
Terms = Callable[[NDArray[np.float64]], NDArray[np.float64]]
"""From predictions at all conditions: ln likelihood of what was known, and of all; shape (2, particles)."""
_KEEP = 0.5
_NEVER = -99.0
"""log10 k of a step that does not happen."""
_MOST_STAGES = 40
_IMPOSSIBLE = -1e30
"""ln likelihood of particles the solver could not follow; finite, as differences are taken."""


def check_lengths(conditions: Sequence[Condition], observations: Sequence[Observation]) -> None:
    """Raise ValueError where there is not one observation for each condition."""
    if len(conditions) != len(observations):
        raise ValueError(f"{len(conditions)} conditions but {len(observations)} observations")


class Posterior:
    """Particles over the parameters of one mechanism, all of equal weight.

    Parameters
    ----------
    mechanism : Mechanism
        The mechanism.
    reactor : FlowModel
        Feed and volumes.
    observables : Observables, optional
        What is seen. Default: of the built-in families.
    particles : int
        Number of particles, an even number of at least 50.
    sweeps : int
        Metropolis sweeps a stage.
    seed : int
        Seed; the result depends on it and the order of the data only.
    """

    def __init__(
        self,
        mechanism: Mechanism,
        reactor: FlowModel | None = None,
        *,
        observables: Observables | None = None,
        particles: int = 200,
        sweeps: int = 12,
        seed: int = 0,
    ) -> None:
        if particles < 50 or particles % 2:
            raise ValueError(f"particles must be an even number of at least 50, not {particles!r}")
        self.mechanism = mechanism
        self.reactor = reactor or FlowModel()
        self.observables = observables or Observables()
        self.sweeps = sweeps
        self.seed = seed
        priors = (*mechanism.priors, *GAIN_PRIORS)
        self._mean = np.array([one.mean for one in priors])
        self._sigma = np.array([one.sigma for one in priors])
        self.z = np.random.default_rng([seed, 0]).standard_normal((particles, len(priors)))
        self.log_evidence = 0.0
        self.conditions: list[Condition] = []
        self.observations: list[Observation] = []
        self._at_seen = np.empty((particles, 0, len(self.observables.names)))

    @property
    def parameters(self) -> NDArray[np.float64]:
        """The particles in physical units, shape (particles, parameters): log10 k, E (kJ/mol), two ln gains."""
        return self._mean + self._sigma * self.z

    def some(self, most: int | None) -> NDArray[np.intp]:
        """Return the numbers of ``most`` particles, evenly; of all without it."""
        number = len(self.z) if most is None else min(most, len(self.z))
        return np.arange(number) * len(self.z) // number

    def predict(self, conditions: Sequence[Condition], *, most: int | None = None) -> NDArray[np.float64]:
        """Return what each particle (or ``most`` of them) predicts, shape (particles, conditions, quantities)."""
        chosen, known = self.some(most), len(self.conditions)
        if list(conditions[:known]) != self.conditions:
            return self._predict(self.z[chosen], conditions)
        return np.concatenate([self._at_seen[chosen], self._predict(self.z[chosen], conditions[known:])], axis=1)

    def without(
        self, off: NDArray[np.bool_], chosen: NDArray[np.intp], conditions: Sequence[Condition]
    ) -> NDArray[np.float64]:
        """Return what some particles would predict if steps did not happen.

        Parameters
        ----------
        off : ndarray, shape (chosen, constants)
            Which steps, in the order of the mechanism's constants.
        chosen : ndarray, shape (chosen,)
            The particles.
        conditions : sequence of Condition
            Where.
        """
        parameters = self.parameters[chosen]
        parameters[:, : off.shape[1]][off] = _NEVER
        return self._predicted(parameters, conditions)

    def restore(
        self,
        z: NDArray[np.float64],
        log_evidence: float,
        conditions: Sequence[Condition],
        observations: Sequence[Observation],
    ) -> None:
        """Take up the state another posterior had.

        Raises
        ------
        ValueError
            The particles have another shape.
        """
        if z.shape != self.z.shape:
            raise ValueError(f"particles must have the shape {self.z.shape}, not {z.shape}")
        self.z, self.log_evidence = z.copy(), log_evidence
        self.conditions, self.observations = list(conditions), list(observations)
        self._at_seen = self._predict(self.z, self.conditions)

    def update(self, conditions: Sequence[Condition], observations: Sequence[Observation]) -> None:
        """Learn from new conditions and what was seen there.

        Raises
        ------
        ValueError
            The two sequences differ in length.
        """
        check_lengths(conditions, observations)
        if not conditions:
            return
        rng = np.random.default_rng([self.seed, 1, len(self.conditions)])
        known = len(self.conditions)
        self._at_seen = self.predict([*self.conditions, *conditions])
        self.conditions += conditions
        self.observations += observations
        of = Discrepancy(tuple(self.conditions), tuple(self.observations), self.observables.names)
        self._temper(lambda predicted: np.maximum(of.log_likelihoods(predicted, known), _IMPOSSIBLE), rng)

    def _temper(self, terms: Terms, rng: np.random.Generator) -> None:
        known = terms(self._at_seen)
        power = 0.0
        for stage in range(_MOST_STAGES):
            fresh = np.where(known[1] > _IMPOSSIBLE, known[1] - known[0], _IMPOSSIBLE)
            step = 1 - power if stage == _MOST_STAGES - 1 else _step(fresh, 1 - power)
            power += step
            weights = np.exp(step * (fresh - fresh.max()))
            self.log_evidence += float(np.log(weights.mean()) + step * fresh.max())
            chosen = _systematic(weights / weights.sum(), rng)
            self.z, self._at_seen, known = self.z[chosen], self._at_seen[chosen], known[:, chosen]
            for _ in range(self.sweeps):
                self._sweep(known, power, terms, rng)
            if power >= 1 - 1e-9:
                return

    def _sweep(
        self,
        known: NDArray[np.float64],
        power: float,
        terms: Terms,
        rng: np.random.Generator,
    ) -> None:
        """Move every particle within the cloud, along differences in it, and within the prior in a few directions."""
        number, directions = self.z.shape

        def propose(mine: NDArray[np.intp], new: NDArray[np.float64], bonus: NDArray[np.float64]) -> None:
            self._accept(mine, new, bonus, known, power, terms, rng)

        order = rng.permutation(number)
        halves = order[: number // 2], order[number // 2 :]
        for mine, others in (halves, halves[::-1]):
            centre, root = self._cloud(others)
            now, share = self.z[mine], rng.choice([0.1, 0.3, 0.7], size=(len(mine), 1))
            new = centre + np.sqrt(1 - share**2) * (now - centre)
            new += share * (rng.standard_normal((len(mine), directions)) @ root.T)
            cloud = [(np.linalg.solve(root, (z - centre).T) ** 2).sum(axis=0) for z in (now, new)]
            propose(mine, new, 0.5 * (_square(now) - _square(new) - cloud[0] + cloud[1]))

            now = self.z[mine]
            one, other = others[rng.integers(len(others), size=(2, len(mine)))]
            moved = rng.random(now.shape) < rng.choice([0.2, 0.5, 1.0], size=(len(mine), 1))
            length = 2.38 / np.sqrt(2 * np.maximum(moved.sum(axis=1, keepdims=True), 1))
            length = length * rng.choice([0.3, 0.6, 1.0], size=(len(mine), 1))
            difference = length * (self.z[one] - self.z[other]) + 0.02 * rng.standard_normal(now.shape)
            new = now + moved * difference
            propose(mine, new, 0.5 * (_square(now) - _square(new)))
        moved = rng.random(self.z.shape) < rng.choice([0.05, 0.15, 0.4], size=(number, 1))
        share = rng.choice([0.3, 0.6, 1.0], size=(number, 1))
        new = np.sqrt(1 - share**2) * self.z + share * rng.standard_normal(self.z.shape)
        mine = np.flatnonzero(moved.any(axis=1))
        propose(mine, np.where(moved, new, self.z)[mine], np.zeros(len(mine)))

    def _cloud(self, chosen: NDArray[np.intp]) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
        """Return the mean of some particles and the root of their covariance."""
        covariance = np.cov(self.z[chosen].T)
        # Few particles leave chance correlations; shrinking them and a floor keep every direction open.
        covariance = 1.1 * (0.7 * covariance + 0.3 * np.diag(np.diag(covariance))) + 0.02 * np.eye(len(covariance))
        return self.z[chosen].mean(axis=0), np.linalg.cholesky(covariance)

    def _accept(
        self,
        mine: NDArray[np.intp],
        proposal: NDArray[np.float64],
        bonus: NDArray[np.float64],
        known: NDArray[np.float64],
        power: float,
        terms: Terms,
        rng: np.random.Generator,
    ) -> None:
        """Replace particles by proposals after Metropolis; ``bonus`` is ln of prior and proposal ratios."""
        predicted = self._predict(proposal, self.conditions)
        new = terms(predicted)
        gain = (1 - power) * (new[0] - known[0, mine]) + power * (new[1] - known[1, mine]) + bonus
        take = np.log(rng.random(len(mine))) < gain
        self.z[mine[take]], self._at_seen[mine[take]] = proposal[take], predicted[take]
        known[:, mine[take]] = new[:, take]

    def _predict(self, z: NDArray[np.float64], conditions: Sequence[Condition]) -> NDArray[np.float64]:
        return self._predicted(self._mean + self._sigma * z, conditions)

    def _predicted(self, parameters: NDArray[np.float64], conditions: Sequence[Condition]) -> NDArray[np.float64]:
        rates = len(self.mechanism)
        concentrations = solve(self.mechanism, parameters[:, :rates], conditions, self.reactor, rtol=RTOL)
        gains, fed = parameters[:, rates:], self.reactor.cadmium_millimolar
        return self.observables.predict(self.mechanism, concentrations, gains, fed)


def _square(z: NDArray[np.float64]) -> NDArray[np.floating]:
    return np.sum(z**2, axis=1)


def _step(values: NDArray[np.float64], most: float) -> float:
    """Return the largest power up to ``most`` that leaves the share _KEEP of the particles effective."""

    def effective(step: float) -> float:
        weights = np.exp(step * (values - values.max()))
        return float(weights.sum() ** 2 / (weights**2).sum()) / len(values)

    if effective(most) >= _KEEP:
        return most
    low, high = 0.0, most
    for _ in range(40):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if effective(middle) >= _KEEP else (low, middle)
    return max(low, 1e-4 * most)


def _systematic(weights: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.intp]:
    """Return the indices systematic resampling keeps."""
    number = len(weights)
    points = (rng.random() + np.arange(number)) / number
    return np.minimum(np.searchsorted(np.cumsum(weights), points), number - 1)
