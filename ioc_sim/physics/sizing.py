"""Sizing curve and molar extinction of a material's nanocrystals; built in are those of CdSe (`CDSE`).

D = Σ aₖ λᵏ (D, λ in nm), ε = c D^e (L mol⁻¹ cm⁻¹ at the first maximum)

CdSe (Yu et al., Chem. Mater. 2003, 15, 2854):

D = 1.6122e-9 λ⁴ - 2.6575e-6 λ³ + 1.6242e-3 λ² - 0.4277 λ + 41.57
ε = 5857 D^2.65

Limits: fitted to nanocrystals of about 1.5 to 8 nm; below 400 nm and for clusters it is an extrapolation. The
polynomial rises monotonically from 330 to 680 nm, which is where the inverse is taken.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["CDSE", "Sizing", "sphere_diameter_nm"]

Array = NDArray[np.float64]
_STEP_NM = 0.1


@dataclass(frozen=True)
class Sizing:
    """Diameter and extinction of particles of one material by their first maximum.

    Attributes
    ----------
    polynomial : tuple of float
        Coefficients of the diameter, nm, in the maximum, nm; highest power first.
    range_nm : (float, float)
        Maxima between which the inverse is taken; the polynomial rises there.
    extinction_l_mol_cm : float
        Extinction per mole of particles of 1 nm.
    extinction_exponent : float
        Power of the diameter by which it grows.
    """

    polynomial: tuple[float, ...]
    range_nm: tuple[float, float]
    extinction_l_mol_cm: float
    extinction_exponent: float

    def diameter_nm(self, wavelength_nm: ArrayLike) -> Array:
        """Return the diameter of a particle whose first maximum is at ``wavelength_nm``."""
        return np.asarray(np.polyval(self.polynomial, np.asarray(wavelength_nm, float)), np.float64)

    def first_maximum_nm(self, diameter: ArrayLike) -> Array:
        """Return the first maximum of a particle of that diameter in nm; clipped to ``range_nm``."""
        maxima, diameters = self._inverse
        return np.interp(np.asarray(diameter, float), diameters, maxima)

    def extinction(self, diameter: ArrayLike) -> Array:
        """Return the extinction per mole of particles at the first maximum, L mol⁻¹ cm⁻¹."""
        return self.extinction_l_mol_cm * np.asarray(diameter, float) ** self.extinction_exponent

    @cached_property
    def _inverse(self) -> tuple[Array, Array]:
        low, high = self.range_nm
        maxima = np.linspace(low, high, round((high - low) / _STEP_NM) + 1)
        return maxima, self.diameter_nm(maxima)


CDSE = Sizing((1.6122e-9, -2.6575e-6, 1.6242e-3, -0.4277, 41.57), (330.0, 680.0), 5857.0, 2.65)


def sphere_diameter_nm(units: ArrayLike, unit_volume_nm3: float) -> Array:
    """Return the diameter of a sphere that holds ``units`` formula units."""
    return np.cbrt(6.0 * np.asarray(units, float) * unit_volume_nm3 / np.pi)
