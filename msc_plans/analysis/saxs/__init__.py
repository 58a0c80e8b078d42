"""Scattering curves: sizes, populations and a verdict."""

from msc_plans.analysis.saxs.analyse import (
    CDSE_CONTRAST_INV_CM2,
    FamilyFit,
    FamilyShare,
    SaxsResult,
    TwoModes,
    analyse,
    fit_families,
    two_modes,
)

__all__ = [
    "CDSE_CONTRAST_INV_CM2",
    "FamilyFit",
    "FamilyShare",
    "SaxsResult",
    "TwoModes",
    "analyse",
    "fit_families",
    "two_modes",
]
