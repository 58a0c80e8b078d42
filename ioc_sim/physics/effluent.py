"""What leaves the reactor: chemistry along a journey, averaged over the residence-time distribution.

The parcel reacts as a closed batch: in the chamber for a fixed time, then in the coil for θ times the mean,
with weights E(θ) (segregated flow). One integration with output at every θ serves the whole distribution. On
entering an oven the liquid approaches the wall's temperature with a first-order lag (90 % in
``heat_up_90_s``; 0.36 s for a 0.5 mm bore, radial conduction). The inlet is the limiting one of Cd and Se in
units of the mixture's Cd; a front that is inside the reactor is dispersed by giving each θ its own inlet, at
a few levels of dilution. A species called ``Wall`` stays in the reactor.

Limits: dispersion acts in the coil only (95 % of the volume); the cool-down behind the coil is counted as
``quench_s`` more in the coil; excess precursor is inert.
"""

import numpy as np
from numpy.typing import NDArray

from ioc_sim.physics import rtd
from ioc_sim.physics.composition import Composition
from ioc_sim.physics.flow import Journey
from ioc_sim.physics.network import ScenarioChemistry, WallPath
from ioc_sim.physics.scenario import Scenario
from ioc_sim.physics.sizing import sphere_diameter_nm

__all__ = ["Chemist"]

Array = NDArray[np.float64]
_LEVELS = 10.0
_WALL = "Wall"
_GRID_UNITS = np.geomspace(40.0, 4000.0, 180)


class Chemist:
    """Turns journeys into compositions.

    Parameters
    ----------
    scenario : Scenario
        Chemistry and transport.

    Attributes
    ----------
    theta, weight : ndarray
        Nodes of the residence-time distribution: relative times in the coil and their weights.
    grid_units, grid_nm : ndarray
        Sizes of nanocrystals, CdSe units and diameter.
    """

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.grid_units = _GRID_UNITS
        self.grid_nm = sphere_diameter_nm(_GRID_UNITS, scenario.chemistry.unit_volume_nm3)
        self.network = ScenarioChemistry(scenario.chemistry, _GRID_UNITS)
        p = scenario.plumbing
        kinds = {
            "plug": rtd.plug,
            "dispersion": lambda: rtd.dispersion(p.peclet),
            "tanks": lambda: rtd.tanks(p.tanks),
        }
        self.theta, self.weight = kinds[p.rtd]()
        self._lag_s = p.heat_up_90_s / np.log(10.0)

    def effluent(self, journey: Journey) -> Composition:
        """Composition after a journey."""
        inlet = self._inlet(journey)
        species = np.zeros((len(self.theta), len(self.network.species)))
        species[:, self.network.species.index("P")] = inlet
        sizes = np.zeros((len(self.theta), len(self.grid_units)))
        for level in np.unique(inlet):
            chosen = inlet == level
            if level > 1e-6 and journey.coil_s > 0:
                reacted, grown = self._batch(float(level), journey)
                species[chosen], sizes[chosen] = reacted[chosen], grown[chosen]
        return self._mixed(species, sizes, float(self.weight @ inlet), journey)

    def _inlet(self, journey: Journey) -> Array:
        """Limiting precursor for each θ, in few distinct values."""
        precursor = self.scenario.precursor
        se_per_cd = precursor.se_mol_l / precursor.cd_mol_l
        cd, se = 2.0 * np.array(journey.cd_share), 2.0 * np.array(journey.se_share)
        limiting = np.minimum(cd, se_per_cd * se)
        if np.ptp(limiting) < 0.05:
            return np.full(len(limiting), float(self.weight @ limiting))
        # rounded down: what is left over is excess
        return np.floor(limiting * _LEVELS) / _LEVELS

    def _batch(self, precursor: float, journey: Journey) -> tuple[Array, Array]:
        chamber = WallPath(*journey.nucleation_c, self.scenario.ambient_c, journey.chamber_s, self._lag_s)
        coil = WallPath(*journey.growth_c, chamber.at(journey.chamber_s), journey.coil_s, self._lag_s)
        return self.network.run(precursor, chamber, coil, self.theta * journey.coil_s)

    def _mixed(self, species: Array, sizes: Array, limiting: float, journey: Journey) -> Composition:
        precursor = self.scenario.precursor
        # reached in rounding only; a concentration is not negative
        mean = np.maximum(self.weight @ species, 0.0)
        amounts = dict(zip(self.network.species, (precursor.cd_mol_l * mean).tolist(), strict=True))
        amounts.pop(_WALL, None)
        cd_in = 2.0 * float(self.weight @ np.array(journey.cd_share)) * precursor.cd_mol_l
        se_in = 2.0 * float(self.weight @ np.array(journey.se_share)) * precursor.se_mol_l
        reacting = limiting * precursor.cd_mol_l
        return Composition(
            species=amounts,
            units={name: self.scenario.chemistry.species[name] for name in amounts},
            sizes=precursor.cd_mol_l * (self.weight @ sizes),
            grid_units=self.grid_units,
            grid_nm=self.grid_nm,
            cd_excess=max(cd_in - reacting, 0.0),
            se_excess=max(se_in - reacting, 0.0),
        )
