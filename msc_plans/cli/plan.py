"""Rehearse a plan without a reactor: what it would do, how long it takes, what it uses, or why it can't be done."""

import argparse
import inspect
import json
from typing import Any

from msc_plans.errors import InputError

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``msc plan``."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    actions.add_parser("list", help="the plans and what they are for")
    check = actions.add_parser(
        "check", help="rehearse one: msc plan check residence_time_scan residence_times=[4.5,14]"
    )
    check.add_argument("plan", help="name of the plan; see msc plan list")
    check.add_argument(
        "arguments", nargs="*", metavar="NAME=VALUE", help="numbers, text, or JSON: [270, 280]; saxs=true"
    )
    check.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    """Run ``msc plan``; returns the exit code."""
    from msc_plans import plans
    from msc_plans.plans.preflight import number_of
    from msc_plans.session.rehearsal import rehearse
    from msc_plans.settings import read_settings

    known = {
        name: getattr(plans, name) for name in plans.__all__ if name not in ("CampaignFailedError", "msc_campaign")
    }
    if args.action == "list":
        for name, function in known.items():
            print(f"{name:30} {(inspect.getdoc(function) or '').splitlines()[0]}")
        return 0
    if args.plan not in known:
        raise InputError(f"there is no plan {args.plan!r} to rehearse; there are {', '.join(known)}")
    told = rehearse(known[args.plan], _parsed(args.arguments), read_settings())
    if args.json:
        print(json.dumps(told))
    else:
        counted = ", ".join(number_of(told[f"{one}s"], one) for one in ("run", "move", "exposure"))
        print(f"{args.plan}: can be done, {counted}")
        if "forecast" in told:
            print(f"  {told['forecast']}")
    return 0


def _parsed(arguments: list[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for one in arguments:
        name, equals, text = one.partition("=")
        if not equals:
            raise InputError(f"{one!r} isn't of the form NAME=VALUE")
        try:
            found[name] = json.loads(text)
        except ValueError:
            found[name] = text
    return found
