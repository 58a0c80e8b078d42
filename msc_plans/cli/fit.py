"""What a history of conditions says: probability of each mechanism, and the rate constants of one.

HISTORY is a file of JSON lines, - for stdin, or a store. See docs/advisor.md.
"""

import argparse
import json
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from msc_plans.cli.arguments.history import MeasuredHistory, add_history_arguments, is_folder, read_history
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
    from msc_plans.kinetics.belief import Belief
    from msc_plans.kinetics.inference import Posterior
    from msc_plans.kinetics.mechanism import Prior

__all__ = ["add_arguments", "run"]

_UNITS = {1: "1/s", 2: "L/mmol/s", 3: "L²/mmol²/s"}
_LEARNT = 0.8
"""Of the prior's standard deviation: above it, the data have not told what the prior didn't say."""
_WIDTH = 98


@dataclass(frozen=True)
class Learnt:
    """A parameter: mean with the ends of the central 95 % interval, and whether the data said anything of it."""

    mean: float
    low: float
    high: float
    learnt: bool

    @classmethod
    def of(cls, values: "np.ndarray[Any, Any]", prior: "Prior", seen: int) -> "Learnt":
        """Summarise particles, shape (particles,), after so many conditions were seen."""
        low, high = np.percentile(values, [2.5, 97.5])
        learnt = seen > 0 and float(values.std()) <= _LEARNT * prior.sigma
        return cls(float(values.mean()), float(low), float(high), learnt)

    def as_dict(self, name: str) -> dict[str, float | bool]:
        """Return the numbers under names that begin with ``name``."""
        return {name: self.mean, f"{name}_low": self.low, f"{name}_high": self.high, f"{name}_learnt": self.learnt}

    def written(self, decimals: int, width: int) -> str:
        """Return the numbers as text."""
        mean, low, high = (f"{value:.{decimals}f}" for value in (self.mean, self.low, self.high))
        return f"{mean:>{width}} ({low} to {high})"


@dataclass(frozen=True)
class Row:
    """A rate constant: its name, the unit of k, and what was learnt of it."""

    name: str
    unit: str
    log10_k: Learnt
    energy_kj_mol: Learnt


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``msc fit``."""
    add_history_arguments(parser)
    parser.add_argument(
        "--mechanism",
        metavar="NAME",
        help="mechanism whose rate constants are printed (default: the most probable one)",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument(
        "--plot",
        nargs="?",
        const="",
        metavar="FILE.png",
        help="draw the fit to this file (default: HISTORY.fit.png beside the history)",
    )
    add_model_arguments(parser.add_argument_group("reactor and model"))


def run(args: argparse.Namespace) -> int:
    """Fit; returns the exit code."""
    belief = _belief(args)
    path = None if args.plot is None else _plot_path(args)
    history = read_history(args, belief.observables)
    learn(belief, history)
    probabilities = belief.probabilities
    name = args.mechanism or max(probabilities, key=lambda one: probabilities[one])
    rows, gains = _rows(belief.posteriors[name])
    if path is not None:
        _draw(belief, name, rows, path)
    if args.json:
        print(json.dumps(_record(belief, history, name, rows, gains, path), allow_nan=False))
    else:
        print("\n".join(_lines(belief, history, name, rows, gains, path)))
    return 0


def _belief(args: argparse.Namespace) -> "Belief":
    from msc_plans.kinetics.belief import Belief

    mechanisms, observables = mechanisms_of(args), observables_of(args)
    if args.mechanism is not None and args.mechanism not in mechanisms:
        raise InputError(f"--mechanism: unknown mechanism {args.mechanism!r}; mechanisms are {', '.join(mechanisms)}")
    reactor = reactor_of(args)
    try:
        return Belief(mechanisms, reactor, observables=observables, particles=args.particles, seed=args.seed)
    except ValueError as error:
        raise InputError(str(error)) from error


def _plot_path(args: argparse.Namespace) -> Path:
    """Return where the picture goes, before minutes are spent."""
    source: str = args.history
    if args.plot:
        path = Path(args.plot)
    elif source == "-" or source.startswith(("http://", "https://")):
        path = Path("fit.png")
    else:
        path = Path(source) / "fit.png" if is_folder(source) else Path(f"{source}.fit.png")
    if path.suffix.lower() != ".png":
        raise InputError(f"--plot {path}: the picture is a PNG; give a name that ends in .png")
    if not is_folder(path.parent):
        raise InputError(f"--plot {path}: there is no folder {path.parent}")
    return path


def _rows(posterior: "Posterior") -> tuple[list[Row], tuple[Learnt, Learnt]]:
    """Return the rate constants, and the factors on the heights of families and of nanocrystals."""
    from msc_plans.kinetics.observation import GAIN_PRIORS

    mechanism, values, seen = posterior.mechanism, posterior.parameters, len(posterior.conditions)
    priors = (*mechanism.priors, *GAIN_PRIORS)
    found = [Learnt.of(column, prior, seen) for column, prior in zip(values.T, priors, strict=True)]
    number = len(mechanism.constants)
    rows = [
        Row(name, _UNITS[order], found[place], found[number + place])
        for place, (name, order) in enumerate(mechanism.orders.items())
    ]
    return rows, (found[-2], found[-1])


def _draw(belief: "Belief", name: str, rows: Sequence[Row], path: Path) -> None:
    from msc_plans.views.kinetics import Comparison, RateBand, kinetics_figure

    posterior = belief.posteriors[name]
    bands = [
        RateBand.of(row.name, row.unit, posterior, place, learnt=row.log10_k.learnt) for place, row in enumerate(rows)
    ]
    comparison = Comparison.of(posterior)
    number = len(belief.conditions)
    title = f"{name}: {posterior.mechanism.title} ({number} condition{'' if number == 1 else 's'})"
    figure = kinetics_figure(belief.probabilities, name, bands, comparison, title, belief.alarm)
    try:
        figure.savefig(path, dpi=110)
    except OSError as error:
        raise InputError(f"--plot {path}: {error.strerror}") from error


def _record(
    belief: "Belief",
    history: MeasuredHistory,
    name: str,
    rows: Sequence[Row],
    gains: tuple[Learnt, Learnt],
    path: Path | None,
) -> dict[str, Any]:
    from msc_plans.kinetics.mechanism import REFERENCE_TEMPERATURE

    record = {
        "conditions_used": len(history.points),
        "conditions_failed": len(history.failed),
        "probabilities": belief.probabilities,
        "mechanism": name,
        "reference_temperature": REFERENCE_TEMPERATURE,
        "constants": [
            {
                "name": row.name,
                "k_unit": row.unit,
                **row.log10_k.as_dict("log10_k"),
                **row.energy_kj_mol.as_dict("energy_kj_mol"),
            }
            for row in rows
        ],
        **gains[0].as_dict("ln_gain_families"),
        **gains[1].as_dict("ln_gain_nc"),
        "alarm": belief.alarm,
    }
    return record if path is None else {**record, "picture": str(path)}


def _lines(
    belief: "Belief",
    history: MeasuredHistory,
    name: str,
    rows: Sequence[Row],
    gains: tuple[Learnt, Learnt],
    path: Path | None,
) -> list[str]:
    from msc_plans.kinetics.mechanism import REFERENCE_TEMPERATURE

    probabilities = belief.probabilities
    wide = max(map(len, probabilities))
    lines = [f"History: {history}.", "", f"{'mechanism':<{max(wide, 9)}}  probability"]
    for one, share in sorted(probabilities.items(), key=lambda item: -item[1]):
        title = belief.mechanisms[one].title
        lines += textwrap.wrap(
            f"{one:<{max(wide, 9)}}  {share:5.3f}  {title}", _WIDTH, subsequent_indent=" " * (max(wide, 9) + 9)
        )  # fmt: skip
    wide = max(len(row.name) for row in rows)
    at = f"{REFERENCE_TEMPERATURE:g} °C"
    lines += [
        "",
        f"Rate constants of {name}, with 95 % intervals:",
        f"{'':<{wide}}  {'unit of k':<11} {f'log10 k at {at}':<32}  activation energy, kJ/mol",
    ]
    for row in rows:
        k, energy = row.log10_k, row.energy_kj_mol
        columns = (f"{k.written(2, 5)}{_said(k)}", f"{energy.written(0, 3)}{_said(energy)}")
        lines.append(f"{row.name:<{wide}}  {row.unit:<11} {columns[0]:<32}  {columns[1]}".rstrip())
    for of, gain in zip(("families", "nanocrystals"), gains, strict=True):
        lines.append(f"ln of the factor on the heights of {of}: {gain.written(2, 4)}{_said(gain)}")
    if path is not None:
        lines += ["", f"picture: {path}"]
    return [*lines, "", *alarm_lines(belief.alarm)]


def _said(value: Learnt) -> str:
    return "" if value.learnt else "  not learnt"
