import asyncio
import subprocess
import sys
import threading
from types import SimpleNamespace

import h5py
import numpy as np
import pytest
from caproto import CaprotoValueError, ChannelType

from ioc_sim.areadetector.data_root import DataRoot
from ioc_sim.areadetector.hdf_file import Frame
from ioc_sim.areadetector.hdf_plugin import MAX_KEPT, HdfModel
from ioc_sim.areadetector.hdf_records import HDF_RECORDS
from ioc_sim.records.table import serve

SHAPE = (6, 4)


def frame(number, shape=SHAPE):
    return Frame(np.full(shape, number, np.int32), number, 1.7e9 + number / 4, 10.0 * number)


class Bench:
    def __init__(self, folder):
        self.folder = folder / "saxs"
        self.faults = SimpleNamespace(no_file=False, full_disk=False)
        self.changes = 0
        self.hdf = HdfModel(DataRoot(self.folder), self.faults)
        self.hdf.on_change = self._changed
        self.hdf.enable = "Enable"
        self.hdf.file_write_mode = "Stream"
        self.hdf.num_capture = 0
        self.hdf.push(frame(99))
        self.hdf.file_path = str(self.folder)

    def _changed(self):
        self.changes += 1

    async def start(self, **settings):
        """Set, start a capture and wait until it goes on, or has failed."""
        for name, value in settings.items():
            setattr(self.hdf, name, value)
        self.hdf.capture = "Capture"
        await self.hdf.written()

    async def take(self, *numbers):
        for number in numbers:
            self.hdf.push(frame(number))
        await self.hdf.written()

    @property
    def files(self):
        return sorted(path.name for path in self.folder.rglob("*.h5"))

    def read(self, name="frame_000000.h5", **kwargs):
        with h5py.File(self.folder / name, "r", **kwargs) as file:
            return file["/entry/data/data"][:, 0, 0].tolist()


@pytest.fixture
def bench(tmp_path):
    bench = Bench(tmp_path)
    yield bench
    if bench.hdf._thread is not None:
        bench.hdf._thread.shutdown()
    assert not [thread.name for thread in threading.enumerate() if thread.name.startswith("hdf")]


def run(coroutine):
    return asyncio.run(coroutine)


def test_a_stream_ends_after_the_frames_asked_for(bench):
    async def measure():
        await bench.start(num_capture=2)
        assert (bench.hdf.capture, bench.hdf.capturing, bench.hdf.swmr_active) == ("Capture", "Capturing", "Active")
        assert (bench.hdf.file_number, bench.hdf.num_captured) == (1, 0)
        await bench.take(1, 2, 3)
        await bench.hdf.captured()

    run(measure())
    assert (bench.hdf.capture, bench.hdf.swmr_active, bench.hdf.num_captured) == ("Done", "Off", 2)
    assert bench.read() == [1, 2]
    assert bench.hdf.full_file_name == f"{bench.folder}/frame_000000.h5"
    assert (bench.hdf.write_status, bench.hdf.write_message, bench.hdf.write_alarm) == ("Write OK", "", "NO_ALARM")


def test_a_stream_without_end_ends_when_told(bench):
    async def measure():
        await bench.start()
        await bench.take(1, 2, 3)
        bench.hdf.capture = "Done"
        assert bench.hdf.capture == "Capture"
        await bench.hdf.captured()
        assert bench.read() == [1, 2, 3]
        await bench.take(4)
        await bench.start()
        bench.hdf.capture = "Done"
        await bench.hdf.captured()

    run(measure())
    assert bench.read() == [1, 2, 3]
    assert bench.files == ["frame_000000.h5", "frame_000001.h5"]


def test_the_file_is_laid_out_as_areadetector_does(bench):
    async def measure():
        await bench.start(num_capture=3)
        await bench.take(1, 2, 3)
        await bench.hdf.captured()

    run(measure())
    with h5py.File(bench.folder / "frame_000000.h5") as file:
        data = file["/entry/data/data"]
        assert (data.shape, data.dtype, data.chunks) == ((3, *SHAPE), np.dtype("<i4"), (1, *SHAPE))
        assert (data.compression, data.compression_opts) == ("gzip", 1)
        assert file["/entry/instrument/detector/data"] == data
        classes = {name: file[name].attrs["NX_class"] for name in ("entry", "entry/data", "entry/instrument/detector")}
        assert classes == {"entry": "NXentry", "entry/data": "NXdata", "entry/instrument/detector": "NXdetector"}
        numbers = {name: values[:].tolist() for name, values in file["/entry/instrument/NDAttributes"].items()}
    assert numbers == {
        "NDArrayUniqueId": [1, 2, 3],
        "NDArrayTimeStamp": [1.7e9 - 631152000 + number / 4 for number in (1, 2, 3)],
        "NDArrayEpicsTSSec": [1068848000] * 3,
        "NDArrayEpicsTSnSec": [250000000, 500000000, 750000000],
        "TwinClock": [10.0, 20.0, 30.0],
    }


@pytest.mark.parametrize(
    ("compression", "level", "filter_"), [("None", 1, None), ("zlib", 6, "gzip"), ("zlib", 0, "gzip")]
)
def test_frames_are_compressed_as_asked_and_come_back_whole(bench, compression, level, filter_):
    rng = np.random.default_rng(1)
    counts = rng.poisson(3.0, SHAPE).astype(np.int32)

    async def measure():
        await bench.start(num_capture=1, compression=compression, z_level=level)
        bench.hdf.push(Frame(counts[::-1, ::-1], 1, 1.7e9, 0.0))
        await bench.hdf.captured()

    run(measure())
    with h5py.File(bench.folder / "frame_000000.h5") as file:
        assert file["/entry/data/data"].compression == filter_
        assert np.array_equal(file["/entry/data/data"][0], counts[::-1, ::-1])


def test_compression_that_cannot_be_done_is_refused(bench):
    with pytest.raises(ValueError, match="Blosc is not simulated"):
        bench.hdf.compression = "Blosc"
    assert bench.hdf.compression == "zlib"


def test_another_process_reads_an_open_stream(bench):
    script = (
        "import h5py, sys\nwith h5py.File(sys.argv[1], 'r', swmr=True) as f: print(f['/entry/data/data'][:, 0, 0], "
        "f['/entry/instrument/NDAttributes/NDArrayUniqueId'][:])"
    )

    def other_process():
        path = bench.folder / "frame_000000.h5"
        return subprocess.run([sys.executable, "-c", script, path], capture_output=True, text=True, check=True).stdout

    async def measure():
        await bench.start()
        await bench.take(1, 2)
        first = other_process()
        await bench.take(3)
        second = other_process()
        await bench.hdf.shut_down()
        return first, second

    assert run(measure()) == ("[1 2] [1 2]\n", "[1 2 3] [1 2 3]\n")


def test_without_swmr_the_file_can_be_read_when_it_is_closed(bench):
    async def measure():
        await bench.start(swmr_mode="Off", num_capture=1)
        assert bench.hdf.swmr_active == "Off"
        await bench.take(1)
        await bench.hdf.captured()

    run(measure())
    assert bench.read() == [1]


def test_a_frame_that_comes_while_the_file_is_being_opened_is_not_lost(bench):
    async def measure():
        bench.hdf.num_capture = 2
        bench.hdf.capture = "Capture"
        bench.hdf.push(frame(1))
        bench.hdf.push(frame(2))
        bench.hdf.push(frame(3))
        await bench.hdf.captured()

    run(measure())
    assert bench.read() == [1, 2]


def test_a_stream_needs_a_frame_before_it_unless_it_opens_lazily(bench):
    bench.hdf.last = None

    async def measure():
        with pytest.raises(ValueError, match="no frame has come yet"):
            bench.hdf.capture = "Capture"
        assert (bench.hdf.capture, bench.hdf.write_status) == ("Done", "Write error")
        await bench.start(lazy_open="Yes", num_capture=1)
        assert (bench.hdf.capture, bench.files, bench.hdf.file_number) == ("Capture", [], 0)
        await bench.take(7)
        await bench.hdf.captured()

    run(measure())
    assert bench.read() == [7]
    assert bench.hdf.write_status == "Write OK"


def test_a_disabled_plugin_takes_nothing(bench):
    async def measure():
        await bench.start()
        bench.hdf.enable = "Disable"
        await bench.take(1)
        bench.hdf.enable = "Enable"
        await bench.take(2)
        await bench.hdf.shut_down()

    run(measure())
    assert bench.read() == [2]
    assert bench.hdf.array_counter == 2


def test_capture_mode_writes_at_its_end(bench):
    async def measure():
        await bench.start(file_write_mode="Capture", num_capture=2, auto_save="Yes")
        await bench.take(1)
        assert (bench.files, bench.hdf.num_captured) == ([], 1)
        await bench.take(2)
        await bench.hdf.captured()
        assert bench.read() == [1, 2]
        await bench.start(num_capture=9)
        await bench.take(5)
        bench.hdf.capture = "Done"
        await bench.hdf.captured()

    run(measure())
    assert bench.read("frame_000001.h5") == [5]


def test_capture_mode_without_autosave_waits_for_write_file(bench):
    async def measure():
        await bench.start(file_write_mode="Capture", num_capture=2)
        await bench.take(1, 2)
        assert (bench.hdf.capture, bench.files) == ("Done", [])
        bench.hdf.write_file = "Write"
        assert bench.hdf.write_file == "Write"
        with pytest.raises(ValueError, match="still being written"):
            bench.hdf.capture = "Capture"
        await bench.hdf.written()

    run(measure())
    assert bench.hdf.write_file == "Done"
    assert bench.read() == [1, 2]


@pytest.mark.parametrize("count", [0, MAX_KEPT + 1])
def test_capture_mode_keeps_a_limited_number_of_frames(bench, count):
    bench.hdf.file_write_mode, bench.hdf.num_capture = "Capture", count
    with pytest.raises(ValueError, match=f"1 to {MAX_KEPT}"):
        bench.hdf.capture = "Capture"


def test_single_mode_writes_a_file_for_each_frame_or_when_told(bench):
    async def measure():
        bench.hdf.file_write_mode = "Single"
        with pytest.raises(ValueError, match="choose Capture or Stream"):
            bench.hdf.capture = "Capture"
        bench.hdf.write_file = "Write"
        await bench.hdf.written()
        assert bench.read() == [99]
        bench.hdf.auto_save = "Yes"
        await bench.take(1, 2)

    run(measure())
    assert (bench.read("frame_000001.h5"), bench.read("frame_000002.h5")) == ([1], [2])


def test_write_file_is_refused_where_it_has_no_meaning(bench):
    with pytest.raises(ValueError, match="Single and Capture"):
        bench.hdf.write_file = "Write"
    bench.hdf.file_write_mode = "Capture"
    with pytest.raises(ValueError, match="no frame to write"):
        bench.hdf.write_file = "Write"
    bench.hdf.write_file = "Done"


def test_nothing_is_written_over(bench):
    async def measure():
        await bench.start(auto_increment="No", num_capture=1)
        await bench.take(1)
        await bench.start()
        with pytest.raises(ValueError, match="exists"):
            await bench.hdf.captured()

    run(measure())
    assert (bench.hdf.capture, bench.hdf.write_status, bench.hdf.write_alarm) == ("Done", "Write error", "MAJOR_ALARM")
    assert "exists" in bench.hdf.write_message
    assert bench.read() == [1]


def test_a_detector_that_writes_no_file_does_not_complain(bench):
    async def measure():
        bench.faults.no_file = True
        await bench.start()
        await bench.take(1, 2)
        assert (bench.hdf.capture, bench.hdf.num_captured, bench.files) == ("Capture", 0, [])
        bench.faults.no_file = False
        await bench.take(3)
        bench.faults.no_file = True
        await bench.take(4)
        bench.hdf.capture = "Done"
        await bench.hdf.captured()

    run(measure())
    assert bench.hdf.write_status == "Write OK"
    assert bench.read() == [3]


def test_a_full_disk_ends_the_capture_and_keeps_what_is_written(bench):
    async def measure():
        await bench.start()
        await bench.take(1, 2)
        bench.faults.full_disk = True
        await bench.take(3, 4)
        await bench.hdf.captured()
        bench.faults.full_disk = False
        await bench.take(5)

    run(measure())
    assert (bench.hdf.capture, bench.hdf.write_status, bench.hdf.num_captured) == ("Done", "Write error", 2)
    assert "No space left" in bench.hdf.write_message
    assert bench.read() == [1, 2]


def test_a_full_disk_lets_no_file_be_opened(bench):
    async def measure():
        bench.faults.full_disk = True
        await bench.start()
        assert bench.hdf.capture == "Done"
        with pytest.raises(ValueError, match="No space left"):
            await bench.hdf.captured()
        bench.hdf.capture = "Done"
        await bench.hdf.captured()

    run(measure())
    assert bench.files == []


def test_a_folder_that_cannot_be_written_ends_the_capture(bench):
    bench.folder.rmdir()
    bench.folder.write_text("a file where the folder should be")
    with pytest.raises(ValueError, match="does not exist"):
        bench.hdf.capture = "Capture"
    assert bench.hdf.write_status == "Write error"


def test_a_frame_of_another_size_ends_the_capture(bench):
    async def measure():
        await bench.start()
        await bench.take(1)
        bench.hdf.push(frame(2, (3, 3)))
        await bench.hdf.captured()

    run(measure())
    assert "(3, 3)" in bench.hdf.write_message
    assert bench.read() == [1]


def test_shutting_down_closes_the_file_and_ends_the_thread(bench):
    async def measure():
        await bench.start()
        await bench.take(1)
        await bench.hdf.shut_down()
        assert not [thread for thread in threading.enumerate() if thread.name.startswith("hdf")]

    run(measure())
    assert bench.read() == [1]
    assert bench.changes == 3


def test_records_refuse_with_a_reason_and_normalise_paths(bench):
    pvdb = serve("T:", HDF_RECORDS, bench.hdf, str).pvdb

    def put(name, text):
        asyncio.run(pvdb[name].write_from_dbr(np.frombuffer(text.encode() + b"\0", "u1"), ChannelType.CHAR, None))

    put("T:FilePath", f"{bench.folder}/new")
    assert pvdb["T:FilePath"].value == pvdb["T:FilePath_RBV"].value == f"{bench.folder}/new/"
    assert pvdb["T:FilePathExists_RBV"].value == "Yes"
    with pytest.raises(CaprotoValueError, match="outside"):
        put("T:FilePath", "/etc")
    asyncio.run(pvdb["T:FilePath"].group.publish())
    assert pvdb["T:FilePath_RBV"].value == f"{bench.folder}/new/"
    assert pvdb["T:FilePathExists_RBV"].value == "No"


def test_the_put_of_capture_is_answered_when_the_file_is_closed(bench):
    pvdb = serve("T:", HDF_RECORDS, bench.hdf, str).pvdb

    async def measure():
        bench.hdf.num_capture = 1
        put = asyncio.ensure_future(pvdb["T:Capture"].write_from_dbr([1], ChannelType.INT, None))
        await asyncio.sleep(0)
        await bench.hdf.written()
        assert not put.done()
        bench.hdf.push(frame(1))
        await put
        assert (pvdb["T:Capture"].value, pvdb["T:Capture_RBV"].value) == ("Done", "Done")
        return bench.read()

    assert run(measure()) == [1]


def test_the_put_of_capture_fails_if_the_file_cannot_be_opened(bench):
    pvdb = serve("T:", HDF_RECORDS, bench.hdf, str).pvdb
    bench.faults.full_disk = True
    with pytest.raises(CaprotoValueError, match="No space left"):
        run(pvdb["T:Capture"].write_from_dbr([1], ChannelType.INT, None))
    assert pvdb["T:WriteStatus"].value == "Write error"
    assert pvdb["T:WriteStatus"].alarm.severity.name == "MAJOR_ALARM"
    assert "No space left" in pvdb["T:WriteMessage"].value


def test_the_last_frame_is_described(bench):
    hdf = bench.hdf
    assert (hdf.columns, hdf.rows, hdf.ndimensions, hdf.frame_bytes, hdf.unique_id) == (4, 6, 2, 96, 99)
    assert hdf.dimensions == [4.0, 6.0] + [0.0] * 8
    assert (hdf.epics_seconds, hdf.epics_nanoseconds) == (1068848024, 750000000)
    hdf.last = None
    assert (hdf.columns, hdf.rows, hdf.ndimensions, hdf.time_stamp_s) == (0, 0, 0, 0.0)
