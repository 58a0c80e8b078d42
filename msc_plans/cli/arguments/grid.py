"""The grid of conditions to choose from: the same options for every command that has one."""

import argparse
import math
import re
from typing import TYPE_CHECKING

from msc_plans.condition import Condition
from msc_plans.errors import InputError

if TYPE_CHECKING:
    from msc_plans.advisor import SearchSpace

__all__ = ["add_grid_arguments", "add_region_arguments", "axes_of", "grid_of"]

_MOST_VALUES = 500
_MOST_CONDITIONS = 2000
_FORM = "give begin:end:step (240:350:10), single values (240,260,300), or both"


def add_grid_arguments(parser: argparse.ArgumentParser, *, residence_times: str) -> None:
    """Add the options that say which conditions may be chosen."""
    # A range such as -20:20:10 is a value, not an option.
    parser._negative_number_matcher = re.compile(r"-\d")
    group = parser.add_argument_group("conditions to choose from", f"For each axis {_FORM}.")
    group.add_argument(
        "--nucleation-temperatures", default="240:350:10", metavar="RANGE",
        help="temperatures of the nucleation oven, °C (default: %(default)s)",
    )  # fmt: skip
    group.add_argument(
        "--growth-temperatures", metavar="RANGE", help="temperatures of the growth oven, °C (default: both ovens equal)"
    )
    group.add_argument(
        "--growth-offsets", metavar="RANGE", help="growth less nucleation temperature, K, instead of the former"
    )
    group.add_argument(
        "--residence-times", default=residence_times, metavar="RANGE", help="residence times, s (default: %(default)s)"
    )


def axes_of(args: argparse.Namespace) -> dict[str, list[float] | None]:
    """Return the values of each axis by the name that plans give it; None where an option was left out.

    Raises
    ------
    InputError
        An option isn't a range, or the growth temperature is given in both ways.
    """
    if args.growth_temperatures is not None and args.growth_offsets is not None:
        raise InputError("give --growth-temperatures or --growth-offsets, not both")
    names = ("nucleation_temperatures", "growth_temperatures", "growth_offsets", "residence_times")
    return {
        name: None if (text := getattr(args, name)) is None else _axis(f"--{name.replace('_', '-')}", text)
        for name in names
    }


def add_region_arguments(parser: argparse._ActionsContainer) -> None:
    """Add what the reactor can do, and what is never to be suggested."""
    parser.add_argument(
        "--limit", action="append", default=[], metavar="NAME=LOW:HIGH",
        help="range that the reactor can do, such as growth_temperature=20:360; repeatable",
    )  # fmt: skip
    parser.add_argument(
        "--flow", metavar="LOW:HIGH", help="flow that the pumps can do together, µL/min (needs --volume-ul)"
    )
    parser.add_argument(
        "--forbid", action="append", default=[], metavar="NAME=LOW:HIGH,…",
        help="region never to suggest: conditions inside all of the ranges given together; repeatable",
    )  # fmt: skip


def grid_of(args: argparse.Namespace) -> "SearchSpace":
    """Return the grid of the axes, less what limits and forbidden regions take away.

    Raises
    ------
    InputError
        An option isn't a range, a name is unknown, or no condition or too many are left.
    """
    from msc_plans.advisor import SearchSpace
    from msc_plans.advisor.cost import REACTOR_VOLUME_UL

    axes = axes_of(args)
    if args.flow is not None and args.volume_ul is None:
        raise InputError("--flow needs --volume-ul: the flow is the reactor's volume over the residence time")
    flow = None if args.flow is None else _ends("--flow", args.flow)
    nucleation, times = axes["nucleation_temperatures"] or [], axes["residence_times"] or []
    number = len(nucleation) * len(times) * len(axes["growth_temperatures"] or axes["growth_offsets"] or [0.0])
    if number > _MOST_CONDITIONS:
        raise InputError(
            f"the grid has {number} conditions, at most {_MOST_CONDITIONS} can be weighed: use larger steps"
        )
    limits = {name: pair for text in args.limit for name, pair in _box("--limit", text).items()}
    forbidden = [_box("--forbid", text) for text in args.forbid]
    try:
        space = SearchSpace(
            nucleation, times, growth_offsets=axes["growth_offsets"], growth_temperatures=axes["growth_temperatures"],
            limits=limits, forbidden=forbidden, flow_limits=flow,
            reactor_volume_ul=args.volume_ul or REACTOR_VOLUME_UL,
        )  # fmt: skip
        for condition in space.candidates():
            condition.check_plausible()
    except ValueError as error:
        raise InputError(
            f"{error} (from --nucleation-temperatures, --growth-temperatures, --growth-offsets, --residence-times, "
            "--limit, --flow, --forbid)"
        ) from error
    return space


def _axis(option: str, text: str) -> list[float]:
    values: list[float] = []
    for part in text.split(","):
        numbers = [_number(option, word, text) for word in part.split(":")]
        if len(numbers) == 1:
            values += numbers
            continue
        if len(numbers) != 3:
            raise InputError(f"{option} {text!r}: {part!r} isn't a range; {_FORM}")
        begin, end, step = numbers
        if step <= 0 or end < begin:
            raise InputError(
                f"{option} {text!r}: {part!r} is empty: the step must be above 0, the end not below the begin"
            )
        # a billionth of a step, so that 0.1 steps reach their end
        count = (end - begin) / step + 1e-9
        if count >= _MOST_VALUES:
            raise InputError(f"{option} {text!r}: more than {_MOST_VALUES} values; use a larger step")
        values += [round(begin + one * step, 9) for one in range(math.floor(count) + 1)]
    return sorted(set(values))


def _box(option: str, text: str) -> dict[str, tuple[float, float]]:
    box = {}
    for part in text.split(","):
        name, equals, pair = part.partition("=")
        if not equals or pair.count(":") != 1:
            raise InputError(f"{option} {text!r}: {part!r} is not name=low:high, such as growth_temperature=20:360")
        name = name.strip()
        if name not in Condition.__dataclass_fields__:
            names = ", ".join(Condition.__dataclass_fields__)
            raise InputError(f"{option} {text!r}: {name!r} isn't a value of a condition; there are {names}")
        box[name] = _ends(option, pair)
    return box


def _ends(option: str, text: str) -> tuple[float, float]:
    ends = text.split(":")
    if len(ends) != 2:
        raise InputError(f"{option} {text!r} is not low:high")
    low, high = (_number(option, word, text) for word in ends)
    if low > high:
        raise InputError(f"{option} {text!r}: {low:g} is above {high:g}")
    return low, high


def _number(option: str, word: str, text: str) -> float:
    try:
        value = float(word)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise InputError(f"{option} {text!r}: {word!r} isn't a number; {_FORM}")
    return value
