import asyncio

import numpy as np
import pytest
from caproto import CaprotoValueError, ChannelType

from ioc_sim.areadetector.pilatus import CAM_RECORDS, CamModel
from ioc_sim.records.table import serve


class Camera:
    """Counts how often it was asked, and for how long."""

    clock_s = 0.0

    def __init__(self, bench):
        self._bench = bench
        self.exposures_s = []
        self.ends_s = []

    def frame(self, exposure_s):
        self.exposures_s.append(exposure_s)
        self.ends_s.append(self.clock_s)
        self._bench.wall_s += self._bench.frame_takes_s
        return np.full((3, 2), len(self.exposures_s), np.int32)


class Sink:
    waiting = 0

    def __init__(self):
        self.frames = []

    def push(self, frame):
        self.frames.append(frame)


class Bench:
    """A driver on a clock that this test moves: one second of the twin and of the wall a tick."""

    wall_s = frame_takes_s = 0.0

    def __init__(self):
        self.camera, self.sink = Camera(self), Sink()
        self.cam = CamModel(self.camera, self.sink, (3, 2), monotonic=lambda: self.wall_s, now=lambda: 1e9)

    async def step(self, seconds=1.0, wall_seconds=1.0):
        self.camera.clock_s += seconds
        self.wall_s += wall_seconds
        await self.cam.tick()

    def tick(self, count=1, **kwargs):
        for _ in range(count):
            asyncio.run(self.step(**kwargs))


@pytest.fixture
def bench():
    return Bench()


def test_an_image_ends_after_its_exposure_on_the_twins_clock(bench):
    bench.cam.acquire_time_s = 2.5
    bench.cam.acquire = "Acquire"
    assert (bench.cam.acquire, bench.cam.acquiring, bench.cam.detector_state) == ("Acquire", "Acquiring", "Acquire")
    bench.tick(2)
    assert bench.cam.time_remaining_s == 0.5
    assert bench.sink.frames == []
    bench.tick()
    (frame,) = bench.sink.frames
    assert (frame.unique_id, frame.clock_s, frame.time_s) == (1, 3.0, 1e9)
    assert bench.camera.exposures_s == [2.5]
    assert (bench.cam.acquire, bench.cam.detector_state, bench.cam.images_done) == ("Done", "Idle", 1)


def test_images_start_one_period_apart(bench):
    bench.cam.image_mode, bench.cam.num_images = "Multiple", 3
    bench.cam.acquire_time_s, bench.cam.acquire_period_s = 1.0, 4.0
    bench.cam.acquire = "Acquire"
    bench.tick(8)
    assert bench.cam.acquire == "Acquire"
    bench.tick(2)
    assert bench.camera.ends_s == [1.0, 5.0, 9.0]
    assert (bench.cam.acquire, bench.cam.array_counter) == ("Done", 3)


def test_a_period_shorter_than_the_exposure_means_one_after_another(bench):
    bench.cam.image_mode, bench.cam.num_images = "Multiple", 2
    bench.cam.acquire_time_s, bench.cam.acquire_period_s = 2.0, 0.5
    bench.cam.acquire = "Acquire"
    bench.tick(4)
    assert bench.camera.ends_s == [2.0, 4.0]


def test_exposures_of_an_image_are_added_up(bench):
    bench.cam.num_exposures = 3
    bench.cam.acquire = "Acquire"
    bench.tick(3)
    assert bench.camera.exposures_s == [3.0]
    assert bench.cam.exposures_done == 3


def test_several_short_images_end_in_one_long_tick_and_none_is_left_out(bench):
    bench.cam.image_mode, bench.cam.num_images = "Multiple", 20
    bench.cam.acquire_time_s = bench.cam.acquire_period_s = 0.1
    bench.cam.acquire = "Acquire"
    bench.tick()
    assert len(bench.sink.frames) == 10
    bench.frame_takes_s = 0.2
    # half a second's worth of work in a second
    bench.tick()
    assert len(bench.sink.frames) == 13
    bench.frame_takes_s = 0.0
    bench.tick()
    assert [frame.unique_id for frame in bench.sink.frames] == list(range(1, 21))
    assert bench.cam.acquire == "Done"


def test_acquire_stays_up_until_the_plugin_has_written(bench):
    bench.cam.acquire = "Acquire"
    bench.sink.waiting = 1
    bench.tick(5)
    assert (bench.cam.acquire, bench.cam.detector_state) == ("Acquire", "Saving")
    bench.sink.waiting = 0
    bench.cam.settle()
    assert (bench.cam.acquire, bench.cam.detector_state) == ("Done", "Idle")


def test_no_image_is_taken_while_the_plugin_lags_behind(bench):
    bench.cam.image_mode = "Continuous"
    bench.cam.acquire = "Acquire"
    bench.sink.waiting = 32
    bench.tick(5)
    assert bench.sink.frames == []
    bench.sink.waiting = 31
    bench.tick()
    assert len(bench.sink.frames) == 1


def test_acquire_stays_up_long_enough_to_be_seen(bench):
    bench.cam.acquire = "Acquire"
    bench.tick(1, seconds=100.0, wall_seconds=1.0)
    assert bench.cam.acquire == "Acquire"
    bench.tick(1, wall_seconds=0.0)
    assert bench.cam.acquire == "Done"
    bench.cam.acquire = "Acquire"
    bench.tick(9, seconds=100.0, wall_seconds=0.01)
    assert bench.cam.acquire == "Acquire"
    bench.tick(2, wall_seconds=0.01)
    assert bench.cam.acquire == "Done"


@pytest.mark.parametrize(("mode", "trigger"), [("Continuous", "Internal"), ("Single", "Alignment")])
def test_endless_acquisitions_end_when_given_up(bench, mode, trigger):
    bench.cam.image_mode, bench.cam.trigger_mode = mode, trigger
    bench.cam.acquire = "Acquire"
    bench.tick(5)
    assert len(bench.sink.frames) == 5
    bench.cam.acquire = "Done"
    assert (bench.cam.acquire, bench.cam.detector_state) == ("Done", "Aborted")
    bench.tick(5)
    assert len(bench.sink.frames) == 5


def test_given_up_before_its_end_an_exposure_gives_no_image(bench):
    bench.cam.acquire_time_s = 10.0
    bench.cam.acquire = "Acquire"
    bench.tick(3)
    bench.cam.acquire = "Done"
    bench.tick(20)
    assert bench.sink.frames == []
    bench.cam.acquire = "Acquire"
    bench.tick(10)
    assert (len(bench.sink.frames), bench.cam.detector_state) == (1, "Idle")


def test_external_triggers_never_come(bench):
    bench.cam.trigger_mode = "Ext. Trigger"
    bench.cam.acquire = "Acquire"
    bench.tick(100)
    assert (bench.cam.detector_state, bench.cam.armed, bench.cam.acquire) == ("Waiting", "Armed", "Acquire")
    assert bench.cam.time_remaining_s == 0.0
    bench.cam.acquire = "Done"
    assert (bench.cam.armed, bench.cam.acquire) == ("Unarmed", "Done")


def test_a_second_start_is_ignored_and_stopping_at_rest_does_nothing(bench):
    bench.cam.acquire = "Done"
    assert bench.cam.detector_state == "Idle"
    bench.cam.acquire_time_s = 5.0
    bench.cam.acquire = "Acquire"
    bench.tick(4)
    bench.cam.acquire = "Acquire"
    bench.tick()
    assert len(bench.sink.frames) == 1


def test_without_array_callbacks_images_are_counted_but_go_nowhere(bench):
    bench.cam.array_callbacks = "Disable"
    bench.cam.acquire = "Acquire"
    bench.tick(2)
    assert (bench.sink.frames, bench.cam.array_counter, bench.cam.images_done) == ([], 1, 1)


def test_only_whole_frames_are_read_out(bench):
    bench.cam.size_x, bench.cam.size_y = 2, 3
    for attribute in ("size_x", "size_y"):
        with pytest.raises(ValueError, match="always"):
            setattr(bench.cam, attribute, 1)


def test_the_put_of_acquire_is_answered_when_the_acquisition_ends(bench):
    group = serve("T:", CAM_RECORDS, bench.cam, str)
    acquire, readback = group.pvdb["T:Acquire"], group.pvdb["T:Acquire_RBV"]

    async def run():
        put = asyncio.ensure_future(acquire.write_from_dbr([1], ChannelType.INT, None))
        await asyncio.sleep(0)
        assert (acquire.value, readback.value) == ("Acquire", "Acquiring")
        await bench.step()
        await asyncio.sleep(0)
        assert not put.done()
        await bench.step()
        await put
        assert (acquire.value, readback.value) == ("Done", "Done")

    asyncio.run(run())


def test_a_client_that_goes_away_does_not_end_the_acquisition(bench):
    group = serve("T:", CAM_RECORDS, bench.cam, str)

    async def run():
        put = asyncio.ensure_future(group.pvdb["T:Acquire"].write_from_dbr([1], ChannelType.INT, None))
        await asyncio.sleep(0)
        put.cancel()
        await asyncio.wait([put])
        await bench.step()
        await bench.step()

    asyncio.run(run())
    assert len(bench.sink.frames) == 1


def test_settings_are_checked_by_their_records(bench):
    pvdb = serve("T:", CAM_RECORDS, bench.cam, str).pvdb

    def put(name, value, kind):
        asyncio.run(pvdb[name].write_from_dbr([value], kind, None))

    put("T:AcquireTime", -1.0, ChannelType.DOUBLE)
    assert bench.cam.acquire_time_s == 1e-6
    with pytest.raises(CaprotoValueError, match="none of Single"):
        put("T:ImageMode", 7, ChannelType.INT)
    with pytest.raises(CaprotoValueError, match="always"):
        put("T:SizeX", 1, ChannelType.LONG)
    assert (pvdb["T:MaxSizeX_RBV"].value, pvdb["T:MaxSizeY_RBV"].value) == (2, 3)
