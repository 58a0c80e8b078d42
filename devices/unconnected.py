"""Devices without records, for rehearsals of plans: names and limits are real, no control system is needed."""

from typing import Any, TypeVar, cast

from ophyd import Device
from ophyd.sim import FakeEpicsSignal, fake_device_cache, make_fake_device

from devices.core.signals import CommandSignal, Setpoint
from devices.flow.reactor import FlowReactor

__all__ = ["unconnected"]

FRACTIONS = ("Fi", "F1", "F2", "F3", "F4", "F5")

_Device = TypeVar("_Device", bound=Device)


def unconnected(device: type[_Device], prefix: str, **kwargs: Any) -> _Device:
    """Return a device with ophyd's fake signals in place of records; it takes the arguments of the device."""
    # ophyd's cache of fakes: without these entries the two classes would look for records
    fake_device_cache.setdefault(Setpoint, FakeEpicsSignal)
    fake_device_cache.setdefault(CommandSignal, FakeEpicsSignal)
    made = make_fake_device(device)(prefix, **kwargs)
    if isinstance(made, FlowReactor):
        cast(Any, made.loop.content).sim_set_enum_strs(FRACTIONS)
    return cast(_Device, made)
