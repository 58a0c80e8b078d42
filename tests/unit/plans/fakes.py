"""The real devices without records, for plans that are only looked at message by message."""

import asyncio
import itertools

from bluesky.simulators import RunEngineSimulator
from bluesky.utils import FailedStatus

from devices import FlowReactor, SaxsDetector, Spectrometer
from devices.unconnected import unconnected


def fake_reactor():
    return unconnected(FlowReactor, "MSC:", name="reactor")


def fake_spectrometer():
    return unconnected(Spectrometer, "MSC:Spec:", name="spectrometer")


def fake_saxs():
    return unconnected(SaxsDetector, "MSC:Saxs:", name="saxs", write_path="/frames")


MOVING = {"set", "trigger", "open_run", "stage"}


class AnsweringSimulator(RunEngineSimulator):
    """A simulator that answers as a reactor at rest would, and waits for futures.

    Attributes
    ----------
    answers : dict
        Values that are read, by name.
    messages : list
        Those of the last plan, also of one that raised.
    """

    def __init__(self):
        super().__init__()
        self.answers = {
            "spectrometer_calibration_dark_available": "Yes",
            "spectrometer_calibration_reference_available": "Yes",
            "spectrometer_integration_time_ms": 100.0,
            "spectrometer_num_spectra": 5,
            "reactor_interlock_state": "Ok",
            "reactor_standby_temperature": 100.0,
            "reactor_standby_flow": 100.0,
            "reactor_nucleation_reading": 25.0,
            "reactor_growth_reading": 25.0,
            "reactor_pump_cd_content_ul": 1e5,
            "reactor_pump_se_content_ul": 1e5,
            "reactor_pump_solvent_content_ul": 1e5,
        }
        self.messages = []
        runs = itertools.count(1)
        self.add_handler("locate", lambda msg: {"readback": self.answers[msg.obj.name], "setpoint": 0.0})
        self.add_handler("read", self._read)
        self.add_handler("wait_for", self._wait_for)
        self.add_handler("open_run", lambda msg: f"run-{next(runs)}")

    def _read(self, msg):
        return {msg.obj.name: {"value": self.answers.get(msg.obj.name, 0.0), "timestamp": 0.0}}

    def _wait_for(self, msg):
        async def wait():
            await asyncio.gather(*(future() for future in msg.args[0]))

        asyncio.run(wait())

    def simulate(self, plan, fail=lambda msg: None):
        """Run a plan to its end; ``fail(msg)`` may return an exception to be thrown in place of a message."""
        self.messages, answer, error = [], None, None
        try:
            while True:
                msg = plan.send(answer) if error is None else plan.throw(error)
                answer = None
                error = fail(msg)
                if error is None:
                    self.messages.append(msg)
                    handler = next((h for h in self.message_handlers if h.predicate(msg)), None)
                    answer = handler.runnable(msg) if handler else None
        except StopIteration as end:
            self.return_value = end.value
        return self.messages


def answering_simulator():
    return AnsweringSimulator()


def sets(messages):
    return [(m.obj.name, m.args[0]) for m in messages if m.command == "set"]


def moved(messages):
    """Messages that move something."""
    return [m for m in messages if m.command in MOVING]


def failed(words):
    """Make what RunEngine throws where a status has failed with these words."""

    def make(msg):
        error = FailedStatus(words)
        error.__cause__ = TimeoutError(words)
        return error

    return make


def fail_once(command, error=lambda msg: RuntimeError("the lamp exploded"), *, obj=None, times=1):
    """An argument ``fail`` of :meth:`AnsweringSimulator.simulate`: fails the first messages of a kind."""
    left = [times]

    def fail(msg):
        if msg.command != command or obj not in (None, msg.obj) or not left[0]:
            return None
        left[0] -= 1
        return error(msg)

    return fail


def close_of(messages, number=0):
    return [m.kwargs for m in messages if m.command == "close_run"][number]
