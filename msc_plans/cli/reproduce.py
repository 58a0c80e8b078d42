"""Palencia et al. (Nanoscale 2020, 12, 22928) again: all experiments, the figures, a verdict on each claim.

On a simulated reactor that is started for it, on a real one (--prefix), or from what is stored (--from-catalog).
See docs/howto/reproduce.md.
"""

import argparse
import os
import sys
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msc_plans.errors import InputError

if TYPE_CHECKING:
    from msc_plans.paper.records import Archive

__all__ = ["add_arguments", "run"]

SCENARIO = "palencia2020"
TIME_SCALE = 400.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``msc reproduce``."""
    parser.add_argument(
        "--only", nargs="+", default=[], metavar="CLAIM|FIGURE",
        help="claims (F1-window … X-agree), figures (F1 F2 F3 F4 S2 S3) or adaptive; default: everything",
    )  # fmt: skip
    parser.add_argument(
        "--resume", nargs="?", const="", metavar="DIR|UID",
        help="go on with an interrupted reproduction: a store's latest, or the one whose uid begins so",
    )  # fmt: skip
    parser.add_argument(
        "--from-catalog", nargs="?", const="", metavar="UID",
        help="measure nothing: figures and verdicts from the store's latest reproduction, or the one named",
    )  # fmt: skip
    parser.add_argument("--scenario", help=f"scenario of the simulated reactor (default: {SCENARIO})")
    parser.add_argument("--prefix", help="prefix of the records of a real reactor, instead of a simulated one")
    parser.add_argument("--seed", type=int, help="seed of the simulated noise, mechanisms and campaigns (default: 0)")
    parser.add_argument(
        "--time-scale", type=float, default=TIME_SCALE, metavar="X",
        help="simulated seconds in one second (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--store", type=Path, help="folder of the runs (default: msc-reproduce; with --prefix as the settings say)"
    )
    parser.add_argument(
        "--report",
        type=Path,
        default=Path("report"),
        metavar="DIR",
        help="folder that index.html goes to (default: %(default)s)",
    )
    parser.add_argument("--json", action="store_true", help="print the results as one JSON object")


def run(args: argparse.Namespace) -> int:
    """Reproduce the paper; returns the exit code."""
    from msc_plans.paper.claims.claims import CLAIMS
    from msc_plans.paper.experiments import ADAPTIVE, FIGURES

    known = {*(claim.name for claim in CLAIMS), *FIGURES, ADAPTIVE}
    unknown = [name for name in args.only if name not in known]
    if unknown:
        raise InputError(f"--only {unknown[0]}: no claim or figure; there are {', '.join(sorted(known))}")
    if args.seed is not None and args.seed < 0:
        raise InputError(f"--seed must be 0 or more, not {args.seed}")
    if args.prefix and args.scenario:
        raise InputError("--prefix and --scenario: choose one; a real reactor has no scenario")
    if args.from_catalog is not None and (args.resume is not None or args.prefix or args.scenario):
        raise InputError("--from-catalog measures nothing: it goes with --store, --only, --report, --json and --seed")
    from msc_plans.paper.measure import ReproductionError

    begun = time.monotonic()
    try:
        archive = _measured(args) if args.from_catalog is None else _stored(args)
    except ReproductionError as error:
        print(f"msc reproduce: {error}", file=sys.stderr)
        return 1
    return _report(args, archive, begun)


def _stored(args: argparse.Namespace) -> "Archive":
    from msc_plans.paper.records import archive_of, in_catalog
    from msc_plans.storage import opened
    from msc_plans.storage.journal import journals

    store = args.store or Path("msc-reproduce")
    waiting = len(journals(store / "journal")) if (store / "journal").is_dir() else 0
    if waiting:
        print(
            f"{waiting} runs are not in the catalogue yet; they are read in their journals "
            f"(msc replay --store {store})",
            file=sys.stderr,
        )
    try:
        with opened(store) as catalog:
            uid = _latest(catalog, args.from_catalog, store)
            return archive_of(uid, in_catalog(catalog, uid, store / "journal"))
    except FileNotFoundError as error:
        raise InputError(f"{store}: there is no store in this folder; say where it is by --store") from error


def _latest(catalog: Any, begins: str, store: Path) -> str:
    from tiled.queries import KeyPresent

    starts = [run.metadata["start"] for run in catalog.search(KeyPresent("reproduce_uid")).values()]
    found = [one for one in starts if one["reproduce_uid"].startswith(begins)]
    if not found:
        raise InputError(f"{store}: no reproduction{f' {begins}' if begins else ''} is stored there")
    return str(max(found, key=lambda one: one["time"])["reproduce_uid"])


# -- measured


def _measured(args: argparse.Namespace) -> "Archive":
    from msc_plans.cli.arguments.reactor import chosen_reactor
    from msc_plans.paper.measure import measure_experiments
    from msc_plans.paper.records import archive_of, in_journals, latest_in_journals
    from msc_plans.settings import read_settings

    begins = ""
    if args.resume is not None:
        if args.resume and Path(args.resume).is_dir():
            args.store = Path(args.resume)
        else:
            begins = args.resume
    if args.store is None and not args.prefix:
        args.store = Path("msc-reproduce")
    folder = _store_of(args) / "journal"
    told = {
        "scenario": "" if args.prefix else args.scenario or SCENARIO,
        "prefix": args.prefix or "",
        "seed": args.seed or 0,
        "time_scale": 1.0 if args.prefix else args.time_scale,
    }
    uid = str(uuid.uuid4())
    if args.resume is not None:
        uid = latest_in_journals(folder, begins) or ""
        if not uid:
            raise InputError(f"--resume: no reproduction {begins or ''} is stored in {folder.parent}")
        told = _same(args, told, archive_of(uid, in_journals(folder, uid)).told)
    args.simulate, args.seed = told["scenario"] or None, told["seed"]
    args.prefix = None if args.simulate else told["prefix"]
    with chosen_reactor(args) as environment:
        os.environ.update(environment)
        # the paper's claims are about the built-in families, whatever table the site uses
        settings = read_settings(families=None, mechanisms=None)
        measure_experiments(settings, args.only, uid, told, folder, resume=args.resume is not None)
    return archive_of(uid, in_journals(folder, uid))


def _store_of(args: argparse.Namespace) -> Path:
    from msc_plans.settings import read_settings

    return (args.store or read_settings().store).resolve()


def _same(args: argparse.Namespace, asked: dict[str, Any], stored: Any) -> dict[str, Any]:
    """Return what a reproduction was begun with; refuse to go on with another reactor in it."""
    for name in ("scenario", "prefix", "seed"):
        given = getattr(args, name)
        if given is not None and given != stored.get(name):
            raise InputError(
                f"--{name} {given}: this reproduction was begun with {stored.get(name)!r}; one report, one reactor"
            )
    return {**dict(stored), "time_scale": asked["time_scale"]}


def _report(args: argparse.Namespace, archive: "Archive", begun: float) -> int:
    from msc_plans.paper.records import dumps
    from msc_plans.paper.report import results_of, write_report

    results = results_of(archive, args.only, args.seed or archive.told.get("seed", 0))
    path = args.report / "index.html"
    try:
        write_report(path, archive, results, args.only)
    except OSError as error:
        raise InputError(f"--report {args.report}: {error.strerror}") from error
    results |= {"report": str(path.resolve()), "wall_seconds": round(time.monotonic() - begun, 1)}
    if args.json:
        print(dumps(results))
        return 0
    width = max(len(one["claim"]) for one in results["claims"]) if results["claims"] else 0
    for one in results["claims"]:
        data = f" (by the data: {one['verdict_of_data']})" if one["verdict"] != one["verdict_of_data"] else ""
        print(f"{one['claim']:<{width}}  {one['verdict']}{data}")
    print(f"\nReport: {path}\nIn {results['wall_seconds']:.0f} s; reproduction {archive.uid[:8]}")
    return 0
