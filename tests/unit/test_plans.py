"""Plans by their messages: order, refusals before anything moves, safety."""

from concurrent.futures import Future

import pytest
from bluesky.simulators import RunEngineSimulator, assert_message_and_return_remaining

from msc_plans.plan_stubs import wait_for_future
from msc_plans.plans import (
    bring_up,
    make_safe,
    measure_condition,
    msc_campaign,
    nucleation_temperature_scan,
    residence_time_scan,
)
from tests.unit.fakes import FakeReactor, fake_spectrometer

MOVING = {"set", "trigger", "open_run", "stage"}


@pytest.fixture
def reactor():
    return FakeReactor()


@pytest.fixture
def spectrometer():
    return fake_spectrometer()


@pytest.fixture
def simulator(spectrometer, reactor):
    simulator = RunEngineSimulator()
    answers = {
        "dark_available": "Yes",
        "reference_available": "Yes",
        "interlock_state": "Ok",
        "standby_temperature": 100.0,
    }

    def read(msg):
        return {msg.obj.name: {"value": answers.get(msg.obj.name, 0.0), "timestamp": 0.0}}

    simulator.add_handler("locate", lambda msg: {"readback": answers[msg.obj.name], "setpoint": 0.0})
    simulator.add_handler("read", read)
    simulator.answers = answers
    return simulator


def sets(messages):
    return [(m.obj.name, m.args[0]) for m in messages if m.command == "set"]


def test_measure_condition_reaches_it_before_it_collects(simulator, reactor, spectrometer):
    messages = simulator.simulate_plan(measure_condition(reactor, spectrometer, 280, 270, 14, trial_id="t1"))
    start = next(m for m in messages if m.command == "open_run")
    assert start.kwargs["condition"] == {
        "nucleation_temperature": 280.0,
        "growth_temperature": 270.0,
        "residence_time": 14.0,
    }
    assert (start.kwargs["trial_id"], start.kwargs["purpose"], start.kwargs["schema_version"]) == ("t1", "measure", "1")
    rest = assert_message_and_return_remaining(messages, lambda m: m.command == "open_run")
    rest = assert_message_and_return_remaining(rest, lambda m: m.command == "set" and m.obj is reactor)
    rest = assert_message_and_return_remaining(rest, lambda m: m.command == "wait")
    rest = assert_message_and_return_remaining(
        rest, lambda m: m.command == "create" and m.kwargs["name"] == "dark_reference"
    )
    rest = assert_message_and_return_remaining(rest, lambda m: m.command == "checkpoint")
    rest = assert_message_and_return_remaining(rest, lambda m: m.command == "trigger" and m.obj is spectrometer)
    rest = assert_message_and_return_remaining(rest, lambda m: m.command == "create" and m.kwargs["name"] == "primary")
    assert_message_and_return_remaining(rest, lambda m: m.command == "close_run")
    assert ("nucleation_setpoint", 100.0) not in sets(messages), "a success must not cool the reactor"


@pytest.mark.parametrize(
    ("plan", "words"),
    [
        (lambda r, s: measure_condition(r, s, 500, 280, 14), "nucleation_temperature 500 °C is outside"),
        (lambda r, s: measure_condition(r, s, 280, 280, -1), "residence_time must be above 0 s, not -1 s"),
        (lambda r, s: measure_condition(r, s, 280, float("nan"), 14), "growth_temperature must be a finite number"),
        (lambda r, s: measure_condition(r, s, 280, 280, 0.01), "residence_time 0.01 s is outside"),
        (lambda r, s: measure_condition(r, s, 280, 280, 14, num=0), "num must be 1 or more, not 0"),
        (lambda r, s: nucleation_temperature_scan(r, s, [280, 290, 999], 14), "999 °C is outside"),
        (lambda r, s: nucleation_temperature_scan(r, s, [], 14), "no conditions to measure"),
        (lambda r, s: residence_time_scan(r, s, [14, 0.001], 280), "residence_time 0.001 s is outside"),
        (lambda r, s: bring_up(r, s, 280, 999), "growth: 999 °C is outside"),
        (lambda r, s: bring_up(r, s, 280, 280, num_spectra=0), "0 spectra: both must be above 0"),
        (lambda r, s: msc_campaign(r, s, None, None, None, max_conditions=0), "max_conditions must be 1 or more"),
    ],
)
def test_what_can_not_be_done_is_refused_before_any_message_that_moves(simulator, reactor, spectrometer, plan, words):
    seen = []
    simulator.add_handler(list(MOVING), lambda msg: seen.append(msg))
    with pytest.raises(ValueError, match=words):
        simulator.simulate_plan(plan(reactor, spectrometer))
    assert [m for m in seen if m.command in ("open_run", "trigger") or (m.command == "set" and m.obj is reactor)] == []


def test_without_dark_and_reference_nothing_is_measured(simulator, reactor, spectrometer):
    simulator.answers["reference_available"] = "No"
    with pytest.raises(ValueError, match="spectrometer has no reference yet; run bring_up"):
        simulator.simulate_plan(measure_condition(reactor, spectrometer, 280, 280, 14))


def test_an_exception_makes_the_reactor_safe_and_is_raised(simulator, reactor, spectrometer):
    plan = iter(measure_condition(reactor, spectrometer, 280, 280, 14))
    safe = []

    def answer(msg):
        name = getattr(msg.obj, "name", "")
        return {name: {"value": simulator.answers[name], "timestamp": 0}} if name in simulator.answers else None

    def run():
        msg = next(plan)
        while True:
            if msg.command == "trigger":
                safe.clear()
                msg = plan.throw(RuntimeError("the lamp exploded"))
                continue
            if msg.command == "set":
                safe.append((msg.obj.name, msg.args[0]))
            located = {"readback": simulator.answers[msg.obj.name]} if msg.command == "locate" else None
            msg = plan.send(located or answer(msg))

    with pytest.raises(RuntimeError, match="the lamp exploded"):
        run()
    assert safe == [
        ("shutter", "Closed"),
        ("nucleation_setpoint", 100.0),
        ("growth_setpoint", 100.0),
        ("solvent", 2.0),
        ("pump_solvent_halt", 1),
    ]


def test_make_safe_leaves_a_tripped_reactor_to_its_interlock(simulator, reactor, spectrometer):
    simulator.answers["interlock_state"] = "Tripped"
    assert sets(simulator.simulate_plan(make_safe(reactor, spectrometer))) == [("shutter", "Closed")]


def test_scans_measure_each_condition_in_a_run_of_one_campaign(simulator, reactor, spectrometer):
    messages = simulator.simulate_plan(
        nucleation_temperature_scan(reactor, spectrometer, [280, 290], 14, growth_temperature=230)
    )
    starts = [m.kwargs for m in messages if m.command == "open_run"]
    assert [s["condition"]["nucleation_temperature"] for s in starts] == [280, 290]
    assert {s["condition"]["growth_temperature"] for s in starts} == {230}
    assert len({s["campaign_uid"] for s in starts}) == 1
    assert len({s["trial_id"] for s in starts}) == 2
    messages = simulator.simulate_plan(residence_time_scan(reactor, spectrometer, [4.5, 14], 280))
    starts = [m.kwargs for m in messages if m.command == "open_run"]
    assert [s["condition"]["residence_time"] for s in starts] == [4.5, 14]


def test_bring_up_takes_dark_with_the_shutter_closed_and_reference_in_solvent(simulator, reactor, spectrometer):
    messages = simulator.simulate_plan(bring_up(reactor, spectrometer, 280, 270))
    happened = [
        f"{m.obj.name}={m.args[0]}" if m.command == "set" else m.command
        for m in messages
        if m.command in ("set", "trigger")
    ]
    assert happened == [
        "nucleation_setpoint=280",
        "growth_setpoint=270",
        "integration_time_ms=100.0",
        "num_spectra=5",
        "light=On",
        "solvent=3.0",
        "shutter=Closed",
        "spectrum_type=Dark",
        "trigger",
        "shutter=Open",
        "spectrum_type=Reference",
        "trigger",
        "spectrum_type=Corrected Sample",
    ]


def test_an_answer_that_does_not_come_is_a_timeout_not_a_hang():
    plan = wait_for_future(Future(), timeout_s=0.5)
    assert next(plan).command == "wait_for"
    with pytest.raises(TimeoutError, match=r"no answer within 0\.5 s"):
        plan.send(None)
