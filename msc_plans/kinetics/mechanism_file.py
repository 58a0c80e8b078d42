"""Mechanisms from TOML files: the built-in ones and a user's own.

A file holds tables ``species``, ``steps``, ``nanocrystals``, ``groups`` (lists of steps under one name) and
``mechanisms``; ``base`` names a built-in file, or one beside it, whose tables it adds to. A prior is
``[mean, sigma, "source"]``. `msc_plans/kinetics/mechanisms/palencia2020.toml` is the example.
"""

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final, NoReturn

from msc_plans.kinetics.mechanism import Constant, Mechanism, Nanocrystals, Prior, Step

__all__ = ["BUILT_IN", "FAMILIES", "mechanisms", "read_mechanisms"]

BUILT_IN: Final = Path(__file__).with_name("mechanisms")
FAMILIES: Final = ("CdSe-382", "CdSe-403", "CdSe-437", "CdSe-465")
_TABLES = ("species", "steps", "groups", "mechanisms")


@cache
def mechanisms() -> Mapping[str, Mechanism]:
    """Return the paper's mechanisms and their rival, by name."""
    return read_mechanisms(BUILT_IN / "palencia2020.toml")


def read_mechanisms(path: str | Path) -> dict[str, Mechanism]:
    """Read the mechanisms of a file.

    Raises
    ------
    ValueError
        The file isn't TOML, or something in it isn't as it should be; the message names the place.
    OSError
        It can't be read.
    """
    path = Path(path)
    tables = _merged(path, ())
    if not tables.get("mechanisms"):
        raise ValueError(f"{path.name}: has no table 'mechanisms'")
    try:
        return {name: _mechanism(name, entry, tables) for name, entry in tables["mechanisms"].items()}
    except ValueError as error:
        raise ValueError(f"{path.name}: {error}") from error


def _merged(path: Path, seen: tuple[Path, ...]) -> dict[str, Any]:
    try:
        own = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path.name} is no TOML: {error}") from error
    base = own.pop("base", None)
    known = (*_TABLES, "nanocrystals")
    unknown = sorted(set(own) - set(known))
    if unknown:
        raise ValueError(f"{path.name}: unknown table {', '.join(unknown)}; known are base, {', '.join(known)}")
    if base is None:
        return own
    beside = path.with_name(f"{base}.toml")
    source = beside if beside.exists() and beside != path else BUILT_IN / f"{base}.toml"
    if not source.exists() or source in seen:
        raise ValueError(f"{path.name}: base {base!r} is neither built in nor a file beside it")
    tables = _merged(source, (*seen, path))
    # A file's own mechanisms are what it offers; the base only lends.
    tables["mechanisms"] = {}
    for name in _TABLES:
        tables[name] = {**tables.get(name, {}), **own.get(name, {})}
    if "nanocrystals" in own:
        tables["nanocrystals"] = own["nanocrystals"]
    return tables


def _mechanism(name: str, entry: Any, tables: Mapping[str, Any]) -> Mechanism:
    listed = entry.get("steps") if isinstance(entry, Mapping) else None
    if not isinstance(listed, list):
        raise ValueError(f"mechanism {name!r}: needs a list 'steps'")
    groups = tables.get("groups", {})
    names = [step for one in listed for step in groups.get(one, [one])]
    unknown = sorted({str(one) for one in names if one not in tables.get("steps", {})})
    if unknown:
        raise ValueError(f"mechanism {name!r}: unknown step {', '.join(unknown)}")
    crystals = tables.get("nanocrystals")
    return Mechanism(
        name,
        str(entry.get("title", "")),
        _amounts(tables.get("species", {}), "species"),
        tuple(_step(one, tables["steps"][one]) for one in names),
        None if crystals is None else _nanocrystals(crystals),
    )


def _step(name: str, entry: Any) -> Step:
    where = f"step {name!r}"
    fields = ("consumes", "makes", "rate", "log10_k", "energy_kj_mol")
    _check(entry, where, fields)
    if not isinstance(entry["rate"], list):
        _refuse(f"{where}: rate must be a list of species, not {entry['rate']!r}")
    consumes, makes = (_amounts(entry[kind], f"{where} {kind}") for kind in ("consumes", "makes"))
    return Step(name, consumes, makes, tuple(map(str, entry["rate"])), _constant(entry, where))


def _amounts(entry: Any, where: str) -> dict[str, float]:
    if not isinstance(entry, Mapping):
        _refuse(f"{where}: must be a table, not {entry!r}")
    return {key: _number(value, f"{where} {key}") for key, value in entry.items()}


def _nanocrystals(entry: Any) -> Nanocrystals:
    _check(entry, "nanocrystals", ("units", "growth", "dissolution"))
    for law in ("growth", "dissolution"):
        _check(entry[law], f"nanocrystals {law}", ("log10_k", "energy_kj_mol"))
    growth, dissolution = (_constant(entry[law], f"nanocrystals {law}") for law in ("growth", "dissolution"))
    return Nanocrystals(_number(entry["units"], "nanocrystals units"), growth, dissolution)


def _constant(entry: Mapping[str, Any], where: str) -> Constant:
    log10_k, energy = (_prior(entry[name], f"{where}: {name}") for name in ("log10_k", "energy_kj_mol"))
    return Constant(log10_k, energy)


def _prior(value: Any, where: str) -> Prior:
    if not isinstance(value, list) or len(value) != 3:
        _refuse(f"{where} must be [mean, sigma, source], not {value!r}")
    return Prior(_number(value[0], where), _number(value[1], where), str(value[2]))


def _check(entry: Any, where: str, fields: tuple[str, ...]) -> None:
    if not isinstance(entry, Mapping) or set(entry) != set(fields):
        _refuse(
            f"{where}: needs {', '.join(fields)}; has {', '.join(entry) if isinstance(entry, Mapping) else entry!r}"
        )


def _number(value: Any, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        _refuse(f"{where} must be a number, not {value!r}")
    return float(value)


def _refuse(message: str) -> NoReturn:
    raise ValueError(message)
