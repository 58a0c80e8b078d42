"""Bragg peaks of a scattering curve, and the order they belong to."""

from msc_plans.analysis.lamellae.analyse import (
    LamellaeResult,
    Melting,
    Peak,
    Structure,
    analyse,
    melting,
)

__all__ = [
    "LamellaeResult",
    "Melting",
    "Peak",
    "Structure",
    "analyse",
    "melting",
]
