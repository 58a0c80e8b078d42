"""The digital twin: pumps, valve, ovens, reactor, spectrometer as a function of time and of what is set.

Time is passed in by :meth:`Twin.advance` in fixed steps; nothing here reads a clock, sleeps or starts a
thread. Ovens, pumps and the history at the inlet go on step by step (cheap); chemistry and spectrum are
computed when a spectrum is asked for, from the history of the parcel that is in the optical cell. A result
is kept while its journey stays the same within 0.1 % (times), 0.2 % (composition) and 0.01 °C.

Limits: see :mod:`~ioc_sim.physics.flow`, :mod:`~ioc_sim.physics.effluent`, :mod:`~ioc_sim.physics.network`.
The sample loop carries solvent.
"""

from collections.abc import Hashable
from math import log
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ioc_sim.physics.effluent import Chemist, Effluent
from ioc_sim.physics.flow import ROUTES, Flows, History, Journey, pressure_bar
from ioc_sim.physics.optics import Optics
from ioc_sim.physics.oven import Oven
from ioc_sim.physics.pump import SyringePump
from ioc_sim.physics.scenario import Scenario

__all__ = ["Twin"]

Array = NDArray[np.float64]


class Twin:
    """A simulated reactor.

    Parameters
    ----------
    scenario : Scenario
        All constants.
    seed : int
        Of all noise and drift.
    clock_s : float
        Time at start.

    Attributes
    ----------
    clock_s : float
        Twin time, s.
    pumps : dict of SyringePump
        ``Cd``, ``Se``, ``Solvent``.
    ovens : dict of Oven
        ``Nucleation``, ``Growth``.
    light_on, shutter_open : bool
        Light reaches the detector when both are true.
    light_intensity : float
        0 to 1.
    wavelength_nm : ndarray
        Wavelength of each pixel.
    """

    def __init__(self, scenario: Scenario, seed: int = 0, clock_s: float = 0.0) -> None:
        oven_rng, optics_rng, phase_rng = (np.random.default_rng(s) for s in np.random.SeedSequence(seed).spawn(3))
        self.scenario = scenario
        self.clock_s = clock_s
        self.pumps = {
            name: SyringePump(scenario.pump, float(phase_rng.uniform(0, 2 * np.pi))) for name in ("Cd", "Se", "Solvent")
        }
        self.ovens = {name: Oven(scenario.oven, scenario.ambient_c, oven_rng) for name in ("Nucleation", "Growth")}
        self.light_on = True
        self.light_intensity = 1.0
        self.shutter_open = True
        self._valve = "Solvent"
        self._optics = Optics(scenario, optics_rng)
        self.wavelength_nm = self._optics.wavelength_nm
        self._chemist = Chemist(scenario, self.wavelength_nm)
        self._steps = 0
        self._carried_s = 0.0
        self._flow_ul_min = 0.0
        self._history = self._new_history()
        self._known: tuple[Hashable, Effluent, Array] | None = None

    def _new_history(self) -> History:
        temperatures = (self.ovens["Nucleation"].temperature_c, self.ovens["Growth"].temperature_c)
        return History(self.clock_s, temperatures)

    @property
    def valve(self) -> str:
        """Position of the valve: which pumps feed the reactor; the others go to waste."""
        return self._valve

    @valve.setter
    def valve(self, value: str) -> None:
        if value not in ROUTES:
            raise ValueError(f"no valve position {value!r}; there are {', '.join(ROUTES)}")
        self._valve = value

    @property
    def pressure_bar(self) -> float:
        """Pressure at the mixer."""
        return pressure_bar(self.scenario, self._flow_ul_min, self.ovens["Growth"].temperature_c)

    def advance(self, seconds: float) -> None:
        """Let ``seconds`` pass, in whole steps; what is left over is carried to the next call."""
        step_s = self.scenario.step_s
        self._carried_s += seconds
        # a sum of many small parts must not lose a step to rounding
        steps = int(self._carried_s / step_s + 1e-9)
        self._carried_s -= steps * step_s
        for _ in range(steps):
            self._step(step_s)

    def _step(self, step_s: float) -> None:
        moved_ul = {name: pump.advance(step_s) for name, pump in self.pumps.items()}
        fed_ul = {name: moved_ul[name] if name in ROUTES[self._valve] else 0.0 for name in moved_ul}
        flows = Flows(fed_ul["Cd"], fed_ul["Se"], fed_ul["Solvent"])
        self._flow_ul_min = flows.total_ul * 60.0 / step_s
        p = self.scenario.plumbing
        flow_w_c = flows.total_ul / step_s * 1e-3 * p.density_25_g_ml * p.heat_capacity_j_g_c
        nucleation, growth = self.ovens["Nucleation"], self.ovens["Growth"]
        nucleation.advance(step_s, flow_w_c, self.scenario.ambient_c)
        growth.advance(step_s, flow_w_c, nucleation.temperature_c)
        self.clock_s += step_s
        self._history.append(self.clock_s, flows, nucleation.temperature_c, growth.temperature_c)

    def _now(self) -> tuple[Effluent, Array]:
        journey = self._history.journey(self.scenario.plumbing, self._chemist.theta)
        key = _rounded(journey)
        if self._known is None or self._known[0] != key:
            effluent = self._chemist.effluent(journey)
            components = self._chemist.components(effluent)
            self._known = (key, effluent, np.sum(list(components.values()), axis=0))
        return self._known[1:]

    def spectrum_counts(self, integration_time_ms: float, averages: int = 1) -> Array:
        """Raw counts of what is in the optical cell now."""
        lit = self.light_on and self.shutter_open
        absorbance = self._now()[1] if lit else np.zeros_like(self.wavelength_nm)
        return self._optics.counts(absorbance, integration_time_ms, self, self.clock_s, averages)

    def concentrations(self) -> dict[str, float]:
        """Truth for scoring: mol/L in the optical cell, and the nanocrystals' size."""
        return self._chemist.concentrations(self._now()[0])

    def state(self) -> dict[str, Any]:
        """Return what a restart takes up, fit for JSON."""
        return {
            "clock_s": self.clock_s,
            "valve": self._valve,
            "pumps": {name: pump.state() for name, pump in self.pumps.items()},
            "ovens": {name: oven.state() for name, oven in self.ovens.items()},
            "light": [self.light_on, self.light_intensity, self.shutter_open],
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take up a state: pumps stand still, the reactor is full of solvent."""
        self.clock_s = float(state["clock_s"])
        self.valve = str(state["valve"])
        for name, pump in self.pumps.items():
            pump.restore(state["pumps"][name])
        for name, oven in self.ovens.items():
            oven.restore(state["ovens"][name])
        light_on, intensity, shutter_open = state["light"]
        self.light_on, self.light_intensity, self.shutter_open = (
            bool(light_on),
            float(intensity),
            bool(shutter_open),
        )
        self._carried_s, self._flow_ul_min, self._known = 0.0, 0.0, None
        self._history = self._new_history()


def _rounded(journey: Journey) -> Hashable:
    times = tuple(round(1e3 * log(max(t, 1e-3))) for t in (journey.chamber_s, journey.coil_s))
    temperatures = tuple(round(100 * t) for t in (*journey.nucleation_c, *journey.growth_c))
    shares = (journey.cd_share, journey.se_share)
    # pulsation averages out along the reactor; a front does not
    steady = all(max(share) - min(share) < 0.01 for share in shares)
    levels = tuple(round(500 * (sum(s) / len(s) if steady else x)) for s in shares for x in s)
    return times, temperatures, levels
