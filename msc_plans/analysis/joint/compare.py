"""Whether scattering and band heights are of one sample, and what is different where they are not."""

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import gammaincc

from msc_plans.analysis.joint.fit import JointFit, JointModel
from msc_plans.analysis.saxs.result import SaxsResult

__all__ = ["AgreementTest", "compare", "volumes_by_heights"]

_PRESENT = 3.0
_ABSENT = 0.25
_LIMIT = 2.576
"""99 % of a normal distribution."""


@dataclass(frozen=True)
class AgreementTest:
    """The test of agreement."""

    p_value: float
    chi2: float
    degrees_of_freedom: float
    words: tuple[str, ...]
    """Differences beyond 99 %, in words."""


def volumes_by_heights(model: JointModel, radius_nm: float) -> tuple[np.ndarray, np.ndarray]:
    """Volume fraction of each species by its height alone, and σ with the extinction's; NaN where not measured."""
    layout = model.layout
    factor = model.height_per_fraction(radius_nm)
    scale = np.hypot(model.prior_sigma[layout.uvvis_scale], model.prior_sigma[layout.species_scales])
    noise = np.where(np.isfinite(model.height_sigma), model.height_sigma, np.nan) / factor
    fractions = np.where(np.isfinite(noise), model.height / factor, np.nan)
    return fractions, np.hypot(noise, scale * fractions)


def compare(
    model: JointModel, alone: JointFit, both: JointFit, saxs: SaxsResult, names: list[str], there: np.ndarray
) -> AgreementTest:
    """Test the χ² that the heights add to the scattering's.

    Parameters
    ----------
    model, alone, both : JointModel, Fit, Fit
        Fits of the scattering alone and of both.
    saxs : SaxsResult
    names : list of str
        Of the species.
    there : ndarray of bool, shape (species,)
        Species that the joint fit shows.
    """
    seen = np.isfinite(model.height_sigma)
    shown = there | (model.height > _PRESENT * model.height_sigma)
    freedom = float(np.sum(np.where(shown, 1.0, _ABSENT)[seen]))
    freedom += float(shown[-1] and model.optical_radius is not None)
    absolute = not math.isnan(saxs.volume_fraction)
    freedom = max(freedom - (not absolute), 1.0)
    chi2 = max(both.cost - alone.cost, 0.0)
    p_value = float(gammaincc(0.5 * freedom, 0.5 * chi2))
    return AgreementTest(p_value, chi2, freedom, _words(model, both, saxs, names, absolute))


def _words(model: JointModel, both: JointFit, saxs: SaxsResult, names: list[str], absolute: bool) -> tuple[str, ...]:
    layout = model.layout
    radius = math.exp(both.theta[layout.radius])
    fractions, sigma = (np.nan_to_num(v) for v in volumes_by_heights(model, radius))
    total = float(fractions.sum())
    # The common scale moves all species alike.
    common = float(model.prior_sigma[layout.uvvis_scale])
    own = float(np.sum(sigma**2 - (common * fractions) ** 2))
    relative = math.hypot(math.sqrt(max(own, 0.0)) / total, common) if total > 0 else math.inf
    words: list[str] = []
    if absolute:
        words += _of_volume(total, relative, float(np.sqrt(np.sum(sigma**2))), model, saxs)
    if total > 0 and relative < 1 and saxs.volume_fraction != 0 and math.isfinite(saxs.mean_radius_nm):
        words += _of_radius(model, fractions, sigma, saxs)
    return tuple(words) or _of_species(model, both, names)


def _of_volume(total: float, relative: float, sigma: float, model: JointModel, saxs: SaxsResult) -> list[str]:
    found = saxs.volume_fraction
    scale = float(model.prior_sigma[model.layout.saxs_scale])
    if found <= 0:
        if total > _LIMIT * sigma:
            return [f"UV-vis sees a volume fraction of {total:.2g}, SAXS no particles"]
        return []
    if relative > 0.9:
        if found * (1 - _LIMIT * scale) > _LIMIT * sigma + total:
            return [f"SAXS sees a volume fraction of {found:.2g}, UV-vis at most {total + _LIMIT * sigma:.2g}"]
        return []
    ratio = found / total
    if abs(math.log(ratio)) < _LIMIT * math.hypot(relative, scale, saxs.volume_fraction_sigma / found):
        return []
    if ratio > 1:
        return [f"SAXS sees {ratio:.2g} times the volume that UV-vis does"]
    return [f"UV-vis sees {1 / ratio:.2g} times the volume that SAXS does"]


def _of_radius(model: JointModel, fractions: np.ndarray, sigma: np.ndarray, saxs: SaxsResult) -> list[str]:
    layout = model.layout
    optical = model.optical_radius
    crystals = (math.exp(optical[0]), optical[1]) if optical else (0.0, 0.0)
    radii = np.append(model.family_radius_nm, crystals[0])
    if not optical:
        fractions, sigma = np.append(fractions[:-1], 0.0), np.append(sigma[:-1], 0.0)
    total = float(fractions.sum())
    if total <= 0:
        return []
    mean = float(fractions @ radii) / total
    # The common scale of the extinctions cancels.
    common = float(model.prior_sigma[layout.uvvis_scale])
    own = np.sqrt(np.maximum(sigma**2 - (common * fractions) ** 2, 0.0))
    table = float(model.prior_sigma[layout.shape])
    variance = float(np.sum(((radii - mean) / total * own) ** 2))
    variance += (float(fractions[:-1] @ radii[:-1]) / total * table) ** 2
    variance += (float(fractions[-1]) / total * crystals[0] * crystals[1]) ** 2
    low, high = saxs.mean_radius_interval_nm
    variance += ((high - low) / 3.92) ** 2
    if abs(saxs.mean_radius_nm - mean) < _LIMIT * math.sqrt(variance):
        return []
    return [f"mean radius {saxs.mean_radius_nm:.2f} nm by SAXS but {mean:.2f} nm by UV-vis"]


def _of_species(model: JointModel, both: JointFit, names: list[str]) -> tuple[str, ...]:
    layout = model.layout
    factor = model.height_per_fraction(math.exp(both.theta[layout.radius])) * model.unit
    expected = factor * both.theta[layout.amounts] * math.exp(both.theta[layout.uvvis_scale])
    own = both.theta[layout.species_scales]
    missed = (expected * np.exp(own) - model.height) / model.height_sigma
    pulls = np.hypot(own / model.prior_sigma[layout.species_scales], missed)
    return tuple(
        f"{name}: a band of {model.height[k]:.2g}, but amounts that the curve allows give {expected[k]:.2g}"
        for k, name in enumerate(names)
        if pulls[k] > _LIMIT
    )
