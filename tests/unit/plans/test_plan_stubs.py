"""Steps of plans under a RunEngine: what an interruption leaves half done."""

import asyncio
from typing import Any

import pytest
from bluesky import plan_stubs as bps
from bluesky.run_engine import RunEngine
from bluesky.utils import FailedStatus, RunEngineInterrupted
from ophyd.status import Status

from msc_plans.plan_stubs import read_stream, trigger_and_read
from msc_plans.plans.measure import recorded
from tests.conftest import wait_until


@pytest.fixture
def RE():
    engine = RunEngine({})
    yield engine
    engine.loop.call_soon_threadsafe(engine.loop.stop)
    wait_until(lambda: not engine.loop.is_running(), what="the end of the RunEngine's loop")
    engine.loop.close()


class Interrupted:
    """A device whose reading is interrupted once, and which fails to be moved from then on."""

    name, parent = "interrupted", None

    def __init__(self, engine):
        self._engine, self.interrupted = engine, False

    def set(self, value):
        status = Status()
        if self.interrupted:
            status.set_exception(TimeoutError("the interlock is tripped"))
        else:
            status.set_finished()
        return status

    def trigger(self):
        status = Status()
        status.set_finished()
        return status

    async def read(self):
        if not self.interrupted:
            self.interrupted = True
            # of another thread, as a person asks for it: it waits for the RunEngine's loop
            await asyncio.to_thread(self._engine.request_pause)
        return {"x": {"value": 1.0, "timestamp": 0.0}}

    def describe(self):
        return {"x": {"dtype": "number", "shape": [], "source": "test"}}

    def read_configuration(self):
        return {}

    describe_configuration = read_configuration


@pytest.mark.parametrize("steps", [lambda d: trigger_and_read([d]), lambda d: read_stream("primary", [d])])
def test_an_error_after_an_interruption_within_an_event_is_the_one_that_is_raised(RE, reactor, monkeypatch, steps):
    device: Any = Interrupted(RE)
    monkeypatch.setattr("msc_plans.plans.measure.is_tripped", lambda reactor: bps.null())

    def plan():
        yield from bps.checkpoint()
        yield from bps.abs_set(device, 1.0, wait=True)
        yield from steps(device)

    stops = []
    RE.subscribe(lambda name, doc: stops.append(doc), "stop")
    with pytest.raises(RunEngineInterrupted):
        RE(recorded(plan(), {}, reactor))
    with pytest.raises(FailedStatus) as caught:
        RE.resume()
    assert "the interlock is tripped" in str(caught.value.__cause__)
    assert [(doc["exit_status"], doc["reason"]) for doc in stops] == [("fail", "the interlock is tripped")]
