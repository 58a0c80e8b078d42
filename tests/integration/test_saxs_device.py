"""The SAXS detector on the simulated reactor: frames in files that documents name, shutter, faults."""

import threading
from pathlib import Path

import event_model
import h5py
import numpy as np
import pytest
from bluesky import plan_stubs as bps
from bluesky import preprocessors as bpp
from bluesky.utils import FailedStatus, RunEngineInterrupted

from devices import FrameNotWrittenError, GivenUpError, NoBeamError, SaxsDetector, connect, use_clock
from ioc_sim.physics.matter import matter_of
from ioc_sim.physics.scenario_file import load_scenario
from msc_plans.callbacks.saxs import SaxsAnalysisSettings, SaxsCallback
from tests.conftest import wait_until

SCENARIO = load_scenario("fast")
PHOTONS_PER_COUNT = 1e6


@pytest.fixture(scope="module")
def station(devices, ioc):
    reactor, _ = devices
    detector = SaxsDetector("MSC:Saxs:", name="saxs", write_path=f"{ioc._log.parent}/saxs/%Y")
    connect(detector, timeout_s=20)
    use_clock(detector, reactor.clock)
    frame, beam = SCENARIO.frame, SCENARIO.beam
    pixel_m = 1e-3 * frame.pixel_mm
    geometry = {
        "distance_m": 1e-3 * frame.distance_mm, "poni1_m": frame.centre_row * pixel_m,
        "poni2_m": frame.centre_column * pixel_m, "detector": "Pilatus 300k",
        "beam_stop_radius_m": 1e-3 * frame.beamstop_radius_mm,
    }  # fmt: skip
    detector.geometry.configure(geometry)
    factor = 1 / PHOTONS_PER_COUNT / frame.efficiency
    detector.corrections.configure({"thickness_cm": 0.1 * beam.cell_thickness_mm, "calibration_factor": factor})
    return detector


@pytest.fixture
def saxs(station):
    station.camera.exposure_s.put(1.0, wait=True)
    yield station
    station.unstage()
    station.unstage()
    wait_until(lambda: station.shutter.get() == "Closed", what="the shutter closed")


@pytest.fixture
def fault(ioc, monkeypatch):
    """Switch a fault on; off again at the end. What it keeps from happening is waited for only briefly."""
    from ophyd import EpicsSignal

    monkeypatch.setattr("devices.core.move._LEAST_WALL_TIMEOUT_S", 1.0)
    switched = []

    def switch(name):
        record = EpicsSignal(f"MSC:Sim:Fault:{name}", name=name, put_complete=True)
        record.wait_for_connection(timeout=20)
        switched.append(record)
        record.put(1, wait=True)

    yield switch
    for record in switched:
        record.put(0, wait=True)


def expose(detector, runs, events, purpose="test"):
    @bpp.stage_decorator([detector])
    def plan():
        for _ in range(runs):
            yield from bps.open_run({"purpose": purpose})
            for _ in range(events):
                yield from bps.trigger_and_read([detector])
            yield from bps.close_run()

    return plan()


def test_each_run_of_a_campaign_names_its_frames_in_full(RE, saxs):
    documents = []
    RE(expose(saxs, runs=2, events=2), lambda *item: documents.append(item))
    for name, document in documents:
        event_model.schema_validators[event_model.DocumentNames[name]].validate(document)
    runs = [document["uid"] for name, document in documents if name == "start"]
    resources = [document for name, document in documents if name == "resource"]
    assert [r["run_start"] for r in resources] == [runs[0]] * 2 + [runs[1]] * 2
    data = {d["datum_id"]: d for n, d in documents if n == "datum"}
    images = [d["data"]["saxs_image"] for n, d in documents if n == "event"]
    assert [data[image]["resource"] for image in images] == [r["uid"] for r in resources]
    (first, *_) = [d for n, d in documents if n == "descriptor"]
    assert first["data_keys"]["saxs_image"]["shape"] == [1, 619, 487]
    assert first["data_keys"]["saxs_i0"]["units"] == "counts/s"
    configuration = first["configuration"]["saxs"]["data"]
    assert configuration["saxs_geometry_distance_m"] == 0.9
    assert configuration["saxs_energy_kev"] == pytest.approx(12.46)
    assert configuration["saxs_camera_exposure_s"] == 1.0
    assert first["configuration"]["saxs"]["data_keys"]["saxs_corrections_thickness_cm"]["units"] == "cm"
    frames = []
    for resource in resources:
        # closed: any reader may have it
        with h5py.File(Path(resource["root"], resource["resource_path"])) as file:
            frames.append(file["/entry/data/data"][:])
    assert {frame.shape for frame in frames} == {(1, 619, 487)}
    assert len({frame.tobytes() for frame in frames}) == 4
    for name, document in documents:
        if name == "event":
            i0, i1 = document["data"]["saxs_i0"], document["data"]["saxs_i1"]
            assert i0 == pytest.approx(SCENARIO.beam.flux_ph_s / PHOTONS_PER_COUNT, rel=0.05)
            assert i1 / i0 == pytest.approx(SCENARIO.beam.transmission, rel=0.01)
    assert saxs.shutter.get() == "Closed"


def test_its_documents_are_enough_for_a_curve_in_absolute_units(RE, saxs):
    published = []
    callback = SaxsCallback(SaxsAnalysisSettings("saxs"), [lambda *item: published.append(item)])
    saxs.camera.exposure_s.put(4.0, wait=True)
    RE(expose(saxs, runs=1, events=2, purpose="background"), callback)
    (data,) = [document["data"] for name, document in published if name == "event"]
    q, found, sigma = (np.array(data[key], float) for key in ("q_inv_nm", "intensity", "intensity_sigma"))
    # the reactor is at rest: solvent between the cell's windows, and what slits and air scatter
    scattering = matter_of(SCENARIO).scattering
    solvent = np.interp(q, scattering.q_inv_nm, scattering.background_cm())
    # nearer to the beam stop the windows' power law is not straight within a bin
    known = (q > 0.5) & np.isfinite(found)
    scale = np.average((found / solvent)[known], weights=((solvent / sigma) ** 2)[known])
    assert scale == pytest.approx(1, abs=4 * SCENARIO.beam.monitor_noise)
    assert np.std(((found / scale - solvent) / sigma)[known]) == pytest.approx(1, abs=0.25)
    assert data["absolute"]
    assert data["transmission"] == pytest.approx(SCENARIO.beam.transmission, rel=0.01)


def test_the_frame_holds_what_was_exposed_for(saxs):
    saxs.stage()
    totals = []
    for seconds in (0.5, 2.0):
        saxs.camera.exposure_s.put(seconds, wait=True)
        saxs.trigger().wait(30)
        (resource,) = (d for n, d in saxs.collect_asset_docs() if n == "resource")
        with h5py.File(Path(resource["root"], resource["resource_path"])) as file:
            frame = file["/entry/data/data"][0]
        totals.append(np.sort(frame.ravel())[: -SCENARIO.frame.hot_pixels].sum())
    assert totals[1] / totals[0] == pytest.approx(4.0, rel=0.02)


def test_a_detector_that_is_not_staged_or_was_not_triggered_says_so(station):
    with pytest.raises(RuntimeError, match="saxs is not staged: stage it"):
        station.trigger()
    fresh = SaxsDetector("MSC:Saxs:", name="fresh", write_path="/")
    connect(fresh, timeout_s=20)
    with pytest.raises(RuntimeError, match="fresh has no frame: it was not triggered"):
        fresh.read()


def test_a_frame_that_is_not_written_fails_the_run_by_name(RE, saxs, fault):
    fault("NoFile")
    documents = []
    with pytest.raises(FailedStatus) as failed:
        RE(expose(saxs, runs=1, events=1), lambda *item: documents.append(item))
    assert isinstance(failed.value.__cause__, FrameNotWrittenError)
    assert "holds no frame: " in str(failed.value.__cause__)
    assert "NumCaptured_RBV stayed at 0" in str(failed.value.__cause__)
    assert "event" not in [name for name, _ in documents]
    wait_until(lambda: saxs.shutter.get() == "Closed", what="the shutter closed")


def test_a_full_disk_is_named(saxs, fault):
    saxs.stage()
    fault("FullDisk")
    with pytest.raises(FrameNotWrittenError, match="No space left"):
        saxs.trigger().wait(60)


def test_without_beam_the_monitor_is_named(saxs, fault):
    saxs.stage()
    fault("BeamLost")
    with pytest.raises(NoBeamError, match=r"beam.*MSC:Saxs:I0 0|MSC:Saxs:I0 fell to 0"):
        saxs.trigger().wait(60)
    wait_until(lambda: saxs.shutter.get() == "Closed", what="the shutter closed")


def test_a_folder_that_the_ioc_refuses_is_named(station, monkeypatch):
    before = station.write_path
    station.write_path = "/nowhere"
    monkeypatch.setattr("devices.saxs.detector.PUT_TIMEOUT_S", 0.5)
    try:
        with pytest.raises(FrameNotWrittenError, match=r"FilePath.*/nowhere/.*may write to"):
            station.stage()
    finally:
        station.write_path = before
        station.unstage()


def test_a_detector_whose_ioc_died_can_be_staged_again(saxs, monkeypatch):
    def dead(*_, **__):
        raise TimeoutError("nobody answers")

    saxs.stage()
    exposure = saxs.trigger()
    with monkeypatch.context() as patch:
        patch.setattr(saxs.shutter, "put", dead)
        with pytest.raises(TimeoutError, match="nobody answers"):
            saxs.unstage()
    wait_until(lambda: exposure.done, what="the exposure given up")
    saxs.stage()
    saxs.trigger().wait(20)
    assert saxs.read()["saxs_image"]["value"]


def test_stop_closes_the_shutter_gives_up_and_leaves_it_ready(saxs):
    saxs.stage()
    saxs.camera.exposure_s.put(1e5, wait=True)
    status = saxs.trigger()
    wait_until(lambda: saxs.camera.state.get() == "Acquire", what="the exposure")
    with pytest.raises(RuntimeError, match="an exposure is under way"):
        saxs.trigger()
    assert saxs.shutter.get() == "Open"
    saxs.stop()
    saxs.stop()
    wait_until(lambda: saxs.shutter.get() == "Closed", what="the shutter closed")
    with pytest.raises(GivenUpError, match=r"given up while waiting for the end of (an exposure|the capture)"):
        status.wait(20)
    saxs.camera.exposure_s.put(1.0, wait=True)
    saxs.trigger().wait(30)
    assert [name for name, _ in saxs.collect_asset_docs()] == ["resource", "datum"]


def test_a_pause_closes_the_shutter_and_the_resumed_plan_exposes_again(RE, saxs):
    documents = []
    saxs.camera.exposure_s.put(1e5, wait=True)

    def plan():
        yield from bps.stage(saxs)
        yield from bps.open_run()
        yield from bps.checkpoint()
        yield from bps.trigger_and_read([saxs])
        yield from bps.close_run()
        yield from bps.unstage(saxs)

    def pause():
        wait_until(lambda: saxs.shutter.get() == "Open", what="the exposure")
        RE.request_pause()

    watcher = threading.Thread(target=pause)
    watcher.start()
    with pytest.raises(RunEngineInterrupted):
        RE(plan(), lambda *item: documents.append(item))
    watcher.join()
    wait_until(lambda: saxs.shutter.get() == "Closed", what="the shutter closed")
    assert "event" not in [name for name, _ in documents]
    saxs.camera.exposure_s.put(1.0, wait=True)
    RE.resume()
    assert [name for name, _ in documents].count("event") == 1
    assert documents[-1][1]["exit_status"] == "success"
