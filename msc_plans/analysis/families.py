"""The families of magic-size clusters the detector looks for, and how to give it others.

Maxima and diameters of the built-in table are those of Palencia et al., *Nanoscale* 2020, 12, 22928.
"""

import math
import tomllib
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Final

from msc_plans.analysis.sizing import YU_SOURCE, extinction_l_mol_cm

__all__ = ["CDSE_FAMILIES", "Family", "load_families"]


def _positive(name: str, field: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value) or value <= 0:
        raise ValueError(f"{name}: {field} must be a positive number, not {value!r}")
    return float(value)


@dataclass(frozen=True)
class Family:
    """One family: a band that sits at a fixed wavelength and is narrow.

    Parameters
    ----------
    name : str
        Unique name, e.g. ``"CdSe-437"``.
    wavelength_nm : float
        Absorption maximum, nm.
    diameter_nm : float
        Diameter, nm, by which extinction and aggregation number are found.
    tolerance_nm : float
        How far, nm, a maximum may lie from `wavelength_nm` and still be this family.
    fwhm_nm : tuple of float
        Narrowest and widest full width at half maximum, nm.
    radius_nm : float, optional
        Radius by SAXS, nm; without it half of `diameter_nm`.
    extinction_l_mol_cm : float, optional
        Molar extinction at the maximum, L mol⁻¹ cm⁻¹; without it Yu's curve at `diameter_nm`.
    source : str
        Where an extinction of its own comes from.

    Raises
    ------
    ValueError
        A value is not finite or positive, the widths are in the wrong order, or the name is empty.
    """

    name: str
    wavelength_nm: float
    diameter_nm: float
    tolerance_nm: float = 3.0
    fwhm_nm: tuple[float, float] = (12.0, 28.0)
    radius_nm: float = math.nan
    extinction_l_mol_cm: float = math.nan
    source: str = ""

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name.strip():
            raise ValueError(f"a family needs a name, not {self.name!r}")
        for field in ("wavelength_nm", "diameter_nm", "tolerance_nm"):
            object.__setattr__(self, field, _positive(self.name, field, getattr(self, field)))
        if self.radius_nm != self.radius_nm:
            object.__setattr__(self, "radius_nm", 0.5 * self.diameter_nm)
        object.__setattr__(self, "radius_nm", _positive(self.name, "radius_nm", self.radius_nm))
        if self.extinction_l_mol_cm != self.extinction_l_mol_cm:
            object.__setattr__(self, "extinction_l_mol_cm", extinction_l_mol_cm(self.diameter_nm))
            object.__setattr__(self, "source", YU_SOURCE)
        object.__setattr__(
            self, "extinction_l_mol_cm", _positive(self.name, "extinction_l_mol_cm", self.extinction_l_mol_cm)
        )
        if not isinstance(self.source, str) or not self.source.strip():
            raise ValueError(f"{self.name}: an extinction of its own needs a source, not {self.source!r}")
        try:
            narrow, wide = self.fwhm_nm
        except (TypeError, ValueError):
            raise ValueError(f"{self.name}: fwhm_nm must be two widths in nm, not {self.fwhm_nm!r}") from None
        widths = (_positive(self.name, "fwhm_nm", narrow), _positive(self.name, "fwhm_nm", wide))
        if widths[0] >= widths[1]:
            raise ValueError(f"{self.name}: fwhm_nm must be (narrowest, widest), not {self.fwhm_nm!r}")
        object.__setattr__(self, "fwhm_nm", widths)


CDSE_FAMILIES: Final[tuple[Family, ...]] = (
    Family("CdSe-382", 382.0, 1.39),
    Family("CdSe-403", 403.0, 1.58, radius_nm=0.87),
    Family("CdSe-437", 437.0, 1.85, radius_nm=0.94),
    Family("CdSe-465", 465.0, 2.06, radius_nm=1.02),
)
"""The four families of the paper, radii by its SAXS; 1.39 nm for 382 nm (there is no radius by SAXS) lies outside the
sizing curve's checked range."""


def load_families(path: str | Path) -> tuple[Family, ...]:
    """Read a table of families from a TOML file.

    The file holds one ``[[family]]`` table a family, with the fields of `Family` as keys.

    Returns
    -------
    tuple of Family
        By wavelength, shortest first.

    Raises
    ------
    ValueError
        The file is not TOML, holds no family, an unknown or missing key, a bad value, or a name twice.
    FileNotFoundError
        There is no such file.
    """
    source = Path(path)
    try:
        table = tomllib.loads(source.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{source}: not a TOML file: {error}") from error
    rows = table.get("family")
    if not isinstance(rows, list) or not rows:
        raise ValueError(f"{source}: needs at least one [[family]] table; found keys {sorted(table)}")
    families = tuple(sorted((_family(source, row) for row in rows), key=lambda family: family.wavelength_nm))
    names = [family.name for family in families]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"{source}: {', '.join(twice)} is there more than once")
    return families


def _family(source: Path, row: object) -> Family:
    known = [field.name for field in fields(Family)]
    if not isinstance(row, dict):
        raise ValueError(f"{source}: a family must be a table, not {row!r}")
    unknown = sorted(set(row) - set(known))
    missing = [name for name in known[:3] if name not in row]
    if unknown or missing:
        raise ValueError(
            f"{source}: family {row.get('name', row)!r}: unknown {unknown}, missing {missing}; the keys are {known}"
        )
    values = dict(row)
    if isinstance(values.get("fwhm_nm"), list):
        values["fwhm_nm"] = tuple(values["fwhm_nm"])
    try:
        return Family(**values)
    except ValueError as error:
        raise ValueError(f"{source}: {error}") from error
