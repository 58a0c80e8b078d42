"""What a scenario's liquids hold, and how they absorb and scatter: one code path for records and bench."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ioc_sim.physics.bands import Absorption
from ioc_sim.physics.composition import Composition
from ioc_sim.physics.effluent import Chemist
from ioc_sim.physics.flow import steady_journey
from ioc_sim.physics.fractions import cluster_diameters_nm, split
from ioc_sim.physics.frame import FrameDetector
from ioc_sim.physics.optics import wavelength_axis_nm
from ioc_sim.physics.scattering import Scattering
from ioc_sim.physics.scenario import Plumbing, Scenario

__all__ = ["Matter", "matter_of"]


class Matter:
    """Chemistry, absorption, scattering and detector of a scenario; keeps no state but what it has computed.

    Parameters
    ----------
    scenario : Scenario
        All constants.

    Attributes
    ----------
    chemist : Chemist
        Journeys to compositions.
    absorption : Absorption
        Compositions to absorbance.
    scattering : Scattering
        Compositions to intensity.
    detector : FrameDetector
        Intensity to frames.
    solvent : Composition
        Nothing in it.
    """

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.chemist = Chemist(scenario)
        grid = (self.chemist.grid_units, self.chemist.grid_nm)
        self.absorption = Absorption(scenario, wavelength_axis_nm(scenario), *grid)
        self.scattering = Scattering(scenario, *grid)
        units = scenario.chemistry.species
        self.solvent = Composition(dict.fromkeys(units, 0.0), units, np.zeros(len(grid[0])), *grid, 0.0, 0.0)
        self.detector = FrameDetector(scenario.frame)
        self._background_cm = self.scattering.background_cm()
        self._fractions: dict[str, Composition] = {}

    def steady(self, plumbing: Plumbing, nucleation_c: float, growth_c: float, residence_s: float) -> Composition:
        """Composition at steady state of the 1:1 mixture; ``residence_s`` is nominal, at 25 °C."""
        nodes = len(self.chemist.theta)
        return self.chemist.effluent(steady_journey(plumbing, nucleation_c, growth_c, residence_s, nodes))

    def fraction(self, name: str) -> Composition:
        """What the sample loop holds, by the name of the fraction."""
        if name not in self._fractions:
            loop = self.scenario.loop
            whole = self.steady(
                self.scenario.plumbing, loop.nucleation_temperature, loop.growth_temperature, loop.residence_time
            )
            diameters = cluster_diameters_nm(self.scenario)
            self._fractions[name] = split(whole, loop.fractions[name], diameters)
        return self._fractions[name]

    def absorbance(self, content: Composition) -> NDArray[np.float64]:
        """Decadic absorbance in the optical cell."""
        return np.sum(list(self.absorption.components(content).values()), axis=0)

    def intensity_cm(self, content: Composition, cell_temperature_c: float) -> NDArray[np.float64]:
        """dΣ/dΩ of all that is in the beam, solvent and windows included, on ``scattering.q_inv_nm``."""
        return self.scattering.intensity_cm(content, cell_temperature_c) + self._background_cm


@lru_cache(maxsize=8)
def _cached(text: str) -> Matter:
    return Matter(Scenario.model_validate_json(text))


def matter_of(scenario: Scenario) -> Matter:
    """Return the matter of a scenario, made once."""
    return _cached(scenario.model_dump_json())
