"""List the records that a device uses."""

from typing import Any

from ophyd import Device
from ophyd.signal import EpicsSignalBase

__all__ = ["record_names"]


def record_names(device: type[Device], prefix: str) -> list[str]:
    """Return the names of all records of a device class, built as ophyd builds them, without connecting to any.

    Parameters
    ----------
    device : type
        A class such as :class:`~devices.flow.reactor.FlowReactor`.
    prefix : str
        Its prefix, such as ``"MSC:"``.
    """
    found: list[str] = []
    for name in device.component_names:
        component: Any = getattr(device, name)
        below = prefix + (component.suffix or "") if "suffix" in component.add_prefix else component.suffix or ""
        if issubclass(component.cls, Device):
            found += record_names(component.cls, below)
        elif issubclass(component.cls, EpicsSignalBase):
            found.append(below)
            write = component.kwargs.get("write_pv")
            if write:
                found.append(prefix + write)
    return list(dict.fromkeys(found))
