"""Scenario files: TOML, with ``base = "name"`` to take another scenario and override parts of it.

Tables are merged key by key, lists are replaced whole.
"""

import tomllib
from importlib import resources
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ioc_sim.physics.scenario import Scenario

__all__ = ["load_scenario", "scenario_names"]


def scenario_names() -> list[str]:
    """Names of the built-in scenarios."""
    folder = resources.files("ioc_sim") / "scenarios"
    return sorted(f.name.removesuffix(".toml") for f in folder.iterdir() if f.name.endswith(".toml"))


def load_scenario(name_or_path: str | Path) -> Scenario:
    """Read a built-in scenario by name, or a TOML file by path.

    Raises
    ------
    ValueError
        No such scenario, not TOML, or a value that is not allowed; says which, and in which file.
    """
    table, origin = _read(name_or_path, ())
    try:
        return Scenario.model_validate(table)
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(map(str, e['loc'])) or 'scenario'} = {_shown(e['input'])}: {e['msg']}" for e in error.errors()
        )
        raise ValueError(f"{origin}: {problems}") from error


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _read(name_or_path: str | Path, seen: tuple[str, ...]) -> tuple[dict[str, Any], str]:
    origin, text = _text(name_or_path)
    if origin in seen:
        raise ValueError(f"{origin}: base goes in a circle ({' -> '.join((*seen, origin))})")
    try:
        table = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{origin}: not TOML: {error}") from error
    base = table.pop("base", None)
    if base is None:
        return table, origin
    beside = Path(origin).parent / f"{base}.toml"
    below, _ = _read(beside if _is_file(beside) else str(base), (*seen, origin))
    return _merged(below, table), origin


def _text(name_or_path: str | Path) -> tuple[str, str]:
    path = Path(name_or_path)
    if _is_file(path):
        try:
            return str(path), path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ValueError(f"{path}: can't be read: {error}") from error
    if str(name_or_path) in scenario_names():
        built_in = resources.files("ioc_sim") / "scenarios" / f"{name_or_path}.toml"
        return str(built_in), built_in.read_text(encoding="utf-8")
    known = ", ".join(scenario_names())
    raise ValueError(f"no scenario {_shown(str(name_or_path))}: neither a file nor a built-in one ({known})")


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # too long, or with a NUL
        return False


def _merged(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    out = dict(below)
    for key, value in above.items():
        old = out.get(key)
        out[key] = _merged(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return out
