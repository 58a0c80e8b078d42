"""Give each request to Tiled a connection of its own to the tables."""

from functools import cached_property
from typing import Any

from msc_plans.patches import Patch, applies

__all__ = ["PATCH", "connect_each_request"]

PATCH = Patch(
    name="tiled: table connections",
    package="tiled",
    versions=">=0.2.20,<0.3",
    targets=("tiled.storage:SQLStorage._connection_pool", "tiled.storage:SQLStorage._adbc_connection"),
    kind="correctness",
    test="tests/integration/test_parallel_tables.py::test_twelve_readers_of_tables_at_once_are_all_answered",
    fault=(
        "SQLStorage._connection_pool is a StaticPool for DuckDB: all threads of the server share one ADBC "
        "connection, which executes one statement at a time. Reading a table while another thread reads or writes "
        "one fails with HTTP 500, or resets the connection. Give each checkout a clone (AdbcConnection.adbc_clone) "
        "from a QueuePool: clones share the database and have transactions of their own."
    ),
)


def connect_each_request() -> None:
    """Let Tiled, in this process, read and write DuckDB's tables in several threads at once; idempotent.

    Tiled 0.2.20 gives all threads the same connection (``StaticPool``), and a connection of DuckDB serves one statement
    at a time: reading while another thread reads or writes fails with status 500. Connections cloned from it share the
    database and have transactions of their own.
    """
    from tiled.storage import SQLStorage

    if not applies(PATCH):
        return
    pool = cached_property(_pool)
    pool.__set_name__(SQLStorage, "_connection_pool")
    SQLStorage._connection_pool = pool  # type: ignore[assignment]


def _pool(self: Any) -> Any:
    from sqlalchemy.pool import QueuePool

    # pool_size and max_overflow are 1 and 0 for DuckDB
    return QueuePool(self._adbc_connection.adbc_clone, pool_size=5, max_overflow=10)
