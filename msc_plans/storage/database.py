"""Where a store's metadata and tables are: SQLite and DuckDB in its folder, or PostgreSQL by ``store.toml`` in it.

::

    postgresql = "postgresql://msc@db.example.org/msc"
    processes = 4

With PostgreSQL several server processes share the work; DuckDB lets one process write.
"""

import json
import os
import tomllib
import warnings
from concurrent.futures import ThreadPoolExecutor
from contextlib import redirect_stderr
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from urllib.parse import urlsplit

import psutil

__all__ = ["Database", "create_database", "holds_store", "read_ahead", "read_database", "write_database"]

_FILE = "store.toml"
_BLOCK = 1 << 20


@dataclass(frozen=True)
class Database:
    """What ``store.toml`` says; the defaults hold where there is none.

    Raises
    ------
    ValueError
        The URI isn't that of a PostgreSQL database, or holds a password, or the number of processes is out of range.
    """

    postgresql: str = ""
    """URI of the database; empty: SQLite and DuckDB in the folder."""
    processes: int = 1
    """That serve it; more than 1 with PostgreSQL only."""

    def __post_init__(self) -> None:
        if type(self.processes) is not int or not 1 <= self.processes <= 64:
            raise ValueError(f"processes = {self.processes!r} must be a whole number from 1 to 64")
        if not self.postgresql:
            if self.processes > 1:
                raise ValueError(
                    f"processes = {self.processes} needs PostgreSQL: DuckDB lets one process write to a store"
                )
            return
        parts = urlsplit(str(self.postgresql))
        if parts.password is not None:
            raise ValueError("the URI of the database holds a password; put it into ~/.pgpass, or PGPASSWORD")
        if parts.scheme != "postgresql" or not parts.hostname or len(parts.path) < 2 or parts.query or parts.fragment:
            raise ValueError(
                f"postgresql = {self.postgresql!r} is not like postgresql://USER@HOST:PORT/DATABASE (what else libpq "
                "is to know, such as PGSSLMODE, it takes from the environment)"
            )


def read_database(folder: Path) -> Database:
    """Return where the store in `folder` has its database.

    Raises
    ------
    ValueError
        ``store.toml`` can't be read, or asks for something that can't be done.
    """
    path = folder / _FILE
    try:
        said = tomllib.loads(path.read_text(encoding="utf-8"))
        if set(said) - {"postgresql", "processes"}:
            raise ValueError(f"may say postgresql and processes, and says {', '.join(said)}")
        return Database(**said)
    except FileNotFoundError:
        return Database()
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def write_database(folder: Path, database: Database) -> None:
    """Let the store in `folder` have its database there from now on; its tables are made where missing.

    Raises
    ------
    ValueError
        The folder has a store in another database.
    ConnectionError
        The PostgreSQL database does not answer, or refuses.
    """
    known = read_database(folder)
    if holds_store(folder) and known.postgresql != database.postgresql:
        where = known.postgresql or f"SQLite, {folder / 'catalog.db'}"
        raise ValueError(
            f"{folder} holds a store already, in {where}; take another folder, and bring its runs there with msc replay"
        )
    if not database.postgresql:
        return
    _create_in_postgresql(database.postgresql)
    text = f"postgresql = {json.dumps(database.postgresql)}\nprocesses = {database.processes}\n"
    (folder / _FILE).write_text(text, encoding="utf-8")


def holds_store(folder: Path) -> bool:
    """Return whether there is a store in `folder`: a catalogue in SQLite, or the name of one in PostgreSQL."""
    return (folder / "catalog.db").exists() or (folder / _FILE).exists()


def read_ahead(folder: Path) -> None:
    """Bring SQLite's catalogue into the memory in which the system keeps files, if that is not scarce.

    A search walks over all runs: page by page from a disk that takes longer than the whole file in one go.
    """
    path = folder / "catalog.db"
    try:
        with path.open("rb", buffering=0) as file:
            if os.fstat(file.fileno()).st_size > psutil.virtual_memory().available / 2:
                return
            block = bytearray(_BLOCK)
            while file.readinto(block):
                pass
    except OSError:
        return  # whoever needs it will say so


def create_database(folder: Path) -> None:
    """Create the store's catalogue where there is none.

    Tiled's own ``init_if_not_exists`` starts a process for it, each time: five seconds of imports.

    Raises
    ------
    ConnectionError
        The PostgreSQL database does not answer, or refuses.
    """
    postgresql = read_database(folder).postgresql
    if postgresql:
        _create_in_postgresql(postgresql)
        return
    database = folder / "catalog.db"
    if database.exists():
        return
    # Under another name until it is complete: a start that dies here must not leave half a catalogue.
    unfinished = folder / "catalog.db.new"
    unfinished.unlink(missing_ok=True)
    _initialize(f"sqlite:///{unfinished}")
    unfinished.rename(database)


def _create_in_postgresql(uri: str) -> None:
    try:
        _initialize(uri)
    except Exception as error:  # the network, asyncpg and SQLAlchemy each raise their own
        raise ConnectionError(f"the store's database {uri} can't be opened: {error}") from error


def _initialize(uri: str) -> None:
    from tiled.commandline._catalog import init

    with redirect_stderr(StringIO()), ThreadPoolExecutor(1) as executor, warnings.catch_warnings():
        # Alembic's, on a setting that is Tiled's to make.
        warnings.filterwarnings("ignore", "No path_separator found", DeprecationWarning)
        # In a thread of its own: it runs an event loop, and a notebook's main thread has one already.
        executor.submit(init, uri, if_not_exists=True).result()
