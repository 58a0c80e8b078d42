"""The store without a server: folder, lock, journals, and the writer on a catalogue that is made up."""

import json
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from event_model import compose_run

from msc_plans.storage.config import catalog_config, prepare_folder, read_api_key
from msc_plans.storage.ingest import Ingest
from msc_plans.storage.journal import Journal, is_written, journals, read_journal, stored_journals
from msc_plans.storage.lock import Holder, StoreBusyError, StoreLock, read_holder
from msc_plans.storage.run_writer import RunWriter
from msc_plans.storage.server import PortBusyError, TiledServer, listen
from tests.conftest import wait_until

Documents = list[tuple[str, dict[str, Any]]]


def run_documents(events: int = 1, **metadata: Any) -> Documents:
    """The documents of a whole run with `events` events."""
    run = compose_run(metadata=metadata)
    documents: Documents = [("start", dict(run.start_doc))]
    keys = {
        "counts": {"dtype": "array", "shape": [4], "source": "made up"},
        "bad": {"dtype": "number", "shape": [], "source": "made up"},
    }
    stream = run.compose_descriptor(name="primary", data_keys=keys)
    documents.append(("descriptor", dict(stream.descriptor_doc)))
    for _ in range(events):
        data = {"counts": np.arange(4.0), "bad": float("nan")}
        event = stream.compose_event(data=data, timestamps=dict.fromkeys(keys, 0.0))
        documents.append(("event", dict(event)))
    documents.append(("stop", dict(run.compose_stop())))
    return documents


class MadeUpCatalog(dict):
    """In the place of a catalogue: keeps the documents of each run, fails where told."""

    def __init__(self) -> None:
        self.refuse: str | None = None
        self.deleted: list[str] = []

    def write(self, name: str, doc: dict[str, Any]) -> None:
        if name == self.refuse:
            raise ConnectionError("the server is dead")
        if name == "start":
            self.run = self[doc["uid"]] = SimpleNamespace(documents=[], metadata={})
        self.run.documents.append((name, doc))
        self.run.metadata[name] = doc

    def delete_contents(self, uid: str, **_: Any) -> None:
        self.deleted.append(uid)
        del self[uid]


@pytest.fixture
def catalog(monkeypatch: pytest.MonkeyPatch) -> MadeUpCatalog:
    made_up = MadeUpCatalog()
    monkeypatch.setattr("msc_plans.storage.ingest.tiled_writer", lambda catalog, **_: catalog.write)
    monkeypatch.setattr(
        "msc_plans.storage.complete_runs.runs_by_uid",
        lambda catalog, uids: {uid: catalog[uid] for uid in uids if uid in catalog},
    )
    monkeypatch.setattr("msc_plans.storage.ingest.close_catalog", lambda catalog: None)
    return made_up


@pytest.fixture
def told() -> list[dict[str, Any]]:
    return []


@pytest.fixture
def ingest(tmp_path: Path, catalog: MadeUpCatalog, told: list[dict[str, Any]]) -> Ingest:
    return Ingest(tmp_path, lambda: catalog, told.append)


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[RunWriter]:
    """On a folder that no server serves: all stays in the journals."""
    run_writer = RunWriter(tmp_path / "store", tmp_path / "journal")
    yield run_writer
    run_writer.close(timeout=20)


def feed(writer: Any, documents: Documents) -> None:
    for name, doc in documents:
        writer(name, doc)


def journalled(folder: Path, documents: Documents) -> Journal:
    """The documents in a journal that is still open."""
    journal = Journal(folder, documents[0][1]["uid"])
    for name, doc in documents:
        journal.append(Journal.line(name, doc))
    return journal


def names(documents: Documents) -> list[str]:
    return [name for name, _ in documents]


def test_importing_the_package_imports_neither_tiled_nor_a_server():
    code = "import sys, msc_plans.storage; print({'tiled', 'bluesky', 'uvicorn'} & set(sys.modules))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "set()"


def test_config_names_the_folders_and_the_extensions(tmp_path: Path):
    folder = prepare_folder(tmp_path / "store")
    config = catalog_config(folder, "key")
    arguments = config["trees"][0]["args"]
    assert arguments["uri"] == f"sqlite:///{folder}/catalog.db"
    assert arguments["writable_storage"] == [f"file://{folder}/data", f"duckdb:///{folder}/tables.duckdb"]
    assert arguments["readable_storage"] == [f"file://{folder}/frames"]
    assert arguments["specs"] == [{"name": "CatalogOfBlueskyRuns", "version": "3.0"}]
    assert config["routers"] == ["bluesky_tiled_plugins.routers.validator:router"]
    assert "application/json-seq" in config["media_types"]["BlueskyRun"]
    assert config["authentication"] == {"single_user_api_key": "key", "allow_anonymous_access": False}
    assert {path.name for path in folder.iterdir()} == {"data", "frames", "journal"}


def test_the_key_is_made_once_and_private(tmp_path: Path):
    key = read_api_key(tmp_path)
    assert len(key) == 64
    assert read_api_key(tmp_path) == key
    assert stat.S_IMODE((tmp_path / "api_key").stat().st_mode) == 0o600


def test_a_damaged_key_is_refused(tmp_path: Path):
    (tmp_path / "api_key").write_text("")
    with pytest.raises(ValueError, match=r"api_key holds no alphanumeric key; delete it"):
        read_api_key(tmp_path)


def test_the_second_lock_is_refused_and_names_the_holder(tmp_path: Path):
    lock = StoreLock(tmp_path)
    lock.note(Holder(1234567, "http://127.0.0.1:8010"))
    with pytest.raises(StoreBusyError, match=r"process 1234567, a Tiled server at http://127\.0\.0\.1:8010"):
        StoreLock(tmp_path)
    lock.release()
    lock.release()
    StoreLock(tmp_path).release()


@pytest.mark.parametrize("content", ["", "[1]", '{"pid": 1, "colour": 2}'])
def test_a_holder_that_says_nothing_readable_is_none(tmp_path: Path, content: str):
    (tmp_path / "store.lock").write_text(content)
    assert read_holder(tmp_path) is None


def test_an_occupied_port_is_refused_before_anything_starts(tmp_path: Path):
    with listen(0) as occupied:
        port = occupied.getsockname()[1]
        server = TiledServer(tmp_path, port)
        with pytest.raises(PortBusyError, match=rf"cannot listen on 127\.0\.0\.1:{port}: .* 0 for a free one"):
            server.start()
        assert server.pid is None
    StoreLock(tmp_path).release()


def test_a_busy_store_is_refused_before_anything_starts(tmp_path: Path):
    lock = StoreLock(tmp_path)
    server = TiledServer(tmp_path)
    with pytest.raises(StoreBusyError, match="is open already"):
        server.start()
    assert server.pid is None
    lock.release()


def test_journal_lines_hold_arrays_and_nan(tmp_path: Path):
    journal = journalled(tmp_path, run_documents())
    journal.close()
    documents = read_journal(journal.path)
    assert names(documents) == ["start", "descriptor", "event", "stop"]
    assert documents[2][1]["data"]["counts"] == [0.0, 1.0, 2.0, 3.0]
    assert np.isnan(documents[2][1]["data"]["bad"])


def test_what_json_does_not_know_becomes_text():
    line = Journal.line("start", {"path": Path("/a/b"), "n": np.int64(3), "ok": np.bool_(True)})
    assert json.loads(line)["doc"] == {"path": "/a/b", "n": 3, "ok": True}


def test_a_last_line_cut_short_is_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    path = tmp_path / "a.jsonl"
    path.write_text('{"name": "start", "doc": {"uid": "a"}}\n{"name": "descr')
    assert read_journal(path) == [("start", {"uid": "a"})]
    assert "the last line (2) is cut short" in caplog.text


def test_damage_in_the_middle_and_a_missing_start_are_refused(tmp_path: Path):
    path = tmp_path / "a.jsonl"
    path.write_text('{"name": "start", "doc": {}}\nrubbish\n{"name": "stop", "doc": {}}\n')
    with pytest.raises(ValueError, match=r"a\.jsonl, line 2, isn't a document: 'rubbish'"):
        read_journal(path)
    path.write_text('{"name": "stop", "doc": {}}\n')
    with pytest.raises(ValueError, match="does not begin with a start document"):
        read_journal(path)


def test_a_journal_stays_in_its_folder_whatever_the_uid(tmp_path: Path):
    (tmp_path / "journal").mkdir()
    journal = Journal(tmp_path / "journal", "../../etc/passwd")
    journal.close()
    assert [path.name for path in journals(tmp_path / "journal")] == ["..%2F..%2Fetc%2Fpasswd.jsonl"]


# -- journals into a catalogue


def test_a_run_is_stored_as_it_grows_and_its_journal_kept(
    tmp_path: Path, ingest: Ingest, catalog: MadeUpCatalog, told: list[dict[str, Any]]
):
    documents = run_documents(events=2)
    journal = journalled(tmp_path, documents[:3])
    uid = documents[0][1]["uid"]
    assert ingest.step()
    assert names(catalog[uid].documents) == ["start", "descriptor", "event"]
    assert not ingest.step()
    for name, doc in documents[3:]:
        journal.append(Journal.line(name, doc))
    assert ingest.step()
    journal.close()
    assert (ingest.left, journals(tmp_path)) == (0, [])
    (kept,) = stored_journals(tmp_path)
    assert names(read_journal(kept)) == names(catalog[uid].documents) == names(documents)
    assert told == [{"run": uid, "stored": 3, "done": False}, {"run": uid, "stored": 5, "done": True}]


@pytest.mark.parametrize("refused", ["start", "descriptor", "event", "stop"])
def test_a_run_that_fails_anywhere_is_written_anew(
    tmp_path: Path, ingest: Ingest, catalog: MadeUpCatalog, told: list[dict[str, Any]], refused: str
):
    catalog.refuse = refused
    documents = run_documents(events=3)
    uid = documents[0][1]["uid"]
    journalled(tmp_path, documents).close()
    assert not ingest.step()
    assert told == [{"trouble": f"run {uid} can't be stored (ConnectionError: the server is dead)"}]
    assert names(read_journal(journals(tmp_path)[0])) == names(documents)
    catalog.refuse = None
    wait_until(ingest.step, what="another try")
    assert names(catalog[uid].documents) == names(documents)
    assert catalog.deleted == ([] if refused == "start" else [uid])
    assert told[1:] == [
        {"fine": "all runs are in the catalogue again"}, {"run": uid, "stored": len(documents), "done": True},
    ]  # fmt: skip


def test_what_an_earlier_process_left_is_stored_once(tmp_path: Path, ingest: Ingest, catalog: MadeUpCatalog):
    whole, part, other = (run_documents() for _ in range(3))
    for documents in (whole, part, other):
        journalled(tmp_path, documents).close()
    feed(catalog.write, whole)
    feed(catalog.write, part[:2])
    assert ingest.step()
    assert catalog.deleted == [part[0][1]["uid"]]
    assert [names(catalog[doc[0][1]["uid"]].documents) for doc in (whole, part, other)] == [names(whole)] * 3
    assert (len(list(stored_journals(tmp_path))), ingest.left) == (3, 0)


def test_a_run_whose_writer_died_is_stored_as_far_as_it_went(tmp_path: Path, ingest: Ingest, catalog: MadeUpCatalog):
    documents = run_documents()[:3]
    journal = journalled(tmp_path, documents)
    assert ingest.step()
    threading.Event().wait(1.1)
    ingest.step()
    assert ingest.left == 1, "its writer is alive"
    journal.close()
    wait_until(lambda: not ingest.step() and not ingest.left, what="the end of a run that nobody writes")
    assert names(catalog[documents[0][1]["uid"]].documents) == ["start", "descriptor", "event"]


def test_a_dead_catalogue_is_said_once_and_again_after_it_was_back(
    tmp_path: Path, ingest: Ingest, catalog: MadeUpCatalog, told: list[dict[str, Any]]
):
    def troubles() -> int:
        return sum("trouble" in one for one in told)

    for outage in (1, 2):
        catalog.refuse = "start"
        for _ in range(3):
            journalled(tmp_path, run_documents()).close()
        for _ in range(3):
            ingest.step()
        assert troubles() == outage
        catalog.refuse = None
        wait_until(lambda: not ingest.step() and not ingest.left, what="the catch-up")
    assert (troubles(), len(catalog)) == (2, 6)


def test_a_catalogue_that_can_not_be_reached_leaves_the_journals(tmp_path: Path, told: list[dict[str, Any]]):
    def refuse() -> Any:
        raise ConnectionError("no server serves it")

    ingest = Ingest(tmp_path, refuse, told.append)
    journalled(tmp_path, run_documents()).close()
    assert not ingest.step()
    assert not ingest.step()
    assert told == [{"trouble": "the catalogue does not answer (ConnectionError: no server serves it)"}]
    assert len(journals(tmp_path)) == 1


# -- documents into journals


def test_a_document_is_in_its_journal_when_the_call_returns(writer: RunWriter):
    raw, analysis = run_documents(events=2), run_documents(purpose="analysis")
    paths = [writer.folder / f"{documents[0][1]['uid']}.jsonl" for documents in (raw, analysis)]
    for number, (name, doc) in enumerate(raw[:3], start=1):
        writer(name, doc)
        assert len(read_journal(paths[0])) == number
    feed(writer, analysis)
    feed(writer, raw[3:])
    raw[2][1]["data"]["counts"][:] = -1
    assert [names(read_journal(path)) for path in paths] == [names(raw), names(analysis)]
    assert read_journal(paths[0])[2][1]["data"]["counts"] == [0.0, 1.0, 2.0, 3.0]
    assert writer.pending == 9
    assert not writer.flush(0.01)


def test_settling_waits_for_what_a_dead_process_left_but_not_for_what_another_still_writes(writer: RunWriter):
    left, growing = (journalled(writer.folder, run_documents()) for _ in range(2))
    left.close()
    assert writer.flush(0.01), "it has nothing of its own"
    assert not writer.settle(stalled_s=0.2)
    left.path.unlink()
    assert writer.settle(stalled_s=0.2)
    growing.close()


def test_what_was_emitted_survives_a_kill(tmp_path: Path):
    code = (
        "import os, sys; from tests.unit.storage.test_storage import run_documents\n"
        "from msc_plans.storage import RunWriter\n"
        "writer = RunWriter(sys.argv[1], sys.argv[2])\n"
        "for name, doc in run_documents(events=50)[:40]: writer(name, doc)\n"
        "os.kill(os.getpid(), 9)"
    )
    killed = subprocess.run([sys.executable, "-c", code, tmp_path / "store", tmp_path / "journal"], check=False)
    assert killed.returncode == -9
    (path,) = journals(tmp_path / "journal")
    assert len(read_journal(path)) == 40
    wait_until(lambda: not is_written(path), what="the end of the lock")


# The kernel refuses to let any file of the process grow beyond a size: in a process of its own, as pytest writes, too.
FULL_DISK = """
import logging, resource, sys
from pathlib import Path
from msc_plans.storage import JournalError, RunWriter
from msc_plans.storage.journal import journals, read_journal
from tests.conftest import wait_until
from tests.unit.storage.test_storage import feed, names, run_documents

def limit(size):
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

writer = RunWriter(sys.argv[1], sys.argv[2])
documents, refused = run_documents(events=9), run_documents()
path = writer.folder / f"{documents[0][1]['uid']}.jsonl"
feed(writer, documents[:4])
limit(path.stat().st_size + 10)
feed(writer, documents[4:-1])
assert len(read_journal(path)) == 4
try:
    writer(*refused[0])
except JournalError as error:
    print(error)
feed(writer, refused[1:])
limit(resource.RLIM_INFINITY)
wait_until(lambda: len(read_journal(path)) == len(documents) - 1, what="the journal to catch up")
feed(writer, documents[-1:])
assert names(read_journal(path)) == names(documents)
feed(writer, run_documents())
assert len([one for one in journals(writer.folder) if one.stat().st_size]) == 2
writer.close(timeout=20)
"""


def test_a_full_disk_refuses_new_runs_and_loses_nothing_of_those_under_way(tmp_path: Path):
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, tmp_path / "store", tmp_path / "journal"],
        capture_output=True, text=True, check=False, cwd=Path(__file__).parents[3],
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "journal can't be written (File too large), and nothing would be kept of this run. Make room" in done.stdout
    assert done.stderr.count("what is measured is kept in memory; make room") == 1


def test_closing_leaves_what_is_not_stored_and_says_so(writer: RunWriter, caplog: pytest.LogCaptureFixture):
    whole, part = run_documents(), run_documents()[:3]
    feed(writer, whole)
    feed(writer, part)
    writer.close(timeout=20)
    writer.close()
    assert {len(read_journal(path)) for path in journals(writer.folder)} == {3, 4}
    assert not any(is_written(path) for path in journals(writer.folder))
    assert "2 runs are not in the catalogue yet and stay in" in caplog.text
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("run-writer")]


def test_a_document_after_closing_or_of_no_run_does_not_raise(writer: RunWriter, caplog: pytest.LogCaptureFixture):
    writer("event", {"descriptor": "unheard of"})
    assert "a 'event' document of no run that began here is not stored" in caplog.text
    writer.close(timeout=20)
    writer("start", {"uid": "late"})
    assert "'start' document came after the writer was closed" in caplog.text
