"""Plans under a real RunEngine on the soft IOC: documents, stopping, safety."""

import re
import threading

import event_model
import pytest
from bluesky.callbacks.best_effort import BestEffortCallback
from bluesky.utils import FailedStatus, RunEngineInterrupted

from msc_plans.plans import bring_up, make_safe, measure_condition, take_dark_and_reference
from tests.conftest import wait_until

CONDITION = (120.0, 110.0, 14.0)


@pytest.fixture
def ready(RE, reactor, spectrometer):
    RE(take_dark_and_reference(reactor, spectrometer))
    return RE


def assert_safe(reactor):
    wait_until(lambda: reactor.valve.get() == "Solvent", what="the valve at solvent")
    standby = reactor.standby_temperature.get()
    assert (reactor.nucleation.setpoint.get(), reactor.growth.setpoint.get()) == (standby, standby)
    assert {p.status.get(use_monitor=False) for p in (reactor.pump_cd, reactor.pump_se)} == {"Idle"}


def measure_until_paused(ready, reactor, spectrometer, nucleation_temperature):
    """Measure a condition, and pause while the ovens travel to it."""
    watcher = threading.Thread(target=_pause_while_moving, args=(ready, reactor, nucleation_temperature))
    watcher.start()
    with pytest.raises(RunEngineInterrupted):
        ready(measure_condition(reactor, spectrometer, nucleation_temperature, 110.0, 14.0))
    watcher.join()


def test_the_hints_make_a_table_of_where_the_liquid_was_made(ready, reactor, spectrometer, capsys):
    best_effort = BestEffortCallback()
    best_effort.disable_plots()
    ready.subscribe(best_effort)
    ready(measure_condition(reactor, spectrometer, *CONDITION))
    shown = capsys.readouterr().out
    (head,) = [line for line in shown.splitlines() if "seq_num" in line]
    columns = [word.strip() for word in head.strip("|").split("|")]
    assert columns == [
        "seq_num",
        "time",
        *(f"reactor_{name}" for name in ("nucleation_reading", "growth_reading", "residence_time")),
    ]
    row = next(line for line in shown.splitlines() if re.match(r"\|\s+1 \|", line)).strip("|").split("|")
    assert [float(number) for number in row[2:]] == pytest.approx(CONDITION, abs=1.0)


def test_one_condition_is_one_valid_run_with_its_streams(ready, reactor, spectrometer):
    documents = []
    ready.subscribe(lambda *item: documents.append(item))
    (uid,) = ready(measure_condition(reactor, spectrometer, *CONDITION, num=2, sample="CdSe", lots={"Cd": "A1"}))
    for name, document in documents:
        event_model.schema_validators[event_model.DocumentNames[name]].validate(document)
    start, stop = documents[0][1], documents[-1][1]
    assert start["uid"] == uid
    assert (start["sample"], start["lots"], start["purpose"]) == ("CdSe", {"Cd": "A1"}, "measure")
    assert stop["exit_status"] == "success"
    assert stop["num_events"] == {"baseline": 2, "dark_reference": 1, "primary": 2}
    streams = {d["uid"]: d for n, d in documents if n == "descriptor"}
    events = [(streams[d["descriptor"]]["name"], d["data"]) for n, d in documents if n == "event"]
    primary = [data for name, data in events if name == "primary"]
    assert len(primary[0]["spectrometer_counts"]) == 1044
    assert primary[0]["reactor_nucleation_reading"] == pytest.approx(120.0, abs=1.5)
    assert primary[0]["reactor_residence_time"] == pytest.approx(14.0)
    calibration = next(data for name, data in events if name == "dark_reference")
    assert {"spectrometer_calibration_dark", "spectrometer_calibration_wavelength_nm"} <= set(calibration)
    keys = next(d["data_keys"] for d in streams.values() if d["name"] == "primary")
    assert keys["reactor_nucleation_reading"]["units"] == "degC"


def test_two_conditions_in_a_row_do_not_cool_the_reactor_between_them(ready, reactor, spectrometer):
    ready(measure_condition(reactor, spectrometer, *CONDITION))
    wait_until(lambda: reactor.valve.get() == "Solvent", what="solvent after the end of the call")
    assert reactor.nucleation.setpoint.get() == 120.0
    assert reactor.nucleation.in_band(120.0)
    ready(measure_condition(reactor, spectrometer, *CONDITION))


@pytest.mark.parametrize("how", ["abort", "stop"])
def test_abort_and_stop_make_the_reactor_safe(ready, reactor, spectrometer, how):
    documents = []
    ready.subscribe(lambda *item: documents.append(item))
    measure_until_paused(ready, reactor, spectrometer, 330.0)
    assert ready.state == "paused"
    getattr(ready, how)()
    assert ready.state == "idle"
    assert documents[-1][0] == "stop"
    assert documents[-1][1]["exit_status"] == {"abort": "abort", "stop": "success"}[how]
    assert_safe(reactor)


def test_a_pause_holds_and_a_resume_finishes_the_condition(ready, reactor, spectrometer):
    measure_until_paused(ready, reactor, spectrometer, 130.0)
    wait_until(lambda: reactor.valve.get() == "Solvent", what="solvent during the pause")
    ready.resume()
    assert ready.state == "idle"
    assert reactor.nucleation.in_band(130.0)


def test_a_condition_that_fails_is_recorded_as_failed_and_made_safe(ready, reactor, spectrometer):
    documents = []
    ready.subscribe(lambda *item: documents.append(item))
    dwell, reactor.nucleation.timeout_s = reactor.nucleation.timeout_s, 1.0
    reactor.growth.timeout_s = 1.0
    try:
        with pytest.raises(FailedStatus) as caught:
            ready(measure_condition(reactor, spectrometer, 349.0, 20.0, 14.0))
    finally:
        reactor.nucleation.timeout_s = reactor.growth.timeout_s = dwell
    assert "did not happen within 1 s" in str(caught.value.__cause__)
    assert documents[-1][1]["exit_status"] == "fail"
    assert_safe(reactor)


def test_halt_runs_no_plan_but_stop_spares_the_precursor(ready, reactor, spectrometer):
    measure_until_paused(ready, reactor, spectrometer, 125.0)
    ready.halt()
    wait_until(lambda: reactor.valve.get() == "Solvent", what="the valve at solvent")
    assert {p.status.get(use_monitor=False) for p in (reactor.pump_cd, reactor.pump_se)} == {"Idle"}


def test_make_safe_stops_the_pumps_and_stays_so(ready, reactor, spectrometer):
    ready(bring_up(reactor, spectrometer, 120.0, 110.0))
    ready(make_safe(reactor, spectrometer))
    assert_safe(reactor)
    wait_until(lambda: reactor.pump_solvent.status.get() == "Idle", what="the end of the solvent")
    assert spectrometer.shutter.get() == "Closed"


def _pause_while_moving(RE, reactor, temperature):
    wait_until(lambda: reactor.nucleation.setpoint.get() == temperature, what="the move")
    RE.request_pause()
