"""Volume that pumps have delivered together, each its share of the flow."""

from collections.abc import Mapping

from devices.core.move import DidNotHappenError, number
from devices.pump import SyringePump

__all__ = ["Delivery"]

_STANDSTILL_LOOKS = 5


class Delivery:
    """Volume delivered since this object was created.

    Only complete mixture counts, so the slowest pump decides: another pump can't make up for one that has stalled.

    Parameters
    ----------
    shares : mapping
        Share of the flow by pump; they add up to 1.
    """

    def __init__(self, shares: Mapping[SyringePump, float]) -> None:
        self._shares = shares
        self._before = {pump: number(pump.infused_ul, use_monitor=False) for pump in shares}
        self._least = self._most = 0.0
        self._looks = 0

    def __str__(self) -> str:
        """Describe what each pump has delivered."""
        pumps = ", ".join(f"{pump.name} {pump.status.get()}, {self._of(pump):.0f} µL" for pump in self._shares)
        return f"delivered so far: {pumps}; check whether a syringe is empty"

    def _of(self, pump: SyringePump, *, monitored: bool = True) -> float:
        return number(pump.infused_ul, use_monitor=monitored) - self._before[pump]

    def _volumes(self, *, monitored: bool) -> list[float]:
        return [self._of(pump, monitored=monitored) / share for pump, share in self._shares.items()]

    def passed_ul(self) -> float:
        """Return the volume of complete mixture, µL."""
        return min(self._volumes(monitored=True))

    def watch(self, target_ul: float) -> None:
        """Check whether a pump has stalled; call it repeatedly.

        Raises
        ------
        DidNotHappenError
            A pump has delivered less than half of its share of the target, and nothing during the last few counts of
            another pump that has delivered all of its own.
        """
        volumes = self._volumes(monitored=True)
        if max(volumes) < max(target_ul, self._most) or min(volumes) > 0.5 * target_ul:
            return
        # updates of two records arrive one after the other: read both records themselves
        volumes = self._volumes(monitored=False)
        least, most = min(volumes), max(volumes)
        if least > self._least:
            self._looks = 0
        elif most > self._most:
            self._looks += 1
        self._least, self._most = least, max(most, self._most)
        if self._looks > _STANDSTILL_LOOKS:
            raise DidNotHappenError(f"the passage of {target_ul:.0f} µL: a pump has stalled")
