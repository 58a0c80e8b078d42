"""Scattering curves: sizes, populations and a verdict."""

from msc_plans.analysis.saxs.analyse import (
    FamilyFit,
    FamilyShare,
    SaxsResult,
    TwoModes,
    analyse,
    fit_families,
    two_modes,
)

__all__ = [
    "FamilyFit",
    "FamilyShare",
    "SaxsResult",
    "TwoModes",
    "analyse",
    "fit_families",
    "two_modes",
]
