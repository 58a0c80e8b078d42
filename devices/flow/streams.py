"""Liquids other than a condition's mixture: solvent, a precursor alone, the content of the sample loop."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol, cast

from ophyd import Component as Cpt
from ophyd import Device, Kind
from ophyd.utils import LimitError

from devices.core.move import Move, number
from devices.core.signals import Setpoint
from devices.flow.delivery import Delivery
from devices.flow.geometry import ReactorGeometry
from devices.pump import SyringePump

__all__ = ["InjectionLoop", "LiquidStream"]

_MOST_VOLUMES = 100.0
_LOOP_RESIDUE = 0.01


class _Reactor(Protocol):
    """What the streams use of the reactor that they are components of."""

    geometry: ReactorGeometry
    flush_flow_ul_min: float
    pump_cd: SyringePump
    pump_se: SyringePump
    pump_solvent: SyringePump
    standby_flow: Setpoint
    valve: Setpoint

    def begin(self, steps: Callable[[Move], None]) -> Move: ...
    def stop(self, *, success: bool = False) -> None: ...
    def forget_filling(self) -> None: ...
    def prepare_flow(self, position: str, flow_ul_min: float) -> dict[SyringePump, float]: ...
    def start_flow(self, position: str, pumps: Sequence[SyringePump]) -> None: ...
    def to_solvent(self, flow_ul_min: float, *, volume_ul: float = 0.0) -> None: ...
    def pass_volume(self, move: Move, target_ul: float, flow_ul_min: float, delivered: Delivery, what: str) -> None: ...


class _ReactorStream(Device):
    """A component that moves liquid by its reactor, and stops by stopping the reactor."""

    @property
    def _reactor(self) -> _Reactor:
        return cast("_Reactor", self.parent)

    def stop(self, *, success: bool = False) -> None:
        """Stop the reactor: solvent at standby flow, ovens hold."""
        self._reactor.stop(success=success)


class LiquidStream(_ReactorStream):
    """One liquid: ``set(volumes)`` is done when that many swept volumes of it have passed.

    Solvent then continues at standby flow, a precursor at its flow until the reactor is stopped.

    Parameters
    ----------
    position : str
        Position of the valve: ``Solvent``, ``Mixture``, ``Cd only`` or ``Se only``.
    """

    def __init__(self, prefix: str, *, name: str, position: str, **kwargs: Any) -> None:
        super().__init__(prefix, name=name, **kwargs)
        self.position = position

    def check_value(self, value: float, **kwargs: Any) -> None:
        """Raise LimitError (a ValueError) unless the number of volumes is above 0 and at most 100."""
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value <= _MOST_VOLUMES:
            raise LimitError(
                f"{self.name}: volumes of {self.position} must be above 0 and at most {_MOST_VOLUMES:g}, not {value!r}"
            )

    def set(self, volumes: float) -> Move:
        """Pass a number of swept volumes through the reactor.

        Raises
        ------
        LimitError
            See :meth:`check_value`.
        """
        self.check_value(volumes)
        return self._reactor.begin(lambda move: self._pass(move, self._reactor, volumes))

    def _pass(self, move: Move, reactor: _Reactor, volumes: float) -> None:
        reactor.forget_filling()
        flow_ul_min, volume_ul = reactor.flush_flow_ul_min, volumes * reactor.geometry.swept_ul
        if self.position == "Solvent":
            delivered = Delivery({reactor.pump_solvent: 1.0})
            # the pump stops at its target volume: 0.1 % more, so that rounding can't leave the flush unfinished
            reactor.to_solvent(flow_ul_min, volume_ul=1.001 * volume_ul)
        else:
            shares = reactor.prepare_flow(self.position, flow_ul_min)
            delivered = Delivery(shares)
            reactor.start_flow(self.position, list(shares))
        reactor.pass_volume(move, volume_ul, flow_ul_min, delivered, self.position.lower())
        if self.position == "Solvent":
            reactor.pump_solvent.infuse(number(reactor.standby_flow))


class InjectionLoop(_ReactorStream):
    """The sample loop: ``set("F1")`` refills it and is done when its content is in the cells.

    The solvent pump pushes the content to the cells, bypassing the reactor, and stops by itself, so that the sample
    stays there.
    """

    content = Cpt(Setpoint, "SampleLoop", string=True, kind=Kind.normal, auto_monitor=True)

    def check_value(self, value: str, **kwargs: Any) -> None:
        """Raise LimitError (a ValueError) for a fraction that the loop's record does not list."""
        known = cast("tuple[str, ...]", self.content.enum_strs or ())
        if value not in known:
            raise LimitError(f"{self.name}: there is no fraction {value!r}; choose one of {', '.join(known)}")

    def set(self, fraction: str) -> Move:
        """Bring a fraction into the cells.

        Raises
        ------
        LimitError
            See :meth:`check_value`.
        """
        self.check_value(fraction)
        return self._reactor.begin(lambda move: self._inject(move, self._reactor, fraction))

    def _inject(self, move: Move, reactor: _Reactor, fraction: str) -> None:
        geometry = reactor.geometry
        volume_ul = geometry.front_ul(_LOOP_RESIDUE) * geometry.behind_ul / geometry.swept_ul + geometry.cell_ul
        for pump in (reactor.pump_cd, reactor.pump_se, reactor.pump_solvent):
            pump.halt.put(1, wait=True)
        self.content.put(fraction, wait=True)
        reactor.valve.put("Sample loop", wait=True)
        pump = reactor.pump_solvent
        delivered = Delivery({pump: 1.0})
        # 0.1 % more, so that rounding can't leave the injection unfinished
        pump.infuse(reactor.flush_flow_ul_min, volume_ul=1.001 * volume_ul)
        reactor.pass_volume(move, volume_ul, reactor.flush_flow_ul_min, delivered, f"fraction {fraction}")
