"""The digital twin: pumps, valve, ovens, reactor and instruments as a function of time and of what is set.

Time is passed in by :meth:`Twin.advance` in fixed steps; nothing here reads a clock, sleeps or starts a
thread. Ovens, pumps and the history at the inlet go on step by step (cheap); chemistry and signals are
computed when a spectrum or a frame is asked for, from the history of the parcel that is in the cells. A
composition is kept while its journey stays the same within 0.1 % (times), 0.2 % (composition) and 0.01 °C.

Limits: see :mod:`~ioc_sim.physics.flow`, :mod:`~ioc_sim.physics.effluent`, :mod:`~ioc_sim.physics.network`.
Optical cell and X-ray cell hold the same parcel. A sample loop is loaded at once.
"""

from collections.abc import Callable, Hashable
from math import log
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ioc_sim.physics.beam import Beam
from ioc_sim.physics.composition import Composition
from ioc_sim.physics.faults import Faults, Schedule
from ioc_sim.physics.flow import ROUTES, FlowHistory, Flows, Journey, pressure_bar
from ioc_sim.physics.fouling import Deposit
from ioc_sim.physics.matter import matter_of
from ioc_sim.physics.optics import Light, SpectrometerOptics
from ioc_sim.physics.oven import SimulatedOven
from ioc_sim.physics.pump import SimulatedPump
from ioc_sim.physics.scenario import FRACTIONS, Scenario

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
    pumps : dict of SimulatedPump
        ``Cd``, ``Se``, ``Solvent``.
    ovens : dict of SimulatedOven
        ``Nucleation``, ``Growth``.
    beam : Beam
        X-rays and the cell they go through.
    faults : Faults
        What is broken.
    light_on, shutter_open : bool
        Light reaches the detector when both are true.
    light_intensity : float
        0 to 1.
    wavelength_nm : ndarray
        Wavelength of each pixel.
    """

    def __init__(self, scenario: Scenario, seed: int = 0, clock_s: float = 0.0) -> None:
        streams = np.random.SeedSequence(seed).spawn(5)
        oven_rng, optics_rng, phase_rng, frame_rng, beam_rng = (np.random.default_rng(s) for s in streams)
        self.scenario = scenario
        self.clock_s = clock_s
        self.pumps = {
            name: SimulatedPump(scenario.pump, float(phase_rng.uniform(0, 2 * np.pi)))
            for name in ("Cd", "Se", "Solvent")
        }
        self.ovens = {
            name: SimulatedOven(scenario.oven, scenario.ambient_c, oven_rng) for name in ("Nucleation", "Growth")
        }
        self.beam = Beam(scenario.beam, beam_rng, scenario.ambient_c)
        self.faults = Faults()
        self.light_on = True
        self.light_intensity = 1.0
        self.shutter_open = True
        self._valve = "Solvent"
        self._loop = "Fi"
        self._loop_left_ul = scenario.loop.volume_ul
        self._deposit = Deposit(scenario.fouling)
        self._schedule = Schedule(scenario.faults)
        self._emptied = "None"
        self._matter = matter_of(scenario)
        self._optics = SpectrometerOptics(scenario, optics_rng)
        self._frame_rng = frame_rng
        self.wavelength_nm = self._optics.wavelength_nm
        self._carried_s = 0.0
        self._flow_ul_min = 0.0
        self._history = self._new_history()
        self._known: tuple[Hashable, Composition] | None = None

    def _new_history(self) -> FlowHistory:
        temperatures = (self.ovens["Nucleation"].temperature_c, self.ovens["Growth"].temperature_c)
        return FlowHistory(self.clock_s, temperatures)

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
    def sample_loop(self) -> str:
        """What the sample loop holds; setting it fills the loop anew."""
        return self._loop

    @sample_loop.setter
    def sample_loop(self, value: str) -> None:
        if value not in FRACTIONS:
            raise ValueError(f"no fraction {value!r}; there are {', '.join(FRACTIONS)}")
        self._loop, self._loop_left_ul = value, self.scenario.loop.volume_ul

    @property
    def pressure_bar(self) -> float:
        """Pressure at the mixer."""
        resistance = self.faults.clogging * self._deposit.resistance
        return pressure_bar(self.scenario, self._flow_ul_min, self.ovens["Growth"].temperature_c, resistance)

    def advance(self, seconds: float, after_step: Callable[[], None] = lambda: None) -> None:
        """Let ``seconds`` pass, in whole steps; what is left over is carried to the next call.

        ``after_step`` is called after each: what must react at any time scale alike, as the interlock.
        """
        step_s = self.scenario.step_s
        self._carried_s += seconds
        # a sum of many small parts must not lose a step to rounding
        steps = int(self._carried_s / step_s + 1e-9)
        self._carried_s -= steps * step_s
        for _ in range(steps):
            self._step(step_s)
            after_step()

    def _step(self, step_s: float) -> None:
        self._schedule.apply(self.faults, self.clock_s)
        self._break_things()
        moved_ul = {name: pump.advance(step_s) for name, pump in self.pumps.items()}
        fed_ul = {name: moved_ul[name] if name in ROUTES[self._valve] else 0.0 for name in moved_ul}
        loop_ul = moved_ul["Solvent"] if self._valve == "Sample loop" else 0.0
        flows = Flows(fed_ul["Cd"], fed_ul["Se"], fed_ul["Solvent"], loop_ul)
        self._flow_ul_min = flows.total_ul * 60.0 / step_s
        self._deposit.passed_ml += (flows.cd_ul + flows.se_ul) * 1e-3
        p = self.scenario.plumbing
        flow_w_c = flows.total_ul / step_s * 1e-3 * p.density_25_g_ml * p.heat_capacity_j_g_c
        nucleation, growth = self.ovens["Nucleation"], self.ovens["Growth"]
        nucleation.advance(step_s, flow_w_c, self.scenario.ambient_c)
        growth.advance(step_s, flow_w_c, nucleation.temperature_c)
        self.clock_s += step_s
        self.beam.advance(step_s, growth.temperature_c)
        loaded = FRACTIONS.index(self._loop) if self._loop_left_ul > 0 else -1
        self._loop_left_ul = max(self._loop_left_ul - loop_ul, 0.0)
        self._history.append(self.clock_s, flows, nucleation.temperature_c, growth.temperature_c, loaded)

    def _break_things(self) -> None:
        faults = self.faults
        for name, pump in self.pumps.items():
            pump.stalled = faults.pump_stall == name
            if faults.empty_syringe == name:
                pump.content_ul = 0.0
            elif self._emptied == name:
                pump.content_ul = pump.capacity_ul
        self._emptied = faults.empty_syringe
        for name, oven in self.ovens.items():
            oven.sensor_broken = faults.sensor_break == name
            oven.stuck_on = faults.heater_runaway == name
        self.beam.lost = faults.beam_lost

    @property
    def content(self) -> Composition:
        """Truth for scoring: what is in the cells now."""
        plumbing = self._deposit.narrowed(self.scenario.plumbing)
        parcel = self._history.parcel(plumbing, self._matter.chemist.theta)
        if isinstance(parcel, int):
            return self._matter.fraction(FRACTIONS[parcel]) if parcel >= 0 else self._matter.solvent
        key = _rounded(parcel)
        if self._known is None or self._known[0] != key:
            self._known = (key, self._matter.chemist.effluent(parcel))
        return self._known[1]

    def spectrum_counts(self, integration_time_ms: float, averages: int = 1) -> Array:
        """Raw counts of what is in the optical cell now."""
        light = Light(
            on=self.light_on and self.shutter_open and not self.faults.lamp_off,
            intensity=self.light_intensity * (10.0 if self.faults.saturated else 1.0),
        )
        absorbance = np.zeros_like(self.wavelength_nm)
        if light.on:
            absorbance = self._matter.absorbance(self.content) + self._deposit.film(self.wavelength_nm)
        return self._optics.counts(absorbance, integration_time_ms, light, self.clock_s, averages)

    def frame(self, exposure_s: float) -> NDArray[np.int32]:
        """Counts of an exposure of the SAXS detector that ends now."""
        exposure = self.beam.exposure(self.clock_s, exposure_s)
        intensity = self._matter.intensity_cm(self.content, self.beam.cell_temperature_c)
        return self._matter.detector.frame(intensity, exposure, self._frame_rng)

    def state(self) -> dict[str, Any]:
        """Return what a restart takes up, fit for JSON."""
        return {
            "clock_s": self.clock_s,
            "valve": self._valve,
            "sample_loop": self._loop,
            "passed_ml": self._deposit.passed_ml,
            "pumps": {name: pump.state() for name, pump in self.pumps.items()},
            "ovens": {name: oven.state() for name, oven in self.ovens.items()},
            "beam": self.beam.state(),
            "light": [self.light_on, self.light_intensity, self.shutter_open],
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take up a state: pumps stand still, the reactor is full of solvent, the loop of its fraction."""
        self.clock_s = float(state["clock_s"])
        self.valve = str(state["valve"])
        self.sample_loop = str(state["sample_loop"])
        self._deposit.passed_ml = float(state["passed_ml"])
        for name, pump in self.pumps.items():
            pump.restore(state["pumps"][name])
        for name, oven in self.ovens.items():
            oven.restore(state["ovens"][name])
        self.beam.restore(state["beam"])
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
