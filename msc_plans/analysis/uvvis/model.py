"""What an absorption spectrum of clusters and nanocrystals may be made of: the columns of a linear model.

``A(λ) = offset + slope + scattering + rest(E) + Σ family bands``, E = 1239.84/λ eV, all but offset and slope with
coefficients ≥ 0:

* scattering ∝ λ⁻² and λ⁻⁴ (large scatterers and Rayleigh; anything between is nearly a sum of both);
* rest: smooth steps in E (continua), broad Gaussians in E (higher transitions) and Gaussians in λ of many positions
  and widths from where the table looks for nanocrystals on (CdSe: 440 nm; their first transitions). A sum of Gaussians
  with positive weights is any band wider than the narrowest of them, whatever its shape: no line shape is assumed. The
  steeper a step the more it costs: a continuum is as smooth as the spectrum allows, and does not stand in for a band;
* each family: Gaussians, lopsided ones and ones with tails within its tolerance and of its widths, the only columns
  that narrow at that place.

What tells a family from the rest is therefore position and width alone: below 480 nm the rest holds nothing narrower
than 0.34 eV in E (45 nm at 403 nm, 52 nm at 437 nm) or 31 nm in λ. Clusters' bands are 12–28 nm wide; ensembles of
nanocrystals that small are wider (0.12 eV homogeneous width and the spread of sizes).
"""

import math
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numba import njit

from msc_plans.families import Family

__all__ = ["BASELINE", "EV_NM", "FREE_COLUMNS", "FWHM_PER_SIGMA", "REST", "Dictionary", "dictionary"]

EV_NM = 1239.841984
FWHM_PER_SIGMA = 2.3548200450309493
BASELINE, REST = -2, -1
FREE_COLUMNS = 2
"""The first columns, offset and slope, may have either sign."""

_BASELINE_COLUMNS = 4
_LN2, _SQRT_HALF = math.log(2.0), math.sqrt(0.5)
_COST = 0.3
_ODD = 0.3
_ODD_SHAPE = 0.5
_FAMILY_SHAPES = np.array([(0.0, 0.0), (0.0, 0.4), (0.2, 0.15), (-0.2, 0.15)])
"""Asymmetry and share of a Lorentzian of a family's columns: tails that no Gaussian has would pass for small bands."""
_TRANSITION_FWHM_EV = 0.34
_BROAD_FROM_NM = 50.0
"""Broad transitions begin so far beyond the shortest first maximum of nanocrystals."""
_NARROWEST_NM = ((0.0, 35.0, 50.0, 80.0, 280.0), (38.0, 34.0, 27.0, 16.0, 22.0))
"""So far beyond the shortest first maximum an ensemble's first transition has at least this full width."""
_STEP_COST_EV = 0.03
_RED_END_EV = 1.35
_SCATTERING_COST = 0.04
"""Less than any step's, so that what only scatters is seen to. For nothing, scattering under a negative offset was
taken for a quarter of the first maximum of real nanocrystals in clear solutions and for most of what they absorb in the
blue, and part of each cluster's band went with it."""
_STEP, _ENERGY, _WAVELENGTH = 0, 1, 2


@dataclass(frozen=True)
class Dictionary:
    """Columns of the model, to be evaluated on any grid; arrays of shape (columns,)."""

    kind: np.ndarray
    """`BASELINE`, `REST`, or k ≥ 0 for the k-th family."""
    shape: np.ndarray
    """Step in E, Gaussian in E or Gaussian in λ; the baseline columns have their own."""
    centre: np.ndarray
    """Edge or centre, in eV or nm as the shape says."""
    sigma: np.ndarray
    """Width of the step or Gaussian, in the same unit."""
    asymmetry: np.ndarray
    """Of a Gaussian in λ: its σ is ``(1 − asymmetry)·sigma`` on the blue side and ``(1 + asymmetry)·sigma`` on the
    red."""
    lorentz: np.ndarray
    """Share of a Lorentzian of the same half width in a band in λ."""
    oddity: np.ndarray
    """What a family's column costs for being far from the family's middle in position and width; else 0."""
    first_nm: float
    """Shortest first maximum of nanocrystals that is considered."""

    @cached_property
    def cost(self) -> np.ndarray:
        """What a column must earn, in σ, before it is used: without it a handful of broad columns imitate any band."""
        cost = np.where(self.kind == REST, _COST, self.oddity)
        cost = np.where(self.is_step, _STEP_COST_EV / self.sigma, cost)
        cost[FREE_COLUMNS:_BASELINE_COLUMNS] = _SCATTERING_COST
        return cost

    @cached_property
    def centre_nm(self) -> np.ndarray:
        """Edge or centre, nm."""
        return np.where(self.shape == _WAVELENGTH, self.centre, EV_NM / self.centre)

    @cached_property
    def is_step(self) -> np.ndarray:
        """Whether a column is a step."""
        return (self.kind == REST) & (self.shape == _STEP)

    def evaluate(self, wavelength_nm: np.ndarray, which: np.ndarray | None = None) -> np.ndarray:
        """Columns (those at the indices `which`, else all) on a grid, shape (wavelengths, columns)."""
        index = np.arange(len(self.kind)) if which is None else which
        out = np.empty((len(wavelength_nm), len(index)))
        is_baseline = self.kind[index] == BASELINE
        if is_baseline.any():
            relative = wavelength_nm / 350.0
            powers = [np.ones_like(relative), (wavelength_nm - 545.0) / 200.0, relative**-2, relative**-4]
            for at in np.flatnonzero(is_baseline):
                out[:, at] = powers[index[at]]
        columns = (self.shape, self.centre, self.sigma, self.asymmetry, self.lorentz)
        _fill(out, np.flatnonzero(~is_baseline), np.asarray(wavelength_nm, float), *(c[index] for c in columns))
        return out


@njit(cache=True, nogil=True)
def _fill(
    out: np.ndarray,
    columns: np.ndarray,
    wavelength_nm: np.ndarray,
    shape: np.ndarray,
    centre: np.ndarray,
    sigma: np.ndarray,
    asymmetry: np.ndarray,
    lorentz: np.ndarray,
) -> None:
    for i in range(len(wavelength_nm)):
        energy = EV_NM / wavelength_nm[i]
        for k in columns:
            if shape[k] == _STEP:
                out[i, k] = 0.5 * math.erfc(-(energy - centre[k]) / sigma[k] * _SQRT_HALF)
                continue
            if shape[k] == _ENERGY:
                z = (energy - centre[k]) / sigma[k]
            else:
                away = wavelength_nm[i] - centre[k]
                z = away / (sigma[k] * (1.0 + (asymmetry[k] if away > 0 else -asymmetry[k])))
            value = math.exp(-0.5 * z * z) if abs(z) < 9.0 else 0.0
            if lorentz[k] > 0:
                value = (1.0 - lorentz[k]) * value + lorentz[k] / (1.0 + 2.0 * _LN2 * z * z)
            out[i, k] = value


@lru_cache(maxsize=16)
def dictionary(low_nm: float, high_nm: float, families: tuple[Family, ...], first_nm: float) -> Dictionary:
    """Return columns for spectra between two wavelengths, with nanocrystals from a first maximum of `first_nm` on."""
    low, high = EV_NM / high_nm, EV_NM / low_nm
    kinds: list[np.ndarray] = [np.full(_BASELINE_COLUMNS, BASELINE)]
    shapes: list[np.ndarray] = [np.full(_BASELINE_COLUMNS, _STEP)]
    centres: list[np.ndarray] = [np.ones(_BASELINE_COLUMNS)]
    sigmas: list[np.ndarray] = [np.ones(_BASELINE_COLUMNS)]

    def add(kind: int, shape: int, centre: np.ndarray, sigma: np.ndarray) -> None:
        kinds.append(np.full(len(centre), kind))
        shapes.append(np.full(len(centre), shape))
        centres.append(centre)
        sigmas.append(np.broadcast_to(sigma, centre.shape))

    oddities: list[np.ndarray] = []
    for width in (0.10, 0.20, 0.40):
        # No further to the red: the tail of a wide step and a negative offset would lift the first maximum.
        add(REST, _STEP, np.arange(_RED_END_EV + 4.0 * width, high + 2.5 * width, width), np.array(width))
    sigma = _TRANSITION_FWHM_EV / FWHM_PER_SIGMA
    add(
        REST,
        _ENERGY,
        np.arange(max(low, EV_NM / (first_nm + _BROAD_FROM_NM)), high + 2.0 * sigma, 0.6 * sigma),
        np.array(sigma),
    )
    for factor in (1.0, 1.5, 2.25):
        places = [first_nm]
        while places[-1] < min(720.0, high_nm + 15.0):
            places.append(places[-1] + 0.55 * factor * _narrowest_fwhm_nm(places[-1] - first_nm) / FWHM_PER_SIGMA)
        centre = np.array(places)
        width_nm = np.array([factor * _narrowest_fwhm_nm(place - first_nm) / FWHM_PER_SIGMA for place in places])
        add(REST, _WAVELENGTH, centre, width_nm)
    before = sum(map(len, kinds))
    asymmetries, lorentzes = [np.zeros(before)], [np.zeros(before)]
    for number, family in enumerate(families):
        widths = np.geomspace(*family.fwhm_nm, 3) / FWHM_PER_SIGMA
        offsets = family.tolerance_nm * np.array([-1.0, 0.0, 1.0])
        w, o, k = (grid.ravel() for grid in np.meshgrid(widths, offsets, range(len(_FAMILY_SHAPES)), indexing="ij"))
        add(number, _WAVELENGTH, family.wavelength_nm + o, w)
        asymmetry, lorentz = _FAMILY_SHAPES[k.astype(int)].T
        asymmetries.append(asymmetry)
        lorentzes.append(lorentz)
        odd = (
            (o / family.tolerance_nm) ** 2
            + (np.log(w / np.sqrt(widths[0] * widths[-1])) / np.log(widths[-1] / widths[0]) * 2.0) ** 2
            + _ODD_SHAPE * (k > 0)
        )
        oddities.append(_ODD * odd)
    costs_nothing = np.zeros(before)
    return Dictionary(
        kind=np.concatenate(kinds),
        shape=np.concatenate(shapes),
        centre=np.concatenate(centres),
        sigma=np.concatenate(sigmas),
        asymmetry=np.concatenate(asymmetries),
        lorentz=np.concatenate(lorentzes),
        oddity=np.concatenate([costs_nothing, *oddities]),
        first_nm=first_nm,
    )


def _narrowest_fwhm_nm(beyond_first_nm: float) -> float:
    """Return the narrowest first transition of a nanocrystal ensemble that is considered, nm."""
    return float(np.interp(beyond_first_nm, *_NARROWEST_NM))
