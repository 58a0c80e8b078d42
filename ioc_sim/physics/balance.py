"""Right-hand side and Jacobian of species and growing nanocrystals, compiled.

Concentrations in units of the Cd precursor, sizes n in CdSe units, s, K. The state y is

    c            species
    m0 ... m4    open cohort: moments m_j = Σ ξ^j of the nanocrystals born since it was opened, ξ = n/n0 - 1
    n            nodes: sizes that stand for the closed cohorts; their numbers w are constant

with the steps' rates r and births b of :mod:`.network`, and its growth law g(n):

    dc   = ν r;   of M besides:  - n0 dm1 - Σ w dn
    dm_j = b δ_j0 + j Σ_i a_i m_(j-1+i)  up to m4,   a_i the Taylor coefficients of g(n0 (1 + ξ))/n0 at ξ = 0
    dn   = g(n);   below the vanishing size n_v, with x = n/n_v, n^p and n^p e^(a/r) in it are their values at n_v
           times x (1 + b (1 - x) + c (1 - x)²), b and c such that g'' is continuous, and dn is never positive

CdSe units Σ u c + n0 (m0 + m1) + Σ w n are linear in the state, so that a Rosenbrock method keeps them to rounding.
An order below 1 is made linear below c = 1e-12, where its slope would become infinite.

Limits: the open cohort must be narrow (|ξ| well below 1; see :mod:`.cohorts`). Below n_v the units of a node pass to
M within a few n_v/|g(n_v)| and not at once, as do those of the many nanocrystals it stands for; at once, they would be
a burst that exceeds all monomer.

Everywhere ``law`` is a :class:`Law`, ``k`` (steps + 2,) the constants at one time (of the steps, then k_g and c_N),
``slope`` (steps + 2,) their logarithmic derivatives by time in 1/s, ``y`` (species + 5 + nodes,) the state, ``w``
(nodes,) the nodes' numbers. Without ``born`` newborn nanocrystals are left as monomer.
"""

from typing import NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

__all__ = [
    "MOMENTS", "Law", "Path", "birth_rate", "compiled", "compiled_entry", "constants_at", "derivative", "jacobian",
    "ln_constants",
]  # fmt: skip

Array = NDArray[np.float64]
MOMENTS = 5
_LINEAR_BELOW = 1e-12
_SETTLED_K = 1e-10

compiled = numba.njit(nogil=True, error_model="numpy")
# only what Python calls is cached: a cached inner function would outlive changes in what it calls in another file
compiled_entry = numba.njit(cache=True, nogil=True, error_model="numpy")


class Law(NamedTuple):
    """A chemistry in numbers.

    Attributes
    ----------
    stoichiometry : ndarray
        Species gained in each elementary step, (species, steps).
    orders : ndarray
        Exponents of the concentrations, (steps, species).
    births : ndarray
        Nanocrystals born in each step, (steps,).
    ln_k0, e_r : ndarray
        Logarithms at the reference temperature and E/R in K, (steps + 2,): of the steps, then k_g and c_N.
    gate_ln_k0, gate_h_r : ndarray
        The same of each step's gate, (steps,); minus infinity without one.
    inverse_t0 : float
        1/K of the reference temperature.
    units : ndarray
        CdSe units in each species, (species,).
    monomer : int
        Index of M.
    seed, vanishing : float
        n0 and n_v in CdSe units.
    exponent, capillary : float
        p, and a/r of one CdSe unit.
    taylor : ndarray
        Taylor coefficients in ξ of n^p/n0 and of n^p e^(a/r)/n0 at the seed, (2, 5).
    ending : ndarray
        b and c of the same two below n_v, (2, 2).
    """

    stoichiometry: Array
    orders: Array
    births: Array
    ln_k0: Array
    e_r: Array
    gate_ln_k0: Array
    gate_h_r: Array
    inverse_t0: float
    units: Array
    monomer: int
    seed: float
    vanishing: float
    exponent: float
    capillary: float
    taylor: Array
    ending: Array


class Path(NamedTuple):
    """Temperature along a wall, as :class:`ioc_sim.physics.network.WallPath` but in K."""

    start_k: float
    end_k: float
    entry_k: float
    duration_s: float
    lag_s: float


@compiled
def ln_constants(law, kelvin, ln_k, slope):
    """Write logarithms of the constants at a temperature to ``ln_k``, their derivatives by it (1/K) to ``slope``."""
    x = 1.0 / kelvin - law.inverse_t0
    for i in range(len(ln_k)):
        ln_k[i] = law.ln_k0[i] - law.e_r[i] * x
        slope[i] = law.e_r[i] / kelvin**2
        if i < len(law.births) and law.gate_ln_k0[i] > -np.inf:
            ln_gate = law.gate_ln_k0[i] - law.gate_h_r[i] * x
            ln_k[i] -= max(ln_gate, 0.0) + np.log1p(np.exp(-abs(ln_gate)))
            slope[i] -= law.gate_h_r[i] / kelvin**2 / (1.0 + np.exp(-ln_gate))


@compiled
def constants_at(law, path, t, ramping, k, slope):
    """Write ``k`` and ``slope`` at ``t`` s along ``path``; return whether the temperature rests.

    ``ramping`` says on which side of the end of the wall's ramp ``t`` is.
    """
    rise = (path.end_k - path.start_k) / path.duration_s if ramping else 0.0
    wall = path.start_k + rise * t if ramping else path.end_k
    lead = (path.entry_k - path.start_k) * np.exp(-t / path.lag_s) if path.lag_s > 0.0 else 0.0
    if abs(lead) > _SETTLED_K:
        rise -= lead / path.lag_s
    else:
        lead = 0.0
    ln_constants(law, wall + lead, k, slope)
    for i in range(len(k)):
        k[i] = np.exp(k[i])
        slope[i] *= rise
    return rise == 0.0


@compiled
def _power(c, order):
    if order == 1.0:
        return c
    if order < 1.0 and c < _LINEAR_BELOW:
        return _LINEAR_BELOW ** (order - 1.0) * c
    return c**order if c > 0.0 else 0.0


@compiled
def _power_slope(c, order):
    if order == 1.0:
        return 1.0
    if order < 1.0 and c < _LINEAR_BELOW:
        return _LINEAR_BELOW ** (order - 1.0)
    return order * c ** (order - 1.0) if c > 0.0 else 0.0


@compiled
def _rate(law, k, y, i):
    rate = k[i]
    for s in range(len(law.units)):
        if law.orders[i, s] != 0.0:
            rate *= _power(y[s], law.orders[i, s])
    return rate


@compiled
def birth_rate(law, k, y):
    """Nanocrystals born, 1/s."""
    total = 0.0
    for i in range(len(law.births)):
        if law.births[i] != 0.0:
            total += law.births[i] * _rate(law, k, y, i)
    return total


@compiled
def _ending(x, b, c):
    """Return x (1 + b (1 - x) + c (1 - x)²) and its slope."""
    rest = 1.0 - x
    shape = 1.0 + rest * (b + rest * c)
    return x * shape, shape - x * (b + 2.0 * rest * c)


@compiled
def derivative(law, k, y, w, born, f):
    """Write dy/dt in 1/s to ``f``."""
    count, monomer = len(law.units), law.monomer
    at = count + MOMENTS
    k_g, c_n = k[-2], k[-1]
    f[:at] = 0.0
    for i in range(len(law.births)):
        rate = _rate(law, k, y, i)
        for s in range(count):
            f[s] += law.stoichiometry[s, i] * rate
        if born:
            f[count] += law.births[i] * rate
        else:
            f[monomer] += law.births[i] * law.seed * rate
    if born:
        for i in range(MOMENTS):
            a = k_g * (y[monomer] * law.taylor[0, i] - c_n * law.taylor[1, i])
            for j in range(1, MOMENTS - max(i - 1, 0)):
                f[count + j] += j * a * y[count + j - 1 + i]
        f[monomer] -= law.seed * f[count + 1]
    taken = 0.0
    for j in range(len(w)):
        n = y[at + j]
        ln_n = np.log(max(n, law.vanishing))
        gain, loss = y[monomer], c_n * np.exp(law.capillary * np.exp(-ln_n / 3.0))
        if n < law.vanishing:
            gain *= _ending(n / law.vanishing, law.ending[0, 0], law.ending[0, 1])[0]
            loss *= _ending(n / law.vanishing, law.ending[1, 0], law.ending[1, 1])[0]
            gain = min(gain, loss)
        f[at + j] = k_g * np.exp(law.exponent * ln_n) * (gain - loss)
        taken += w[j] * f[at + j]
    f[monomer] -= taken


@compiled
def jacobian(law, k, slope, y, w, born, dense, arrow, f_t):
    """Write d(dy/dt)/dy and ∂(dy/dt)/∂t.

    ``dense`` (species + 5, species + 5) is the part without the nodes, less what they do to M; rows of ``arrow``
    (2, nodes) are each node's slope by its own size and by M.
    """
    count, monomer = len(law.units), law.monomer
    at = count + MOMENTS
    k_g, c_n, ln_g, ln_c = k[-2], k[-1], slope[-2], slope[-1]
    dense[:, :] = 0.0
    f_t[:] = 0.0
    for i in range(len(law.births)):
        to_births, to_monomer = (law.births[i], 0.0) if born else (0.0, law.births[i] * law.seed)
        by_time = slope[i] * _rate(law, k, y, i)
        for row in range(count):
            f_t[row] += law.stoichiometry[row, i] * by_time
        f_t[monomer] += to_monomer * by_time
        f_t[count] += to_births * by_time
        for s in range(count):
            if law.orders[i, s] == 0.0:
                continue
            d = k[i] * _power_slope(y[s], law.orders[i, s])
            for other in range(count):
                if other != s and law.orders[i, other] != 0.0:
                    d *= _power(y[other], law.orders[i, other])
            for row in range(count):
                dense[row, s] += law.stoichiometry[row, i] * d
            dense[monomer, s] += to_monomer * d
            dense[count, s] += to_births * d
    if born:
        for i in range(MOMENTS):
            by_monomer, dissolving = k_g * law.taylor[0, i], k_g * c_n * law.taylor[1, i]
            a = by_monomer * y[monomer] - dissolving
            for j in range(1, MOMENTS - max(i - 1, 0)):
                m = j * y[count + j - 1 + i]
                dense[count + j, count + j - 1 + i] += j * a
                dense[count + j, monomer] += by_monomer * m
                f_t[count + j] += (ln_g * a - ln_c * dissolving) * m
        for s in range(at):
            dense[monomer, s] -= law.seed * dense[count + 1, s]
        f_t[monomer] -= law.seed * f_t[count + 1]
    for j in range(len(w)):
        n = y[at + j]
        ln_n = np.log(max(n, law.vanishing))
        over_r = law.capillary * np.exp(-ln_n / 3.0)
        speed, by_monomer, loss = k_g * np.exp(law.exponent * ln_n), 1.0, c_n * np.exp(over_r)
        if n >= law.vanishing:
            slope_n = (law.exponent * (y[monomer] - loss) + loss * over_r / 3.0) / n
        else:
            by_monomer, gain_slope = _ending(n / law.vanishing, law.ending[0, 0], law.ending[0, 1])
            share, loss_slope = _ending(n / law.vanishing, law.ending[1, 0], law.ending[1, 1])
            slope_n = (gain_slope * y[monomer] - loss_slope * loss) / law.vanishing
            loss *= share
            if by_monomer * y[monomer] > loss:
                speed = 0.0
        arrow[0, j] = speed * slope_n
        arrow[1, j] = speed * by_monomer
        f_t[at + j] = speed * (ln_g * (by_monomer * y[monomer] - loss) - ln_c * loss)
        f_t[monomer] -= w[j] * f_t[at + j]
