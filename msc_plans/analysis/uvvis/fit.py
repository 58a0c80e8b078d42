"""The fit of a spectrum, and what leaving a part of the model out costs."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from msc_plans.analysis.nonnegative import solve
from msc_plans.analysis.uvvis.model import FREE_COLUMNS, REST, Dictionary, dictionary
from msc_plans.analysis.uvvis.noise import Binned
from msc_plans.families import Family, FamilyTable

__all__ = ["PHOTOMETRIC", "SpectrumFit", "fit_spectrum"]

PHOTOMETRIC = 1e-3
"""Share of the absorbance by which no photometer or model is trusted."""
_SLOPE_PRIOR = 0.01
"""Drift across 200 nm that is expected, absorbance (1 σ): keeps slope from standing in for absorption."""
_RIDGE = 1e-9
_TOLERANCE = 0.02
_BEYOND_FIRST_NM = 6.0
"""So far beyond the shortest first maximum looked for a column is one of nanocrystals, nm."""


@dataclass(frozen=True)
class SpectrumFit:
    """A fitted spectrum."""

    binned: Binned
    model: Dictionary
    coefficients: np.ndarray
    """Shape (columns,), absorbance."""
    active: np.ndarray
    """Indices of the columns in use."""
    covariance: np.ndarray
    """Covariance of the active coefficients, misfit included, absorbance²."""
    scale: float
    """χ² per degree of freedom where above 1: how much more than noise the residuals are."""
    family_gain: np.ndarray
    """Shape (families,): χ²/scale that each family saves."""
    nanocrystal_gain: float
    """χ²/scale that first transitions of nanocrystals save."""

    def curve(self, wavelength_nm: np.ndarray, *kinds: int) -> np.ndarray:
        """Sum of the columns of these kinds on a grid; all of them when none is named."""
        which = self.active
        if kinds:
            kind = self.model.kind[which]
            which = which[np.logical_or.reduce([kind == k for k in kinds])]
        return self.model.evaluate(wavelength_nm, which) @ self.coefficients[which]


@lru_cache(maxsize=8)
def _columns(grid: bytes, families: tuple[Family, ...], first_nm: float) -> tuple[Dictionary, np.ndarray]:
    """Model and its columns on a grid; spectra of one instrument share them."""
    x = np.frombuffer(grid)
    # The limits are rounded so that spectra which lost a pixel or two at the edge share their model.
    model = dictionary(10.0 * np.floor(x[0] / 10.0), 10.0 * np.ceil(x[-1] / 10.0), families, first_nm)
    return model, model.evaluate(x)


def fit_spectrum(binned: Binned, families: FamilyTable) -> SpectrumFit:
    """Fit everything, then again without each family and without nanocrystals."""
    x, y = binned.wavelength_nm, binned.absorbance
    model, columns = _columns(x.tobytes(), families.families, families.nanocrystals_from_nm)
    sigma = np.hypot(binned.sigma, PHOTOMETRIC * np.abs(y - np.min(y)))
    columns = columns / sigma[:, None]
    target = y / sigma
    length = np.linalg.norm(columns, axis=0)
    usable = length > 1e-3 * np.median(length)
    length = np.where(usable, length, 1.0)
    columns /= length
    gram = columns.T @ columns
    penalty = np.full(len(length), _RIDGE)
    penalty[1] += (1.0 / (_SLOPE_PRIOR * length[1])) ** 2
    gram[np.diag_indices(len(length))] += penalty
    projection = columns.T @ target - model.cost
    free = np.arange(len(length)) < FREE_COLUMNS

    def chi2(solution: np.ndarray) -> float:
        return float(np.sum((target - columns @ solution) ** 2))

    def without(excluded: np.ndarray) -> float:
        if not np.any(excluded & (full > 0)):
            return chi2_full
        kept = usable & ~excluded
        return chi2(solve(gram, projection, free=free, allowed=kept, start=full > 0, tolerance=_TOLERANCE))

    full = solve(gram, projection, free=free, allowed=usable, tolerance=_TOLERANCE)
    chi2_full = chi2(full)
    active = np.flatnonzero(full != 0)
    # Columns in use are not independent: a handful of degrees of freedom describe any smooth spectrum.
    freedom = max(5.0, len(y) - 0.6 * len(active))
    scale = max(1.0, chi2_full / freedom)
    gains = [(without(model.kind == k) - chi2_full) / scale for k in range(len(families))]
    red = model.centre_nm > model.first_nm + _BEYOND_FIRST_NM
    first = (model.kind == REST) & red & ~(model.is_step & (model.sigma > 0.15))
    nanocrystal_gain = (without(first) - chi2_full) / scale
    inverse = np.linalg.pinv(gram[np.ix_(active, active)] + 1e-8 * np.eye(len(active)), hermitian=True)
    return SpectrumFit(
        binned,
        model,
        np.where(usable, full / length, 0.0),
        active,
        scale * inverse / np.outer(length[active], length[active]),
        scale,
        np.maximum(gains, 0.0),
        max(0.0, nanocrystal_gain),
    )
