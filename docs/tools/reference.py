"""Reference pages made of the code: commands, settings, records, modules."""

import argparse
import importlib
import inspect
import pkgutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

__all__ = ["api_pages", "commands", "decisions", "patches", "records", "settings"]

ROOT = Path(__file__).parents[2]
PACKAGES = ("msc_plans", "devices", "ioc_sim")


def commands() -> str:
    """Return the options of every ``msc`` command, as they are printed."""
    import os

    from msc_plans.cli import build_parser

    os.environ["COLUMNS"] = "96"
    parser = build_parser()
    (subparsers,) = (one for one in parser._actions if isinstance(one, argparse._SubParsersAction))
    parts = ["## msc", "", "```text", parser.format_help().rstrip(), "```"]
    for name, one in subparsers.choices.items():
        parts += ["", f"## msc {name}", "", "```text", one.format_help().rstrip(), "```"]
        for action in one._actions:
            if isinstance(action, argparse._SubParsersAction):
                for word, below in action.choices.items():
                    parts += ["", f"### msc {name} {word}", "", "```text", below.format_help().rstrip(), "```"]
    return "\n".join(parts) + "\n"


def patches() -> str:
    """Return a section for each patch of another package: versions, what it guards, its test, the fault upstream."""
    from devices.core import caproto_patch

    declared = [
        importlib.import_module(path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".")).PATCH
        for path in sorted((ROOT / "msc_plans").rglob("*.py"))
        if "\nPATCH = Patch(" in path.read_text()
    ]
    rows = [(one.name, f"{one.package}{one.versions}", one.kind, one.test, one.fault) for one in declared]
    rows.append(
        (
            "caproto: reconnect",
            f"caproto{caproto_patch.VERSIONS}",
            "correctness",
            caproto_patch.TEST,
            caproto_patch.FAULT,
        )
    )
    parts = []
    for name, package, kind, test, fault in sorted(rows):
        parts += [f"## {name}", "", f"`{package}`; {kind}; tested by `{test}`.", "", fault, ""]
    return "\n".join(parts)


def settings() -> str:
    """Return a table of all settings: name in msc.toml, environment variable, type or bounds, default, meaning."""
    from msc_plans.settings import Settings

    rows: list[str] = []
    sections: list[str] = []
    for name, info in Settings.model_fields.items():
        inner = info.annotation
        if hasattr(inner, "model_fields"):
            below = [_setting(f"{name}.{key}", one) for key, one in inner.model_fields.items()]
            sections += ["", f"## [{name}]", "", _paragraph(inner), "", *_HEAD, *below]
        elif name == "suspenders":
            from msc_plans.settings import Suspender

            below = [_setting(f"suspenders[].{key}", one) for key, one in Suspender.model_fields.items()]
            sections += ["", "## [[suspenders]]", "", _paragraph(Suspender), "", *_HEAD, *below]
            sections += ["", "Those that are there unless `msc.toml` names others:", "", *_defaults_of_suspenders()]
        else:
            rows.append(_setting(name, info))
    return "\n".join(["## Of the whole", "", *_HEAD, *rows, *sections]) + "\n"


_HEAD = ("| `msc.toml` | environment | default | unit, bounds | what |", "|---|---|---|---|---|")
_UNITS = {
    "ul_min": "µL/min", "mol_l": "mol/L", "k_min": "K/min", "ul": "µL", "cm": "cm", "rad": "rad", "ms": "ms",
    "nm": "nm", "m": "m", "s": "s", "temperature": "°C",
}  # fmt: skip


def unit_of(name: str) -> str:
    """Return the unit that a setting's name carries, empty for none."""
    last = name.rpartition(".")[2]
    return next((unit for end, unit in _UNITS.items() if last == end or last.endswith(f"_{end}")), "")


def _setting(name: str, info: Any) -> str:
    default = info.get_default(call_default_factory=True)
    bounds = [_bound(one) for one in info.metadata]
    unit = unit_of(name)
    what = ", ".join(part for part in (unit, ", ".join(b for b in bounds if b)) if part)
    environment = "" if "[]" in name else f"`MSC_{name.upper().replace('.', '__')}`"
    shown = "–" if info.is_required() else f"`{_plain(default)}`"
    return f"| `{name.replace('[]', '')}` | {environment} | {shown} | {what} | {info.description or ''} |"


def _bound(constraint: Any) -> str:
    words = {"gt": "above", "ge": "at least", "lt": "below", "le": "at most"}
    return " ".join(f"{word} {getattr(constraint, key):g}" for key, word in words.items() if hasattr(constraint, key))


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return f"[{', '.join(map(_plain, value))}]"
    return (
        f"{value:.6g}" if isinstance(value, float) else f'"{value}"' if isinstance(value, (str, Path)) else str(value)
    )


def _paragraph(thing: Any) -> str:
    return " ".join((inspect.getdoc(thing) or "").split("\n\n")[0].split())


def _defaults_of_suspenders() -> Iterator[str]:
    from msc_plans.settings import Settings

    yield "| record | suspends | goes on at | why |"
    yield "|---|---|---|---|"
    for one in Settings.model_fields["suspenders"].get_default(call_default_factory=True):
        side = f"below {one.below:g}" if one.below is not None else f"above {one.above:g}"
        yield f"| `{one.pv}` | {side} | {one.resume:g} | {one.why} |"


def records(prefix: str = "MSC:") -> str:
    """Return tables of all records that are made from tables, by device; those the devices ask for are marked."""
    from devices import FlowReactor, SaxsDetector, Spectrometer
    from devices.core.record_names import record_names
    from ioc_sim.areadetector.hdf_records import HDF_RECORDS
    from ioc_sim.areadetector.pilatus import CAM_RECORDS
    from ioc_sim.records.faults import FAULT_RECORDS
    from ioc_sim.records.oven import OVEN_RECORDS
    from ioc_sim.records.pump import PUMP_RECORDS
    from ioc_sim.records.reactor import REACTOR_RECORDS, SIM_RECORDS
    from ioc_sim.records.saxs import SAXS_RECORDS
    from ioc_sim.records.spectrometer import SPECTROMETER_RECORDS

    used = {
        *record_names(FlowReactor, prefix),
        *record_names(Spectrometer, f"{prefix}Spec:"),
        *record_names(SaxsDetector, f"{prefix}Saxs:"),
    }
    tables = {
        "Pumps": ("Pump:Cd:", PUMP_RECORDS, "The same for `Pump:Se:` and `Pump:Solvent:`."),
        "Ovens": ("Oven:Nucleation:", OVEN_RECORDS, "The same for `Oven:Growth:`."),
        "Spectrometer": ("Spec:", SPECTROMETER_RECORDS, ""),
        "Reactor": ("Reactor:", REACTOR_RECORDS, ""),
        "SAXS station": ("Saxs:", SAXS_RECORDS, ""),
        "SAXS camera": ("Saxs:cam1:", CAM_RECORDS, "ophyd's `PilatusDetectorCam` names some 300 more."),
        "SAXS files": ("Saxs:HDF1:", HDF_RECORDS, "ophyd's `HDF5Plugin` names some 150 more."),
        "Simulation": ("Sim:", SIM_RECORDS, "A real reactor has none of these."),
        "Faults": ("Sim:Fault:", FAULT_RECORDS, "What each does is told in [scenarios](../scenarios.md#faults)."),
    }
    parts: list[str] = []
    for title, (below, table, remark) in tables.items():
        parts += ["", f"## {title}: `{prefix}{below}`", ""]
        parts += [remark, ""] if remark else []
        parts += ["| record | kind | unit or choices | limits | used | what |", "|---|---|---|---|---|---|"]
        parts += [_record(f"{prefix}{below}", spec, used) for spec in table]
    return "\n".join(parts) + "\n"


def _record(prefix: str, spec: Any, used: set[str]) -> str:
    kind = type(spec).__name__.lower()
    choices = getattr(spec, "choices", ())
    length = getattr(spec, "length", 0)
    units = getattr(spec, "units", "") + (f", {length} values" if length else "")
    limits = getattr(spec, "limits", None)
    names = [spec.name, *([spec.name + spec.readback] if getattr(spec, "readback", "") else [])]
    mark = "yes" if any(prefix + name in used for name in names) else ""
    span = f"{limits[0]:g} to {limits[1]:g}" if limits else ""
    shown = " ".join(f"`{name}`" for name in names)
    return f"| {shown} | {kind} | {', '.join(choices) or units} | {span} | {mark} | {spec.doc} |"


def decisions(folder: Path) -> str:
    """Return the list of decisions by date, newest first."""
    lines = []
    for path in sorted(folder.glob("20*.md"), reverse=True):
        title = path.read_text().splitlines()[0].lstrip("# ").removesuffix(f", {path.stem[:10]}")
        lines.append(f"* {path.stem[:10]}: [{title}](../decisions/{path.name})")
    return "\n".join(lines) + "\n"


def modules(package: str) -> list[str]:
    """Return the names of a package's public modules that document something, packages first."""
    below = pkgutil.walk_packages(importlib.import_module(package).__path__, f"{package}.")
    return [package, *(one.name for one in below if not any(part.startswith("_") for part in one.name.split(".")))]


def api_pages() -> Mapping[str, str]:
    """Return a page for each package and subpackage, by file name: its modules with all that is public."""
    groups: dict[str, list[str]] = {}
    for package in PACKAGES:
        for name in modules(package):
            parts = name.split(".")
            is_package = hasattr(importlib.import_module(name), "__path__")
            group = ".".join(parts[:2]) if len(parts) > 2 or (is_package and len(parts) == 2) else package
            groups.setdefault(group, []).append(name)
    return {group: _api_page(group, names) for group, names in groups.items()}


def _api_page(group: str, names: list[str]) -> str:
    parts = [f"# {group}", ""]
    for name in names:
        module = importlib.import_module(name)
        own = [key for key in getattr(module, "__all__", ()) if _home(module, key) == name]
        parts += [] if name == group else [f"## {name.removeprefix(group).lstrip('.')}", ""]
        parts += ["```{eval-rst}", f".. automodule:: {name}"]
        parts += [f"   :members: {', '.join(own)}"] if own else []
        parts += ["```", ""]
    return "\n".join(parts)


def _home(module: Any, name: str) -> str:
    """Return where a name is defined: what a package only passes on is documented there."""
    return getattr(getattr(module, name, None), "__module__", module.__name__)
