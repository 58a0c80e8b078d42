"""Look at this machine, its services and the reactor, and say what to do where something is amiss.

Nothing is changed and nothing is put to the reactor. Exit code 0: nothing is broken; 1: something is.
"""

import argparse
import json
import shutil
import textwrap
from dataclasses import asdict
from pathlib import Path

from msc_plans.checkup import Finding
from msc_plans.errors import InputError

__all__ = ["add_arguments", "run"]

_WIDEST = 100
_MARKS = {"fine": "  ok    ", "note": "  note  ", "broken": "  BROKEN"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``msc doctor``."""
    parser.add_argument("--prefix", help="prefix of the reactor's records (default: MSC_PREFIX, msc.toml or MSC:)")
    parser.add_argument("--store", type=Path, help="folder of the runs (default: MSC_STORE, msc.toml or msc-data)")
    parser.add_argument("--redis-addr", default="", help="HOST:PORT of a site's Redis for msc queue")
    parser.add_argument(
        "--timeout",
        type=float,
        default=20.0,
        metavar="S",
        help="time that all checks may take, s (default: %(default)g)",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object a line for each finding")


def run(args: argparse.Namespace) -> int:
    """Run ``msc doctor``; returns the exit code."""
    from msc_plans.checkup.examine import checks_of, examine
    from msc_plans.settings import read_settings

    if not 0 < args.timeout <= 600:
        raise InputError(f"--timeout must be above 0 and at most 600 s, not {args.timeout:g}")
    given = {name: value for name in ("prefix", "store") if (value := getattr(args, name)) is not None}
    findings = examine(checks_of(read_settings(**given), args.redis_addr, args.timeout), args.timeout)
    if args.json:
        print("\n".join(json.dumps(asdict(one)) for one in findings))
    else:
        print("\n".join(_lines(findings)))
    return int(any(one.state == "broken" for one in findings))


def _lines(findings: list[Finding]) -> list[str]:
    width = min(shutil.get_terminal_size((80, 24)).columns, _WIDEST)
    broad = max(len(one.about) for one in findings)
    lines = []
    for one in findings:
        begin = f"{_MARKS[one.state]}  {one.about:{broad}}  "
        indent = " " * len(begin)
        lines += textwrap.wrap(one.found, width, initial_indent=begin, subsequent_indent=indent, break_on_hyphens=False)
        if one.todo and one.state != "fine":
            lines += textwrap.wrap(
                one.todo, width, initial_indent=f"{indent}→ ", subsequent_indent=f"{indent}  ", break_on_hyphens=False
            )
    broken = sum(one.state == "broken" for one in findings)
    summary = f"{broken} broken; the arrows say what to do." if broken else "Nothing is broken."
    return [*lines, "", summary]
