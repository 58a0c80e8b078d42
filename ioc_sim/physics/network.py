"""Mass-action network of precursor, monomer and clusters with nanocrystals that are born, grow, ripen and dissolve.

Concentrations in units of the Cd precursor of the mixture, times in s, sizes n in CdSe units.

    step      r = k Π c^order,  k = 10^log10_k0 exp(-E/R (1/T - 1/T0)); a reversible step has the reverse rate
              k c* Π c (products other than M), c* = 10^log10_c0 exp(-H/R (1/T - 1/T0))  (van 't Hoff)
    gate      both times 1/(1 + K),  K = 10^log10_k0 exp(-H/R (1/T - 1/T0))
    birth     nanocrystals of n0 units, from any step that has NC as a product
    growth    dn/dt = g(n) = k_g n^p (M - c_N e^(a/r)),  r = (3 n v/4π)^(1/3),  for each by its own size: below the
              critical size, where g = 0, it dissolves while larger ones grow (ripening)
    vanishing at n_v units it falls apart: it is gone and its units go to M

p = 2/3 is growth limited by the surface, 1/3 by diffusion (sizes focus). The distribution of sizes is resolved by
cohorts of like birth time (:mod:`.cohorts`) whose equations (:mod:`.balance`) are integrated together with the
species' (:mod:`.rosenbrock`); temperature enters by the constants alone. CdSe units P + M + Σ nᵢcᵢ + Σ n are conserved
to rounding.

Limits: all nanocrystals of one size are alike (no growth dispersion); they neither attach to one another nor break.
What a step consumes must be among its orders, or it runs below zero, where integration stops with an error; so it
does (50 000 steps, about 1 s) in a lasting stream of newborn nanocrystals that dissolve some thousand times faster than
all else changes. Once ripening has left less than half of the nanocrystals, number and mean size are good to 1 or 2 %,
the share of a cohort.
Sources: LaMer nucleation-growth with Gibbs-Thomson term, e.g. Talapin et al., J. Phys. Chem. B 2001, 105, 12278;
steps after Palencia et al., Nanoscale 2020, 12, 22928.
"""

from dataclasses import dataclass
from math import exp

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import binom

from ioc_sim.physics.balance import MOMENTS, Law, Path, ln_constants
from ioc_sim.physics.cohorts import deposit
from ioc_sim.physics.rosenbrock import advance
from ioc_sim.physics.scenario import Chemistry, NanocrystalGrowth, ReactionStep

__all__ = ["ScenarioChemistry", "WallPath"]

_R_KJ = 8.314462618e-3
_KELVIN = 273.15
_LN_10 = float(np.log(10.0))
# width 0.15 is worth 1e-7 in species and nanocrystals (it goes in as its fourth power); 25 cohorts at most are in use
_WIDTH, _COHORTS = 0.15, 32
_FIRST_STEP_S = 1e-4
_MAX_STEPS = 50_000
Array = NDArray[np.float64]


@dataclass(frozen=True)
class WallPath:
    """Temperature a parcel sees: a wall from ``start_c`` to ``end_c``, approached from ``entry_c``.

    T(t) = wall(t) + (entry - start) exp(-t/lag), wall linear over ``duration_s`` and constant after it.
    """

    start_c: float
    end_c: float
    entry_c: float
    duration_s: float
    lag_s: float

    def at(self, t_s: float) -> float:
        """Temperature after ``t_s`` in this oven, °C."""
        share = min(1.0, t_s / self.duration_s) if self.duration_s > 0 else 1.0
        wall = self.start_c + (self.end_c - self.start_c) * share
        if self.lag_s <= 0:
            return wall
        return wall + (self.entry_c - self.start_c) * exp(-t_s / self.lag_s)


class ScenarioChemistry:
    """A scenario's chemistry and its integration.

    Parameters
    ----------
    chemistry : Chemistry
        Species, steps and the growth law.
    grid_units : ndarray
        Increasing sizes, CdSe units, to give nanocrystals on.

    Attributes
    ----------
    species : tuple of str
        Names, in the order of :meth:`run`.
    units : ndarray
        CdSe units in each species.
    grid_units : ndarray
        The sizes.

    Raises
    ------
    ValueError
        The sizes are fewer than two or not increasing.
    """

    def __init__(self, chemistry: Chemistry, grid_units: ArrayLike) -> None:
        self.species = tuple(chemistry.species)
        self.units = np.array([*chemistry.species.values()], np.float64)
        self.grid_units = np.array(grid_units, np.float64)
        if len(self.grid_units) < 2 or not np.all(np.diff(self.grid_units) > 0):
            raise ValueError("grid_units must be two or more increasing sizes")
        self.law = _law(chemistry, self.species)

    def ln_constants(self, temperature_c: float) -> Array:
        """Logarithms of the elementary steps' rate constants, then of k_g and c_N, at a temperature.

        A step's reverse follows it; gates are in.
        """
        out = np.empty(len(self.law.ln_k0))
        ln_constants.py_func(self.law, temperature_c + _KELVIN, out, np.empty(len(out)))
        return out

    def run(
        self,
        precursor: float,
        chamber: WallPath,
        coil: WallPath,
        times_s: ArrayLike,
        rtol: float = 1e-6,
    ) -> tuple[Array, Array]:
        """Integrate a parcel of unreacted mixture through the chamber and then the coil.

        Parameters
        ----------
        precursor : float
            Initial concentration of P.
        chamber, coil : WallPath
            Temperatures; the parcel is in the chamber for its ``duration_s``, which may be 0.
        times_s : array_like
            Increasing times in the coil.
        rtol : float
            Relative tolerance of a step.

        Returns
        -------
        species : ndarray
            Concentrations, (times, species).
        nanocrystals : ndarray
            Concentrations at each of ``grid_units``, (times, sizes). Number and units are kept; what is smaller than
            the first size or larger than the last is put there with its units, as is what is falling apart.

        Raises
        ------
        ValueError
            A negative concentration or time, times that do not increase.
        RuntimeError
            The integration does not get on; says where and under which conditions.
        """
        times = np.array(times_s, np.float64)
        if not (precursor >= 0 and times.ndim == 1 and len(times) and times[0] >= 0 and np.all(np.diff(times) > 0)):
            raise ValueError(f"precursor {precursor} and times {times} must not be negative, and times increase")
        species, rows = np.zeros((len(times), len(self.species))), np.zeros((len(times), 2 * _COHORTS + 2, 3))
        sizes = np.zeros((len(times), len(self.grid_units)))
        if precursor > 0:
            y, w = np.zeros(len(self.species) + MOMENTS + 2 * _COHORTS), np.zeros(2 * _COHORTS)
            y[self.species.index("P")] = precursor
            state = np.array([0.0, _FIRST_STEP_S, 0.0, precursor])
            parts = ("chamber", chamber, np.array([chamber.duration_s], np.float64)), ("coil", coil, times)
            for where, path, until in parts:
                start, end, entry = (float(c) + _KELVIN for c in (path.start_c, path.end_c, path.entry_c))
                wall = Path(start, end, entry, float(path.duration_s), float(path.lag_s))
                t = advance(self.law, wall, y, w, state, until, rtol, _WIDTH, _MAX_STEPS, species, rows)
                if t < until[-1]:
                    raise RuntimeError(
                        f"no progress after {t:g} s in the {where} ({int(state[2])} steps of integration): "
                        f"precursor {precursor:g}, chamber {chamber}, coil {coil}"
                    )
            deposit(rows, self.grid_units, sizes)
        return np.maximum(species, 0.0), sizes


def _law(chemistry: Chemistry, species: tuple[str, ...]) -> Law:
    def row(amounts: dict[str, float]) -> Array:
        return np.array([amounts.get(name, 0.0) for name in species])

    nc = chemistry.nanocrystals
    steps: list[tuple[Array, Array, float, float, float, ReactionStep]] = []
    for step in chemistry.running:
        gain, log10_k, energy = row(step.products) - row(step.reactants), step.log10_k0, step.energy_kj_mol
        orders = row(step.orders if step.orders is not None else step.reactants)
        steps.append((gain, orders, step.products.get("NC", 0.0), log10_k, energy, step))
        if step.reverse is not None:
            back = row({name: amount for name, amount in step.products.items() if name != "M"})
            log10_k, energy = log10_k + step.reverse.log10_c0, energy + step.reverse.energy_kj_mol
            steps.append((-gain, back, 0.0, log10_k, energy, step))
    gains, orders, births, log10_k, energy, origin = zip(*steps, strict=True)
    gates = [(s.gate.log10_k0, s.gate.energy_kj_mol) if s.gate else (-np.inf, 0.0) for s in origin]
    capillary = nc.capillary_nm * (4 * np.pi / (3 * chemistry.unit_volume_nm3)) ** (1 / 3)
    return Law(
        stoichiometry=np.array(gains).T.copy(),
        orders=np.array(orders),
        births=np.array(births, np.float64),
        ln_k0=_LN_10 * np.array([*log10_k, nc.log10_growth0, nc.log10_solubility0]),
        e_r=np.array([*energy, nc.growth_energy_kj_mol, nc.solubility_energy_kj_mol]) / _R_KJ,
        gate_ln_k0=_LN_10 * np.array([gate[0] for gate in gates]),
        gate_h_r=np.array([gate[1] for gate in gates]) / _R_KJ,
        inverse_t0=1.0 / (chemistry.reference_temperature_c + _KELVIN),
        units=np.array([*chemistry.species.values()], np.float64),
        monomer=species.index("M"),
        seed=float(nc.seed_units),
        vanishing=float(nc.vanishing_units),
        exponent=float(nc.growth_exponent),
        capillary=float(capillary),
        taylor=_taylor(nc, float(capillary)),
        ending=_ending(nc, float(capillary)),
    )


def _taylor(nc: NanocrystalGrowth, capillary: float) -> Array:
    """Taylor coefficients of :attr:`.balance.Law.taylor`."""
    powers = np.arange(MOMENTS)
    growth = nc.seed_units ** (nc.growth_exponent - 1.0) * binom(nc.growth_exponent, powers)
    over_r = capillary * nc.seed_units ** (-1 / 3) * binom(-1 / 3, powers)
    solubility = np.zeros(MOMENTS)
    solubility[0] = np.exp(over_r[0])
    for j in range(1, MOMENTS):
        solubility[j] = sum(i * over_r[i] * solubility[j - i] for i in range(1, j + 1)) / j
    return np.array([growth, np.convolve(growth, solubility)[:MOMENTS]])


def _ending(nc: NanocrystalGrowth, capillary: float) -> Array:
    """Coefficients of :attr:`.balance.Law.ending`, from n f'/f and n² f''/f at the vanishing size."""
    over_r = capillary * nc.vanishing_units ** (-1 / 3) * np.array([0.0, 1.0])
    first = nc.growth_exponent - over_r / 3.0
    second = first * (first - 1.0) + over_r / 9.0
    return np.array([1.0 - first, 0.5 * second + 1.0 - first]).T.copy()
