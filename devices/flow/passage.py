"""Follow a condition's mixture through the reactor, to know when the cells hold what was made at the condition."""

import math
from collections.abc import Mapping
from typing import NamedTuple

from devices.core.move import number
from devices.flow.geometry import ReactorGeometry
from devices.oven import Oven, put_ovens

__all__ = ["APPROACH_K", "OvenMeans", "Passage"]

APPROACH_K = 5.0
"""The mixture starts when both ovens are this close to their setpoints, K; it reaches the cells some time later."""
_TEMPERATURE_RESIDUE = 0.1
"""Share of the liquid that may have passed the ovens during the approach: their mean temperature is then off by half of
the tolerance."""


class OvenMeans(NamedTuple):
    """Mean oven readings while the liquid that fills the cells passed the ovens, °C; NaN before any has."""

    nucleation_c: float = math.nan
    growth_c: float = math.nan


class Passage:
    """The passage of a condition's mixture, counted in µL delivered since it started.

    Two fronts must pass the last cell: the front of the mixture, until only ``residue`` of the previous liquid is
    left, and the front of liquid made at the right temperature, which starts when both ovens are in band and starts
    again if one leaves it. Once the liquid to be measured has left the coil, the ovens no longer affect it and may
    ramp to the next condition.

    Parameters
    ----------
    geometry : ReactorGeometry
        Volumes of the reactor.
    residue : float
        Share of the previous liquid that may be left in the cells, 0 to 1.
    targets : mapping
        Setpoints of the condition, °C by oven: first nucleation, then growth.
    next_targets : mapping, optional
        Setpoints of the next condition, °C by oven.
    exposed_ul : float
        Volume that passes the cell during the exposures, µL.

    Attributes
    ----------
    ovens_sent_on : bool
        Whether the ovens have been sent to the next condition.
    """

    def __init__(
        self,
        geometry: ReactorGeometry,
        residue: float,
        targets: Mapping[Oven, float],
        next_targets: Mapping[Oven, float] | None,
        *,
        exposed_ul: float,
    ) -> None:
        self.ovens_sent_on = False
        self._targets = targets
        self._next_targets = next_targets if exposed_ul < geometry.behind_ul else None
        self._send_on_at_ul = geometry.behind_ul - exposed_ul
        self._mixture_ul = geometry.front_ul(residue)
        self._temperature_ul = geometry.front_ul(_TEMPERATURE_RESIDUE)
        self._in_band_at_ul: float | None = None
        self._sums = dict.fromkeys(targets, 0.0)
        self._samples = 0

    def oven_means(self) -> OvenMeans:
        """Return the mean readings of the ovens since they came into band, °C; NaN if they are not in band."""
        if not self._samples:
            return OvenMeans()
        return OvenMeans(*(total / self._samples for total in self._sums.values()))

    def in_band(self) -> bool:
        """Return whether both ovens are within the band around their setpoints."""
        return all(oven.in_band(target) for oven, target in self._targets.items())

    def begin(self) -> None:
        """Start counting."""
        self._in_band_at_ul = 0.0 if self.in_band() else None

    def needed_ul(self) -> float:
        """Return the volume that must pass if the ovens are in band from the start, µL."""
        return max(self._mixture_ul, self._temperature_ul)

    def remaining_ul(self, passed_ul: float) -> float:
        """Return the volume still to pass, µL; send the ovens on once the liquid to be measured has left the coil."""
        if not self.ovens_sent_on:
            self._watch(passed_ul)
        in_band_at_ul = passed_ul if self._in_band_at_ul is None else self._in_band_at_ul
        remaining = max(self._mixture_ul - passed_ul, in_band_at_ul + self._temperature_ul - passed_ul)
        if not self.ovens_sent_on and remaining <= self._send_on_at_ul:
            self.send_ovens_on()
        return remaining

    def _watch(self, passed_ul: float) -> None:
        if not self.in_band():
            self._in_band_at_ul, self._samples = None, 0
            self._sums = dict.fromkeys(self._targets, 0.0)
            return
        if self._in_band_at_ul is None:
            self._in_band_at_ul = passed_ul
        self._samples += 1
        for oven in self._targets:
            self._sums[oven] += number(oven.reading)

    def send_ovens_on(self) -> None:
        """Send the ovens to the setpoints of the next condition, if there is one."""
        if self._next_targets is not None:
            self.ovens_sent_on = True
            put_ovens(self._next_targets)
