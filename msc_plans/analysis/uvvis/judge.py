"""How each family's band stands in a fitted spectrum: what it is believed and measured by."""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from msc_plans.analysis.uvvis.absorbance import clean
from msc_plans.analysis.uvvis.bands import BandShape, measure_families
from msc_plans.analysis.uvvis.belief import evidence
from msc_plans.analysis.uvvis.fit import SpectrumFit, fit_spectrum
from msc_plans.analysis.uvvis.model import REST
from msc_plans.analysis.uvvis.noise import bin_spectrum
from msc_plans.families import FamilyTable, built_in_families

__all__ = ["BIN_NM", "Standing", "fitted", "judge_spectrum", "standings"]

BIN_NM: Final = 2.0

_FEWEST_BINS = 25


@dataclass(frozen=True)
class Standing:
    """A band between what lies around it; heights are absorbance."""

    evidence: np.ndarray
    """What its probability is found from, shape (8,)."""
    height: float
    from_noise: float
    """σ of the height by the fit's covariance."""
    rest: float
    """Everything below the band but the baseline."""
    bend: float
    """Second difference of the rest over the band's FWHM: what might pass for a band."""
    neighbours: float
    """Height of the other families at the band's place at one and a half times their width."""


def fitted(x: np.ndarray, y: np.ndarray, families: FamilyTable) -> tuple[SpectrumFit, list[BandShape]]:
    """Fit a clean spectrum and measure each family's band.

    Raises
    ------
    ValueError
        Fewer than 25 bins hold points.
    """
    binned = bin_spectrum(x, y, window_nm=families.window, width_nm=BIN_NM)
    if len(binned.wavelength_nm) < _FEWEST_BINS:
        raise ValueError(
            f"only {len(binned.wavelength_nm)} bins of {BIN_NM:g} nm have finite absorbance between "
            f"{families.window[0]:g} and {families.window[1]:g} nm; at least {_FEWEST_BINS} are needed"
        )
    fit = fit_spectrum(binned, families)
    return fit, measure_families(fit, families)


def standings(fit: SpectrumFit, families: FamilyTable, shapes: list[BandShape]) -> list[Standing]:
    """How each family's band stands, in the order of the families."""
    around = np.array([shape.wavelength_nm + shape.fwhm_nm * np.array([-1.0, 0.0, 1.0]) for shape in shapes])
    below = fit.curve(around.ravel(), REST).reshape(around.shape)
    noise = np.interp([family.wavelength_nm for family in families], fit.binned.wavelength_nm, fit.binned.sigma)
    out = []
    for k, (family, shape) in enumerate(zip(families, shapes, strict=True)):
        blue, rest, red = (float(value) for value in below[k])
        row = evidence(
            family,
            gain=float(fit.family_gain[k]),
            height=shape.height,
            height_sigma=shape.sigma["height"],
            rest=rest,
            redder=sum(other.height for other in shapes if other.wavelength_nm > shape.wavelength_nm),
            noise=float(noise[k]),
            misfit=fit.scale,
            wavelength_nm=shape.wavelength_nm,
            fwhm_nm=shape.fwhm_nm,
        )
        neighbours = sum(_reach(other, shape.wavelength_nm) for other in shapes if other is not shape)
        out.append(Standing(row, shape.height, shape.sigma["height"], rest, blue - 2.0 * rest + red, neighbours))
    return out


def _reach(band: BandShape, wavelength_nm: float) -> float:
    """Height at a wavelength of a Gaussian as high as a band and one and a half times as wide."""
    return band.height * math.exp(-2.77 * ((band.wavelength_nm - wavelength_nm) / (1.5 * band.fwhm_nm)) ** 2)


def judge_spectrum(
    wavelength_nm: ArrayLike, absorbance: ArrayLike, *, families: FamilyTable | None = None
) -> dict[str, Standing]:
    """Return how each family that the spectrum reaches stands, by name: what probability and σ are learnt from.

    Without `families` it is the built-in table.
    """
    families = built_in_families() if families is None else families
    fit, shapes = fitted(*clean(wavelength_nm, absorbance), families)
    rows = standings(fit, families, shapes)
    return {f.name: row for f, shape, row in zip(families, shapes, rows, strict=True) if shape.covered}
