"""Joint predictions: the posterior's particles, corrected near what was measured."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

import numpy as np
from numpy.typing import NDArray

from msc_plans.advisor.residual import Residual
from msc_plans.advisor.suggestion import Prediction
from msc_plans.condition import Condition
from msc_plans.kinetics.inference import Posterior
from msc_plans.kinetics.observation import Observation
from msc_plans.kinetics.palencia import FAMILIES

__all__ = ["RATIO_SOFT", "Draws", "draw", "summarise"]

RATIO_SOFT = 0.005
"""Added to a ratio before its logarithm: differences below it mean nothing."""

HEIGHT_SOFT = 0.002
"""The same for heights over the full-conversion height."""

LOG_AMPLITUDES = (0.3, 0.6, 1.2)
WAVELENGTH_AMPLITUDES = (3.0, 8.0, 20.0)
MAX_SOLVES = 24_000


@dataclass(frozen=True)
class Draws:
    """Joint draws, shape (draws, conditions).

    Parameters
    ----------
    log_ratio : array
        ``ln(ratio + RATIO_SOFT)`` of the family.
    height : array
        Height of the family over the full-conversion height.
    nc_wavelength : array
        Nanocrystals' first maximum, nm.
    nc_height : array
        Its height over the full-conversion height.
    """

    log_ratio: NDArray[np.float64]
    height: NDArray[np.float64]
    nc_wavelength: NDArray[np.float64]
    nc_height: NDArray[np.float64]


def draw(
    posterior: Posterior,
    family: str,
    conditions: Sequence[Condition],
    rng: np.random.Generator,
    *,
    repeats: int = 1,
) -> Draws:
    """Return joint draws at the conditions, ``repeats`` for each particle.

    Particles are thinned evenly so that no more than ``MAX_SOLVES`` integrations are needed.
    """
    known, seen = posterior.conditions, posterior.observations
    every = [*known, *conditions]
    thin = min(ceil(len(posterior.z) * len(every) / MAX_SOLVES), len(posterior.z) // 50)
    predicted = posterior.predict(every, thin=max(thin, 1))
    column = FAMILIES.index(family)

    def corrected(
        values: NDArray[np.float64],
        measured: NDArray[np.float64],
        sigmas: NDArray[np.float64],
        amplitudes: tuple[float, ...],
    ) -> NDArray[np.float64]:
        values = np.repeat(values, repeats, axis=0)
        use = np.flatnonzero(np.isfinite(measured) & np.isfinite(sigmas))
        residual = Residual([known[one] for one in use], measured[use], sigmas[use], amplitudes)
        return residual.correct(values[:, use], values[:, len(known) :], conditions, rng)

    def read(name: str, blank: float) -> NDArray[np.float64]:
        # A band without a number was not found: nothing there, to within the blank's error.
        return np.nan_to_num(np.array([getattr(one, name)[column] for one in seen], dtype=float), nan=blank)

    full = np.array([one.full_height for one in seen])
    ratios, heights = np.maximum(read("ratios", 0.0), 0.0), np.maximum(read("heights", 0.0) / full, 0.0)
    log_ratio = corrected(
        np.log(predicted.ratio(family) + RATIO_SOFT),
        np.log(ratios + RATIO_SOFT),
        np.maximum(read("ratio_sigmas", RATIO_SOFT) / (ratios + RATIO_SOFT), 0.02),
        LOG_AMPLITUDES,
    )
    log_height = corrected(
        np.log(predicted.heights[..., column] + HEIGHT_SOFT),
        np.log(heights + HEIGHT_SOFT),
        np.maximum(read("height_sigmas", 0.0) / full / (heights + HEIGHT_SOFT), 0.02),
        LOG_AMPLITUDES,
    )
    wavelength = corrected(
        predicted.nc_wavelength,
        np.array([one.nc_wavelength for one in seen], dtype=float),
        np.array([np.fmax(one.nc_wavelength_sigma, 1.0) for one in seen], dtype=float),
        WAVELENGTH_AMPLITUDES,
    )
    nc_height = np.repeat(predicted.nc_height[:, len(known) :], repeats, axis=0)
    return Draws(log_ratio, np.maximum(np.exp(log_height) - HEIGHT_SOFT, 0.0), wavelength, nc_height)


def full_height(observations: Sequence[Observation], default: float) -> float:
    """Return the latest full-conversion height (absorbance), or the default."""
    return observations[-1].full_height if observations else default


def accumulated(draws: Draws, threshold: float) -> NDArray[np.bool_]:
    """Return whether each draw's ratio reaches the threshold."""
    return draws.log_ratio >= np.log(threshold + RATIO_SOFT)


def summarise(draws: Draws, conditions: Sequence[Condition], threshold: float, full: float) -> Prediction:
    """Return means, 95 % intervals and P(accumulated), heights in absorbance."""

    def middle(name: str, values: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
        low, high = np.percentile(values, [2.5, 97.5], axis=0)
        return {name: values.mean(axis=0), f"{name}_low": low, f"{name}_high": high}

    ratio = np.maximum(np.exp(draws.log_ratio) - RATIO_SOFT, 0.0)
    return Prediction(
        tuple(conditions),
        **middle("height", draws.height * full),
        **middle("ratio", ratio),
        **middle("nc_wavelength_nm", draws.nc_wavelength),
        probability=accumulated(draws, threshold).mean(axis=0),
        nc_height=draws.nc_height.mean(axis=0) * full,
    )
