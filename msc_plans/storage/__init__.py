"""The store: a folder with a Tiled catalogue, the server and client on it, and the writer of runs.

A folder is enough: ``open_catalog("store")`` works whether a server runs on it or not. Tiled itself is
imported by the functions that need it, so that importing this package costs next to nothing.
"""

from .client import broker, close_catalog, open_catalog, opened
from .config import catalog_config, read_api_key
from .history import CatalogHistory
from .ingest import Ingest
from .lock import StoreBusyError
from .server import PortBusyError, ServerError, TiledServer
from .verify import Report, replay, verify
from .writer import JournalError, RunWriter

__all__ = [
    "CatalogHistory",
    "Ingest",
    "JournalError",
    "PortBusyError",
    "Report",
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
    "verify",
]
