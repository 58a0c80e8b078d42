"""Look at this machine, its services and the reactor, and say what to do where something is amiss.

Nothing is changed and nothing is put to the reactor. Exit code 0: nothing is broken; 1: something is.
"""

import argparse
import json
import shutil
import textwrap
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path

from msc_plans.cli import CommandError
from msc_plans.cli.checkup import Finding

__all__ = ["add_arguments", "examine", "run"]

Check = Callable[[], "Finding | list[Finding]"]

_WIDEST = 100
_SEARCH_S = 5.0
_MARKS = {"fine": "  ok    ", "note": "  note  ", "broken": "  BROKEN"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``msc doctor``."""
    parser.add_argument("--prefix", help="prefix of the reactor's records (default: MSC_PREFIX, msc.toml or MSC:)")
    parser.add_argument("--store", type=Path, help="folder of the runs (default: MSC_STORE, msc.toml or msc-data)")
    parser.add_argument("--redis-addr", default="", help="HOST:PORT of a site's Redis for msc queue")
    parser.add_argument("--timeout", type=float, default=20.0, metavar="S", help="of all checks (default: %(default)g)")
    parser.add_argument("--json", action="store_true", help="print one JSON object a finding")


def run(args: argparse.Namespace) -> int:
    """Run ``msc doctor``; returns the exit code."""
    from pydantic import ValidationError

    from msc_plans.settings import SETTINGS_FILE, Settings

    if not 0 < args.timeout <= 600:
        raise CommandError(f"--timeout must be above 0 and at most 600 s, not {args.timeout:g}")
    told = {name: value for name in ("prefix", "store") if (value := getattr(args, name)) is not None}
    try:
        settings = Settings(**told)
    except (ValidationError, ValueError) as error:
        raise CommandError(f"{SETTINGS_FILE} or MSC_…: {error}") from error
    named = "prefix" in settings.model_fields_set

    def records() -> list[Finding]:
        from msc_plans.cli.checkup.records import check_records

        # a part for the search: what is found is then still to be read
        return check_records(settings, timeout_s=min(args.timeout / 4, _SEARCH_S), named=named)

    findings = examine(
        _checks(settings.store, settings.tiled_uri, args.redis_addr) | {"reactor": records}, args.timeout
    )
    if args.json:
        print("\n".join(json.dumps(asdict(one)) for one in findings))
    else:
        print("\n".join(_lines(findings)))
    return int(any(one.state == "broken" for one in findings))


def _checks(store: Path, tiled_uri: str, redis_addr: str) -> dict[str, Check]:
    from msc_plans.cli.checkup import machine, network, services

    return {
        "Python": machine.check_python,
        "disk": lambda: machine.check_disk(store),
        "clock": machine.check_clock,
        "Channel Access": network.check_addresses,
        "ports": network.check_ports,
        "Tiled key": lambda: services.check_key(store),
        "store": lambda: services.check_store(store, tiled_uri),
        "Redis": lambda: services.check_redis(redis_addr),
    }


def examine(checks: Mapping[str, Check], timeout_s: float) -> list[Finding]:
    """Run all checks side by side for ``timeout_s`` at most; one that fails, or does not end, is a finding, too."""
    deadline = time.monotonic() + timeout_s
    found: dict[str, list[Finding]] = {name: [] for name in checks}
    threads = {
        name: threading.Thread(target=_kept, args=(name, check, found[name]), name=f"check {name}", daemon=True)
        for name, check in checks.items()
    }
    for thread in threads.values():
        thread.start()
    findings: list[Finding] = []
    for name, thread in threads.items():
        thread.join(max(deadline - time.monotonic(), 0.0))
        late = Finding(name, "broken", f"no answer within {timeout_s:g} s", "on a slow disk or network: --timeout 60")
        findings += found[name] if not thread.is_alive() else [late]
    return findings


def _kept(name: str, check: Check, found: list[Finding]) -> None:
    try:
        answer = check()
    except Exception as error:  # noqa: BLE001  whatever it is, the other checks go on
        why = (str(error).strip().splitlines() or [""])[0]
        found.append(Finding(name, "broken", f"{type(error).__name__}: {why}", "if this is not clear, report it"))
    else:
        found += [answer] if isinstance(answer, Finding) else answer


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
