"""The ``msc`` command: one subcommand a module; this package alone joins library, devices and simulator."""

import argparse
import logging
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.metadata import version

__all__ = ["CommandError", "main"]

COMMANDS = {
    "analyze": "spectra and scattering curves from files: families, nanocrystals, sizes, lamellae",
    "demo": "simulated reactor, adaptive campaign, figure and stored runs, in a minute",
    "fit": "what a history of conditions says of mechanisms and rate constants",
    "ioc": "serve the simulated reactor over Channel Access",
    "suggest": "which condition next, and why, from a history of conditions",
    "tiled": "serve a store of runs over HTTP",
}


class CommandError(Exception):
    """Bad input: said in one line, exit code 2."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run ``msc``.

    Returns
    -------
    int
        0 for success, 1 for a failure, 2 for bad input, 130 after Ctrl-C.
    """
    # One thread: those of the algebra library cost more than they give on matrices as small as ours.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    parser = argparse.ArgumentParser(
        "msc", description="Magic-size clusters in a flow reactor: measure, analyse, decide what comes next."
    )
    parser.add_argument("--version", action="version", version=f"msc-plans {version('msc-plans')}")
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    argv = sys.argv[1:] if argv is None else list(argv)
    chosen = next((word for word in argv if not word.startswith("-")), None)
    for name, summary in COMMANDS.items():
        sub = subparsers.add_parser(name, help=summary)
        if name == chosen:  # the others' modules are not imported: some take seconds
            module = import_module(f"msc_plans.cli.{name}")
            sub.description = module.__doc__
            module.add_arguments(sub)
            sub.set_defaults(run=module.run)
    args = parser.parse_args(argv)
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    try:
        return int(args.run(args))
    except CommandError as error:
        print(f"msc {args.command}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"\nmsc {args.command}: interrupted", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
