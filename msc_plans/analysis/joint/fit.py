"""One set of amounts behind a scattering curve and a spectrum's band heights, by least squares with bounds.

    I(q)  = c + u (q/q₁)⁻ᵖ + eᵃ Δρ² Σₖ φₖ ∫ Dₖ V F² dR
    Aₖ    = eᵇ⁺ᵉᵏ εₖ l φₖ / (Vₖ N_A)

φₖ are volume fractions; a is the error of the absolute intensity (with the contrast's), b that of all extinctions
together, eₖ that of one species. Radii and width of the families may move together within a prior around the table's;
the nanocrystals are one lognormal population.
"""

import math
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Final

import numpy as np
from numba import njit

from msc_plans.analysis.saxs.families import FAMILY_RELATIVE_WIDTH
from msc_plans.analysis.saxs.fit import POWER_LIMITS, POWER_PRIOR, WIDTH_LIMITS, WIDTH_PRIOR, columns, non_negative
from msc_plans.analysis.saxs.form import LOGNORMAL
from msc_plans.analysis.saxs.populations import Basis
from msc_plans.families import Extinction

__all__ = ["AVOGADRO_NM3_PER_L", "JointFit", "JointModel", "Layout", "priors", "volume_nm3"]

AVOGADRO_NM3_PER_L: Final = 0.602214076
"""N_A times 1 nm³ in L: volume fraction = mol/L × this × volume in nm³."""

_STEPS = 40
_DAMPINGS = 8
_SETTLED = 3e-3
_LONGEST = 0.7
_MOVE = 1e-4
_FREE_RADIUS_SIGMA = 0.7
_FAMILY_WIDTH_SIGMA = 0.5
_SCAN_WIDTHS = (0.07, 0.2)
_SCAN_RADII = 14


def volume_nm3(radius_nm: Any) -> Any:
    """Return the volume of a sphere, nm³; a number for a number, an array for an array."""
    return 4.0 / 3.0 * math.pi * radius_nm**3


@dataclass(frozen=True)
class Layout:
    """Where each parameter is."""

    species: int
    """Families and, last, the nanocrystals."""

    @cached_property
    def amounts(self) -> slice:
        """Volume fractions φ over the model's unit."""
        return slice(0, self.species)

    @cached_property
    def saxs_scale(self) -> int:
        """Number a."""
        return self.species

    @cached_property
    def uvvis_scale(self) -> int:
        """Number b."""
        return self.species + 1

    @cached_property
    def species_scales(self) -> slice:
        """Numbers eₖ."""
        return slice(self.species + 2, 2 * self.species + 2)

    @cached_property
    def shape(self) -> int:
        """Ln of the factor on the families' radii, and where the rest begins.

        After it come ln of their width, of the nanocrystals' radius (nm) and of their width, then p, c and u.
        """
        return 2 * self.species + 2

    @cached_property
    def radius(self) -> int:
        """Ln of the nanocrystals' radius, nm."""
        return self.shape + 2

    @cached_property
    def upturn(self) -> int:
        """Amount u of the upturn."""
        return self.shape + 6

    @cached_property
    def size(self) -> int:
        """Number of parameters."""
        return self.shape + 7


def priors(
    species: int,
    *,
    saxs_scale_sigma: float,
    uvvis_scale_sigma: float,
    species_sigma: np.ndarray,
    family_radius_sigma: float,
    radius_nm: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Mean and σ of each parameter's prior, by `Layout`; σ is infinite where there is none."""
    layout = Layout(species)
    mean, sigma = np.zeros(layout.size), np.full(layout.size, np.inf)
    at = layout.shape
    sigma[layout.saxs_scale], sigma[layout.uvvis_scale] = saxs_scale_sigma, uvvis_scale_sigma
    sigma[layout.species_scales] = species_sigma
    sigma[at] = family_radius_sigma
    mean[at + 1], sigma[at + 1] = math.log(FAMILY_RELATIVE_WIDTH), _FAMILY_WIDTH_SIGMA
    mean[at + 2], sigma[at + 2] = math.log(radius_nm), _FREE_RADIUS_SIGMA
    mean[at + 3], sigma[at + 3] = WIDTH_PRIOR
    mean[at + 4], sigma[at + 4] = POWER_PRIOR
    return mean, sigma


@njit(cache=True, nogil=True)
def _rows(
    shape: np.ndarray,
    log_family_radius: np.ndarray,
    q: np.ndarray,
    sigma: np.ndarray,
    log_radius: np.ndarray,
    table: np.ndarray,
) -> np.ndarray:
    """Constant, upturn and V F² of each species over σ, shape (2 + species, points)."""
    count = len(log_family_radius)
    theta = np.empty(2 * count + 4)
    theta[0], theta[1] = shape[4], LOGNORMAL
    for k in range(count):
        theta[2 + 2 * k], theta[3 + 2 * k] = log_family_radius[k] + shape[0], shape[1]
    theta[2 + 2 * count], theta[3 + 2 * count] = shape[2], shape[3]
    return columns(theta, q, sigma, log_radius, table)


@njit(cache=True, nogil=True)
def _rows_and_changes(
    shape: np.ndarray,
    amounts: np.ndarray,
    log_family_radius: np.ndarray,
    q: np.ndarray,
    sigma: np.ndarray,
    log_radius: np.ndarray,
    table: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Rows, and derivatives of the particles' sum by the first four of `shape`, shape (4, points)."""
    count = len(log_family_radius)
    rows = _rows(shape, log_family_radius, q, sigma, log_radius, table)
    changes = np.zeros((4, len(q)))
    theta = np.empty(4)
    theta[0], theta[1] = shape[4], LOGNORMAL
    for k in range(count + 1):
        if amounts[k] > 0:
            first = 0 if k < count else 2
            for which in range(2):
                theta[2] = log_family_radius[k] + shape[0] if k < count else shape[2]
                theta[3] = shape[first + 1]
                theta[2 + which] += _MOVE
                moved = columns(theta, q, sigma, log_radius, table)[2]
                for i in range(len(q)):
                    changes[first + which, i] += amounts[k] * (moved[i] - rows[2 + k, i]) / _MOVE
    return rows, changes


@dataclass(frozen=True)
class JointFit:
    """Best parameters."""

    theta: np.ndarray = field(repr=False)
    cost: float
    """χ² of all data that were used, with the priors."""
    scattering_chi2: float
    normal: np.ndarray = field(repr=False)
    """Gauss–Newton matrix: half the second derivative of the cost."""
    slope: np.ndarray = field(repr=False)
    """Half the gradient of the cost; not zero for parameters at a bound."""


@dataclass(frozen=True)
class JointModel:
    """Data and priors of one condition; species are the families and, last, the nanocrystals."""

    q_inv_nm: np.ndarray = field(repr=False)
    intensity: np.ndarray = field(repr=False)
    sigma: np.ndarray = field(repr=False)
    per_fraction: float
    """Contrast², cm⁻¹ nm⁻³: intensity over V F² where particles fill all the volume."""
    unit: float
    """Volume fraction that the amounts are in."""
    family_radius_nm: np.ndarray
    height: np.ndarray
    """Shape (species,), absorbance."""
    height_sigma: np.ndarray
    """Infinite where not measured."""
    family_height_per_fraction: np.ndarray
    """Shape (families,), absorbance over volume fraction."""
    nanocrystal_extinction: Extinction
    """Extinction of nanocrystals, by their diameter."""
    path_length_cm: float
    prior_mean: np.ndarray = field(repr=False)
    prior_sigma: np.ndarray = field(repr=False)
    radius_limits_nm: tuple[float, float]
    """Limits of the nanocrystals' radius, nm."""
    optical_radius: tuple[float, float] | None
    """Ln of the nanocrystals' radius (nm) by UV-vis, and its σ."""
    basis: Basis = field(repr=False)

    @cached_property
    def layout(self) -> Layout:
        """Where the parameters are."""
        return Layout(len(self.family_radius_nm) + 1)

    def height_per_fraction(self, radius_nm: float) -> np.ndarray:
        """Absorbance over volume fraction of each species, ε l / (V N_A), with nanocrystals of this radius."""
        extinction = self.nanocrystal_extinction.l_mol_cm(2 * radius_nm)
        crystals = extinction * self.path_length_cm / volume_nm3(radius_nm) / AVOGADRO_NM3_PER_L
        return np.append(self.family_height_per_fraction, crystals)

    def noisier(self, factor: float) -> "JointModel":
        """The same with larger errors of the curve."""
        return replace(self, sigma=self.sigma * factor)

    def fit(self, start: np.ndarray, optical: bool = True) -> JointFit:
        """Levenberg's and Marquardt's method from a start; without `optical` the scattering alone."""
        low, high = self._bounds
        theta = np.clip(start, low, high)
        cost, chi2, normal, slope = self._evaluate(theta, optical)
        damping = 1e-3
        curved = slice(self.layout.saxs_scale, self.layout.shape + 5)
        for _ in range(_STEPS):
            free = np.flatnonzero(~(((theta <= low) & (slope > 0)) | ((theta >= high) & (slope < 0))))
            scale = 1.0 / np.sqrt(np.maximum(np.diag(normal)[free], 1e-12))
            matrix = normal[np.ix_(free, free)] * np.outer(scale, scale)
            gained = 0.0
            for _ in range(_DAMPINGS):
                damped = matrix + (damping + 1e-10) * np.eye(len(free))
                trial = theta.copy()
                trial[free] -= np.linalg.solve(damped, slope[free] * scale) * scale
                # Logarithms and p are only near by like their tangents.
                trial[curved] = np.clip(trial[curved], theta[curved] - _LONGEST, theta[curved] + _LONGEST)
                trial = np.clip(trial, low, high)
                new = self._evaluate(trial, optical)
                if new[0] < cost:
                    gained = cost - new[0]
                    theta, (cost, chi2, normal, slope) = trial, new
                    damping = max(damping / 10.0, 1e-9)
                    break
                damping = max(damping, 1e-6) * 8.0
            if gained < _SETTLED:
                break
        return JointFit(theta, cost, chi2, normal, slope)

    def start(self) -> np.ndarray:
        """Where the priors and the heights are, with the background that suits them."""
        layout = self.layout
        theta = self.prior_mean.copy()
        if self.optical_radius is not None:
            theta[layout.radius] = self.optical_radius[0]
        factor = self.height_per_fraction(math.exp(theta[layout.radius])) * self.unit
        theta[layout.amounts] = np.where(np.isfinite(self.height_sigma), self.height / factor, 0.0)
        rows = self._rows(theta)
        particles = theta[layout.amounts] @ rows[2:]
        wanted = np.vstack([rows[:2], particles]) if particles.any() else rows[:2]
        found = non_negative(wanted, self.intensity / self.sigma, True)
        theta[layout.upturn - 1 : layout.upturn + 1] = found[:2]
        return theta

    def scan(self) -> np.ndarray:
        """Best amounts by the scattering alone over a grid of the nanocrystals' radius and width."""
        layout = self.layout
        theta = self.prior_mean.copy()
        best, least = theta, math.inf
        y = self.intensity / self.sigma
        low, high = np.log(self.radius_limits_nm)
        for width in _SCAN_WIDTHS:
            for radius in np.linspace(low, high, _SCAN_RADII):
                theta[layout.radius], theta[layout.radius + 1] = radius, math.log(width)
                rows = self._rows(theta)
                found = non_negative(rows, y, True)
                chi2 = float(np.sum((y - found @ rows) ** 2))
                if chi2 < least:
                    least, best = chi2, theta.copy()
                    best[layout.amounts], best[layout.upturn - 1 : layout.upturn + 1] = found[2:], found[:2]
        return best

    # -- the curve

    def _rows(self, theta: np.ndarray) -> np.ndarray:
        rows = _rows(theta[self.layout.shape :], *self._grid)
        rows[2:] *= self.per_fraction * self.unit
        return rows

    @property
    def _grid(self) -> tuple[np.ndarray, ...]:
        return (
            np.log(self.family_radius_nm),
            self.q_inv_nm,
            self.sigma,
            self.basis.log_radius,
            self.basis.table,
        )

    def _curve(self, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Residuals of the curve and their derivatives, shape (parameters, points)."""
        layout = self.layout
        at, factor = layout.shape, math.exp(theta[layout.saxs_scale]) * self.per_fraction * self.unit
        amounts = theta[layout.amounts] * factor
        rows, changes = _rows_and_changes(theta[at:], amounts, *self._grid)
        particles = amounts @ rows[2:]
        slopes = np.zeros((layout.size, len(self.q_inv_nm)))
        slopes[layout.amounts] = factor * rows[2:]
        slopes[layout.saxs_scale] = particles
        slopes[at : at + 4] = changes
        slopes[at + 4] = -theta[at + 6] * rows[1] * np.log(self.q_inv_nm / self.q_inv_nm[0])
        slopes[at + 5 : at + 7] = rows[:2]
        return theta[at + 5] * rows[0] + theta[at + 6] * rows[1] + particles - self.intensity / self.sigma, slopes

    # -- the bands

    def _heights(self, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Residuals of heights and nanocrystals' radius, and their derivatives, shape (parameters, species + 1)."""
        layout = self.layout
        count, sites = layout.species, np.arange(layout.species)
        factor = self.height_per_fraction(math.exp(theta[layout.radius])) * self.unit
        factor *= np.exp(theta[layout.uvvis_scale] + theta[layout.species_scales]) / self.height_sigma
        model = factor * theta[layout.amounts]
        residual = np.zeros(count + 1)
        slopes = np.zeros((layout.size, count + 1))
        residual[:count] = model - self.height / self.height_sigma
        slopes[sites, sites] = factor
        slopes[layout.uvvis_scale, :count] = model
        slopes[layout.species_scales.start + sites, sites] = model
        # V ∝ R³
        slopes[layout.radius, count - 1] = (self.nanocrystal_extinction.exponent - 3) * model[-1]
        if self.optical_radius is not None:
            mean, sigma = self.optical_radius
            residual[count] = (theta[layout.radius] - mean) / sigma
            slopes[layout.radius, count] = 1.0 / sigma
        return residual, slopes

    # -- both

    @cached_property
    def _bounds(self) -> tuple[np.ndarray, np.ndarray]:
        layout = self.layout
        low, high = np.full(layout.size, -np.inf), np.full(layout.size, np.inf)
        low[layout.amounts] = low[layout.upturn] = 0.0
        at = layout.shape
        for place, limits in (
            (at + 1, np.log(WIDTH_LIMITS)),
            (at + 2, np.log(self.radius_limits_nm)),
            (at + 3, np.log(WIDTH_LIMITS)),
            (at + 4, POWER_LIMITS),
        ):
            low[place], high[place] = limits
        return low, high

    def _evaluate(self, theta: np.ndarray, optical: bool) -> tuple[float, float, np.ndarray, np.ndarray]:
        """Cost, χ² of the curve, Gauss–Newton matrix and half gradient."""
        residual, slopes = self._curve(theta)
        chi2 = float(residual @ residual)
        normal, slope = slopes @ slopes.T, slopes @ residual
        pull = (theta - self.prior_mean) / self.prior_sigma
        cost = chi2 + float(pull @ pull)
        normal[np.diag_indices(len(theta))] += self.prior_sigma**-2.0
        slope += pull / self.prior_sigma
        if optical:
            residual, slopes = self._heights(theta)
            cost += float(residual @ residual)
            normal += slopes @ slopes.T
            slope += slopes @ residual
        return cost, chi2, normal, slope
