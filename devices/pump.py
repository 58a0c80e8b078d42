"""A syringe pump (Harvard Ultra records)."""

from collections.abc import Mapping
from typing import Any

from ophyd import Component as Cpt
from ophyd import Device, EpicsSignalRO, Kind
from ophyd.signal import AttributeSignal

from devices.core.move import Clock, Move, Progress, SetpointRequest, number, put_checked, wall_clock
from devices.core.signals import CommandSignal, Setpoint

__all__ = ["SyringePump", "prepare_pumps"]

_UNITS = "ul/min"
_CLEAR_S = 10.0


class SyringePump(Device):
    """One syringe; flow in µL/min, volume in µL.

    ``set("drawn")`` refills the syringe from its reservoir; ``set("filled")`` records that a person has filled it.
    Both clear the counters.

    Parameters
    ----------
    capacity_ul : float
        Capacity of the syringe. Assumes that the volume counters were last cleared when it was full.
    refill_flow_ul_min : float
        Flow at which it is refilled.
    """

    status = Cpt(EpicsSignalRO, "STATUS", string=True, kind=Kind.normal, auto_monitor=True)
    flow_ul_min = Cpt(EpicsSignalRO, "IRATE:RBV", kind=Kind.normal, auto_monitor=True)
    flow_setpoint = Cpt(Setpoint, "IRATE", kind=Kind.omitted, auto_monitor=True)
    flow_units = Cpt(
        Setpoint, "IRATEUNITS:RBV", write_pv="IRATEUNITS", string=True, kind=Kind.config, auto_monitor=True
    )
    infused_ul = Cpt(EpicsSignalRO, "IVOLUME:RBV", kind=Kind.normal, auto_monitor=True)
    withdrawn_ul = Cpt(EpicsSignalRO, "WVOLUME:RBV", kind=Kind.omitted, auto_monitor=True)
    content_ul = Cpt(AttributeSignal, "content", kind=Kind.normal, add_prefix=(), write_access=False)
    target_volume = Cpt(Setpoint, "TVOLUME:RBV", write_pv="TVOLUME", kind=Kind.omitted, auto_monitor=True)
    diameter_mm = Cpt(EpicsSignalRO, "DIAMETER:RBV", kind=Kind.config, auto_monitor=True)
    run = Cpt(CommandSignal, "IRUN", kind=Kind.omitted)
    halt = Cpt(CommandSignal, "STOP", kind=Kind.omitted)
    withdrawal_flow = Cpt(Setpoint, "WRATE:RBV", write_pv="WRATE", kind=Kind.omitted)
    withdraw = Cpt(CommandSignal, "WRUN", kind=Kind.omitted)
    clear_infused = Cpt(CommandSignal, "CLEARINFUSED", kind=Kind.omitted)
    clear_withdrawn = Cpt(CommandSignal, "CLEARWITHDRAWN", kind=Kind.omitted)

    clock: Clock = staticmethod(wall_clock)

    def __init__(
        self,
        prefix: str,
        *,
        name: str,
        capacity_ul: float = 100_000.0,
        refill_flow_ul_min: float = 20_000.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(prefix, name=name, **kwargs)
        self.capacity_ul = capacity_ul
        self.refill_flow_ul_min = refill_flow_ul_min
        self._move: Move | None = None

    @property
    def content(self) -> float:
        """Volume left in the syringe by its counters, µL."""
        volume = self.capacity_ul - number(self.infused_ul) + number(self.withdrawn_ul)
        return min(max(volume, 0.0), self.capacity_ul)

    def infuse(self, flow_ul_min: float, *, volume_ul: float = 0.0) -> None:
        """Infuse at a flow, indefinitely or until a volume has passed; blocks for a few round trips.

        Raises
        ------
        SetpointRefusedError
            The pump refused the flow or took another one.
        """
        prepare_pumps({self: flow_ul_min}, volume_ul=volume_ul)
        self.run.put(1, wait=True)

    def check_value(self, value: Any, **kwargs: Any) -> None:
        """Raise ValueError for anything but ``"drawn"`` and ``"filled"``."""
        if value not in ("drawn", "filled"):
            raise ValueError(
                f"{self.name}: set a pump to 'drawn' (refill it) or 'filled' (filled by hand), not {value!r}"
            )

    def set(self, value: str) -> Move:
        """Refill the syringe, or record that it was filled by hand; done when its counters are cleared.

        Raises
        ------
        ValueError
            See :meth:`check_value`.
        """
        self.check_value(value)
        if self._move is not None:
            self._move.end(success=True)
        self._move = Move(self, self._draw if value == "drawn" else self._clear, clock=self.clock)
        return self._move

    def _draw(self, move: Move) -> None:
        self.halt.put(1, wait=True)
        before = self.content
        missing = self.capacity_ul - before
        self.target_volume.put(0.0, wait=True)
        self.flow_units.put(_UNITS, wait=True)
        self.withdrawal_flow.put(self.refill_flow_ul_min, wait=True)
        drawn = number(self.withdrawn_ul, use_monitor=False)
        self.withdraw.put(1, wait=True)
        begun = False

        def full() -> bool:
            # a full syringe stops the pump; but a pump that is not withdrawing may not have started yet
            nonlocal begun
            state = self.status.get(use_monitor=False)
            begun = begun or state == "Withdrawing" or number(self.withdrawn_ul) > drawn
            return self.content >= self.capacity_ul - 1e-3 * missing or (begun and state != "Withdrawing")

        try:
            move.until(
                full,
                timeout_s=120.0 * missing / self.refill_flow_ul_min + 60.0,
                what=f"the refill of {missing:.0f} µL",
                progress=lambda: Progress(f"{self.name} refill", before, self.content, self.capacity_ul, "µL"),
            )
        finally:
            self.halt.put(1, wait=True)
        self._clear(move)

    def _clear(self, move: Move) -> None:
        # a plunger that has just been stopped still moves a little: clear again until the counters stay low
        little = 0.01 * self.capacity_ul
        counters = ((self.infused_ul, self.clear_infused), (self.withdrawn_ul, self.clear_withdrawn))
        for _, clear in counters:
            clear.put(1, wait=True)

        def cleared() -> bool:
            for counter, clear in counters:
                if number(counter, use_monitor=False) >= little:
                    clear.put(1, wait=True)
            return all(number(counter) < little for counter, _ in counters)

        move.until(cleared, timeout_s=_CLEAR_S, what="the reset of its volume counters")

    def stop(self, *, success: bool = False) -> None:
        """Give up a refill that is under way; do nothing otherwise, as the reactor stops what flows."""
        move, self._move = self._move, None
        if move is not None and not move.done:
            move.end(success=success)


def prepare_pumps(flows_ul_min: Mapping[SyringePump, float], *, volume_ul: float = 0.0) -> None:
    """Set the flows and target volume of pumps for their next ``run``; a running pump takes them at once.

    The unit is set first: a pump left in mL/min would run a thousand times too fast.

    Raises
    ------
    SetpointRefusedError
        A pump refused its flow or took another one.
    """
    for pump in flows_ul_min:
        if pump.flow_units.get() != _UNITS:
            pump.flow_units.put(_UNITS, wait=True)
    put_checked(
        *(
            SetpointRequest(pump.flow_setpoint, flow, pump.flow_ul_min, 1e-3 * flow + 1e-3)
            for pump, flow in flows_ul_min.items()
        )
    )
    for pump in flows_ul_min:
        target = volume_ul + number(pump.infused_ul, use_monitor=False) if volume_ul else 0.0
        if number(pump.target_volume) != target:
            pump.target_volume.put(target, wait=True)
