"""The flow reactor as one device: pumps, ovens, valve, pressure and interlock."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ophyd import Component as Cpt
from ophyd import Device, EpicsSignalRO, Kind
from ophyd.signal import AttributeSignal
from ophyd.utils import LimitError

from devices.interlock import Interlock
from devices.move import Clock, DidNotHappenError, Move, Progress, number
from devices.oven import Dwell, Oven
from devices.pump import SyringePump
from devices.signals import Setpoint
from devices.wall import wall_clock

__all__ = ["FlowReactor", "Geometry", "InterlockTrippedError", "Limits"]

CONDITION_KEYS = ("nucleation_temperature", "growth_temperature", "residence_time")


class InterlockTrippedError(RuntimeError):
    """The reactor can't be moved while its interlock is tripped."""


@dataclass(frozen=True)
class Geometry:
    """Volumes, µL, and how the flow is shared.

    The residence time is that of chamber and coil together at the flow metered at 25 °C.
    """

    chamber_ul: float = 11.5
    coil_ul: float = 240.0
    dead_ul: float = 60.0
    cell_ul: float = 10.0
    cd_fraction: float = 0.5

    @property
    def heated_ul(self) -> float:
        """Chamber and coil."""
        return self.chamber_ul + self.coil_ul

    @property
    def swept_ul(self) -> float:
        """From the mixer to behind the last cell."""
        return self.heated_ul + self.dead_ul + self.cell_ul

    def flow_ul_min(self, residence_time_s: float) -> float:
        """Total flow for a residence time, µL/min."""
        return 60.0 * self.heated_ul / residence_time_s

    def residence_time_s(self, flow_ul_min: float) -> float:
        """Residence time at a total flow; infinite without flow."""
        return 60.0 * self.heated_ul / flow_ul_min if flow_ul_min > 0 else math.inf


@dataclass(frozen=True)
class Limits:
    """What may be asked of the reactor: °C for each oven, µL/min of total flow (pumps and tubing pressure)."""

    nucleation_temperature: tuple[float, float] = (20.0, 350.0)
    growth_temperature: tuple[float, float] = (20.0, 350.0)
    flow_ul_min: tuple[float, float] = (50.0, 12000.0)


class Solvent(Device):
    """Solvent flush: ``set(volumes)`` is done when that many reactor volumes of solvent have passed."""

    def set(self, volumes: float) -> Move:
        """Flush with a number of swept volumes of solvent, at the flush flow."""
        if not 0 < volumes <= 100:
            raise LimitError(f"{self.name}: {volumes:g} volumes of solvent; between 0 and 100 can be flushed")
        reactor: FlowReactor = self.parent  # type: ignore[assignment]
        return reactor.begin(lambda move: reactor.flush_solvent(move, volumes))


class FlowReactor(Device):
    """The reactor: ``set(condition)`` is done when both ovens dwell and its mixture fills the cells.

    While the ovens travel, solvent flows at standby flow, so that no precursor is spent on waiting. Delivered
    volume is counted by the pumps; no time is slept.

    Parameters
    ----------
    geometry : Geometry
        Volumes and the share of the Cd stream.
    limits : Limits
        What may be asked for.
    flush_volumes : float
        Swept volumes of the new mixture that must pass before a condition counts as reached.
    flush_flow_ul_min : float
        Flow of a solvent flush.
    """

    nucleation = Cpt(Oven, "Oven:Nucleation:LOOP1:", kind=Kind.normal)
    growth = Cpt(Oven, "Oven:Growth:LOOP1:", kind=Kind.normal)
    pump_cd = Cpt(SyringePump, "Pump:Cd:", kind=Kind.normal)
    pump_se = Cpt(SyringePump, "Pump:Se:", kind=Kind.normal)
    pump_solvent = Cpt(SyringePump, "Pump:Solvent:", kind=Kind.normal)
    valve = Cpt(Setpoint, "Reactor:Valve", string=True, kind=Kind.normal, auto_monitor=True)
    pressure = Cpt(EpicsSignalRO, "Reactor:Pressure", kind=Kind.normal, auto_monitor=True)
    standby_flow = Cpt(Setpoint, "Reactor:StandbyFlow", kind=Kind.config)
    standby_temperature = Cpt(Setpoint, "Reactor:StandbyTemperature", kind=Kind.config)
    interlock = Cpt(Interlock, "Reactor:", kind=Kind.normal)
    residence_time = Cpt(AttributeSignal, "residence_time_s", kind=Kind.normal, add_prefix=())
    chamber_ul = Cpt(AttributeSignal, "geometry.chamber_ul", kind=Kind.config, add_prefix=())
    coil_ul = Cpt(AttributeSignal, "geometry.coil_ul", kind=Kind.config, add_prefix=())
    dead_ul = Cpt(AttributeSignal, "geometry.dead_ul", kind=Kind.config, add_prefix=())
    cell_ul = Cpt(AttributeSignal, "geometry.cell_ul", kind=Kind.config, add_prefix=())
    solvent = Cpt(Solvent, "", kind=Kind.omitted)

    clock: Clock = staticmethod(wall_clock)

    def __init__(
        self,
        prefix: str,
        *,
        name: str,
        geometry: Geometry | None = None,
        limits: Limits | None = None,
        flush_volumes: float = 3.0,
        flush_flow_ul_min: float = 2000.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(prefix, name=name, **kwargs)
        self.geometry = geometry or Geometry()
        self.limits = limits or Limits()
        self.flush_volumes = flush_volumes
        self.flush_flow_ul_min = flush_flow_ul_min
        self._move: Move | None = None
        self.nucleation.limits = self.limits.nucleation_temperature
        self.growth.limits = self.limits.growth_temperature

    # -- what may be asked for

    def check_value(self, value: Mapping[str, float], **kwargs: Any) -> None:
        """Refuse a condition the reactor can't do, before anything moves.

        Raises
        ------
        LimitError
            (a ValueError) A key is missing, a value is no finite number, or outside what ovens, pumps and
            tubing can do; it names the value and the limits.
        """
        condition = value
        missing = [key for key in CONDITION_KEYS if key not in condition]
        if missing:
            raise LimitError(f"{self.name}: the condition lacks {', '.join(missing)}")
        for key in CONDITION_KEYS:
            asked = condition[key]
            if isinstance(asked, bool) or not isinstance(asked, (int, float)) or not math.isfinite(asked):
                raise LimitError(f"{self.name}: {key} must be a finite number, not {asked!r}")
        for key in CONDITION_KEYS[:2]:
            low, high = getattr(self.limits, key)
            if not low <= condition[key] <= high:
                raise LimitError(f"{self.name}: {key} {condition[key]:g} °C is outside {low:g} to {high:g} °C")
        slow, fast = self.limits.flow_ul_min
        shortest, longest = (self.geometry.residence_time_s(flow) for flow in (fast, slow))
        if not shortest <= condition["residence_time"] <= longest:
            raise LimitError(
                f"{self.name}: residence_time {condition['residence_time']:g} s is outside {shortest:.3g} to "
                f"{longest:.4g} s, what pumps and tubing pressure allow for {self.geometry.heated_ul:g} µL"
            )

    @property
    def residence_time_s(self) -> float:
        """Residence time at the flow the precursor pumps are set to, s; infinite without flow."""
        flow = number(self.pump_cd.flow_ul_min) + number(self.pump_se.flow_ul_min)
        return self.geometry.residence_time_s(flow)

    # -- moves

    def set(self, condition: Mapping[str, float]) -> Move:
        """Go to a condition: °C, °C and s under the keys of :data:`CONDITION_KEYS`.

        Raises
        ------
        LimitError
            See :meth:`check_value`.
        InterlockTrippedError
            The interlock is tripped; the message says why.
        """
        self.check_value(condition)
        wanted = {key: float(condition[key]) for key in CONDITION_KEYS}
        return self.begin(lambda move: self._go(move, wanted))

    def begin(self, steps: Any) -> Move:
        """Start the steps of a move, giving up the one under way."""
        if self.interlock.tripped:
            raise InterlockTrippedError(
                f"{self.name}: the interlock is tripped ({self.interlock.message.get()}); remove the cause and "
                f"put 1 to {self.interlock.reset.pvname}"
            )
        if self._move is not None:
            self._move.give_up()
        self._move = Move(self, steps, clock=self.clock)
        return self._move

    def _go(self, move: Move, wanted: Mapping[str, float]) -> None:
        targets = {
            self.nucleation: wanted["nucleation_temperature"],
            self.growth: wanted["growth_temperature"],
        }
        if not all(oven.in_band(target) for oven, target in targets.items()):
            self.to_solvent(number(self.standby_flow))
        for oven, target in targets.items():
            oven.ask(target)
        self._dwell(move, targets)
        pumps = (self.pump_cd, self.pump_se)
        before = {pump: number(pump.infused_ul, use_monitor=False) for pump in pumps}
        self._start_mixture(self.geometry.flow_ul_min(wanted["residence_time"]))
        self._pass_volume(move, self.flush_volumes * self.geometry.swept_ul, before, "mixture")
        self._dwell(move, targets, again=True)

    def _dwell(self, move: Move, targets: Mapping[Oven, float], *, again: bool = False) -> None:
        initial = {oven: number(oven.reading) for oven in targets}
        dwells = [Dwell(oven, target) for oven, target in targets.items()]
        if again and all(oven.in_band(target) for oven, target in targets.items()):
            return

        def progress() -> Progress:
            oven = max(targets, key=lambda o: abs(number(o.reading) - targets[o]))
            return Progress(f"{self.name} ovens", initial[oven], number(oven.reading), targets[oven], "°C")

        move.until(
            lambda: sum(dwell.done() for dwell in dwells) == len(dwells),
            timeout_s=max(oven.timeout_s for oven in targets),
            what=" and ".join(f"{oven.name} in band at {target:g} °C" for oven, target in targets.items()),
            progress=progress,
        )

    def _start_mixture(self, flow_ul_min: float) -> None:
        share = self.geometry.cd_fraction
        self.pump_cd.infuse(flow_ul_min * share)
        self.pump_se.infuse(flow_ul_min * (1 - share))
        self.valve.put("Mixture", wait=True)
        self.pump_solvent.halt.put(1, wait=True)

    def to_solvent(self, flow_ul_min: float, *, volume_ul: float = 0.0) -> None:
        """Let solvent flow instead of the mixture, without end or for a volume; blocks for a few round trips."""
        self.pump_solvent.infuse(flow_ul_min, volume_ul=volume_ul)
        self.valve.put("Solvent", wait=True)
        for pump in (self.pump_cd, self.pump_se):
            pump.halt.put(1, wait=True)

    def flush_solvent(self, move: Move, volumes: float) -> None:
        """Steps of a solvent flush: the pump itself ends it; then standby flow."""
        volume_ul = volumes * self.geometry.swept_ul
        before = {self.pump_solvent: number(self.pump_solvent.infused_ul, use_monitor=False)}
        # the pump ends it by itself, a thousandth later, so that its rounding can't keep the flush from ending
        self.to_solvent(self.flush_flow_ul_min, volume_ul=1.001 * volume_ul)
        self._pass_volume(move, volume_ul, before, "solvent")
        self.pump_solvent.infuse(number(self.standby_flow))

    def _pass_volume(self, move: Move, target_ul: float, before: Mapping[SyringePump, float], what: str) -> None:
        flow = sum(number(pump.flow_ul_min) for pump in before)

        def passed() -> float:
            return sum(number(pump.infused_ul) - start for pump, start in before.items())

        seconds = 60.0 * target_ul / flow
        try:
            move.until(
                lambda: passed() >= target_ul,
                timeout_s=3 * seconds + 60.0,
                what=f"the passage of {target_ul:.0f} µL of {what}",
                progress=lambda: Progress(f"{self.name} {what}", 0.0, passed(), target_ul, "µL"),
            )
        except DidNotHappenError as error:
            states = ", ".join(f"{pump.name} {pump.status.get()}" for pump in before)
            raise DidNotHappenError(f"{error}; {passed():.0f} µL passed ({states}; is a syringe empty?)") from error

    def stop(self, *, success: bool = False) -> None:
        """Give up a move and stop spending precursor: solvent at keep-alive flow; ovens hold.

        Immediate and idempotent; with solvent flowing already, or nothing flowing, it changes nothing.
        RunEngine calls it at pauses and at the end of every call, so it never cools the reactor.
        """
        move, self._move = self._move, None
        under_way = move is not None and not move.done
        if move is not None and under_way:
            move.give_up(success=success)
            self.nucleation.hold()
            self.growth.hold()
        if self.interlock.tripped or (self.valve.get() == "Solvent" and not under_way):
            return
        self.pump_solvent.flow_setpoint.put(self.standby_flow.get(), wait=False)
        self.pump_solvent.run.put(1, wait=False)
        self.valve.put("Solvent", wait=False)
        self.pump_cd.stop()
        self.pump_se.stop()
