"""Families of magic-size clusters and the material they are made of, as a table from a TOML file."""

from msc_plans.families.material import Extinction, Material, SizingCurve
from msc_plans.families.table import BUILT_IN, Family, FamilyTable, built_in_families, load_families, parse_families

__all__ = [
    "BUILT_IN",
    "Extinction",
    "Family",
    "FamilyTable",
    "Material",
    "SizingCurve",
    "built_in_families",
    "load_families",
    "parse_families",
]
