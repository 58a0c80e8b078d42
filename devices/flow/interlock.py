"""The reactor's interlock, and the heartbeat that keeps it from tripping."""

import logging
import threading
import time
from typing import Any

from ophyd import Component as Cpt
from ophyd import Device, EpicsSignalRO, Kind

from devices.core.move import number
from devices.core.signals import CommandSignal, Setpoint

__all__ = ["Interlock"]

log = logging.getLogger(__name__)

_LOOK_S = 0.1


class Interlock(Device):
    """Latched interlock and the reason for its last trip; the IOC trips it, a person resets it."""

    state = Cpt(EpicsSignalRO, "Interlock", string=True, kind=Kind.normal, auto_monitor=True)
    message = Cpt(EpicsSignalRO, "InterlockMessage", string=True, kind=Kind.normal, auto_monitor=True)
    reset = Cpt(CommandSignal, "InterlockReset", kind=Kind.omitted)
    heartbeat = Cpt(CommandSignal, "Heartbeat", kind=Kind.omitted)
    heartbeat_timeout = Cpt(Setpoint, "HeartbeatTimeout", kind=Kind.config, auto_monitor=True)

    def __init__(self, prefix: str, *, name: str, **kwargs: Any) -> None:
        super().__init__(prefix, name=name, **kwargs)
        self._quit = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def tripped(self) -> bool:
        """Whether the interlock is tripped, by the last update received."""
        return self.state.get() == "Tripped"

    def abandoned(self, within_s: float) -> bool:
        """Return whether an earlier session died: the IOC expects a heartbeat, but none comes.

        Blocks for up to ``within_s`` of wall time if the IOC expects one.
        """
        if number(self.heartbeat_timeout, use_monitor=False) <= 0:
            return False
        last = self.heartbeat.get(use_monitor=False)
        deadline = time.monotonic() + within_s
        while time.monotonic() < deadline:
            if self.heartbeat.get(use_monitor=False) != last:
                return False
            time.sleep(_LOOK_S)
        return True

    def start_heartbeat(self, *, period_s: float, timeout_s: float) -> None:
        """Send a heartbeat every ``period_s`` of wall time; the IOC trips after ``timeout_s`` on its clock without one.

        Call it once per session; a second call changes the period. The thread ends with the process, so the
        heartbeat of a killed session stops by itself.
        """
        self.stop_heartbeat()
        self._quit.clear()
        self.heartbeat_timeout.put(timeout_s, wait=True)
        self._thread = threading.Thread(target=self._beat, args=(period_s,), name=f"heartbeat {self.name}", daemon=True)
        self._thread.start()

    def stop_heartbeat(self, *, watch_off: bool = False) -> None:
        """Stop sending heartbeats; with ``watch_off`` also tell the IOC to expect none."""
        self._quit.set()
        if self._thread is not None:
            self._thread.join(timeout=5)
            self._thread = None
        if watch_off:
            self.heartbeat_timeout.put(0.0, wait=True)

    def _beat(self, period_s: float) -> None:
        count = 0
        while not self._quit.wait(period_s):
            count += 1
            try:
                self.heartbeat.put(count, wait=False)
            except Exception:
                log.exception("heartbeat %d could not be sent", count)
