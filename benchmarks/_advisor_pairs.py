"""Which mechanisms no measurement could tell apart: does a rival, its rate constants free, predict what is true?

The rival's rate constants and optical gains are fitted to the twin's noise-free families, nanocrystals and their
maximum at all 600 cells, within `WIDEST` σ of their priors. The error of each is that of a spectrum and of the model
(the inference believes both); what counts is the cell and quantity at which the fit misses most.
"""

from collections.abc import Callable
from typing import Final

import numpy as np
from _advisor_worlds import CELLS, World
from numpy.typing import NDArray
from scipy.optimize import least_squares

from ioc_sim.bench import noise_free
from msc_plans.advisor.noise import sigmas
from msc_plans.kinetics.discrepancy import amplitudes_of
from msc_plans.kinetics.inference import RTOL
from msc_plans.kinetics.mechanism import Mechanism
from msc_plans.kinetics.mechanism_file import mechanisms
from msc_plans.kinetics.observation import GAIN_PRIORS, HEIGHT_SOFT, Observables
from msc_plans.kinetics.solver import FlowModel, solve

SHOWS: Final = 2.0
"""σ by which a rival must miss somewhere for there to be anything that tells it apart."""
WIDEST: Final = 3.0
RIVALS: Final = {
    "needs an extra step": ("window", "sequential", "dead_end"),
    "beside": ("window", "sequential", "direct", "hot"),
}
"""Mechanisms of the other classes. Those with an extra step contain the ladder, so the ladder's class has none."""
_DRAWS, _STARTS, _FEW, _MORE = 6000, 3, 40, 150
_STAGES: Final = ((_MORE, 1, 40), (len(CELLS), 1, 25), (len(CELLS), 2, 25))
"""Cells, power of the misses (the second nears their maximum), evaluations at most."""
_SEEN: Final = 0.02
"""Share of full conversion from which on the nanocrystals' maximum is seen."""
_OBSERVABLES: Final = Observables()
_NC: Final = len(_OBSERVABLES.families)
Misses = Callable[[NDArray[np.float64], NDArray[np.intp]], NDArray[np.float64]]


def nearest_rival(world: World, reactor: FlowModel, true_class: str) -> tuple[str, float] | None:
    """Return the first rival that misses by less than `SHOWS`, or else the nearest, and by how many σ; None without."""
    found = None
    for name in RIVALS.get(true_class, ()):
        farthest = fit(world, reactor, name)
        if found is None or farthest < found[1]:
            found = name, farthest
        if farthest < SHOWS:
            break
    return found


def fit(world: World, reactor: FlowModel, mechanism: str, seed: int = 0) -> float:
    """Return the σ by which a mechanism at its best misses most."""
    rival = mechanisms()[mechanism]
    misses = _misses_of(world, reactor, rival)
    rng = np.random.default_rng(seed)
    cells = rng.permutation(len(CELLS))
    z = np.clip(rng.standard_normal((_DRAWS, len(rival) + len(GAIN_PRIORS))), -WIDEST, WIDEST)
    first = (misses(z, cells[:_FEW]) ** 2).sum(axis=1)
    best = np.inf
    for start in z[np.argsort(first)[:_STARTS]]:
        place = np.clip(start, -0.99 * WIDEST, 0.99 * WIDEST)
        for number, power, evaluations in _STAGES:
            place = _improved(misses, place, cells[:number], power, evaluations)
            best = min(best, float(np.abs(misses(place[None], cells)).max()))
    return best


def _improved(
    misses: Misses, place: NDArray[np.float64], cells: NDArray[np.intp], power: int, evaluations: int
) -> NDArray[np.float64]:
    def raised(z: NDArray[np.float64]) -> NDArray[np.float64]:
        found = misses(z, cells)
        return np.sign(found) * np.abs(found) ** power

    def slopes(z: NDArray[np.float64]) -> NDArray[np.float64]:
        step = 1e-3
        found = raised(np.vstack([z, z + step * np.eye(len(z))]))
        return ((found[1:] - found[0]) / step).T

    found = least_squares(
        lambda z: raised(z[None])[0],
        place,
        jac=slopes,  # pyright: ignore[reportArgumentType]
        bounds=(-WIDEST, WIDEST),
        max_nfev=evaluations,
    )
    return found.x


def _misses_of(world: World, reactor: FlowModel, rival: Mechanism) -> Misses:
    """Return predicted less true over σ, shape (sets, cells · quantities), of whitened parameters and cells."""
    priors = (*rival.priors, *GAIN_PRIORS)
    centre, width = (np.array([getattr(one, name) for one in priors]) for name in ("mean", "sigma"))
    heights, maximum = _truth(world)
    error = np.sqrt((amplitudes_of(_OBSERVABLES.names)[: _NC + 2] ** 2).mean(axis=1))
    sigma = np.hypot(sigmas(heights)[:, : _NC + 2], error)
    true = np.column_stack([np.log(heights + HEIGHT_SOFT), maximum])
    seen = np.ones_like(true, dtype=bool)
    seen[:, _NC + 1] = heights[:, _NC] > _SEEN

    def misses(z: NDArray[np.float64], cells: NDArray[np.intp]) -> NDArray[np.float64]:
        parameters = centre + width * z
        where = [CELLS[k] for k in cells]
        concentrations = solve(rival, parameters[:, : len(rival)], where, reactor, rtol=RTOL)
        predicted = _OBSERVABLES.predict(rival, concentrations, parameters[:, len(rival) :], reactor.cadmium_millimolar)
        found = np.where(seen[cells], (predicted[..., : _NC + 2] - true[cells]) / sigma[cells], 0.0)
        return np.nan_to_num(found, nan=1e2, posinf=1e2, neginf=-1e2).reshape(len(z), -1)

    return misses


def _truth(world: World) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Heights over full conversion of families and nanocrystals, shape (cells, families + 1), and their maximum, nm."""
    rows = []
    for cell in CELLS:
        true = noise_free(world.scenario, cell.as_dict())
        rows.append(
            [
                *(true["heights"].get(one, 0.0) for one in _OBSERVABLES.families.names),
                true["nc_height"],
                true["nc_wavelength_nm"],
            ]
        )
    found = np.nan_to_num(np.array(rows, dtype=float))
    return found[:, :-1] / world.full_conversion_height, found[:, -1]
