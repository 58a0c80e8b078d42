"""The store for real: a server process, runs of a RunEngine, and readers elsewhere."""

import json
import os
import resource
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bluesky import RunEngine
from bluesky import plan_stubs as bps
from bluesky.utils import MsgGenerator
from ophyd import Component, Device, Signal

from msc_plans.storage import (
    CatalogHistory,
    RunWriter,
    StoreBusyError,
    TiledServer,
    broker,
    close_catalog,
    open_catalog,
    opened,
    verify,
)
from msc_plans.storage.journal import journals, read_journal, stored_journals
from msc_plans.storage.runs import documents
from msc_plans.storage.server import ServerError

CONDITION = {"nucleation_temperature": 280.0, "growth_temperature": 270.0, "residence_time": 14.0}


class Spectrometer(Device):
    counts = Component(Signal, value=np.zeros(1044))
    short = Component(Signal, value=np.array([1.0, np.nan, 3.0]))
    bad = Component(Signal, value=float("nan"))
    label = Component(Signal, value="Cd only")


class Values(Device):
    """The result of an analysis, in place of a callback's."""

    height = Component(Signal, value=0.25)
    maximum = Component(Signal, value=437.5)


def measure(spectrometer: Spectrometer, events: int = 1, between: Callable[[int], None] | None = None, **md: Any):
    def plan() -> MsgGenerator[str]:
        uid = yield from bps.open_run({"purpose": "measurement", "condition": CONDITION, **md})
        for number in range(events):
            if between is not None:
                between(number)
            spectrometer.counts.put(np.linspace(number, number + 1, 1044))
            yield from bps.create("primary")
            yield from bps.read(spectrometer)
            yield from bps.save()
        yield from bps.close_run()
        return uid

    return plan()


def until(condition: Callable[[], bool], what: str, timeout: float = 15.0) -> None:
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, f"{what}: not within {timeout} s"
        threading.Event().wait(0.05)


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


@pytest.fixture(scope="module")
def server(store_folder: Path) -> Iterator[TiledServer]:
    with TiledServer(store_folder) as running:
        yield running


@pytest.fixture(scope="module")
def catalog(server: TiledServer) -> Iterator[Any]:
    client = open_catalog(server.uri, server.api_key)
    yield client
    close_catalog(client)


@pytest.fixture
def engine() -> Iterator[RunEngine]:
    run_engine = RunEngine(context_managers=[])
    yield run_engine
    run_engine._loop.call_soon_threadsafe(run_engine._loop.stop)
    run_engine._th.join()
    run_engine._loop.close()


@pytest.fixture
def writer(server: TiledServer, engine: RunEngine) -> Iterator[RunWriter]:
    run_writer = RunWriter(server.uri, server.folder / "journal", server.api_key)
    engine.subscribe(run_writer)
    yield run_writer
    run_writer.close()


@pytest.fixture
def spectrometer() -> Spectrometer:
    return Spectrometer(name="spectrometer")


def test_what_is_written_is_read_back(engine: RunEngine, writer: RunWriter, catalog: Any, spectrometer: Spectrometer):
    (uid,) = engine(measure(spectrometer, events=3, lots=["a", "b"], operator="Zoë"))
    assert writer.flush()
    assert (writer.trouble, journals(writer.folder)) == ("", [])

    run = catalog[-1]
    assert run.metadata["start"]["uid"] == uid
    assert (run.metadata["start"]["lots"], run.metadata["start"]["operator"]) == (["a", "b"], "Zoë")
    data = run["primary"].read()
    assert data["spectrometer_counts"].dtype == np.float64
    np.testing.assert_array_equal(data["spectrometer_counts"].values, [np.linspace(n, n + 1, 1044) for n in range(3)])
    np.testing.assert_array_equal(run["primary"]["spectrometer_counts"].read()[2], np.linspace(2, 3, 1044))
    np.testing.assert_array_equal(data["spectrometer_short"].values, [[1.0, np.nan, 3.0]] * 3)
    assert np.isnan(data["spectrometer_bad"].values).all()
    assert list(data["spectrometer_label"].values) == ["Cd only"] * 3
    assert run.validate() is True

    documents = list(run.documents())
    assert [name for name, _ in documents] == ["start", "descriptor", "event", "event", "event", "stop"]
    assert documents[2][1]["data"]["spectrometer_counts"][-1] == 1.0

    header = broker(catalog)[uid]
    table = header.table()
    assert len(table) == 3
    np.testing.assert_array_equal(table["spectrometer_counts"].iloc[1], np.linspace(1, 2, 1044))
    assert list(table["spectrometer_label"]) == ["Cd only"] * 3
    assert catalog[uid].validate() is True, "Broker must leave the catalogue's own runs as they are"


def test_another_process_reads_by_folder(
    engine: RunEngine, writer: RunWriter, server: TiledServer, spectrometer: Spectrometer
):
    (uid,) = engine(measure(spectrometer, sample="read elsewhere"))
    assert writer.flush()
    code = (
        "import sys; from msc_plans.storage import opened; from tiled.queries import Key\n"
        "with opened(sys.argv[1]) as catalog:\n"
        "    (run,) = catalog.search(Key('sample') == 'read elsewhere').values()\n"
        "    print(run.metadata['start']['uid'], run['primary']['spectrometer_counts'].read().shape)"
    )
    result = subprocess.run(
        [sys.executable, "-c", code, str(server.folder)], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == f"{uid} (1, 1044)"


def test_history_of_a_campaign(engine: RunEngine, writer: RunWriter, catalog: Any, spectrometer: Spectrometer):
    values = Values(name="CdSe-437")
    values.height.name, values.maximum.name = "CdSe-437_height", "CdSe-437_maximum"

    def derived(purpose: str, trial: str, **md: Any) -> MsgGenerator[None]:
        yield from bps.open_run({"purpose": purpose, "campaign_uid": "c1", "trial_id": trial, **md})
        if purpose == "analysis":
            yield from bps.create("primary")
            yield from bps.read(values)
            yield from bps.save()
        yield from bps.close_run()

    def break_off(number: int) -> None:
        raise RuntimeError("the pump stalled")

    engine(measure(spectrometer, campaign_uid="c1", trial_id="t1"))
    engine(measure(spectrometer, campaign_uid="c2", trial_id="t9"))
    with pytest.raises(RuntimeError, match="the pump stalled"):
        engine(measure(spectrometer, between=break_off, campaign_uid="c1", trial_id="t2"))
    engine(derived("analysis", "t1", analysis="uvvis", raw_uid="r", condition=CONDITION))
    engine(derived("suggestion", "t3", reason="least known"))
    assert writer.flush()

    history = CatalogHistory(catalog)
    assert history.done_trials("c1") == {"t1"}
    assert history.outcomes("c1") == [{"_id": "t1", **CONDITION, "CdSe-437_height": 0.25, "CdSe-437_maximum": 437.5}]
    assert [start["trial_id"] for start in history.suggestions("c1")] == ["t3"]
    assert (history.done_trials("none"), history.outcomes("none"), history.suggestions("none")) == (
        set(),
        [],
        [],
    )


def test_a_second_server_is_refused(server: TiledServer):
    with pytest.raises(StoreBusyError, match=f"process {server.pid}, a Tiled server at {server.uri}"):
        TiledServer(server.folder).start()
    assert server.start() is server, "starting again is no second server"


def test_the_log_does_not_tell_the_key(server: TiledServer, catalog: Any):
    assert len(catalog) >= 0
    assert server.api_key not in (server.folder / "tiled.log").read_text()


def test_a_server_that_ends_at_its_start_is_reported(tmp_path: Path):
    (tmp_path / "catalog.db").write_text("no database at all")
    server = TiledServer(tmp_path)
    with pytest.raises(ServerError, match=r"ended at its start .* see .*tiled\.log"):
        server.start()
    assert server.pid is None


def test_a_folder_without_a_store_is_refused(tmp_path: Path):
    with pytest.raises(FileNotFoundError, match="holds no store"):
        open_catalog(tmp_path / "mistyped")


@pytest.mark.long
@pytest.mark.parametrize("killed", ["server", "writer"])
def test_a_kill_in_mid_run_loses_nothing_and_what_waited_is_stored(
    engine: RunEngine, spectrometer: Spectrometer, tmp_path: Path, caplog: pytest.LogCaptureFixture, killed: str
):
    killed_at = []
    with TiledServer(tmp_path) as server, closing(RunWriter(tmp_path, tmp_path / "journal")) as writer:
        engine.subscribe(writer)

        def kill(number: int) -> None:
            if number == 2:
                assert writer.flush()
                pid = server.pid if killed == "server" else writer._child.pid
                assert pid is not None
                os.kill(pid, signal.SIGKILL)
                killed_at.append(time.monotonic())

        (whole,) = engine(measure(spectrometer))
        (broken,) = engine(measure(spectrometer, events=4, between=kill))
        (after,) = engine(measure(spectrometer))
        assert time.monotonic() - killed_at[0] < 5, "the RunEngine waited for what was dead"
        assert writer.flush()
        assert ("starting another" if killed == "server" else "another one goes on") in caplog.text
        assert caplog.text.count("runs wait in") <= (killed == "server")
    assert journals(tmp_path / "journal") == []
    kept = {path.stem: [name for name, _ in read_journal(path)] for path in stored_journals(tmp_path / "journal")}
    assert set(kept) == {whole, broken, after}
    assert kept[broken] == ["start", "descriptor", "event", "event", "event", "event", "stop"]
    with opened(tmp_path) as store:
        assert set(store) == {whole, broken, after}
        expected = [np.linspace(n, n + 1, 1044) for n in range(4)]
        np.testing.assert_array_equal(store[broken]["primary"]["spectrometer_counts"].read(), expected)
        assert [name for name, _ in store[broken].documents()] == kept[broken]
        assert len(broker(store)[broken].table()) == 4
        assert store[broken].validate() is True


@pytest.mark.long
@pytest.mark.parametrize("trouble", ["frozen", "disk full"])
def test_a_server_that_does_not_take_runs_holds_nobody_up_and_gets_them_when_it_can(
    engine: RunEngine, spectrometer: Spectrometer, tmp_path: Path, trouble: str
):
    with TiledServer(tmp_path) as server, closing(RunWriter(tmp_path, tmp_path / "journal")) as writer:
        engine.subscribe(writer)
        engine(measure(spectrometer))
        assert writer.flush()
        pid = server.pid
        assert pid is not None
        if trouble == "frozen":
            os.kill(pid, signal.SIGSTOP)
        else:
            # no file of the server may grow: the kernel refuses as it does on a full disk
            unlimited = resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
        began = time.monotonic()
        uids = [uid for _ in range(3) for uid in engine(measure(spectrometer))]
        assert time.monotonic() - began < 5, "the RunEngine waited"
        if trouble == "disk full":
            until(lambda: bool(writer.trouble), "the trouble", 30)
            assert "can't be stored" in writer.trouble
        assert writer.waiting == 3
        assert {path.stem for path in journals(tmp_path / "journal")} == set(uids)
        if trouble == "frozen":
            os.kill(pid, signal.SIGCONT)
        else:
            resource.prlimit(pid, resource.RLIMIT_FSIZE, unlimited)
        assert writer.flush()
        assert writer.trouble == ""
    with opened(tmp_path) as store:
        assert len(store) == 4
        for path in stored_journals(tmp_path / "journal"):
            assert verify(store, path).problems == []


def test_a_clock_that_jumps_back_loses_nothing(
    engine: RunEngine, writer: RunWriter, catalog: Any, spectrometer: Spectrometer, monkeypatch: pytest.MonkeyPatch
):
    now = time.time

    def jump(number: int) -> None:
        monkeypatch.setattr(time, "time", lambda: now() - 3600.0 * number)

    (uid,) = engine(measure(spectrometer, events=3, between=jump))
    assert writer.flush()
    (path,) = (one for one in stored_journals(writer.folder) if one.stem == uid)
    times = [doc["time"] for name, doc in read_journal(path) if name == "event"]
    assert times[0] - times[2] > 7000
    assert verify(catalog, path).problems == []
    kept = list(documents(catalog[uid]))
    assert [doc["seq_num"] for name, doc in kept if name == "event"] == [1, 2, 3]
    assert [name for name, _ in kept] == ["start", "descriptor", "event", "event", "event", "stop"]


@pytest.mark.long
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # Tiled's own, where its app runs in this process
def test_what_a_session_left_is_stored_by_the_next(tmp_path: Path, engine: RunEngine, spectrometer: Spectrometer):
    writer = RunWriter(tmp_path, tmp_path / "journal")
    engine.subscribe(writer)
    (uid,) = engine(measure(spectrometer))
    writer.close(timeout=20)
    with opened(tmp_path, create=True) as store:
        assert set(store) == set()
        with pytest.raises(StoreBusyError, match=rf"process {os.getpid()} \(this one\), an app without a server"):
            TiledServer(tmp_path).start()
    with TiledServer(tmp_path):
        following = RunWriter(tmp_path, tmp_path / "journal")
        # before a campaign is resumed: what it has measured is not measured again
        assert following.settle(30)
        assert not journals(tmp_path / "journal")
        following.close()
    with opened(tmp_path) as store:
        assert set(store) == {uid}
        assert store[uid].validate() is True
    assert not [thread for thread in threading.enumerate() if "portal" in thread.name.lower()]


def test_the_server_goes_with_its_parent(tmp_path: Path):
    code = (
        "import sys; from msc_plans.storage import TiledServer\n"
        "server = TiledServer(sys.argv[1]).start(); print(server.pid, server.port, flush=True)\n"
        "sys.stdin.read()"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with parent:
        assert parent.stdout is not None
        pid, port = map(int, parent.stdout.readline().split())
        assert is_alive(pid)
        holder = json.loads((tmp_path / "store.lock").read_text())
        assert holder == {"pid": pid, "uri": f"http://127.0.0.1:{port}"}
        parent.kill()
    until(lambda: not is_alive(pid), "the server ends with its parent")
    with pytest.raises(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port), timeout=1):
        pass
