"""The flow reactor as one device: pumps, ovens, valve, pressure and interlock."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ophyd import Component as Cpt
from ophyd import Device, EpicsSignalRO, Kind
from ophyd.signal import AttributeSignal
from ophyd.utils import LimitError

from devices.core.move import Clock, DidNotHappenError, Move, Progress, number, wall_clock
from devices.core.signals import Setpoint
from devices.flow.delivery import Delivery
from devices.flow.geometry import ReactorGeometry, ReactorLimits
from devices.flow.interlock import Interlock
from devices.flow.passage import APPROACH_K, Passage
from devices.flow.streams import InjectionLoop, LiquidStream
from devices.oven import Dwell, Oven, ask_ovens
from devices.pump import SyringePump, prepare_pumps

__all__ = ["FlowReactor", "InterlockTrippedError"]

CONDITION_KEYS = ("nucleation_temperature", "growth_temperature", "residence_time")
_FAR_K = 30.0
_SETTLE_S = 300.0


class InterlockTrippedError(RuntimeError):
    """The reactor can't be moved while its interlock is tripped."""


class FlowReactor(Device):
    """The reactor: ``set(condition)`` is done when what fills the cells was made at that condition.

    While the ovens travel, solvent flows at standby flow, so that no precursor is spent on waiting. The mixture
    starts when they are almost there; what counts is what has passed since, by the pumps' counters
    (see :class:`~devices.flow.passage.Passage`): no time is slept.

    A condition may name the one that comes after it, ``"then": (nucleation, growth)`` in °C, and for how long the
    cells will be looked at, ``"exposure_s"``: the ovens leave for it as soon as the liquid to be measured has left the
    coil and no longer feels them.

    Parameters
    ----------
    geometry : ReactorGeometry
        Volumes and the share of the Cd stream.
    limits : ReactorLimits
        What may be asked for.
    residue : float
        Share of what flowed before that may be left in the cells when a condition counts as reached.
    flush_flow_ul_min : float
        Flow of a solvent flush, and of a precursor alone.
    syringe_ul : float
        Capacity of each syringe.
    heating_k_min, cooling_s : float
        Ramp of the ovens, K/min, and the time constant of their cooling by air, s: what plans reckon with.
    """

    nucleation = Cpt(Oven, "Oven:Nucleation:LOOP1:", kind=Kind.normal)
    growth = Cpt(Oven, "Oven:Growth:LOOP1:", kind=Kind.normal)
    pump_cd = Cpt(SyringePump, "Pump:Cd:", kind=Kind.normal)
    pump_se = Cpt(SyringePump, "Pump:Se:", kind=Kind.normal)
    pump_solvent = Cpt(SyringePump, "Pump:Solvent:", kind=Kind.normal)
    valve = Cpt(Setpoint, "Reactor:Valve", string=True, kind=Kind.normal, auto_monitor=True)
    pressure = Cpt(EpicsSignalRO, "Reactor:Pressure", kind=Kind.normal, auto_monitor=True)
    ring_current = Cpt(EpicsSignalRO, "Reactor:RingCurrent", kind=Kind.normal, auto_monitor=True)
    standby_flow = Cpt(Setpoint, "Reactor:StandbyFlow", kind=Kind.config, auto_monitor=True)
    standby_temperature = Cpt(Setpoint, "Reactor:StandbyTemperature", kind=Kind.config, auto_monitor=True)
    interlock = Cpt(Interlock, "Reactor:", kind=Kind.normal)
    loop = Cpt(InjectionLoop, "Reactor:", kind=Kind.normal)
    residence_time = Cpt(AttributeSignal, "residence_time_s", kind=Kind.hinted, add_prefix=(), write_access=False)
    made_at_nucleation = Cpt(AttributeSignal, "made_at.nucleation_c", kind=Kind.normal, add_prefix=())
    made_at_growth = Cpt(AttributeSignal, "made_at.growth_c", kind=Kind.normal, add_prefix=())
    chamber_ul = Cpt(AttributeSignal, "geometry.chamber_ul", kind=Kind.config, add_prefix=())
    coil_ul = Cpt(AttributeSignal, "geometry.coil_ul", kind=Kind.config, add_prefix=())
    dead_ul = Cpt(AttributeSignal, "geometry.dead_ul", kind=Kind.config, add_prefix=())
    cell_ul = Cpt(AttributeSignal, "geometry.cell_ul", kind=Kind.config, add_prefix=())
    solvent = Cpt(LiquidStream, "", position="Solvent", kind=Kind.omitted)
    mixture = Cpt(LiquidStream, "", position="Mixture", kind=Kind.omitted)
    cd_only = Cpt(LiquidStream, "", position="Cd only", kind=Kind.omitted)
    se_only = Cpt(LiquidStream, "", position="Se only", kind=Kind.omitted)

    clock: Clock = staticmethod(wall_clock)

    def __init__(
        self,
        prefix: str,
        *,
        name: str,
        geometry: ReactorGeometry | None = None,
        limits: ReactorLimits | None = None,
        residue: float = 0.01,
        flush_flow_ul_min: float = 2000.0,
        syringe_ul: float = 100_000.0,
        heating_k_min: float = 60.0,
        cooling_s: float = 280.0,
        **kwargs: Any,
    ) -> None:
        self.geometry = geometry or ReactorGeometry()
        self.made_at = Passage.none()
        super().__init__(prefix, name=name, **kwargs)
        self.limits = limits or ReactorLimits()
        self.residue = residue
        self.flush_flow_ul_min = flush_flow_ul_min
        self.heating_k_min, self.cooling_s = heating_k_min, cooling_s
        self._move: Move | None = None
        self._filled_with: dict[str, float] | None = None
        self._ovens_travel = False
        self.nucleation.limits = self.limits.nucleation_temperature
        self.growth.limits = self.limits.growth_temperature
        for pump in (self.pump_cd, self.pump_se, self.pump_solvent):
            pump.capacity_ul = syringe_ul
            pump.refill_flow_ul_min = syringe_ul / 5.0

    # -- what may be asked for

    def check_value(self, value: Mapping[str, Any], **kwargs: Any) -> None:
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
    def flush_volumes(self) -> float:
        """Swept volumes of the mixture that a new condition takes."""
        return self.geometry.front_ul(self.residue) / self.geometry.swept_ul

    @property
    def residence_time_s(self) -> float:
        """Residence time at the flow the precursor pumps are set to, s; infinite without flow."""
        flow = number(self.pump_cd.flow_ul_min) + number(self.pump_se.flow_ul_min)
        return self.geometry.residence_time_s(flow)

    # -- moves

    def set(self, condition: Mapping[str, Any]) -> Move:
        """Go to a condition: °C, °C and s under the keys of :data:`CONDITION_KEYS`.

        Where its mixture fills the cells already and nothing was stopped since, it is done at once.

        Raises
        ------
        LimitError
            See :meth:`check_value`.
        InterlockTrippedError
            The interlock is tripped; the message says why.
        """
        self.check_value(condition)
        wanted = {key: float(condition[key]) for key in CONDITION_KEYS}
        then = condition.get("then")
        if then is not None:
            then = [float(temperature) for temperature in then]
            for oven, temperature in zip((self.nucleation, self.growth), then, strict=True):
                oven.check_value(temperature)
        exposure_s = float(condition.get("exposure_s", 0.0))
        return self.begin(lambda move: self._go(move, wanted, then, exposure_s))

    def begin(self, steps: Callable[[Move], None]) -> Move:
        """Start the steps of a move in place of the one under way, whose status is done then without failing."""
        self._check_interlock()
        if self._move is not None:
            self._move.end(success=True)
        self._ovens_travel = False
        self._move = Move(self, steps, clock=self.clock, check=self._check_interlock)
        return self._move

    def _check_interlock(self) -> None:
        if self.interlock.tripped:
            raise InterlockTrippedError(
                f"{self.name}: the interlock is tripped ({self.interlock.message.get()}); remove the cause and "
                f"put 1 to {self.interlock.reset.pvname}"
            )

    def _go(self, move: Move, wanted: Mapping[str, float], then: Sequence[float] | None, exposure_s: float) -> None:
        targets = {
            self.nucleation: wanted["nucleation_temperature"],
            self.growth: wanted["growth_temperature"],
        }
        flow = self.geometry.flow_ul_min(wanted["residence_time"])
        leaves = None if then is None else dict(zip(targets, then, strict=True))
        passage = Passage(self.geometry, self.residue, targets, leaves, seen_ul=flow * exposure_s / 60.0)
        if self._filled_with == wanted and self._mixture_flows() and passage.in_band():
            passage.leave()
            self._note(passage, wanted)
            return
        self._filled_with = None
        gap = max(abs(number(oven.reading) - target) for oven, target in targets.items())
        if gap > APPROACH_K:
            self.to_solvent(number(self.standby_flow))
        self._ovens_travel = True
        ask_ovens(targets)
        shares = self.prepare_flow("Mixture", flow)
        self._await_ovens(move, targets, settled=gap > _FAR_K)
        delivered = Delivery(shares)
        self.start_flow("Mixture", list(shares))
        passage.begin()
        self.pass_volume(move, passage.needed_ul(), flow, delivered, "mixture", left=passage.left_ul)
        self.made_at = passage
        self._note(passage, wanted)

    def _note(self, passage: Passage, wanted: Mapping[str, float]) -> None:
        self._ovens_travel = passage.left
        self._filled_with = None if passage.left else dict(wanted)

    def _await_ovens(self, move: Move, targets: Mapping[Oven, float], *, settled: bool) -> None:
        """Wait until both ovens are almost there; after a long way, which they overshoot, until they have dwelt."""
        initial = {oven: number(oven.reading) for oven in targets}
        dwells = [Dwell(oven, target) for oven, target in targets.items()]

        def there() -> bool:
            if settled:
                return sum(dwell.done() for dwell in dwells) == len(dwells)
            return all(abs(number(oven.reading) - target) <= APPROACH_K for oven, target in targets.items())

        def progress() -> Progress:
            oven = max(targets, key=lambda o: abs(number(o.reading) - targets[o]))
            return oven.progress(initial[oven], targets[oven], f"{self.name} ovens")

        move.until(
            there,
            timeout_s=max(oven.timeout_s for oven in targets),
            what=" and ".join(f"{oven.name} in band at {target:g} °C" for oven, target in targets.items()),
            progress=progress,
        )

    def _mixture_flows(self) -> bool:
        pumps = (self.pump_cd, self.pump_se)
        return self.valve.get() == "Mixture" and all(pump.status.get() == "Infusing" for pump in pumps)

    def prepare_flow(self, position: str, flow_ul_min: float) -> dict[SyringePump, float]:
        """Set the flows of the precursors for a valve position, both or one; return each pump's share of the flow."""
        share = self.geometry.cd_fraction
        shares = {
            "Mixture": {self.pump_cd: share, self.pump_se: 1 - share},
            "Cd only": {self.pump_cd: 1.0},
            "Se only": {self.pump_se: 1.0},
        }[position]
        prepare_pumps({pump: flow_ul_min * part for pump, part in shares.items()})
        return shares

    def start_flow(self, position: str, pumps: Sequence[SyringePump]) -> None:
        """Start precursor pumps, turn the valve to their position and stop the other pumps."""
        for pump in pumps[:-1]:
            pump.run.put(1, wait=False)
        # answered in their order: once for all pumps, as each is a round trip with liquid flowing
        pumps[-1].run.put(1, wait=True)
        self.valve.put(position, wait=True)
        for pump in {self.pump_cd, self.pump_se, self.pump_solvent} - set(pumps):
            pump.halt.put(1, wait=False)

    def to_solvent(self, flow_ul_min: float, *, volume_ul: float = 0.0) -> None:
        """Let solvent flow instead of the mixture, without end or for a volume; blocks for a few round trips."""
        self.pump_solvent.infuse(flow_ul_min, volume_ul=volume_ul)
        self.valve.put("Solvent", wait=True)
        for pump in (self.pump_cd, self.pump_se):
            pump.halt.put(1, wait=True)

    def pass_volume(
        self,
        move: Move,
        target_ul: float,
        flow_ul_min: float,
        delivered: Delivery,
        what: str,
        *,
        left: Callable[[float], float] | None = None,
    ) -> None:
        """Wait until a volume has been delivered at a flow, by each pump its share.

        ``left`` tells from what has passed how much has still to, where that is not simply the rest.

        Raises
        ------
        DidNotHappenError
            It has not within three times as long as it should take, or a pump stands still while another has delivered
            all of its share; the message says what the pumps do.
        """
        still = left or (lambda passed_ul: target_ul - passed_ul)

        def there() -> bool:
            delivered.watch(target_ul)
            return still(delivered.passed_ul()) <= 0.0

        def progress() -> Progress:
            gone = delivered.passed_ul()
            rest = max(still(gone), 0.0)
            return Progress(f"{self.name} {what}", 0.0, gone, gone + rest, "µL", 60.0 * rest / flow_ul_min)

        try:
            move.until(
                there,
                timeout_s=3 * 60.0 * target_ul / flow_ul_min + (_SETTLE_S if left else 60.0),
                what=f"the passage of {target_ul:.0f} µL of {what}",
                progress=progress,
            )
        except DidNotHappenError as error:
            raise DidNotHappenError(f"{error}; {delivered}") from error

    def forget_filling(self) -> None:
        """Count no condition as filling the cells any more, as another liquid is on its way."""
        self._filled_with = None

    def take_over(self) -> None:
        """End what a session that has died left: solvent at keep-alive flow, ovens to standby.

        Under a tripped interlock the IOC has done so.
        """
        if self.interlock.tripped:
            return
        self.to_solvent(number(self.standby_flow))
        ask_ovens(dict.fromkeys((self.nucleation, self.growth), number(self.standby_temperature)))

    def stop(self, *, success: bool = False) -> None:
        """Give up a move and stop spending precursor: solvent at keep-alive flow; ovens hold.

        Quick (a few round trips) and idempotent; with solvent flowing already, or nothing flowing, it changes nothing.
        RunEngine calls it at pauses and at the end of every call, so it never cools the reactor, and ovens that
        others have sent to a temperature go there.
        """
        move, self._move = self._move, None
        self._filled_with = None
        under_way = move is not None and not move.done
        if move is not None:
            move.end(success=success)
        if self.interlock.tripped:
            return
        if self._ovens_travel:
            self._ovens_travel = False
            self.nucleation.hold()
            self.growth.hold()
        precursors = [pump.status.get() for pump in (self.pump_cd, self.pump_se)]
        # asked of the record: a move that has just ended may have turned the valve since its last update
        if not under_way and "Infusing" not in precursors and self.valve.get(use_monitor=False) == "Solvent":
            return
        self.pump_solvent.flow_setpoint.put(self.standby_flow.get(), wait=False)
        self.pump_solvent.run.put(1, wait=False)
        self.valve.put("Solvent", wait=False)
        self.pump_cd.halt.put(1, wait=False)
        self.pump_se.halt.put(1, wait=False)
