"""A syringe pump with a finite syringe.

The rate follows its target with a first-order lag (95 % in ``ramp_s``) and carries a pulsation of relative
amplitude a, sin(2π V/V_pulse) in the volume V moved (one turn of the screw). Units: µL, µL/min, s.

Limits: withdrawing does not disturb the reactor (check valve); the diameter is a label, as volumes are
commanded directly; an empty (or, withdrawing, full) syringe stops the pump, status Idle.
"""

import math

from ioc_sim.physics.scenario import PumpParameters

__all__ = ["SimulatedPump"]


class SimulatedPump:
    """One pump.

    Parameters
    ----------
    model : PumpParameters
        Constants.
    phase : float
        Of the pulsation, rad.

    Attributes
    ----------
    rate_ul_min : float
        What it moves now; negative while withdrawing.
    target_volume_ul : float
        Infused (or withdrawn) volume at which it stops; 0 = none.
    """

    def __init__(self, model: PumpParameters, phase: float = 0.0) -> None:
        self._model = model
        self._phase = phase
        self._smooth_ul_min = 0.0
        self._moved_ul = 0.0
        self.target_rate_ul_min = 0.0
        self.withdraw_rate_ul_min = 0.0
        self.target_volume_ul = 0.0
        self.diameter_mm = model.diameter_mm
        self.capacity_ul = model.capacity_ul
        self.content_ul = model.capacity_ul
        self.infused_ul = 0.0
        self.withdrawn_ul = 0.0
        self.rate_ul_min = 0.0
        self.status = "Idle"
        self.stalled = False

    def infuse(self) -> None:
        """Start infusing at the target rate."""
        self.status = "Infusing"

    def withdraw(self) -> None:
        """Start withdrawing at the withdrawal rate."""
        self.status = "Withdrawing"

    def stop(self) -> None:
        """Stop."""
        self.status = "Idle"

    def clear_infused(self) -> None:
        """Set the infused volume to 0."""
        self.infused_ul = 0.0

    def clear_withdrawn(self) -> None:
        """Set the withdrawn volume to 0."""
        self.withdrawn_ul = 0.0

    def advance(self, step_s: float) -> float:
        """Go on by one step and return the volume infused in it, µL."""
        goal = {"Infusing": self.target_rate_ul_min, "Withdrawing": -self.withdraw_rate_ul_min}
        wanted = 0.0 if self.stalled else goal.get(self.status, 0.0)
        if wanted == 0.0 and abs(self._smooth_ul_min) < 1e-3:
            self._smooth_ul_min = self.rate_ul_min = 0.0
            return 0.0
        lag_s = self._model.ramp_s / 3.0
        decay = math.exp(-step_s / lag_s) if lag_s > 0 else 0.0
        moved_s = lag_s * (1.0 - decay)
        volume_ul = (wanted * (step_s - moved_s) + self._smooth_ul_min * moved_s) / 60.0
        self._smooth_ul_min = wanted + (self._smooth_ul_min - wanted) * decay
        turn = 2 * math.pi * self._moved_ul / self._model.pulse_volume_ul + self._phase
        volume_ul = self._limited(volume_ul * (1.0 + self._model.pulsation * math.sin(turn)))
        self._moved_ul += abs(volume_ul)
        self.rate_ul_min = volume_ul * 60.0 / step_s
        self.content_ul -= volume_ul
        self.infused_ul += max(volume_ul, 0.0)
        self.withdrawn_ul += max(-volume_ul, 0.0)
        return max(volume_ul, 0.0)

    def _limited(self, volume_ul: float) -> float:
        """Cut a step's volume at the target and at the ends of the syringe; stop there."""
        done_ul = self.infused_ul if volume_ul > 0 else self.withdrawn_ul
        left_ul = self.content_ul if volume_ul > 0 else self.capacity_ul - self.content_ul
        reached = "Idle"
        if self.target_volume_ul > 0 and self.status != "Idle":
            to_target_ul = max(self.target_volume_ul - done_ul, 0.0)
            if to_target_ul <= left_ul:
                left_ul, reached = to_target_ul, "Target Reached"
        if abs(volume_ul) < left_ul:
            return volume_ul
        self.status = reached
        self._smooth_ul_min = 0.0
        return math.copysign(left_ul, volume_ul)

    def state(self) -> dict[str, float | str]:
        """Return what a restart takes up; a restarted pump stands still."""
        return {name: getattr(self, name) for name in _STATE}

    def restore(self, state: dict) -> None:
        """Take up a state."""
        for name in _STATE:
            setattr(self, name, float(state[name]))
        self.stop()


_STATE = (
    "target_rate_ul_min", "withdraw_rate_ul_min", "target_volume_ul", "diameter_mm",
    "content_ul", "infused_ul", "withdrawn_ul",
)  # fmt: skip
