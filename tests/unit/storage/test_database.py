"""Where a store has its database: ``store.toml``."""

import ctypes
import mmap
import os
import socket
from types import SimpleNamespace

import psutil
import pytest

from msc_plans.storage import database
from msc_plans.storage.config import catalog_config
from msc_plans.storage.database import Database, create_database, holds_store, read_ahead, read_database, write_database

URI = "postgresql://msc@db.example.org:5433/clusters"


def test_a_folder_without_the_file_has_its_own(tmp_path):
    assert read_database(tmp_path) == Database("", 1)
    assert not holds_store(tmp_path)


def test_what_is_written_is_read_and_taken_for_catalogue_and_tables(tmp_path, monkeypatch):
    made = []
    monkeypatch.setattr(database, "_initialize", made.append)
    write_database(tmp_path, Database(URI, 3))
    assert made == [URI]
    assert read_database(tmp_path) == Database(URI, 3)
    assert holds_store(tmp_path)
    tree = catalog_config(tmp_path)["trees"][0]["args"]
    assert tree["uri"] == URI
    assert tree["writable_storage"] == [(tmp_path / "data").as_uri(), URI]
    write_database(tmp_path, Database(URI, 2))
    assert read_database(tmp_path).processes == 2, "more or fewer processes may serve what is there"


@pytest.mark.parametrize(
    ("uri", "why"),
    [
        ("postgresql://msc:secret@db/clusters", "holds a password; put it into"),
        ("mysql://db/clusters", "is not like postgresql://USER@HOST:PORT/DATABASE"),
        ("postgresql://db", "is not like"),
        ("postgresql:///clusters", "is not like"),
        ("postgresql://db/clusters?sslmode=require", "PGSSLMODE"),
    ],
)
def test_another_uri_is_refused_and_a_password_is_not_repeated(uri, why):
    with pytest.raises(ValueError, match=why) as raised:
        Database(uri)
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize("number", [0, 65, 1.5, "2", True])
def test_a_number_of_processes_that_makes_no_sense_is_refused(number):
    with pytest.raises(ValueError, match="must be a whole number from 1 to 64"):
        Database(URI, number)


def test_several_processes_need_postgresql():
    with pytest.raises(ValueError, match=r"processes = 2 needs PostgreSQL: DuckDB lets one process write"):
        Database(processes=2)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("postgresql = 3 4", r"store\.toml: "),
        (f'postgresql = "{URI}"\nhost = "db"', "may say postgresql and processes, and says postgresql, host"),
        ("postgresql = 5", r"store\.toml: postgresql = 5 is not like"),
        ("processes = 4", r"store\.toml: processes = 4 needs PostgreSQL"),
    ],
)
def test_a_file_that_says_something_else_is_refused(tmp_path, text, why):
    (tmp_path / "store.toml").write_text(text)
    with pytest.raises(ValueError, match=why):
        read_database(tmp_path)


def test_a_store_stays_where_it_is(tmp_path):
    (tmp_path / "catalog.db").touch()
    with pytest.raises(ValueError, match=r"holds a store already, in SQLite, .*catalog\.db; take another folder"):
        write_database(tmp_path, Database(URI))
    assert not (tmp_path / "store.toml").exists()


def test_nothing_is_written_of_the_folder_s_own(tmp_path):
    write_database(tmp_path, Database())
    assert not holds_store(tmp_path)


def test_a_database_that_does_not_answer_is_named_and_not_taken(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    uri = f"postgresql://msc@127.0.0.1:{port}/clusters"
    says = f"the store's database {uri} can't be opened: "
    with pytest.raises(ConnectionError, match=says):
        write_database(tmp_path, Database(uri))
    assert not holds_store(tmp_path)
    (tmp_path / "store.toml").write_text(f'postgresql = "{uri}"')
    with pytest.raises(ConnectionError, match=says):
        create_database(tmp_path)


def in_memory(path):
    """How many of a file's pages the system keeps in memory; to read one would bring it there."""
    size = path.stat().st_size
    pages = (ctypes.c_ubyte * -(-size // mmap.PAGESIZE))()
    with path.open("r+b") as file, mmap.mmap(file.fileno(), size) as mapped:
        first = ctypes.c_char.from_buffer(mapped)
        assert ctypes.CDLL(None, use_errno=True).mincore(ctypes.byref(first), ctypes.c_size_t(size), pages) == 0
        del first
    return sum(page & 1 for page in pages)


def forget(path):
    with path.open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    if in_memory(path):
        pytest.skip("this file system keeps its files in memory")


def test_the_catalogue_is_brought_into_memory_before_it_is_searched(tmp_path):
    catalog = tmp_path / "catalog.db"
    catalog.write_bytes(bytes(3_000_000))
    forget(catalog)
    read_ahead(tmp_path)
    assert in_memory(catalog) == -(-3_000_000 // mmap.PAGESIZE)


def test_a_catalogue_that_would_fill_the_memory_is_left_where_it_is(tmp_path, monkeypatch):
    catalog = tmp_path / "catalog.db"
    catalog.write_bytes(bytes(3_000_000))
    forget(catalog)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=4_000_000))
    read_ahead(tmp_path)
    assert not in_memory(catalog)


def test_no_catalogue_is_none_to_read(tmp_path):
    read_ahead(tmp_path)
    assert not holds_store(tmp_path)
