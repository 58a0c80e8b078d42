"""Both signals of a raw run: UV-vis, then SAXS, then both together, each published and linked to the run."""

import numpy as np
import pytest

from msc_plans.callbacks.joint import JointCallback
from msc_plans.callbacks.live import LiveAnalysis
from msc_plans.callbacks.saxs import SaxsAnalysisSettings, SaxsCallback
from msc_plans.callbacks.uvvis import UvVisCallback, UvVisSettings
from msc_plans.families import built_in_families
from msc_plans.protocols import AnalysisFailedError
from tests.unit.callbacks.raw_runs import CONDITION, WAVELENGTH_NM, Station, analyses, dispersion, frame_of
from tests.unit.callbacks.test_uvvis import raw_run

BAND = 0.3 * np.exp(-4 * np.log(2) * ((WAVELENGTH_NM - 437.0) / 20.0) ** 2)


@pytest.fixture
def published():
    return []


@pytest.fixture
def parts(published):
    listeners = [lambda *item: published.append(item)]
    joint = JointCallback(0.1, listeners)
    settings = UvVisSettings(
        spectrometer="spec",
        path_length_cm=0.1,
        full_conversion_height=built_in_families().material.full_conversion_height(0.02, 0.1),
    )
    uvvis = UvVisCallback(settings, listeners, [joint.take])
    return uvvis, SaxsCallback(SaxsAnalysisSettings("saxs", points=150), listeners, [joint.take]), joint


@pytest.fixture
def station(parts, tmp_path):
    return Station(LiveAnalysis(parts), tmp_path)


def test_both_signals_are_analysed_one_after_the_other_and_then_together(station, parts, published):
    behind = station.background()
    uid = station.run([frame_of(dispersion, 1)], spectrum=BAND, condition=CONDITION, background_uid=behind)
    starts = [document for name, document in published if name == "start" and document["raw_uid"] == uid]
    assert [start["analysis"] for start in starts] == ["uvvis", "saxs", "joint"]
    assert {start["condition"]["residence_time"] for start in starts} == {CONDITION["residence_time"]}
    ((_, optical),) = analyses(published, "uvvis")
    assert optical["CdSe-437_wavelength_nm"] == pytest.approx(437, abs=1)
    ((_, together),) = analyses(published, "joint")
    assert parts[2].outcome(uid).result(timeout=0) == together
    assert all(isinstance(value, (float, int, str, bool)) for value in together.values())


def spectrum_only(analysis, tmp_path):
    return raw_run(analysis)


def frame_only(analysis, tmp_path):
    return Station(analysis, tmp_path).run([frame_of(dispersion, 1)], condition=CONDITION)


@pytest.mark.parametrize(("run", "found"), [(spectrum_only, "uvvis"), (frame_only, "saxs")])
def test_a_run_with_one_signal_has_the_analysis_of_that_one_alone(parts, published, tmp_path, run, found):
    uid = run(LiveAnalysis(parts), tmp_path)
    assert [document["analysis"] for name, document in published if name == "start"] == [found]
    with pytest.raises(AnalysisFailedError, match=f"run {uid} holds nothing for joint"):
        parts[2].outcome(uid).result(timeout=0)
    assert parts[2]._results == {}


def test_what_one_analysis_raises_does_not_keep_it_from_the_next(caplog):
    seen = []

    def fails(name, document):
        raise OSError("disk full")

    LiveAnalysis([fails, lambda *item: seen.append(item)])("start", {"uid": "u"})
    assert seen == [("start", {"uid": "u"})]
    assert "disk full" in caplog.text
