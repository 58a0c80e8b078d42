"""Compare every document and every frame in a store's journals with what its catalogue has."""

import argparse
import json
import sys
from dataclasses import asdict

from msc_plans.cli.arguments.store import add_store_folder_argument, store_folder
from msc_plans.errors import InputError

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``msc verify``."""
    add_store_folder_argument(parser)
    parser.add_argument(
        "--catalog", default="", help="folder or URI of the catalogue to compare with (default: the store's own)"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object a line for each run")


def run(args: argparse.Namespace) -> int:
    """Compare; returns 1 where anything is wrong."""
    from tqdm import tqdm

    from msc_plans.storage import RunReport, StoreBusyError, opened, verify
    from msc_plans.storage.journal import is_written, journals, stored_journals

    store = store_folder(args)
    folder = store / "journal"
    if not folder.is_dir():
        raise InputError(f"{store} holds no journals (there is no {folder})")
    waiting = journals(folder)
    reports = []
    try:
        with opened(args.catalog or store) as catalog:
            for path in tqdm([*stored_journals(folder), *waiting], unit="run", disable=None, leave=False):
                if not path.exists() or (path in waiting and is_written(path)):
                    continue  # stored meanwhile, or still growing
                try:
                    reports.append(verify(catalog, path))
                except ValueError as error:
                    reports.append(RunReport(path.stem, problems=[str(error)]))
    except (FileNotFoundError, StoreBusyError, ConnectionError) as error:
        raise InputError(str(error)) from error
    bad = [report for report in reports if report.problems]
    if args.json:
        for report in reports:
            print(json.dumps(asdict(report)))
        return bool(bad)
    for report in bad:
        print(
            f"{report.uid}: {report.problems[0]}"
            + (f" (and {len(report.problems) - 1} more)" * (len(report.problems) > 1))
        )
    documents, frames = (sum(getattr(report, name) for report in reports) for name in ("documents", "frames"))
    print(f"{len(reports)} runs, {documents} documents, {frames} frames: ", end="")
    print(f"{len(bad)} runs differ" if bad else "the catalogue has them all, as they were")
    if any("not in the catalogue" in report.problems for report in bad):
        print(f"Bring in what is missing: msc replay --store {store}", file=sys.stderr)
    return bool(bad)
