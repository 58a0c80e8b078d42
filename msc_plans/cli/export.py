"""Export runs of a store: spectra as CSV, reduced scattering curves with their results as NXcanSAS (HDF5)."""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from msc_plans.cli.arguments.store import add_store_argument, one_run, opened_store, store_of
from msc_plans.cli.runs import add_search_arguments, wanted
from msc_plans.errors import InputError

__all__ = ["add_arguments", "run"]

_FORMATS = ("csv", "nxcansas")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``msc export``."""
    parser.add_argument(
        "uids",
        metavar="UID",
        nargs="*",
        help="runs, raw or analyses: uids, or how they begin; else all found by what follows",
    )
    add_store_argument(parser)
    add_search_arguments(parser)
    parser.add_argument(
        "--format",
        choices=("auto", *_FORMATS),
        default="auto",
        help="csv: spectra; nxcansas: curves; auto: all that a run has (default: %(default)s)",
    )
    parser.add_argument(
        "--output",
        type=Path,
        default=Path(),
        metavar="FOLDER",
        help="folder to write to, made where missing (default: here)",
    )
    parser.add_argument("--force", action="store_true", help="replace files that exist")


def run(args: argparse.Namespace) -> int:
    """Export; returns the exit code."""
    from msc_plans.settings import read_settings

    search = wanted(args)
    if not args.uids and not (args.campaign or args.purpose or search["condition"] or args.since):
        raise InputError("say which runs: uids, --campaign, --purpose, --since or a range of conditions")
    formats = _FORMATS if args.format == "auto" else (args.format,)
    saturation = read_settings().optics.saturation_counts
    try:
        args.output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"--output {args.output}: {error.strerror}; give a folder that can be written to") from error
    good = True
    with opened_store(store_of(args)) as catalog:
        for found in _runs(catalog, args, search):
            good &= _export(catalog, found, formats, args, saturation)
    return 0 if good else 1


def _runs(catalog: Any, args: argparse.Namespace, search: dict[str, Any]) -> Iterator[Any]:
    if args.uids:
        yield from [one_run(catalog, uid) for uid in args.uids]  # all looked up before the first file
        return
    from msc_plans.storage.search import find_runs

    number = 0
    for found in find_runs(catalog, raw=args.purpose != "analysis", purpose=args.purpose, **search).values():
        number += 1
        yield found
    if not number:
        raise InputError("no such run; `msc runs` lists what there is")


def _export(
    catalog: Any, found: Any, formats: tuple[str, ...], args: argparse.Namespace, saturation: float | None
) -> bool:
    """Write the files of a run; False, and said why, where one is not written."""
    from msc_plans.cli.export_content import exported, nothing_in

    contents, problems = [], []
    try:
        contents = [one for one in exported(catalog, found, saturation) if one.format in formats]
        if not contents:
            problems.append(nothing_in(found, formats))
    except ValueError as error:
        problems.append(f"{found.metadata['start']['uid'][:8]}: {error}")
    for one in contents:
        try:
            print(one.write(args.output, force=args.force))
        except FileExistsError as error:
            problems.append(f"{error.filename} is there already; --force replaces it")
        except OSError as error:
            raise InputError(f"--output {args.output}: {error.strerror or error}") from error
    for problem in problems:
        print(f"msc export: {problem}", file=sys.stderr)
    return not problems
