"""An oven: heated block, thermometer and PID controller with a ramped working setpoint.

block        C dT/dt = P u - h (T - T_ambient) - Q ρ c_p (T - T_in)          u: output, 0..1
thermometer  T_s follows T with a first-order lag; the reading adds white noise
controller   output % = 100/PB [e + ∫e dt/Ti - Td dT_s/dt],  e = working setpoint - T_s

The working setpoint goes from where the oven is to the setpoint at the ramp rate, and follows the oven while
the controller is in manual or the heater is off. The integral stands still while the output is at a limit.
Cooling is passive. Units: °C, s, W, J/K; ramp rate °C/min; PB in °C (as on a Eurotherm with PB in
engineering units).

Limits: one temperature for the whole block; the controller acts on the lagged, noise-free reading. Values:
scenario (a block of 0.3-0.4 kg of aluminium with a 300 W cartridge).
"""

import math

import numpy as np

from ioc_sim.physics.scenario import OvenParameters

__all__ = ["SimulatedOven"]


class SimulatedOven:
    """One oven and its controller.

    Parameters
    ----------
    model : OvenParameters
        Constants.
    ambient_c : float
        Where it starts and what it loses heat to.
    rng : numpy.random.Generator
        Of the thermometer's noise.
    """

    def __init__(self, model: OvenParameters, ambient_c: float, rng: np.random.Generator) -> None:
        self._model = model
        self._ambient_c = ambient_c
        self._rng = rng
        self._integral = 0.0
        self.setpoint_c = ambient_c
        self.working_setpoint_c = ambient_c
        self.ramp_rate_c_min = model.ramp_rate_c_min
        self.temperature_c = ambient_c
        self._sensor_c = ambient_c
        self.reading_c = ambient_c
        self.output_percent = 0.0
        self.manual = False
        self.proportional = model.proportional_band_c
        self.integral = model.integral_s
        self.derivative = model.derivative_s
        self.output_high = 100.0
        self.output_low = 0.0
        self.heater_enabled = True
        self.sensor_broken = False
        self.stuck_on = False

    def advance(self, step_s: float, flow_w_c: float = 0.0, inlet_c: float = 25.0) -> None:
        """Go on by one step; the stream takes ``flow_w_c`` watts per °C above its inlet temperature."""
        model = self._model
        before_c = self._sensor_c
        if self.sensor_broken:
            # what a controller does at sensor break: no output
            self.output_percent, self._integral = 0.0, 0.0
        if self.manual or self.sensor_broken or not self.heater_enabled:
            self.working_setpoint_c, self._integral = self._sensor_c, 0.0
        else:
            self._ramp(step_s)
        if not self.heater_enabled:
            self.output_percent = 0.0
        stuck = self.stuck_on and self.heater_enabled
        power_w = model.heater_w * (1.0 if stuck else self.output_percent / 100.0)
        loss_w = model.loss_w_c * (self.temperature_c - self._ambient_c)
        loss_w += flow_w_c * (self.temperature_c - inlet_c)
        self.temperature_c += (power_w - loss_w) * step_s / model.heat_capacity_j_c
        share = -math.expm1(-step_s / model.sensor_lag_s) if model.sensor_lag_s > 0 else 1.0
        self._sensor_c += share * (self.temperature_c - self._sensor_c)
        noise_c = model.noise_c * self._rng.standard_normal() if model.noise_c else 0.0
        self.reading_c = math.nan if self.sensor_broken else self._sensor_c + noise_c
        if not (self.manual or self.sensor_broken) and self.heater_enabled:
            self._control(step_s, (self._sensor_c - before_c) / step_s)

    def _ramp(self, step_s: float) -> None:
        gap_c = self.setpoint_c - self.working_setpoint_c
        most_c = self.ramp_rate_c_min * step_s / 60.0 if self.ramp_rate_c_min > 0 else abs(gap_c)
        self.working_setpoint_c += math.copysign(min(abs(gap_c), most_c), gap_c)

    def _control(self, step_s: float, slope_c_s: float) -> None:
        gain = 100.0 / max(self.proportional, 1e-3)
        error_c = self.working_setpoint_c - self._sensor_c
        integral = self._integral + (error_c * step_s / self.integral if self.integral > 0 else 0.0)
        wanted = gain * (error_c + integral - self.derivative * slope_c_s)
        self.output_percent = min(max(wanted, self.output_low), self.output_high)
        # stands still at a limit, unless it leads away from it
        if wanted == self.output_percent or (wanted - self.output_percent) * error_c < 0:
            self._integral = integral

    def state(self) -> dict[str, float | bool]:
        """Return what a restart takes up."""
        return {name: getattr(self, name) for name in _STATE}

    def restore(self, state: dict) -> None:
        """Take up a state; the working setpoint starts at the oven's temperature."""
        for name in _STATE:
            setattr(self, name, type(getattr(self, name))(state[name]))
        self._sensor_c = self.reading_c = self.working_setpoint_c = self.temperature_c
        self._integral = 0.0


_STATE = (
    "temperature_c", "setpoint_c", "ramp_rate_c_min", "output_percent", "manual", "proportional", "integral",
    "derivative", "output_high", "output_low", "heater_enabled",
)  # fmt: skip
