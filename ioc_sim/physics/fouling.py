"""Deposit in the reactor: it grows with the mixture that has passed, and does three things.

    level      d = 1 - exp(-V/V_full)                       V: mixture that has passed, with what passed before
    volume     chamber and coil hold (1 - s d) of what they held clean
    pressure   Hagen-Poiseuille at equal length: ΔP ∝ d_bore⁻⁴ = (1 - s d)⁻²
    window     A(λ) = A₄₀₀ d (400 nm/λ)^m on the optical cell

Limits: the deposit never comes off; where it sits does not depend on temperature.
"""

import numpy as np
from numpy.typing import NDArray

from ioc_sim.physics.scenario import Fouling, Plumbing

__all__ = ["Deposit"]


class Deposit:
    """A reactor's deposit; a scenario without fouling has none.

    Parameters
    ----------
    model : Fouling or None
        Constants.

    Attributes
    ----------
    passed_ml : float
        Mixture that has passed so far.
    """

    def __init__(self, model: Fouling | None) -> None:
        self._model = model
        self.passed_ml = model.start_ml if model else 0.0

    @property
    def level(self) -> float:
        """0 clean, 1 full; in steps of a thousandth."""
        if self._model is None:
            return 0.0
        return round(-float(np.expm1(-self.passed_ml / self._model.full_ml)), 3)

    @property
    def open_share(self) -> float:
        """Share of chamber and coil that is free."""
        return 1.0 - self._model.volume_share * self.level if self._model else 1.0

    @property
    def resistance(self) -> float:
        """Factor on the flow resistance."""
        return self.open_share**-2

    def narrowed(self, plumbing: Plumbing) -> Plumbing:
        """Plumbing with what is left of its volumes."""
        if self._model is None:
            return plumbing
        share = self.open_share
        return plumbing.model_copy(
            update={"chamber_ul": share * plumbing.chamber_ul, "coil_ul": share * plumbing.coil_ul}
        )

    def film(self, wavelength_nm: NDArray[np.float64]) -> NDArray[np.float64]:
        """Absorbance of the deposit on the optical cell's windows."""
        if self._model is None:
            return np.zeros_like(wavelength_nm)
        return self._model.film_absorbance_400 * self.level * (400.0 / wavelength_nm) ** self._model.film_exponent
