"""The ``msc`` command: one subcommand a module; this package alone joins library, devices and simulator."""

import argparse
import logging
import os
import re
import sys
import textwrap
from collections.abc import Collection, Sequence
from importlib import import_module
from importlib.metadata import version
from io import TextIOWrapper

from msc_plans.errors import InputError

__all__ = ["build_parser", "main"]

COMMANDS = {
    "agent": "keep an adaptive campaign going in the queue",
    "analyze": "spectra and scattering curves from files: families, nanocrystals, sizes, lamellae",
    "campaign": "an adaptive campaign on a real or simulated reactor, or on with an interrupted one",
    "completion": "completion of commands and options for bash, zsh or fish",
    "demo": "simulated reactor, adaptive campaign, figure and stored runs, in a minute",
    "doctor": "is this machine ready, does the reactor answer, and what to do if not",
    "export": "runs as files: spectra as CSV, scattering curves as NXcanSAS",
    "fit": "what a history of conditions says of mechanisms and rate constants",
    "ioc": "serve the simulated reactor over Channel Access",
    "plan": "rehearse a plan: time, volumes, refills, or why it can't be done",
    "queue": "the queueserver for this reactor, with its Redis and store",
    "replay": "bring journalled runs into a catalogue that lacks them",
    "reproduce": "the paper again: all its experiments, its figures, and a verdict on each of its claims",
    "reprocess": "the analyses of stored runs again, on many processes or a cluster",
    "runs": "which runs a store has, by condition, family or campaign; what one of them holds",
    "session": "IPython with all plans, on a simulated or a real reactor",
    "suggest": "which condition next, and why, from a history of conditions",
    "tiled": "serve a store of runs over HTTP",
    "verify": "compare a store's journals with its catalogue, document by document and frame by frame",
}

GROUPS = {
    "Measure": ("session", "campaign", "plan"),
    "Measure from a queue": ("queue", "agent"),
    "Without a reactor": ("demo", "reproduce", "ioc"),
    "From what was measured": ("analyze", "suggest", "fit"),
    "What is stored": ("runs", "export", "reprocess", "tiled", "verify", "replay"),
    "This machine": ("doctor", "completion"),
}
"""In which order ``msc --help`` shows them; a command that is in no group is shown last."""

_FIRST = {
    "msc demo": "a campaign on a simulated reactor, in a minute",
    "msc session --simulate": "IPython with all plans, on a simulated reactor",
    "msc doctor": "is this machine ready, does the reactor answer?",
}


_KEY = re.compile(r"api_key=[^&\s'\"]+")


class _Guide(argparse.ArgumentParser):
    """A parser whose help is grouped by what one wants to do."""

    def format_help(self) -> str:
        groups = dict(GROUPS)
        left = tuple(name for name in COMMANDS if not any(name in names for names in groups.values()))
        if left:
            groups["More"] = left
        lines = ["usage: msc COMMAND …", "", f"{self.description}", "", "Begin with:"]
        lines += [f"  {line:24} {what}" for line, what in _FIRST.items()]
        for title, names in groups.items():
            lines += ["", f"{title}:"]
            for name in names:
                lines += textwrap.wrap(COMMANDS[name], 78, initial_indent=f"  {name:12} ", subsequent_indent=15 * " ")
        lines += ["", "msc COMMAND --help says more of each; msc --version which version this is."]
        lines += ["The documentation begins at docs/index.md of the sources; make docs builds it."]
        return "\n".join(lines) + "\n"


def build_parser(chosen: Collection[str] = tuple(COMMANDS)) -> argparse.ArgumentParser:
    """Return the parser of ``msc``, with the options of the chosen commands (default: of all).

    Parameters
    ----------
    chosen : collection of str
        The others' modules are not imported: some take seconds.
    """
    parser = _Guide(
        "msc", description="Magic-size clusters in a flow reactor: measure, analyse, decide what comes next."
    )
    parser.add_argument("--version", action="version", version=f"msc-plans {version('msc-plans')}")
    subparsers = parser.add_subparsers(
        dest="command", metavar="COMMAND", required=True, parser_class=argparse.ArgumentParser
    )
    for name, summary in COMMANDS.items():
        sub = subparsers.add_parser(name, help=summary)
        if name in chosen:
            module = import_module(f"msc_plans.cli.{name}")
            sub.description = module.__doc__
            module.add_arguments(sub)
            sub.set_defaults(run=module.run)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run ``msc``.

    Returns
    -------
    int
        0 for success, 1 for a failure, 2 for bad input, 130 after Ctrl-C.
    """
    _prepare_process()
    argv = sys.argv[1:] if argv is None else list(argv)
    parser = build_parser([word for word in argv if not word.startswith("-")][:1])
    if not argv:
        print(parser.format_help(), end="", file=sys.stderr)
        return 2
    args = parser.parse_args(argv)
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    try:
        return int(args.run(args))
    except InputError as error:
        # what was asked for may hold a key
        said = _KEY.sub("api_key=…", str(error))
        print(f"msc {args.command}: {said}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"\nmsc {args.command}: interrupted", file=sys.stderr)
        return 130


def _prepare_process() -> None:
    """Set up threads and output, before a command imports numpy."""
    # Matrices as small as ours gain nothing from threads of the linear algebra, which would fight with our own.
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


if __name__ == "__main__":
    sys.exit(main())
