"""The runs of a reproduction as they are stored: in the journals of a store's folder, or in its catalogue."""

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from msc_plans.condition import Condition
from msc_plans.paper.claims.claims import AnalysedRun, Records

__all__ = ["CONCLUSION", "Archive", "Usage", "archive_of", "in_catalog", "in_journals", "latest_in_journals"]

CONCLUSION = "campaign"
"""Name of the analysis that holds what a campaign concluded."""

Document = tuple[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Usage:
    """What the runs of one plan took."""

    runs: int = 0
    seconds: float = 0.0
    """Seconds of the reactor's clock, to the stop document from that of the run before it in the same session."""
    microlitres: Mapping[str, float] = field(default_factory=dict)
    """By liquid, as the syringes' readings have it: what flowed between readings, refills left out."""

    @property
    def mixture_ml(self) -> float:
        """Volume of both precursors, mL."""
        return (self.microlitres.get("Cd", 0.0) + self.microlitres.get("Se", 0.0)) / 1e3


@dataclass(frozen=True)
class Archive:
    """A reproduction, as stored."""

    uid: str
    told: Mapping[str, Any]
    """What the start documents say of it: scenario, seed, time scale, the reactor's model and what time costs."""
    records: Records
    used: Mapping[str, Usage]
    """By purpose."""
    failed: int
    """Runs that did not end in success."""
    versions: Sequence[str]
    """Versions of msc-plans that made the analyses."""
    campaigns: Mapping[str, tuple[AnalysedRun, ...]] = field(default_factory=dict)
    """Adaptive campaigns by goal: their records in the order of measurement."""
    conclusions: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Conclusions of the campaigns that came to their end, by goal."""


def in_journals(folder: Path, uid: str) -> Iterator[list[Document]]:
    """Yield the documents of each run of a reproduction, and of its analyses, from the journals in a store's folder."""
    from msc_plans.storage.journal import read_journal

    paths = _starts(folder)
    raw = {start["uid"] for start, _ in paths if start.get("reproduce_uid") == uid}
    for start, path in paths:
        if start["uid"] in raw or start.get("raw_uid") in raw:
            yield list(read_journal(_where(folder, path)))


def latest_in_journals(folder: Path, begins: str = "") -> str | None:
    """Return the uid of the latest reproduction in a store's journals that begins so; None where there is none."""
    found = [
        (start["time"], start["reproduce_uid"])
        for start, _ in _starts(folder)
        if str(start.get("reproduce_uid", "")).startswith(begins) and "reproduce_uid" in start
    ]
    return max(found)[1] if found else None


def _starts(folder: Path, *, stored: bool = True) -> list[tuple[dict[str, Any], Path]]:
    """Start documents of all journals, or of those that wait to be stored."""
    from msc_plans.storage.journal import journals, parse_line, stored_journals

    if not folder.is_dir():
        return []
    found: dict[str, tuple[dict[str, Any], Path]] = {}
    # those that are being stored move to the others meanwhile, never back
    for path in [*journals(folder), *(stored_journals(folder) if stored else ())]:
        with _where(folder, path).open("rb") as file:
            line = file.readline()
        if line.endswith(b"\n"):
            name, start = parse_line(line, f"{path}, line 1,")
            if name == "start":
                found[start["uid"]] = (start, path)
    return list(found.values())


def _where(folder: Path, path: Path) -> Path:
    """Where a journal is now."""
    if path.exists():
        return path
    moved = list((folder / "stored").glob(f"*/{path.name}"))
    return moved[0] if moved else path


def in_catalog(catalog: Any, uid: str, folder: Path) -> Iterator[list[Document]]:
    """Yield the documents of each run of a reproduction, and of its analyses, from a catalogue.

    Runs that wait in the journals of `folder`, not or not wholly in the catalogue yet, are read there.
    """
    from tiled.queries import Key

    from msc_plans.storage.journal import read_journal
    from msc_plans.storage.runs import documents
    from msc_plans.storage.search import analyses_of

    waiting = {start["uid"]: (start, path) for start, path in _starts(folder, stored=False)}
    stored = {run.metadata["start"]["uid"]: run for run in catalog.search(Key("reproduce_uid") == uid).values()}
    raw = stored.keys() | {name for name, (start, _) in waiting.items() if start.get("reproduce_uid") == uid}
    for runs in analyses_of(catalog, sorted(raw)).values():
        stored |= {run.metadata["start"]["uid"]: run for run in runs}
    for name, run in stored.items():
        if name not in waiting:
            yield list(documents(run))
    for name, (start, path) in waiting.items():
        if name in raw or start.get("raw_uid") in raw:
            yield list(read_journal(_where(folder, path)))


def archive_of(uid: str, runs: Iterable[Sequence[Document]]) -> Archive:
    """Return what the runs of a reproduction say.

    Parameters
    ----------
    uid : str
        Of the reproduction.
    runs : iterable of sequences of documents
        In any order.
    """
    raw: dict[str, dict[str, Any]] = {}
    analyses: list[tuple[dict[str, Any], dict[str, Any]]] = []
    readings: list[tuple[float, str, Mapping[str, Any]]] = []
    for documents in runs:
        start = dict(documents[0][1])
        stop = next((dict(one) for name, one in documents if name == "stop"), {})
        events = [one for name, one in documents if name == "event"]
        if start.get("purpose") == "analysis":
            if events and stop.get("exit_status") == "success":
                analyses.append((start, dict(events[-1]["data"])))
            continue
        raw[start["uid"]] = {"start": start, "stop": stop, "events": len(events)}
        readings += [(one["time"], start["uid"], one["data"]) for one in events]
    results: dict[str, dict[str, dict[str, Any]]] = {}
    conclusions: dict[str, dict[str, Any]] = {}
    for start, data in sorted(analyses, key=lambda one: one[0]["time"]):
        if start["analysis"] == CONCLUSION:
            conclusions[data["goal"]] = data
            continue
        results.setdefault(start["raw_uid"], {})[start["analysis"]] = data
    good = {name: one for name, one in raw.items() if one["stop"].get("exit_status") == "success"}
    records = {name: _record(one["start"], results.get(name, {})) for name, one in good.items()}
    ordered = sorted(raw.values(), key=lambda one: one["start"]["time"])
    told = dict(ordered[-1]["start"].get("reproduce", {})) if ordered else {}
    told.pop("goal", None)
    campaigns: dict[str, list[AnalysedRun]] = {}
    for one in ordered:
        goal = one["start"].get("reproduce", {}).get("goal", "")
        if goal and one["start"]["uid"] in records:
            campaigns.setdefault(goal, []).append(records.pop(one["start"]["uid"]))
    return Archive(
        uid,
        told,
        Records(records.values()),
        _used(raw, readings),
        len(raw) - len(good),
        sorted({start["version"] for start, _ in analyses}),
        {goal: tuple(found) for goal, found in campaigns.items()},
        conclusions,
    )


def _record(start: Mapping[str, Any], results: Mapping[str, Mapping[str, Any]]) -> AnalysedRun:
    condition = start.get("condition")
    return AnalysedRun(
        start["uid"],
        start.get("purpose", ""),
        start["time"],
        None if condition is None else Condition.from_mapping(condition),
        start.get("fraction", ""),
        start.get("liquid", ""),
        float(start.get("cell_temperature", math.nan)),
        results,
    )


_PUMPS = {"Cd": "reactor_pump_cd_content_ul", "Se": "reactor_pump_se_content_ul"}
_PUMPS |= {"Solvent": "reactor_pump_solvent_content_ul"}


def _used(
    raw: Mapping[str, Mapping[str, Any]], readings: Sequence[tuple[float, str, Mapping[str, Any]]]
) -> dict[str, Usage]:
    volumes: dict[str, dict[str, float]] = {}
    last: dict[str, float] = {}
    for _, uid, data in sorted(readings, key=lambda one: one[0]):
        used = volumes.setdefault(_kind(raw[uid]["start"]), dict.fromkeys(_PUMPS, 0.0))
        for liquid, key in _PUMPS.items():
            if key in data:
                used[liquid] += max(last.get(liquid, float(data[key])) - float(data[key]), 0.0)
                last[liquid] = float(data[key])
    found: dict[str, Usage] = {}
    end, number = -math.inf, -1
    for one in sorted(raw.values(), key=lambda one: one["start"]["time"]):
        start, stop = one["start"], one["stop"]
        kind = _kind(start)
        scale = float(start.get("reproduce", {}).get("time_scale", 1.0))
        before = found.get(kind, Usage())
        # a session's RunEngine counts its runs; what lies between two sessions is nobody's time
        begun = end if start.get("scan_id") == number + 1 else start["time"]
        number = start.get("scan_id", -2)
        end = stop.get("time", start["time"])
        seconds = before.seconds + scale * (end - begun)
        found[kind] = Usage(before.runs + 1, seconds, volumes.get(kind, {}))
    return found


def _kind(start: Mapping[str, Any]) -> str:
    goal = start.get("reproduce", {}).get("goal", "")
    return f"adaptive, {goal}" if goal else str(start.get("purpose", ""))


def plain(value: Any) -> Any:
    """Return a value as strict JSON can have it: what is not finite is None."""
    if isinstance(value, Mapping):
        return {key: plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def dumps(value: Any) -> str:
    """Return a value as strict JSON."""
    return json.dumps(plain(value), allow_nan=False, ensure_ascii=False)
