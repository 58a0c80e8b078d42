"""All that may be found on one grid of q, made once: grids seldom change, and this takes as long as a fit."""

import math
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

import numpy as np
from scipy.stats import chi2 as chi_square

from msc_plans.analysis.lamellae.background import SHAPES, fringes, hump, particles, soft, stiff
from msc_plans.analysis.lamellae.model import START_MIX, Atom, PeakLimits, profile

__all__ = ["FALSE_ALARM", "WIDEST", "Catalogue", "particles_on"]

FALSE_ALARM: Final = 1e-3
"""Chance that noise makes a peak anywhere in a curve."""
WIDEST: Final = 0.22
"""FWHM over position up to which a peak is told from a background that bends."""
_WIDER = 1.6
_FRINGE_WIDTHS = (0.0, 0.03, 0.07, 0.13)
_FRINGES = 30.0


@dataclass(frozen=True)
class Catalogue:
    """Places and widths of peaks, and what may be taken for a peak."""

    limits: PeakLimits
    atoms: list[Atom] = field(repr=False)
    columns: np.ndarray = field(repr=False)
    """Shape (points, atoms)."""
    smooth: np.ndarray = field(repr=False)
    """Shape (points, columns): the background's."""
    threshold: float
    """χ² over the misfit that a peak anywhere must save."""

    @classmethod
    def of(cls, q: np.ndarray) -> "Catalogue":
        """Return the catalogue of an ascending grid, nm⁻¹; it is kept for the next curve."""
        return _of_grid(q.tobytes())


@lru_cache(maxsize=4)
def _of_grid(grid: bytes) -> Catalogue:
    q = np.frombuffer(grid)
    limits = PeakLimits(np.gradient(q), q, WIDEST)
    spacing = limits.spacing
    atoms: list[Atom] = []
    trials, width = 0.0, float(spacing.min())
    while width < limits.widest * q[-1]:
        inside = (width >= 0.9 * spacing) & (width <= limits.widest * q)
        # Not beyond the ends: half a peak is a bend of the background.
        inside &= (q - q[0] > 0.5 * width) & (q[-1] - q > 0.5 * width)
        at = q[inside]
        if len(at):
            thinned = at[np.unique(np.floor((at - at[0]) / (0.35 * width)), return_index=True)[1]]
            trials += float(np.ptp(at)) / width + 1.0
            atoms += [Atom(float(place), width) for place in thinned]
        width *= _WIDER
    place, fwhm = (np.array([getattr(atom, name) for atom in atoms]) for name in ("place", "fwhm"))
    columns = [profile(q, place, fwhm, START_MIX)]
    radius = np.exp(np.arange(math.log(2.5), math.log(_FRINGES), 0.012)) / q[-1]
    for shape in SHAPES:
        for relative, curves in zip(_FRINGE_WIDTHS, fringes(q, shape, radius, _FRINGE_WIDTHS), strict=True):
            columns.append(curves / curves.max(axis=0))
            atoms += [Atom(float(r), relative, shape) for r in radius]
    middle = np.exp(np.arange(math.log(q[0]), math.log(q[-1]), 0.1))
    for sharpness in (1.5, 2.2, 3.2):
        columns.append(hump(q, middle, sharpness))
        atoms += [Atom(float(place), sharpness, "hump") for place in middle]
    threshold = float(chi_square.isf(FALSE_ALARM / max(trials, 10.0), 2))
    return Catalogue(limits, atoms, np.hstack(columns), np.hstack([soft(q), stiff(q)[:, 5:]]), threshold)


@lru_cache(maxsize=4)
def particles_on(grid: bytes, shapes: tuple[str, ...]) -> np.ndarray:
    """`particles` on a grid given as its bytes."""
    return particles(np.frombuffer(grid), shapes)
