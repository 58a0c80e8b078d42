"""What else flows through the cells than a condition's mixture: solvent, one precursor alone, the sample loop."""

from typing import TYPE_CHECKING, Any, cast

from ophyd import Component as Cpt
from ophyd import Device, Kind
from ophyd.utils import LimitError

from devices.core.move import Move
from devices.core.signals import Setpoint
from devices.flow.delivery import Delivery

if TYPE_CHECKING:
    from devices.flow.reactor import FlowReactor

__all__ = ["SampleLoop", "Stream"]

_MOST_VOLUMES = 100.0
_LOOP_RESIDUE = 0.01


class Stream(Device):
    """One liquid: ``set(volumes)`` is done when that many swept volumes of it have passed.

    Solvent goes on at standby flow then; a precursor at its flow until the reactor is stopped.

    Parameters
    ----------
    position : str
        Of the valve: ``Solvent``, ``Mixture``, ``Cd only`` or ``Se only``.
    """

    def __init__(self, prefix: str, *, name: str, position: str, **kwargs: Any) -> None:
        super().__init__(prefix, name=name, **kwargs)
        self.position = position

    def check_value(self, value: float, **kwargs: Any) -> None:
        """Raise LimitError (a ValueError) for a number of volumes that is not above 0 and at most 100."""
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value <= _MOST_VOLUMES:
            raise LimitError(
                f"{self.name}: {value!r} volumes of {self.position}; they must be above 0, at most {_MOST_VOLUMES:g}"
            )

    def set(self, volumes: float) -> Move:
        """Let a number of swept volumes pass.

        Raises
        ------
        LimitError
            See :meth:`check_value`.
        """
        self.check_value(volumes)
        reactor = cast("FlowReactor", self.parent)
        return reactor.begin(lambda move: reactor.pass_stream(move, self.position, volumes))

    def stop(self, *, success: bool = False) -> None:
        """Stop the reactor, see :meth:`~devices.flow.reactor.FlowReactor.stop`."""
        cast("FlowReactor", self.parent).stop(success=success)


class SampleLoop(Device):
    """The sample loop: ``set("F1")`` fills it anew and is done when its content stands in the cells.

    A loaded loop is pushed by the solvent pump past the reactor; the pump stops by itself, so that the sample stays.
    """

    content = Cpt(Setpoint, "SampleLoop", string=True, kind=Kind.normal, auto_monitor=True)

    def check_value(self, value: str, **kwargs: Any) -> None:
        """Raise LimitError (a ValueError) for a fraction that the loop's record does not know."""
        known = cast("tuple[str, ...]", self.content.enum_strs or ())
        if value not in known:
            raise LimitError(f"{self.name}: there is no fraction {value!r}; the loop knows {', '.join(known)}")

    def set(self, fraction: str) -> Move:
        """Bring a fraction into the cells.

        Raises
        ------
        LimitError
            See :meth:`check_value`.
        """
        self.check_value(fraction)
        reactor = cast("FlowReactor", self.parent)
        return reactor.begin(lambda move: self._inject(move, reactor, fraction))

    def stop(self, *, success: bool = False) -> None:
        """Stop the reactor, see :meth:`~devices.flow.reactor.FlowReactor.stop`."""
        cast("FlowReactor", self.parent).stop(success=success)

    def _inject(self, move: Move, reactor: "FlowReactor", fraction: str) -> None:
        geometry = reactor.geometry
        volume_ul = geometry.front_ul(_LOOP_RESIDUE) * geometry.behind_ul / geometry.swept_ul + geometry.cell_ul
        for pump in (reactor.pump_cd, reactor.pump_se, reactor.pump_solvent):
            pump.halt.put(1, wait=True)
        self.content.put(fraction, wait=True)
        reactor.valve.put("Sample loop", wait=True)
        pump = reactor.pump_solvent
        delivered = Delivery({pump: 1.0})
        # a thousandth more, so that its rounding can't keep the injection from ending
        pump.infuse(reactor.flush_flow_ul_min, volume_ul=1.001 * volume_ul)
        reactor.pass_volume(move, volume_ul, reactor.flush_flow_ul_min, delivered, f"fraction {fraction}")
