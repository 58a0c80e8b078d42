"""An oven behind a Eurotherm controller."""

from collections.abc import Mapping
from typing import Any

from ophyd import Component as Cpt
from ophyd import Device, EpicsSignalRO, Kind
from ophyd.utils import LimitError

from devices.core.move import Clock, Move, Progress, SetpointRequest, number, put_checked, wall_clock
from devices.core.signals import Setpoint

__all__ = ["Oven", "put_ovens"]


class Oven(Device):
    """One oven, °C: ``set()`` is done when the reading has stayed in band for the dwell, not when it first enters it.

    Parameters
    ----------
    limits : (low, high)
        Lowest and highest setpoint allowed, °C.
    tolerance : float
        Half width of the band, °C.
    dwell_s : float
        Seconds on the clock that the reading must stay in band.
    timeout_s : float
        Seconds on the clock after which a set fails.
    """

    reading = Cpt(EpicsSignalRO, "PV:RBV", kind=Kind.hinted, auto_monitor=True)
    setpoint = Cpt(Setpoint, "SP", kind=Kind.normal, auto_monitor=True)
    setpoint_readback = Cpt(EpicsSignalRO, "SP:RBV", kind=Kind.omitted)
    working_setpoint = Cpt(EpicsSignalRO, "WSP:RBV", kind=Kind.normal, auto_monitor=True)
    ramp_rate = Cpt(Setpoint, "RR:RBV", write_pv="RR", kind=Kind.config, auto_monitor=True)
    output = Cpt(EpicsSignalRO, "O:RBV", kind=Kind.normal, auto_monitor=True)

    clock: Clock = staticmethod(wall_clock)

    def __init__(
        self,
        prefix: str,
        *,
        name: str,
        limits: tuple[float, float] = (20.0, 350.0),
        tolerance: float = 1.0,
        dwell_s: float = 30.0,
        timeout_s: float = 3600.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(prefix, name=name, **kwargs)
        self.limits = limits
        self.tolerance = tolerance
        self.dwell_s = dwell_s
        self.timeout_s = timeout_s
        self._move: Move | None = None

    def check_value(self, value: float, **kwargs: Any) -> None:
        """Raise LimitError (a ValueError) for a temperature outside the limits, or NaN."""
        low, high = self.limits
        if not low <= value <= high:
            shown = f"{value:g}" if isinstance(value, float) else repr(value)
            raise LimitError(f"{self.name}: {shown} °C is outside {low:g} to {high:g} °C")

    def in_band(self, temperature: float) -> bool:
        """Return whether the last reading is within the tolerance of a temperature."""
        return abs(number(self.reading) - temperature) <= self.tolerance

    def set(self, temperature: float) -> Move:
        """Go to a temperature, °C; the status is done after the dwell in band."""
        self.check_value(temperature)
        if self._move is not None:
            self._move.end(success=True)
        self._move = Move(self, lambda move: self.go(move, temperature), clock=self.clock)
        return self._move

    def put_setpoint(self, temperature: float) -> None:
        """Put the setpoint and check that the controller took it, without waiting for the oven."""
        put_ovens({self: temperature})

    def go(self, move: Move, temperature: float) -> None:
        """Run the steps of :meth:`set`."""
        initial = number(self.reading)
        self.put_setpoint(temperature)
        move.until(
            Dwell(self, temperature).done,
            timeout_s=self.timeout_s,
            what=f"{self.dwell_s:g} s within {self.tolerance:g} °C of {temperature:g} °C",
            progress=lambda: self.progress(initial, temperature, self.name),
        )

    def progress(self, initial: float, target: float, name: str) -> Progress:
        """Return the progress towards a target, °C, with the time left at the ramp rate."""
        now, rate = number(self.reading), number(self.ramp_rate)
        seconds_left = 60.0 * abs(target - now) / rate + self.dwell_s if rate > 0 else None
        return Progress(name, initial, now, target, "°C", seconds_left)

    def hold(self) -> None:
        """Hold the present temperature, unless the oven is in band already; does not wait."""
        if not self.in_band(number(self.setpoint_readback)):
            self.setpoint.put(round(number(self.reading), 1), wait=False)

    def stop(self, *, success: bool = False) -> None:
        """Give up a set that is under way and hold the temperature; do nothing otherwise."""
        move, self._move = self._move, None
        if move is not None and not move.done:
            move.end(success=success)
            self.hold()


def put_ovens(targets: Mapping[Oven, float]) -> None:
    """Put the setpoints of several ovens, °C, at once; see :meth:`Oven.put_setpoint`."""
    for oven, temperature in targets.items():
        oven.check_value(temperature)
    put_checked(*(SetpointRequest(oven.setpoint, to, oven.setpoint_readback, 0.05) for oven, to in targets.items()))


class Dwell:
    """Check of whether an oven has stayed in band around a temperature for its dwell, on its clock."""

    def __init__(self, oven: Oven, temperature: float) -> None:
        self._oven = oven
        self._temperature = temperature
        self._since: float | None = None

    def done(self) -> bool:
        """Check the reading; return True once it has been in band at every check for the dwell."""
        now = self._oven.clock()
        if not self._oven.in_band(self._temperature):
            self._since = None
            return False
        if self._since is None:
            self._since = now
        return now - self._since >= self._oven.dwell_s
