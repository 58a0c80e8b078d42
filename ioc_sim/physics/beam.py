"""X-ray beam at the SAXS cell: ring current, shutter, monitors, photon energy and the cell's temperature.

ring current  I(t) = I₀ exp(-(t mod fill)/τ): top-up to I₀ every ``fill_every_h``; 0 while the beam is lost
flux          Φ₀ I/I₀ on the cell, 0 with its shutter or that of the front end closed
I0            monitor between shutter and cell, 10⁻⁶ counts a photon, with white noise of ``monitor_noise``
I1            diode in the beam stop behind the cell: the same of Φ × transmission
cell          dT/dt = (target - T)/lag; the target is its setpoint, or the growth oven's temperature with setpoint 0

Units: s, h, mA, keV, photons/s, counts/s, °C. Limits: flux, transmission and absorption are those of the scenario
at every photon energy; top-up is sudden; monitors are linear, without offset or dark current; noise does not depend
on the counting time. Values: scenario (an undulator beamline in top-up).
"""

import math

import numpy as np

from ioc_sim.physics.frame import Exposure
from ioc_sim.physics.scenario import XrayBeam

__all__ = ["CELL_C", "ENERGY_KEV", "Beam"]

ENERGY_KEV = (4.0, 30.0)
CELL_C = (0.0, 400.0)
_COUNTS_PER_PHOTON = 1e-6


class Beam:
    """Beam, its monitors and the cell's thermostat.

    Parameters
    ----------
    model : XrayBeam
        Constants.
    rng : numpy.random.Generator
        Of the monitors' noise.
    ambient_c : float
        Where the cell starts.

    Attributes
    ----------
    shutter_open : bool
        Whether the beam reaches the cell.
    front_end_open : bool
        Whether it reaches the beamline at all; not the beamline's to say.
    lost : bool
        The ring has no beam (fault).
    cell_temperature_c : float
        Of the cell now.
    """

    def __init__(self, model: XrayBeam, rng: np.random.Generator, ambient_c: float = 25.0) -> None:
        self._model = model
        self._rng = rng
        self.shutter_open = False
        self.front_end_open = True
        self.lost = False
        self.cell_temperature_c = ambient_c
        self._cell_setpoint_c = 0.0
        self._energy_kev = model.energy_kev

    @property
    def energy_kev(self) -> float:
        """Photon energy; ValueError outside of :data:`ENERGY_KEV`."""
        return self._energy_kev

    @energy_kev.setter
    def energy_kev(self, value: float) -> None:
        self._energy_kev = _within("photon energy", value, ENERGY_KEV, "keV")

    @property
    def cell_setpoint_c(self) -> float:
        """Setpoint of the cell, 0 to follow the growth oven; ValueError outside of :data:`CELL_C`."""
        return self._cell_setpoint_c

    @cell_setpoint_c.setter
    def cell_setpoint_c(self, value: float) -> None:
        self._cell_setpoint_c = _within("cell temperature", value, CELL_C, "°C")

    def ring_current_ma(self, clock_s: float) -> float:
        """Current of the storage ring."""
        if self.lost:
            return 0.0
        since_fill_h = (clock_s / 3600.0) % self._model.fill_every_h
        return self._model.ring_current_ma * math.exp(-since_fill_h / self._model.lifetime_h)

    def flux_ph_s(self, clock_s: float) -> float:
        """Photons a second on the cell."""
        if not (self.shutter_open and self.front_end_open):
            return 0.0
        return self._model.flux_ph_s * self.ring_current_ma(clock_s) / self._model.ring_current_ma

    def exposure(self, clock_s: float, exposure_s: float) -> Exposure:
        """Return what a frame needs to know of beam and filled cell."""
        return Exposure(
            flux_ph_s=self.flux_ph_s(clock_s),
            exposure_s=exposure_s,
            transmission=self._model.transmission,
            thickness_cm=self._model.cell_thickness_mm / 10.0,
            energy_kev=self._energy_kev,
        )

    def i0(self, clock_s: float) -> float:
        """Monitor before the cell, counts a second."""
        return self._monitor(self.flux_ph_s(clock_s))

    def i1(self, clock_s: float, transmission: float | None = None) -> float:
        """Beam-stop diode behind the cell, counts a second; without ``transmission`` that of the full cell."""
        share = self._model.transmission if transmission is None else transmission
        return self._monitor(self.flux_ph_s(clock_s) * share)

    def _monitor(self, photons_s: float) -> float:
        noise = self._model.monitor_noise * self._rng.standard_normal() if self._model.monitor_noise else 0.0
        return max(_COUNTS_PER_PHOTON * photons_s * (1.0 + noise), 0.0)

    def advance(self, step_s: float, growth_oven_c: float) -> None:
        """Let the cell's temperature go on by one step."""
        target_c = self._cell_setpoint_c or growth_oven_c
        share = -math.expm1(-step_s / self._model.cell_lag_s)
        self.cell_temperature_c += share * (target_c - self.cell_temperature_c)

    def state(self) -> dict[str, float | bool]:
        """Return what a restart takes up."""
        return {name: getattr(self, name) for name in _STATE}

    def restore(self, state: dict) -> None:
        """Take up a state; ValueError for a value that cannot be set."""
        for name in _STATE:
            setattr(self, name, type(getattr(self, name))(state[name]))


_STATE = ("shutter_open", "energy_kev", "cell_setpoint_c", "cell_temperature_c")


def _within(what: str, value: float, limits: tuple[float, float], unit: str) -> float:
    low, high = limits
    if not low <= value <= high:
        raise ValueError(f"{what}: {value:g} {unit} is not within {low:g} to {high:g} {unit}")
    return float(value)
