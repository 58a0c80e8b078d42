"""The live SAXS callback on documents of raw runs whose frames were made here from a known I(q)."""

import event_model
import h5py
import numpy as np
import pytest

from msc_plans.analysis.curve import ScatteringCurve
from msc_plans.callbacks.frames import Frames, read_frames
from msc_plans.callbacks.saxs import SaxsAnalysisSettings, SaxsCallback
from msc_plans.protocols import AnalysisFailedError
from tests.unit.callbacks.raw_runs import (
    CONDITION,
    TRANSMISSION,
    Station,
    analyses,
    dispersion,
    frame_of,
    solvent,
    spheres,
)


@pytest.fixture
def published():
    return []


@pytest.fixture
def seen():
    return []


@pytest.fixture
def callback(published, seen):
    return SaxsCallback(
        SaxsAnalysisSettings("saxs", points=150),
        [lambda *item: published.append(item)],
        [lambda *item: seen.append(item)],
    )


@pytest.fixture
def station(callback, tmp_path):
    return Station(callback, tmp_path)


@pytest.mark.parametrize("kind", ["datum", "stream"])
def test_frames_become_sizes_less_the_background_they_name(callback, station, published, seen, kind):
    behind = station.background()
    frames = [frame_of(dispersion, seed) for seed in (1, 2)]
    uid = station.run(frames, kind=kind, condition=CONDITION, trial_id="t", background_uid=behind)
    for name, document in published:
        event_model.schema_validators[event_model.DocumentNames[name]].validate(document)
    ((start, data),) = analyses(published, "saxs")
    assert (start["purpose"], start["raw_uid"], start["trial_id"]) == ("analysis", uid, "t")
    assert start["settings"]["background_uid"] == behind
    assert (data["absolute"], data["background_uid"], data["warnings"]) == (True, behind, "")
    assert data["transmission"] == pytest.approx(TRANSMISSION)
    q, intensity, sigma = (np.array(data[key]) for key in ("q_inv_nm", "intensity", "intensity_sigma"))
    pulls = (intensity - spheres(q)) / sigma
    assert np.mean(np.abs(pulls) < 2) > 0.9
    assert data["mean_radius_nm"] == pytest.approx(1.6, rel=0.03)
    assert data["mean_radius_nm_low"] < data["mean_radius_nm"] < data["mean_radius_nm_high"]
    assert len(data["radius_nm"]) == len(data["volume_weighted"]) == len(data["volume_weighted_sigma"])
    assert len(data["fit"]) == len(data["background"]) == len(q)
    assert callback.outcome(uid).result(timeout=0)["mean_radius_nm"] == data["mean_radius_nm"]
    (name, observed, result) = seen[-1]
    assert (name, observed["uid"], result.mean_radius_nm) == ("saxs", uid, data["mean_radius_nm"])
    descriptor = [d for n, d in published if n == "descriptor"][-1]
    assert descriptor["data_keys"]["mean_radius_nm_low"]["units"] == "nm"
    assert descriptor["data_keys"]["q_inv_nm"]["units"] == "1/nm"


def test_a_background_run_is_integrated_and_published_as_such(station, published):
    uid = station.background()
    ((start, data),) = analyses(published, "background")
    assert start["raw_uid"] == uid
    q, intensity, sigma = (np.array(data[key], float) for key in ("q_inv_nm", "intensity", "intensity_sigma"))
    known = np.isfinite(intensity)
    pulls = ((intensity - solvent(q)) / sigma)[known][3:]
    assert np.std(pulls) == pytest.approx(1, abs=0.25)
    assert not analyses(published, "saxs")


@pytest.mark.parametrize(
    ("metadata", "words"),
    [
        ({}, "no background was subtracted: the run names none"),
        ({"background_uid": "gone"}, "no background was subtracted: no curve of run gone is known"),
    ],
)
def test_without_its_background_the_result_warns(station, published, metadata, words):
    station.run([frame_of(dispersion, 1)], **metadata)
    ((start, data),) = analyses(published, "saxs")
    assert words in data["warnings"]
    assert start["settings"]["background_uid"] == ""


def test_a_stale_background_warns_with_its_age(station, published):
    behind = station.background(time=1e9)
    station.run([frame_of(dispersion, 1)], background_uid=behind, time=1e9 + 36000)
    ((start, data),) = analyses(published, "saxs")
    assert data["warnings"] == "the background is 10.0 h old"
    assert start["settings"]["background_uid"] == behind


def test_an_older_background_is_asked_for(tmp_path):
    published, asked = [], []

    def older(uid):
        asked.append(uid)
        points = np.linspace(0.2, 1.0, 9)
        return ScatteringCurve(points, points, points, absolute=True, uid=uid)

    callback = SaxsCallback(SaxsAnalysisSettings("saxs"), [lambda *item: published.append(item)], background=older)
    Station(callback, tmp_path).run([frame_of(dispersion, 1)], background_uid="older")
    assert asked == ["older"]
    ((_, data),) = analyses(published, "saxs")
    assert "background older has other points: 9 up to 1 nm⁻¹" in data["warnings"]


def test_bragg_peaks_are_published_and_kept_out_of_the_sizes(station, published):
    behind = station.background()

    def mesophase(q):
        peaks = sum(height / (1 + ((q - place) / 0.05) ** 2) for place, height in ((1.84, 1.0), (3.68, 0.3)))
        return dispersion(q) + peaks

    station.run([frame_of(mesophase, seed) for seed in (1, 2)], background_uid=behind)
    ((_, layers),) = analyses(published, "lamellae")
    assert layers["structure"] == "lamellar"
    assert layers["d_spacing_nm"] == pytest.approx(2 * np.pi / 1.84, rel=0.01)
    assert layers["peak_q_inv_nm"] == pytest.approx([1.84, 3.68], rel=0.01)
    assert layers["peak_order"] == [1, 2]
    ((_, data),) = analyses(published, "saxs")
    assert not np.any(np.abs(np.array(data["q_inv_nm"]) - 1.84) < 0.1)
    assert data["mean_radius_nm"] == pytest.approx(1.6, rel=0.03)


@pytest.mark.parametrize(
    ("frames", "kwargs", "words"),
    [
        (1, {"write": False}, r"0\.h5 is not there; is the detector's disk mounted"),
        (0, {}, "the run holds no frames"),
    ],
)
def test_a_run_without_its_frames_is_a_failed_analysis_with_its_reason(
    callback, station, published, frames, kwargs, words
):
    uid = station.run([frame_of(dispersion, 1)] * frames, **kwargs)
    assert [name for name, _ in published] == ["start", "stop"]
    assert published[1][1]["exit_status"] == "fail"
    with pytest.raises(AnalysisFailedError, match=words):
        callback.outcome(uid).result(timeout=0)


def test_runs_that_failed_or_hold_no_frames_are_left_alone(callback, station, published):
    failed = station.run([frame_of(dispersion, 1)], exit_status="abort")
    run = event_model.compose_run(metadata={"condition": CONDITION})
    callback("start", run.start_doc)
    stream = run.compose_descriptor(
        name="primary", data_keys={"counts": {"source": "x", "dtype": "number", "shape": []}}
    )
    callback("descriptor", stream.descriptor_doc)
    callback("stop", run.compose_stop())
    assert published == []
    for uid, words in ((failed, "ended as abort"), (run.start_doc["uid"], "holds nothing for saxs")):
        with pytest.raises(AnalysisFailedError, match=words):
            callback.outcome(uid).result(timeout=0)


def test_a_failing_observer_does_not_keep_others_from_the_result(published, tmp_path, caplog):
    seen = []

    def fails(*item):
        raise RuntimeError("window gone")

    callback = SaxsCallback(
        SaxsAnalysisSettings("saxs"), [lambda *item: published.append(item)], [fails, lambda *item: seen.append(item)]
    )
    Station(callback, tmp_path).background()
    assert [name for name, *_ in seen] == ["background"]
    assert "window gone" in caplog.text


@pytest.mark.timeout(60)
def test_a_damaged_file_of_frames_is_named_at_once(tmp_path):
    path = tmp_path / "damaged.h5"
    with h5py.File(path, "w", libver=("v110", "v110")) as file:
        file["entry/data/data"] = np.zeros((1, 3, 4), dtype="<i4")
        file.swmr_mode = True
    content = bytearray(path.read_bytes())
    content[content.rindex(b"OHDR") + 20] ^= 0x42
    path.write_bytes(content)
    with pytest.raises((OSError, ValueError), match=r"damaged.h5"):
        read_frames(path)


@pytest.mark.parametrize("kind", ["datum", "stream"])
def test_a_run_that_is_read_once_more_gives_the_same(callback, published, tmp_path, kind):
    documents = []
    uid = Station(lambda *item: documents.append(item), tmp_path).run([frame_of(dispersion, 1)], kind=kind)
    for _ in range(2):
        for name, document in documents:
            callback(name, document)
        callback.forget(uid)
    (_, once), (_, again) = analyses(published, "saxs")
    np.testing.assert_equal(again, once)


def test_frames_of_a_file_that_is_still_written_are_read(tmp_path):
    path = tmp_path / "open.h5"
    with h5py.File(path, "w", libver=("v110", "v110")) as file:
        shapes = {"shape": (0, 3, 4), "maxshape": (None, 3, 4), "chunks": (1, 3, 4)}
        data = file.create_dataset("entry/data/data", dtype="<i4", **shapes)
        file.swmr_mode = True
        data.resize(2, axis=0)
        data[:] = np.arange(24).reshape(2, 3, 4)
        data.flush()
        frames = Frames()
        frames("resource", {"uid": "r", "root": str(tmp_path), "resource_path": "open.h5", "resource_kwargs": {}})
        for point in (1, 2):
            frames("datum", {"datum_id": f"r/{point}", "resource": "r", "datum_kwargs": {"point_number": point}})
        assert np.array_equal(frames.of_datum("r/1"), np.arange(12, 24).reshape(1, 3, 4))
        with pytest.raises(ValueError, match=r"open.h5 holds 2 frames in /entry/data/data, not 3"):
            frames.of_datum("r/2")
    with pytest.raises(ValueError, match="no datum document came for 'r/9'"):
        frames.of_datum("r/9")
    with pytest.raises(ValueError, match="holds no /elsewhere"):
        read_frames(path, "/elsewhere")
