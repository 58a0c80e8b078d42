"""Stiff integration of many parameter sets along many reactor paths in one call.

A path is plug flow through two isothermal pieces, the chamber at the nucleation temperature and the coil at the
growth temperature. Conditions that share a chamber's temperature and time share its integration. The method is in
`lanes`; its accuracy is tested against scipy's LSODA at 1e-10 in ``tests/reference/test_solver.py``, and why it is so
is in ``docs/decisions/2026-11-23-kinetics-solver.md``.
"""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from msc_plans.condition import Condition
from msc_plans.kinetics.lanes import LANES, integrate
from msc_plans.kinetics.mechanism import REFERENCE_TEMPERATURE, Mechanism
from msc_plans.kinetics.network import Network, network_of

__all__ = ["FlowModel", "path_of", "solve", "solve_paths"]

GAS_CONSTANT: Final = 8.314462618e-3
"""kJ/(mol K)."""
ZERO_CELSIUS: Final = 273.15
ABSOLUTE: Final = 1e-3
"""Absolute over relative error of a step, as a share of the feed in formula units."""


@dataclass(frozen=True)
class FlowModel:
    """What the model needs to know of the reactor.

    Parameters
    ----------
    cadmium_millimolar : float
        formula units fed (the lesser of Cd and Se), mmol/L at 25 °C.
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


def path_of(condition: Condition, reactor: FlowModel) -> tuple[float, float, float, float]:
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
    reactor: FlowModel,
    *,
    rtol: float = 1e-3,
) -> NDArray[np.float64]:
    """Return the concentrations at the reactor's end for every parameter set and condition.

    Parameters
    ----------
    mechanism : Mechanism
        The mechanism.
    parameters : array, shape (sets, 2 · constants)
        ``log10_k`` of all rate constants, then ``E`` (kJ/mol) of all.
    conditions : sequence of Condition
        The conditions.
    reactor : FlowModel
        Feed and volumes.
    rtol : float
        Relative error of a step; the absolute one is ``1e-3 · rtol`` of the feed, in formula units.

    Returns
    -------
    array, shape (sets, conditions, species)
        mmol/L at 25 °C; NaN where a set cannot be integrated.

    Raises
    ------
    ValueError
        The parameters have the wrong shape, or rtol is not above 0.
    """
    paths = np.array([path_of(condition, reactor) for condition in conditions]).reshape(-1, 4)
    start = np.zeros(len(mechanism.names))
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
    """Integrate ``start`` (mmol/L) along ``paths``: rows of temperature (K) and time (s), twice.

    ``fixed_steps`` above 0 takes that many equal steps a piece without error control (for the order of
    convergence). See :func:`solve` for the rest.
    """
    parameters = np.ascontiguousarray(parameters, dtype=float)
    if parameters.ndim != 2 or parameters.shape[1] != len(mechanism):
        raise ValueError(f"parameters must have the shape (sets, {len(mechanism)}), not {parameters.shape}")
    if not rtol > 0:
        raise ValueError(f"rtol must be above 0, not {rtol!r}")
    network = network_of(len(mechanism.names), mechanism.terms)
    sets, number, species = len(parameters), len(paths), len(mechanism.names)
    atol = (ABSOLUTE * rtol * float(start @ mechanism.contents) / mechanism.error_weights)[network.order]
    chambers, which = np.unique(paths[:, :2], axis=0, return_inverse=True)
    each = np.arange(sets)[:, None]

    states = np.asarray(start, dtype=float)[network.order][None]
    origin = np.zeros((sets, len(chambers)), dtype=np.int64)
    chambers_done = _piece(network, parameters, chambers, states, origin, atol, rtol, fixed_steps)
    origin = each * len(chambers) + which.reshape(1, -1)
    states = chambers_done.reshape(-1, species)
    ends = _piece(network, parameters, paths[:, 2:], states, origin, atol, rtol, fixed_steps)
    result = np.empty((sets, number, species))
    result[..., network.order] = ends
    return result


def _piece(
    network: Network,
    parameters: NDArray[np.float64],
    pieces: NDArray[np.float64],
    states: NDArray[np.float64],
    origin: NDArray[np.int64],
    atol: NDArray[np.float64],
    rtol: float,
    fixed_steps: int,
) -> NDArray[np.float64]:
    """Integrate pieces (temperature, time) from the states they begin with; shape (sets, pieces, species)."""
    sets, number = len(parameters), len(pieces)
    temperatures, row = np.unique(pieces[:, 0], return_inverse=True)
    shift = (1 / temperatures - 1 / (REFERENCE_TEMPERATURE + ZERO_CELSIUS)) / GAS_CONSTANT
    half = parameters.shape[1] // 2
    log_k = np.log(10.0) * parameters[:, None, :half] - parameters[:, None, half:] * shift[None, :, None]
    constants = np.exp(log_k).reshape(-1, half)
    result = np.empty((sets * number, states.shape[1]))
    arguments = (
        states, origin.ravel(), constants,
        (np.arange(sets)[:, None] * len(temperatures) + row.reshape(1, -1)).ravel(),
        np.tile(pieces[:, 1], sets), atol, rtol, fixed_steps,
        network.constant, network.factors, network.changes, network.change, network.slopes, network.slope,
        network.diagonal, network.places, network.elimination, network.forward, network.backward, result,
    )  # fmt: skip
    jobs = np.arange(sets * number)
    workers = min(len(os.sched_getaffinity(0)), 1 + len(jobs) // (8 * LANES))
    # Compiled (or loaded) by the caller: numba's compiler does not bear two threads that are the first.
    integrate(*arguments, jobs[:0])
    if workers == 1:
        integrate(*arguments, jobs)
    else:
        # Several interleaved parts a worker: stiff sets cost more, and neighbours are alike.
        parts = min(4 * workers, 1 + len(jobs) // (8 * LANES))
        with ThreadPoolExecutor(workers, thread_name_prefix="kinetics") as pool:
            list(pool.map(lambda part: integrate(*arguments, jobs[part::parts]), range(parts)))
    return result.reshape(sets, number, states.shape[1])
