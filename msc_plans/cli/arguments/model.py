"""The families, mechanisms and reactor a history is read with: what ``msc suggest`` and ``msc fit`` share."""

import argparse
import math
import sys
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from msc_plans.cli.arguments.families import add_families_argument, families_of
from msc_plans.errors import InputError

if TYPE_CHECKING:
    from msc_plans.cli.arguments.history import MeasuredHistory
    from msc_plans.kinetics.belief import Belief
    from msc_plans.kinetics.mechanism import Mechanism
    from msc_plans.kinetics.observation import Observables
    from msc_plans.kinetics.solver import FlowModel

__all__ = ["add_model_arguments", "alarm_lines", "learn", "mechanisms_of", "observables_of", "reactor_of"]

_PORTIONS = 12
_MEANING = (
    "Neither probabilities nor predictions are to be trusted. Look for a fouled reactor, a wrong feed",
    "or a wrong temperature first, then for a missing mechanism (docs/advisor.md).",
)


def add_model_arguments(parser: argparse._ActionsContainer) -> None:
    """Add what the model is told."""
    add_families_argument(parser)
    parser.add_argument(
        "--mechanisms",
        type=Path,
        metavar="TOML",
        help="mechanisms that make the families (default: MSC_MECHANISMS, msc.toml or the built-in ones of CdSe)",
    )
    parser.add_argument(
        "--feed-mmol-l",
        type=float,
        metavar="X",
        help="concentration of formula units fed, the lesser of Cd and Se in the mixture, mmol/L (default: 10)",
    )
    parser.add_argument(
        "--chamber-fraction",
        type=float,
        metavar="X",
        help="volume of the nucleation chamber over that of chamber and coil (default: 0.0457)",
    )
    parser.add_argument(
        "--seed", type=int, default=0, help="seed; the same one gives the same answer (default: %(default)s)"
    )
    parser.add_argument(
        "--particles",
        type=int,
        default=200,
        help="number of parameter sets followed for each mechanism (default: %(default)s)",
    )


def mechanisms_of(args: argparse.Namespace) -> "Mapping[str, Mechanism]":
    """Return the mechanisms by name."""
    from msc_plans.kinetics.mechanism_file import mechanisms, read_mechanisms
    from msc_plans.settings import read_settings

    path = read_settings().mechanisms if args.mechanisms is None else args.mechanisms
    if path is None:
        return mechanisms()
    try:
        return read_mechanisms(path)
    except OSError as error:
        raise InputError(f"--mechanisms {path}: {error.strerror}") from error
    except ValueError as error:  # it names the file
        raise InputError(f"--mechanisms {error}") from error


def observables_of(args: argparse.Namespace) -> "Observables":
    """Return what is observed of the families.

    Raises
    ------
    InputError
        The table can't be read, or lacks what the kinetic model needs.
    """
    from msc_plans.kinetics.observation import Observables

    try:
        return Observables(families_of(args))
    except ValueError as error:
        raise InputError(f"--families: {error}") from error


def reactor_of(args: argparse.Namespace) -> "FlowModel":
    """Return feed and volumes; the seed is looked at too."""
    from msc_plans.kinetics.solver import FlowModel

    if args.seed < 0:
        raise InputError(f"--seed must be 0 or more, not {args.seed}")
    feed, fraction = args.feed_mmol_l, args.chamber_fraction
    if feed is not None and not 0 < feed < math.inf:
        raise InputError(f"--feed-mmol-l must be above 0, not {feed:g}")
    if fraction is not None and not 0 <= fraction <= 1:
        raise InputError(f"--chamber-fraction must be between 0 and 1, not {fraction:g}")
    given = {"cadmium_millimolar": feed, "chamber_fraction": fraction}
    return FlowModel(**{name: value for name, value in given.items() if value is not None})


def learn(belief: "Belief", history: "MeasuredHistory") -> None:
    """Let a belief learn from a history, in order, in at most a dozen portions.

    Each portion is compared with what those before it let expect, which is where an alarm comes from; one at a time
    would be the sharpest, but its time grows with the square of their number.
    """
    from tqdm import tqdm

    points = history.points
    portions = min(len(points), _PORTIONS)
    bounds = [round(number * len(points) / portions) for number in range(portions + 1)] if portions else [0]
    steps = list(pairwise(bounds))
    for begin, end in tqdm(steps, desc="learning", leave=False, disable=not sys.stderr.isatty(), delay=2.0):
        belief.update([one.condition for one in points[begin:end]], [one.observation for one in points[begin:end]])


def alarm_lines(alarm: str | None) -> list[str]:
    """Return what is said of the alarm."""
    return ["No alarm."] if alarm is None else [f"*** ALARM *** {alarm}", *(f"    {line}" for line in _MEANING)]
