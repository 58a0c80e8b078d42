"""What the families are made of: from absorption maximum to diameter, extinction and number of formula units.

Sizing curve and extinction of a material are fits to its nanocrystals: for magic-size clusters they are an
extrapolation. The numbers of CdSe and their sources are in ``cdse.toml``; CdSe's 403, 437 and 465 nm give 1.58, 1.85
and 2.06 nm. What a table doesn't give is not known: it is NaN or None, never another material's.
"""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["FULL_CONVERSION_NM", "Extinction", "Material", "SizingCurve", "finite_number"]

FULL_CONVERSION_NM: Final = 3.6
"""Diameter of the nanocrystals at full conversion; as extinction and volume go with nearly the same power of it, the
choice matters little."""

_SINGLE_EV: Final = 0.06
_STEP_NM: Final = 0.5
_BEYOND_NM: Final = (40.0, 10.0)
"""How far, nm, the curve is followed below and above where it was checked when a maximum is asked for by diameter."""


@dataclass(frozen=True, kw_only=True)
class SizingCurve:
    """Diameter of nanocrystals as a polynomial of their first absorption maximum, both in nm.

    Parameters
    ----------
    polynomial : tuple of float
        Coefficients, highest power first.
    range_nm : (float, float)
        Maxima between which the polynomial means anything; it must rise there.
    checked_nm : (float, float)
        Maxima between which it was measured; elsewhere it is an extrapolation.
    source : str
        Where it comes from.

    Raises
    ------
    ValueError
        A number is not finite, a range is in the wrong order, the polynomial falls, or the source is empty.
    """

    polynomial: tuple[float, ...]
    range_nm: tuple[float, float]
    checked_nm: tuple[float, float]
    source: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "polynomial", _numbers("sizing.polynomial", self.polynomial))
        for field in ("range_nm", "checked_nm"):
            object.__setattr__(self, field, ascending(f"sizing.{field}", getattr(self, field)))
        if not self.range_nm[0] <= self.checked_nm[0] < self.checked_nm[1] <= self.range_nm[1]:
            raise ValueError(f"sizing.checked_nm {self.checked_nm} must lie within range_nm {self.range_nm}")
        diameter = np.polyval(self.polynomial, np.linspace(*self.range_nm, 200))
        if not (diameter[0] > 0 and (np.diff(diameter) > 0).all()):
            raise ValueError(
                f"sizing.polynomial must be positive and rise from {self.range_nm[0]:g} to {self.range_nm[1]:g} nm"
            )
        _check_source("sizing", self.source)

    def diameter_nm(self, wavelength_nm: float) -> float:
        """Return the diameter, nm, of particles with this first absorption maximum, nm.

        Raises
        ------
        ValueError
            The wavelength is outside `range_nm`.
        """
        wavelength = float(wavelength_nm)
        low, high = self.range_nm
        if not low <= wavelength <= high:
            raise ValueError(
                f"wavelength_nm must lie between {low:g} and {high:g} nm for the sizing curve, not {wavelength:g}"
            )
        diameter = 0.0
        for coefficient in self.polynomial:
            diameter = diameter * wavelength + coefficient
        return diameter

    def slope(self, wavelength_nm: float) -> float:
        """Return the curve's derivative, nm of diameter per nm of wavelength, by which σ is carried over."""
        return float(np.polyval(np.polyder(np.array(self.polynomial)), float(wavelength_nm)))

    def is_checked(self, wavelength_nm: float) -> bool:
        """Return whether the curve was measured at this maximum."""
        return self.checked_nm[0] <= wavelength_nm <= self.checked_nm[1]

    def dispersion(self, wavelength_nm: float, fwhm_nm: float, fwhm_sigma_nm: float) -> tuple[float, float]:
        """Return the relative standard deviation of the diameter, and its σ, from the first absorption band's width.

        ``σ_D / D = |dD/dλ| √(FWHM² − FWHM₁²) / (2.355 D)``, with the width of a single nanocrystal's transition
        ``FWHM₁ = λ² · 0.06 eV / 1239.84`` (Cui et al., *Nature Chem.* 2013, 5, 602: 50 to 70 meV at room temperature).
        """
        diameter, slope = self.diameter_nm(wavelength_nm), abs(self.slope(wavelength_nm))
        single_nm = wavelength_nm**2 * _SINGLE_EV / 1239.841984
        spread_nm = math.sqrt(max(fwhm_nm**2 - single_nm**2, 0.0))
        sigma_nm = min(fwhm_sigma_nm * fwhm_nm / max(spread_nm, fwhm_sigma_nm, 1e-9), fwhm_nm)
        per_nm = slope / (2.3548 * diameter)
        return per_nm * spread_nm, per_nm * sigma_nm

    @cached_property
    def inverse(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Maxima every half nm, and the diameters there; both rise, shape (maxima,)."""
        low = max(self.checked_nm[0] - _BEYOND_NM[0], self.range_nm[0])
        high = min(self.checked_nm[1] + _BEYOND_NM[1], self.range_nm[1])
        wavelength = np.linspace(low, high, round((high - low) / _STEP_NM) + 1)
        return wavelength, np.asarray(np.polyval(np.array(self.polynomial), wavelength), dtype=np.float64)

    def maximum_nm(self, diameter_nm: ArrayLike) -> NDArray[np.float64]:
        """Return the first maximum, nm, of particles of a diameter, nm, of any shape; held at the ends of `inverse`."""
        wavelength, diameter = self.inverse
        return np.interp(np.asarray(diameter_nm, dtype=np.float64), diameter, wavelength)


@dataclass(frozen=True, kw_only=True)
class Extinction:
    """Molar extinction of particles at their first maximum, ``coefficient · D^exponent``, D in nm.

    Parameters
    ----------
    coefficient : float
        L mol⁻¹ cm⁻¹ at 1 nm.
    exponent : float
        Power of the diameter.
    source : str
        Where it comes from.

    Raises
    ------
    ValueError
        A number is not positive and finite, or the source is empty.
    """

    coefficient: float
    exponent: float
    source: str

    def __post_init__(self) -> None:
        for field in ("coefficient", "exponent"):
            object.__setattr__(self, field, finite_number(f"extinction.{field}", getattr(self, field), above=0.0))
        _check_source("extinction", self.source)

    def l_mol_cm(self, diameter_nm: float) -> float:
        """Return the extinction of particles of a diameter, nm.

        Raises
        ------
        ValueError
            The diameter is not positive and finite.
        """
        return self.coefficient * _positive("diameter_nm", diameter_nm) ** self.exponent


@dataclass(frozen=True, kw_only=True)
class Material:
    """What families and nanocrystals are made of; what is left out is not known.

    Parameters
    ----------
    formula : str
        Of the unit that sizes are counted in, such as ``"CdSe"``.
    unit_volume_nm3 : float, optional
        Volume of one formula unit.
    contrast_inv_cm2 : float, optional
        Scattering length density less that of the solvent, cm⁻².
    nanocrystals_from_nm : float, optional
        Shortest first maximum of regular nanocrystals that is looked for.
    sizing : SizingCurve, optional
        From first maximum to diameter.
    extinction : Extinction, optional
        From diameter to molar extinction.

    Raises
    ------
    ValueError
        A number that is given is not finite and of the right sign.
    """

    formula: str = ""
    unit_volume_nm3: float = math.nan
    contrast_inv_cm2: float = math.nan
    nanocrystals_from_nm: float = math.nan
    sizing: SizingCurve | None = None
    extinction: Extinction | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.formula, str):
            raise ValueError(f"material.formula must be text such as 'CdSe', not {self.formula!r}")
        for field in ("unit_volume_nm3", "contrast_inv_cm2", "nanocrystals_from_nm"):
            value = getattr(self, field)
            if value == value:
                least = None if field == "contrast_inv_cm2" else 0.0
                value = finite_number(f"material.{field}", value, above=least)
                object.__setattr__(self, field, value)
                if value == 0:
                    raise ValueError(f"material.{field} must not be 0")

    @property
    def unit(self) -> str:
        """What sizes are counted in, in words."""
        return f"{self.formula} units".strip()

    def known_sizing(self, purpose: str) -> SizingCurve:
        """Return the sizing curve; `purpose` says in the error what it is needed for.

        Raises
        ------
        ValueError
            The table gives none.
        """
        if self.sizing is None:
            raise ValueError(f"the family table has no [material.sizing], which {purpose} needs")
        return self.sizing

    def known_extinction(self, purpose: str) -> Extinction:
        """Return the extinction; `purpose` says in the error what it is needed for.

        Raises
        ------
        ValueError
            The table gives none.
        """
        if self.extinction is None:
            raise ValueError(f"the family table has no [material.extinction], which {purpose} needs")
        return self.extinction

    def aggregation_number(self, diameter_nm: float) -> float:
        """Return the formula units in a sphere of a diameter, nm; NaN where the volume of one is not known.

        Raises
        ------
        ValueError
            The diameter is not positive and finite.
        """
        return math.pi / 6.0 * _positive("diameter_nm", diameter_nm) ** 3 / self.unit_volume_nm3

    def full_conversion_height(
        self, concentration_mol_l: float, path_length_cm: float, diameter_nm: float = FULL_CONVERSION_NM
    ) -> float:
        """Return the absorbance of the first maximum if all that was fed were in nanocrystals of one diameter.

        ``ε(D) · c / N(D) · path``.

        Parameters
        ----------
        concentration_mol_l : float
            Formula units in the stream, all forms together, mol/L.
        path_length_cm : float
            Optical path, cm.
        diameter_nm : float
            Diameter of the nanocrystals at full conversion, nm.

        Raises
        ------
        ValueError
            An argument is not positive and finite, or the table gives no extinction or no unit volume.
        """
        concentration = _positive("concentration_mol_l", concentration_mol_l)
        path = _positive("path_length_cm", path_length_cm)
        extinction = self.known_extinction("the height at full conversion").l_mol_cm(diameter_nm)
        units = self.aggregation_number(diameter_nm)
        if units != units:
            raise ValueError(
                "the family table has no material.unit_volume_nm3, which the height at full conversion needs"
            )
        return extinction * concentration / units * path


def _positive(name: str, value: float) -> float:
    number = float(value)
    if not (math.isfinite(number) and number > 0):
        raise ValueError(f"{name} must be positive and finite, not {number!r}")
    return number


def finite_number(name: str, value: object, *, above: float | None = None) -> float:
    """Return a value as float.

    Raises
    ------
    ValueError
        It is not a finite number, or not above `above`; the message names it.
    """
    try:
        number = math.nan if isinstance(value, bool) or not isinstance(value, (int, float, np.number)) else float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number) or (above is not None and number <= above):
        raise ValueError(f"{name} must be {'a finite' if above is None else 'a positive'} number, not {value!r}")
    return number


def ascending(name: str, value: object) -> tuple[float, float]:
    """Return two numbers, the smaller first.

    Raises
    ------
    ValueError
        There are not two positive numbers in this order.
    """
    numbers = _numbers(name, value)
    if len(numbers) != 2 or not 0 < numbers[0] < numbers[1]:
        raise ValueError(f"{name} must be two positive numbers, the smaller first, not {value!r}")
    return numbers[0], numbers[1]


def _numbers(name: str, value: object) -> tuple[float, ...]:
    if not isinstance(value, (list, tuple)) or not value:
        raise ValueError(f"{name} must be a list of numbers, not {value!r}")
    return tuple(finite_number(name, one) for one in value)


def _check_source(name: str, source: object) -> None:
    if not isinstance(source, str) or not source.strip():
        raise ValueError(f"{name} needs a source: say where it comes from")
