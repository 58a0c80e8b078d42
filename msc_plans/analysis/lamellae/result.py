"""What a scattering curve says of layers."""

from dataclasses import dataclass, field
from typing import Literal

import numpy as np

__all__ = ["LamellaeResult", "Peak", "Structure"]

Structure = Literal["lamellar", "hexagonal", "single peak", "unindexed", "none"]
"""Positions 1 : 2 (: 3 …), or 1 : 3; positions 1 : √3 : 2 : √7 … with √3 or √7; one peak, of which no spacing can be
told; peaks in other ratios; no peak."""


@dataclass(frozen=True)
class Peak:
    """One Bragg peak."""

    q_inv_nm: float
    fwhm_inv_nm: float
    """As measured, resolution included; of a peak of one point the distance of the points."""
    height: float
    """Above everything else, in units of the intensity."""
    area_inv_nm: float
    """Integral over q above everything else, intensity times nm⁻¹."""
    order: int | None
    """Order of the lamellae's reflection, 1 for the first; else None."""
    sigma: dict[str, float] = field(repr=False)
    """σ of ``q_inv_nm``, ``fwhm_inv_nm``, ``height`` and ``area_inv_nm``, from the noise and the misfit."""


@dataclass(frozen=True)
class LamellaeResult:
    """Bragg peaks of one curve."""

    peaks: tuple[Peak, ...]
    """By ascending q."""
    structure: Structure
    d_spacing_nm: float
    """2π/q₁ from all orders; NaN unless lamellar."""
    d_spacing_sigma_nm: float
    chi2_reduced: float
    q_inv_nm: np.ndarray = field(repr=False)
    """Shape (points,), ascending: the points that were used."""
    intensity: np.ndarray = field(repr=False)
    sigma: np.ndarray = field(repr=False)
    """What the fit was weighted by: the errors given, or estimated from the scatter, and 0.3 % of the intensity."""
    fit: np.ndarray = field(repr=False)
    background: np.ndarray = field(repr=False)
    """The fit without the Bragg peaks."""
