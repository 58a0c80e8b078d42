"""Volumes of the reactor, how residence times spread in it, and what may be asked of it."""

import math
from dataclasses import dataclass
from statistics import NormalDist

__all__ = ["ReactorGeometry", "ReactorLimits"]


@dataclass(frozen=True)
class ReactorGeometry:
    """Volumes, µL, how the flow is shared, and how a front broadens on its way.

    The residence time is that of chamber and coil together at the flow metered at 25 °C.

    Parameters
    ----------
    chamber_ul, coil_ul, dead_ul, cell_ul : float
        Nucleation chamber, growth coil, tubing behind it, cell.
    cd_fraction : float
        Share of the Cd stream.
    spread : float
        Standard deviation over mean of the residence times on the whole path, by a tracer test. For axial dispersion
        it is √(2/Pe); 0.2 is that of Pe = 50.
    """

    chamber_ul: float = 11.5
    coil_ul: float = 240.0
    dead_ul: float = 60.0
    cell_ul: float = 10.0
    cd_fraction: float = 0.5
    spread: float = 0.2

    @property
    def heated_ul(self) -> float:
        """Chamber and coil."""
        return self.chamber_ul + self.coil_ul

    @property
    def behind_ul(self) -> float:
        """From the end of the coil to behind the last cell: what flows there no longer feels the ovens."""
        return self.dead_ul + self.cell_ul

    @property
    def swept_ul(self) -> float:
        """From the mixer to behind the last cell."""
        return self.heated_ul + self.behind_ul

    def flow_ul_min(self, residence_time_s: float) -> float:
        """Total flow for a residence time, µL/min."""
        return 60.0 * self.heated_ul / residence_time_s

    def residence_time_s(self, flow_ul_min: float) -> float:
        """Residence time at a total flow; infinite without flow."""
        return 60.0 * self.heated_ul / flow_ul_min if flow_ul_min > 0 else math.inf

    def front_ul(self, residue: float) -> float:
        """Volume that must pass until no more than ``residue`` (0 to 1) of what was before is left in the last cell.

        The quantile 1 - residue of residence times of axial dispersion, whose spread is σ and skewness 3σ (inverse
        Gaussian), by the Cornish-Fisher expansion: 1 + σ [z + σ (z² - 1)/2]. Levenspiel, Chemical Reaction
        Engineering, ch. 13.
        """
        z = NormalDist().inv_cdf(1.0 - residue)
        return self.swept_ul * (1.0 + self.spread * (z + self.spread * (z * z - 1.0) / 2.0))


@dataclass(frozen=True)
class ReactorLimits:
    """What may be asked of the reactor: °C for each oven, µL/min of total flow (pumps and tubing pressure)."""

    nucleation_temperature: tuple[float, float] = (20.0, 350.0)
    growth_temperature: tuple[float, float] = (20.0, 350.0)
    flow_ul_min: tuple[float, float] = (50.0, 12000.0)
