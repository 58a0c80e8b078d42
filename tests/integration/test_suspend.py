"""Suspenders on the soft IOC: a plan waits while the ring has no beam, and nothing keeps the reactor from safety."""

import threading

import pytest
from bluesky.utils import RunEngineInterrupted
from ophyd import EpicsSignal

from msc_plans.cli.suspend import Suspending
from msc_plans.plans import make_safe, measure_condition, take_dark_and_reference
from msc_plans.settings import Settings, Suspender
from tests.conftest import wait_until

WHY = "the storage ring has no beam"


@pytest.fixture
def beam(ioc):
    """Switch the beam off and on again."""
    record = EpicsSignal("MSC:Sim:Fault:BeamLost", name="beam_lost", string=True, put_complete=True)
    record.wait_for_connection(timeout=20)
    yield lambda lost: record.put("On" if lost else "Off", wait=True)
    record.put("Off", wait=True)


@pytest.fixture
def ready(RE, reactor, spectrometer, beam):
    RE(take_dark_and_reference(reactor, spectrometer))
    told = Suspender(pv=":Reactor:RingCurrent", below=20.0, resume=50.0, wait_s=0.1, why=WHY)
    suspending = Suspending(Settings(suspenders=[told], connect_timeout_s=20.0))
    RE.preprocessors.append(suspending)
    RE.events = []
    RE.subscribe(lambda name, doc: RE.events.append(doc["data"]), "event")
    yield RE
    suspending.suspenders[0]._sig.destroy()


def test_without_beam_a_plan_waits_and_goes_on_with_the_right_liquid(ready, reactor, spectrometer, beam, capsys):
    seen = {}

    def lose_the_beam_for_a_while():
        wait_until(lambda: reactor.valve.get() == "Mixture", what="the mixture")
        beam(True)
        wait_until(lambda: reactor.valve.get() == "Solvent", what="solvent while there is no beam")
        seen["setpoint"] = reactor.nucleation.setpoint.get()
        seen["reading"] = reactor.nucleation.reading.get()
        seen["state"] = ready.state
        beam(False)

    thread = threading.Thread(target=lose_the_beam_for_a_while)
    thread.start()
    ready(measure_condition(reactor, spectrometer, 130.0, 128.0, 28.0))
    thread.join()
    assert seen["state"] == "running", "suspended, not paused"
    assert seen["setpoint"] == pytest.approx(130.0, abs=3.0), "the ovens hold"
    assert WHY in capsys.readouterr().out
    measured = next(data for data in ready.events if "spectrometer_counts" in data)
    assert measured["reactor_valve"] == "Mixture"
    assert measured["reactor_made_at_nucleation"] == pytest.approx(130.0, abs=1.0)
    assert measured["reactor_residence_time"] == pytest.approx(28.0)


def test_a_plan_that_begins_without_beam_says_why_it_waits(ready, reactor, spectrometer, beam, capsys):
    beam(True)

    def bring_it_back():
        wait_until(lambda: WHY in capsys.readouterr().out, what="the reason")
        assert reactor.valve.get() == "Solvent"
        beam(False)

    thread = threading.Thread(target=bring_it_back)
    thread.start()
    ready(measure_condition(reactor, spectrometer, 130.0, 128.0, 14.0))
    thread.join()
    assert ready.state == "idle"


def test_nothing_holds_up_what_makes_the_reactor_safe(ready, reactor, spectrometer, beam):
    beam(True)
    ready(make_safe(reactor, spectrometer))
    assert reactor.nucleation.setpoint.get() == reactor.standby_temperature.get()


def test_a_suspended_plan_that_is_aborted_is_made_safe_without_beam(ready, reactor, spectrometer, beam):
    def lose_the_beam_and_pause():
        wait_until(lambda: reactor.nucleation.setpoint.get() == 140.0, what="the move")
        beam(True)
        wait_until(lambda: not ready.rewindable, what="the suspension")
        ready.request_pause()

    thread = threading.Thread(target=lose_the_beam_and_pause)
    thread.start()
    with pytest.raises(RunEngineInterrupted):
        ready(measure_condition(reactor, spectrometer, 140.0, 138.0, 28.0))
    thread.join()
    ready.abort()
    standby = reactor.standby_temperature.get()
    assert (reactor.nucleation.setpoint.get(), reactor.growth.setpoint.get()) == (standby, standby)
    wait_until(lambda: reactor.pump_solvent.status.get() == "Idle", what="the end of the solvent")
    assert ready.rewindable, "the next plan can be paused"
