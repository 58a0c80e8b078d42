"""How many populations of spheres a curve shows, and their mean radius and width with what is uncertain about them.

Models of none to three populations (up to five where they are needed), of a shape between lognormal and Gaussian, are
fitted and weighed by their evidence (Laplace's approximation: misfit, number of parameters and how sharply the data fix
them; MacKay, *Information Theory, Inference, and Learning Algorithms* 2003, chapter 28). What is reported is averaged
over the models by these weights, so that uncertainty of shape and number is in the intervals. The scale of the noise is
taken from the best model's misfit.
"""

import math
from dataclasses import dataclass, field

import numpy as np
from scipy.special import ndtr

from msc_plans.analysis.saxs.fit import (
    FLAT,
    FLAT_SPREAD,
    POWER_PRIOR,
    SHAPE_LIMITS,
    WIDTH_LIMITS,
    WIDTH_PRIOR,
    columns,
    fit,
    non_negative,
    pair_search,
)
from msc_plans.analysis.saxs.form import LOGNORMAL, log_grid, population, sphere_table
from msc_plans.analysis.saxs.noise import PreparedCurve

__all__ = ["Basis", "Model", "Weighed", "interval", "weigh"]

_STEP = 0.0125
_LIBRARY_STEP = 0.08
_LIBRARY_WIDTHS = (0.06, 0.22)
_POWERS = (1.5, 2.5, 3.3, 4.2)
_STEPS = 25
_START_SHAPE = 0.3
_COUNT_PRIOR = (0.9, 0.05, 0.035, 0.012, 0.002, 0.001)
"""Prior of none to five populations."""
_WORTH_ANOTHER = 25.0
_LEAST_GAIN = 20.0
"""Drop of χ² over the noise below which a chance structure of the noise is not told from particles."""
_NEGATIVE_CONSTANT = 9.0
_LEAST_NOISE = 0.01
"""Curves computed without noise are not believed to better than a tenth of their errors."""


@dataclass(frozen=True)
class Basis:
    """Spheres of all radii that a range of q can tell."""

    log_radius: np.ndarray = field(repr=False)
    table: np.ndarray = field(repr=False)
    """Shape (radii, points): V F², nm³."""
    log_limits: tuple[float, float]
    """ln of the smallest and largest mean radius, nm, that is looked for."""

    @classmethod
    def of(cls, q_inv_nm: np.ndarray, limits_nm: tuple[float, float] | None = None) -> "Basis":
        """Means from 2.2/q_max, below which a sphere looks like the constant, to 1.5/q_min, above like the upturn."""
        low, high = limits_nm or (2.2 / float(q_inv_nm[-1]), 1.5 / float(q_inv_nm[0]))
        if high < 2.0 * low and limits_nm is None:
            low, high = 0.5 * low, 2.0 * high
        radius = log_grid(0.4 * low, 2.5 * high, _STEP)
        return cls(np.log(radius), sphere_table(q_inv_nm, radius), (math.log(low), math.log(high)))


@dataclass(frozen=True)
class Model:
    """One fitted model."""

    theta: np.ndarray
    """p of the upturn, λ of the shape, then ln(mean) and ln(relative width) of each population."""
    amounts: np.ndarray
    """Amounts of constant, upturn at the lowest q, and each population (intensity over V F²)."""
    chi2: float
    log_evidence: float
    mean_nm: float
    width: float
    covariance: np.ndarray = field(repr=False)
    """Covariance of mean radius, relative width and ln(total amount), shape (3, 3)."""
    active: tuple[tuple[int, ...], tuple[int, ...]]
    """Which amounts and which of theta are the parameters: those at no bound that matter."""
    gradient: np.ndarray = field(repr=False)
    """Gradient of the intensity over σ by the parameters, shape (parameters, points)."""
    parameter_covariance: np.ndarray = field(repr=False)

    @property
    def populations(self) -> int:
        """How many."""
        return (len(self.theta) - 2) // 2

    @property
    def parameters(self) -> int:
        """How many."""
        return len(self.gradient)

    def density(self, log_radius: np.ndarray) -> np.ndarray:
        """Share of the volume at each grid radius; sums to 1."""
        return _density(self.theta, self.amounts, log_radius)

    def draws(self, log_radius: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
        """Such densities with parameters drawn from their Gaussian posterior, shape (count, radii)."""
        amounts, nonlinear = (list(places) for places in self.active)
        out = np.zeros((count, len(log_radius)))
        values, vectors = np.linalg.eigh(self.parameter_covariance)
        for row in out:
            move = vectors @ (np.sqrt(np.maximum(values, 0.0)) * rng.normal(size=len(values)))
            drawn, theta = self.amounts.copy(), self.theta.copy()
            drawn[amounts] += move[: len(amounts)]
            theta[nonlinear] += np.clip(move[len(amounts) :], -1.0, 1.0)
            theta[1] = min(max(theta[1], SHAPE_LIMITS[0]), SHAPE_LIMITS[1])
            theta[3::2] = np.clip(theta[3::2], *np.log(WIDTH_LIMITS))
            row[:] = _density(theta, np.maximum(drawn, 0.0), log_radius)
        return out


def _density(theta: np.ndarray, amounts: np.ndarray, log_radius: np.ndarray) -> np.ndarray:
    out = np.zeros(len(log_radius))
    for j, amount in enumerate(amounts[2:]):
        one = np.zeros(len(log_radius))
        population(log_radius, math.exp(theta[2 + 2 * j]), math.exp(theta[3 + 2 * j]), theta[1], one, 1)
        out += amount * one
    total = out.sum()
    return out / total if total > 0 else out


def _moments(theta: np.ndarray, amounts: np.ndarray, log_radius: np.ndarray) -> np.ndarray:
    """Mean radius, relative width and ln(total amount)."""
    total = float(amounts[2:].sum())
    if total <= 0:
        return np.array([math.nan, math.nan, -math.inf])
    weights = np.zeros(len(log_radius))
    first = second = 0.0
    for j, amount in enumerate(amounts[2:]):
        if amount > 0:
            low, high = population(
                log_radius, math.exp(theta[2 + 2 * j]), math.exp(theta[3 + 2 * j]), theta[1], weights, 1
            )
            radius = np.exp(log_radius[low:high])
            share = weights[low:high] * (amount / total)
            first += float(share @ radius)
            second += float(share @ radius**2)
    return np.array([first, math.sqrt(max(second - first**2, 0.0)) / first, math.log(total)])


def _finish(curve: PreparedCurve, basis: Basis, theta: np.ndarray, noise: float, signed: bool) -> Model:
    """Evidence and covariances, with the errors times √noise."""
    q, sigma = curve.q_inv_nm, curve.sigma
    y = curve.intensity / sigma
    rows = columns(theta, q, sigma, basis.log_radius, basis.table)
    amounts = non_negative(rows, y, signed)
    residual = y - amounts @ rows
    chi2 = float(residual @ residual)
    scale = np.sqrt((rows**2).sum(axis=1))
    norm = float(np.sqrt(y @ y))
    # Parameters: amounts that are not at zero, and those nonlinear ones that then matter.
    active = [j for j in range(len(rows)) if amounts[j] != 0]
    present = [j for j in range(len(rows) - 2) if amounts[2 + j] > 0]
    nonlinear = [0] * bool(amounts[1] > 0) + [1] * bool(present) + [a for j in present for a in (2 + 2 * j, 3 + 2 * j)]
    gradient = [rows[j] for j in active]
    for a in nonlinear:
        moved = theta.copy()
        moved[a] += 1e-4
        change = columns(moved, q, sigma, basis.log_radius, basis.table) - rows
        gradient.append(amounts @ change / 1e-4)
    jacobian = np.array(gradient).reshape(-1, len(q))
    # Prior: amounts even up to what fills the whole curve, λ and ln(mean) even over their range, the others Gaussian. A
    # direction that the data don't fix is worth its prior range, no more: hence the precision 2π/range².
    precision = [2 * math.pi * (scale[j] / norm) ** 2 for j in active]
    log_prior, penalty = sum(math.log(scale[j] / norm) for j in active), 0.0
    for a in nonlinear:
        if a == 0 or (a > 1 and a % 2 == 1):
            middle, spread = POWER_PRIOR if a == 0 else WIDTH_PRIOR
            penalty += ((theta[a] - middle) / spread) ** 2
            log_prior -= math.log(spread * math.sqrt(2 * math.pi))
            precision.append(spread**-2)
        else:
            low, high = SHAPE_LIMITS if a == 1 else basis.log_limits
            if a > 1:
                penalty += (max(0.0, math.log(FLAT / q[-1]) - theta[a]) / FLAT_SPREAD) ** 2
            log_prior -= math.log(high - low)
            precision.append(2 * math.pi / (high - low) ** 2)
    full = jacobian @ jacobian.T / noise + np.diag(precision)
    sign, log_determinant = np.linalg.slogdet(full)
    size = len(full)
    log_evidence = (
        -0.5 * chi2 / noise - 0.5 * penalty + log_prior + 0.5 * size * math.log(2 * math.pi) - 0.5 * log_determinant
    )
    covariance, parameter_covariance = np.zeros((3, 3)), np.zeros((size, size))
    centre = _moments(theta, amounts, basis.log_radius)
    if sign > 0 and present:
        slopes = np.zeros((3, size))
        for position in range(size):
            moved_amounts, moved = amounts.copy(), theta.copy()
            if position < len(active):
                step = 1e-4 * max(amounts[active[position]], 1e-300)
                if active[position] < 2:
                    continue
                moved_amounts[active[position]] += step
            else:
                step = 1e-4
                moved[nonlinear[position - len(active)]] += step
            slopes[:, position] = (_moments(moved, moved_amounts, basis.log_radius) - centre) / step
        parameter_covariance = np.linalg.inv(full)
        covariance = slopes @ parameter_covariance @ slopes.T
    return Model(
        theta,
        amounts,
        chi2,
        log_evidence,
        centre[0],
        centre[1],
        covariance,
        (tuple(active), tuple(nonlinear)),
        jacobian,
        parameter_covariance,
    )


@dataclass(frozen=True)
class Weighed:
    """All models of a curve with their probabilities."""

    models: tuple[Model, ...]
    """The first without populations."""
    probability: np.ndarray
    """Probability of each model, shape (models,); they sum to 1."""
    noise: float
    """Mean square of the best model's misfit over σ, per degree of freedom."""
    signed: bool
    """Whether the curve demands a negative constant; else it is held ≥ 0."""

    @property
    def best(self) -> Model:
        """The model of highest probability."""
        return self.models[int(np.argmax(self.probability))]

    @property
    def blank(self) -> bool:
        """Whether constant and upturn alone are the more probable, or as good as the best within chance."""
        without = sum(p for m, p in zip(self.models, self.probability, strict=True) if not math.isfinite(m.mean_nm))
        gained = self.models[0].chi2 - min(m.chi2 for m in self.models)
        return bool(without > 0.5 or gained < _LEAST_GAIN * self.noise)

    def particles(self) -> tuple[list[Model], np.ndarray]:
        """The models with particles, and their probabilities given that there are any."""
        chosen = [(m, p) for m, p in zip(self.models, self.probability, strict=True) if p > 0 and m.mean_nm > 0]
        weights = np.array([p for _, p in chosen])
        return [m for m, _ in chosen], weights / weights.sum()


def interval(centres: np.ndarray, sigmas: np.ndarray, weights: np.ndarray, level: float = 0.95) -> tuple[float, float]:
    """Central interval of a mixture of Gaussians."""
    sigmas = np.maximum(sigmas, 1e-12)
    low, high = float(np.min(centres - 6 * sigmas)), float(np.max(centres + 6 * sigmas))
    grid = np.unique(np.concatenate([c + s * np.linspace(-6, 6, 241) for c, s in zip(centres, sigmas, strict=True)]))
    grid = grid[(grid >= low) & (grid <= high)]
    cumulative = ndtr((grid[:, None] - centres) / sigmas) @ weights
    tail = 0.5 * (1 - level)
    return float(np.interp(tail, cumulative, grid)), float(np.interp(1 - tail, cumulative, grid))


def weigh(curve: PreparedCurve, basis: Basis, before: Weighed | None = None) -> Weighed:
    """Fit and weigh the models of a curve.

    Parameters
    ----------
    curve : PreparedCurve
    basis : Basis
        For the curve's q.
    before : Weighed, optional
        Of the same curve with other errors: where to start.
    """
    q, sigma = curve.q_inv_nm, curve.sigma
    y = curve.intensity / sigma
    low, high = basis.log_limits
    arguments = (q, y, sigma, basis.log_radius, basis.table)

    library = None if before else _Library(curve, basis)

    def best_fit(starts: list[np.ndarray], signed: bool) -> tuple[np.ndarray, float]:
        return min((fit(start, *arguments, signed, low, high, _STEPS) for start in starts), key=lambda pair: pair[1])

    def candidates(signed: bool) -> list[np.ndarray]:
        if before or not library:
            return [best_fit([m.theta], signed)[0] for m in before.models] if before else []
        found = [best_fit([np.array([2.0, 0.0]), np.array([4.0, 0.0])], signed)]
        for count in range(1, len(_COUNT_PRIOR)):
            if count == 1:
                starts = library.single()
            elif count == 2:
                starts = [*library.pairs(found[1][0][0]), library.split(found[1][0])]
            else:
                starts = library.another(found[-1][0])
            found.append(best_fit(starts, signed))
            # More than three only where the third was needed, and so on.
            if count >= 3 and found[-2][1] - found[-1][1] < _WORTH_ANOTHER * found[-1][1] / len(q):
                break
        return [theta for theta, _ in found]

    signed = before.signed if before else False
    thetas = candidates(signed)
    first = [_finish(curve, basis, theta, 1.0, signed) for theta in thetas]
    flexible = min(first, key=lambda m: m.chi2)
    free = _finish(curve, basis, best_fit([flexible.theta], True)[0], 1.0, True)
    if not signed and flexible.chi2 - free.chi2 > _NEGATIVE_CONSTANT * free.chi2 / max(len(q) - free.parameters, 1):
        signed = True
        thetas = candidates(signed)
        first = [_finish(curve, basis, theta, 1.0, signed) for theta in thetas]
    noise = max(min(m.chi2 / max(len(q) - m.parameters, 1) for m in first), _LEAST_NOISE)
    models = tuple(_finish(curve, basis, theta, noise, signed) for theta in thetas)
    evidence = np.array([m.log_evidence for m in models])
    # A population without amount is none; of models that then are alike the better one counts.
    present = np.array([np.count_nonzero(m.amounts[2:] > 0) for m in models])
    weight = np.array(_COUNT_PRIOR)[present] * np.exp(evidence - evidence.max())
    for count in present:
        alike = np.flatnonzero(present == count)
        weight[alike[evidence[alike] < evidence[alike].max()]] = 0.0
    return Weighed(models, weight / weight.sum(), noise, signed)


class _Library:
    """Coarse populations from which fits are started."""

    def __init__(self, curve: PreparedCurve, basis: Basis) -> None:
        low, high = basis.log_limits
        count = max(2, round((high - low) / _LIBRARY_STEP))
        self.log_mean = np.tile(np.linspace(low, high, count), len(_LIBRARY_WIDTHS))
        self.log_width = np.repeat(np.log(_LIBRARY_WIDTHS), count)
        self.curve, self.basis = curve, basis
        weights = np.zeros((len(self.log_mean), len(basis.log_radius)))
        for row, mean, width in zip(weights, self.log_mean, self.log_width, strict=True):
            population(basis.log_radius, math.exp(mean), math.exp(width), LOGNORMAL, row, 1)
        rows = (weights @ basis.table) / curve.sigma
        self.rows = rows / np.sqrt((rows**2).sum(axis=1, keepdims=True))
        self.y = curve.intensity / curve.sigma

    def _without(self, nuisance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Gram matrix and projections of the library beside rows that are free."""
        basis, _ = np.linalg.qr(nuisance.T)
        rows = self.rows - (self.rows @ basis) @ basis.T
        return rows @ rows.T, rows @ self.y

    def _nuisance(self, power: float) -> np.ndarray:
        q, sigma = self.curve.q_inv_nm, self.curve.sigma
        return np.array([1.0 / sigma, (q / q[0]) ** (-power) / sigma])

    def _theta(self, power: float, *chosen: int) -> np.ndarray:
        return np.array(
            [power, _START_SHAPE, *(value for k in chosen for value in (self.log_mean[k], self.log_width[k]))]
        )

    def single(self) -> list[np.ndarray]:
        """Starts for one population: the best two that lie apart."""
        found = []
        for power in _POWERS:
            gram, projection = self._without(self._nuisance(power))
            gain = np.where(projection > 0, projection**2 / np.maximum(np.diag(gram), 1e-9), 0.0)
            k = int(np.argmax(gain))
            found.append((gain[k], power, k))
            apart = np.where(np.abs(self.log_mean - self.log_mean[k]) > 0.5, gain, 0.0)
            found.append((apart.max(), power, int(np.argmax(apart))))
        found.sort(reverse=True)
        best = found[0]
        others = [f for f in found if abs(self.log_mean[f[2]] - self.log_mean[best[2]]) > 0.4]
        return [self._theta(power, k) for _, power, k in [best, *others[:1]]]

    def pairs(self, power: float) -> list[np.ndarray]:
        """Starts for two populations."""
        starts = []
        for p in {round(power, 2), 2.5, 4.0}:
            gram, projection = self._without(self._nuisance(p))
            gain, i, j = pair_search(gram, projection)
            if i >= 0:
                starts.append((gain, self._theta(p, i, j)))
        starts.sort(key=lambda pair: -pair[0])
        return [theta for _, theta in starts[:2]]

    def split(self, one: np.ndarray) -> np.ndarray:
        """One population's fit taken apart."""
        power, shape, mean, width = one
        half = 0.5 * math.exp(width)
        return np.array([power, shape, mean - half, width - 0.4, mean + half, width - 0.4])

    def another(self, populations: np.ndarray) -> list[np.ndarray]:
        """Starts for one population more: these and the library's best beside them."""
        rows = columns(populations, self.curve.q_inv_nm, self.curve.sigma, self.basis.log_radius, self.basis.table)
        gram, projection = self._without(rows)
        gain = np.where(projection > 0, projection**2 / np.maximum(np.diag(gram), 1e-6), 0.0)
        k = int(np.argmax(gain))
        return [np.concatenate([populations, [self.log_mean[k], self.log_width[k]]])]
