"""What the analysis of one absorption spectrum says."""

import math
from dataclasses import dataclass, field

import numpy as np

__all__ = ["FamilyBand", "Nanocrystal", "UvVisResult"]


@dataclass(frozen=True, kw_only=True)
class FamilyBand:
    """One family in one spectrum, there or not.

    Where the spectrum doesn't reach over the band, height, area and concentration are 0 with σ infinite and the
    probability is NaN.
    """

    family: str
    detected: bool
    """Probability at or above `DETECTED`."""
    probability: float
    wavelength_nm: float
    """Maximum of the band; the table's value where nothing is there."""
    fwhm_nm: float
    height: float
    """Absorbance above everything else in the fit."""
    area_nm: float
    """Absorbance times nm."""
    concentration_mol_l: float
    """Of clusters, by the table's extinction; NaN where it gives none. That of nanocrystals of the same diameter is an
    extrapolation for clusters."""
    sigma: dict[str, float] = field(repr=False)
    """σ of ``wavelength_nm``, ``fwhm_nm``, ``height``, ``area_nm`` and ``concentration_mol_l``; that of the extinction
    is not in it."""
    extinction_l_mol_cm: float = math.nan
    """Molar extinction by which the concentration was found, L mol⁻¹ cm⁻¹."""
    extinction_source: str = ""
    denominator: str = ""
    """Family whose height stands in the denominator of the ratio, beside the nanocrystals'; empty: none."""


@dataclass(frozen=True, kw_only=True)
class Nanocrystal:
    """The regular nanocrystals of a spectrum."""

    wavelength_nm: float
    """First maximum or shoulder as a person reads it: greatest curvature at the eye's resolution (19 nm)."""
    band_center_nm: float
    """Centre of the first transition's band: greatest curvature of the fit itself."""
    height: float
    """Absorbance at `wavelength_nm` above the baseline and without the families: what a person reads, and what the
    sizing curve's extinction belongs to; not only the narrow part of the fit."""
    fwhm_nm: float
    """Width of the first transition's band, from its inflection points, nm."""
    diameter_nm: float
    """By the material's sizing curve; NaN, as what follows from it, where the table gives none."""
    diameter_in_range: bool
    """Whether `wavelength_nm` lies where the sizing curve was checked."""
    aggregation_number: float
    unit: str
    """What `aggregation_number` counts, such as CdSe units."""
    edge_nm: float
    """Steepest descent on the red side: what some call the first maximum of a weak shoulder."""
    size_dispersion: float
    """Relative standard deviation of the diameter, from the band's width less that of a single nanocrystal; 0 where the
    band is no wider."""
    sigma: dict[str, float] = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class UvVisResult:
    """What one spectrum says."""

    families: tuple[FamilyBand, ...]
    """All families of the table, by its order."""
    nanocrystal: Nanocrystal | None
    noise: float
    """Standard deviation of one pixel, absorbance, median over the window."""
    optical_density_nm: float
    """Absorbance above the fitted baseline, integrated from 350 nm (or the spectrum's start) to the window's end."""
    wavelength_nm: np.ndarray = field(repr=False)
    """Shape (points,), ascending: the finite points inside the window."""
    absorbance: np.ndarray = field(repr=False)
    fit: np.ndarray = field(repr=False)
    rest: np.ndarray = field(repr=False)
    """The fit without the family bands."""
    baseline: np.ndarray = field(repr=False)
    """Offset, drift and scattering alone."""
    misfit: float = 1.0
    """χ² per degree of freedom, at least 1; well above 1 the model doesn't describe the spectrum."""
    nanocrystal_height_sigma: float = 0.0
    """σ of the nanocrystals' height; without nanocrystals, the height that would have been seen."""
    integrated_absorbance_nm: float = math.nan
    """Absorbance above that of the reddest tenth, integrated over the same range: what scatters counts, too."""
    integrated_absorbance_sigma_nm: float = math.nan
    """Its σ, of noise and misfit of the fit and of the photometer; not of a film on a window."""

    def family(self, name: str) -> FamilyBand:
        """The band of this name.

        Raises
        ------
        ValueError
            No such family is in the table.
        """
        for band in self.families:
            if band.family == name:
                return band
        raise ValueError(f"no family {name!r} in this result; it has {[band.family for band in self.families]}")
