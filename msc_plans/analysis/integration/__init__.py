"""Detector frames to scattering curves in absolute units, by pyFAI."""

from msc_plans.analysis.integration.integrator import (
    Integrator,
    PoniGeometry,
)

__all__ = [
    "Integrator",
    "PoniGeometry",
]
