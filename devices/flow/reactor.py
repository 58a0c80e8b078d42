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
from devices.flow.passage import APPROACH_K, OvenMeans, Passage
from devices.flow.streams import InjectionLoop, LiquidStream
from devices.oven import Dwell, Oven, put_ovens
from devices.pump import SyringePump, prepare_pumps

__all__ = ["FlowReactor", "InterlockTrippedError"]

CONDITION_KEYS = ("nucleation_temperature", "growth_temperature", "residence_time")
_FAR_K = 30.0
_SETTLE_S = 300.0


class InterlockTrippedError(RuntimeError):
    """The reactor was set while its interlock was tripped."""


class FlowReactor(Device):
    """The flow reactor: ``set(condition)`` is done when the liquid in the cells was made at that condition.

    While the ovens ramp, solvent flows at standby flow, to save precursor. The mixture starts when the ovens are
    almost at their setpoints. The volume that has passed since, by the pumps' counters, then decides when the
    condition is reached (see :class:`~devices.flow.passage.Passage`).

    A condition may name the oven temperatures of the next one, ``"then": (nucleation, growth)`` in °C, and how long
    the cells will be measured, ``"exposure_s"``. The ovens then ramp to the next condition as soon as the liquid to
    be measured has left the coil.

    Parameters
    ----------
    geometry : ReactorGeometry
        Volumes of the reactor and the share of the Cd stream.
    limits : ReactorLimits
        Limits of temperatures and flow.
    residue : float
        Share of the previous liquid that may be left in the cells when a condition counts as reached, 0 to 1.
    flush_flow_ul_min : float
        Flow of a solvent flush, and of a single precursor.
    syringe_ul : float
        Capacity of each syringe.
    heating_k_min, cooling_s : float
        Ramp rate of the ovens, K/min, and time constant of their cooling in air, s. Plans use them to estimate times.
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
        self.made_at = OvenMeans()
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

    # -- limits

    def check_value(self, value: Mapping[str, Any], **kwargs: Any) -> None:
        """Refuse a condition that the reactor can't reach, before anything moves.

        Raises
        ------
        LimitError
            (a ValueError) A key is missing, or a value is not a finite number or outside the limits of ovens, pumps
            or tubing; the message names the value and the limits.
        """
        condition = value
        missing = [key for key in CONDITION_KEYS if key not in condition]
        if missing:
            raise LimitError(f"{self.name}: the condition lacks {', '.join(missing)}")
        for key in CONDITION_KEYS:
            entry = condition[key]
            if isinstance(entry, bool) or not isinstance(entry, (int, float)) or not math.isfinite(entry):
                raise LimitError(f"{self.name}: {key} must be a finite number, not {entry!r}")
        for key in CONDITION_KEYS[:2]:
            low, high = getattr(self.limits, key)
            if not low <= condition[key] <= high:
                raise LimitError(f"{self.name}: {key} {condition[key]:g} °C is outside {low:g} to {high:g} °C")
        slow, fast = self.limits.flow_ul_min
        shortest, longest = (self.geometry.residence_time_s(flow) for flow in (fast, slow))
        if not shortest <= condition["residence_time"] <= longest:
            raise LimitError(
                f"{self.name}: residence_time {condition['residence_time']:g} s is outside {shortest:.3g} to "
                f"{longest:.4g} s, the limits that pumps and tubing pressure set for {self.geometry.heated_ul:g} µL"
            )

    @property
    def flush_volumes(self) -> float:
        """Swept volumes of mixture needed to fill the cells for a new condition."""
        return self.geometry.front_ul(self.residue) / self.geometry.swept_ul

    @property
    def residence_time_s(self) -> float:
        """Residence time at the present flow of the precursor pumps, s; infinite without flow."""
        flow = number(self.pump_cd.flow_ul_min) + number(self.pump_se.flow_ul_min)
        return self.geometry.residence_time_s(flow)

    # -- moves

    def set(self, condition: Mapping[str, Any]) -> Move:
        """Go to a condition, given in °C, °C and s under the keys of :data:`CONDITION_KEYS`.

        The status is done at once if the mixture of this condition fills the cells already.

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
        """Start a move; one that is under way is ended first, and its status is done without failing."""
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
        next_targets = None if then is None else dict(zip(targets, then, strict=True))
        exposed_ul = flow * exposure_s / 60.0
        passage = Passage(self.geometry, self.residue, targets, next_targets, exposed_ul=exposed_ul)
        if self._filled_with == wanted and self._mixture_flows() and passage.in_band():
            passage.send_ovens_on()
            self._note(passage, wanted)
            return
        self._filled_with = None
        gap = max(abs(number(oven.reading) - target) for oven, target in targets.items())
        if gap > APPROACH_K:
            self.to_solvent(number(self.standby_flow))
        self._ovens_travel = True
        put_ovens(targets)
        shares = self.prepare_flow("Mixture", flow)
        self._await_ovens(move, targets, settled=gap > _FAR_K)
        delivered = Delivery(shares)
        self.start_flow("Mixture", list(shares))
        passage.begin()
        self.pass_volume(move, passage.needed_ul(), flow, delivered, "mixture", remaining_ul=passage.remaining_ul)
        self.made_at = passage.oven_means()
        self._note(passage, wanted)

    def _note(self, passage: Passage, wanted: Mapping[str, float]) -> None:
        self._ovens_travel = passage.ovens_sent_on
        self._filled_with = None if passage.ovens_sent_on else dict(wanted)

    def _await_ovens(self, move: Move, targets: Mapping[Oven, float], *, settled: bool) -> None:
        """Wait until both ovens are near their setpoints, or after a long ramp, which overshoots, until they settle."""
        initial = {oven: number(oven.reading) for oven in targets}
        dwells = [Dwell(oven, target) for oven, target in targets.items()]

        def reached() -> bool:
            if settled:
                return sum(dwell.done() for dwell in dwells) == len(dwells)
            return all(abs(number(oven.reading) - target) <= APPROACH_K for oven, target in targets.items())

        def progress() -> Progress:
            oven = max(targets, key=lambda o: abs(number(o.reading) - targets[o]))
            return oven.progress(initial[oven], targets[oven], f"{self.name} ovens")

        move.until(
            reached,
            timeout_s=max(oven.timeout_s for oven in targets),
            what=" and ".join(f"{oven.name} in band at {target:g} °C" for oven, target in targets.items()),
            progress=progress,
        )

    def _mixture_flows(self) -> bool:
        pumps = (self.pump_cd, self.pump_se)
        return self.valve.get() == "Mixture" and all(pump.status.get() == "Infusing" for pump in pumps)

    def prepare_flow(self, position: str, flow_ul_min: float) -> dict[SyringePump, float]:
        """Set the flows of the precursor pumps for a valve position; return each pump's share of the flow."""
        share = self.geometry.cd_fraction
        shares = {
            "Mixture": {self.pump_cd: share, self.pump_se: 1 - share},
            "Cd only": {self.pump_cd: 1.0},
            "Se only": {self.pump_se: 1.0},
        }[position]
        prepare_pumps({pump: flow_ul_min * part for pump, part in shares.items()})
        return shares

    def start_flow(self, position: str, pumps: Sequence[SyringePump]) -> None:
        """Start precursor pumps, turn the valve to their position, and stop the other pumps."""
        for pump in pumps[:-1]:
            pump.run.put(1, wait=False)
        # puts are answered in order: wait for the last one only, as liquid flows during each round trip
        pumps[-1].run.put(1, wait=True)
        self.valve.put(position, wait=True)
        for pump in {self.pump_cd, self.pump_se, self.pump_solvent} - set(pumps):
            pump.halt.put(1, wait=False)

    def to_solvent(self, flow_ul_min: float, *, volume_ul: float = 0.0) -> None:
        """Switch from mixture to solvent, indefinitely or for a volume; blocks for a few round trips."""
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
        remaining_ul: Callable[[float], float] | None = None,
    ) -> None:
        """Wait until the pumps have delivered a volume, each its share.

        ``remaining_ul`` returns the volume still to pass from the volume that has passed; by default it is the
        difference from the target.

        Raises
        ------
        DidNotHappenError
            It took more than three times as long as expected, or a pump stalled while another delivered all of its
            share; the message gives the state of the pumps.
        """
        to_pass_ul = remaining_ul or (lambda passed_ul: target_ul - passed_ul)

        def passed() -> bool:
            delivered.watch(target_ul)
            return to_pass_ul(delivered.passed_ul()) <= 0.0

        def progress() -> Progress:
            passed_ul = delivered.passed_ul()
            rest_ul = max(to_pass_ul(passed_ul), 0.0)
            seconds_left = 60.0 * rest_ul / flow_ul_min
            return Progress(f"{self.name} {what}", 0.0, passed_ul, passed_ul + rest_ul, "µL", seconds_left)

        try:
            move.until(
                passed,
                timeout_s=3 * 60.0 * target_ul / flow_ul_min + (60.0 if remaining_ul is None else _SETTLE_S),
                what=f"the passage of {target_ul:.0f} µL of {what}",
                progress=progress,
            )
        except DidNotHappenError as error:
            raise DidNotHappenError(f"{error}; {delivered}") from error

    def forget_filling(self) -> None:
        """Forget which condition fills the cells, as another liquid is on its way."""
        self._filled_with = None

    def take_over(self) -> None:
        """Make safe what an earlier session left running: solvent at standby flow, ovens to standby.

        If the interlock is tripped, the IOC has done so already.
        """
        if self.interlock.tripped:
            return
        self.to_solvent(number(self.standby_flow))
        put_ovens(dict.fromkeys((self.nucleation, self.growth), number(self.standby_temperature)))

    def stop(self, *, success: bool = False) -> None:
        """Give up a move and stop the precursors: solvent at standby flow, ovens hold.

        Takes a few round trips and is idempotent; it changes nothing if only solvent, or nothing, flows already.
        RunEngine calls it at pauses and at the end of every plan, so it never cools the reactor, and leaves alone
        ovens that were sent to a temperature by other means.
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
        # read the record: a move that has just ended may have turned the valve since the last update
        if not under_way and "Infusing" not in precursors and self.valve.get(use_monitor=False) == "Solvent":
            return
        self.pump_solvent.flow_setpoint.put(self.standby_flow.get(), wait=False)
        self.pump_solvent.run.put(1, wait=False)
        self.valve.put("Solvent", wait=False)
        self.pump_cd.halt.put(1, wait=False)
        self.pump_se.halt.put(1, wait=False)
