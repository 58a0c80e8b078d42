"""Connect a device, or say in one sentence that nobody answers; give its moves another clock."""

import os
from typing import Any

from ophyd import Device, EpicsSignalRO

from devices.move import Clock

__all__ = ["NoAnswerError", "connect", "disconnect", "signal_clock", "use_clock"]


class NoAnswerError(ConnectionError):
    """No IOC answers for some records of a device."""


def connect(device: Any, *, timeout_s: float = 5.0) -> None:
    """Wait until every record of a device answers.

    Raises
    ------
    NoAnswerError
        Some do not answer within ``timeout_s``; the message counts and names them and says what to check.
    """
    try:
        device.wait_for_connection(all_signals=True, timeout=timeout_s)
    except TypeError:
        device.wait_for_connection(timeout=timeout_s)
    except TimeoutError as error:
        silent = [s.pvname for s in _signals(device) if not s.connected]
        shown = ", ".join(silent[:3]) + (f" and {len(silent) - 3} more" if len(silent) > 3 else "")
        raise NoAnswerError(
            f"{device.name}: no answer from {shown or device.prefix} within {timeout_s:g} s; is the IOC running "
            "(msc ioc), and do prefix, EPICS_CA_ADDR_LIST and EPICS_CA_SERVER_PORT fit it?"
        ) from error


def disconnect() -> None:
    """Close all Channel Access circuits of this process and end their threads; nothing can be read after.

    Without it, readings that arrive while the interpreter ends are reported as internal errors.
    """
    if os.environ.get("OPHYD_CONTROL_LAYER") != "caproto":
        return
    import ophyd
    from caproto.threading.pyepics_compat import PV

    ophyd.get_cl().get_dispatcher().stop()
    PV.default_context().disconnect()


def _signals(device: Device) -> list[Any]:
    signals = (walk.item for walk in device.walk_signals(include_lazy=True))
    return [signal for signal in signals if hasattr(signal, "pvname")]


def signal_clock(signal: EpicsSignalRO) -> Clock:
    """Return a clock that shows the last value of a monitored signal, s."""
    return lambda: float(signal.get())


def use_clock(device: Any, clock: Clock) -> None:
    """Let a device and all its parts run their moves on another clock."""
    for part in (device, *(part for _, part in device.walk_subdevices(include_lazy=True))):
        if hasattr(part, "clock"):
            part.clock = clock
