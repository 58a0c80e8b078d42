"""Run an adaptive campaign to its end, or go on with one that was interrupted."""

import argparse
import os
import sys
from typing import Any

from msc_plans.cli.arguments.reactor import add_reactor_arguments, chosen_reactor
from msc_plans.errors import InputError

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``msc campaign``."""
    parser.add_argument(
        "goal", nargs="?", default="map", choices=("map", "maximise", "discriminate", "learn"),
        help="what it is after (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument("--family", help="cluster family (default: campaign_family of the family table)")
    parser.add_argument("--conditions", type=int, default=8, help="at the most (default: %(default)s)")
    parser.add_argument("--hours", type=float, help="that may be used (default: any)")
    parser.add_argument("--ml", type=float, help="of mixture that may be used (default: any)")
    parser.add_argument("--residence-times", type=float, nargs="+", metavar="S", help="to choose from (default: 14)")
    parser.add_argument("--growth-offsets", type=float, nargs="+", metavar="K", help="to choose from (default: 0)")
    parser.add_argument("--particles", type=int, default=200, help="of the advisor (default: %(default)s)")
    parser.add_argument("--saxs", action="store_true", help="take frames, too")
    parser.add_argument("--confirm", action="store_true", help="ask about each suggestion")
    parser.add_argument("--draw", action="store_true", help="fill empty syringes from their reservoirs, without asking")
    parser.add_argument("--resume", default="", metavar="UID", help="go on with an interrupted campaign")
    add_reactor_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Run ``msc campaign``; returns the exit code."""
    if args.conditions < 1:
        raise InputError(f"--conditions must be 1 or more, not {args.conditions}")
    with chosen_reactor(args) as environment:
        os.environ.update(environment)
        return _run(args)


def _run(args: argparse.Namespace) -> int:
    import logging

    from bluesky.utils import FailedStatus, RunEngineInterrupted

    from msc_plans.plans import CampaignFailedError
    from msc_plans.session.plans import plans_of
    from msc_plans.session.session import open_session
    from msc_plans.settings import read_settings
    from msc_plans.storage import ServerError
    from msc_plans.views.lines import CampaignLines

    uids: list[str] = []

    def note(name: str, document: Any) -> None:
        if name == "start" and document.get("campaign_uid"):
            uids.append(document["campaign_uid"])

    try:
        settings = read_settings()
        family = args.family or settings.family_table.campaign_family
        session = open_session(settings, listeners=[CampaignLines(family), note])
    except (ConnectionError, ServerError) as error:
        raise InputError(str(error)) from error
    # what goes wrong is said once, by this command, not by a traceback beside it
    logging.getLogger("bluesky").setLevel(logging.CRITICAL)
    try:
        if args.saxs and session.saxs is None:
            raise InputError("--saxs: the settings say that there is no SAXS station (saxs.use)")
        try:
            plan = plans_of(session)["msc_campaign"](
                session.reactor,
                session.spectrometer,
                goal=args.goal,
                family=family,
                max_conditions=args.conditions,
                max_hours=args.hours,
                max_ml=args.ml,
                residence_times=args.residence_times,
                growth_offsets=args.growth_offsets,
                particles=args.particles,
                saxs=session.saxs if args.saxs else None,
                confirm=args.confirm,
                refills="draw" if args.draw else "ask",
                resume=args.resume,
            )
            _run_to_its_end(session.RE, plan)
        except ValueError as error:
            raise InputError(str(error)) from error
        except (CampaignFailedError, FailedStatus) as error:
            print(f"msc campaign: {error.__cause__ or error}. {_how_to_go_on(uids)}", file=sys.stderr)
            return 1
        except RunEngineInterrupted:
            print("msc campaign: interrupted; making the reactor safe …", file=sys.stderr, flush=True)
            session.RE.abort()
            print(_how_to_go_on(uids), file=sys.stderr)
            return 130
        print(f"Runs: {session.settings.store} (campaign {uids[-1] if uids else args.resume})")
        return 0
    finally:
        session.close()


def _run_to_its_end(RE: Any, plan: Any) -> None:
    """Run a plan; at a pause ask the person at the terminal whether to go on."""
    from bluesky.utils import RunEngineInterrupted

    def go() -> None:
        RE(plan)

    while True:
        try:
            go()
            return
        except RunEngineInterrupted:
            if RE.state != "paused" or not sys.stdin.isatty():
                raise
            if input("Paused; solvent flows, ovens hold. Enter: go on; q: make safe and end > ").strip() == "q":
                raise
            go = RE.resume


def _how_to_go_on(uids: list[str]) -> str:
    return f"Go on with: msc campaign --resume {uids[-1]}" if uids else "Nothing was measured."
