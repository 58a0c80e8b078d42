"""Scattering of polydisperse spheres.

Spheres that fill the share φ of the volume, with the volume-weighted radius distribution D (∫ D dR = 1), scatter

    I(q) = φ Δρ² ∫ D(R) V(R) F²(qR) dR,    F(x) = 3 (sin x − x cos x)/x³,    V = 4πR³/3

without interference between them (Rayleigh 1914; Guinier & Fournet 1955). D is a Gaussian in ((R/R₀)^λ − 1)/λ (Box &
Cox, *J. R. Stat. Soc. B* 1964, 26, 211): λ = 0 is the lognormal, 1 the Gaussian, 1/3 nearly Schulz's gamma distribution
(Wilson & Hilferty, *PNAS* 1931, 17, 684). A number-weighted lognormal stays a lognormal when weighted by volume; a
narrow number-weighted Gaussian stays nearly a Gaussian.
"""

from typing import Final

import numpy as np
from numba import njit
from numpy.typing import ArrayLike

__all__ = ["GAUSSIAN", "LOGNORMAL", "NM3_TO_CM3", "log_grid", "population", "scattering", "sphere_table"]

LOGNORMAL: Final = 0.0
GAUSSIAN: Final = 1.0

NM3_TO_CM3: Final = 1e-21
_BELOW, _ABOVE = 5.5, 6.5
_LEAST_SHAPE = 1e-6


@njit(cache=True, nogil=True, fastmath=True)
def _amplitude(x: float) -> float:
    if x < 0.1:
        square = x * x
        return 1.0 - square / 10.0 * (1.0 - square / 28.0 * (1.0 - square / 54.0))
    return 3.0 * (np.sin(x) - x * np.cos(x)) / (x * x * x)


@njit(cache=True, nogil=True)
def sphere_table(q_inv_nm: np.ndarray, radius_nm: np.ndarray) -> np.ndarray:
    """V F²(qR) in nm³: one row a radius, shape (radii, points)."""
    table = np.empty((len(radius_nm), len(q_inv_nm)))
    for k in range(len(radius_nm)):
        radius = radius_nm[k]
        volume = 4.0 / 3.0 * np.pi * radius**3
        for i in range(len(q_inv_nm)):
            amplitude = _amplitude(q_inv_nm[i] * radius)
            table[k, i] = volume * amplitude * amplitude
    return table


def log_grid(lower_nm: float, upper_nm: float, step: float) -> np.ndarray:
    """Radii, nm, with equal steps in ln R that begin at `lower_nm` and reach `upper_nm`."""
    count = int(np.ceil(np.log(upper_nm / lower_nm) / step)) + 1
    return lower_nm * np.exp(step * np.arange(count))


@njit(cache=True, nogil=True)
def population(
    log_radius: np.ndarray, mean_nm: float, relative_width: float, shape: float, weights: np.ndarray, stride: int
) -> tuple[int, int]:
    """Volume shares, which sum to 1, on an equally spaced grid of ln R, written to `weights[first:last:stride]`.

    The trapezoidal rule is as good as exact for strides of ln R up to the relative width. Mean and width are exact for
    λ = 0 and for λ = 1 while nothing is cut off at R = 0 (width up to about 0.3).

    Returns
    -------
    first, last : int
        Where the population is; outside `weights` is left as it was.
    """
    step = log_radius[1] - log_radius[0]
    logarithmic = np.log1p(relative_width * relative_width)
    # Exact for λ = 0 and λ = 1, to the third order of the width between.
    centre = np.log(mean_nm) - 0.5 * (1.0 - shape) * logarithmic
    spread = shape * relative_width + (1.0 - shape) * np.sqrt(logarithmic)
    if shape < _LEAST_SHAPE:
        low, high = centre - _BELOW * spread, centre + _ABOVE * spread
    else:
        low = centre + np.log(max(1.0 - shape * _BELOW * spread, 1e-3)) / shape
        high = centre + np.log(1.0 + shape * _ABOVE * spread) / shape
    first = max(0, int(np.floor((low - log_radius[0]) / step)))
    last = min(len(log_radius), int(np.ceil((high - log_radius[0]) / step)) + 1)
    if last - first < 2:
        first = max(0, min(first, len(log_radius) - 2))
        last = first + 2
    total = 0.0
    for k in range(first, last, stride):
        if shape < _LEAST_SHAPE:
            z = (log_radius[k] - centre) / spread
            value = np.exp(-0.5 * z * z)
        else:
            power = np.exp(shape * (log_radius[k] - centre))
            z = (power - 1.0) / (shape * spread)
            value = power * np.exp(-0.5 * z * z)
        weights[k] = value
        total += value
    if total <= 0.0:
        total = 1.0
        weights[first] = 1.0
    for k in range(first, last, stride):
        weights[k] /= total
    return first, last


def scattering(
    q_inv_nm: ArrayLike,
    mean_radius_nm: float,
    relative_width: float = 0.0,
    *,
    shape: float = LOGNORMAL,
    contrast_inv_cm2: float = 1.0,
    volume_fraction: float = 1.0,
) -> np.ndarray:
    """Intensity, cm⁻¹, of one population.

    Parameters
    ----------
    q_inv_nm : array_like, shape (points,)
    mean_radius_nm : float
        Volume-weighted mean.
    relative_width : float
        Standard deviation of the volume-weighted distribution over its mean; 0 for equal spheres.
    shape : float
        λ of the volume-weighted distribution, 0 (`LOGNORMAL`) to 1 (`GAUSSIAN`).
    contrast_inv_cm2 : float
        Difference of scattering length densities, cm⁻².
    volume_fraction : float
        Share of the volume that the spheres fill.

    Returns
    -------
    ndarray, shape (points,)

    Raises
    ------
    ValueError
        The mean is not positive, or the width negative or above 1.
    """
    if not (np.isfinite(mean_radius_nm) and mean_radius_nm > 0):
        raise ValueError(f"mean_radius_nm must be positive, not {mean_radius_nm!r}")
    if not 0.0 <= relative_width <= 1.0:
        raise ValueError(f"relative_width must be from 0 to 1, not {relative_width!r}")
    q = np.atleast_1d(np.asarray(q_inv_nm, dtype=float))
    scale = volume_fraction * contrast_inv_cm2**2 * NM3_TO_CM3
    if relative_width == 0.0:
        return scale * sphere_table(q, np.array([float(mean_radius_nm)]))[0]
    # Steps that also resolve the oscillations of F² at the highest q.
    step = min(relative_width / 4.0, 0.3 / max(float(q.max()) * mean_radius_nm, 1.0))
    log_radius = np.log(
        log_grid(
            mean_radius_nm * np.exp(-2.0 * _ABOVE * relative_width),
            mean_radius_nm * np.exp(_ABOVE * relative_width),
            step,
        )
    )
    weights = np.zeros(len(log_radius))
    population(log_radius, float(mean_radius_nm), float(relative_width), float(shape), weights, 1)
    return scale * (weights @ sphere_table(q, np.exp(log_radius)))
