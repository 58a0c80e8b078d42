"""Give each request to Tiled a connection of its own to the tables."""

from functools import cached_property
from typing import Any

__all__ = ["share_tables"]


def share_tables() -> None:
    """Let Tiled, in this process, read and write DuckDB's tables in several threads at once; idempotent.

    Tiled 0.2.20 gives all threads the same connection (``StaticPool``), and a connection of DuckDB serves one statement
    at a time: reading while another thread reads or writes fails with status 500. Connections cloned from it share the
    database and have transactions of their own.
    """
    from tiled.storage import SQLStorage

    pool = cached_property(_pool)
    pool.__set_name__(SQLStorage, "_connection_pool")
    SQLStorage._connection_pool = pool  # type: ignore[assignment]


def _pool(self: Any) -> Any:
    from sqlalchemy.pool import QueuePool

    # pool_size and max_overflow are 1 and 0 for DuckDB
    return QueuePool(self._adbc_connection.adbc_clone, pool_size=5, max_overflow=10)
