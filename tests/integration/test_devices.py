"""The devices on the soft IOC: done when true, refused before anything moves, safe when stopped."""

import numpy as np
import pytest
from ophyd import EpicsSignal

from devices import DidNotHappenError, GivenUpError, InterlockTrippedError, NoAnswerError, SetpointRefusedError, connect
from devices.flow.reactor import FlowReactor
from tests.conftest import wait_until

CONDITION = {"nucleation_temperature": 120.0, "growth_temperature": 110.0, "residence_time": 14.0}


def test_a_condition_is_reached_when_ovens_dwell_and_the_mixture_has_passed(reactor):
    seen = []
    # a way to go, wherever the last test left the ovens
    reactor.nucleation.set(80.0).wait(60)
    before = reactor.pump_cd.infused_ul.get(use_monitor=False) + reactor.pump_se.infused_ul.get(use_monitor=False)
    # slow enough that the passage is looked at more than once at this time scale
    status = reactor.set({**CONDITION, "residence_time": 25.0})
    status.watch(lambda **at: seen.append((at.get("unit"), at["fraction"])))
    status.wait(60)
    assert reactor.nucleation.in_band(120.0)
    assert reactor.growth.in_band(110.0)
    assert reactor.valve.get() == "Mixture"
    passed = reactor.pump_cd.infused_ul.get() + reactor.pump_se.infused_ul.get() - before
    assert passed >= reactor.flush_volumes * reactor.geometry.swept_ul
    assert reactor.read()["reactor_residence_time"]["value"] == pytest.approx(25.0)
    assert reactor.read()["reactor_made_at_nucleation"]["value"] == pytest.approx(120.0, abs=1.0)
    # ophyd's last call, at the end of a status, carries neither unit nor current value
    assert {unit for unit, _ in seen} - {None} == {"°C", "µL"}
    assert all(0 <= fraction <= 1 for _, fraction in seen)


@pytest.mark.parametrize(
    ("key", "asked", "words"),
    [
        ("nucleation_temperature", 500.0, "nucleation_temperature 500 °C is outside 20 to 350 °C"),
        ("growth_temperature", 5.0, "growth_temperature 5 °C is outside 20 to 350 °C"),
        ("growth_temperature", float("nan"), "growth_temperature must be a finite number, not nan"),
        ("residence_time", -1.0, "residence_time -1 s is outside"),
        ("residence_time", 1e6, "residence_time 1e[+]06 s is outside"),
        ("residence_time", "14", "residence_time must be a finite number, not '14'"),
    ],
)
def test_what_the_reactor_can_not_do_is_refused_before_anything_moves(reactor, key, asked, words):
    before = reactor.nucleation.setpoint.get(), reactor.valve.get()
    with pytest.raises(ValueError, match=words):
        reactor.set({**CONDITION, key: asked})
    assert (reactor.nucleation.setpoint.get(), reactor.valve.get()) == before


def test_a_condition_with_a_key_missing_names_it(reactor):
    with pytest.raises(ValueError, match="the condition lacks residence_time"):
        reactor.set({"nucleation_temperature": 120.0, "growth_temperature": 110.0})


def test_a_setpoint_the_controller_clamps_is_caught_with_both_values(reactor):
    before = reactor.growth.setpoint.get(use_monitor=False)
    rate = reactor.growth.ramp_rate.get(use_monitor=False)
    # the interlock trips before the oven is where the clamp would let it go
    reactor.growth.ramp_rate.put(1.0, wait=True)
    reactor.growth.limits = (0.0, 1000.0)
    try:
        with pytest.raises(SetpointRefusedError, match="requested 900, but the controller took 400"):
            reactor.growth.set(900.0).wait(20)
        assert reactor.growth.setpoint.get(use_monitor=False) == before, "it has its old setpoint again"
    finally:
        reactor.growth.limits = reactor.limits.growth_temperature
        reactor.growth.setpoint.put(100.0, wait=True)
        reactor.growth.ramp_rate.put(rate, wait=True)


def test_a_refused_put_fails_the_status_in_time(reactor):
    reactor.growth.limits = (float("-inf"), float("inf"))
    reactor.growth.check_value = lambda value, **_: None
    try:
        with pytest.raises(SetpointRefusedError, match="nan was refused"):
            reactor.growth.set(float("nan")).wait(20)
    finally:
        del reactor.growth.check_value
        reactor.growth.limits = reactor.limits.growth_temperature


@pytest.mark.parametrize("fault", ["PumpStall", "EmptySyringe"])
@pytest.mark.parametrize("which", ["Cd", "Se"])
def test_a_pump_that_stands_still_is_named_and_its_condition_not_reached(reactor, fault, which):
    record = EpicsSignal(f"MSC:Sim:Fault:{fault}", name="fault", string=True, put_complete=True)
    record.wait_for_connection(timeout=20)
    record.put(which, wait=True)
    try:
        with pytest.raises(DidNotHappenError, match=rf"a pump has stalled; .*pump_{which.lower()} \w+, 0 µL"):
            reactor.set({**CONDITION, "residence_time": 10.0}).wait(60)
    finally:
        record.put("None", wait=True)
        record.destroy()
    reactor.set({**CONDITION, "residence_time": 10.0}).wait(60)
    reactor.pump_cd.halt.put(1, wait=True)
    wait_until(lambda: reactor.pump_cd.status.get() == "Idle", what="the end of the Cd flow")
    infused = reactor.pump_se.infused_ul.get(use_monitor=False)
    reactor.set({**CONDITION, "residence_time": 10.0}).wait(60)
    assert reactor.pump_se.infused_ul.get(use_monitor=False) > infused + reactor.geometry.swept_ul / 4, "it flows anew"


def test_what_does_not_happen_in_time_is_named(reactor):
    oven = reactor.nucleation
    timeout, oven.timeout_s = oven.timeout_s, 1.0
    oven.limits = (0.0, 20000.0)
    reactor.nucleation.setpoint.put(100.0, wait=True)
    try:
        with pytest.raises(DidNotHappenError, match=r"30 s within 1 °C of 21 °C did not happen within 1 s"):
            oven.set(21.0).wait(60)
    finally:
        oven.timeout_s, oven.limits = timeout, reactor.limits.nucleation_temperature


def test_stop_is_mild_idempotent_and_holds_the_ovens(reactor):
    reactor.set(CONDITION).wait(60)
    reactor.stop()
    reactor.stop()
    wait_until(lambda: reactor.valve.get() == "Solvent", what="the valve at solvent")
    wait_until(lambda: reactor.pump_cd.status.get() == "Idle", what="the end of the Cd flow")
    assert reactor.pump_solvent.status.get(use_monitor=False) == "Infusing"
    assert reactor.pump_solvent.flow_ul_min.get() == reactor.standby_flow.get()
    assert reactor.nucleation.setpoint.get() == 120.0
    assert reactor.growth.setpoint.get() == 110.0


def test_stop_during_a_move_gives_it_up(reactor):
    status = reactor.set({**CONDITION, "nucleation_temperature": 340.0})
    wait_until(lambda: reactor.nucleation.setpoint.get() == 340.0, what="the setpoint")
    reactor.stop()
    with pytest.raises(GivenUpError):
        status.wait(20)
    wait_until(lambda: reactor.nucleation.setpoint.get() < 340.0, what="the oven holding where it is")


def test_a_lapsed_heartbeat_makes_the_reactor_safe_and_says_why(reactor):
    reactor.set(CONDITION).wait(60)
    # 5 s of wall time at the tests' time scale: more than a beat takes on a busy machine
    reactor.interlock.start_heartbeat(period_s=0.2, timeout_s=1000.0)
    assert not reactor.interlock.tripped
    reactor.interlock.stop_heartbeat()
    wait_until(lambda: reactor.interlock.tripped, what="the trip")
    assert reactor.interlock.message.get() == "no heartbeat for 1000 s"
    wait_until(lambda: reactor.valve.get() == "Solvent", what="the valve at solvent")
    assert reactor.nucleation.setpoint.get() == reactor.standby_temperature.get()
    with pytest.raises(InterlockTrippedError, match="no heartbeat for 1000 s"):
        reactor.set(CONDITION)
    reactor.stop()
    assert reactor.interlock.state.get() == "Tripped"


def test_what_a_dead_session_left_is_known_by_its_heartbeat_and_ended(reactor):
    assert not reactor.interlock.abandoned(1.0), "nobody was watched for"
    reactor.set(CONDITION).wait(60)
    reactor.interlock.start_heartbeat(period_s=0.2, timeout_s=20_000.0)
    assert not reactor.interlock.abandoned(5.0), "somebody works here"
    reactor.interlock.stop_heartbeat()
    assert reactor.interlock.abandoned(1.0)
    reactor.take_over()
    wait_until(lambda: reactor.valve.get() == "Solvent", what="the valve at solvent")
    for pump in (reactor.pump_cd, reactor.pump_se):
        wait_until(lambda pump=pump: pump.status.get(use_monitor=False) == "Idle", what=f"{pump.name} at rest")
    standby = reactor.standby_temperature.get()
    assert (reactor.nucleation.setpoint.get(), reactor.growth.setpoint.get()) == (standby, standby)


def test_solvent_flush_counts_volume_and_ends_at_standby_flow(reactor):
    before = reactor.pump_solvent.infused_ul.get(use_monitor=False)
    reactor.solvent.set(2.0).wait(60)
    assert reactor.pump_solvent.infused_ul.get() - before >= 1.998 * reactor.geometry.swept_ul
    assert reactor.pump_solvent.flow_ul_min.get() == reactor.standby_flow.get()
    with pytest.raises(ValueError, match=r"volumes of Solvent must be above 0 and at most 100, not -1\.0"):
        reactor.solvent.set(-1.0)


def test_a_spectrum_is_collected_and_read_as_counts(spectrometer, reactor):
    spectrometer.light.put("On", wait=True)
    spectrometer.shutter.put("Closed", wait=True)
    spectrometer.spectrum_type.put("Dark", wait=True)
    spectrometer.trigger().wait(30)
    spectrometer.shutter.put("Open", wait=True)
    spectrometer.spectrum_type.put("Corrected Sample", wait=True)
    spectrometer.trigger().wait(30)
    counts = spectrometer.read()["spectrometer_counts"]["value"]
    dark = spectrometer.calibration.dark.get()
    assert counts.shape == dark.shape == (1044,)
    assert np.median(counts) > 3 * np.median(dark)
    assert spectrometer.describe()["spectrometer_counts"]["units"] == "counts"


def test_an_ioc_that_does_not_answer_is_one_clear_sentence():
    absent = FlowReactor("ABSENT:", name="absent")
    with pytest.raises(NoAnswerError, match=r"absent: no answer from ABSENT:.* and \d+ more within 0.5 s; is the IOC"):
        connect(absent, timeout_s=0.5)
