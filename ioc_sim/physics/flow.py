"""Where the liquid in the optical cell has been: delivered volume, valve and pressure.

A parcel is found by volume: what is in the middle of the cell now left the coil when V - V_cell/2 - V_dead
had been delivered, V the volume delivered so far. In the hot parts the liquid is expanded, so they hold
V_part ρ(T)/ρ(25 °C) of liquid measured at 25 °C, and the residence time is shorter than the nominal one by
that ratio. Density is linear in T (octadecene: 0.789 g/mL at 25 °C, 0.61 at 280 °C).

Pressure: back-pressure regulator plus Hagen-Poiseuille, ΔP = 128 µ L Q/(π d⁴), for coil (hot) and lines (25
°C), L from volume and bore, µ(T) = µ₂₅ exp(E/R (1/T - 1/298.15 K)).

The sample loop is a way past the reactor: in that position of the valve the solvent pump pushes the loop's
content to the cells, and the liquid in the reactor stands.

Limits: oven temperatures are taken at the parcel's entry and exit and as linear between; a reactor is full of
solvent at start; lines before the chamber have no volume.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ioc_sim.physics.scenario import Plumbing, Scenario

__all__ = ["ROUTES", "FlowHistory", "Flows", "Journey", "pressure_bar", "steady_journey"]

ROUTES: dict[str, tuple[str, ...]] = {
    "Mixture": ("Cd", "Se", "Solvent"),
    "Cd only": ("Cd", "Solvent"),
    "Se only": ("Se", "Solvent"),
    "Solvent": ("Solvent",),
    "Sample loop": (),
}
_REACTOR, _LOOP = 0, 2


@dataclass(frozen=True)
class Flows:
    """Volumes that entered the reactor in a step, and past it through the sample loop, µL."""

    cd_ul: float
    se_ul: float
    solvent_ul: float
    loop_ul: float = 0.0

    @property
    def total_ul(self) -> float:
        """All that entered the reactor."""
        return self.cd_ul + self.se_ul + self.solvent_ul


@dataclass(frozen=True)
class Journey:
    """What a parcel at the outlet has been through.

    Attributes
    ----------
    cd_share, se_share : tuple of float
        Share of the Cd and Se streams in the liquid that entered, for each node of the
        residence-time distribution (0.5 each: the 1:1 mixture).
    chamber_s, coil_s : float
        Time in the chamber; mean time in the coil with what the quench adds.
    nucleation_c, growth_c : (float, float)
        Oven temperature at the parcel's entry and exit.
    """

    cd_share: tuple[float, ...]
    se_share: tuple[float, ...]
    chamber_s: float
    coil_s: float
    nucleation_c: tuple[float, float]
    growth_c: tuple[float, float]


def steady_journey(plumbing: Plumbing, nucleation_c: float, growth_c: float, residence_s: float, nodes: int) -> Journey:
    """Return the journey of the 1:1 mixture at steady state; ``residence_s`` is nominal, at 25 °C."""
    flow_ul_s = plumbing.reactor_ul / residence_s
    return Journey(
        cd_share=(0.5,) * nodes,
        se_share=(0.5,) * nodes,
        chamber_s=plumbing.chamber_ul * plumbing.density_ratio(nucleation_c) / flow_ul_s,
        coil_s=plumbing.coil_ul * plumbing.density_ratio(growth_c) / flow_ul_s + plumbing.quench_s,
        nucleation_c=(nucleation_c, nucleation_c),
        growth_c=(growth_c, growth_c),
    )


class FlowHistory:
    """The last few hours, one row a step: what entered the reactor and what went to the cells.

    Parameters
    ----------
    clock_s : float
        Start; the reactor is full of solvent.
    temperature_c : (float, float)
        Nucleation and growth oven at start.
    rows : int
        Steps kept at least.
    """

    def __init__(self, clock_s: float, temperature_c: tuple[float, float], rows: int = 8192) -> None:
        self._rows = rows
        # time, volume into the reactor, Cd share, Se share, nucleation, growth, volume to the cells, source
        self._data = np.zeros((8, 2 * rows))
        self._data[:, 0] = clock_s, 0.0, 0.0, 0.0, *temperature_c, 0.0, _REACTOR
        self._end = 1

    def append(self, clock_s: float, flows: Flows, nucleation_c: float, growth_c: float, loop: int) -> None:
        """Add a step; ``loop``: number of what left the sample loop in it, -1 for its solvent."""
        if self._end == 2 * self._rows:
            self._data[:, : self._rows] = self._data[:, self._rows :]
            self._end = self._rows
        last = self._data[:, self._end - 1]
        total = flows.total_ul
        cd, se = (flows.cd_ul / total, flows.se_ul / total) if total > 0 else (last[2], last[3])
        volume_ul, cells_ul = last[1] + total, last[6] + total + flows.loop_ul
        source = _LOOP + loop if flows.loop_ul > 0 else (_REACTOR if total > 0 else last[7])
        self._data[:, self._end] = clock_s, volume_ul, cd, se, nucleation_c, growth_c, cells_ul, source
        self._end += 1

    def parcel(self, plumbing: Plumbing, theta: NDArray[np.float64]) -> Journey | int:
        """Trace what is in the middle of the optical cell.

        Parameters
        ----------
        plumbing : Plumbing
            Volumes.
        theta : ndarray
            Relative times in the coil.

        Returns
        -------
        Journey or int
            Of a parcel from the reactor; or what left the sample loop, as given to :meth:`append`.
        """
        time_s, volume_ul, cd, se, nucleation_c, growth_c, cells_ul, source = self._data[:, : self._end]

        def oven(values: NDArray[np.float64], at_s: float) -> float:
            return float(np.interp(at_s, time_s, values))

        left_ul = float(cells_ul[-1]) - plumbing.cell_ul / 2 - plumbing.dead_ul
        origin = int(source[min(int(np.searchsorted(cells_ul, left_ul)), self._end - 1)])
        if origin != _REACTOR:
            return origin - _LOOP
        out_s = float(np.interp(left_ul, cells_ul, time_s))
        out_ul = float(np.interp(out_s, time_s, volume_ul)) + min(left_ul - float(cells_ul[0]), 0.0)
        coil_ul = plumbing.coil_ul * plumbing.density_ratio(oven(growth_c, out_s))
        middle_s = float(np.interp(out_ul - coil_ul, volume_ul, time_s))
        chamber_ul = plumbing.chamber_ul * plumbing.density_ratio(oven(nucleation_c, middle_s))
        in_s = float(np.interp(out_ul - coil_ul - chamber_ul, volume_ul, time_s))
        entered_ul = out_ul - chamber_ul - coil_ul * theta
        return Journey(
            cd_share=tuple(np.interp(entered_ul, volume_ul, cd).tolist()),
            se_share=tuple(np.interp(entered_ul, volume_ul, se).tolist()),
            chamber_s=middle_s - in_s,
            coil_s=out_s - middle_s + plumbing.quench_s,
            nucleation_c=(oven(nucleation_c, in_s), oven(nucleation_c, middle_s)),
            growth_c=(oven(growth_c, middle_s), oven(growth_c, out_s)),
        )


def pressure_bar(scenario: Scenario, flow_ul_min: float, growth_c: float, clogging: float = 1.0) -> float:
    """Pressure at the mixer; ``clogging``: factor on the resistance."""
    p = scenario.plumbing
    bore_m = p.bore_mm * 1e-3
    area_m2 = math.pi * bore_m**2 / 4
    inverse_k = 1.0 / (growth_c + 273.15) - 1.0 / 298.15
    thinner = math.exp(p.viscosity_energy_kj_mol / 8.314462618e-3 * inverse_k)
    length_m = (p.reactor_ul * thinner + p.dead_ul) * 1e-9 / area_m2
    flow_m3_s = flow_ul_min * 1e-9 / 60.0
    drop_pa = 128.0 * p.viscosity_25_mpa_s * 1e-3 * length_m * flow_m3_s / (math.pi * bore_m**4)
    return p.back_pressure_bar + clogging * drop_pa * 1e-5
