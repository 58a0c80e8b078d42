"""Signals for records that are written to: a put that is refused or never answered times out instead of hanging."""

from typing import Any

from ophyd import EpicsSignal
from ophyd.status import Status

__all__ = ["CommandSignal", "Setpoint"]

SET_TIMEOUT_S = 10.0
PUT_TIMEOUT_S = 5.0


class Setpoint(EpicsSignal):
    """A setpoint: ``set()`` is done when the readback shows the value."""

    def put(self, value: Any, *args: Any, timeout: Any = PUT_TIMEOUT_S, **kwargs: Any) -> None:
        """Put a value; with ``wait=True`` wait for the answer, 5 s at most by default."""
        super().put(value, *args, timeout=timeout, **kwargs)

    def set(self, value: Any, *, timeout: Any = SET_TIMEOUT_S, settle_time: float | None = None) -> Status:
        """Put a value and wait for the readback, 10 s at most by default."""
        # After a pause RunEngine repeats the set; ophyd refuses it while the first one still waits for its readback.
        before = self._set_thread
        if before is not None:
            before.join(SET_TIMEOUT_S)
        return super().set(value, timeout=timeout, settle_time=settle_time)


class CommandSignal(Setpoint):
    """A command record, which resets itself: ``set()`` is done when the put is answered."""

    def __init__(self, read_pv: str, *args: Any, **kwargs: Any) -> None:
        super().__init__(read_pv, *args, **{"put_complete": True, **kwargs})
