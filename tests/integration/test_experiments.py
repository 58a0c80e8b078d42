"""The experiments of the paper on the soft IOC: what fills the cells is what was asked for."""

import itertools

import numpy as np
import pytest

from devices import SaxsDetector, connect, use_clock
from ioc_sim.bench import measure
from ioc_sim.physics.scenario_file import load_scenario
from msc_plans.callbacks.calibrations import LatestCalibrations
from msc_plans.condition import Condition
from msc_plans.plans import (
    bring_up,
    growth_temperature_scan,
    measure_condition,
    measure_fractions,
    mesophase_scan,
    refill,
    saxs_calibrate,
    standby,
)
from tests.conftest import wait_until

SCENARIO = load_scenario("palencia2020")


@pytest.fixture
def saxs(devices, ioc):
    reactor, _ = devices
    detector = SaxsDetector("MSC:Saxs:", name="saxs", write_path=f"{ioc._log.parent}/saxs/%Y")
    connect(detector, timeout_s=20)
    use_clock(detector, reactor.clock)
    yield detector
    detector.stop()
    detector.cell.setpoint.put(0.0, wait=True)


@pytest.fixture
def documents(RE):
    found = []
    RE.subscribe(lambda *item: found.append(item))
    return found


def starts(documents):
    return [document for name, document in documents if name == "start"]


def stops(documents):
    return [document["exit_status"] for name, document in documents if name == "stop"]


def primary(documents, key):
    streams = {d["uid"] for name, d in documents if name == "descriptor" and d["name"] == "primary"}
    return [d["data"][key] for name, d in documents if name == "event" and d["descriptor"] in streams]


def absorbance(counts, dark, reference):
    with np.errstate(all="ignore"):
        return -np.log10((counts - dark) / (reference - dark))


def test_what_is_measured_is_the_steady_state_of_the_condition(RE, reactor, spectrometer, documents):
    """Small steps, a long way up and a change of flow; the twin's steady state is integrated on its own."""
    conditions = [(280.0, 280.0, 14.0), (280.0, 290.0, 14.0), (270.0, 280.0, 14.0), (270.0, 280.0, 7.6)]
    RE(bring_up(reactor, spectrometer, 280.0, 280.0))
    for condition in conditions:
        RE(measure_condition(reactor, spectrometer, *condition))
    dark, reference = (np.asarray(getattr(spectrometer.calibration, name).get()) for name in ("dark", "reference"))
    wavelength = np.asarray(spectrometer.calibration.wavelength_nm.get())
    use = (wavelength > 400) & (wavelength < 600)
    for condition, counts in zip(conditions, primary(documents, "spectrometer_counts"), strict=True):
        truth = measure(SCENARIO, Condition(*condition).as_dict(), 1, 100.0)
        expected = absorbance(truth.counts, truth.dark, truth.reference)[use]
        found = absorbance(np.asarray(counts), dark, reference)[use]
        # 5 % of the height, or 0.005 where there is little: temperatures are in band to 1 °C
        assert np.median(np.abs(found - expected)) < 0.005 + 0.05 * np.max(expected), condition
    assert primary(documents, "reactor_made_at_growth") == pytest.approx([280, 290, 280, 280], abs=1.0)


def test_a_scan_takes_the_cheapest_order_and_leaves_in_time(RE, reactor, spectrometer, documents, capsys):
    RE(bring_up(reactor, spectrometer, 120.0, 120.0))
    RE(growth_temperature_scan(reactor, spectrometer, [120.0, 140.0], [0.0, -10.0], 14.0))
    conditions = [start["condition"] for start in starts(documents)]
    found = [(one["nucleation_temperature"], one["growth_temperature"]) for one in conditions]
    assert sorted(found) == [(120.0, 110.0), (120.0, 120.0), (140.0, 130.0), (140.0, 140.0)]
    travel = sum(max(abs(a - c), abs(b - d)) for (a, b), (c, d) in itertools.pairwise(found))
    assert travel == 40.0
    assert stops(documents) == ["success"] * 4
    assert primary(documents, "reactor_made_at_nucleation") == pytest.approx([n for n, _ in found], abs=1.1)
    told = capsys.readouterr().out
    assert "4 conditions, about" in told
    assert "4 of 4" in told


def test_fractions_are_injected_one_by_one(RE, reactor, spectrometer, documents):
    RE(bring_up(reactor, spectrometer, 100.0, 100.0))
    RE(measure_fractions(reactor, spectrometer, ["F1", "F3"]))
    assert [start["fraction"] for start in starts(documents)] == ["F1", "F3"]
    assert stops(documents) == ["success"] * 2
    dark, reference = (np.asarray(getattr(spectrometer.calibration, name).get()) for name in ("dark", "reference"))
    wavelength = np.asarray(spectrometer.calibration.wavelength_nm.get())
    use = (wavelength > 420) & (wavelength < 480)
    f1, f3 = (absorbance(np.asarray(c), dark, reference) for c in primary(documents, "spectrometer_counts"))
    assert wavelength[use][np.argmax(f3[use])] == pytest.approx(437.0, abs=4.0)
    red = (wavelength > 500) & (wavelength < 580)
    assert np.max(f1[red]) > 3 * np.max(f3[red])
    assert reactor.valve.get() == "Solvent"


def test_calibration_and_mesophase_name_their_background_and_temperature(RE, reactor, saxs, documents):
    RE.subscribe(LatestCalibrations(RE.md))
    (background,) = RE(saxs_calibrate(reactor, saxs, frame_exposure_s=1.0, num=1))
    RE(mesophase_scan(reactor, saxs, ["Cd only"], [30.0, 60.0], frame_exposure_s=1.0))
    found = starts(documents)
    assert [start["purpose"] for start in found] == ["background", "mesophase_scan", "mesophase_scan"]
    assert {start.get("background_uid") for start in found[1:]} == {background}
    assert [start["cell_temperature"] for start in found[1:]] == [30.0, 60.0]
    assert primary(documents, "saxs_cell_temperature")[1:] == pytest.approx([30.0, 60.0], abs=1.1)
    assert saxs.shutter.get() == "Closed"
    assert saxs.cell.setpoint.get() == 0.0


def test_syringes_are_drawn_full_and_standby_keeps_solvent_flowing(RE, reactor):
    RE(refill(reactor, ["Solvent"], "draw"))
    assert reactor.pump_solvent.content == pytest.approx(reactor.pump_solvent.capacity_ul, rel=1e-2)
    RE(standby(reactor))
    wait_until(lambda: reactor.pump_solvent.status.get() == "Infusing", what="solvent at standby flow")
    assert reactor.growth.setpoint.get() == reactor.standby_temperature.get()
