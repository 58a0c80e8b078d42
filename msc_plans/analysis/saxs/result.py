"""What one scattering curve says."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

__all__ = ["FamilyShare", "SaxsResult", "Verdict"]

Verdict = Literal["quantized", "continuous", "not resolved", "no scatterers"]
"""Sizes of the families' table alone; a broad or shifting population; the data can't tell; nothing above background."""


@dataclass(frozen=True)
class FamilyShare:
    """Share of one family in the scattering volume, conditional on the radii and widths of the table."""

    family: str
    radius_nm: float
    fraction: float
    fraction_sigma: float


@dataclass(frozen=True)
class SaxsResult:
    """Volume-weighted sizes of spheres and how far they are resolved."""

    mean_radius_nm: float
    """Volume-weighted mean; NaN without scatterers."""
    mean_radius_interval_nm: tuple[float, float]
    """95 % interval."""
    relative_width: float
    """Standard deviation of the volume-weighted distribution over its mean; NaN without scatterers."""
    relative_width_sigma: float
    volume_fraction: float
    """Absolute where the curve is in cm⁻¹, for the contrast it was given; else NaN."""
    volume_fraction_sigma: float
    verdict: Verdict
    chi2_reduced: float
    method: Literal["inversion", "monte carlo"]
    radius_nm: np.ndarray = field(repr=False)
    """Shape (bins,), centres."""
    volume_weighted: np.ndarray = field(repr=False)
    """Shape (bins,), 1/nm; integrates to 1 over radius."""
    volume_weighted_sigma: np.ndarray = field(repr=False)
    q_inv_nm: np.ndarray = field(repr=False)
    """Shape (points,), ascending: the points that were used."""
    intensity: np.ndarray = field(repr=False)
    intensity_sigma: np.ndarray = field(repr=False)
    fit: np.ndarray = field(repr=False)
    background: np.ndarray = field(repr=False)
    """The part of the fit that is not particles: constant and upturn at low q."""
    families: tuple[FamilyShare, ...] = ()
    """Shares of the families with their radii and widths held; empty where the table doesn't describe the curve."""
    table_radii_nm: Mapping[str, float] = field(default_factory=dict)
    """Radii of the families that the curve was compared with, by name."""
    warnings: tuple[str, ...] = ()
