"""From absorption maximum to diameter, extinction and number of CdSe units.

Sizing curve and extinction are those of Yu, Qu, Guo and Peng, *Chem. Mater.* 2003, 15, 2854, with λ and D in nm:

``D = 1.6122e-9 λ⁴ − 2.6575e-6 λ³ + 1.6242e-3 λ² − 0.4277 λ + 41.57``

``ε = 5857 D^2.65`` L mol⁻¹ cm⁻¹ at the first absorption maximum

Both were measured on nanocrystals; for magic-size clusters they are an extrapolation, and the paper's own 1.39 nm
for 382 nm lies outside what was checked. Reference values: 403, 437 and 465 nm give 1.58, 1.85 and 2.06 nm.
"""

import math
from typing import Final

__all__ = [
    "UNIT_VOLUME_NM3",
    "YU_RANGE_NM",
    "YU_SOURCE",
    "aggregation_number",
    "extinction_l_mol_cm",
    "full_conversion_height",
    "yu_diameter_nm",
    "yu_dispersion",
    "yu_range_nm",
]

YU_RANGE_NM: Final = (400.0, 680.0)
"""Maxima, nm, between which the curve was checked: 400 nm (about 1.5 nm) to 680 nm (about 8 nm)."""

yu_range_nm: Final = YU_RANGE_NM
"""The same, under the name that reads well beside `yu_diameter_nm`."""

YU_SOURCE: Final = "Yu et al., Chem. Mater. 2003, 15, 2854"

UNIT_VOLUME_NM3: Final = 0.0562
"""Volume of one CdSe unit in wurtzite, nm³."""

_CURVE: Final = (1.6122e-9, -2.6575e-6, 1.6242e-3, -0.4277, 41.57)
_SINGLE_EV: Final = 0.06
_MEANINGFUL_NM: Final = (300.0, 760.0)


def yu_diameter_nm(wavelength_nm: float) -> float:
    """Diameter of CdSe particles from their first absorption maximum (Yu 2003).

    Parameters
    ----------
    wavelength_nm : float
        First absorption maximum, nm.

    Returns
    -------
    float
        Diameter, nm. Outside `YU_RANGE_NM` it is an extrapolation: the caller says so.

    Raises
    ------
    ValueError
        The wavelength is not a number between 300 and 760 nm, where the polynomial means nothing.
    """
    wavelength = float(wavelength_nm)
    low, high = _MEANINGFUL_NM
    if not low <= wavelength <= high:
        raise ValueError(
            f"wavelength_nm must lie between {low:g} and {high:g} nm for the sizing curve, not {wavelength:g}"
        )
    diameter = 0.0
    for coefficient in _CURVE:
        diameter = diameter * wavelength + coefficient
    return diameter


def yu_slope_nm_per_nm(wavelength_nm: float) -> float:
    """Derivative of the sizing curve, nm of diameter per nm of wavelength, by which σ is carried over."""
    a, b, c, d, _ = _CURVE
    wavelength = float(wavelength_nm)
    return ((4 * a * wavelength + 3 * b) * wavelength + 2 * c) * wavelength + d


def yu_dispersion(wavelength_nm: float, fwhm_nm: float, fwhm_sigma_nm: float) -> tuple[float, float]:
    """Relative standard deviation of the diameter, and its σ, from the width of the first absorption band.

    ``σ_D / D = |dD/dλ| √(FWHM² − FWHM₁²) / (2.355 D)``, with the width of a single nanocrystal's transition
    ``FWHM₁ = λ² · 0.06 eV / 1239.84`` (Cui et al., *Nature Chem.* 2013, 5, 602: 50 to 70 meV at room temperature).
    """
    diameter, slope = yu_diameter_nm(wavelength_nm), abs(yu_slope_nm_per_nm(wavelength_nm))
    single_nm = wavelength_nm**2 * _SINGLE_EV / 1239.841984
    spread_nm = math.sqrt(max(fwhm_nm**2 - single_nm**2, 0.0))
    sigma_nm = min(fwhm_sigma_nm * fwhm_nm / max(spread_nm, fwhm_sigma_nm, 1e-9), fwhm_nm)
    per_nm = slope / (2.3548 * diameter)
    return per_nm * spread_nm, per_nm * sigma_nm


def extinction_l_mol_cm(diameter_nm: float) -> float:
    """Molar extinction of particles at their first absorption maximum, L mol⁻¹ cm⁻¹ (Yu 2003).

    Raises
    ------
    ValueError
        The diameter is not positive and finite.
    """
    return 5857.0 * _positive("diameter_nm", diameter_nm) ** 2.65


def aggregation_number(diameter_nm: float) -> float:
    """CdSe units in a sphere: its volume over `UNIT_VOLUME_NM3`.

    Raises
    ------
    ValueError
        The diameter is not positive and finite.
    """
    return math.pi / 6.0 * _positive("diameter_nm", diameter_nm) ** 3 / UNIT_VOLUME_NM3


def full_conversion_height(cd_concentration_mol_l: float, path_length_cm: float, diameter_nm: float = 3.6) -> float:
    """Absorbance of the first maximum if all cadmium were in nanocrystals of one diameter.

    ``ε(D) · [Cd] / N(D) · path``. As ε ∝ D^2.65 and N ∝ D³ the choice of diameter matters little.

    Parameters
    ----------
    cd_concentration_mol_l : float
        Cadmium in the stream, all forms together, mol/L.
    path_length_cm : float
        Optical path, cm.
    diameter_nm : float
        Diameter of the nanocrystals at full conversion, nm.

    Raises
    ------
    ValueError
        An argument is not positive and finite.
    """
    cadmium = _positive("cd_concentration_mol_l", cd_concentration_mol_l)
    path = _positive("path_length_cm", path_length_cm)
    return extinction_l_mol_cm(diameter_nm) * cadmium / aggregation_number(diameter_nm) * path


def _positive(name: str, value: float) -> float:
    number = float(value)
    if not (math.isfinite(number) and number > 0):
        raise ValueError(f"{name} must be positive and finite, not {number!r}")
    return number
