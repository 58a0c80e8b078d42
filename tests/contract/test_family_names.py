"""Families are named by tables, mechanisms, scenarios, the paper's own claims, tests and docs: nowhere else in code."""

import re
from pathlib import Path

import pytest

from msc_plans.families import built_in_families

ROOT = Path(__file__).parents[2] / "msc_plans"
SPELLINGS = [name.replace("-", "[-_]") for name in built_in_families().names]
KEYS = [rf"_{family.wavelength_nm:.0f}\b" for family in built_in_families()]
NAMED = re.compile("|".join([*SPELLINGS, *KEYS, r"\bCd[A-Z][a-z]?-\d{3}\b"]))


@pytest.mark.parametrize("room", sorted(one.name for one in ROOT.iterdir() if one.name not in ("paper", "__pycache__")))
def test_no_family_is_named_in(room):
    files = [ROOT / room] if room.endswith(".py") else sorted((ROOT / room).rglob("*.py"))
    said = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in files
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if NAMED.search(line)
    ]
    assert said == []
