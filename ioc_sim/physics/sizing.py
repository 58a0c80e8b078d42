"""Sizing curve and molar extinction of CdSe (Yu et al., Chem. Mater. 2003, 15, 2854).

D = 1.6122e-9 λ⁴ - 2.6575e-6 λ³ + 1.6242e-3 λ² - 0.4277 λ + 41.57    (D, λ in nm)
ε = 5857 D^2.65                                                       (L mol⁻¹ cm⁻¹ at the first maximum)

Limits: fitted to nanocrystals of about 1.5 to 8 nm; below 400 nm and for clusters it is an extrapolation. The
polynomial rises monotonically from 330 to 680 nm, which is where the inverse is taken.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["diameter_nm", "extinction_l_mol_cm", "first_maximum_nm", "sphere_diameter_nm"]

_YU = (1.6122e-9, -2.6575e-6, 1.6242e-3, -0.4277, 41.57)
_GRID_NM = np.linspace(330.0, 680.0, 3501)
_GRID_D = np.polyval(_YU, _GRID_NM)


def diameter_nm(wavelength_nm: ArrayLike) -> NDArray[np.float64]:
    """Diameter of a particle whose first maximum is at ``wavelength_nm``."""
    return np.asarray(np.polyval(_YU, np.asarray(wavelength_nm, float)), np.float64)


def first_maximum_nm(diameter: ArrayLike) -> NDArray[np.float64]:
    """First maximum of a particle of that diameter in nm; clipped to 330-680 nm."""
    return np.interp(np.asarray(diameter, float), _GRID_D, _GRID_NM)


def extinction_l_mol_cm(diameter: ArrayLike) -> NDArray[np.float64]:
    """Extinction per mole of particles at the first maximum."""
    return 5857.0 * np.asarray(diameter, float) ** 2.65


def sphere_diameter_nm(units: ArrayLike, unit_volume_nm3: float) -> NDArray[np.float64]:
    """Diameter of a sphere that holds ``units`` CdSe units."""
    return np.cbrt(6.0 * np.asarray(units, float) * unit_volume_nm3 / np.pi)
