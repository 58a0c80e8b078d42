"""From an absorption spectrum to the families of clusters and the nanocrystals in it."""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from msc_plans.analysis.accumulation import ACCUMULATED_RATIO, FLOOR, Verdict, accumulated_probability, verdict
from msc_plans.analysis.uvvis.absorbance import absorbance, clean
from msc_plans.analysis.uvvis.bands import BandShape, FirstMaximum, first_maximum
from msc_plans.analysis.uvvis.belief import height_sigma, place_sigma_nm, probability
from msc_plans.analysis.uvvis.fit import PHOTOMETRIC, SpectrumFit
from msc_plans.analysis.uvvis.judge import BIN_NM, Standing, fitted, standings
from msc_plans.analysis.uvvis.model import BASELINE, REST
from msc_plans.analysis.uvvis.result import FamilyBand, Nanocrystal, UvVisResult
from msc_plans.families import Family, FamilyTable, Material, built_in_families

__all__ = [
    "DETECTED",
    "Accumulation",
    "FamilyBand",
    "Nanocrystal",
    "UvVisResult",
    "absorbance",
    "accumulation",
    "analyse",
    "outcome",
]

DETECTED: Final = 0.95
"""Probability from which a family counts as detected."""

_OPTICAL_DENSITY_FROM_NM = 350.0
_NANOCRYSTAL_GAIN = 25.0
_FLANK_RATIO = 5.0
_FLANKS = ((1.0, 4.0), (2.0, 10.0), (4.0, 60.0))
"""Within so many FWHM of a cluster's band, a band lower by this factor is its tail: a Lorentzian that makes up 30 % of
a band has 6 %, 1.8 % and 0.5 % of its height there."""


def analyse(
    wavelength_nm: ArrayLike,
    absorbance: ArrayLike,
    *,
    families: FamilyTable | None = None,
    path_length_cm: float = 0.1,
) -> UvVisResult:
    """Find families and nanocrystals in one spectrum.

    A stretch of the highest value that repeats four times or more is a saturated detector, and is left out.

    Parameters
    ----------
    wavelength_nm : array-like, shape (pixels,)
        Ascending or descending, evenly spaced or not.
    absorbance : array-like, shape (pixels,)
        NaN or infinite where it couldn't be measured.
    families : FamilyTable, optional
        What to look for, and of what material. Default: the built-in table.
    path_length_cm : float
        Optical path, cm.

    Returns
    -------
    UvVisResult
        Families with probability, σ and upper limit; nanocrystals or None.

    Raises
    ------
    ValueError
        Shapes differ, wavelengths aren't finite, positive and distinct, the path isn't positive, no family is given,
        or too few finite points (25 bins of 2 nm) lie in the table's window.
    """
    families = built_in_families() if families is None else families
    x, y = clean(wavelength_nm, absorbance)
    if not (math.isfinite(path_length_cm) and path_length_cm > 0):
        raise ValueError(f"path_length_cm must be positive and finite, not {path_length_cm!r}")
    if not families:
        raise ValueError("families is empty: give at least one Family to look for")
    fit, shapes = fitted(x, y, families)
    bands = tuple(
        _band(family, shape, standing, path_length_cm)
        for family, shape, standing in zip(families, shapes, standings(fit, families, shapes), strict=True)
    )
    inside = (x >= families.window[0]) & (x <= families.window[1])
    x, y = x[inside], y[inside]
    baseline = fit.curve(x, BASELINE)
    rest = baseline + fit.curve(x, REST)
    whole = fit.curve(x)
    nanocrystal = _nanocrystal(fit, first_maximum(fit), bands, families.material)
    od = x >= _OPTICAL_DENSITY_FROM_NM
    limit = math.hypot(
        5.0 * math.sqrt(fit.scale) * float(np.median(fit.binned.sigma)), 0.03 * max(band.height for band in bands)
    )
    integrated, integrated_sigma = _integrated(fit, x, y)
    return UvVisResult(
        families=bands,
        nanocrystal=nanocrystal,
        noise=fit.binned.noise,
        optical_density_nm=float(np.trapezoid((y - baseline)[od], x[od])),
        wavelength_nm=x,
        absorbance=y,
        fit=whole,
        rest=rest,
        baseline=baseline,
        misfit=fit.scale,
        nanocrystal_height_sigma=nanocrystal.sigma["height"] if nanocrystal else limit,
        integrated_absorbance_nm=integrated,
        integrated_absorbance_sigma_nm=integrated_sigma,
    )


def _integrated(fit: SpectrumFit, x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """Absorbance above that at the red end, integrated from 350 nm on, and its σ.

    Not above the fitted baseline: the fit can't tell an offset from the red end of a continuum.
    """
    od, red = x >= _OPTICAL_DENSITY_FROM_NM, x >= _red_end(x)
    value = float(np.trapezoid(y[od], x[od]) - np.mean(y[red]) * np.ptp(x[od])) if od.sum() > 1 else 0.0
    bins = fit.binned.wavelength_nm
    sigma = math.sqrt(fit.scale) * fit.binned.sigma
    above, end = bins >= _OPTICAL_DENSITY_FROM_NM, bins >= _red_end(x)
    noise = math.sqrt(float(np.sum(sigma[above] ** 2))) * BIN_NM
    zero = (
        math.sqrt(float(np.sum(sigma[end] ** 2))) / max(int(end.sum()), 1) * float(np.ptp(x[od])) if od.any() else 0.0
    )
    return value, math.hypot(noise, zero, PHOTOMETRIC * value)


def _band(family: Family, shape: BandShape, standing: Standing, path_length_cm: float) -> FamilyBand:
    believed = math.nan
    sigma = dict(shape.sigma)
    if shape.covered:
        believed = probability(standing.evidence)
        sigma["height"] = height_sigma(
            from_noise=standing.from_noise,
            height=standing.height,
            rest=standing.rest,
            bend=standing.bend,
            neighbours=standing.neighbours,
            probability=believed,
        )
        sigma["wavelength_nm"], sigma["fwhm_nm"] = place_sigma_nm(
            family, from_noise=(sigma["wavelength_nm"], sigma["fwhm_nm"]), height=shape.height, rest=standing.rest
        )
        sigma["area_nm"] = math.hypot(sigma["area_nm"], 1.0645 * shape.fwhm_nm * sigma["height"])
    factor = 1.0 / (family.extinction_l_mol_cm * path_length_cm)
    sigma["concentration_mol_l"] = factor * sigma["height"]
    return FamilyBand(
        family=family.name,
        detected=bool(believed >= DETECTED),
        probability=believed,
        wavelength_nm=shape.wavelength_nm,
        fwhm_nm=shape.fwhm_nm,
        height=shape.height,
        area_nm=shape.area_nm,
        concentration_mol_l=factor * shape.height,
        sigma=sigma,
        extinction_l_mol_cm=family.extinction_l_mol_cm,
        extinction_source=family.source,
        denominator=family.denominator,
    )


def _nanocrystal(
    fit: SpectrumFit, found: FirstMaximum | None, bands: tuple[FamilyBand, ...], material: Material
) -> Nanocrystal | None:
    if found is None or fit.nanocrystal_gain < _NANOCRYSTAL_GAIN:
        return None
    for band in bands:
        if not band.detected:
            continue
        # What lies to the blue of a cluster's band, or is a tail of it, is no first transition of something else.
        bluer = found.wavelength_nm < band.wavelength_nm and band.height > found.height / _FLANK_RATIO
        away = abs(found.wavelength_nm - band.wavelength_nm) / band.fwhm_nm
        if bluer or any(away < reach and band.height > ratio * found.height for reach, ratio in _FLANKS):
            return None
    diameter = s_diameter = number = size_dispersion = s_dispersion = math.nan
    sizing = material.sizing
    if sizing is not None and sizing.range_nm[0] <= found.wavelength_nm <= sizing.range_nm[1]:
        diameter = sizing.diameter_nm(found.wavelength_nm)
        s_diameter = abs(sizing.slope(found.wavelength_nm)) * found.sigma["wavelength_nm"]
        number = material.aggregation_number(diameter)
        size_dispersion, s_dispersion = sizing.dispersion(found.wavelength_nm, found.fwhm_nm, found.sigma["fwhm_nm"])
    sigma = {key: found.sigma[key] for key in ("wavelength_nm", "band_center_nm", "height", "fwhm_nm")} | {
        "diameter_nm": s_diameter,
        "aggregation_number": 3.0 * number * s_diameter / diameter,
        "size_dispersion": s_dispersion,
    }
    return Nanocrystal(
        wavelength_nm=found.wavelength_nm,
        band_center_nm=found.centre_nm,
        height=found.height,
        fwhm_nm=found.fwhm_nm,
        diameter_nm=diameter,
        diameter_in_range=sizing is not None and sizing.is_checked(found.wavelength_nm),
        aggregation_number=number,
        unit=material.unit,
        edge_nm=found.edge_nm,
        size_dispersion=size_dispersion,
        sigma=sigma,
    )


@dataclass(frozen=True)
class Accumulation:
    """Whether a family has piled up beside the nanocrystals."""

    family: str
    ratio: float
    ratio_sigma: float
    probability: float
    """That the family is there and the ratio at or above the threshold."""
    verdict: Verdict


def accumulation(
    result: UvVisResult,
    family: str,
    *,
    full_conversion_height: float,
    threshold: float = ACCUMULATED_RATIO,
    floor: float = FLOOR,
) -> Accumulation:
    """Judge whether a family is accumulated.

    ``ratio = height / (nanocrystal height + height of another family + floor · full_conversion_height)``. The
    nanocrystal height is the absorbance at their first maximum above the baseline and without the families; which
    family stands beside it, if any, the table says (`Family.denominator`).

    Raises
    ------
    ValueError
        The family isn't in the result, or a number isn't positive.
    """
    for name, value in (
        ("full_conversion_height", full_conversion_height),
        ("threshold", threshold),
        ("floor", floor),
    ):
        if not (math.isfinite(value) and value > 0):
            raise ValueError(f"{name} must be positive and finite, not {value!r}")
    band = result.family(family)
    crystal = result.nanocrystal
    others = [other for other in result.families if other.family == band.denominator]
    denominator = floor * full_conversion_height + (crystal.height if crystal else 0.0)
    variance = (crystal.sigma["height"] if crystal else 0.0) ** 2
    for other in others:
        denominator += other.height
        variance += other.sigma["height"] ** 2 if math.isfinite(other.sigma["height"]) else 0.0
    ratio = band.height / denominator
    sigma = math.hypot(band.sigma["height"], ratio * math.sqrt(variance)) / denominator
    return Accumulation(
        family,
        ratio,
        sigma,
        accumulated_probability(ratio, sigma, threshold, band.probability),
        verdict(ratio, sigma, threshold, band.probability),
    )


def _red_end(wavelength_nm: np.ndarray) -> float:
    """Where the reddest tenth of the wavelengths begins, nm."""
    return float(wavelength_nm.max() - 0.1 * np.ptp(wavelength_nm))


def outcome(result: UvVisResult, *, full_conversion_height: float) -> dict[str, float]:
    """Flatten a result to the numbers that documents carry and the advisor learns from.

    ``baseline`` is the mean of the fitted baseline (offset, drift, scattering) over the reddest tenth of the spectrum,
    absorbance: 0 unless lamp, windows or reference have changed.
    """
    record: dict[str, float] = {}
    for band in result.families:
        judged = accumulation(result, band.family, full_conversion_height=full_conversion_height)
        record |= {
            f"{band.family}_height": band.height,
            f"{band.family}_height_sigma": band.sigma["height"],
            f"{band.family}_wavelength_nm": band.wavelength_nm if band.detected else math.nan,
            f"{band.family}_wavelength_nm_sigma": band.sigma["wavelength_nm"] if band.detected else math.nan,
            f"{band.family}_fwhm_nm": band.fwhm_nm,
            f"{band.family}_probability": band.probability,
            f"{band.family}_concentration_mol_l": band.concentration_mol_l,
            f"{band.family}_ratio": judged.ratio,
            f"{band.family}_ratio_sigma": judged.ratio_sigma,
        }
    crystal = result.nanocrystal
    record |= {
        "nc_wavelength_nm": crystal.wavelength_nm if crystal else math.nan,
        "nc_wavelength_nm_sigma": crystal.sigma["wavelength_nm"] if crystal else math.nan,
        "nc_height": crystal.height if crystal else 0.0,
        "nc_height_sigma": result.nanocrystal_height_sigma,
        "nc_fwhm_nm": crystal.fwhm_nm if crystal else math.nan,
        "nc_diameter_nm": crystal.diameter_nm if crystal else math.nan,
        "optical_density_nm": result.optical_density_nm,
        "integrated_absorbance_nm": result.integrated_absorbance_nm,
        "integrated_absorbance_nm_sigma": result.integrated_absorbance_sigma_nm,
        "noise": result.noise,
        "baseline": float(np.mean(result.baseline[result.wavelength_nm >= _red_end(result.wavelength_nm)])),
        "full_conversion_height": float(full_conversion_height),
    }
    return record
