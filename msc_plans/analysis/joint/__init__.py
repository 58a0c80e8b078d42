"""UV-vis and SAXS of one liquid, together."""

from msc_plans.analysis.joint.analyse import (
    AGREE_FROM,
    EXTINCTION_SIGMA,
    NANOCRYSTALS,
    SAXS_SCALE_SIGMA,
    JointResult,
    SpeciesAmount,
    combine,
    outcome,
)

__all__ = [
    "AGREE_FROM",
    "EXTINCTION_SIGMA",
    "NANOCRYSTALS",
    "SAXS_SCALE_SIGMA",
    "JointResult",
    "SpeciesAmount",
    "combine",
    "outcome",
]
