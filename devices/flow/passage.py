"""What flows through the reactor on its way to a condition, and when the cells hold what was made there."""

import math
from collections.abc import Mapping

from devices.core.move import number
from devices.flow.geometry import ReactorGeometry
from devices.oven import Oven, ask_ovens

__all__ = ["APPROACH_K", "Passage"]

APPROACH_K = 5.0
"""The mixture starts when both ovens are as close as this; the cells hold it later than that by a residence time."""
_TEMPERATURE_RESIDUE = 0.1
"""Share of liquid that may have seen the approach: its mean temperature is then off by half of the tolerance."""


class Passage:
    """The passage of a condition's mixture, counted in µL delivered since it began.

    Two fronts must have passed the last cell: that of the mixture, until only ``residue`` of what was before is left,
    and that of the right temperature, which begins when both ovens are in band; an oven that leaves the band starts
    it again. Once the liquid to be measured has left the coil, the ovens no longer affect it and may ramp on.

    Parameters
    ----------
    geometry : ReactorGeometry
        Volumes of the reactor.
    residue : float
        Share of the liquid before that may be left in the cells.
    targets : mapping
        °C by oven.
    leaves : mapping, optional
        Setpoints of the next condition, °C by oven.
    seen_ul : float
        Volume that passes the cell during the exposures, µL.

    Attributes
    ----------
    nucleation_c, growth_c : float
        Mean readings of the ovens while the liquid that now fills the cells passed them, °C; NaN before.
    left : bool
        Whether the ovens are ramping to the next condition.
    """

    def __init__(
        self,
        geometry: ReactorGeometry,
        residue: float,
        targets: Mapping[Oven, float],
        leaves: Mapping[Oven, float] | None,
        *,
        seen_ul: float,
    ) -> None:
        self.left = False
        self._targets = targets
        self._leaves = leaves if seen_ul < geometry.behind_ul else None
        self._leave_at_ul = geometry.behind_ul - seen_ul
        self._mixture_ul = geometry.front_ul(residue)
        self._temperature_ul = geometry.front_ul(_TEMPERATURE_RESIDUE)
        self._in_band_at_ul: float | None = None
        self._sums = dict.fromkeys(targets, 0.0)
        self._samples = 0

    @staticmethod
    def none() -> "_NoPassage":
        """Return the passage before any liquid has passed: its temperatures are NaN."""
        return _NoPassage()

    @property
    def nucleation_c(self) -> float:
        """Mean reading of the nucleation oven, °C."""
        return self._mean(0)

    @property
    def growth_c(self) -> float:
        """Mean reading of the growth oven, °C."""
        return self._mean(1)

    def _mean(self, number_of_oven: int) -> float:
        return list(self._sums.values())[number_of_oven] / self._samples if self._samples else math.nan

    def in_band(self) -> bool:
        """Return whether both ovens are within the band around their setpoints."""
        return all(oven.in_band(target) for oven, target in self._targets.items())

    def begin(self) -> None:
        """Start counting."""
        self._in_band_at_ul = 0.0 if self.in_band() else None

    def needed_ul(self) -> float:
        """Return the volume that must pass if the ovens are in band from the start, µL."""
        return max(self._mixture_ul, self._temperature_ul)

    def left_ul(self, passed_ul: float) -> float:
        """Return the volume still to pass, µL; send the ovens on once the liquid to be measured has left them."""
        if not self.left:
            self._watch(passed_ul)
        since = passed_ul if self._in_band_at_ul is None else self._in_band_at_ul
        rest = max(self._mixture_ul - passed_ul, since + self._temperature_ul - passed_ul)
        if not self.left and rest <= self._leave_at_ul:
            self.leave()
        return rest

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

    def leave(self) -> None:
        """Send the ovens to the setpoints of the next condition, if there is one."""
        if self._leaves is not None:
            self.left = True
            ask_ovens(self._leaves)


class _NoPassage:
    """No liquid has passed yet."""

    nucleation_c = growth_c = math.nan
