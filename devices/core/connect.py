"""Connect a device to its records, or fail with one clear message; choose the clock its moves run on."""

import os
from typing import Any

from ophyd import Device, EpicsSignalRO

from devices.core.move import Clock, number, wall_clock

__all__ = ["NoAnswerError", "connect", "disconnect", "find_clock", "use_clock"]

_SIMULATOR_ANSWERS_WITHIN_S = 1.0


class NoAnswerError(ConnectionError):
    """Some records of a device do not answer."""


def connect(device: Any, *, timeout_s: float = 5.0) -> None:
    """Wait until every record of a device answers.

    Raises
    ------
    NoAnswerError
        Some records do not answer within ``timeout_s``; the message counts and names them and says what to check.
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
    """Close all Channel Access circuits of this process and end their threads; no record can be read afterwards.

    Without this, updates that arrive while the interpreter exits are reported as internal errors.
    """
    if os.environ.get("OPHYD_CONTROL_LAYER") != "caproto":
        return
    import ophyd
    from caproto.threading.pyepics_compat import PV

    ophyd.get_cl().get_dispatcher().stop()
    context: Any = PV.default_context()
    # stop reading first: an update that arrives while its circuit closes would be reported as an error
    context.selector.stop()
    if context.selector.thread is not None:
        context.selector.thread.join(5.0)
    context.disconnect()


def _signals(device: Device) -> list[Any]:
    signals = (walk.item for walk in device.walk_signals(include_lazy=True))
    return [signal for signal in signals if hasattr(signal, "pvname")]


def find_clock(prefix: str) -> tuple[Clock, float]:
    """Return the clock for moves, and how many of its seconds pass in one second of wall time.

    It is the simulation's clock if the IOC serves ``Sim:Clock``, otherwise wall time.
    """
    clock = EpicsSignalRO(f"{prefix}Sim:Clock", name="sim_clock", auto_monitor=True)
    scale = EpicsSignalRO(f"{prefix}Sim:TimeScale", name="sim_time_scale")
    try:
        for signal in (clock, scale):
            signal.wait_for_connection(timeout=_SIMULATOR_ANSWERS_WITHIN_S)
    except TimeoutError:
        return wall_clock, 1.0
    return lambda: number(clock), number(scale)


def use_clock(device: Any, clock: Clock) -> None:
    """Run the moves of a device and of all its parts on the given clock."""
    for part in (device, *(part for _, part in device.walk_subdevices(include_lazy=True))):
        if hasattr(part, "clock"):
            part.clock = clock
