"""Detector frames to scattering curves in absolute units, by pyFAI."""

from msc_plans.analysis.integration.integrator import (
    Geometry,
    Integrator,
)

__all__ = [
    "Geometry",
    "Integrator",
]
