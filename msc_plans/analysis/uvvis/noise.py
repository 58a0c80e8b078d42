"""How noisy a spectrum is, found from the spectrum itself, and its reduction to bins.

The fourth difference along wavelength removes everything smooth and leaves noise; its median absolute deviation in
windows gives σ(λ), wavelength dependent because counts fall towards the edges of a spectrometer's range.
"""

from dataclasses import dataclass

import numpy as np

__all__ = ["Binned", "bin_spectrum", "noise_of"]

_WINDOW_PIXELS = 61
_MINIMUM_SIGMA = 1e-6


@dataclass(frozen=True)
class Binned:
    """A spectrum reduced for fitting; arrays of shape (bins,), ascending in wavelength."""

    wavelength_nm: np.ndarray
    absorbance: np.ndarray
    sigma: np.ndarray
    """Standard deviation of a bin's mean from noise alone."""
    noise: float
    """Standard deviation of one pixel, median over the spectrum."""


def noise_of(wavelength_nm: np.ndarray, absorbance: np.ndarray) -> np.ndarray:
    """Standard deviation of each pixel's noise, shape (pixels,), for ascending wavelength without gaps in the values.

    Each pixel is compared with the cubic through its four neighbours, so the grid may be uneven.
    """
    count = len(wavelength_nm)
    if count < 9:
        return np.full(count, max(_MINIMUM_SIGMA, 0.0))
    at = [wavelength_nm[k : count - 4 + k] for k in range(5)]
    residual = absorbance[2:-2].copy()
    variance = np.ones(count - 4)
    for i in (0, 1, 3, 4):
        weight = np.ones(count - 4)
        for j in (0, 1, 3, 4):
            if j != i:
                weight *= (at[2] - at[j]) / (at[i] - at[j])
        residual -= weight * absorbance[i : count - 4 + i]
        variance += weight**2
    deviation = np.abs(residual) / np.sqrt(variance)
    half = min(_WINDOW_PIXELS, len(deviation)) // 2
    centres = np.unique(np.linspace(half, len(deviation) - 1 - half, max(2, len(deviation) // 30)).astype(int))
    windows = np.lib.stride_tricks.sliding_window_view(deviation, min(2 * half + 1, len(deviation)))
    sigma = np.median(windows[np.minimum(centres - half, len(windows) - 1)], axis=1) / 0.6745
    # A detector that clips or a spectrum that was smoothed has stretches without any noise: those are not exact.
    floor = max(_MINIMUM_SIGMA, 0.3 * float(np.median(sigma)))
    spread = np.exp(np.interp(np.arange(len(deviation)), centres, np.log(np.maximum(sigma, floor))))
    return np.pad(spread, 2, mode="edge")


def bin_spectrum(
    wavelength_nm: np.ndarray, absorbance: np.ndarray, *, window_nm: tuple[float, float], width_nm: float
) -> Binned:
    """Average an ascending, finite spectrum over bins, each placed at the mean wavelength of its pixels.

    A bin with one pixel keeps it as it is, so a coarse spectrum passes through unchanged.
    """
    pixel_sigma = noise_of(wavelength_nm, absorbance)
    inside = (wavelength_nm >= window_nm[0]) & (wavelength_nm <= window_nm[1])
    x, y, s = wavelength_nm[inside], absorbance[inside], pixel_sigma[inside]
    if not len(x):
        return Binned(x, y, s, float("nan"))
    key = np.floor((x - window_nm[0]) / width_nm).astype(int)
    starts = np.flatnonzero(np.diff(key, prepend=key[0] - 1))
    size = np.diff(np.append(starts, len(x)))
    return Binned(
        np.add.reduceat(x, starts) / size,
        np.add.reduceat(y, starts) / size,
        np.sqrt(np.add.reduceat(s**2, starts)) / size,
        float(np.median(s)),
    )
