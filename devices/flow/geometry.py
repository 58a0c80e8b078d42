"""Volumes of the reactor, spread of its residence times, and limits of its setpoints."""

import math
from dataclasses import dataclass
from statistics import NormalDist

__all__ = ["ReactorGeometry", "ReactorLimits"]


@dataclass(frozen=True)
class ReactorGeometry:
    """Volumes of the reactor in µL, the share of the Cd stream, and the spread of residence times.

    The residence time is that in chamber and coil together, at the flow metered at 25 °C.

    Parameters
    ----------
    chamber_ul, coil_ul, dead_ul, cell_ul : float
        Volumes of nucleation chamber, growth coil, tubing behind the coil, and cell.
    cd_fraction : float
        Share of the flow that is Cd precursor, 0 to 1.
    spread : float
        Relative standard deviation of the residence times over the whole path, from a tracer test. For axial
        dispersion it is √(2/Pe); 0.2 corresponds to Pe = 50.
    """

    chamber_ul: float = 11.5
    coil_ul: float = 240.0
    dead_ul: float = 60.0
    cell_ul: float = 10.0
    cd_fraction: float = 0.5
    spread: float = 0.2

    @property
    def heated_ul(self) -> float:
        """Volume of chamber and coil, µL."""
        return self.chamber_ul + self.coil_ul

    @property
    def behind_ul(self) -> float:
        """Volume from the end of the coil to behind the last cell, µL; liquid there is past the ovens."""
        return self.dead_ul + self.cell_ul

    @property
    def swept_ul(self) -> float:
        """Volume from the mixer to behind the last cell, µL."""
        return self.heated_ul + self.behind_ul

    def flow_ul_min(self, residence_time_s: float) -> float:
        """Return the total flow for a residence time, µL/min."""
        return 60.0 * self.heated_ul / residence_time_s

    def residence_time_s(self, flow_ul_min: float) -> float:
        """Return the residence time at a total flow, s; infinite without flow."""
        return 60.0 * self.heated_ul / flow_ul_min if flow_ul_min > 0 else math.inf

    def front_ul(self, residue: float) -> float:
        """Return the volume, µL, after which at most ``residue`` (0 to 1) of the previous liquid is in the last cell.

        It is the quantile 1 - residue of the residence times for axial dispersion, whose spread is σ and skewness 3σ
        (inverse Gaussian), by the Cornish-Fisher expansion: 1 + σ [z + σ (z² - 1)/2]. Levenspiel, Chemical Reaction
        Engineering, ch. 13.
        """
        z = NormalDist().inv_cdf(1.0 - residue)
        return self.swept_ul * (1.0 + self.spread * (z + self.spread * (z * z - 1.0) / 2.0))


@dataclass(frozen=True)
class ReactorLimits:
    """Limits of the setpoints: °C for each oven, µL/min for the total flow (set by pumps and tubing pressure)."""

    nucleation_temperature: tuple[float, float] = (20.0, 350.0)
    growth_temperature: tuple[float, float] = (20.0, 350.0)
    flow_ul_min: tuple[float, float] = (50.0, 12000.0)
