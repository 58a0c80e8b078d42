"""The store: a folder with a Tiled catalogue, the server and client on it, and the writer of runs.

A folder is enough: ``open_catalog("store")`` works whether a server runs on it or not. Names are imported
from their modules when they are first asked for, so that importing this package costs next to nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .client import broker, close_catalog, open_catalog, opened
    from .config import catalog_config, read_api_key
    from .history import CatalogHistory
    from .journal import replay
    from .lock import StoreBusyError
    from .server import PortBusyError, ServerError, TiledServer
    from .writer import RunWriter

_HOMES = {
    "CatalogHistory": "history",
    "PortBusyError": "server",
    "RunWriter": "writer",
    "ServerError": "server",
    "StoreBusyError": "lock",
    "TiledServer": "server",
    "broker": "client",
    "catalog_config": "config",
    "close_catalog": "client",
    "open_catalog": "client",
    "opened": "client",
    "read_api_key": "config",
    "replay": "journal",
}

__all__ = [
    "CatalogHistory",
    "PortBusyError",
    "RunWriter",
    "ServerError",
    "StoreBusyError",
    "TiledServer",
    "broker",
    "catalog_config",
    "close_catalog",
    "open_catalog",
    "opened",
    "read_api_key",
    "replay",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOMES[name]}", __name__), name)
