"""From concentrations to what the analysis reports of one condition.

Heights of bands are shares of ``A_full``, the first-maximum height if all CdSe were nanocrystals of 3.6 nm. Yu et al.
(*Chem. Mater.* 2003, 15, 2854) give ε = 5857 D^2.65 L mol⁻¹ cm⁻¹ a particle, and a particle holds n ∝ D³ units, so

``height / A_full = gain · (share of the CdSe in the species) · (D / 3.6 nm)^(−0.35)``.

For the families this extrapolates a curve calibrated on nanocrystals, and a broader band is lower: one gain for the
families and one for the nanocrystals are inferred with the rate constants. The nanocrystals' maximum follows from
their diameter by Yu's sizing curve (λ, D in nm; checked for 1.5–8 nm; 572 nm ↔ 3.6 nm),

``D = 1.6122e-9 λ⁴ − 2.6575e-6 λ³ + 1.6242e-3 λ² − 0.4277 λ + 41.57``,

their width from 0.12 eV of a single size and the spread of sizes along it. An ensemble's diameter is weighted by what
each size absorbs, D^2.65. SAXS reports the mean radius by volume and the volume fraction of all particles.

What is compared are `QUANTITIES`, each on a scale on which errors are alike: ``ln(height + 0.002)``, so that a family
that was looked for and not seen tells as much as its limit of detection, nm for the maximum, ``ln`` for the others.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from msc_plans.kinetics.mechanism import MOMENTS, Mechanism, Prior
from msc_plans.kinetics.mechanism_file import FAMILIES

__all__ = [
    "GAIN_PRIORS",
    "HEIGHT_SOFT",
    "OPTIONAL_KEYS",
    "OUTCOME_KEYS",
    "QUANTITIES",
    "Observation",
    "Optics",
    "diameter_nm",
    "heights_of",
    "predict",
    "ratio_of",
    "ratio_of_heights",
    "wavelength_nm",
]

QUANTITIES: Final = (*FAMILIES, "NC height", "NC maximum", "NC width", "SAXS radius", "SAXS volume fraction")
"""What is observed, in this order along the last axis of predictions and observations."""
HEIGHT_SOFT: Final = 0.002
"""Added to a share before its logarithm: a blank's band is some such share of full conversion."""
RATIO_FLOOR: Final = 0.02
"""Share of the full-conversion height in the denominator of the ratio, as the project defines 'accumulated'."""
OUTCOME_KEYS: Final = (
    *(f"{family}_{ending}" for family in FAMILIES for ending in ("height", "height_sigma")),
    *("nc_wavelength_nm", "nc_wavelength_nm_sigma", "nc_height", "nc_height_sigma", "full_conversion_height", "noise"),
)
"""Keys that an outcome must have; heights and noise in absorbance. The numbers may be NaN: not found."""
OPTIONAL_KEYS: Final = (
    "nc_fwhm_nm",
    "mean_radius_nm",
    "mean_radius_nm_sigma",
    "volume_fraction",
    "volume_fraction_sigma",
    "baseline",
)
"""Keys that are used where there are any."""
GAIN_PRIORS: Final = (
    Prior(0.0, 0.4, "ln gain of the families: extrapolating Yu 2003 below its calibration"),
    Prior(0.0, 0.3, "ln gain of the nanocrystals: Yu's scatter, and a band that is broader than his"),
)

_REFERENCE_NM = 3.6
_UNIT_NM3 = 0.0562
"""Volume of one CdSe unit in wurtzite."""
_AVOGADRO_PER_NM3 = 6.02214076e-4
"""mol/L to particles/nm³ is 0.602; mmol/L to it is this."""
_EV_NM = 1239.84193
_SINGLE_SIZE_EV = 0.12
_WAVELENGTHS = np.array([float(family.removeprefix("CdSe-")) for family in FAMILIES])
_RADII = np.array([0.5 * 1.39, 0.87, 0.94, 1.02])
"""By SAXS (Palencia 2020); of 382 by its diameter."""
_LEAST_DIAMETER, _MOST_DIAMETER = 1.9, 20.0
_ABSORBED = 2.65


def diameter_nm(wavelength: ArrayLike) -> NDArray[np.float64]:
    """Return the diameter (nm) for a first maximum (nm) by Yu 2003."""
    x = np.asarray(wavelength, dtype=np.float64)
    return 41.57 + x * (-0.4277 + x * (1.6242e-3 + x * (-2.6575e-6 + x * 1.6122e-9)))


_TABLE_WAVELENGTH = np.linspace(360.0, 690.0, 661)
_TABLE_DIAMETER = diameter_nm(_TABLE_WAVELENGTH)
_TABLE_SLOPE = np.gradient(_EV_NM / _TABLE_WAVELENGTH, _TABLE_DIAMETER)


def wavelength_nm(diameter: ArrayLike) -> NDArray[np.float64]:
    """Return the first maximum (nm) for a diameter (nm); held at 360 and 690 nm beyond them."""
    return np.interp(np.asarray(diameter, dtype=np.float64), _TABLE_DIAMETER, _TABLE_WAVELENGTH)


@dataclass(frozen=True)
class Optics:
    """The optical cell.

    Parameters
    ----------
    path_length_cm : float
        Light path through the cell, cm.
    """

    path_length_cm: float = 0.1

    def full_conversion_height(self, cadmium_millimolar: float) -> float:
        """Return the absorbance at the first maximum if all CdSe were nanocrystals of 3.6 nm."""
        units = math.pi / 6 * _REFERENCE_NM**3 / _UNIT_NM3
        return 5857 * _REFERENCE_NM**_ABSORBED * cadmium_millimolar * 1e-3 / units * self.path_length_cm


@dataclass(frozen=True)
class Observation:
    """What was seen at one condition.

    Parameters
    ----------
    values, sigmas : ndarray, shape (quantities,)
        On the scales of `QUANTITIES`; NaN where nothing is known.
    full_height : float
        Full-conversion height, absorbance.
    baseline : float
        Absorbance at the red end, where nothing in the reactor absorbs; NaN where it isn't known.
    """

    values: NDArray[np.float64]
    sigmas: NDArray[np.float64]
    full_height: float
    baseline: float = math.nan

    @classmethod
    def from_record(cls, record: Mapping[str, object]) -> "Observation":
        """Read a flat record with the keys of `OUTCOME_KEYS`, and of `OPTIONAL_KEYS` where there are any.

        Raises
        ------
        ValueError
            A key is missing or no number, or the full-conversion height is not above 0.
        """
        missing = [key for key in OUTCOME_KEYS if key not in record]
        if missing:
            raise ValueError(f"the point lacks the outcome {', '.join(missing)}")
        found: dict[str, float] = dict.fromkeys(OPTIONAL_KEYS, math.nan)
        for key in (*OUTCOME_KEYS, *(key for key in OPTIONAL_KEYS if key in record)):
            try:
                found[key] = math.nan if record[key] is None else float(record[key])  # type: ignore[arg-type]
            except (TypeError, ValueError):
                raise ValueError(f"the outcome {key} must be a number, not {record[key]!r}") from None
        full = found["full_conversion_height"]
        if not 0 < full < math.inf:
            raise ValueError(f"full_conversion_height must be above 0, not {full:g}")
        blank = 5 * found["noise"] / full if found["noise"] > 0 else HEIGHT_SOFT
        rows = [_height(found[f"{one}_height"], found[f"{one}_height_sigma"], full, blank) for one in FAMILIES]
        rows.append(_height(found["nc_height"], found["nc_height_sigma"], full, blank))
        maximum, sigma = found["nc_wavelength_nm"], found["nc_wavelength_nm_sigma"]
        rows.append((maximum, max(sigma, 0.1) if math.isfinite(sigma) else 3.0))
        width = found["nc_fwhm_nm"]
        rows.append((math.log(width) if width > 0 else math.nan, 0.2))
        for key, soft in (("mean_radius_nm", 0.0), ("volume_fraction", None)):
            value, sigma = found[key], found[f"{key}_sigma"]
            rows.append(_logarithm(value, sigma, soft))
        values, sigmas = np.array(rows).T
        return cls(np.where(np.isfinite(sigmas), values, math.nan), sigmas, full, found["baseline"])


def _height(height: float, sigma: float, full: float, blank: float) -> tuple[float, float]:
    """Logarithm of a share with its error; a band without a number was looked for and not found."""
    share = max(height / full, 0.0) if math.isfinite(height) else 0.0
    error = sigma / full if math.isfinite(sigma) and sigma >= 0 else blank
    return math.log(share + HEIGHT_SOFT), max(error / (share + HEIGHT_SOFT), 0.01)


def _logarithm(value: float, sigma: float, soft: float | None) -> tuple[float, float]:
    if not value > 0:
        return math.nan, math.nan
    offset = _VOLUME_SOFT if soft is None else soft
    return math.log(value + offset), max(sigma / (value + offset) if math.isfinite(sigma) else 0.1, 0.005)


_VOLUME_SOFT = 1e-6


def predict(
    mechanism: Mechanism,
    concentrations: NDArray[np.float64],
    log_gains: NDArray[np.float64],
    cadmium_millimolar: float,
) -> NDArray[np.float64]:
    """Return the `QUANTITIES` of concentrations.

    Parameters
    ----------
    mechanism : Mechanism
        What the species are; families it lacks have height 0.
    concentrations : ndarray, shape (sets, conditions, species)
        mmol/L.
    log_gains : ndarray, shape (sets, 2)
        ln gain of families and nanocrystals.
    cadmium_millimolar : float
        CdSe units fed.

    Returns
    -------
    ndarray, shape (sets, conditions, quantities)
        NaN throughout where the concentrations are.
    """
    shares = np.maximum(concentrations * mechanism.contents, 0.0) / cadmium_millimolar
    gains = np.exp(log_gains)
    out = np.empty((*concentrations.shape[:2], len(QUANTITIES)))
    families = np.zeros((*concentrations.shape[:2], len(FAMILIES)))
    for number, family in enumerate(FAMILIES):
        if family in mechanism.index:
            families[..., number] = shares[..., mechanism.index[family]]
    shape = (diameter_nm(_WAVELENGTHS) / _REFERENCE_NM) ** (_ABSORBED - 3)
    out[..., : len(FAMILIES)] = np.log(gains[:, None, :1] * families * shape + HEIGHT_SOFT)

    crystals, mean, spread = _population(mechanism, concentrations, shares)
    absorbing = np.clip(mean + _ABSORBED * spread**2 / mean, _LEAST_DIAMETER, _MOST_DIAMETER)
    maximum = wavelength_nm(absorbing)
    slope = np.interp(absorbing, _TABLE_DIAMETER, _TABLE_SLOPE)
    width_ev = np.hypot(_SINGLE_SIZE_EV, 2.355 * slope * spread)
    height = gains[:, None, 1] * crystals * (absorbing / _REFERENCE_NM) ** (_ABSORBED - 3) * _SINGLE_SIZE_EV / width_ev
    first = len(FAMILIES)
    out[..., first] = np.log(height + HEIGHT_SOFT)
    out[..., first + 1] = maximum
    out[..., first + 2] = np.log(width_ev * maximum**2 / _EV_NM)
    volume = families.sum(axis=-1) + crystals
    by_volume = np.clip(0.5 * (mean + 3 * spread**2 / mean), 0.5 * _LEAST_DIAMETER, 0.5 * _MOST_DIAMETER)
    radius = (families @ _RADII + crystals * by_volume) / np.maximum(volume, 1e-12)
    out[..., first + 3] = np.log(np.maximum(radius, 0.5))
    out[..., first + 4] = np.log(volume * cadmium_millimolar * _AVOGADRO_PER_NM3 * _UNIT_NM3 + _VOLUME_SOFT)
    out[~np.isfinite(concentrations).all(axis=-1)] = math.nan
    return out


def _population(
    mechanism: Mechanism, concentrations: NDArray[np.float64], shares: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Share of the CdSe in nanocrystals, mean and standard deviation of their diameter (nm)."""
    if mechanism.nanocrystals is None:
        nothing = np.zeros(concentrations.shape[:2])
        return nothing, nothing + _LEAST_DIAMETER, nothing
    x0, x1, x2, _ = (concentrations[..., mechanism.index[name]] for name in MOMENTS)
    number = np.maximum(x0, 1e-15)
    to_nm = (6 / math.pi * _UNIT_NM3) ** (1 / 3)
    with np.errstate(over="ignore"):  # where there are hardly any, their size may be anything
        size, square = np.clip(x1 / number, 0.0, _MOST_DIAMETER / to_nm), np.minimum(x2 / number, 1e6)
    mean = np.maximum(to_nm * size, _LEAST_DIAMETER)
    variance = to_nm**2 * (square - size**2)
    spread = np.sqrt(np.clip(variance, 0.0, (0.5 * mean) ** 2))
    return shares[..., mechanism.index[MOMENTS[3]]], mean, spread


def heights_of(quantities: NDArray[np.floating]) -> NDArray[np.floating]:
    """Shares of full conversion of families and nanocrystals, shape (…, families + 1)."""
    return np.maximum(np.exp(quantities[..., : len(FAMILIES) + 1]) - HEIGHT_SOFT, 0.0)


def ratio_of(quantities: NDArray[np.floating], family: str) -> NDArray[np.floating]:
    """Return the height of ``family`` over NC height + 465 nm height + 2 % of full conversion, shape (…)."""
    return ratio_of_heights(heights_of(quantities), family)


def ratio_of_heights(heights: NDArray[np.floating], family: str) -> NDArray[np.floating]:
    """Return the same of heights by :func:`heights_of`."""
    rest = heights[..., len(FAMILIES)] + RATIO_FLOOR
    if family != "CdSe-465":
        rest = rest + heights[..., FAMILIES.index("CdSe-465")]
    return heights[..., FAMILIES.index(family)] / rest
