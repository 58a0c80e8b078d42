"""Records of a Harvard Ultra syringe pump."""

from ioc_sim.physics.pump import SimulatedPump
from ioc_sim.records.controller import Controller
from ioc_sim.records.table import Command, Reading, Setting, Spec

__all__ = ["PUMP_RECORDS", "PumpController"]

_UL_MIN = {"ul/min": 1.0, "ml/min": 1e3, "ul/hr": 1 / 60, "ml/hr": 1e3 / 60}
_STATES = ("Idle", "Infusing", "Withdrawing", "Target Reached")


class PumpController(Controller):
    """One pump as its controller shows it; what is not here is the twin's pump itself.

    Parameters
    ----------
    pump : SimulatedPump
        The twin's pump.
    """

    own = frozenset({"force_percent", "rate_units", "infuse_rate", "withdraw_rate"})

    def __init__(self, pump: SimulatedPump) -> None:
        super().__init__(pump)
        self.force_percent = 50.0
        self.rate_units = "ul/min"

    @property
    def infuse_rate(self) -> float:
        """Infusion rate in the unit of ``IRATEUNITS``."""
        return self._part.target_rate_ul_min / _UL_MIN[self.rate_units]

    @infuse_rate.setter
    def infuse_rate(self, value: float) -> None:
        self._part.target_rate_ul_min = value * _UL_MIN[self.rate_units]

    @property
    def withdraw_rate(self) -> float:
        """Withdrawal rate in the unit of ``IRATEUNITS``."""
        return self._part.withdraw_rate_ul_min / _UL_MIN[self.rate_units]

    @withdraw_rate.setter
    def withdraw_rate(self, value: float) -> None:
        self._part.withdraw_rate_ul_min = value * _UL_MIN[self.rate_units]


PUMP_RECORDS: tuple[Spec, ...] = (
    Setting("DISABLE", "disable", "Stop talking to the pump", choices=("Enabled", "Disabled")),
    Reading("STATUS", "status", "What the pump does", choices=_STATES, alarm="comms"),
    Reading("STATUS:RBV", "status", "What the pump does", choices=_STATES, alarm="comms"),
    Command("IRUN", "infuse", "Infuse"),
    Command("WRUN", "withdraw", "Withdraw"),
    Command("STOP", "stop", "Stop"),
    Setting("IRATE", "infuse_rate", "Infusion rate, in IRATEUNITS", limits=(0.0, 1e7)),
    Setting("IRATEUNITS", "rate_units", "Unit of both rates", choices=tuple(_UL_MIN)),
    Setting("WRATE", "withdraw_rate", "Withdrawal rate, in IRATEUNITS", limits=(0.0, 1e7)),
    Setting("TVOLUME", "target_volume_ul", "Target volume, 0 = none", units="uL", limits=(0.0, 1e7)),
    Reading("IVOLUME:RBV", "infused_ul", "Volume infused since cleared", units="uL", alarm="comms"),
    Reading("WVOLUME:RBV", "withdrawn_ul", "Volume withdrawn since cleared", units="uL", alarm="comms"),
    Command("CLEARINFUSED", "clear_infused", "Set the infused volume to 0"),
    Command("CLEARWITHDRAWN", "clear_withdrawn", "Set the withdrawn volume to 0"),
    Setting("DIAMETER", "diameter_mm", "Inner diameter of the syringe", units="mm", limits=(0.1, 100.0)),
    Setting("FORCE", "force_percent", "Pumping force", units="%", limits=(1.0, 100.0)),
)
