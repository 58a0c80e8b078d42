"""Suspenders on the soft IOC: a plan waits while the ring has no beam, and nothing keeps the reactor from safety."""

import gc
import threading

import bluesky.plan_stubs as bps
import pytest
from bluesky.utils import Msg, RunEngineInterrupted
from ophyd import EpicsSignal, Signal

from msc_plans.plans import make_safe, measure_condition, take_dark_and_reference
from msc_plans.session.suspenders import Suspending
from msc_plans.settings import Settings, Suspender
from tests.conftest import wait_until

WHY = "the storage ring has no beam"


@pytest.fixture
def beam(reactor):
    """Switch the beam off and on again."""
    record = EpicsSignal("MSC:Sim:Fault:BeamLost", name="beam_lost", string=True, put_complete=True)
    record.wait_for_connection(timeout=20)

    def switch(lost):
        record.put("On" if lost else "Off", wait=True)
        # the ring follows with the next tick, until when a plan would begin
        wait_until(lambda: (reactor.ring_current.get(use_monitor=False) == 0.0) == lost, what="the ring's current")

    yield switch
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
    seen = []

    def bring_it_back():
        try:
            wait_until(lambda: WHY in capsys.readouterr().out, what="the reason")
            # a plan begins before its suspender is told; then it is stopped
            wait_until(lambda: reactor.valve.get() == "Solvent", what="solvent without beam")
            seen.append(ready.state)
        finally:
            beam(False)

    thread = threading.Thread(target=bring_it_back)
    thread.start()
    ready(measure_condition(reactor, spectrometer, 130.0, 128.0, 14.0))
    thread.join()
    assert ready.state == "idle"
    assert seen == ["running"], "suspended, not paused"


VALUES = {  # bad and good
    ":Reactor:RingCurrent": (19.0, 51.0),
    ":Reactor:FrontEnd": (0, 1),
    ":Reactor:Pressure": (15.1, 11.9),
    ":Reactor:Interlock": (1, 0),
    ":Oven:Nucleation:LOOP1:PV:RBV": (361.0, 354.0),
    ":Oven:Growth:LOOP1:PV:RBV": (361.0, 354.0),
}


def test_every_suspender_of_the_settings_finds_its_record_and_a_reactor_at_rest_suspends_nothing(RE, ioc):
    suspending = Suspending(Settings(connect_timeout_s=20.0))
    RE.preprocessors.append(suspending)
    RE(bps.null())
    assert len(suspending.suspenders) == len(VALUES)
    for one in suspending.suspenders:
        one._sig.destroy()


@pytest.mark.parametrize("told", Settings().suspenders, ids=lambda told: told.pv)
def test_each_suspender_of_the_settings_holds_a_plan_and_says_why(RE, monkeypatch, capsys, told):
    bad, good = VALUES[told.pv]
    record = Signal(name=told.pv, value=good)
    record.put(bad)  # as a record says it to who subscribes
    monkeypatch.setattr("msc_plans.session.suspenders.EpicsSignalRO", lambda *_, **__: record)
    RE.preprocessors.append(Suspending(Settings(suspenders=[told.model_copy(update={"wait_s": 0.0})])))
    seen = []

    def mend():
        wait_until(lambda: told.why in capsys.readouterr().out, what="the reason")
        seen.append("suspended")
        record.put(good)

    thread = threading.Thread(target=mend)
    thread.start()

    def plan():
        yield from bps.checkpoint()
        yield from bps.sleep(0.2)
        seen.append("measured")

    RE(plan())
    thread.join()
    assert seen == ["suspended", "measured"]


def test_messages_of_a_long_plan_are_not_kept(RE, monkeypatch):
    told = Settings().suspenders[0]
    monkeypatch.setattr(
        "msc_plans.session.suspenders.EpicsSignalRO", lambda *_, **__: Signal(name=told.pv, value=100.0)
    )
    RE.preprocessors.append(Suspending(Settings(suspenders=[told])))
    alive = []

    def count():
        alive.append(sum(isinstance(one, Msg) for one in gc.get_objects()))

    def plan():
        for _ in range(500):
            yield from bps.checkpoint()
            yield from bps.null()
        count()

    # other tests of this process may keep some of theirs
    gc.collect()
    count()
    RE(plan())
    assert alive[1] - alive[0] < 100


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
