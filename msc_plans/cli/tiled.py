"""Serve a store of runs over HTTP on loopback until Ctrl-C; its key is in the store's file api_key."""

import argparse
from pathlib import Path

from msc_plans.cli import CommandError

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``msc tiled``."""
    parser.add_argument(
        "store",
        type=Path,
        nargs="?",
        default=Path("msc-data"),
        help="the store's folder (default: %(default)s)",
    )
    parser.add_argument("--port", type=int, default=0, help="port on 127.0.0.1 (default: a free one)")
    parser.add_argument(
        "--public", action="store_true", help="let clients read without the key; writing needs it still"
    )


def run(args: argparse.Namespace) -> int:
    """Serve; returns the exit code."""
    from msc_plans.storage import PortBusyError, StoreBusyError
    from msc_plans.storage.serve import main

    if not 0 <= args.port < 65536:
        raise CommandError(f"port {args.port} is not between 0 and 65535")
    try:
        main([str(args.store), "--port", str(args.port), *(["--public"] if args.public else [])])
    except (PortBusyError, StoreBusyError, OSError) as error:
        raise CommandError(str(error)) from error
    return 0
