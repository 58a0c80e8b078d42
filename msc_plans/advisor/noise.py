"""What a spectrum usually leaves open of what it shows."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from msc_plans.kinetics.observation import HEIGHT_SOFT

__all__ = ["height_sigma", "sigmas"]

_RELATIVE_SIGMA, _BLANK_SIGMA, _BESIDE_NC = 0.12, 0.003, 0.06
"""Of a family's height: a share of itself, of full conversion, and of the nanocrystals' height, on whose continuum it
stands."""
_NC_SIGMA: Final = np.array([0.1, 2.0, 0.2])
"""The same of the nanocrystals' height, maximum and width, on the observations' scales, where they are well seen."""
_NC_LIMIT: Final = 0.02
"""Share of full conversion from which on nanocrystals are well seen."""


def height_sigma(heights: NDArray[np.floating]) -> NDArray[np.floating]:
    """Return what is left open of the families' heights, of the shape of ``heights`` less the NC's."""
    families, crystals = heights[..., :-1], heights[..., -1:]
    return np.sqrt((_RELATIVE_SIGMA * families) ** 2 + _BLANK_SIGMA**2 + (_BESIDE_NC * crystals) ** 2)


def sigmas(heights: NDArray[np.floating]) -> NDArray[np.floating]:
    """Return what is left open of all, on the scales of the observations, shape (…, families + 3)."""
    families = height_sigma(heights) / (heights[..., :-1] + HEIGHT_SOFT)
    # Of crystals that are hardly there, neither maximum nor width is seen.
    unseen = 1 + (_NC_LIMIT / np.maximum(heights[..., -1:], 1e-4)) ** 2
    return np.concatenate([families, _NC_SIGMA * unseen], axis=-1)
