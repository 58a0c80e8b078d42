"""UV-vis spectra: cluster families, nanocrystals and what has accumulated."""

from msc_plans.analysis.uvvis.analyse import (
    DETECTED,
    Accumulation,
    FamilyBand,
    Nanocrystal,
    UvVisResult,
    absorbance,
    accumulation,
    analyse,
    outcome,
)

__all__ = [
    "DETECTED",
    "Accumulation",
    "FamilyBand",
    "Nanocrystal",
    "UvVisResult",
    "absorbance",
    "accumulation",
    "analyse",
    "outcome",
]
