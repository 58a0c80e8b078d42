"""The store: a folder with a Tiled catalogue, the server and client on it, and the writer of runs.

A folder is enough: ``open_catalog("store")`` works whether a server runs on it or not. Tiled itself is
imported by the functions that need it, so that importing this package costs next to nothing.
"""

from msc_plans.storage.campaign_history import CatalogHistory
from msc_plans.storage.client import broker, close_catalog, open_catalog, opened
from msc_plans.storage.config import catalog_config, read_api_key
from msc_plans.storage.ingest import Ingest
from msc_plans.storage.lock import StoreBusyError
from msc_plans.storage.run_writer import JournalError, RunWriter
from msc_plans.storage.server import PortBusyError, ServerError, TiledServer
from msc_plans.storage.verify import RunReport, replay, verify

__all__ = [
    "CatalogHistory",
    "Ingest",
    "JournalError",
    "PortBusyError",
    "RunReport",
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
