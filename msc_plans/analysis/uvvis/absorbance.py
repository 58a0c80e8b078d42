"""From counts to absorbance, and from absorbance to the points that were measured."""

import math

import numpy as np
from numpy.typing import ArrayLike

__all__ = ["absorbance", "clean"]

_PLATEAU, _MOSTLY = 4, 0.3
_BRIGHT, _LEAST_SHARE = 0.01, 1e-3


def absorbance(
    counts: ArrayLike, dark: ArrayLike, reference: ArrayLike, *, saturation: float | None = None
) -> np.ndarray:
    """Absorbance ``−log10((counts − dark)/(reference − dark))``.

    Parameters
    ----------
    counts, dark, reference : array-like, shape (pixels,)
        Sample, dark and reference (solvent) spectra at the same exposure. `dark` and `reference` may be scalars.
    saturation : float, optional
        Counts at and above which a pixel is saturated.

    Returns
    -------
    ndarray, shape (pixels,)
        NaN where it can't be measured: saturated, or no light left above dark in sample or reference.

    Raises
    ------
    ValueError
        Shapes differ, a value isn't finite, the saturation isn't positive, the reference is nowhere above dark, or the
        sample lets less than a thousandth of its light through: noise would be taken for a spectrum without bands.
    """
    sample = np.asarray(counts, dtype=float)
    if sample.ndim != 1 or not sample.size:
        raise ValueError(f"counts must be one spectrum, shape (pixels,), not shape {sample.shape}")
    arrays = {"counts": sample}
    for name, values in (("dark", dark), ("reference", reference)):
        array = np.asarray(values, dtype=float)
        if array.shape not in ((), sample.shape):
            raise ValueError(f"{name} has shape {array.shape}, counts {sample.shape}: they must agree")
        arrays[name] = np.broadcast_to(array, sample.shape)
    for name, array in arrays.items():
        bad = np.flatnonzero(~np.isfinite(array))
        if bad.size:
            raise ValueError(f"{name} is not finite at pixel {bad[0]} ({array[bad[0]]}; {bad.size} in all)")
    lit = arrays["reference"] - arrays["dark"]
    passed = sample - arrays["dark"]
    if not np.any(lit > 0):
        raise ValueError("reference is nowhere above dark: was the lamp on and the shutter open?")
    bright = lit > _BRIGHT * lit.max()
    share = float(np.median(passed[bright]) / np.median(lit[bright]))
    if share < _LEAST_SHARE:
        raise ValueError(
            f"the sample shows {share:.2g} of the reference's light: is the lamp on, the shutter open, the cell free?"
        )
    usable = (lit > 0) & (passed > 0)
    if saturation is not None:
        if not (math.isfinite(saturation) and saturation > 0):
            raise ValueError(f"saturation must be a positive number of counts, not {saturation!r}")
        usable &= (sample < saturation) & (arrays["reference"] < saturation)
    ratio = np.divide(passed, lit, out=np.ones_like(lit), where=usable)
    return np.where(usable, -np.log10(ratio), np.nan)


def clean(wavelength_nm: ArrayLike, absorbance: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Wavelengths, ascending, and absorbance of the points that were measured: finite, and no saturated detector's.

    A stretch of the highest value that repeats four times or more is a saturated detector.

    Raises
    ------
    ValueError
        Shapes differ, or wavelengths aren't finite, positive and distinct.
    """
    x, y = np.asarray(wavelength_nm, dtype=float), np.asarray(absorbance, dtype=float)
    if x.ndim != 1 or x.shape != y.shape:
        raise ValueError(f"wavelength_nm has shape {x.shape}, absorbance {y.shape}: one spectrum each, of one length")
    bad = np.flatnonzero(~(np.isfinite(x) & (x > 0)))
    if bad.size:
        raise ValueError(f"wavelength_nm must be finite and positive; at index {bad[0]} it is {x[bad[0]]}")
    order = np.argsort(x, kind="stable")
    x, y = x[order], y[order]
    twice = np.flatnonzero(np.diff(x) == 0)
    if twice.size:
        raise ValueError(f"wavelength_nm holds {x[twice[0]]:g} nm more than once")
    finite = np.isfinite(y)
    x, y = x[finite], y[finite]
    usable = ~_saturated(y)
    return x[usable], y[usable]


def _saturated(y: np.ndarray) -> np.ndarray:
    """Points in a run of `_PLATEAU` or more that repeat the highest value; none where that is much of the spectrum."""
    if not y.size or np.mean(y >= y.max()) > _MOSTLY:
        return np.zeros(len(y), dtype=bool)
    top = np.concatenate(([0], (y >= y.max()).astype(int), [0]))
    starts, ends = np.flatnonzero(np.diff(top) == 1), np.flatnonzero(np.diff(top) == -1)
    out = np.zeros(len(y), dtype=bool)
    for start, end in zip(starts, ends, strict=True):
        out[start:end] = end - start >= _PLATEAU
    return out
