"""A store in PostgreSQL, and the processes that serve it; reading and verifying are tested on both kinds of store."""

import os
import signal
from contextlib import closing
from typing import Any

import psutil
import pytest

from msc_plans.cli import main
from msc_plans.storage import RunWriter, TiledServer, opened, verify
from msc_plans.storage.database import Database, write_database
from msc_plans.storage.journal import stored_journals
from tests.conftest import wait_until
from tests.unit.storage.test_storage import run_documents

pytestmark = pytest.mark.long


@pytest.fixture
def folder(tmp_path, postgresql_server):
    write_database(tmp_path, Database(postgresql_server.create(tmp_path.name), processes=2))
    return tmp_path


def serving(server):
    """The processes that serve, without the one that looks after them."""
    try:
        return {child.pid for child in psutil.Process(server.pid).children()} if server.pid else set()
    except psutil.NoSuchProcess:
        return set()


def stored(folder, events):
    with closing(RunWriter(folder, folder / "journal")) as writer:
        documents = list(run_documents(events))
        for name, document in documents:
            writer(name, document)
        assert writer.flush(30)
    return documents[0][1]["uid"]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # Tiled's own, where its app runs in this process
def test_a_process_that_dies_is_replaced_and_what_is_written_meanwhile_is_stored(folder):
    with TiledServer(folder) as server:
        first = stored(folder, 3)
        before = serving(server)
        assert len(before) == 2
        os.kill(min(before), signal.SIGKILL)
        second = stored(folder, 5)
        wait_until(lambda: len(serving(server)) == 2, what="another process")
        assert len(serving(server) & before) == 1
        after = serving(server)
    assert not any(psutil.pid_exists(pid) for pid in after)
    catalog: Any
    with opened(folder) as catalog:  # without a server
        assert [run.metadata["start"]["uid"] for run in catalog.values()] == [first, second]
        reports = [verify(catalog, journal) for journal in stored_journals(folder / "journal")]
        assert {report.uid: report.problems for report in reports} == {first: [], second: []}
        assert catalog[second]["primary"].read()["counts"].shape == (5, 4)


def test_the_serving_processes_go_with_the_one_that_looks_after_them_and_it_is_replaced(folder):
    with TiledServer(folder) as server:
        before = server.pid, serving(server)
        assert server.pid
        os.kill(server.pid, signal.SIGKILL)
        stored(folder, 2)
        assert server.pid != before[0]
        assert not serving(server) & before[1]
        assert not any(psutil.pid_exists(pid) for pid in before[1])


def test_a_database_that_is_away_for_a_while_gets_what_waited_and_its_tables_are_read_again(folder, postgresql_server):
    with TiledServer(folder), closing(RunWriter(folder, folder / "journal")) as writer:
        first, second = run_documents(3), run_documents(3)
        for name, document in first:
            writer(name, document)
        assert writer.flush(30)
        postgresql_server.stop()
        try:
            for name, document in second:
                writer(name, document)
            wait_until(lambda: bool(writer.trouble), what="the writer says that it can't store")
        finally:
            postgresql_server.start()
        assert writer.flush(60)
        for documents in (first, second):
            with opened(folder) as catalog:
                counts = catalog[documents[0][1]["uid"]]["primary"].read()["counts"]
                assert counts.shape == (3, 4)


def test_msc_tiled_refuses_what_can_not_be(tmp_path, capsys):
    assert main(["tiled", "--store", str(tmp_path / "one"), "--processes", "2"]) == 2
    assert "processes = 2 needs PostgreSQL" in capsys.readouterr().err
    uri = "postgresql://msc@127.0.0.1:1/clusters"
    assert main(["tiled", "--store", str(tmp_path / "two"), "--postgresql", uri]) == 2
    assert f"the store's database {uri} can't be opened" in capsys.readouterr().err
