"""Which condition to measure next, and why, from what was measured before.

HISTORY is a file of JSON lines, - for stdin, or a store; an empty one gives a first suggestion. See docs/advisor.md.
"""

import argparse
import json
import math
import re
import sys
import textwrap
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from msc_plans.cli.arguments.campaign import (
    add_budget_arguments,
    add_goal_arguments,
    budget_of,
    check_campaign,
)
from msc_plans.cli.arguments.grid import add_grid_arguments, add_region_arguments, grid_of
from msc_plans.cli.arguments.history import MeasuredHistory, add_history_arguments, read_history
from msc_plans.cli.arguments.model import (
    add_model_arguments,
    alarm_lines,
    learn,
    mechanisms_of,
    observables_of,
    reactor_of,
)
from msc_plans.errors import InputError

if TYPE_CHECKING:
    from msc_plans.advisor import Advisor, Goal, Interval, Suggestion
    from msc_plans.families import FamilyTable

__all__ = ["add_arguments", "run"]

_WIDTH = 98


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``msc suggest``."""
    add_history_arguments(parser)
    add_goal_arguments(parser)
    parser.add_argument("--by", help="what the goal maximise is after: amount or purity (default: amount)")
    parser.add_argument(
        "--map-time", type=float, metavar="S", help="residence time that the goal map is confined to, s (default: all)"
    )
    parser.add_argument(
        "-n", type=int, default=1, dest="number", metavar="N", help="number of suggestions (default: %(default)s)"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object a line for each suggestion")
    add_budget_arguments(parser)
    add_grid_arguments(parser, residence_times="1.5,3,4.5,7.6,10,14")
    model = parser.add_argument_group("reactor and model")
    add_region_arguments(model)
    add_model_arguments(model)
    model.add_argument("--volume-ul", type=float, metavar="UL", help="volume of chamber and coil, µL (default: 1029)")


def run(args: argparse.Namespace) -> int:
    """Suggest; returns the exit code."""
    advisor = _advisor(args)
    history = read_history(args, advisor.observables)
    for point in history.points:
        advisor.trials.add(None, point.condition, point.outcome, advisor.cost)
    advisor.register_failures(
        [{"_id": f"failed-{number}", **one.as_dict()} for number, one in enumerate(history.failed, 1)]
    )
    learn(advisor.belief, history)
    alarm = advisor.alarm
    stop = advisor.should_stop()[1]
    suggestions, refused = _suggestions(advisor, args)
    if args.json:
        for rank, suggestion in enumerate(suggestions, 1):
            print(json.dumps(_record(rank, suggestion, advisor, history, stop, alarm), allow_nan=False))
        if refused:
            print(f"msc suggest: {refused}", file=sys.stderr)
    else:
        print("\n".join(_lines(suggestions, refused, advisor, history, stop, alarm)))
    return 0


def _advisor(args: argparse.Namespace) -> "Advisor":
    from msc_plans.advisor import Advisor, CostModel

    if args.number < 1:
        raise InputError(f"-n must be 1 or more, not {args.number}")
    check_campaign(args)
    if args.volume_ul is not None and not 0 < args.volume_ul < math.inf:
        raise InputError(f"--volume-ul must be above 0, not {args.volume_ul:g}")
    observables = observables_of(args)
    goal, space, mechanisms = _goal(args, observables.families), grid_of(args), mechanisms_of(args)
    if goal.name == "discriminate" and len(mechanisms) < 2:
        raise InputError(f"the goal discriminate needs two mechanisms or more; there is {', '.join(mechanisms)} only")
    try:
        return Advisor(
            goal,
            space,
            budget=budget_of(args),
            cost=CostModel() if args.volume_ul is None else CostModel(reactor_volume_ul=args.volume_ul),
            reactor=reactor_of(args),
            mechanisms=mechanisms,
            families=observables.families,
            seed=args.seed,
            particles=args.particles,
        )
    except ValueError as error:
        raise InputError(str(error)) from error


def _goal(args: argparse.Namespace, families: "FamilyTable") -> "Goal":
    from msc_plans.advisor import make_goal
    from msc_plans.advisor.goals import GOALS

    of = {"family": ("map", "maximise"), "by": ("maximise",), "map_time": ("map",)}
    for option, goals in of.items():
        if args.goal in GOALS and getattr(args, option) is not None and args.goal not in goals:
            name = option.replace("_", "-")
            raise InputError(f"--{name} is for the goal {' or '.join(goals)}, not for {args.goal}")
    settings = {name: getattr(args, name) for name in ("family", "by") if getattr(args, name) is not None}
    if args.goal == "map":
        if args.map_time is not None and not args.map_time > 0:
            raise InputError(f"--map-time must be above 0 s, not {args.map_time:g}")
        settings["residence_time"] = args.map_time
    try:
        return make_goal(args.goal, families=families, **settings)
    except ValueError as error:
        raise InputError(str(error)) from error


def _suggestions(advisor: "Advisor", args: argparse.Namespace) -> "tuple[list[Suggestion], str]":
    """Return what the budget allows, and why it isn't all that was asked for."""
    kept: list[Suggestion] = []
    for one in (advisor.explain(str(one["_id"])) for one in advisor.suggest(args.number)):
        if advisor.trials.was_failed(one.condition):
            return kept, "all conditions of the grid that are left have failed; widen the grid, or drop the failures"
        kept.append(one)
    if len(kept) < args.number:
        spent = sum((one.cost for one in kept), advisor.trials.spent)
        left = [
            f"{max(limit - used, 0.0):.1f} of {limit:g} {unit} are left"
            for limit, used, unit in (
                (args.max_ml, spent.microlitres / 1e3, "mL"), (args.max_hours, spent.seconds / 3600.0, "h")
            )
            if limit is not None
        ]  # fmt: skip
        if left:
            return kept, f"the budget would be exceeded by any further condition: {', '.join(left)}"
        return kept, f"no more than {len(kept)} conditions of the grid are left to suggest"
    return kept, ""


def _record(
    rank: int,
    suggestion: "Suggestion",
    advisor: "Advisor",
    history: MeasuredHistory,
    stop: str | None,
    alarm: str | None,
) -> dict[str, Any]:
    runner_up = suggestion.runner_up
    return {
        "rank": rank,
        **suggestion.condition.as_dict(),
        "family": advisor.family,
        **suggestion.as_document(),
        "runner_up": None if runner_up is None else runner_up.as_dict(),
        "measured_before": advisor.trials.was_measured(suggestion.condition),
        "mechanisms": advisor.mechanism_probabilities,
        "conditions_used": len(history.points),
        "stop": stop,
        "alarm": alarm,
    }


def _lines(
    suggestions: "list[Suggestion]", refused: str, advisor: "Advisor", history: MeasuredHistory, stop: str | None,
    alarm: str | None,
) -> list[str]:  # fmt: skip
    lines = [f"Goal: {advisor.goal}.", f"History: {history}.", _likely(advisor.mechanism_probabilities)]
    if suggestions:
        lines += ["", *_table(suggestions, advisor)]
    if refused:
        lines += ["", *_wrapped(f"{refused[0].upper()}{refused[1:]}.")]
    lines += ["", f"Goal reached: {stop}." if stop else "Goal not reached yet."]
    return [*lines, *alarm_lines(alarm)]


def _likely(probabilities: Mapping[str, float]) -> str:
    ranked = sorted(probabilities.items(), key=lambda item: -item[1])
    said = ", ".join(f"{name} {share:.2f}" for name, share in ranked if share >= 0.005)
    return "\n".join(_wrapped(f"Mechanisms: {said}."))


def _table(suggestions: "list[Suggestion]", advisor: "Advisor") -> list[str]:
    family = advisor.family
    lines = [
        _row(
            "#", "nucl.", "growth", "time", "P(acc.)", f"{family} height", f"{family} ratio", "NC maximum", "cost", ""
        ),
        _row("", "°C", "°C", "s", "", "(95 %)", "(95 %)", "nm (95 %)", "min", "mL"),
    ]
    for rank, one in enumerate(suggestions, 1):
        numbers = [f"{value:.4g}" for value in one.condition.as_dict().values()]
        expected = [_spread(interval) for interval in (one.height, one.ratio, one.nc_wavelength_nm)]
        cost = f"{one.cost.seconds / 60:.0f}", f"{one.cost.microlitres / 1000:.1f}"
        lines.append(_row(str(rank), *numbers, f"{one.probability:.2f}", *expected, *cost))
        again = " (measured before: nothing else is left)" * advisor.trials.was_measured(one.condition)
        runner_up = "none, no other condition is left" if one.runner_up is None else str(one.runner_up)
        for text in (f"why: {one.reason}{again}", f"runner-up: {runner_up}"):
            lines += _wrapped(text, indent=4)
    return lines


def _row(*cells: str) -> str:
    rank, nucleation, growth, time, share, height, ratio, maximum, minutes, millilitres = cells
    where = f"{rank:>2} {nucleation:>6} {growth:>6} {time:>6} {share:>8}"
    return f"{where}  {height:<20}{ratio:<20}{maximum:<14} {minutes:>4}{millilitres:>6}".rstrip()


def _wrapped(text: str, indent: int = 0) -> list[str]:
    """Break into lines, but not between a number and what it belongs to."""
    kept = re.sub(r" (?==)|(?<==) |(?<=\d) (?=°C|s\b|min|mL|bit)", "\xa0", text)
    lines = textwrap.wrap(kept, _WIDTH, initial_indent=" " * indent, subsequent_indent=" " * (2 * indent))
    return [line.replace("\xa0", " ") for line in lines]


def _spread(interval: "Interval") -> str:
    """Return mean and ends, with as many decimals as give the upper end two figures."""
    size = max(abs(interval.high), abs(interval.median), 1e-3)
    decimals = max(1 - math.floor(math.log10(size)), 0)
    mean, low, high = (f"{value:.{decimals}f}" for value in (interval.median, interval.low, interval.high))
    return f"{mean} ({low}–{high})"
