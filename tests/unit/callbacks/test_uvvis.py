"""The live callback on documents of a raw run, made by event_model itself."""

import event_model
import numpy as np
import pytest

from msc_plans.callbacks.threaded import Threaded
from msc_plans.callbacks.uvvis import UvVisCallback, UvVisSettings
from msc_plans.families import built_in_families
from msc_plans.protocols import AnalysisFailedError

CONDITION = {"nucleation_temperature": 280.0, "growth_temperature": 280.0, "residence_time": 14.0}
WAVELENGTH = np.linspace(300.0, 800.0, 1001)


def spectrum():
    """A 437 nm band of 20 nm on nothing: FWHM 20 nm, height 0.3."""
    return 0.3 * np.exp(-4 * np.log(2) * ((WAVELENGTH - 437.0) / 20.0) ** 2)


def raw_run(send, *, dark=1000.0, exit_status="success", calibration=True, rng=None):
    rng = rng or np.random.default_rng(1)
    run = event_model.compose_run(
        metadata={"purpose": "campaign", "condition": CONDITION, "campaign_uid": "c", "trial_id": "t"}
    )
    send("start", run.start_doc)

    def stream(name, data):
        keys = {k: {"source": "x", "dtype": "array", "shape": [len(v)]} for k, v in data.items()}
        bundle = run.compose_descriptor(name=name, data_keys=keys)
        send("descriptor", bundle.descriptor_doc)
        values = {k: np.asarray(v).tolist() for k, v in data.items()}
        send("event", bundle.compose_event(data=values, timestamps=dict.fromkeys(data, 0.0)))

    reference = np.full_like(WAVELENGTH, 150000.0)
    if calibration:
        stream(
            "dark_reference",
            {
                "spec_calibration_dark": np.full_like(WAVELENGTH, dark),
                "spec_calibration_reference": reference,
                "spec_calibration_wavelength_nm": WAVELENGTH,
            },
        )
    counts = 1000.0 + (reference - 1000.0) * 10 ** -spectrum() + rng.normal(0, 100, WAVELENGTH.size)
    stream("primary", {"spec_counts": counts})
    send("stop", run.compose_stop(exit_status=exit_status))
    return run.start_doc["uid"]


@pytest.fixture
def published():
    return []


@pytest.fixture
def callback(published):
    settings = UvVisSettings(
        spectrometer="spec",
        path_length_cm=0.1,
        full_conversion_height=built_in_families().material.full_conversion_height(0.02, 0.1),
    )
    return UvVisCallback(settings, [lambda *item: published.append(item)])


def test_a_raw_run_becomes_an_analysis_run_linked_to_it(callback, published):
    uid = raw_run(callback)
    assert [name for name, _ in published] == ["start", "descriptor", "event", "stop"]
    for name, document in published:
        event_model.schema_validators[event_model.DocumentNames[name]].validate(document)
    start, data = published[0][1], published[2][1]["data"]
    assert (start["purpose"], start["analysis"], start["raw_uid"]) == ("analysis", "uvvis", uid)
    assert (start["campaign_uid"], start["trial_id"], start["condition"]) == ("c", "t", CONDITION)
    assert start["settings"]["path_length_cm"] == 0.1
    assert (start["raw_time"] > 0, start["families"]) == (True, ["CdSe-437"])
    assert data["CdSe-437_probability"] > 0.95
    assert data["CdSe-437_height"] == pytest.approx(0.3, abs=0.02)
    assert data["CdSe-437_wavelength_nm"] == pytest.approx(437, abs=1)
    assert len(data["absorbance"]) == len(WAVELENGTH)
    assert callback.outcome(uid).result(timeout=0)["CdSe-437_height"] == data["CdSe-437_height"]


def test_a_run_that_failed_has_no_analysis_but_an_answer(callback, published):
    uid = raw_run(callback, exit_status="abort")
    assert published == []
    with pytest.raises(AnalysisFailedError, match="ended as abort"):
        callback.outcome(uid).result(timeout=0)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [({"calibration": False}, "holds no dark and reference"), ({"dark": 2e5}, "dark")],
)
def test_a_run_that_can_not_be_analysed_is_a_failed_analysis_with_its_reason(callback, published, wrong, words):
    uid = raw_run(callback, **wrong)
    assert [name for name, _ in published] == ["start", "stop"]
    assert published[1][1]["exit_status"] == "fail"
    assert words in published[1][1]["reason"]
    with pytest.raises(AnalysisFailedError, match=words):
        callback.outcome(uid).result(timeout=0)


@pytest.mark.parametrize("dark", [1000.0, 2e5])
def test_a_run_whose_analysis_the_store_lacks_is_not_analysed_twice_in_a_session(callback, published, dark):
    documents = []

    def send(name, document):
        documents.append((name, document))
        callback(name, document)

    uid = raw_run(send, dark=dark)
    answer, before = callback.outcome(uid), len(published)
    callback.replay(documents)
    for name, document in documents:
        callback(name, document)  # both at once
    assert callback.outcome(uid) is answer
    assert (answer.exception(timeout=0) is None) == (dark == 1000.0)
    assert len(published) == 2 * before, "the replay published nothing"


def test_other_runs_are_left_alone(callback, published):
    run = event_model.compose_run(metadata={"purpose": "something else"})
    callback("start", run.start_doc)
    callback("stop", run.compose_stop())
    assert published == []


def test_on_its_thread_it_keeps_order_survives_an_error_and_ends():
    seen = []

    def careless(name, document):
        if name == "descriptor":
            raise RuntimeError("oops")
        seen.append(name)

    threaded = Threaded(careless, name="careless")
    for name in ("start", "descriptor", "event", "stop"):
        threaded(name, {})
    threaded.close()
    threaded.close()
    assert seen == ["start", "event", "stop"]


def test_whoever_waits_gets_an_answer_even_if_a_listener_fails(callback):
    def fails(name, document):
        raise OSError("disk full")

    callback._listeners = [fails]
    with pytest.raises(OSError, match="disk full"):
        raw_run(callback)
    (future,) = callback._futures.values()
    assert future.result(timeout=0)["CdSe-437_probability"] > 0.95
