"""A syringe pump (Harvard Ultra records)."""

from ophyd import Component as Cpt
from ophyd import Device, EpicsSignalRO, Kind

from devices.move import number, put_checked
from devices.signals import Command, Setpoint

__all__ = ["SyringePump"]

_UNITS = "ul/min"


class SyringePump(Device):
    """One syringe; flow in µL/min, volume in µL."""

    status = Cpt(EpicsSignalRO, "STATUS", string=True, kind=Kind.normal, auto_monitor=True)
    flow_ul_min = Cpt(EpicsSignalRO, "IRATE:RBV", kind=Kind.normal)
    flow_setpoint = Cpt(Setpoint, "IRATE", kind=Kind.omitted)
    flow_units = Cpt(Setpoint, "IRATEUNITS:RBV", write_pv="IRATEUNITS", string=True, kind=Kind.config)
    infused_ul = Cpt(EpicsSignalRO, "IVOLUME:RBV", kind=Kind.normal, auto_monitor=True)
    target_volume = Cpt(Setpoint, "TVOLUME:RBV", write_pv="TVOLUME", kind=Kind.omitted)
    diameter_mm = Cpt(EpicsSignalRO, "DIAMETER:RBV", kind=Kind.config)
    run = Cpt(Command, "IRUN", kind=Kind.omitted)
    halt = Cpt(Command, "STOP", kind=Kind.omitted)

    def infuse(self, flow_ul_min: float, *, volume_ul: float = 0.0) -> None:
        """Infuse at a flow, without end or until a volume has passed; blocks for a few round trips.

        The unit is put and read back first: a pump left in mL/min would run a thousand times too fast.

        Raises
        ------
        SetpointRefusedError
            The pump took another flow, or none.
        """
        self.flow_units.put(_UNITS, wait=True)
        put_checked(self.flow_setpoint, flow_ul_min, self.flow_ul_min, tolerance=1e-3 * flow_ul_min + 1e-3)
        target = volume_ul + number(self.infused_ul, use_monitor=False) if volume_ul else 0.0
        self.target_volume.put(target, wait=True)
        self.run.put(1, wait=True)

    def stop(self, *, success: bool = False) -> None:
        """Stop the pump at once; does not wait."""
        self.halt.put(1, wait=False)
