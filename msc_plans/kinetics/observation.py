"""From concentrations to what the analysis reports of one condition.

Heights of bands are shares of ``A_full``, the first-maximum height if all that was fed were nanocrystals of 3.6 nm. The
material's extinction is ``c D^e`` a particle (CdSe, Yu et al. *Chem. Mater.* 2003, 15, 2854: e = 2.65), and a particle
holds n ∝ D³ units, so

``height / A_full = gain · (share of the units in the species) · (D / 3.6 nm)^(e − 3)``.

For the families this extrapolates a curve calibrated on nanocrystals, and a broader band is lower: one gain for the
families and one for the nanocrystals are inferred with the rate constants. The nanocrystals' maximum follows from
their diameter by the material's sizing curve, their width from 0.12 eV of a single size and the spread of sizes along
it. An ensemble's diameter is weighted by what each size absorbs, D^e. SAXS reports the mean radius by volume and the
volume fraction of all particles.

What is compared are the heights of the table's families and what `COMMON` lists, each on a scale on which errors are
alike: ``ln(height + 0.002)``, so that a family that was looked for and not seen tells as much as its limit of
detection, nm for the maximum, ``ln`` for the others.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from msc_plans.families import FamilyTable, built_in_families
from msc_plans.families.material import FULL_CONVERSION_NM
from msc_plans.kinetics.mechanism import MOMENTS, Mechanism, Prior

__all__ = [
    "COMMON",
    "GAIN_PRIORS",
    "HEIGHT_SOFT",
    "OPTIONAL_KEYS",
    "Observables",
    "Observation",
    "Optics",
    "heights_of",
]

COMMON: Final = ("NC height", "NC maximum", "NC width", "SAXS radius", "SAXS volume fraction")
"""What is observed beside the heights of the families; it stands behind them along the last axis of predictions and
observations."""
HEIGHT_SOFT: Final = 0.002
"""Added to a share before its logarithm: a blank's band is some such share of full conversion."""
RATIO_FLOOR: Final = 0.02
"""Share of the full-conversion height in the denominator of the ratio, as the project defines 'accumulated'."""
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
    Prior(0.0, 0.4, "ln gain of the families: extrapolating the extinction of nanocrystals below its calibration"),
    Prior(
        0.0,
        0.3,
        "ln gain of the nanocrystals: scatter of the extinction, and a band that is broader",
    ),
)

_AVOGADRO_PER_NM3 = 6.02214076e-4
"""mol/L to particles/nm³ is 0.602; mmol/L to it is this."""
_EV_NM = 1239.84193
_SINGLE_SIZE_EV = 0.12
_LEAST_DIAMETER, _MOST_DIAMETER = 1.9, 20.0
_NC_KEYS = ("nc_wavelength_nm", "nc_wavelength_nm_sigma", "nc_height", "nc_height_sigma")


@dataclass(frozen=True)
class Optics:
    """The optical cell.

    Parameters
    ----------
    path_length_cm : float
        Light path through the cell, cm.
    """

    path_length_cm: float = 0.1


@dataclass(frozen=True)
class Observation:
    """What was seen at one condition.

    Parameters
    ----------
    values, sigmas : ndarray, shape (quantities,)
        By `Observables.names`, on the scales that are said above; NaN where nothing is known.
    full_height : float
        Full-conversion height, absorbance.
    baseline : float
        Absorbance at the red end, where nothing in the reactor absorbs; NaN where it isn't known.
    """

    values: NDArray[np.float64]
    sigmas: NDArray[np.float64]
    full_height: float
    baseline: float = math.nan


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


class Observables:
    """What is observed of the families of a table and of nanocrystals of their material.

    Parameters
    ----------
    families : FamilyTable, optional
        Default: the built-in table.

    Attributes
    ----------
    families : FamilyTable
        The table.
    names : tuple of str
        What is observed, in this order along the last axis of predictions and observations: families, then `COMMON`.
    outcome_keys : tuple of str
        Keys that an outcome must have; heights and noise in absorbance. The numbers may be NaN: not found.

    Raises
    ------
    ValueError
        The table lacks the material's sizing curve, extinction or unit volume.
    """

    def __init__(self, families: FamilyTable | None = None) -> None:
        self.families = built_in_families() if families is None else families
        material = self.families.material
        sizing = material.known_sizing("the kinetic model")
        self._exponent = material.known_extinction("the kinetic model").exponent
        self._unit_nm3 = material.unit_volume_nm3
        if math.isnan(self._unit_nm3):
            raise ValueError("the family table has no unit_volume_nm3, which the kinetic model needs")
        self.names = (*self.families.names, *COMMON)
        self.outcome_keys = (
            *(f"{family}_{ending}" for family in self.families.names for ending in ("height", "height_sigma")),
            *_NC_KEYS,
            "full_conversion_height",
            "noise",
        )
        self._sizing = sizing
        maxima, self._diameters = sizing.inverse
        self._slopes = np.gradient(_EV_NM / maxima, self._diameters)
        self._radii = np.array([family.radius_nm for family in self.families])
        # of the curve, as are those of the nanocrystals
        sizes = np.array([sizing.diameter_nm(family.wavelength_nm) for family in self.families])
        self._shape = (sizes / FULL_CONVERSION_NM) ** (self._exponent - 3)

    def index(self, name: str) -> int:
        """Return the number of what is observed.

        Raises
        ------
        ValueError
            There is no such family; the message lists those there are.
        """
        return self.names.index(name) if name in COMMON else self.families.index(name)

    def check(self, mechanisms: Iterable[Mechanism]) -> None:
        """Refuse mechanisms that make none of the families.

        Raises
        ------
        ValueError
            No species of any of them is a family of the table.
        """
        species = {name for one in mechanisms for name in one.species}
        if not species & set(self.families.names):
            raise ValueError(
                f"no mechanism has a species that is a family of the table ({', '.join(self.families.names)}): give "
                "mechanisms of this material"
            )

    def observation(self, record: Mapping[str, object]) -> Observation:
        """Read a flat record with `outcome_keys`, and with `OPTIONAL_KEYS` where there are any.

        Raises
        ------
        ValueError
            A key is missing or no number, or the full-conversion height is not above 0.
        """
        missing = [key for key in self.outcome_keys if key not in record]
        if missing:
            raise ValueError(f"the point lacks the outcome {', '.join(missing)}")
        found: dict[str, float] = dict.fromkeys(OPTIONAL_KEYS, math.nan)
        for key in (*self.outcome_keys, *(key for key in OPTIONAL_KEYS if key in record)):
            try:
                found[key] = math.nan if record[key] is None else float(record[key])  # type: ignore[arg-type]
            except (TypeError, ValueError):
                raise ValueError(f"the outcome {key} must be a number, not {record[key]!r}") from None
        full = found["full_conversion_height"]
        if not 0 < full < math.inf:
            raise ValueError(f"full_conversion_height must be above 0, not {full:g}")
        blank = 5 * found["noise"] / full if found["noise"] > 0 else HEIGHT_SOFT
        rows = [
            _height(found[f"{one}_height"], found[f"{one}_height_sigma"], full, blank) for one in self.families.names
        ]
        rows.append(_height(found["nc_height"], found["nc_height_sigma"], full, blank))
        maximum, sigma = found["nc_wavelength_nm"], found["nc_wavelength_nm_sigma"]
        rows.append((maximum, max(sigma, 0.1) if math.isfinite(sigma) else 3.0))
        width = found["nc_fwhm_nm"]
        rows.append((math.log(width) if width > 0 else math.nan, 0.2))
        for key, soft in (("mean_radius_nm", 0.0), ("volume_fraction", None)):
            value, sigma = found[key], found[f"{key}_sigma"]
            rows.append(_logarithm(value, sigma, soft))
        values, sigmas = np.array(rows).T
        return Observation(np.where(np.isfinite(sigmas), values, math.nan), sigmas, full, found["baseline"])

    def predict(
        self,
        mechanism: Mechanism,
        concentrations: NDArray[np.float64],
        log_gains: NDArray[np.float64],
        cadmium_millimolar: float,
    ) -> NDArray[np.float64]:
        """Return what would be observed of concentrations.

        Parameters
        ----------
        mechanism : Mechanism
            What the species are; families it lacks have height 0.
        concentrations : ndarray, shape (sets, conditions, species)
            mmol/L.
        log_gains : ndarray, shape (sets, 2)
            ln gain of families and nanocrystals.
        cadmium_millimolar : float
            Formula units fed.

        Returns
        -------
        ndarray, shape (sets, conditions, quantities)
            NaN throughout where the concentrations are.
        """
        shares = np.maximum(concentrations * mechanism.contents, 0.0) / cadmium_millimolar
        gains = np.exp(log_gains)
        count = len(self.families)
        out = np.empty((*concentrations.shape[:2], len(self.names)))
        families = np.zeros((*concentrations.shape[:2], count))
        for number, family in enumerate(self.families.names):
            if family in mechanism.index:
                families[..., number] = shares[..., mechanism.index[family]]
        out[..., :count] = np.log(gains[:, None, :1] * families * self._shape + HEIGHT_SOFT)

        crystals, mean, spread = self._population(mechanism, concentrations, shares)
        absorbing = np.clip(mean + self._exponent * spread**2 / mean, _LEAST_DIAMETER, _MOST_DIAMETER)
        maximum = self._sizing.maximum_nm(absorbing)
        slope = np.interp(absorbing, self._diameters, self._slopes)
        width_ev = np.hypot(_SINGLE_SIZE_EV, 2.355 * slope * spread)
        shape = (absorbing / FULL_CONVERSION_NM) ** (self._exponent - 3)
        height = gains[:, None, 1] * crystals * shape * _SINGLE_SIZE_EV / width_ev
        out[..., count] = np.log(height + HEIGHT_SOFT)
        out[..., count + 1] = maximum
        out[..., count + 2] = np.log(width_ev * maximum**2 / _EV_NM)
        volume = families.sum(axis=-1) + crystals
        by_volume = np.clip(0.5 * (mean + 3 * spread**2 / mean), 0.5 * _LEAST_DIAMETER, 0.5 * _MOST_DIAMETER)
        radius = (families @ self._radii + crystals * by_volume) / np.maximum(volume, 1e-12)
        out[..., count + 3] = np.log(np.maximum(radius, 0.5))
        out[..., count + 4] = np.log(volume * cadmium_millimolar * _AVOGADRO_PER_NM3 * self._unit_nm3 + _VOLUME_SOFT)
        out[~np.isfinite(concentrations).all(axis=-1)] = math.nan
        return out

    def _population(
        self, mechanism: Mechanism, concentrations: NDArray[np.float64], shares: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Return the nanocrystals' share of the units, mean and standard deviation of their diameter (nm)."""
        if mechanism.nanocrystals is None:
            nothing = np.zeros(concentrations.shape[:2])
            return nothing, nothing + _LEAST_DIAMETER, nothing
        x0, x1, x2, _ = (concentrations[..., mechanism.index[name]] for name in MOMENTS)
        number = np.maximum(x0, 1e-15)
        to_nm = (6 / math.pi * self._unit_nm3) ** (1 / 3)
        with np.errstate(over="ignore"):  # where there are hardly any, their size may be anything
            size, square = np.clip(x1 / number, 0.0, _MOST_DIAMETER / to_nm), np.minimum(x2 / number, 1e6)
        mean = np.maximum(to_nm * size, _LEAST_DIAMETER)
        variance = to_nm**2 * (square - size**2)
        spread = np.sqrt(np.clip(variance, 0.0, (0.5 * mean) ** 2))
        return shares[..., mechanism.index[MOMENTS[3]]], mean, spread

    def ratio(self, heights: NDArray[np.floating], family: str) -> NDArray[np.floating]:
        """Return the ratio that decides 'accumulated', of heights by :func:`heights_of`.

        It is the height of the family over that of the nanocrystals, of the family that the table names as its
        denominator, and 2 % of full conversion.

        Raises
        ------
        ValueError
            There is no such family.
        """
        beside = self.families[family].denominator
        rest = heights[..., -1] + RATIO_FLOOR
        if beside:
            rest = rest + heights[..., self.families.index(beside)]
        return heights[..., self.families.index(family)] / rest


def heights_of(quantities: NDArray[np.floating]) -> NDArray[np.floating]:
    """Return the shares of full conversion of families and nanocrystals, shape (…, families + 1), of any table."""
    return np.maximum(np.exp(quantities[..., : 1 - len(COMMON)]) - HEIGHT_SOFT, 0.0)
