"""Trouble at every message of a campaign of two conditions: the reactor ends safe, and the campaign can go on."""

import logging
import os
import signal
import threading

import pytest
from ophyd import EpicsSignal

from devices import SaxsDetector, connect, use_clock
from msc_plans.callbacks.repeats import WithoutRepeats
from msc_plans.plans import msc_campaign
from tests.conftest import wait_until
from tests.integration.interrupts import CONDITIONS, UID, AtMessage, ListAdvisor, Store, pause

MESSAGES = 127
KINDS = ("pause", "ctrl-c", "exception", "fault")
FAULTS = (("PumpStall", "Cd"), ("SensorBreak", "Growth"))
EVERY = [(number, kind) for number in range(MESSAGES) for kind in KINDS]
# each kind, at messages of all sorts
SOME = [(number, KINDS[place % len(KINDS)]) for place, number in enumerate(range(3, MESSAGES, 37))]


@pytest.fixture(scope="module")
def station(devices, ioc):
    reactor, _ = devices
    detector = SaxsDetector("MSC:Saxs:", name="saxs", write_path=f"{ioc._log.parent}/saxs/%Y")
    connect(detector, timeout_s=20)
    use_clock(detector, reactor.clock)
    return detector


@pytest.fixture(scope="module")
def faults(ioc):
    records = {}
    for name, _ in FAULTS:
        records[name] = EpicsSignal(f"MSC:Sim:Fault:{name}", name=name, string=True, put_complete=True)
        records[name].wait_for_connection(timeout=20)
    return records


@pytest.fixture
def rig(RE, reactor, spectrometer, station, faults):
    # an interrupt that comes late must not end the test
    before = signal.signal(signal.SIGINT, lambda number, frame: None)
    logging.getLogger("bluesky").setLevel(logging.CRITICAL)
    rig = Rig(RE, reactor, spectrometer, station, faults)
    rig.reset()
    yield rig
    rig.reset()
    logging.getLogger("bluesky").setLevel(logging.NOTSET)
    signal.signal(signal.SIGINT, before)


class Rig:
    """A campaign on the devices, with trouble."""

    def __init__(self, RE, reactor, spectrometer, saxs, faults):
        self.RE, self.reactor, self.spectrometer, self.saxs, self.faults = RE, reactor, spectrometer, saxs, faults
        self.pressing = None
        self.store = Store()
        RE.subscribe(WithoutRepeats(self.store))

    def reset(self):
        """Bring the IOC back to where every case begins."""
        for record in self.faults.values():
            record.put("None", wait=True)
        # a reset is refused, and then not answered, before the cause is gone
        readings = (self.reactor.nucleation.reading, self.reactor.growth.reading)
        wait_until(lambda: all(one.get(use_monitor=False) > 0 for one in readings), what="readings of the ovens")
        self.reactor.interlock.reset.put(1, wait=True)
        wait_until(lambda: not self.reactor.interlock.tripped, what="the reset of the interlock")
        pumps = (self.reactor.pump_cd, self.reactor.pump_se, self.reactor.pump_solvent)
        for filling in [pump.set("drawn") for pump in pumps]:
            filling.wait(30)

    def campaign(self, saxs=None, **kwargs):
        return msc_campaign(
            self.reactor, self.spectrometer, ListAdvisor(), self.store, self.store.publish, saxs=saxs,
            frame_exposure_s=1.0, failures_allowed=0, history=self.store, **kwargs,
        )  # fmt: skip

    def run(self, number, kind):
        """Run a campaign with trouble at a message; return its error."""
        at = AtMessage(number, lambda: self.trouble(number, kind), throw=kind == "exception")
        plan = self.campaign(self.saxs, campaign_uid=UID)
        self.RE.msg_hook = at
        try:
            # what a fault keeps from happening is not waited for ten seconds
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr("devices.core.move._LEAST_WALL_TIMEOUT_S", 1.0)
                self.RE(at.throwing(plan) if at.throw else plan)
        except Exception as error:  # noqa: BLE001  it is looked at by the test
            return error
        finally:
            self.RE.msg_hook = None
            # a press that comes after the run falls on the handler of the fixture
            if self.pressing:
                self.pressing.join()
        return None

    def go_on(self):
        """Resume the campaign if it has suggested anything; without frames, which takes less time."""
        begun = bool(self.store.runs("suggestion"))
        self.RE(self.campaign(**({"resume": UID} if begun else {"campaign_uid": UID})))

    def trouble(self, number, kind):
        if kind == "pause":
            pause(self.RE)
        elif kind == "ctrl-c":
            self.pressing = threading.Thread(target=press_ctrl_c_twice)
            self.pressing.start()
        elif kind == "fault":
            name, value = FAULTS[number % len(FAULTS)]
            self.faults[name].put(value, wait=False)

    def assert_safe(self):
        reactor = self.reactor
        wait_until(lambda: reactor.valve.get() == "Solvent", what="the valve at solvent")
        standby = reactor.standby_temperature.get()
        assert (reactor.nucleation.setpoint.get(), reactor.growth.setpoint.get()) == (standby, standby)
        for pump in (reactor.pump_cd, reactor.pump_se):
            wait_until(lambda pump=pump: pump.status.get(use_monitor=False) == "Idle", what=f"{pump.name} at rest")
        wait_until(lambda: self.saxs.shutter.get() == "Closed", what="the X-ray shutter closed")
        assert self.spectrometer.shutter.get() == "Closed"

    def assert_complete(self):
        assert sorted(self.store.measured()) == sorted(CONDITIONS)
        trials = [self.store.starts[uid]["trial_id"] for uid in self.store.runs("campaign") if self.store.success(uid)]
        assert len(set(trials)) == len(trials)
        for uid, events in self.store.events.items():
            assert len(set(events)) == len(events), f"events twice in run {uid}"


def press_ctrl_c_twice():
    os.kill(os.getpid(), signal.SIGINT)
    # RunEngine takes what comes sooner for the same press
    threading.Event().wait(0.12)
    os.kill(os.getpid(), signal.SIGINT)


def check(rig, number, kind):
    error = rig.run(number, kind)
    if kind == "pause":
        if rig.RE.state == "paused":
            rig.RE.resume()
        else:
            assert error is None
    elif rig.RE.state == "paused":
        rig.RE.abort()
    assert rig.RE.state == "idle"
    rig.assert_safe()
    if kind != "pause" and error is not None:
        rig.reset()
        rig.go_on()
        rig.assert_safe()
    rig.assert_complete()


def test_the_campaign_has_the_messages_that_are_tried(rig):
    at = AtMessage()
    rig.RE.msg_hook = at
    rig.RE(rig.campaign(rig.saxs, campaign_uid=UID))
    assert len(at.seen) == MESSAGES
    rig.assert_safe()
    rig.assert_complete()


@pytest.mark.parametrize(("number", "kind"), SOME)
def test_some_messages(rig, number, kind):
    check(rig, number, kind)


@pytest.mark.long
@pytest.mark.parametrize(("number", "kind"), EVERY)
def test_every_message(rig, number, kind):
    check(rig, number, kind)
