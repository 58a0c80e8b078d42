"""Where a store has its database: ``store.toml``."""

import socket

import pytest

from msc_plans.storage import database
from msc_plans.storage.config import catalog_config
from msc_plans.storage.database import Database, create_database, holds_store, read_database, write_database

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
    with pytest.raises(ValueError, match="is no number from 1 to 64"):
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
