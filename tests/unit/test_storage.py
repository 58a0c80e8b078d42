"""The store without a server: folder, lock, journals, and the writer on a catalogue that is made up."""

import json
import logging
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from event_model import compose_run

from msc_plans.storage.config import catalog_config, prepare_folder, read_api_key
from msc_plans.storage.journal import Journal, read_journal, replay
from msc_plans.storage.lock import Holder, StoreBusyError, StoreLock, read_holder
from msc_plans.storage.server import PortBusyError, TiledServer, listen
from msc_plans.storage.writer import RunWriter

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


class MadeUpTiled:
    """In the place of the TiledWriter of each run: keeps the documents, fails or waits where told."""

    def __init__(self) -> None:
        self.documents: Documents = []
        self.refuse: str | None = None
        self.may_go_on = threading.Event()
        self.may_go_on.set()

    def __call__(self, name: str, doc: dict[str, Any]) -> None:
        assert self.may_go_on.wait(10)
        if name == self.refuse:
            raise ConnectionError("the server is dead")
        self.documents.append((name, doc))


@pytest.fixture
def tiled(monkeypatch: pytest.MonkeyPatch) -> MadeUpTiled:
    made_up = MadeUpTiled()
    monkeypatch.setattr(RunWriter, "_tiled_writer", lambda self: made_up)
    return made_up


@pytest.fixture
def writer(tmp_path: Path, tiled: MadeUpTiled) -> Iterator[RunWriter]:
    run_writer = RunWriter(None, tmp_path)  # type: ignore[arg-type]
    yield run_writer
    tiled.may_go_on.set()
    run_writer.close()


def feed(writer: RunWriter, documents: Documents) -> None:
    for name, doc in documents:
        writer(name, doc)


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
    assert config["authentication"] == {"single_user_api_key": "key"}
    assert {path.name for path in folder.iterdir()} == {"data", "frames", "backup"}


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
    journal = Journal(tmp_path, "abc")
    for name, doc in run_documents():
        journal.append(Journal.line(name, doc))
    journal.close(keep=True)
    documents = read_journal(tmp_path / "abc.jsonl")
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
    with pytest.raises(ValueError, match=r"a\.jsonl, line 2, is no document: 'rubbish'"):
        read_journal(path)
    path.write_text('{"name": "stop", "doc": {}}\n')
    with pytest.raises(ValueError, match="does not begin with a start document"):
        read_journal(path)
    with pytest.raises(ValueError, match="does not begin with a start document"):
        replay(None, tmp_path)  # type: ignore[arg-type]


def test_a_run_still_being_written_is_not_replayed(tmp_path: Path, writer: RunWriter):
    feed(writer, run_documents()[:2])
    assert replay(None, tmp_path) == 0  # type: ignore[arg-type]
    assert len(list(tmp_path.glob("*.jsonl"))) == 1


def test_a_stored_run_leaves_no_journal(tmp_path: Path, writer: RunWriter, tiled: MadeUpTiled):
    feed(writer, run_documents(events=2))
    assert writer.flush(10)
    assert names(tiled.documents) == ["start", "descriptor", "event", "event", "stop"]
    assert (writer.pending, writer.failed, list(tmp_path.iterdir())) == (0, 0, [])


@pytest.mark.parametrize("refused", ["start", "descriptor", "event", "stop"])
def test_a_run_that_fails_anywhere_stays_whole_in_its_journal(
    tmp_path: Path, writer: RunWriter, tiled: MadeUpTiled, refused: str
):
    tiled.refuse = refused
    documents = run_documents(events=3)
    feed(writer, documents)
    assert writer.flush(10)
    kept = read_journal(tmp_path / f"{documents[0][1]['uid']}.jsonl")
    assert names(kept) == names(documents)
    assert [doc.get("uid") for _, doc in kept] == [doc.get("uid") for _, doc in documents]
    assert "stop" not in names(tiled.documents)
    assert writer.failed == 1


def test_runs_that_overlap_fail_apart(tmp_path: Path, writer: RunWriter, tiled: MadeUpTiled):
    raw, analysis = run_documents(events=2), run_documents(purpose="analysis")
    feed(writer, raw[:3])
    assert writer.flush(10)
    tiled.refuse = "event"
    feed(writer, analysis[:3])
    assert writer.flush(10)
    tiled.refuse = None
    feed(writer, [raw[3], analysis[3], raw[4]])
    assert writer.flush(10)
    assert [path.stem for path in tmp_path.iterdir()] == [analysis[0][1]["uid"]]


def test_one_warning_for_an_outage(writer: RunWriter, tiled: MadeUpTiled, caplog: pytest.LogCaptureFixture):
    def warnings() -> int:
        return sum(record.levelno == logging.WARNING for record in caplog.records)

    tiled.refuse = "start"
    for _ in range(3):
        feed(writer, run_documents())
    assert writer.flush(10)
    assert (warnings(), writer.failed) == (1, 3)
    assert "ConnectionError: the server is dead" in caplog.text
    assert "bring it in with replay" in caplog.text
    tiled.refuse = None
    feed(writer, run_documents())
    assert writer.flush(10)
    tiled.refuse = "start"
    feed(writer, run_documents())
    assert writer.flush(10)
    assert warnings() == 2


def test_a_document_changed_later_is_stored_as_it_was(writer: RunWriter, tiled: MadeUpTiled):
    tiled.may_go_on.clear()
    documents = run_documents()
    feed(writer, documents[:3])
    documents[2][1]["data"]["counts"][:] = -1
    tiled.may_go_on.set()
    assert writer.flush(10)
    assert tiled.documents[2][1]["data"]["counts"] == [0.0, 1.0, 2.0, 3.0]


def test_a_call_does_not_wait_for_the_catalogue(writer: RunWriter, tiled: MadeUpTiled):
    tiled.may_go_on.clear()
    feed(writer, run_documents(events=5))
    assert writer.pending == 8
    assert not writer.flush(0.01)


def test_a_catalogue_too_far_behind_is_left(tmp_path: Path, tiled: MadeUpTiled):
    writer = RunWriter(None, tmp_path, backlog=4)  # type: ignore[arg-type]
    tiled.may_go_on.clear()
    documents = run_documents(events=10)
    feed(writer, documents)
    tiled.may_go_on.set()
    writer.close()
    assert writer.failed == 1
    assert len(tiled.documents) <= 1
    assert names(read_journal(tmp_path / f"{documents[0][1]['uid']}.jsonl")) == names(documents)


def test_closing_gives_up_on_a_catalogue_that_hangs(tmp_path: Path, writer: RunWriter, tiled: MadeUpTiled):
    tiled.may_go_on.clear()
    documents = run_documents()
    feed(writer, documents)
    threading.Timer(0.2, tiled.may_go_on.set).start()
    writer.close(timeout=0.05)
    assert names(read_journal(tmp_path / f"{documents[0][1]['uid']}.jsonl")) == names(documents)
    assert not any(thread.name == "run-writer" for thread in threading.enumerate())


def test_a_run_without_stop_keeps_its_journal_when_the_writer_closes(tmp_path: Path, writer: RunWriter):
    documents = run_documents()[:3]
    feed(writer, documents)
    writer.close()
    writer.close()
    assert names(read_journal(tmp_path / f"{documents[0][1]['uid']}.jsonl")) == names(documents)


def test_a_document_after_closing_or_beyond_routing_does_not_raise(writer: RunWriter, caplog: pytest.LogCaptureFixture):
    writer("event", {"descriptor": "unheard of"})
    writer.close()
    writer("start", {"uid": "late"})
    assert "'start' document came after the writer was closed" in caplog.text
