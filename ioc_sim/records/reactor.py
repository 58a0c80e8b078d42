"""Records of the reactor as a whole, and of the twin's clock."""

from ioc_sim.interlock import InterlockLogic
from ioc_sim.physics.scenario import FRACTIONS
from ioc_sim.physics.twin import Twin
from ioc_sim.records.table import Command, Reading, Setting, Spec

__all__ = ["REACTOR_RECORDS", "SIM_RECORDS", "ReactorModel"]

_SHUTTER = ("Closed", "Open")
VALVE_POSITIONS = ("Mixture", "Cd only", "Se only", "Solvent", "Sample loop")


class ReactorModel:
    """Valve, pressure, interlock and surroundings.

    Parameters
    ----------
    twin : Twin
        The reactor.
    interlock : InterlockLogic
        Its interlock.
    """

    def __init__(self, twin: Twin, interlock: InterlockLogic) -> None:
        self._twin = twin
        self.interlock = interlock
        self.heartbeat_count = 0

    @property
    def valve(self) -> str:
        """Position of the selector valve."""
        return self._twin.valve

    @valve.setter
    def valve(self, value: str) -> None:
        self._twin.valve = value

    @property
    def sample_loop(self) -> str:
        """What the sample loop holds; a put fills it anew, the same fraction too."""
        return self._twin.sample_loop

    @sample_loop.setter
    def sample_loop(self, value: str) -> None:
        self._twin.sample_loop = value

    @property
    def ring_current_ma(self) -> float:
        """Current in the storage ring, mA."""
        return self._twin.beam.ring_current_ma(self._twin.clock_s)

    @property
    def front_end(self) -> str:
        """Shutter of the beamline's front end: ``Closed`` or ``Open``."""
        return _SHUTTER[self._twin.beam.front_end_open]

    @front_end.setter
    def front_end(self, value: str) -> None:
        self._twin.beam.front_end_open = value == "Open"

    @property
    def pressure_bar(self) -> float:
        """Pressure at the mixer, bar."""
        return self._twin.pressure_bar

    @property
    def latch(self) -> str:
        """``Ok`` or ``Tripped``."""
        return "Tripped" if self.interlock.tripped else "Ok"

    @property
    def latch_alarm(self) -> str:
        """Severity of the interlock record."""
        return "MAJOR_ALARM" if self.interlock.tripped else "NO_ALARM"

    @property
    def message(self) -> str:
        """Why the interlock tripped."""
        return self.interlock.message

    @property
    def standby_flow(self) -> float:
        """Keep-alive flow of solvent, µL/min."""
        return self.interlock.standby_flow_ul_min

    @standby_flow.setter
    def standby_flow(self, value: float) -> None:
        self.interlock.standby_flow_ul_min = value

    @property
    def standby_temperature(self) -> float:
        """Standby temperature of both ovens, °C."""
        return self.interlock.standby_temperature_c

    @standby_temperature.setter
    def standby_temperature(self, value: float) -> None:
        self.interlock.standby_temperature_c = value

    @property
    def heartbeat_timeout(self) -> float:
        """Twin seconds without a heartbeat that trip the interlock; 0 = off."""
        return self.interlock.heartbeat_timeout_s

    @heartbeat_timeout.setter
    def heartbeat_timeout(self, value: float) -> None:
        self.interlock.heartbeat_timeout_s = value

    @property
    def heartbeat(self) -> float:
        """The last number a client has put."""
        return self.heartbeat_count

    @heartbeat.setter
    def heartbeat(self, value: float) -> None:
        self.heartbeat_count = value
        self.interlock.beat()

    def reset(self) -> None:
        """Release the interlock's latch; ValueError while its cause is there."""
        self.interlock.reset()


REACTOR_RECORDS: tuple[Spec, ...] = (
    Reading("Pressure", "pressure_bar", "Pressure at the mixer", units="bar"),
    Reading("Interlock", "latch", "Latched interlock", choices=("Ok", "Tripped"), alarm="latch_alarm"),
    Command("InterlockReset", "reset", "Release the interlock", readback="", always=True),
    Reading("InterlockMessage", "message", "Why the interlock tripped", kind=str),
    Setting("Valve", "valve", "What flows into the reactor", choices=VALVE_POSITIONS, readback=""),
    Setting("SampleLoop", "sample_loop", "What the sample loop holds", choices=FRACTIONS, readback=""),
    Reading("RingCurrent", "ring_current_ma", "Storage ring current", units="mA"),
    Setting("FrontEnd", "front_end", "Front-end shutter", choices=_SHUTTER, readback="", always=True),
    Setting(
        "StandbyFlow", "standby_flow", "Keep-alive flow of solvent",
        units="uL/min", limits=(0.0, 10000.0), readback="",
    ),
    Setting(
        "StandbyTemperature", "standby_temperature", "Both ovens at standby",
        units="degC", limits=(0.0, 200.0), readback="",
    ),
    Setting("Heartbeat", "heartbeat", "Any put is a heartbeat", precision=0, readback="", always=True),
    Setting(
        "HeartbeatTimeout", "heartbeat_timeout", "Trip after this long, 0 = off",
        units="s", limits=(0.0, 1e9), readback="", always=True,
    ),
)  # fmt: skip

SIM_RECORDS: tuple[Spec, ...] = (
    Reading("Clock", "clock_s", "The twin's time", units="s"),
    Reading("Lag", "lag_s", "Twin time lost to a slow machine", units="s"),
    Setting("TimeScale", "time_scale", "Twin seconds per second", limits=(0.01, 1e5), readback="", always=True),
)
