"""The SAXS station over Channel Access: ophyd's classes with caproto and with libca, and plain clients."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from types import SimpleNamespace

import h5py
import numpy as np
import pytest
from caproto import ChannelType

from msc_plans.checkup.records import channel_access
from msc_plans.session.simulator import free_port
from tests.conftest import wait_until
from tests.integration.saxs_ioc import COLUMNS, ROWS, counts

PREFIX = "SX:Saxs:"


def _listens(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=0.5).close()
    except OSError:
        return False
    return True


@pytest.fixture(scope="module")
def station(tmp_path_factory):
    """A station in a process of its own; ``root`` is the folder its files go to."""
    folder = tmp_path_factory.mktemp("saxs")
    port = free_port()
    environment = os.environ | {"EPICS_CA_SERVER_PORT": str(port)}
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.integration.saxs_ioc", PREFIX, str(folder / "data")],
            env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
        )  # fmt: skip
    try:
        wait_until(lambda: _listens(port) or process.poll() is not None, seconds=60, what="the start of the station")
        assert process.poll() is None, (folder / "log").read_text()
        yield SimpleNamespace(root=folder / "data", port=port, process=process, environment=environment)
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0, (folder / "log").read_text()


def _characters(text):
    return np.frombuffer(text.encode() + b"\0", "u1")


class Client:
    """caproto's plain client."""

    def __init__(self, context):
        self._context, self._known = context, {}

    def record(self, name):
        if name not in self._known:
            (self._known[name],) = self._context.get_pvs(PREFIX + name)
            self._known[name].wait_for_connection(timeout=20)
        return self._known[name]

    def get(self, name):
        return self.record(name).read(timeout=20).data[0]

    def text(self, name):
        return bytes(self.record(name).read(timeout=20, data_type="native").data).decode()

    def choice(self, name):
        return self.record(name).read(timeout=20, data_type=ChannelType.STRING).data[0].decode()

    def put(self, name, value, timeout=20):
        """Put and wait for the answer."""
        value = _characters(value) if isinstance(value, str) else value
        return self.record(name).write(value, wait=True, timeout=timeout)

    def refused(self, name, value):
        """Put what is not taken; return why. The threaded client of caproto would wait for its answer in vain."""
        from caproto import ErrorResponseReceived
        from caproto.sync.client import write

        with pytest.raises(ErrorResponseReceived) as refusal:
            write(
                PREFIX + name,
                _characters(value) if isinstance(value, str) else value,
                notify=True,
                timeout=20,
                repeater=False,
            )
        return str(refusal.value)

    def begin(self, name, value):
        """Put; the event is set when the answer comes."""
        answered = threading.Event()
        self.record(name).write([value], callback=lambda answer: answered.set(), wait=False, timeout=60)
        return answered


@pytest.fixture
def client(station, monkeypatch):
    monkeypatch.setenv("EPICS_CA_ADDR_LIST", f"127.0.0.1:{station.port}")
    with channel_access() as context:
        client = Client(context)
        yield client
        client.put("Fault:no_file", 0)
        client.put("Fault:full_disk", 0)
        client.put("cam1:Acquire", 0)
        client.put("HDF1:Capture", 0)


@pytest.fixture
def stream(client, station, request):
    """The plugin ready to stream into a file of this test's name."""
    client.put("HDF1:EnableCallbacks", 1)
    client.put("cam1:AcquireTime", 0.5)
    client.put("cam1:Acquire", 1)
    client.put("HDF1:FilePath", f"{station.root}/{request.node.name}")
    client.put("HDF1:FileName", "frame")
    client.put("HDF1:FileNumber", 0)
    client.put("HDF1:NumCapture", 0)
    client.put("HDF1:FileWriteMode", 2)
    return station.root / request.node.name / "frame_000000.h5"


def expected(file):
    """What the twin gave for each frame of a file."""
    return [counts(int(number)) for number in file["/entry/instrument/NDAttributes/NDArrayUniqueId"][:]]


@pytest.mark.parametrize("layer", ["caproto", "pyepics"])
def test_ophyds_own_classes_count(station, layer):
    if layer == "pyepics":
        pytest.importorskip("epics", reason="pyepics is not installed")
    done = subprocess.run(
        [sys.executable, "-m", "tests.integration.saxs_client", PREFIX, str(station.root / layer)],
        env=station.environment | {"OPHYD_CONTROL_LAYER": layer},
        capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip
    lines = [line for line in done.stdout.splitlines() if line.startswith("RESULT")]
    assert lines, done.stderr
    result = json.loads(lines[0].removeprefix("RESULT"))
    with h5py.File(result["file"]) as file:
        data = file["/entry/data/data"]
        assert data.shape == (3, ROWS, COLUMNS)
        assert np.array_equal(data[:], expected(file))
        assert result["during"] == [data[:2].sum(axis=(1, 2)).tolist()]
    assert result["shape"] == [1, ROWS, COLUMNS]
    assert (result["dtype"], result["spec"], result["frame_per_point"]) == ("<i4", "AD_HDF5", 1)
    assert result["points"] == [0, 1, 2]
    assert (result["captured"], result["message"], result["state"]) == (3, "", "Idle")


def test_every_record_can_be_read(client):
    from ophyd.areadetector import cam, plugins

    from tests.contract.test_area_detector import named

    records = [f"cam1:{name}" for name in named(cam.PilatusDetectorCam)]
    records += [f"HDF1:{name}" for name in named(plugins.HDF5Plugin_V34)]
    pvs = client._context.get_pvs(*(PREFIX + name for name in records))
    for pv in pvs:
        pv.wait_for_connection(timeout=20)
        # with what a display asks for
        pv.read(data_type="control", timeout=20)
        pv.read(data_type="time", timeout=20)
    assert len(pvs) > 350


def test_a_put_of_acquire_is_answered_when_the_file_has_the_images(client, stream):
    client.put("HDF1:Capture", 0)
    capture = client.begin("HDF1:Capture", 1)
    wait_until(lambda: client.get("HDF1:Capture_RBV") == 1, what="the start of the capture")
    client.put("cam1:ImageMode", 1)
    client.put("cam1:NumImages", 12)
    client.put("cam1:AcquirePeriod", 0.5)
    client.put("cam1:Acquire", 1)
    assert (client.get("cam1:NumImagesCounter_RBV"), client.get("HDF1:NumCaptured_RBV")) == (12, 12)
    assert client.choice("cam1:DetectorState_RBV") == "Idle"
    with h5py.File(stream, "r", swmr=True) as file:
        assert np.array_equal(file["/entry/data/data"][:], expected(file))
    assert not capture.is_set()
    client.put("HDF1:Capture", 0)
    assert capture.wait(20)
    # no other reader could open it before
    with h5py.File(stream, "r") as file:
        assert len(file["/entry/data/data"]) == 12
    client.put("cam1:ImageMode", 0)


def test_an_acquisition_without_end_can_be_given_up(client):
    client.put("cam1:ImageMode", 2)
    answered = client.begin("cam1:Acquire", 1)
    before = client.get("cam1:ArrayCounter_RBV")
    wait_until(lambda: client.get("cam1:ArrayCounter_RBV") > before + 2, what="three more images")
    assert not answered.is_set()
    client.put("cam1:Acquire", 0)
    assert answered.wait(20)
    assert client.choice("cam1:DetectorState_RBV") == "Aborted"
    client.put("cam1:ImageMode", 0)


def test_paths_outside_the_root_are_refused_with_a_reason(client, stream):
    before = client.text("HDF1:FilePath_RBV")
    assert (before, client.get("HDF1:FilePathExists_RBV")) == (f"{stream.parent}/", 1)
    for path in ("/etc", f"{stream.parent}/../../.."):
        assert "outside" in client.refused("HDF1:FilePath", path)
    wait_until(lambda: client.get("HDF1:FilePathExists_RBV") == 0, what="the end of the path")
    assert client.text("HDF1:FilePath_RBV") == before


def test_a_detector_that_writes_no_file_acquires_all_the_same(client, stream):
    client.put("Fault:no_file", 1)
    client.begin("HDF1:Capture", 1)
    wait_until(lambda: client.get("HDF1:Capture_RBV") == 1, what="the start of the capture")
    client.put("cam1:Acquire", 1)
    assert (client.get("cam1:NumImagesCounter_RBV"), client.get("HDF1:NumCaptured_RBV")) == (1, 0)
    assert client.text("HDF1:FullFileName_RBV") == str(stream)
    client.put("HDF1:Capture", 0)
    assert not stream.exists()


def test_a_full_disk_ends_the_capture_and_says_so(client, stream):
    capture = client.begin("HDF1:Capture", 1)
    wait_until(lambda: client.get("HDF1:Capture_RBV") == 1, what="the start of the capture")
    client.put("cam1:Acquire", 1)
    client.put("Fault:full_disk", 1)
    client.put("cam1:Acquire", 1)
    assert capture.wait(20)
    assert (client.choice("HDF1:Capture_RBV"), client.choice("HDF1:WriteStatus")) == ("Done", "Write error")
    assert "No space left" in client.text("HDF1:WriteMessage")
    assert "No space left" in client.refused("HDF1:Capture", 1)
    client.put("Fault:full_disk", 0)
    with h5py.File(stream) as file:
        assert len(file["/entry/data/data"]) == 1


def test_surroundings_are_served(client):
    client.put("Shutter", 1)
    assert client.choice("Shutter:RBV") == "Open"
    client.put("Energy", 99.0)
    assert client.get("Energy:RBV") == 30.0
    client.put("Energy", 12.0)
    client.put("CellTemperature:SP", 60.0)
    assert client.get("CellTemperature:SP:RBV") == 60.0
    assert (client.get("I0"), client.get("I1"), client.get("CellTemperature")) == (1000.0, 800.0, 25.0)
