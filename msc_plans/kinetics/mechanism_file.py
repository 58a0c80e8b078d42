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

__all__ = ["BUILT_IN", "mechanisms", "read_mechanisms"]

BUILT_IN: Final = Path(__file__).with_name("mechanisms")
_ADDED_TO = ("species", "steps", "groups", "mechanisms")
_TABLES = (*_ADDED_TO, "nanocrystals")


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
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path.name} is no TOML: {error}") from error
    base = own.pop("base", None)
    unknown = sorted(set(own) - set(_TABLES))
    if unknown:
        _refuse(f"{path.name}: unknown table {', '.join(unknown)}; known are base, {', '.join(_TABLES)}")
    for name, table in own.items():
        if not isinstance(table, Mapping):
            _refuse(f"{path.name}: {name}: must be a table, not {table!r}")
    if base is None:
        return own
    source = _source(base, path)
    if source is None or source in seen:
        raise ValueError(f"{path.name}: base {base!r} is neither built in nor a file beside it")
    tables = _merged(source, (*seen, path))
    # A file's own mechanisms are what it offers; the base only lends.
    tables["mechanisms"] = {}
    for name in _ADDED_TO:
        tables[name] = {**tables.get(name, {}), **own.get(name, {})}
    if "nanocrystals" in own:
        tables["nanocrystals"] = own["nanocrystals"]
    return tables


def _source(base: Any, path: Path) -> Path | None:
    """Return the file that a base names, beside the file that asks for it or built in: a name, not a path."""
    if not isinstance(base, str) or not base or set(base) & set("/\\\0"):
        return None
    places = (path.with_name(f"{base}.toml"), BUILT_IN / f"{base}.toml")
    try:
        return next((place for place in places if place.is_file() and place != path), None)
    except OSError:  # too long
        return None


def _mechanism(name: str, entry: Any, tables: Mapping[str, Any]) -> Mechanism:
    listed = _names(entry.get("steps") if isinstance(entry, Mapping) else None, f"mechanism {name!r}: steps")
    groups = {one: _names(steps, f"group {one!r}") for one, steps in tables.get("groups", {}).items()}
    names = [step for one in listed for step in groups.get(one, [one])]
    unknown = sorted({one for one in names if one not in tables.get("steps", {})})
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
    rate = _names(entry["rate"], f"{where}: rate")
    consumes, makes = (_amounts(entry[kind], f"{where} {kind}") for kind in ("consumes", "makes"))
    return Step(name, consumes, makes, tuple(rate), _constant(entry, where))


def _names(entry: Any, where: str) -> list[str]:
    if not isinstance(entry, list) or not all(isinstance(one, str) for one in entry):
        _refuse(f"{where} must be a list of names, not {entry!r}")
    return entry


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
    try:
        return float(value)
    except OverflowError:
        _refuse(f"{where} is too large")


def _refuse(message: str) -> NoReturn:
    raise ValueError(message)
