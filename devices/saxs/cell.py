"""The thermostatted cell in the X-ray beam."""

from typing import Any

from ophyd import Component as Cpt
from ophyd import Device, EpicsSignalRO, Kind
from ophyd.utils import LimitError

from devices.core.move import Clock, Move, Progress, SetpointRequest, number, put_checked, wall_clock
from devices.core.signals import Setpoint

__all__ = ["SaxsCell"]

_TOLERANCE_K = 1.0
_DWELL_S = 30.0
_TIMEOUT_S = 1800.0


class SaxsCell(Device):
    """Temperature of the cell: ``set(50.0)`` is done after the dwell in band; ``set(0)`` follows the growth oven."""

    temperature = Cpt(EpicsSignalRO, "CellTemperature", kind=Kind.normal)
    setpoint = Cpt(Setpoint, "CellTemperature:SP:RBV", write_pv="CellTemperature:SP", kind=Kind.normal)

    clock: Clock = staticmethod(wall_clock)
    limits = (0.0, 400.0)

    def __init__(self, prefix: str, *, name: str, **kwargs: Any) -> None:
        super().__init__(prefix, name=name, **kwargs)
        self._move: Move | None = None

    def check_value(self, value: float, **kwargs: Any) -> None:
        """Raise LimitError (a ValueError) for a temperature outside the limits, or NaN."""
        low, high = self.limits
        if not low <= value <= high:
            shown = f"{value:g}" if isinstance(value, float) else repr(value)
            raise LimitError(f"{self.name}: {shown} °C is outside {low:g} to {high:g} °C")

    def set(self, temperature: float) -> Move:
        """Go to a temperature, °C; 0 follows the growth oven and is done at once.

        Raises
        ------
        LimitError
            See :meth:`check_value`.
        """
        self.check_value(temperature)
        if self._move is not None:
            self._move.end(success=True)
        self._move = Move(self, lambda move: self._go(move, float(temperature)), clock=self.clock)
        return self._move

    def _go(self, move: Move, temperature: float) -> None:
        put_checked(SetpointRequest(self.setpoint, temperature, self.setpoint, 0.05))
        if temperature == 0.0:
            return
        initial = number(self.temperature)
        since: list[float] = []

        def settled() -> bool:
            now = self.clock()
            if abs(number(self.temperature) - temperature) > _TOLERANCE_K:
                since.clear()
                return False
            since.append(now)
            return now - since[0] >= _DWELL_S

        move.until(
            settled,
            timeout_s=_TIMEOUT_S,
            what=f"{_DWELL_S:g} s within {_TOLERANCE_K:g} °C of {temperature:g} °C",
            progress=lambda: Progress(self.name, initial, number(self.temperature), temperature, "°C"),
        )

    def stop(self, *, success: bool = False) -> None:
        """Give up a set that is under way; the thermostat keeps its setpoint."""
        move, self._move = self._move, None
        if move is not None and not move.done:
            move.end(success=success)
