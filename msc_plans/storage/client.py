"""Open a store: a folder, or the URI of a server."""

import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from msc_plans.storage.config import catalog_config, prepare_folder, read_api_key
from msc_plans.storage.database import create_database, holds_store
from msc_plans.storage.lock import Holder, StoreBusyError, StoreLock, read_holder

if TYPE_CHECKING:
    from bluesky_tiled_plugins.clients.catalog_of_bluesky_runs import CatalogOfBlueskyRuns
    from databroker.v1 import Broker
    from tiled.client.context import Context

__all__ = ["broker", "close_catalog", "is_uri", "limit_retries", "open_catalog", "open_server", "opened"]

_TIMEOUT_S = 20.0

# The apps that run inside this process, by folder: opening a folder twice gives two clients of one app.
_apps: dict[Path, tuple["Context", StoreLock]] = {}


def is_uri(where: str) -> bool:
    """Return whether a store is given as the URI of a server, not as a folder."""
    return where.startswith(("http://", "https://"))


def open_catalog(where: str | Path, api_key: str | None = None, create: bool = False) -> "CatalogOfBlueskyRuns":
    """Return the catalogue of runs in a store.

    Parameters
    ----------
    where : str or Path
        The URI of a server (``http://…``), or a store's folder. On a folder with a running server the client
        connects to that; else a Tiled app runs inside this process, nothing listens, and the store is
        this process's until `close_catalog` or the end of the process.
    api_key : str, optional
        The key to show a server; taken from the folder, the URI or ``TILED_API_KEY`` where not given.
    create : bool
        Make an empty store where the folder holds none.

    Raises
    ------
    FileNotFoundError
        The folder holds no store.
    StoreBusyError
        Another process has the folder open without serving it.
    """
    if isinstance(where, str) and is_uri(where):
        return _connect(where, api_key)
    folder = Path(where).expanduser().resolve()
    if not holds_store(folder) and not create:
        raise FileNotFoundError(
            f"{folder} holds no store (there is no catalog.db in it). Check the path, or pass "
            "create=True for an empty store"
        )
    prepare_folder(folder)
    if folder in _apps:
        return _client(_apps[folder][0])
    try:
        lock = StoreLock(folder)
    except StoreBusyError:
        holder = read_holder(folder)
        if holder is None or holder.uri is None:
            raise
        return _connect(holder.uri, api_key or read_api_key(folder))
    return _run_app(folder, lock)


def close_catalog(catalog: "CatalogOfBlueskyRuns") -> None:
    """Close the client's connections; an app inside this process ends, and the folder is free again."""
    context = catalog.context
    for folder, (app_context, lock) in list(_apps.items()):
        if app_context is context:
            del _apps[folder]
            context.close()
            lock.release()
            return
    context.close()


def open_server(where: str | Path, api_key: str | None = None) -> "CatalogOfBlueskyRuns":
    """Return the catalogue that a server serves; unlike `open_catalog` it never opens a folder by itself.

    Parameters
    ----------
    where : str or Path
        The URI of the server, or the folder of the store that it serves.
    api_key : str, optional
        As for `open_catalog`.

    Raises
    ------
    ConnectionError
        No server serves the folder.
    """
    if isinstance(where, str) and is_uri(where):
        return _connect(where, api_key)
    folder = Path(where).expanduser().resolve()
    holder = read_holder(folder)
    if holder is None or holder.uri is None:
        raise ConnectionError(f"no server serves {folder}")
    return _connect(holder.uri, api_key or read_api_key(folder))


def limit_retries() -> None:
    """Let a dead server cost seconds, not Tiled's minutes, where the site set nothing itself."""
    from tiled.client import utils

    # Tiled reads its environment once, at import, which may long have happened.
    if "TILED_RETRY_ATTEMPTS" not in os.environ:
        utils.TILED_RETRY_ATTEMPTS = 3
    if "TILED_RETRY_TIMEOUT" not in os.environ:
        utils.TILED_RETRY_TIMEOUT = 5.0


@contextmanager
def opened(where: str | Path, api_key: str | None = None, create: bool = False) -> "Iterator[CatalogOfBlueskyRuns]":
    """Open a store for the length of a ``with`` block; the parameters are those of `open_catalog`."""
    catalog = open_catalog(where, api_key, create)
    try:
        yield catalog
    finally:
        close_catalog(catalog)


def broker(where: "str | Path | CatalogOfBlueskyRuns", api_key: str | None = None) -> "Broker":
    """Return a databroker ``Broker``: ``broker("store")[-1].table()``.

    Parameters
    ----------
    where : str, Path or catalogue
        As for `open_catalog`, or a catalogue that is open already.
    api_key : str, optional
        As for `open_catalog`.
    """
    from databroker.v1 import Broker

    catalog = open_catalog(where, api_key) if isinstance(where, str | Path) else where
    # Not the caller's catalogue: ``Broker`` turns the runs of the one it is given into its own older kind.
    return Broker(_client(catalog.context))


def _run_app(folder: Path, lock: StoreLock) -> "CatalogOfBlueskyRuns":
    from tiled.client.context import Context
    from tiled.server.app import build_app_from_config

    from msc_plans.storage.tiled_patches import patch_tiled

    logging.getLogger("tiled.server.app").setLevel(logging.WARNING)  # it announces its version on stderr
    with warnings.catch_warnings():
        # That httpx will be httpx2 is for Tiled to act on.
        warnings.simplefilter("ignore")
        import starlette.testclient  # noqa: F401
    try:
        lock.note(Holder(os.getpid()))
        create_database(folder)
        patch_tiled()
        context = Context.from_app(build_app_from_config(catalog_config(folder, read_api_key(folder))))
    except BaseException:
        lock.release()
        raise
    _apps[folder] = (context, lock)
    return _client(context)


def _connect(uri: str, api_key: str | None) -> "CatalogOfBlueskyRuns":
    import httpx
    from tiled.client.context import Context

    local = urlsplit(uri).hostname in ("127.0.0.1", "localhost", "::1")
    context, _ = Context.from_any_uri(
        uri,
        api_key=api_key,
        timeout=httpx.Timeout(_TIMEOUT_S),
        trust_env=not local,  # a site's web proxy does not reach this machine's loopback
    )
    return _client(context)


def _client(context: "Context") -> "CatalogOfBlueskyRuns":
    from tiled.client.constructors import from_context
    from tiled.client.container import DEFAULT_STRUCTURE_CLIENT_DISPATCH, Container
    from tiled.utils import OneShotCachedMap

    Container.discover_clients_from_entrypoints()
    # A table of its own: ``catalog.v2``, which ``Broker`` asks for, means to change a copy but changes the
    # table itself (bluesky-tiled-plugins 2.0.12), for every client that shares it.
    shared = DEFAULT_STRUCTURE_CLIENT_DISPATCH["numpy"]
    table = OneShotCachedMap({name: partial(shared.__getitem__, name) for name in shared})
    catalog = from_context(context, structure_clients=table)  # type: ignore[arg-type]
    if not hasattr(catalog, "scan_id"):
        raise TypeError(
            f"{context.api_uri} serves no catalogue of Bluesky runs but {catalog!r}: give its root the spec "
            "CatalogOfBlueskyRuns 3.0, as msc_plans.storage.catalog_config does"
        )
    return catalog  # type: ignore[return-value]
