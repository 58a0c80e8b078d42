"""A table of families: where each absorbs, how large it is, and what they are made of."""

import math
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import KW_ONLY, dataclass, field, fields, replace
from functools import cache
from pathlib import Path
from typing import Any, Final

from msc_plans.families.material import Extinction, Material, SizingCurve, ascending, finite_number

__all__ = ["BUILT_IN", "Family", "FamilyTable", "built_in_families", "load_families", "parse_families"]

BUILT_IN: Final = Path(__file__).with_name("cdse.toml")
"""The table that is used unless another one is named: CdSe's."""

_WINDOW_NM: Final = (330.0, 750.0)
_BEYOND_NM: Final = 30.0
"""How far the window reaches, at the least, beyond the families' maxima."""
_BELOW_LAST_NM: Final = 25.0
"""How far below the reddest family nanocrystals are looked for in a table that doesn't say from where on."""


@dataclass(frozen=True)
class Family:
    """One family: a band that sits at a fixed wavelength and is narrow.

    Parameters
    ----------
    name : str
        Unique name, of material and wavelength.
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
        Molar extinction at the maximum, L mol⁻¹ cm⁻¹; without it the material's at `diameter_nm`, if it is known.
    source : str
        Where an extinction of its own comes from.
    denominator : str
        Name of the family whose height stands beside that of the nanocrystals in the denominator of the ratio by which
        this one counts as accumulated; empty: none.

    Raises
    ------
    ValueError
        A value is not finite or positive, the widths are in the wrong order, or the name is empty.
    """

    name: str
    wavelength_nm: float
    diameter_nm: float
    _: KW_ONLY
    tolerance_nm: float = 3.0
    fwhm_nm: tuple[float, float] = (12.0, 28.0)
    radius_nm: float = math.nan
    extinction_l_mol_cm: float = math.nan
    source: str = ""
    denominator: str = ""

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name.strip():
            raise ValueError(f"a family needs a name, not {self.name!r}")
        for name in ("wavelength_nm", "diameter_nm", "tolerance_nm"):
            self._set_positive(name)
        if self.radius_nm != self.radius_nm:
            object.__setattr__(self, "radius_nm", 0.5 * self.diameter_nm)
        self._set_positive("radius_nm")
        if self.extinction_l_mol_cm == self.extinction_l_mol_cm:
            self._set_positive("extinction_l_mol_cm")
            if not isinstance(self.source, str) or not self.source.strip():
                raise ValueError(f"{self.name}: an extinction of its own needs a source, not {self.source!r}")
        try:
            narrow, wide = self.fwhm_nm
        except (TypeError, ValueError):
            raise ValueError(f"{self.name}: fwhm_nm must be two widths in nm, not {self.fwhm_nm!r}") from None
        widths = tuple(finite_number(f"{self.name}: fwhm_nm", one, above=0.0) for one in (narrow, wide))
        if widths[0] >= widths[1]:
            raise ValueError(f"{self.name}: fwhm_nm must be (narrowest, widest), not {self.fwhm_nm!r}")
        object.__setattr__(self, "fwhm_nm", widths)
        if not isinstance(self.denominator, str) or self.denominator == self.name:
            raise ValueError(f"{self.name}: denominator must name another family, not {self.denominator!r}")

    def _set_positive(self, name: str) -> None:
        number = finite_number(f"{self.name}: {name}", getattr(self, name), above=0.0)
        object.__setattr__(self, name, number)


@dataclass(frozen=True)
class FamilyTable:
    """Families with the material they are made of.

    Iterating gives the families, ``table[name]`` gives one.

    Parameters
    ----------
    families : tuple of Family
        Each with a name of its own. Extinctions that they lack are found by the material's, where it has one.
    material : Material
        What they are made of.
    campaign_family : str
        The family that a campaign is about unless it is told otherwise; empty: the first.
    window_nm : (float, float), optional
        Wavelengths of a spectrum that are fitted; without it 330 to 750 nm, or as far as the families need.

    Raises
    ------
    ValueError
        A name is there twice, a family that is referred to is missing, or one lies outside the window.
    """

    families: tuple[Family, ...]
    _: KW_ONLY
    material: Material = field(default_factory=Material)
    campaign_family: str = ""
    window_nm: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        own = tuple(_with_extinction(family, self.material.extinction) for family in self.families)
        object.__setattr__(self, "families", own)
        twice = sorted({name for name in self.names if self.names.count(name) > 1})
        if twice:
            raise ValueError(f"{', '.join(twice)} is there more than once")
        for family in own:
            if family.denominator and family.denominator not in self.names:
                raise ValueError(f"{family.name}: denominator {family.denominator!r} is not a family of this table")
        if not self.campaign_family and own:
            object.__setattr__(self, "campaign_family", own[0].name)
        if own and self.campaign_family not in self.names:
            raise ValueError(f"campaign_family {self.campaign_family!r} is not a family of this table")
        maxima = [family.wavelength_nm for family in own]
        if self.window_nm is None:
            low = min([_WINDOW_NM[0], *(at - _BEYOND_NM for at in maxima)])
            high = max([_WINDOW_NM[1], *(at + _BEYOND_NM for at in maxima)])
            object.__setattr__(self, "window_nm", (low, high))
        else:
            object.__setattr__(self, "window_nm", ascending("window_nm", self.window_nm))
        outside = [family.name for family in own if not self.window[0] < family.wavelength_nm < self.window[1]]
        if outside:
            raise ValueError(f"window_nm {self.window} leaves out {', '.join(outside)}")

    def __iter__(self) -> Iterator[Family]:
        return iter(self.families)

    def __len__(self) -> int:
        return len(self.families)

    def __getitem__(self, name: str) -> Family:
        return self.families[self.index(name)]

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the families."""
        return tuple(family.name for family in self.families)

    @property
    def window(self) -> tuple[float, float]:
        """Wavelengths of a spectrum that are fitted, nm."""
        assert self.window_nm is not None
        return self.window_nm

    @property
    def nanocrystals_from_nm(self) -> float:
        """Shortest first maximum of nanocrystals that is looked for: the material's, or near the reddest family."""
        given = self.material.nanocrystals_from_nm
        if given == given:
            return given
        return max((family.wavelength_nm for family in self.families), default=_WINDOW_NM[0]) - _BELOW_LAST_NM

    def as_document(self) -> dict[str, Any]:
        """Return what the start document of an analysis says of the table."""
        return {
            "material": self.material.formula,
            "families": list(self.names),
            "wavelength_nm": [family.wavelength_nm for family in self.families],
        }

    def index(self, name: str) -> int:
        """Return the number of a family.

        Raises
        ------
        ValueError
            There is no such family; the message lists those there are.
        """
        if name not in self.names:
            raise ValueError(f"unknown family {name!r}; families are {', '.join(self.names)}")
        return self.names.index(name)


def _with_extinction(family: Family, extinction: Extinction | None) -> Family:
    if extinction is None or family.extinction_l_mol_cm == family.extinction_l_mol_cm:
        return family
    return replace(family, extinction_l_mol_cm=extinction.l_mol_cm(family.diameter_nm), source=extinction.source)


@cache
def built_in_families() -> FamilyTable:
    """Return the table that is used unless another one is named."""
    return load_families(BUILT_IN)


def load_families(path: str | Path) -> FamilyTable:
    """Read a table of families from a TOML file; ``cdse.toml`` is the example.

    The file holds one ``[[family]]`` table a family, with the fields of `Family` as keys; a table ``[material]`` with
    those of `Material`; ``campaign_family`` and ``window_nm``. Families are sorted by wavelength, shortest first.

    Raises
    ------
    ValueError
        The file is not TOML, holds no family, an unknown or missing key, a bad value, or a name twice.
    FileNotFoundError
        There is no such file.
    """
    source = Path(path)
    try:
        text = source.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"{source}: not a TOML file: {error}") from error
    return parse_families(text, str(source))


def parse_families(text: str, source: str = "family table") -> FamilyTable:
    """Read a table of families from the text of such a file; `source` says in errors where the text is from.

    Raises
    ------
    ValueError
        As for `load_families`.
    """
    try:
        return _table(tomllib.loads(text))
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ValueError(f"{source}: not a TOML file: {error}") from error
    except ValueError as error:
        raise ValueError(f"{source}: {error}") from error


def _table(table: Mapping[str, Any]) -> FamilyTable:
    rows = table.get("family")
    if not isinstance(rows, list) or not rows:
        raise ValueError(f"needs at least one [[family]] table; found keys {sorted(table)}")
    known = ("family", "material", "campaign_family", "window_nm")
    unknown = sorted(set(table) - set(known))
    if unknown:
        raise ValueError(f"unknown {unknown}; the keys are {list(known)}")
    window = table.get("window_nm")
    return FamilyTable(
        tuple(sorted(map(_family, rows), key=lambda family: family.wavelength_nm)),
        material=_material(table.get("material", {})),
        campaign_family=table.get("campaign_family", ""),
        window_nm=None if window is None else ascending("window_nm", window),
    )


def _material(table: Any) -> Material:
    values = _values(table, "[material]", Material)
    if "sizing" in values:
        values["sizing"] = SizingCurve(**_values(values["sizing"], "[material.sizing]", SizingCurve, complete=True))
    if "extinction" in values:
        found = _values(values["extinction"], "[material.extinction]", Extinction, complete=True)
        values["extinction"] = Extinction(**found)
    return Material(**values)


def _values(table: Any, where: str, kind: type[Any], *, complete: bool = False) -> dict[str, Any]:
    """Return the keys of a TOML table that is to become a dataclass."""
    known = [one.name for one in fields(kind)]
    if not isinstance(table, dict):
        raise ValueError(f"{where} must be a table, not {table!r}")
    unknown, missing = sorted(set(table) - set(known)), [name for name in known if complete and name not in table]
    if unknown or missing:
        raise ValueError(f"{where}: unknown {unknown}, missing {missing}; the keys are {known}")
    return dict(table)


def _family(row: object) -> Family:
    known = [one.name for one in fields(Family)]
    if not isinstance(row, dict):
        raise ValueError(f"a family must be a table, not {row!r}")
    unknown = sorted(set(row) - set(known))
    missing = [name for name in known[:3] if name not in row]
    if unknown or missing:
        raise ValueError(f"family {row.get('name', row)!r}: unknown {unknown}, missing {missing}; the keys are {known}")
    values = dict(row)
    if isinstance(values.get("fwhm_nm"), list):
        values["fwhm_nm"] = tuple(values["fwhm_nm"])
    return Family(**values)
