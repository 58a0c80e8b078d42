"""List the runs of a store, newest last, or show one run with its analyses and the suggestion it came of."""

import argparse
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from msc_plans.cli.arguments.store import add_store_argument, one_run, opened_store, store_of
from msc_plans.errors import InputError

__all__ = ["add_arguments", "add_search_arguments", "run", "wanted"]

_RANGES = {
    "nucleation_temperatures": ("nucleation_temperature", "°C"),
    "growth_temperatures": ("growth_temperature", "°C"),
    "residence_times": ("residence_time", "s"),
}
_DEFAULT_LIMIT = 20
_WIDTH = 88


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``msc runs``."""
    parser.add_argument(
        "uid", metavar="UID", nargs="?", help="uid of the run to show, or how it begins; without it runs are listed"
    )
    add_store_argument(parser)
    add_search_arguments(parser)
    parser.add_argument("--family", help="cluster family that an analysis must have found")
    parser.add_argument(
        "--limit",
        type=int,
        default=_DEFAULT_LIMIT,
        metavar="N",
        help="number of runs to list, the newest (default: %(default)s)",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object a line for each run")


def add_search_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what runs are looked for by."""
    parser.add_argument(
        "--campaign", metavar="UID", default="", help="uid of the campaign that runs belong to, or how it begins"
    )
    parser.add_argument("--purpose", default="", help="purpose of the runs, such as campaign, background or analysis")
    for name, (key, unit) in _RANGES.items():
        parser.add_argument(
            f"--{name.replace('_', '-')}",
            metavar="LOW:HIGH",
            help=f"range of the {key.replace('_', ' ')}, {unit}; either end may be left out",
        )
    parser.add_argument("--since", metavar="TIME", help="earliest start: 2026-11-23, or 2026-11-23T14:00")


def wanted(args: argparse.Namespace) -> dict[str, Any]:
    """Return what was asked for, as `find_runs` takes it.

    Raises
    ------
    InputError
        A range or a time can't be read.
    """
    condition = {
        key: _range(name, text) for name, (key, _) in _RANGES.items() if (text := getattr(args, name)) is not None
    }
    return {"campaign": args.campaign, "condition": condition, "since": _time(args.since)}


def run(args: argparse.Namespace) -> int:
    """List or show; returns the exit code."""
    if args.limit < 1:
        raise InputError(f"--limit must be 1 or more, not {args.limit}")
    search = wanted(args)
    with opened_store(store_of(args)) as catalog:
        if args.uid:
            _show(catalog, one_run(catalog, args.uid), as_json=args.json)
        else:
            _list(catalog, args, search)
    return 0


def _list(catalog: Any, args: argparse.Namespace, search: dict[str, Any]) -> None:
    from msc_plans.storage.runs import summaries
    from msc_plans.storage.search import find_analyses, find_runs, newest, newest_raw

    if args.family:
        found = newest_raw(catalog, find_analyses(catalog, family=args.family, **search), args.limit, args.purpose)
    else:
        raw = args.purpose not in ("analysis", "suggestion")
        found = newest(find_runs(catalog, raw=raw, purpose=args.purpose, **search), args.limit)
    rows = summaries(catalog, found)
    if args.json:
        for row in rows:
            print(_json(asdict(row)))
        return
    if not rows:
        print("no such run")
        return
    columns: dict[str, Callable[[Any], str]] = {
        "time": lambda row: _written_time(row.time),
        "scan": lambda row: "" if row.scan_id is None else str(row.scan_id),
        "purpose": lambda row: row.purpose,
        "condition": lambda row: _condition(row.condition),
        "families": lambda row: "?" if row.families is None else " ".join(row.families) or "none",
        "campaign": lambda row: row.campaign_uid[:8],
        "status": lambda row: row.exit_status,
        "uid": lambda row: row.uid[:8],
    }
    cells = [list(columns), *([cell(row) for cell in columns.values()] for row in rows)]
    widths = [max(len(line[k]) for line in cells) for k in range(len(columns))]
    for line in cells:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def _show(catalog: Any, found: Any, *, as_json: bool) -> None:
    from msc_plans.storage.runs import read_streams
    from msc_plans.storage.search import analyses_of, suggestions_of

    start, stop = found.metadata["start"], found.metadata.get("stop") or {}
    streams = read_streams(found)
    analyses = analyses_of(catalog, [start["uid"]])[start["uid"]]
    trial = start.get("trial_id")
    suggestions = suggestions_of(catalog, trial) if trial and start.get("purpose") != "suggestion" else []
    if as_json:
        said = {name: _stream_record(stream) for name, stream in streams.items()}
        linked = {"analyses": _linked(analyses), "suggestions": _linked(suggestions)}
        print(_json({"start": start, "stop": stop, "streams": said, **linked}))
        return
    print(f"run {start['uid']}, {_written_time(start['time'])}, {stop.get('exit_status', 'unfinished')}")
    if stop.get("reason"):
        print(f"  because: {stop['reason']}")
    for key, value in start.items():
        if key not in ("uid", "time"):
            print(f"  {key}: {_short(value)}")
    for name, stream in streams.items():
        print(f"stream {name}")
        for line in _stream_lines(stream):
            print(f"  {line}")
    for title, runs in (("analyses", analyses), ("suggestions", suggestions)):
        if runs:
            print(title)
        for one in runs:
            print(f"  {_linked_line(one)}")


def _stream_lines(stream: Any) -> list[str]:
    lines = []
    for key, known in stream.data_keys.items():
        unit = f" {known['units']}" if known.get("units") else ""
        if key in stream.external:
            lines.append(f"{key}: in {', '.join(stream.external[key])}")
        elif key not in stream.data:
            lines.append(f"{key}: no event")
        elif (data := stream.data[key]).shape == (1,):
            lines.append(f"{key}: {_short(data[0])}{unit}")
        else:
            lines.append(f"{key}: shape {tuple(data.shape)}{unit}")
    return lines


def _stream_record(stream: Any) -> dict[str, Any]:
    shapes = {key: list(data.shape) for key, data in stream.data.items()}
    values = {key: data[0].item() for key, data in stream.data.items() if data.shape == (1,)}
    return {
        "data_keys": stream.data_keys,
        "shapes": shapes,
        "values": values,
        "files": stream.external,
        "configuration": stream.configuration,
    }


def _linked(runs: Sequence[Any]) -> list[dict[str, Any]]:
    return [{"start": run.metadata["start"], "stop": run.metadata.get("stop") or {}} for run in runs]


def _linked_line(run: Any) -> str:
    start, stop = run.metadata["start"], run.metadata.get("stop") or {}
    what = start.get("analysis") or start.get("decision") or start.get("purpose", "")
    said = [f"version {start['version']}"] if "version" in start else []
    if "families" in start:
        said.append(" ".join(start["families"]) or "no family")
    if "reprocess_uid" in start:
        said.append(f"reprocess {start['reprocess_uid'][:8]}")
    if stop.get("exit_status") != "success":
        said.append(" ".join([stop.get("exit_status", "unfinished"), stop.get("reason", "")]).strip())
    return "  ".join([start["uid"][:8], _written_time(start["time"]), what, *([", ".join(said)] if said else [])])


def _range(name: str, text: str) -> tuple[float, float]:
    low, colon, high = text.partition(":")
    try:
        found = (float(low) if low else -math.inf, float(high) if high else math.inf)
    except ValueError:
        found = (math.nan, math.nan)
    if not colon or math.isnan(found[0] + found[1]) or found[0] > found[1]:
        raise InputError(
            f"--{name.replace('_', '-')} {text!r} isn't a range; give LOW:HIGH in {_RANGES[name][1]}, such as 10:15"
        )
    return (max(found[0], -1e9), min(found[1], 1e9))  # JSON, by which the query travels, has no infinity


def _time(text: str | None) -> float | None:
    if text is None:
        return None
    try:
        return datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError, OSError) as error:
        raise InputError(f"--since {text!r} isn't a time; give a date, 2026-11-23, or 2026-11-23T14:00") from error


def _written_time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds).strftime("%Y-%m-%d %H:%M:%S")


def _condition(condition: Mapping[str, float] | None) -> str:
    if not condition:
        return ""
    hot, then, time = (condition.get(key) for key, _ in _RANGES.values())
    return " ".join([*(f"{value:g} {to}" for value, to in ((hot, "→"), (then, "°C,")) if value is not None), _s(time)])


def _s(time: float | None) -> str:
    return "" if time is None else f"{time:g} s"


def _short(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    text = value if isinstance(value, str) else json.dumps(getattr(value, "tolist", lambda: value)(), default=str)
    return text if len(text) <= _WIDTH else f"{text[: _WIDTH - 1]}…"


def _json(record: Mapping[str, Any]) -> str:
    from msc_plans.views.findings import strict

    return json.dumps(strict(record), ensure_ascii=False)
