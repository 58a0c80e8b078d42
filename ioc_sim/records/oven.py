"""Records of a Eurotherm 3500 controller over Modbus, as beamlines serve them (``…LOOP1:PV:RBV``)."""

from ioc_sim.physics.oven import SimulatedOven
from ioc_sim.records.controller import Controller
from ioc_sim.records.table import Reading, Setting, Spec

__all__ = ["OVEN_RECORDS", "OvenController"]

_PER_MINUTE = {"/min": 1.0, "/hour": 1 / 60, "/sec": 60.0}


class OvenController(Controller):
    """One oven as its controller shows it; what is not here is the twin's oven itself.

    Parameters
    ----------
    oven : SimulatedOven
        The twin's oven.
    """

    own = frozenset({"autotune", "rate_unit", "ramp_rate", "mode"})

    def __init__(self, oven: SimulatedOven) -> None:
        super().__init__(oven)
        self.autotune = "Off"
        self.rate_unit = "/min"

    @property
    def ramp_rate(self) -> float:
        """Ramp rate in the unit of ``RR:UNIT``; 0 is no ramp."""
        return self._part.ramp_rate_c_min / _PER_MINUTE[self.rate_unit]

    @ramp_rate.setter
    def ramp_rate(self, value: float) -> None:
        self._part.ramp_rate_c_min = value * _PER_MINUTE[self.rate_unit]

    @property
    def reading_alarm(self) -> str:
        """Alarm severity of the reading: invalid without a thermocouple or without communication."""
        return "INVALID_ALARM" if self._part.sensor_broken else self.comms

    @property
    def mode(self) -> str:
        """``Auto`` or ``Manual``."""
        return "Manual" if self._part.manual else "Auto"

    @mode.setter
    def mode(self, value: str) -> None:
        self._part.manual = value == "Manual"


OVEN_RECORDS: tuple[Spec, ...] = (
    Setting("DISABLE", "disable", "Stop talking to the controller", choices=("Enabled", "Disabled")),
    Reading("LOOP1:PV:RBV", "reading_c", "Measured temperature", units="degC", precision=2, alarm="reading_alarm"),
    Setting("LOOP1:SP", "setpoint_c", "Target setpoint", units="degC", precision=2, limits=(0.0, 400.0)),
    Reading("LOOP1:WSP:RBV", "working_setpoint_c", "Working setpoint", units="degC", precision=2),
    Setting("LOOP1:RR", "ramp_rate", "Setpoint ramp rate, 0 = none", units="degC", limits=(0.0, 10000.0)),
    Setting("LOOP1:RR:UNIT", "rate_unit", "Unit of time of the ramp rate", choices=tuple(_PER_MINUTE)),
    Setting("LOOP1:O", "output_percent", "Output power", units="%", precision=1, limits=(0.0, 100.0)),
    Setting("LOOP1:P", "proportional", "Proportional band term"),
    Setting("LOOP1:I", "integral", "Integral time", units="s"),
    Setting("LOOP1:D", "derivative", "Derivative time", units="s"),
    Setting("LOOP1:MAN", "mode", "Control mode", choices=("Auto", "Manual")),
    Setting("LOOP1:AUTOTUNE", "autotune", "Autotune", choices=("Off", "On")),
    Setting("LOOP1:OUTPHI", "output_high", "Output high limit", units="%", limits=(0.0, 100.0)),
    Setting("LOOP1:OUTPLO", "output_low", "Output low limit", units="%", limits=(0.0, 100.0)),
)
