"""What lattice the ratios of the peaks' positions belong to.

Lamellae: q_n = n q₁. Two-dimensional hexagonal: q_hk = q₁ √(h² + hk + k²), that is 1 : √3 : 2 : √7 : 3 : √12 …
(*International Tables for Crystallography* A). As 1, 2 and 3 are of both, √3 or √7 decides.
"""

import math
from collections.abc import Sequence
from typing import Final

from msc_plans.analysis.lamellae.result import Structure

__all__ = ["CUBIC", "HEXAGONAL", "RATIO_TOLERANCE", "agrees", "index_of", "is_lattice", "structure_of"]

HEXAGONAL: Final = tuple(math.sqrt(n) for n in (1, 3, 4, 7, 9, 12, 13, 16, 19, 21))
CUBIC: Final = tuple(math.sqrt(n) for n in (1, 2, 3, 4, 5, 6))
RATIO_TOLERANCE: Final = 0.005
"""Relative; added to 3 σ: calibration of q that isn't linear, and peaks shifted on a slope."""
_ORDERS = tuple(range(1, 11))


def agrees(q_inv_nm: float, sigma: float, first: float, first_sigma: float, ratio: float) -> bool:
    """Return whether one position is `ratio` times another within 3 σ and `RATIO_TOLERANCE`."""
    allowed = 3.0 * math.hypot(sigma, ratio * first_sigma) + RATIO_TOLERANCE * ratio * first
    return abs(q_inv_nm - ratio * first) <= min(allowed, 0.05 * ratio * first)


def index_of(positions: Sequence[tuple[float, float]], ratios: Sequence[float]) -> list[int] | None:
    """Which of the ratios each (position, σ) has to the first, or None where one has none or two have the same."""
    first, first_sigma = positions[0]
    found = []
    for q, sigma in positions:
        close = [k for k, ratio in enumerate(ratios) if agrees(q, sigma, first, first_sigma, ratio)]
        if not close:
            return None
        found.append(min(close, key=lambda k: abs(q - ratios[k] * first)))
    return found if len(set(found)) == len(found) else None


def structure_of(positions: Sequence[tuple[float, float]]) -> tuple[Structure, list[int | None]]:
    """Structure, and the order of each peak (None unless lamellar), of (position, σ) by ascending position."""
    none: list[int | None] = [None] * len(positions)
    if len(positions) < 2:
        return ("single peak" if positions else "none"), none
    orders = index_of(positions, _ORDERS)
    if orders is not None and (1 in orders or 2 in orders):
        return "lamellar", [_ORDERS[k] for k in orders]
    hexagonal = index_of(positions, HEXAGONAL)
    if hexagonal is not None and (1 in hexagonal or 3 in hexagonal):
        return "hexagonal", none
    return "unindexed", none


def is_lattice(positions: Sequence[tuple[float, float]]) -> bool:
    """Whether the ratios are those of layers, of cylinders, or of at least three reflections of a cubic lattice."""
    structure, _ = structure_of(positions)
    cubic = len(positions) > 2 and index_of(positions, CUBIC) is not None
    return structure in ("lamellar", "hexagonal") or cubic
