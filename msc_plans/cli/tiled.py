"""Serve a store of runs over HTTP on loopback until Ctrl-C; its key is in the store's file api_key."""

import argparse

from msc_plans.cli.arguments.store import add_store_folder_argument, store_folder
from msc_plans.errors import InputError

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``msc tiled``."""
    add_store_folder_argument(parser)
    parser.add_argument("--port", type=int, default=0, help="port on 127.0.0.1 (default: a free one)")
    parser.add_argument(
        "--public", action="store_true", help="let clients read without the key; writing needs it still"
    )
    parser.add_argument(
        "--postgresql",
        metavar="URI",
        help="keep a new store's catalogue and tables there, from now on: postgresql://USER@HOST:PORT/DATABASE "
        "(its password: ~/.pgpass or PGPASSWORD)",
    )
    parser.add_argument(
        "--processes", type=int, metavar="N", help="serve a store in PostgreSQL by N processes, from now on"
    )


def run(args: argparse.Namespace) -> int:
    """Serve; returns the exit code."""
    from msc_plans.storage import PortBusyError, StoreBusyError
    from msc_plans.storage.server_process import main

    if not 0 <= args.port < 65536:
        raise InputError(f"port {args.port} is not between 0 and 65535")
    arguments = [str(store_folder(args)), "--port", str(args.port)]
    arguments += ["--public"] if args.public else []
    arguments += ["--postgresql", args.postgresql] if args.postgresql is not None else []
    arguments += ["--processes", str(args.processes)] if args.processes is not None else []
    try:
        return main(arguments)
    except (PortBusyError, StoreBusyError, ValueError, OSError) as error:
        raise InputError(str(error)) from error
