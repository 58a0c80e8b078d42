"""Run an adaptive campaign to its end, or go on with one that was interrupted."""

import argparse
import os
import sys
from typing import Any

from msc_plans.cli.arguments.campaign import add_campaign_arguments, check_campaign
from msc_plans.cli.arguments.grid import axes_of
from msc_plans.cli.arguments.reactor import add_reactor_arguments, chosen_reactor
from msc_plans.errors import InputError

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``msc campaign``."""
    add_campaign_arguments(parser)
    parser.add_argument("--confirm", action="store_true", help="show each suggestion and ask whether to measure it")
    parser.add_argument(
        "--resume", default="", metavar="UID", help="go on with the interrupted campaign of this uid, or how it begins"
    )
    add_reactor_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Run ``msc campaign``; returns the exit code."""
    check_campaign(args)
    axes = axes_of(args)
    with chosen_reactor(args) as environment:
        os.environ.update(environment)
        return _run(args, axes)


def _run(args: argparse.Namespace, axes: dict[str, Any]) -> int:
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
                max_conditions=args.max_conditions,
                max_hours=args.max_hours,
                max_ml=args.max_ml,
                **axes,
                failures_allowed=args.failures_allowed,
                saxs=session.saxs if args.saxs else None,
                frame_exposure_s=args.frame_exposure_s,
                confirm=args.confirm,
                refills=args.refills,
                resume=args.resume,
                seed=args.seed,
                particles=args.particles,
                sample=args.sample,
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
