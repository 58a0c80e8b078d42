"""What a campaign is after and what it may use: the same options for ``msc campaign`` and ``msc agent``."""

import argparse
import math
from typing import TYPE_CHECKING

from msc_plans.cli.arguments.grid import add_grid_arguments
from msc_plans.errors import InputError
from msc_plans.vocabulary import GOAL_NAMES

if TYPE_CHECKING:
    from msc_plans.advisor import Budget

__all__ = ["add_budget_arguments", "add_campaign_arguments", "add_goal_arguments", "budget_of", "check_campaign"]


def add_goal_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the goal and the family that it is about."""
    parser.add_argument(
        "goal", nargs="?", default="map", metavar="GOAL",
        help=f"what is looked for: {', '.join(GOAL_NAMES)} (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--family", help="cluster family that the goals map and maximise are about (default: the family table's)"
    )


def add_budget_arguments(parser: argparse._ActionsContainer) -> None:
    """Add what all conditions together may use."""
    parser.add_argument("--max-hours", type=float, metavar="H", help="reactor time to use at most, h (default: any)")
    parser.add_argument("--max-ml", type=float, metavar="ML", help="mixture to use at most, mL (default: any)")


def add_campaign_arguments(parser: argparse.ArgumentParser) -> None:
    """Add goal, budget, conditions to choose from, and how each is measured."""
    add_goal_arguments(parser)
    parser.add_argument(
        "--max-conditions", type=int, default=8, metavar="N",
        help="number of conditions to measure at most, with those before a resume (default: %(default)s)",
    )  # fmt: skip
    add_budget_arguments(parser)
    parser.add_argument(
        "--failures-allowed", type=int, default=2, metavar="N",
        help="number of conditions in a row that may fail before the campaign ends (default: %(default)s)",
    )  # fmt: skip
    add_grid_arguments(parser, residence_times="14")
    parser.add_argument(
        "--particles", type=int, default=200, metavar="N",
        help="number of parameter sets that the advisor follows for each mechanism (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument("--saxs", action="store_true", help="take SAXS frames as well as spectra")
    parser.add_argument(
        "--frame-exposure-s", type=float, default=10.0, metavar="S",
        help="exposure time of each SAXS frame, s (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument("--sample", default="", help="name of what flows (default: the family table's material)")
    parser.add_argument(
        "--refills", choices=("ask", "draw"), default="ask",
        help="when a syringe is empty: ask a person, or draw from its reservoir (default: %(default)s)",
    )  # fmt: skip


def check_campaign(args: argparse.Namespace) -> None:
    """Refuse a goal that there isn't, and numbers out of range.

    Raises
    ------
    InputError
        The message names the option, its value and what is allowed.
    """
    if args.goal not in GOAL_NAMES:
        raise InputError(f"unknown goal {args.goal!r}; goals are {', '.join(GOAL_NAMES)}")
    for name, least in (("max_conditions", 1), ("failures_allowed", 0)):
        value = getattr(args, name, least)
        if value < least:
            raise InputError(f"--{name.replace('_', '-')} must be {least} or more, not {value}")
    for name in ("max_hours", "max_ml"):
        value = getattr(args, name, None)
        if value is not None and not 0 < value < math.inf:
            raise InputError(f"--{name.replace('_', '-')} must be above 0, not {value:g}")


def budget_of(args: argparse.Namespace) -> "Budget":
    """Return the budget of ``--max-hours`` and ``--max-ml``."""
    from msc_plans.advisor import Budget

    return Budget(
        seconds=None if args.max_hours is None else 3600.0 * args.max_hours,
        microlitres=None if args.max_ml is None else 1e3 * args.max_ml,
    )
