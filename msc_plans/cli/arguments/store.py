"""Which store a command reads, and its refusals in one line."""

import argparse
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from msc_plans.errors import InputError
from msc_plans.storage.client import is_uri

__all__ = [
    "add_store_argument",
    "add_store_folder_argument",
    "one_run",
    "opened_store",
    "reach",
    "store_folder",
    "store_of",
]

_CONNECT_S = 5.0
_SHORTEST = 5


def add_store_argument(parser: argparse.ArgumentParser) -> None:
    """Add ``--store``."""
    parser.add_argument(
        "--store",
        metavar="FOLDER|URI",
        help="folder of the runs, or URI of a server (default: MSC_TILED_URI, MSC_STORE, msc.toml or msc-data)",
    )


def add_store_folder_argument(parser: argparse.ArgumentParser) -> None:
    """Add ``--store`` for a command that needs the folder itself."""
    parser.add_argument("--store", type=Path, help="folder of the runs (default: MSC_STORE, msc.toml or msc-data)")


def store_folder(args: argparse.Namespace) -> Path:
    """Return the folder that was asked for, else that of the settings."""
    if args.store is not None:
        return args.store
    from msc_plans.settings import read_settings

    return read_settings().store


def store_of(args: argparse.Namespace) -> str:
    """Return the store that was asked for, else that of the settings."""
    if args.store:
        return str(args.store)
    from msc_plans.settings import read_settings

    settings = read_settings()
    return settings.tiled_uri or str(settings.store)


@contextmanager
def opened_store(where: str) -> Iterator[Any]:
    """Open a store's catalogue for the length of a ``with`` block.

    Raises
    ------
    InputError
        There is none, it is busy, or it does not answer.
    """
    from msc_plans.storage import close_catalog, open_catalog

    if is_uri(where):
        reach(where)
    try:
        catalog = open_catalog(where)
    except FileNotFoundError as error:
        raise InputError(
            f"{where}: is a folder without a store (no catalog.db in it); give the one that runs are stored in"
        ) from error
    except Exception as error:  # Tiled, its database and the network each raise their own
        raise InputError(f"{where}: the store can't be read: {_line(error)}") from error
    try:
        yield catalog
    except Exception as error:
        if not type(error).__module__.startswith(("httpx", "tiled")):
            raise
        raise InputError(f"{where}: the store can't be read: {_line(error)}") from error
    finally:
        close_catalog(catalog)


def _line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def reach(uri: str) -> None:
    """Fail within seconds where nothing listens: Tiled's client would try for half a minute.

    Raises
    ------
    InputError
        Nothing answers.
    """
    parts = urlsplit(uri)
    try:
        port = parts.port or (443 if parts.scheme == "https" else 80)
        socket.create_connection((parts.hostname or "", port), timeout=_CONNECT_S).close()
    except (OSError, ValueError) as error:
        raise InputError(f"{uri}: no store answers there ({error}); is `msc tiled` running?") from error


def one_run(catalog: Any, uid: str) -> Any:
    """Return the run of a uid, or of how one begins.

    Raises
    ------
    InputError
        None begins so, or several do.
    """
    if len(uid) < _SHORTEST:
        raise InputError(f"{uid!r} is too short for a uid; give {_SHORTEST} characters or more")
    try:
        return catalog[uid]
    except KeyError as error:
        raise InputError(f"the store has no run {uid!r}; `msc runs` lists what it has") from error
    except ValueError as error:
        raise InputError(f"{uid!r} begins the uid of more than one run; give more of it") from error
