"""What can go wrong: a switch for each fault, and the schedule by which a scenario throws them.

The physical ones act in the twin (pumps, ovens, light, beam, bore); the others in the records (a collection
that hangs, files that are not written, an IOC that answers late or not at all).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["KINDS", "FaultKind", "Faults", "Schedule", "check_fault"]

_PUMPS = ("None", "Cd", "Se", "Solvent")
_OVENS = ("None", "Nucleation", "Growth")
_OFF_ON = ("Off", "On")


@dataclass(frozen=True)
class FaultKind:
    """One switch.

    Attributes
    ----------
    attribute : str
        Of :class:`Faults`.
    doc : str
        What it does, at most 40 characters.
    choices : tuple of str
        Allowed values; the first is no fault. Empty for a number.
    limits : (low, high)
        Of a number; ``low`` is no fault.
    """

    attribute: str
    doc: str
    choices: tuple[str, ...] = ()
    limits: tuple[float, float] = (0.0, 0.0)
    units: str = ""

    @property
    def healthy(self) -> float | str:
        """The value that is no fault."""
        return self.choices[0] if self.choices else self.limits[0]


KINDS: dict[str, FaultKind] = {
    "PumpStall": FaultKind("pump_stall", "Pump runs but moves nothing", _PUMPS),
    "EmptySyringe": FaultKind("empty_syringe", "Syringe empty; None puts a full one in", _PUMPS),
    "Clogging": FaultKind("clogging", "Factor on the coil's flow resistance", limits=(1.0, 1e4)),
    "SensorBreak": FaultKind("sensor_break", "Thermocouple of an oven is broken", _OVENS),
    "HeaterRunaway": FaultKind("heater_runaway", "Heater's relay of an oven is stuck on", _OVENS),
    "LampOff": FaultKind("lamp_off", "Lamp of the spectrometer is out", _OFF_ON),
    "Saturated": FaultKind("saturated", "Ten times the light on the spectrometer", _OFF_ON),
    "HungCollection": FaultKind("hung_collection", "A collection never ends", _OFF_ON),
    "NoFile": FaultKind("no_file", "SAXS detector writes no file", _OFF_ON),
    "FullDisk": FaultKind("full_disk", "Disk of the SAXS files is full", _OFF_ON),
    "BeamLost": FaultKind("beam_lost", "No X-rays", _OFF_ON),
    "SlowIoc": FaultKind("slow_s", "Every answer comes this much later", limits=(0.0, 60.0), units="s"),
    "FrozenIoc": FaultKind("frozen_s", "IOC stands still for this long, once", limits=(0.0, 3600.0), units="s"),
    "DeadIoc": FaultKind("dead_ioc", "IOC ends at once, as by kill -9", _OFF_ON),
}


@dataclass
class Faults:
    """State of every switch; those with choices Off and On are bools here."""

    pump_stall: str = "None"
    empty_syringe: str = "None"
    clogging: float = 1.0
    sensor_break: str = "None"
    heater_runaway: str = "None"
    lamp_off: bool = False
    saturated: bool = False
    hung_collection: bool = False
    no_file: bool = False
    full_disk: bool = False
    beam_lost: bool = False
    slow_s: float = 0.0
    frozen_s: float = 0.0
    dead_ioc: bool = False

    def value(self, name: str) -> float | str:
        """Value of a fault by its record's name."""
        kind = KINDS[name]
        value = getattr(self, kind.attribute)
        return kind.choices[value] if isinstance(value, bool) else value

    def switch(self, name: str, value: float | str) -> None:
        """Set a fault by its record's name; ValueError as :func:`check_fault`."""
        check_fault(name, value)
        kind = KINDS[name]
        setattr(self, kind.attribute, value == "On" if kind.choices == _OFF_ON else value)


def check_fault(name: str, value: float | str) -> None:
    """Refuse an unknown fault or a value it does not know.

    Raises
    ------
    ValueError
        Names the fault, the value and what is allowed.
    """
    kind = KINDS.get(name)
    if kind is None:
        raise ValueError(f"no fault {name!r}; there are {', '.join(KINDS)}")
    if kind.choices and value not in kind.choices:
        raise ValueError(f"fault {name}: {value!r} is none of {', '.join(kind.choices)}")
    if not kind.choices and (isinstance(value, str) or not kind.limits[0] <= value <= kind.limits[1]):
        raise ValueError(f"fault {name}: {value!r} is not a number from {kind.limits[0]:g} to {kind.limits[1]:g}")


class Schedule:
    """Faults of a scenario by time; each is switched once, and back once.

    Parameters
    ----------
    planned : sequence
        Items with ``name``, ``value``, ``at_s`` and ``for_s`` (None: for good).
    """

    def __init__(self, planned: Sequence[Any]) -> None:
        events = [(item.at_s, item.name, item.value) for item in planned]
        events += [
            (item.at_s + item.for_s, item.name, KINDS[item.name].healthy) for item in planned if item.for_s is not None
        ]
        self._events = sorted(events, key=lambda event: event[0])

    def apply(self, faults: Faults, clock_s: float) -> None:
        """Throw the switches whose time has come."""
        while self._events and self._events[0][0] <= clock_s:
            _, name, value = self._events.pop(0)
            faults.switch(name, value)
