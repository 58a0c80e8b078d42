"""Scattering of the cadmium precursor: lamellae that melt, and a broad hump that stays.

lamellae   dΣ/dΩ = c_Cd f(T) Σ_n A_n / (1 + ((q - n q1)/w)²),   q1 = 2π/d,  n = 1, 2;  w: half width at half height
melting    f(T) = 1/(1 + exp((ΔH/R) (1/T_m - 1/T))): two states in equilibrium, ordered below T_m (van 't Hoff)
hump       dΣ/dΩ = c_Cd A / (1 + ((q² - q_m²) ξ/2k)²),   k² = q_m² + 1/ξ²

The hump is the form of Teubner and Strey (J. Chem. Phys. 1987, 87, 3195), 1/(a₂ + c₁q² + c₂q⁴), written with the
position q_m of its maximum and the correlation length ξ; the repeat distance there is 2π/k. Units: q in nm⁻¹, d
and ξ in nm, c in mol/L, A in cm⁻¹ per mol/L, T in °C (K in the formulas), ΔH in kJ/mol.

Source: Palencia 2020, Fig. 3: peaks at 1.84 and 3.69 nm⁻¹ at 25 °C, weaker at 50 °C, gone at 100 °C; more
scattering of the Cd precursor below 1 nm⁻¹, with a broad maximum at 0.2 to 0.3 nm⁻¹. No heights are reported.

Limits: both orders have one width (limited by domain size, not by disorder of the spacing); in equilibrium at
every temperature (no supercooling); the spacing does not change as the lamellae are heated or diluted; Lorentzian
tails reach to small q.
"""

import numpy as np
from numpy.typing import NDArray

from ioc_sim.physics.scenario import Mesophase

__all__ = ["Lamellae", "ordered_share", "teubner_strey"]

Array = NDArray[np.float64]
_R_KJ_MOL_K = 8.314462618e-3
_KELVIN = 273.15


def teubner_strey(q_inv_nm: Array, peak_inv_nm: float, correlation_nm: float) -> Array:
    """Teubner-Strey form, 1 at its maximum.

    Parameters
    ----------
    q_inv_nm : ndarray
        Any shape.
    peak_inv_nm : float
        Where the maximum is.
    correlation_nm : float
        Correlation length.
    """
    k2 = peak_inv_nm**2 + correlation_nm**-2
    return 1.0 / (1.0 + (q_inv_nm**2 - peak_inv_nm**2) ** 2 * correlation_nm**2 / (4.0 * k2))


def ordered_share(model: Mesophase, temperature_c: float) -> float:
    """Share of the lamellae that is ordered at ``temperature_c``, 0 to 1; one half at the melting point."""
    inverse = 1.0 / (model.melting_c + _KELVIN) - 1.0 / (temperature_c + _KELVIN)
    return float(0.5 * (1.0 - np.tanh(0.5 * model.melting_kj_mol / _R_KJ_MOL_K * inverse)))


class Lamellae:
    """Peaks and hump of the Cd precursor on a fixed grid.

    Parameters
    ----------
    model : Mesophase
        Constants.
    q_inv_nm : ndarray
        Grid, shape (points,).
    """

    def __init__(self, model: Mesophase, q_inv_nm: Array) -> None:
        self._model = model
        first = 2.0 * np.pi / model.spacing_nm
        self._peaks = np.zeros_like(q_inv_nm)
        for order, height in ((1, model.first_order_cm_l_mol), (2, model.second_order_cm_l_mol)):
            self._peaks += height / (1.0 + ((q_inv_nm - order * first) / model.width_inv_nm) ** 2)
        self._hump = model.hump_cm_l_mol * teubner_strey(q_inv_nm, model.hump_inv_nm, model.hump_correlation_nm)

    def peaks_cm(self, cd_precursor_mol_l: float, cell_temperature_c: float) -> Array:
        """Bragg peaks, cm⁻¹, shape (points,)."""
        return cd_precursor_mol_l * ordered_share(self._model, cell_temperature_c) * self._peaks

    def hump_cm(self, cd_precursor_mol_l: float) -> Array:
        """Broad hump, cm⁻¹, shape (points,)."""
        return cd_precursor_mol_l * self._hump
