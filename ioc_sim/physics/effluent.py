"""What leaves the reactor: chemistry along a journey, averaged over the residence-time distribution.

The parcel reacts as a closed batch: in the chamber for a fixed time, then in the coil for θ times the mean,
with weights E(θ) (segregated flow). One integration with output at every θ serves the whole distribution. On
entering an oven the liquid approaches the wall's temperature with a first-order lag (90 % in
``heat_up_90_s``; 0.36 s for a 0.5 mm bore, radial conduction). The inlet is the limiting one of Cd and Se in
units of the mixture's Cd; a front that is inside the reactor is dispersed by giving each θ its own inlet, at
a few levels of dilution.

Limits: dispersion acts in the coil only (95 % of the volume); the quench behind the coil is sudden (a
first-order cool-down of that lag adds about 0.02 s at 80 kJ/mol); excess precursor is inert.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ioc_sim.physics import rtd
from ioc_sim.physics.bands import Absorption, population
from ioc_sim.physics.flow import Journey
from ioc_sim.physics.network import Network, WallPath
from ioc_sim.physics.scenario import Scenario
from ioc_sim.physics.sizing import extinction_l_mol_cm

__all__ = ["Chemist", "Effluent"]

Array = NDArray[np.float64]
_LEVELS = 10.0


@dataclass(frozen=True)
class Effluent:
    """Composition at the outlet.

    Attributes
    ----------
    state : ndarray
        Mean of the network's state, in units of the mixture's Cd concentration.
    sizes : ndarray
        Nanocrystals at each size of :attr:`Absorption.grid_units`, same units.
    cd : float
        All Cd, same units.
    """

    state: Array
    sizes: Array
    cd: float


class Chemist:
    """Turns journeys into compositions and compositions into absorbance.

    Parameters
    ----------
    scenario : Scenario
        Chemistry, transport, bands.
    wavelength_nm : ndarray
        Axis of the spectra.
    """

    def __init__(self, scenario: Scenario, wavelength_nm: Array) -> None:
        self.scenario = scenario
        self.network = Network(scenario.chemistry)
        self.absorption = Absorption(scenario, wavelength_nm)
        p = scenario.plumbing
        kinds = {
            "plug": rtd.plug,
            "dispersion": lambda: rtd.dispersion(p.peclet),
            "tanks": lambda: rtd.tanks(p.tanks),
        }
        self.theta, self.weight = kinds[p.rtd]()
        self._lag_s = p.heat_up_90_s / np.log(10.0)

    def effluent(self, journey: Journey) -> Effluent:
        """Integrate along a journey."""
        inlet = self._inlet(journey)
        size = self.network.size
        states = np.zeros((len(self.theta), size))
        for level in np.unique(inlet):
            chosen = inlet == level
            if level > 1e-6 and journey.coil_s > 0:
                states[chosen] = self._batch(float(level), journey)[chosen]
        return self._mixed(states, journey)

    def _inlet(self, journey: Journey) -> Array:
        """Limiting precursor for each θ, in few distinct values."""
        precursor = self.scenario.precursor
        se_per_cd = precursor.se_mol_l / precursor.cd_mol_l
        cd, se = 2.0 * np.array(journey.cd_share), 2.0 * np.array(journey.se_share)
        limiting = np.minimum(cd, se_per_cd * se)
        if np.ptp(limiting) < 0.05:
            return np.full(len(limiting), float(self.weight @ limiting))
        return np.round(limiting * _LEVELS) / _LEVELS

    def _batch(self, precursor: float, journey: Journey) -> Array:
        network = self.network
        chamber = WallPath(*journey.nucleation_c, self.scenario.ambient_c, journey.chamber_s, self._lag_s)
        start = network.initial(precursor)
        if journey.chamber_s > 0:
            start = network.integrate(start, chamber, np.array([journey.chamber_s]))[0]
        coil = WallPath(*journey.growth_c, chamber.at(journey.chamber_s), journey.coil_s, self._lag_s)
        return network.integrate(start, coil, self.theta * journey.coil_s)

    def _mixed(self, states: Array, journey: Journey) -> Effluent:
        network, grid = self.network, self.absorption.grid_units
        number = np.maximum(states[:, network.n], 0.0)
        there = number > 1e-15
        sizes = np.zeros(len(grid))
        if there.any():
            mean = states[there, network.q] / number[there]
            sd = np.sqrt(np.maximum(states[there, network.s] / number[there], 0.0))
            shares = population(mean, sd, self.scenario.chemistry.nanocrystals.seed_units, grid)
            sizes = (self.weight[there] * number[there]) @ shares
        cd = 2.0 * float(self.weight @ np.array(journey.cd_share))
        return Effluent(self.weight @ states, sizes, cd)

    def components(self, effluent: Effluent) -> dict[str, Array]:
        """Absorbance of each cluster family, of ``NC`` and of ``rest`` (precursor and scatter)."""
        a, network = self.absorption, self.network
        scale = self.scenario.precursor.cd_mol_l * self.scenario.spectra.path_mm / 10.0
        amount = dict(zip(network.species, np.maximum(effluent.state[: network.n], 0.0), strict=True))
        out = {name: scale * amount[name] * spectrum for name, spectrum in a.clusters.items()}
        out["NC"] = scale * effluent.sizes @ a.nanocrystals
        free = amount["P"] + amount["M"]
        solid = max(float(network.total_units(effluent.state)) - free, 0.0)
        out["rest"] = scale * (max(effluent.cd - solid, 0.0) * a.precursor + solid * a.scatter)
        return out

    def concentrations(self, effluent: Effluent) -> dict[str, float]:
        """Mol/L of every species, and size and relative width of the nanocrystals."""
        cd, network = self.scenario.precursor.cd_mol_l, self.network
        out = {name: cd * float(effluent.state[i]) for i, name in enumerate(network.species)}
        out["NC"] = cd * float(effluent.state[network.n])
        diameters, total = self.absorption.grid_nm, float(effluent.sizes.sum())
        mean = width = 0.0
        if total > 0:
            mean = float(effluent.sizes @ diameters) / total
            variance = float(effluent.sizes @ (diameters - mean) ** 2) / total
            intrinsic = self.scenario.chemistry.nanocrystals.relative_dispersion
            width = float(np.hypot(np.sqrt(max(variance, 0.0)) / mean, intrinsic))
        units = float(effluent.state[network.q] / effluent.state[network.n]) if total > 0 else 0.0
        return out | {
            "Cd": cd * effluent.cd,
            "NC_units": units,
            "NC_diameter_nm": mean,
            "NC_relative_width": width,
        }

    def first_maximum(self, effluent: Effluent) -> tuple[float, float]:
        """Wavelength of the nanocrystals' first exciton band, nm, and their absorbance there; NaN and 0
        without any.

        It is the maximum of that band alone: on the total it may be no more than a shoulder.
        """
        if not effluent.sizes.sum() > 1e-12:
            return float("nan"), 0.0
        a = self.absorption
        band = effluent.sizes @ a.first_bands
        i = int(np.clip(np.argmax(band), 1, len(band) - 2))
        left, top, right = band[i - 1 : i + 2]
        shift = 0.5 * (left - right) / (left - 2 * top + right) if left + right < 2 * top else 0.0
        peak_nm = a.wavelength_nm[i] + shift * (a.wavelength_nm[i + 1] - a.wavelength_nm[i - 1]) / 2
        height = float(np.interp(peak_nm, a.wavelength_nm, effluent.sizes @ a.nanocrystals))
        return float(peak_nm), height * self.scenario.precursor.cd_mol_l * self.scenario.spectra.path_mm / 10.0

    def full_height(self) -> float:
        """First-maximum height with all Cd in 2.7 nm nanocrystals; *accumulated* has 2 % of it as floor."""
        spectra, grid = self.scenario.spectra, self.absorption
        row = int(np.argmin(np.abs(grid.grid_nm - 2.7)))
        per_unit = float(extinction_l_mol_cm(grid.grid_nm[row])) / grid.grid_units[row]
        return self.scenario.precursor.cd_mol_l * spectra.path_mm / 10.0 * per_unit
