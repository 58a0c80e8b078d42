"""The grid of conditions that ``msc suggest`` may choose from, as its options say it."""

import argparse
import math
import re

from msc_plans.advisor import SearchSpace
from msc_plans.advisor.cost import REACTOR_VOLUME_UL
from msc_plans.cli.arguments.history import check_condition
from msc_plans.condition import Condition
from msc_plans.errors import InputError

__all__ = ["add_grid_arguments", "grid_of"]

_MOST_VALUES = 500
_MOST_CONDITIONS = 2000
_FORM = "give begin:end:step (240:350:10), single values (240,260,300), or both"


def add_grid_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options that say which conditions may be suggested."""
    # A range such as -20:20:10 is a value, not an option.
    parser._negative_number_matcher = re.compile(r"-\d")
    group = parser.add_argument_group("which conditions", f"For each axis {_FORM}.")
    group.add_argument("--nucleation", default="240:350:10", metavar="RANGE", help="°C (default: %(default)s)")
    group.add_argument("--growth", metavar="RANGE", help="growth temperatures, °C (default: both ovens equal)")
    group.add_argument("--growth-offsets", metavar="RANGE", help="growth less nucleation temperature, K")
    group.add_argument("--times", default="1.5,3,4.5,7.6,10,14", metavar="RANGE", help="s (default: %(default)s)")
    group.add_argument(
        "--limit", action="append", default=[], metavar="NAME=LOW:HIGH",
        help="what the reactor can do, such as growth_temperature=20:360; repeatable",
    )  # fmt: skip
    group.add_argument("--flow", metavar="LOW:HIGH", help="what the pumps can do together, µL/min (needs --volume-ul)")
    group.add_argument(
        "--forbid", action="append", default=[], metavar="NAME=LOW:HIGH,…",
        help="conditions inside all of the ranges given together are never suggested; repeatable",
    )  # fmt: skip


def grid_of(args: argparse.Namespace) -> SearchSpace:
    """Return the grid.

    Raises
    ------
    InputError
        An option isn't a range, a name is unknown, or no condition or too many are left.
    """
    if args.growth is not None and args.growth_offsets is not None:
        raise InputError("give --growth or --growth-offsets, not both")
    nucleation = _axis("--nucleation", args.nucleation)
    times = _axis("--times", args.times)
    growth = None if args.growth is None else _axis("--growth", args.growth)
    offsets = None if args.growth_offsets is None else _axis("--growth-offsets", args.growth_offsets)
    if args.flow is not None and args.volume_ul is None:
        raise InputError("--flow needs --volume-ul: the flow is the reactor's volume over the residence time")
    flow = None if args.flow is None else _ends("--flow", args.flow)
    number = len(nucleation) * len(times) * len(growth or offsets or [0.0])
    if number > _MOST_CONDITIONS:
        raise InputError(
            f"the grid has {number} conditions, at most {_MOST_CONDITIONS} can be weighed: use larger steps"
        )
    limits = {name: pair for text in args.limit for name, pair in _box("--limit", text).items()}
    forbidden = [_box("--forbid", text) for text in args.forbid]
    try:
        space = SearchSpace(
            nucleation, times, growth_offsets=offsets, growth_temperatures=growth, limits=limits, forbidden=forbidden,
            flow_limits=flow, reactor_volume_ul=args.volume_ul or REACTOR_VOLUME_UL,
        )  # fmt: skip
        for condition in space.candidates():
            check_condition(condition)
    except ValueError as error:
        raise InputError(
            f"{error} (from --nucleation, --growth, --growth-offsets, --times, --limit, --flow, --forbid)"
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
            raise InputError(f"{option} {text!r}: {part!r} is no range; {_FORM}")
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
            raise InputError(f"{option} {text!r}: {name!r} is no value of a condition; it has {names}")
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
        raise InputError(f"{option} {text!r}: {word!r} is no number; {_FORM}")
    return value
