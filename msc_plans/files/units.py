"""What the names of columns and the lines above them say of quantities and units."""

import re
from collections.abc import Iterable
from typing import Literal

__all__ = ["QUnit", "intensity_unit", "plain", "q_unit", "stated_q_unit", "wavelength_unit"]

QUnit = Literal["1/nm", "1/A", "1/m", "1/um"]
"""Units of momentum transfer; A is the ångström."""

_POWER = r"\s*\^?\s*-\s*1"
_UNITS: dict[QUnit, tuple[str, str]] = {
    "1/A": (r"(?:ang(?:str(?:o|oe)?m)?s?|å(?:ngstr[oö]ms?)?)", "a"),
    "1/nm": (r"(?:nm|nanomet(?:er|re)s?)", ""),
    "1/um": (r"(?:[uµ]m|micromet(?:er|re)s?)", ""),
    "1/m": (r"(?:m|met(?:er|re)s?)", ""),
}


def _inverse(unit: str) -> str:
    over = r"(?:1\s*/|/|(?<![a-z])(?:per|inv(?:erse)?|reciprocal)[\s_])\s*"
    return rf"(?:{over}{unit}(?![a-z0-9])|(?<![a-z]){unit}{_POWER}(?!\d))"


_LOOSE: dict[QUnit, re.Pattern[str]] = {
    unit: re.compile(_inverse(f"(?:{long}|{short})" if short else long)) for unit, (long, short) in _UNITS.items()
}
_STRICT: dict[QUnit, re.Pattern[str]] = {unit: re.compile(_inverse(_UNITS[unit][0])) for unit in ("1/A", "1/nm")}
_SUBJECT = re.compile(r"\bq\b|\bq[_( ]|momentum|scattering vector|\bunits?\b|\bx[ -]?axis\b")


def plain(text: str) -> str:
    """Return text in lower case with one spelling of ångström, minus and powers, and no TeX marks."""
    text = text.replace("\u212b", "Å").replace("A\u030a", "Å").replace("\N{MICRO SIGN}", "µ").replace("μ", "µ")
    text = text.replace("⁻¹", "^-1").replace("\u2212", "-").replace("–", "-").replace("**", "^")
    text = re.sub(r"\\(?:aa|mathring\{a\}|angstrom|ring\{a\}|AA)", "å", text)
    text = re.sub(r"\\mathrm|[$\\{}]", "", text)
    return re.sub(r"\^\s*\(\s*-\s*1\s*\)", "^-1", text).lower()


def q_unit(text: str) -> QUnit | None:
    """Return the unit that a column's name or a ``units`` attribute states, None where it states none."""
    text = plain(text)
    found: list[QUnit] = [unit for unit, pattern in _LOOSE.items() if pattern.search(text)]
    return found[0] if len(found) == 1 else None


def stated_q_unit(lines: Iterable[str]) -> QUnit | None:
    """Return the unit of q that lines of prose state; None where none does, or they contradict one another."""
    found: set[QUnit] = set()
    for line in lines:
        text = plain(line)
        patterns = _LOOSE if _SUBJECT.search(text) else _STRICT
        found |= {unit for unit in _STRICT if patterns[unit].search(text)}
    return found.pop() if len(found) == 1 else None


def intensity_unit(text: str) -> float | Literal["arbitrary"] | None:
    """Return the factor to cm⁻¹ that a name states, or ``"arbitrary"``, or None where it states nothing."""
    text = plain(text)
    if re.search(r"\barb|\ba\.?\s?u\b|\bcounts?\b|\bcps\b|\bnone\b|photons|relative|normali[sz]ed", text):
        return "arbitrary"
    if re.search(rf"(?:1\s*/|/|per )\s*\(?\s*cm|\bcm{_POWER}", text):
        return 1.0
    if re.search(rf"(?:1\s*/|/|per )\s*\(?\s*mm\b|\bmm{_POWER}", text):
        return 10.0
    if re.search(rf"(?:1\s*/|/|per )\s*\(?\s*m\b|\bm{_POWER}", text):
        return 0.01
    return None


def wavelength_unit(text: str) -> Literal["nm", "um", "A", "eV", "1/cm"] | None:
    """Return the unit of the spectral axis that a name states; None where it states none."""
    text = plain(text)
    if re.search(r"\bnm\b|_nm\b|nanomet", text):
        return "nm"
    if re.search(rf"1\s*/\s*cm|\bcm{_POWER}|wavenumber", text):
        return "1/cm"
    if re.search(r"\bev\b|_ev\b|electron ?volt", text):
        return "eV"
    if re.search(r"(?:\b|_)[uµ]m\b|micromet|micron", text):
        return "um"
    if re.search(r"å|angstr|\(a\)|\[a\]|[_ ]a$", text):
        return "A"
    return None
