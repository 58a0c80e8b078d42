"""Palencia et al. (Nanoscale 2020, 12, 22928) again: all experiments, the figures, a verdict on each claim.

On a simulated reactor that is started for it, on a real one (--prefix), or from what is stored (--from-catalog).
See docs/howto/reproduce.md.
"""

import argparse
import os
import sys
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msc_plans.cli import CommandError

if TYPE_CHECKING:
    from msc_plans.cli.reproduce_records import Archive
    from msc_plans.cli.reproduction import Needs

__all__ = ["add_arguments", "run"]

SCENARIO = "palencia2020"
TIME_SCALE = 400.0
SPECTRA = 50
"""Averaged for each condition: with 5 s of light what a spectrum's model misses is as large as its noise."""
_ANALYSIS_TIMEOUT_S = 600.0
_CATCH_UP_S = 120.0


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
    parser.add_argument("--scenario", help=f"of the simulated reactor (default: {SCENARIO})")
    parser.add_argument("--prefix", help="prefix of the records of a real reactor, instead of a simulated one")
    parser.add_argument("--seed", type=int, help="of the simulated noise, mechanisms and campaigns (default: 0)")
    parser.add_argument(
        "--time-scale", type=float, default=TIME_SCALE, metavar="X",
        help="simulated seconds per second (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--store", type=Path, help="folder of the runs (default: msc-reproduce; with --prefix as the settings say)"
    )
    parser.add_argument(
        "--report",
        type=Path,
        default=Path("report"),
        metavar="DIR",
        help="where index.html goes (default: %(default)s)",
    )
    parser.add_argument("--json", action="store_true", help="the results as one JSON object on stdout")


def run(args: argparse.Namespace) -> int:
    """Reproduce the paper; returns the exit code."""
    from msc_plans.analysis.claims import CLAIMS
    from msc_plans.cli.reproduction import ADAPTIVE, FIGURES

    known = {*(claim.name for claim in CLAIMS), *FIGURES, ADAPTIVE}
    unknown = [name for name in args.only if name not in known]
    if unknown:
        raise CommandError(f"--only {unknown[0]}: no claim or figure; there are {', '.join(sorted(known))}")
    if args.seed is not None and args.seed < 0:
        raise CommandError(f"--seed must be 0 or more, not {args.seed}")
    if args.prefix and args.scenario:
        raise CommandError("--prefix and --scenario: choose one; a real reactor has no scenario")
    if args.from_catalog is not None and (args.resume is not None or args.prefix or args.scenario):
        raise CommandError("--from-catalog measures nothing: it goes with --store, --only, --report, --json and --seed")
    begun = time.monotonic()
    try:
        archive = _measured(args) if args.from_catalog is None else _stored(args)
    except ReproductionError as error:
        print(f"msc reproduce: {error}", file=sys.stderr)
        return 1
    return _report(args, archive, begun)


def _say(words: str) -> None:
    print(words, file=sys.stderr, flush=True)


# -- from what is stored


def _stored(args: argparse.Namespace) -> "Archive":
    from msc_plans.cli.reproduce_records import archive_of, in_catalog
    from msc_plans.storage import opened
    from msc_plans.storage.journal import journals

    store = args.store or Path("msc-reproduce")
    waiting = len(journals(store / "journal")) if (store / "journal").is_dir() else 0
    if waiting:
        _say(f"{waiting} runs are not in the catalogue yet; they are read in their journals (msc replay {store})")
    try:
        with opened(store) as catalog:
            uid = _latest(catalog, args.from_catalog, store)
            return archive_of(uid, in_catalog(catalog, uid, store / "journal"))
    except FileNotFoundError as error:
        raise CommandError(f"{store}: there is no store in this folder; say where it is by --store") from error


def _latest(catalog: Any, begins: str, store: Path) -> str:
    from tiled.queries import KeyPresent

    starts = [run.metadata["start"] for run in catalog.search(KeyPresent("reproduce_uid")).values()]
    found = [one for one in starts if one["reproduce_uid"].startswith(begins)]
    if not found:
        raise CommandError(f"{store}: no reproduction{f' {begins}' if begins else ''} is stored there")
    return str(max(found, key=lambda one: one["time"])["reproduce_uid"])


# -- measured


def _measured(args: argparse.Namespace) -> "Archive":
    from msc_plans.cli.reactor import chosen_reactor
    from msc_plans.cli.reproduce_records import archive_of, in_journals, latest_in_journals

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
            raise CommandError(f"--resume: no reproduction {begins or ''} is stored in {folder.parent}")
        told = _same(args, told, archive_of(uid, in_journals(folder, uid)).told)
    args.simulate, args.seed = told["scenario"] or None, told["seed"]
    args.prefix = None if args.simulate else told["prefix"]
    with chosen_reactor(args) as environment:
        os.environ.update(environment)
        _measure(args, uid, told, folder)
    return archive_of(uid, in_journals(folder, uid))


def _store_of(args: argparse.Namespace) -> Path:
    from msc_plans.cli.configuration import read_settings

    return (args.store or read_settings().store).resolve()


def _same(args: argparse.Namespace, asked: dict[str, Any], stored: Any) -> dict[str, Any]:
    """Return what a reproduction was begun with; refuse to go on with another reactor in it."""
    for name in ("scenario", "prefix", "seed"):
        given = getattr(args, name)
        if given is not None and given != stored.get(name):
            raise CommandError(
                f"--{name} {given}: this reproduction was begun with {stored.get(name)!r}; one report, one reactor"
            )
    return {**dict(stored), "time_scale": asked["time_scale"]}


def _measure(args: argparse.Namespace, uid: str, told: dict[str, Any], folder: Path) -> None:
    import logging

    from bluesky.utils import FailedStatus, RunEngineInterrupted

    from msc_plans.cli.configuration import read_settings
    from msc_plans.cli.reproduce_adaptive import told_of
    from msc_plans.cli.reproduce_records import archive_of, in_journals
    from msc_plans.cli.reproduction import needs_of
    from msc_plans.cli.wiring import open_session
    from msc_plans.plans import CampaignFailedError
    from msc_plans.storage import ServerError

    needs = needs_of(args.only)
    if args.resume is not None:
        stored = archive_of(uid, in_journals(folder, uid))
        needs = needs.without(stored.records.all, stored.conclusions)
    if not len(needs) and not needs.goals:
        _say("Everything that was asked for is measured already.")
        return
    try:
        session = open_session(read_settings())
    except (ConnectionError, ServerError) as error:
        raise CommandError(str(error)) from error
    # what goes wrong is said once, by this command, not by a traceback beside it
    logging.getLogger("bluesky").setLevel(logging.CRITICAL)
    again = f"go on with: msc reproduce --resume {uid[:8]} --store {session.settings.store}"
    try:
        goals = f", campaigns: {', '.join(sorted(needs.goals))}" if needs.goals else ""
        _say(f"Reproduction {uid[:8]}: {len(needs)} runs{goals}; {again}")
        told = {**told, **told_of(session.settings, session.reactor)}

        def left() -> "Needs":
            return needs.without(archive_of(uid, in_journals(folder, uid)).records.all, analysed=False)

        _run_plans(session, needs, {"reproduce_uid": uid, "reproduce": told}, left, resume=args.resume is not None)
        _catch_up(session)
    except (CampaignFailedError, FailedStatus) as error:
        raise ReproductionError(f"{error.__cause__ or error}. What was measured is stored; {again}") from error
    except (RunEngineInterrupted, KeyboardInterrupt) as error:
        if session.RE.state != "idle":
            session.RE.abort()
        _say(f"Interrupted, the reactor was made safe; {again}")
        raise KeyboardInterrupt from error
    finally:
        session.close()


class ReproductionError(RuntimeError):
    """The reactor could not do what the paper needs."""


def _run_plans(session: Any, needs: "Needs", md: dict[str, Any], left: Callable[[], "Needs"], *, resume: bool) -> None:
    from contextlib import redirect_stdout

    from msc_plans import plans
    from msc_plans.cli.reproduce_adaptive import GOALS, run_campaign
    from msc_plans.cli.reproduction import plans_for

    available = {name: getattr(plans, name) for name in plans.__all__}
    if (needs.precursors or needs.saxs) and session.saxs is None:
        raise CommandError("Figs. 2 and 3 need SAXS, and the settings say that there is no SAXS station (saxs.use)")

    def measure(needs: "Needs") -> None:
        first = 25.0 if needs.precursors else 200.0
        session.RE(
            plans.bring_up(session.reactor, session.spectrometer, first, first, num_spectra=SPECTRA, refills="draw")
        )
        for words, plan in plans_for(needs, available, session, md):
            _say(f"-- {words}")
            uids = session.RE(plan)
            if uids:
                # analyses keep pace: what is stored at the end is all there is to say
                session.uvvis.outcome(uids[-1]).exception(_ANALYSIS_TIMEOUT_S)

    # plans print their progress, and stdout is for the results
    with redirect_stdout(sys.stderr):
        if len(needs):
            measure(needs)
            failed = left()
            if len(failed):
                _say(f"-- {len(failed)} runs failed: once more")
                measure(failed)
        if resume and needs.goals:
            # what was measured of a campaign is read from the catalogue
            _catch_up(session)
        for goal in (goal for goal in GOALS if goal in needs.goals):
            _say(f"-- adaptive, {goal}: {GOALS[goal]} conditions at the most")
            run_campaign(session, goal, md, num_spectra=SPECTRA, resume=resume)
        session.RE(plans.make_safe(session.reactor, session.spectrometer, session.saxs))


def _catch_up(session: Any) -> None:
    """Wait until the catalogue has everything; the verdicts need only the journals."""
    deadline = time.monotonic() + _CATCH_UP_S
    while not session.flush(5.0):
        _say(f"-- the catalogue takes in the last {session.waiting} runs …")
        if time.monotonic() > deadline:
            _say("The catalogue lacks some runs: they wait in the journals, and msc replay brings them in")
            return


# -- the report


def _report(args: argparse.Namespace, archive: "Archive", begun: float) -> int:
    from msc_plans.cli.reproduce_records import dumps
    from msc_plans.cli.reproduce_report import results_of, write_report

    results = results_of(archive, args.only, args.seed or archive.told.get("seed", 0))
    path = args.report / "index.html"
    try:
        write_report(path, archive, results, args.only)
    except OSError as error:
        raise CommandError(f"--report {args.report}: {error.strerror}") from error
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
