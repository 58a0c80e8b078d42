"""From concentrations to what the spectrometer's analysis reports, and how likely a report is.

A band's height is taken relative to ``A_full``, the first-maximum height if all CdSe were nanocrystals of
3.6 nm. Yu 2003 gives ε = 5857 D^2.65 L mol⁻¹ cm⁻¹ per particle, and a particle holds n ∝ D³ units, so that

``height / A_full = gain · (CdSe fraction in the species) · (D / 3.6 nm)^(−0.35)``

with D of the family, or of the mean nanocrystal. For the families this extrapolates a curve calibrated on
nanocrystals, and the height of a broad band is less than Yu's: one gain for the families and one for the
nanocrystals are inferred with the rate constants. The nanocrystal maximum follows from the mean size by the
sizing curve of Yu et al., Chem. Mater. 2003, 15, 2854 (λ, D in nm):

``D = 1.6122e-9 λ⁴ − 2.6575e-6 λ³ + 1.6242e-3 λ² − 0.4277 λ + 41.57``

inverted by interpolation. Checked range of the curve: 1.5–8 nm; 572 nm ↔ 3.6 nm.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import log_ndtr

from msc_plans.kinetics.mechanism import Mechanism, Prior
from msc_plans.kinetics.palencia import FAMILIES, NC_NUMBER, NC_UNITS

__all__ = [
    "OUTCOME_KEYS",
    "Discrepancy",
    "Observation",
    "Optics",
    "Predicted",
    "diameter_nm",
    "log_likelihood",
    "predict",
    "wavelength_nm",
]

FAMILY_WAVELENGTHS = np.array([float(family.removeprefix("CdSe-")) for family in FAMILIES])
REFERENCE_DIAMETER = 3.6
UNIT_VOLUME = 0.0562
"""Volume of one CdSe unit in wurtzite, nm³."""

UNUSABLE = -1e6
"""ln p of a parameter set that cannot be integrated."""

RATIO_FLOOR = 0.02
"""Share of the full-conversion height in the denominator of the ratio, as the project defines
'accumulated'."""

OUTCOME_KEYS = (
    *(
        f"{family}_{ending}"
        for family in FAMILIES
        for ending in ("height", "height_sigma", "probability", "ratio", "ratio_sigma")
    ),
    *("nc_wavelength_nm", "nc_wavelength_nm_sigma", "nc_height", "nc_height_sigma"),
    *("full_conversion_height", "noise"),
)
"""Keys of the flat outcome record of one condition; heights and noise in absorbance."""

GAIN_PRIORS = (
    Prior(0.0, 0.4, "ln gain of the families: extrapolating Yu 2003 below its calibration"),
    Prior(0.0, 0.2, "ln gain of the nanocrystals: their band is broadened by size"),
)


def diameter_nm(wavelength: ArrayLike) -> NDArray[np.float64]:
    """Return the diameter (nm) for a first maximum (nm) by Yu 2003."""
    x = np.asarray(wavelength, dtype=np.float64)
    return 41.57 + x * (-0.4277 + x * (1.6242e-3 + x * (-2.6575e-6 + x * 1.6122e-9)))


_TABLE_WAVELENGTH = np.linspace(360.0, 690.0, 661)
_TABLE_DIAMETER = diameter_nm(_TABLE_WAVELENGTH)


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
        units = math.pi / 6 * REFERENCE_DIAMETER**3 / UNIT_VOLUME
        return 5857 * REFERENCE_DIAMETER**2.65 * cadmium_millimolar * 1e-3 / units * self.path_length_cm


@dataclass(frozen=True)
class Discrepancy:
    """How wrong the model may be in detail, in standard deviations beside those of the measurement.

    A plug-flow model with two moments for the nanocrystals cannot be right to the noise of the spectrometer.

    Parameters
    ----------
    relative_height : float
        Relative error of a predicted height.
    absolute_height : float
        Error of a predicted height as a share of the full-conversion height.
    wavelength_nm : float
        Error of the predicted nanocrystal maximum, nm.
    degrees : float
        Degrees of freedom of the Student t that judges residuals: a gross miss costs its logarithm only.
    """

    relative_height: float = 0.15
    absolute_height: float = 0.005
    wavelength_nm: float = 6.0
    degrees: float = 4.0


@dataclass(frozen=True)
class Observation:
    """The outcome of one condition, from the flat record the analysis makes.

    Heights are absorbances; the order of the families is that of ``FAMILIES``. ``nc_wavelength`` is NaN
    where no nanocrystals are seen.
    """

    heights: NDArray[np.float64]
    height_sigmas: NDArray[np.float64]
    probabilities: NDArray[np.float64]
    ratios: NDArray[np.float64]
    ratio_sigmas: NDArray[np.float64]
    nc_wavelength: float
    nc_wavelength_sigma: float
    nc_height: float
    nc_height_sigma: float
    full_height: float
    noise: float

    @classmethod
    def from_record(cls, record: Mapping[str, object]) -> "Observation":
        """Read a record with the keys of :data:`OUTCOME_KEYS`.

        Raises
        ------
        ValueError
            A key is missing or no number, or the full-conversion height is not above 0.
        """
        missing = [key for key in OUTCOME_KEYS if key not in record]
        if missing:
            raise ValueError(f"the point lacks the outcome {', '.join(missing)}")
        values: dict[str, float] = {}
        for key in OUTCOME_KEYS:
            try:
                values[key] = float(record[key])  # type: ignore[arg-type]
            except (TypeError, ValueError):
                raise ValueError(f"the outcome {key} must be a number, not {record[key]!r}") from None
        if not values["full_conversion_height"] > 0:
            raise ValueError(f"full_conversion_height must be above 0, not {values['full_conversion_height']:g}")

        def families(ending: str) -> NDArray[np.float64]:
            return np.array([values[f"{family}_{ending}"] for family in FAMILIES])

        return cls(
            families("height"), families("height_sigma"), families("probability"),
            families("ratio"), families("ratio_sigma"),
            values["nc_wavelength_nm"], values["nc_wavelength_nm_sigma"],
            values["nc_height"], values["nc_height_sigma"],
            values["full_conversion_height"], values["noise"],
        )  # fmt: skip


@dataclass(frozen=True)
class Predicted:
    """Predicted signals for every parameter set and condition, heights in units of the full-conversion
    height.

    Parameters
    ----------
    heights : array, shape (sets, conditions, families)
        Band heights.
    nc_height, nc_wavelength : array, shape (sets, conditions)
        Height and position (nm) of the nanocrystals' first maximum.
    """

    heights: NDArray[np.float64]
    nc_height: NDArray[np.float64]
    nc_wavelength: NDArray[np.float64]

    def ratio(self, family: str) -> NDArray[np.float64]:
        """Return the height of ``family`` over NC height + 465 nm height + 2 % of full conversion."""
        rest = self.nc_height + RATIO_FLOOR
        if family != "CdSe-465":
            rest = rest + self.heights[..., FAMILIES.index("CdSe-465")]
        return self.heights[..., FAMILIES.index(family)] / rest


def predict(
    mechanism: Mechanism,
    concentrations: NDArray[np.float64],
    log_gains: NDArray[np.float64],
    cadmium_millimolar: float,
) -> Predicted:
    """Return the signals of concentrations (sets, conditions, species) with ``log_gains`` (sets, 2)."""
    concentrations = np.maximum(concentrations, 0.0)
    gains = np.exp(log_gains)[:, None, :]
    where = [mechanism.index[family] for family in FAMILIES]
    fractions = concentrations[..., where] * mechanism.contents[where] / cadmium_millimolar
    shape = (diameter_nm(FAMILY_WAVELENGTHS) / REFERENCE_DIAMETER) ** -0.35
    units = concentrations[..., mechanism.index[NC_UNITS]]
    number = concentrations[..., mechanism.index[NC_NUMBER]]
    entry = mechanism.error_weights[mechanism.index[NC_NUMBER]]
    mean_units = np.clip(units / np.maximum(number, 1e-12), entry, 1e5)
    diameter = (6 / math.pi * UNIT_VOLUME * mean_units) ** (1 / 3)
    nc_height = gains[..., 1] * units / cadmium_millimolar * (diameter / REFERENCE_DIAMETER) ** -0.35
    return Predicted(gains[..., :1] * fractions * shape, nc_height, wavelength_nm(diameter))


def _student(residual: NDArray[np.float64], sigma: NDArray[np.float64], degrees: float) -> NDArray[np.float64]:
    return -np.log(sigma) - 0.5 * (degrees + 1) * np.log1p((residual / sigma) ** 2 / degrees)


def log_likelihood(
    predicted: Predicted, observed: Observation, column: int, errors: Discrepancy
) -> NDArray[np.float64]:
    """Return ln p(observed | set) for condition number ``column`` of ``predicted``, up to a constant.

    A height that was measured is judged by a Student t of the measurement's and the model's error together.
    A band without a height counts as 'less than five times the noise', a probit in the predicted height.
    """
    full = observed.full_height
    usable = np.isfinite(predicted.nc_height[:, column]) & np.isfinite(predicted.heights[:, column]).all(axis=-1)
    limit = 5 * (observed.noise / full if observed.noise > 0 else errors.absolute_height)

    def judge(model: NDArray[np.float64], height: float, sigma: float) -> NDArray[np.float64]:
        spread = np.sqrt(errors.absolute_height**2 + (errors.relative_height * model) ** 2)
        if math.isfinite(height):
            measured = sigma / full if math.isfinite(sigma) else limit / 5
            return _student(height / full - model, np.hypot(spread, measured), errors.degrees)
        return log_ndtr((limit - model) / spread)

    heights = np.where(usable[:, None], predicted.heights[:, column], 0.0)
    total = judge(np.where(usable, predicted.nc_height[:, column], 0.0), observed.nc_height, observed.nc_height_sigma)
    for number in range(len(FAMILIES)):
        total = total + judge(heights[:, number], observed.heights[number], observed.height_sigmas[number])
    if math.isfinite(observed.nc_wavelength):
        measured = observed.nc_wavelength_sigma if math.isfinite(observed.nc_wavelength_sigma) else 0.0
        sigma = np.full(len(total), math.hypot(errors.wavelength_nm, measured))
        total = total + _student(observed.nc_wavelength - predicted.nc_wavelength[:, column], sigma, errors.degrees)
    return np.where(usable & np.isfinite(total), total, UNUSABLE)
