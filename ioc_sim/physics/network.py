"""Mass-action network of precursor, monomer and clusters, with nanocrystals as moments of their size.

Concentrations are in units of the Cd precursor of the mixture. State: the scenario's species, then
N (nanocrystals), Q (CdSe units in them) and S = N var(n), n the units in one nanocrystal, n̄ = Q/N.

    step      r = k Π c^order,  k = 10^log10_k0 exp(-E/R (1/T - 1/T0)); a reversible step has the reverse rate
              k c* Π c (products other than M), c* = 10^log10_c0 exp(-H/R (1/T - 1/T0))  (van 't Hoff)
    birth     NC of n0 units:  dN += r,  dQ += n0 r,  dS += r (n0 - n̄)²
    growth    dn/dt = g(n) = k_g n^p (M - c_N e^(a/r)),  r = (3 n v/4π)^(1/3);  dQ = N g(n̄),  dM = -N g(n̄),
              dS = 2 g'(n̄) S

p = 2/3 is growth limited by the surface, 1/3 by diffusion (sizes focus). dS is the variance of
characteristics that start at n0 at different times and follow dn/dt, to first order in their spread.
Temperature enters by k and c* alone. CdSe units P + M + Σ nᵢcᵢ + Q are conserved by construction.

Limits: the shape of the size distribution is not resolved (mean and width only), the mean grows at the rate
of its own size, and a nanocrystal does not vanish (no ripening to nothing).
Sources: LaMer nucleation-growth with Gibbs-Thomson term, e.g. Talapin et al., J. Phys. Chem. B 2001, 105,
12278; steps after Palencia et al., Nanoscale 2020, 12, 22928. Integrator: LSODA with the analytic Jacobian.
"""

from dataclasses import dataclass
from math import exp, inf

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import odeint

from ioc_sim.physics.scenario import Chemistry, Step

__all__ = ["Network", "WallPath"]

_R_KJ = 8.314462618e-3
_KELVIN = 273.15
_TINY = 1e-30
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


class Network:
    """The right-hand side of a scenario's chemistry and its integration.

    Parameters
    ----------
    chemistry : Chemistry
        Species, steps and the growth law.
    """

    def __init__(self, chemistry: Chemistry) -> None:
        self.species = tuple(chemistry.species)
        count = len(self.species)
        self.n, self.q, self.s, self.size = count, count + 1, count + 2, count + 3
        self.units = np.array([*chemistry.species.values(), 0.0, 1.0, 0.0])
        self.monomer = self.species.index("M")
        self.precursor = self.species.index("P")
        nc = chemistry.nanocrystals
        self._seed = nc.seed_units
        self._exponent = nc.growth_exponent
        self._index = {name: i for i, name in enumerate(self.species)} | {"NC": self.n}
        columns: list[Array] = []
        orders: list[Array] = []
        log10_k: list[float] = []
        energy: list[float] = []
        births: list[float] = []
        for step in chemistry.steps:
            column = self._column(step)
            columns.append(column)
            orders.append(self._orders(step.orders if step.orders is not None else step.reactants))
            log10_k.append(step.log10_k0)
            energy.append(step.energy_kj_mol)
            births.append(step.products.get("NC", 0.0))
            if step.reverse is not None:
                columns.append(-column)
                orders.append(self._orders({s: v for s, v in step.products.items() if s != "M"}))
                log10_k.append(step.log10_k0 + step.reverse.log10_c0)
                energy.append(step.energy_kj_mol + step.reverse.energy_kj_mol)
                births.append(0.0)
        self._stoichiometry = np.array(columns).T
        self._orders_of = np.array(orders)
        self._births = np.array(births)
        log10_k += [nc.log10_growth0, nc.log10_solubility0]
        energy += [nc.growth_energy_kj_mol, nc.solubility_energy_kj_mol]
        self._ln_k0 = np.log(10.0) * np.array(log10_k)
        self._e_r = np.array(energy) / _R_KJ
        self._inverse_t0 = 1.0 / (chemistry.reference_temperature_c + _KELVIN)
        # a/r = capillary / n^(1/3)
        self._capillary = nc.capillary_nm * (4 * np.pi / (3 * chemistry.unit_volume_nm3)) ** (1 / 3)

    def _column(self, step: Step) -> Array:
        column = np.zeros(self.size)
        for sign, side in ((-1.0, step.reactants), (1.0, step.products)):
            for name, amount in side.items():
                column[self._index[name]] += sign * amount
        column[self.q] = self._seed * column[self.n]
        return column

    def _orders(self, orders: dict[str, float]) -> Array:
        row = np.zeros(self.size)
        for name, order in orders.items():
            row[self._index[name]] = order
        return row

    def ln_constants(self, temperature_c: float) -> Array:
        """Logarithms of the steps' rate constants, then of k_g and c_N, at a temperature."""
        return self._ln_k0 - self._e_r * (1.0 / (temperature_c + _KELVIN) - self._inverse_t0)

    def initial(self, precursor: float) -> Array:
        """State of a parcel of unreacted mixture."""
        y = np.zeros(self.size)
        y[self.precursor] = precursor
        return y

    def _growth(self, y: Array, ln_k: Array) -> tuple[float, float, float, float, float]:
        """Return N, n̄, g(n̄), g'(n̄) and dg/dM."""
        number, mass = max(float(y[self.n]), 0.0), max(float(y[self.q]), 0.0)
        # where there is no population yet, n̄ is the seed's size
        n = max((mass + self._seed * _TINY) / (number + _TINY), 1.0)
        over_r = self._capillary * n ** (-1 / 3)
        solubility = exp(float(ln_k[-1]) + min(over_r, 50.0))
        drive = float(y[self.monomer]) - solubility
        per_m = exp(float(ln_k[-2])) * n**self._exponent
        slope = per_m / n * (self._exponent * drive + solubility * over_r / 3)
        return number, n, per_m * drive, slope, per_m

    def rates(self, y: Array, ln_k: Array) -> Array:
        """Rates of the elementary steps."""
        return np.exp(ln_k[:-2] + self._orders_of @ np.log(np.maximum(y, _TINY)))

    def derivative(self, y: Array, ln_k: Array) -> Array:
        """dy/dt in 1/s."""
        r = self.rates(y, ln_k)
        dy = self._stoichiometry @ r
        number, n, g, slope, _ = self._growth(y, ln_k)
        dy[self.q] += number * g
        dy[self.monomer] -= number * g
        dy[self.s] += 2 * slope * y[self.s] + (self._births @ r) * (self._seed - n) ** 2
        return dy

    def jacobian(self, y: Array, ln_k: Array) -> Array:
        """d(dy/dt)/dy; the S row holds its diagonal only (nothing depends on S)."""
        dr = self.rates(y, ln_k)[:, None] * self._orders_of / np.maximum(y, _TINY)
        jac = self._stoichiometry @ dr
        number, n, g, slope, per_m = self._growth(y, ln_k)
        for row, sign in ((self.q, 1.0), (self.monomer, -1.0)):
            jac[row, self.n] += sign * (g - n * slope)
            jac[row, self.q] += sign * slope
            jac[row, self.monomer] += sign * number * per_m
        jac[self.s, self.s] += 2 * slope
        return jac

    def integrate(self, y0: Array, path: WallPath, times_s: Array, rtol: float = 1e-6, atol: float = 1e-11) -> Array:
        """States at increasing ``times_s`` (all positive) of a parcel that follows ``path``, one a row."""
        # wall at rest and heat-up over: the constants stay as they are
        settled_s = 25.0 * path.lag_s if path.start_c == path.end_c else inf
        settled = self.ln_constants(path.end_c)

        def constants(t: float) -> Array:
            return settled if t >= settled_s else self.ln_constants(path.at(t))

        return odeint(
            lambda y, t: self.derivative(y, constants(t)),
            y0,
            np.concatenate(([0.0], times_s)),
            Dfun=lambda y, t: self.jacobian(y, constants(t)),
            rtol=rtol,
            atol=atol,
            mxstep=20000,
        )[1:]

    def total_units(self, y: Array) -> Array:
        """CdSe units in a state (or in each row of states)."""
        return y @ self.units
