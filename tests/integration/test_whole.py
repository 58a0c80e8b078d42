"""Runs stored whole and once, whatever the server, another command or this one does meanwhile."""

import fcntl
import os
import signal
import subprocess
import sys
import threading

import event_model
import httpx
import numpy as np
import pytest
import zarr
from tiled.client.utils import ClientError

from msc_plans.reprocess import worker as reprocess_worker
from msc_plans.reprocess.worker import Answer, Job, reprocess_run
from msc_plans.settings import OpticsSettings
from msc_plans.storage import Ingest, RunWriter, TiledServer, close_catalog, open_catalog
from msc_plans.storage.complete_runs import make_room, tiled_writer
from msc_plans.storage.ingest_process import work
from msc_plans.storage.journal import Journal
from msc_plans.storage.runs import read_streams
from msc_plans.storage.search import analyses_of
from tests.conftest import wait_until
from tests.unit.callbacks.raw_runs import Station


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with TiledServer(tmp_path_factory.mktemp("store")) as running:
        yield running


@pytest.fixture
def catalog(server):
    client = open_catalog(server.uri, server.api_key)
    yield client
    close_catalog(client)


@pytest.fixture(scope="module")
def exposed(server):
    """Uids of a background and of a sample that names it."""
    writer = RunWriter(server.uri, server.folder / "journal", server.api_key)
    station = Station(writer, server.folder / "frames")
    frame = np.full((240, 200), 5, np.int32)
    background = station.run([frame], purpose="background")
    sample = station.run([3 * frame], background_uid=background)
    assert writer.flush()
    writer.close()
    return background, sample


@pytest.fixture(autouse=True)
def retries(monkeypatch):
    """Leave Tiled's retries as they were: a worker in this process limits them."""
    from tiled.client import utils

    for name in ("TILED_RETRY_ATTEMPTS", "TILED_RETRY_TIMEOUT"):
        monkeypatch.setattr(utils, name, getattr(utils, name))


def job_of(server, label):
    optics = OpticsSettings(path_length_cm=0.1).model_dump_json()
    return Job(
        uri=server.uri,
        api_key=server.api_key,
        optics=optics,
        spectrometer="spectrometer",
        saxs="saxs",
        version="0.1.0",
        label=label,
    )


def published(values, dtype="number", shape=()):
    run = event_model.compose_run(metadata={"purpose": "analysis"})
    stream = run.compose_descriptor(
        name="primary", data_keys={"value": {"source": "x", "dtype": dtype, "shape": list(shape)}}
    )
    events = [stream.compose_event(data={"value": value}, timestamps={"value": 0.0}) for value in values]
    documents = [("start", run.start_doc), ("descriptor", stream.descriptor_doc), *(("event", one) for one in events)]
    return run.start_doc["uid"], [*documents, ("stop", run.compose_stop())]


def journalled(folder, uid, documents):
    journal = Journal(folder, uid)
    for name, document in documents:
        journal.append(Journal.line(name, document))
    journal.close()


def test_rows_that_a_dying_server_took_already_are_there_once(server, catalog, tmp_path):
    uid, documents = published([1.0, 2.0, 3.0])
    journalled(tmp_path, uid, documents)
    lost, told = [], []

    def connect():
        client = open_catalog(server.uri, server.api_key)
        patch = client.context.http_client.patch

        def answer_lost_once(url, **kwargs):
            answer = patch(url, **kwargs)
            if "/table/" in str(url) and not lost:
                lost.append(answer.status_code)
                raise httpx.ReadError("the server is dead")
            return answer

        client.context.http_client.patch = answer_lost_once
        return client

    ingest = Ingest(tmp_path, connect, told.append)
    wait_until(lambda: not ingest.step() and not ingest.left, what="the run")
    ingest.close()
    assert lost == [200]
    assert [next(iter(one)) for one in told] == ["trouble", "fine", "run"]
    assert list(catalog[uid]["primary"].read()["value"].values) == [1.0, 2.0, 3.0]


def test_an_array_of_which_a_dying_server_has_left_a_part_is_written_anew(server, catalog, tmp_path):
    values = [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]
    uid, documents = published(values, dtype="array", shape=[3])
    journalled(tmp_path, uid, documents)
    left = zarr.create_array(str(server.folder / "data" / uid / "primary" / "value"), shape=(9, 7), dtype="int8")
    left[:] = 1
    told = []
    ingest = Ingest(tmp_path, lambda: open_catalog(server.uri, server.api_key), told.append)
    wait_until(lambda: not ingest.step() and not ingest.left, what="the run")
    ingest.close()
    assert told == [{"run": uid, "stored": 5, "done": True}]
    assert read_streams(catalog[uid])["primary"].data["value"].tolist() == values
    with pytest.raises(ClientError, match="409"):
        catalog[uid]["primary"].base.write_array(np.zeros(3), key="value")
    assert read_streams(catalog[uid])["primary"].data["value"].tolist() == values, "what the catalogue has is kept"


def test_a_process_that_is_to_end_before_it_has_begun_stores_what_there_is(server, catalog, tmp_path, capsys):
    uid, documents = published([4.0])
    journalled(tmp_path, uid, documents)
    ending = threading.Event()
    ending.set()
    work(tmp_path, str(server.folder), ending)
    assert '"done": true' in capsys.readouterr().out
    assert catalog[uid].metadata["stop"]["exit_status"] == "success"
    with (tmp_path / "writer.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        work(tmp_path, str(server.folder), ending)
    assert not capsys.readouterr().out, "another is at work"


@pytest.mark.parametrize("dead", [False, True])
def test_a_run_that_another_has_begun_is_left_to_it_unless_it_has_died(catalog, dead):
    uid, documents = published([2.0])
    write = tiled_writer(catalog)
    for name, document in documents[:-1]:
        write(name, document)
    with pytest.raises(ClientError, match="409"):
        tiled_writer(catalog)(*documents[0])
    finish = threading.Timer(0.3, write, documents[-1])
    if not dead:
        finish.start()
    whole = make_room(catalog, [uid, "no-such-run"], patience_s=1.0 if dead else 30.0)
    if not dead:
        finish.join()
    assert whole == (set() if dead else {uid})
    assert (uid in catalog) is not dead


def test_a_server_killed_while_the_background_is_read_is_waited_for(server, catalog, exposed, monkeypatch):
    background, sample = exposed
    read = reprocess_worker._Worker._read
    killed = []

    def read_and_kill(worker, uid):
        if uid == background and not killed:
            killed.append(server.pid)
            os.kill(server.pid, signal.SIGKILL)
        return read(worker, uid)

    monkeypatch.setattr(reprocess_worker._Worker, "_read", read_and_kill)
    answer = reprocess_run(job_of(server, "killed"), sample)
    assert killed
    assert (answer.failures, answer.away) == ((), "")
    (run,) = analyses_of(catalog, [sample])[sample]
    assert answer == Answer(sample, 1)
    assert run.metadata["start"]["settings"]["background_uid"] == background
    assert "no background" not in str(read_streams(run)["primary"].data["warnings"])


def test_a_store_that_fails_at_all_is_told_from_a_run_that_does(server, exposed, monkeypatch):
    monkeypatch.setattr(reprocess_worker, "_AWAY_S", 0.6)
    background, _ = exposed

    def fails(*_):
        request = httpx.Request("GET", server.uri)
        raise httpx.HTTPStatusError("500 of the server", request=request, response=httpx.Response(500, request=request))

    def refuses(name, document):
        fails()

    job = job_of(server, "one run")
    with monkeypatch.context() as patched:
        patched.setattr(reprocess_worker._Worker, "_read", fails)
        assert reprocess_run(job, background).failures == ("HTTPStatusError: 500 of the server",)
    with monkeypatch.context() as patched:
        patched.setattr(reprocess_worker, "tiled_writer", lambda catalog: refuses)
        assert reprocess_run(job_of(server, "full"), background).away == "HTTPStatusError: 500 of the server"
    with TiledServer(server.folder.with_name("gone")) as other:
        gone = job_of(other, "gone")
    assert reprocess_run(gone, background).away.startswith("ConnectError")


def test_workers_on_this_machine_keep_nothing_of_each_second():
    code = """
from msc_plans.reprocess.job import cluster
if __name__ == "__main__":
    with cluster(1, None) as client:
        (kept,) = client.run(lambda dask_worker: sorted(dask_worker.periodic_callbacks)).values()
    print(kept)
"""
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=100).stdout
    assert "heartbeat" in told
    assert "profile" not in told
