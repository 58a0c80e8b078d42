"""Stiff integration of many parameter sets along many reactor paths in one call.

The method is RODAS4 (Hairer & Wanner, Solving ODEs II, IV.7): a linearly implicit, L-stable, stiffly accurate
Rosenbrock method of order 4 with an embedded error estimate of order 3, six stages and one LU factorisation a
step, with the analytic Jacobian of the mass-action laws. A path is plug flow through two isothermal pieces,
the chamber at the nucleation temperature and the coil at the growth temperature; each is autonomous.

The accuracy is checked against scipy's LSODA at 1e-10 in ``tests/reference/test_solver.py``. The compiled
code releases the GIL and is spread over plain threads (see ``docs/decisions/solver.md``).
"""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numba
import numpy as np
from numpy.typing import NDArray

from msc_plans.condition import Condition
from msc_plans.kinetics.mechanism import REFERENCE_TEMPERATURE, Mechanism

__all__ = ["Reactor", "path_of", "solve", "solve_paths"]

GAS_CONSTANT = 8.314462618e-3  # kJ/(mol K)
ZERO_CELSIUS = 273.15
FLOOR = 1e-14
"""Concentrations (mM) below this are taken as this in fractional orders, whose slope is infinite at 0."""


@dataclass(frozen=True)
class Reactor:
    """What the model needs to know of the reactor.

    Parameters
    ----------
    cadmium_millimolar : float
        CdSe units fed (the lesser of Cd and Se), mM at 25 °C.
    chamber_fraction : float
        Volume of the nucleation chamber over that of chamber and coil together.
    density_slope : float
        Relative loss of solvent density per kelvin above 25 °C: hot liquid takes more room and so less time.
        Octadecene has 0.789 g/mL at 25 °C and about 0.61 at 280 °C.
    """

    cadmium_millimolar: float = 10.0
    chamber_fraction: float = 0.0457
    density_slope: float = (1 - 0.61 / 0.789) / 255

    def __post_init__(self) -> None:
        if not self.cadmium_millimolar > 0:
            raise ValueError(f"cadmium_millimolar must be above 0, not {self.cadmium_millimolar!r}")
        if not 0 <= self.chamber_fraction <= 1:
            raise ValueError(f"chamber_fraction must be between 0 and 1, not {self.chamber_fraction!r}")


def path_of(condition: Condition, reactor: Reactor) -> tuple[float, float, float, float]:
    """Return chamber temperature (K), chamber time (s), coil temperature (K), coil time (s)."""

    def hot(temperature: float) -> float:
        return 1 - reactor.density_slope * (temperature - 25)

    nucleation, growth = condition.nucleation_temperature, condition.growth_temperature
    chamber = condition.residence_time * reactor.chamber_fraction * hot(nucleation)
    coil = condition.residence_time * (1 - reactor.chamber_fraction) * hot(growth)
    return nucleation + ZERO_CELSIUS, chamber, growth + ZERO_CELSIUS, coil


def solve(
    mechanism: Mechanism,
    parameters: NDArray[np.float64],
    conditions: Sequence[Condition],
    reactor: Reactor,
    *,
    rtol: float = 1e-3,
) -> NDArray[np.float64]:
    """Return the concentrations at the reactor's end for every parameter set and condition.

    Parameters
    ----------
    mechanism : Mechanism
        The mechanism.
    parameters : array, shape (sets, 2 · steps)
        ``log10_k`` of all steps, then ``E`` (kJ/mol) of all steps.
    conditions : sequence of Condition
        The conditions.
    reactor : Reactor
        Feed and volumes.
    rtol : float
        Relative error per step; the absolute one is ``1e-3 · rtol`` of the feed, in CdSe units.

    Returns
    -------
    array, shape (sets, conditions, species)
        mM at 25 °C; NaN where a set cannot be integrated.

    Raises
    ------
    ValueError
        The parameters have the wrong shape.
    """
    paths = np.array([path_of(condition, reactor) for condition in conditions]).reshape(-1, 4)
    start = np.zeros(len(mechanism.species))
    start[0] = reactor.cadmium_millimolar
    return solve_paths(mechanism, parameters, paths, start, rtol=rtol)


def solve_paths(
    mechanism: Mechanism,
    parameters: NDArray[np.float64],
    paths: NDArray[np.float64],
    start: NDArray[np.float64],
    *,
    rtol: float = 1e-3,
    fixed_steps: int = 0,
) -> NDArray[np.float64]:
    """Integrate ``start`` (mM) along ``paths``: rows of temperature (K) and time (s), twice.

    ``fixed_steps`` above 0 takes that many equal steps a piece without error control (for the order of
    convergence). See :func:`solve` for the rest.
    """
    parameters = np.ascontiguousarray(parameters, dtype=float)
    if parameters.ndim != 2 or parameters.shape[1] != len(mechanism):
        raise ValueError(f"parameters must have the shape (sets, {len(mechanism)}), not {parameters.shape}")
    if not rtol > 0:
        raise ValueError(f"rtol must be above 0, not {rtol!r}")
    sets, number = len(parameters), len(paths)
    result = np.empty((sets * number, len(mechanism.species)))
    atol = 1e-3 * rtol * float(start @ mechanism.contents) / mechanism.error_weights
    changes = [np.flatnonzero(row) for row in mechanism.stoichiometry]
    arguments = (
        parameters, np.ascontiguousarray(paths, dtype=float), np.asarray(start, dtype=float),
        mechanism.reactants, mechanism.orders, mechanism.stoichiometry,
        np.concatenate(changes), np.cumsum([0, *map(len, changes)]),
        atol, rtol, fixed_steps, result,
    )  # fmt: skip
    workers = min(len(os.sched_getaffinity(0)), 1 + sets * number // 64)
    if workers == 1:
        _integrate(*arguments, 0, 1)
    else:
        # Several interleaved parts a worker: stiff sets cost more, and neighbours are alike.
        parts = 4 * workers
        with ThreadPoolExecutor(workers, thread_name_prefix="kinetics") as pool:
            list(pool.map(lambda part: _integrate(*arguments, part, parts), range(parts)))
    return result.reshape(sets, number, -1)


_compiled = numba.njit(cache=True, nogil=True, error_model="numpy")

_A = np.array(
    [
        [0, 0, 0, 0, 0],
        [1.544, 0, 0, 0, 0],
        [0.9466785280815826, 0.2557011698983284, 0, 0, 0],
        [3.314825187068521, 2.896124015972201, 0.9986419139977817, 0, 0],
        [1.221224509226641, 6.019134481288629, 12.53708332932087, -0.6878860361058950, 0],
        [1.221224509226641, 6.019134481288629, 12.53708332932087, -0.6878860361058950, 1],
    ]
)
_C = np.array(
    [
        [0, 0, 0, 0, 0],
        [-5.6688, 0, 0, 0, 0],
        [-2.430093356833875, -0.2063599157091915, 0, 0, 0],
        [-0.1073529058151375, -9.594562251023355, -20.47028614809616, 0, 0],
        [7.496443313967647, -10.24680431464352, -33.99990352819905, 11.70890893206160, 0],
        [8.083246795921522, -7.981132988064893, -31.52159432874371, 16.31930543123136, -6.058818238834054],
    ]
)
_GAMMA = 0.25
_MAX_STEPS = 3000


@_compiled
def _power(value, order):
    # exp and log compile in half the time of numba's general power.
    return np.exp(order * np.log(max(value, FLOOR)))


@_compiled
def _rates(y, k, reactants, orders, rate):
    """Fill the rate of each step."""
    for step in range(k.size):
        product = k[step]
        for slot in range(3):
            one = reactants[step, slot]
            if one < 0:
                break
            order = orders[step, slot]
            if order == 1.0:
                product *= y[one]
            elif order == 2.0:
                product *= y[one] * y[one]
            else:
                product *= _power(y[one], order)
        rate[step] = product


@_compiled
def _slope(y, k, reactants, orders, step, slot):
    """Return the slope of a step's rate in one of its reactants."""
    product = k[step]
    for other in range(3):
        one = reactants[step, other]
        if one < 0:
            break
        order, value = orders[step, other], y[one]
        if other == slot:
            if order == 2.0:
                product *= 2.0 * value
            elif order != 1.0:
                product *= order * _power(value, order - 1.0)
        elif order == 1.0:
            product *= value
        elif order == 2.0:
            product *= value * value
        else:
            product *= _power(value, order)
    return product


@_compiled
def _piece(y, k, time, reactants, orders, stoichiometry, touched, first, atol, rtol, fixed_steps, work):
    """Integrate y in place over one isothermal piece; return whether it succeeded."""
    n, steps = y.size, k.size
    stage, right, trial = work[:6], work[6], work[7]
    matrix, rate = work[8 : 8 + n], work[8 + n]
    h = time / fixed_steps if fixed_steps > 0 else min(time, 1e-3)
    done, rejected = 0.0, False
    for _ in range(max(_MAX_STEPS, 2 * fixed_steps)):
        if done >= time * (1 - 1e-12):
            return True
        h = min(h, time - done)
        _rates(y, k, reactants, orders, rate)
        for i in range(n):
            for j in range(n):
                matrix[i, j] = 0.0
            matrix[i, i] = 1 / (h * _GAMMA)
        for step in range(steps):
            for slot in range(3):
                j = reactants[step, slot]
                if j < 0:
                    break
                slope = _slope(y, k, reactants, orders, step, slot)
                for position in range(first[step], first[step + 1]):
                    i = touched[position]
                    matrix[i, j] -= stoichiometry[step, i] * slope
        # LU without pivoting: 1/(hγ) on the diagonal and Metzler-like columns keep it dominant; a failure of
        # that shows up in the error estimate and the step is repeated with a larger diagonal.
        for p in range(n):
            inverse = 1 / matrix[p, p]
            for i in range(p + 1, n):
                if matrix[i, p] != 0.0:
                    factor = matrix[i, p] * inverse
                    matrix[i, p] = factor
                    for j in range(p + 1, n):
                        matrix[i, j] -= factor * matrix[p, j]
        for s in range(6):
            for i in range(n):
                trial[i] = y[i]
                right[i] = 0.0
            for earlier in range(s):
                a, c = _A[s, earlier], _C[s, earlier] / h
                for i in range(n):
                    trial[i] += a * stage[earlier, i]
                    right[i] += c * stage[earlier, i]
            if s > 0:
                _rates(trial, k, reactants, orders, rate)
            for step in range(steps):
                for position in range(first[step], first[step + 1]):
                    i = touched[position]
                    right[i] += stoichiometry[step, i] * rate[step]
            for i in range(n):
                value = right[i]
                for j in range(i):
                    value -= matrix[i, j] * right[j]
                right[i] = value
            for i in range(n - 1, -1, -1):
                value = right[i]
                for j in range(i + 1, n):
                    value -= matrix[i, j] * right[j]
                right[i] = value / matrix[i, i]
                stage[s, i] = right[i]
        error = 0.0
        for i in range(n):
            trial[i] += stage[5, i]
            scale = atol[i] + rtol * max(abs(y[i]), abs(trial[i]))
            error += (stage[5, i] / scale) ** 2
        error = np.sqrt(error / n)
        if fixed_steps > 0 or error <= 1.0:
            done += h
            for i in range(n):
                y[i] = trial[i]
            if fixed_steps == 0:
                grow = 6.0 if error == 0.0 else min(6.0, max(0.2, 0.9 * error**-0.25))
                h *= min(grow, 1.0) if rejected else grow
            rejected = False
        else:
            h *= max(0.1, 0.9 * error**-0.25) if np.isfinite(error) else 0.1
            rejected = True
            if h < 1e-12 * time:
                return False
    return False


@_compiled
def _integrate(
    parameters,
    paths,
    start,
    reactants,
    orders,
    stoichiometry,
    touched,
    first,
    atol,
    rtol,
    fixed_steps,
    result,
    part,
    parts,
):
    n, steps = start.size, parameters.shape[1] // 2
    work = np.empty((9 + n, max(n, steps)))
    k = np.empty(steps)
    y = np.empty(n)
    for job in range(part, result.shape[0], parts):
        one, path = job // len(paths), job % len(paths)
        y[:] = start
        good = True
        for piece in range(2):
            temperature, time = paths[path, 2 * piece], paths[path, 2 * piece + 1]
            if time <= 0.0 or not good:
                continue
            shift = (1 / temperature - 1 / (REFERENCE_TEMPERATURE + ZERO_CELSIUS)) / GAS_CONSTANT
            for step in range(steps):
                k[step] = np.exp(np.log(10.0) * parameters[one, step] - parameters[one, steps + step] * shift)
            good = _piece(y, k, time, reactants, orders, stoichiometry, touched, first, atol, rtol, fixed_steps, work)
        for i in range(n):
            result[job, i] = y[i] if good else np.nan
