"""Which steps a particle needs: mechanisms told apart by what they do, not by what they list.

A mechanism with one step more than another *is* the other where that step is so slow that nobody could see it. So each
particle is asked which of the steps that not all mechanisms have it needs. A step is not needed if, without it, nothing
that a spectrum shows changes by more than twice what noise and the error of the model leave open, at any of the
conditions looked at. Steps that come later in a mechanism are dropped first.
"""

from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from msc_plans.advisor.noise import sigmas
from msc_plans.condition import Condition
from msc_plans.kinetics.inference import Posterior
from msc_plans.kinetics.mechanism import Mechanism
from msc_plans.kinetics.observation import heights_of

__all__ = ["needed_steps", "steps_in_question"]

_SIGMAS: Final = 2.0


def steps_in_question(mechanisms: Iterable[Mechanism]) -> tuple[str, ...]:
    """Return the steps that not all of the mechanisms have, in the order in which they come up."""
    lists = [[step.name for step in one.steps] for one in mechanisms]
    every = dict.fromkeys(name for names in lists for name in names)
    return tuple(name for name in every if not all(name in names for names in lists))


def needed_steps(
    posterior: Posterior,
    chosen: NDArray[np.intp],
    names: Sequence[str],
    conditions: Sequence[Condition],
    predicted: NDArray[np.floating],
    error: NDArray[np.floating],
) -> NDArray[np.bool_]:
    """Return which of the named steps some particles need, shape (particles, names).

    Parameters
    ----------
    posterior : Posterior
        Whose particles.
    chosen : ndarray, shape (particles,)
        Which.
    names : sequence of str
        The steps in question; those the mechanism lacks are not needed.
    conditions : sequence of Condition
        Where they may show.
    predicted : ndarray, shape (particles, conditions, quantities)
        What the particles predict there.
    error : ndarray, shape (particles, quantities)
        Standard deviation of the error of the model.
    """
    places = [place for place, step in enumerate(posterior.mechanism.steps) if step.name in names]
    noise = sigmas(heights_of(predicted))
    limit = _SIGMAS * np.hypot(noise, error[:, None, : noise.shape[-1]])
    off = np.zeros((len(chosen), len(posterior.mechanism.constants)), dtype=bool)
    for place in reversed(places):
        off[:, place] = True
        apart = np.abs(posterior.without(off, chosen, conditions) - predicted)[..., : noise.shape[-1]]
        off[:, place] = (apart < limit).all(axis=(1, 2))
    found = np.zeros((len(chosen), len(names)), dtype=bool)
    for place in places:
        found[:, names.index(posterior.mechanism.steps[place].name)] = ~off[:, place]
    return found
