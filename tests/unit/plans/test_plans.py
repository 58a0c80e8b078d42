"""Plans by their messages: order, refusals before anything moves, safety."""

import itertools
import re
from concurrent.futures import Future
from functools import partial

import pytest
from bluesky.simulators import assert_message_and_return_remaining
from bluesky.utils import FailedStatus, RequestAbort, RequestStop

from msc_plans import plans
from msc_plans.plan_stubs import UNSUSPENDED, wait_for_future
from msc_plans.plans import (
    CampaignFailedError,
    bring_up,
    flush,
    growth_temperature_scan,
    make_safe,
    measure_condition,
    measure_fractions,
    mesophase_scan,
    msc_campaign,
    nucleation_temperature_scan,
    refill,
    residence_time_scan,
    saxs_calibrate,
    standby,
)
from tests.unit.plans.all_plans import ListAdvisor, all_plans, campaign
from tests.unit.plans.fakes import close_of, fail_once, failed, moved, sets


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
    rest = assert_message_and_return_remaining(rest, lambda m: m.command == "checkpoint")
    rest = assert_message_and_return_remaining(rest, lambda m: m.command == "set" and m.obj is reactor)
    rest = assert_message_and_return_remaining(
        rest, lambda m: m.command == "create" and m.kwargs["name"] == "dark_reference"
    )
    rest = assert_message_and_return_remaining(rest, lambda m: m.command == "wait" and m.kwargs["group"] == "reach")
    rest = assert_message_and_return_remaining(rest, lambda m: m.command == "trigger" and m.obj is spectrometer)
    rest = assert_message_and_return_remaining(rest, lambda m: m.command == "create" and m.kwargs["name"] == "primary")
    assert_message_and_return_remaining(rest, lambda m: m.command == "close_run")
    assert ("reactor_nucleation_setpoint", 100.0) not in sets(messages), "a success must not cool the reactor"


@pytest.mark.parametrize(
    ("plan", "words"),
    [
        (lambda r, s: measure_condition(r, s, 500, 280, 14), "nucleation_temperature 500 °C is outside"),
        (lambda r, s: measure_condition(r, s, 280, 280, -1), "residence_time must be above 0 s, not -1 s"),
        (lambda r, s: measure_condition(r, s, 280, float("nan"), 14), "growth_temperature must be a finite number"),
        (lambda r, s: measure_condition(r, s, 280, 280, 0.01), "residence_time 0.01 s is outside"),
        (lambda r, s: measure_condition(r, s, 280, 280, 14, num=0), "num must be 1 or more, not 0"),
        (lambda r, s: nucleation_temperature_scan(r, s, [280, 290, 999], 14), "999 °C is outside"),
        (
            lambda r, s: nucleation_temperature_scan(r, s, [], 14),
            "nucleation_temperatures must have 1 to 10000 values, not 0",
        ),
        (lambda r, s: residence_time_scan(r, s, [14, 0.001], 280), "residence_time 0.001 s is outside"),
        (lambda r, s: bring_up(r, s, 280, 999), "growth: 999 °C is outside"),
        (lambda r, s: bring_up(r, s, 280, 280, num_spectra=0), "num_spectra must be 1 or more, not 0"),
        (lambda r, s: msc_campaign(r, s, None, None, None, max_conditions=0), "max_conditions must be 1 or more"),
    ],
)
def test_what_can_not_be_done_is_refused_before_any_message_that_moves(simulator, reactor, spectrometer, plan, words):
    with pytest.raises(ValueError, match=words):
        simulator.simulate(plan(reactor, spectrometer))
    assert moved(simulator.messages) == []


@pytest.mark.parametrize(
    "plan",
    [
        lambda r, s: measure_condition(r, s, 280, 280, 14),
        lambda r, s: measure_fractions(r, s),
        lambda r, s: growth_temperature_scan(r, s),
    ],
)
def test_without_dark_and_reference_nothing_is_measured(simulator, reactor, spectrometer, plan):
    simulator.answers["spectrometer_calibration_reference_available"] = "No"
    with pytest.raises(ValueError, match="spectrometer has no reference yet; run bring_up"):
        simulator.simulate(plan(reactor, spectrometer))
    assert moved(simulator.messages) == []


SAFE = [
    ("reactor_solvent", 2.0),
    ("reactor_nucleation_setpoint", 100.0),
    ("reactor_growth_setpoint", 100.0),
    ("reactor_solvent", 2.0),
    ("reactor_pump_solvent_halt", 1),
]


def test_an_exception_makes_the_reactor_safe_and_is_raised(simulator, reactor, spectrometer):
    with pytest.raises(RuntimeError, match="the lamp exploded"):
        simulator.simulate(measure_condition(reactor, spectrometer, 280, 280, 14), fail_once("trigger"))
    assert sets(simulator.messages)[-6:] == [("spectrometer_shutter", "Closed"), *SAFE]
    assert close_of(simulator.messages)["exit_status"] == "abort", "the condition is not to blame"


def test_a_condition_that_can_not_be_reached_is_recorded_as_failed(simulator, reactor, spectrometer):
    with pytest.raises(FailedStatus):
        simulator.simulate(
            measure_condition(reactor, spectrometer, 280, 280, 14), fail_once("wait", failed("too cold"))
        )
    assert close_of(simulator.messages) == {"exit_status": "fail", "reason": "too cold"}


def test_a_trip_of_the_interlock_is_not_the_condition_s_failure(simulator, reactor, spectrometer):
    simulator.answers["reactor_interlock_state"] = "Tripped"
    with pytest.raises(FailedStatus):
        simulator.simulate(
            nucleation_temperature_scan(reactor, spectrometer, [280, 290], 14), fail_once("wait", failed("tripped"))
        )
    assert close_of(simulator.messages)["exit_status"] == "abort"
    assert [m.command for m in simulator.messages].count("open_run") == 1, "nothing more is tried"


def test_a_step_of_make_safe_that_fails_does_not_keep_the_others_from_being_done(simulator, reactor, spectrometer):
    def fail(msg):
        return failed("lamp off")(msg) if msg.command == "set" and msg.obj is spectrometer.shutter else None

    with pytest.raises(FailedStatus):
        simulator.simulate(make_safe(reactor, spectrometer), fail)
    assert sets(simulator.messages) == SAFE


def test_a_late_failure_does_not_keep_make_safe_from_any_step(simulator, reactor, spectrometer):
    simulator.simulate(make_safe(reactor, spectrometer), fail_once("set", obj=reactor.growth.setpoint))
    assert set(SAFE) <= set(sets(simulator.messages))


@pytest.mark.parametrize("name", sorted(set(plans.__all__) - {"CampaignFailedError", "make_safe"}))
def test_whatever_ends_a_plan_at_any_message_the_reactor_is_made_safe(simulator, reactor, spectrometer, saxs, name):
    few = {"cell_temperatures": [25.0]} if name == "mesophase_scan" else {}
    plan = partial(all_plans(reactor, spectrometer, saxs)[name], **few)
    messages = simulator.simulate(plan())
    has = {msg.obj for msg in messages}
    # a campaign makes it safe at its end: there a step that fails is done again
    number = next((at for at, msg in enumerate(messages) if msg.args == (UNSUSPENDED,)), len(messages))
    ends = (RuntimeError("the lamp exploded"), RequestAbort(), RequestStop())
    begun = 0
    for at in range(number):
        count = itertools.count()
        with pytest.raises(type(ends[at % 3])):
            simulator.simulate(plan(), lambda msg, at=at, count=count: ends[at % 3] if next(count) == at else None)
        if not moved(simulator.messages[:at]):
            continue
        begun += 1
        told = sets(simulator.messages[at:])
        assert [one for one in told if one in SAFE][-5:] == SAFE, f"message {at} of {number}"
        for device in {spectrometer, saxs} & has:
            assert (device.shutter.name, "Closed") in told
    assert begun >= number // 2 or name in ("flush", "refill", "standby")


def test_make_safe_leaves_a_tripped_reactor_to_its_interlock(simulator, reactor, spectrometer):
    simulator.answers["reactor_interlock_state"] = "Tripped"
    assert sets(simulator.simulate_plan(make_safe(reactor, spectrometer))) == [("spectrometer_shutter", "Closed")]


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
        "reactor_nucleation_setpoint=280",
        "reactor_growth_setpoint=270",
        "spectrometer_integration_time_ms=100.0",
        "spectrometer_num_spectra=5",
        "spectrometer_light=On",
        "reactor_solvent=3.0",
        "spectrometer_shutter=Closed",
        "spectrometer_spectrum_type=Dark",
        "trigger",
        "spectrometer_shutter=Open",
        "spectrometer_spectrum_type=Reference",
        "trigger",
        "spectrometer_spectrum_type=Corrected Sample",
    ]


def test_bring_up_takes_no_reference_from_an_empty_syringe(simulator, reactor, spectrometer):
    simulator.answers["reactor_pump_solvent_content_ul"] = 5.0
    takes = 3 * reactor.geometry.swept_ul
    with pytest.raises(ValueError, match=f"syringe of Solvent holds 5 µL, and a reference takes {takes:.0f} µL; fill"):
        simulator.simulate(bring_up(reactor, spectrometer, 280, 270))
    assert moved(simulator.messages) == []
    drawn = words_of(simulator.simulate(bring_up(reactor, spectrometer, 280, 270, refills="draw")))
    assert drawn.index("reactor_pump_solvent=drawn") < drawn.index("reactor_solvent=3.0")


def test_a_campaign_fills_the_solvent_before_its_reference(simulator, reactor, spectrometer):
    simulator.answers["reactor_pump_solvent_content_ul"] = 5.0
    happened = words_of(simulator.simulate(campaign(reactor, spectrometer, refills="draw")))
    assert happened.index("reactor_pump_solvent=drawn") < happened.index("reactor_solvent=3.0")


def test_an_answer_that_does_not_come_is_a_timeout_not_a_hang():
    plan = wait_for_future(Future(), timeout_s=0.5)
    assert next(plan).command == "wait_for"
    with pytest.raises(TimeoutError, match=r"no answer within 0\.5 s"):
        plan.send(None)


def words_of(messages):
    """What happens, a word or two each."""
    return [
        f"{m.obj.name}={m.args[0]}" if m.command == "set" else f"{m.command} {m.obj.name}" if m.obj else m.command
        for m in messages
        if m.command in ("set", "trigger", "open_run", "close_run", "pause", "stage", "unstage", "input", "checkpoint")
    ]


def starts(messages):
    return [m.kwargs for m in messages if m.command == "open_run"]


def conditions_set(messages, reactor):
    return [m.args[0] for m in messages if m.command == "set" and m.obj is reactor]


# -- series


def test_the_ovens_are_told_where_to_go_next_but_for_the_last(simulator, reactor, spectrometer):
    simulator.simulate(nucleation_temperature_scan(reactor, spectrometer, [280, 290], 14, growth_temperature=230))
    first, last = conditions_set(simulator.messages, reactor)
    assert first["then"] == (290.0, 230.0)
    assert first["exposure_s"] == 0.5
    assert "then" not in last


def test_several_events_of_one_condition_let_the_ovens_leave_at_the_last(simulator, reactor, spectrometer):
    plan = measure_condition(reactor, spectrometer, 280, 280, 14, num=3)
    simulator.simulate(plan)
    assert len(conditions_set(simulator.messages, reactor)) == 3
    assert sum(m.command == "save" for m in simulator.messages) == 2 + 1 + 3


def test_a_failed_condition_is_recorded_and_the_next_one_is_measured(simulator, reactor, spectrometer, caplog):
    plan = nucleation_temperature_scan(reactor, spectrometer, [280, 290, 300], 14)
    simulator.simulate(plan, fail_once("wait", failed("the oven did not get there")))
    assert [one["condition"]["nucleation_temperature"] for one in starts(simulator.messages)] == [280, 290, 300]
    assert close_of(simulator.messages) == {"exit_status": "fail", "reason": "the oven did not get there"}
    assert close_of(simulator.messages, 1)["exit_status"] is None
    assert len(simulator.return_value) == 2
    assert "280 °C → 230 °C, 14 s failed: the oven did not get there" in caplog.text


def test_too_many_failures_end_a_scan_safely(simulator, reactor, spectrometer):
    plan = nucleation_temperature_scan(reactor, spectrometer, [280, 290, 300], 14, failures_allowed=1)
    with pytest.raises(CampaignFailedError, match="2 conditions failed in a row, the last at 290 °C"):
        simulator.simulate(plan, fail_once("wait", failed("no"), times=2))
    assert sets(simulator.messages)[-5:] == SAFE


def test_the_cheapest_order_begins_where_the_ovens_are_and_the_given_one_does_not(simulator, reactor, spectrometer):
    simulator.answers |= {"reactor_nucleation_reading": 300.0, "reactor_growth_reading": 230.0}
    for order, expected in (("cheapest", [300, 280, 260]), ("given", [260, 300, 280])):
        simulator.simulate(nucleation_temperature_scan(reactor, spectrometer, [260, 300, 280], 14, order=order))
        assert [one["condition"]["nucleation_temperature"] for one in starts(simulator.messages)] == expected


def test_the_detector_is_staged_once_for_a_scan(simulator, reactor, spectrometer, saxs):
    plan = nucleation_temperature_scan(reactor, spectrometer, [280, 290], 14, saxs=saxs, frame_exposure_s=2.0)
    happened = words_of(simulator.simulate(plan))
    assert happened.count("stage saxs") == happened.count("unstage saxs") == 1
    assert happened.index("saxs_camera_exposure_s=2.0") < happened.index("open_run")
    assert happened.count("trigger saxs") == 2


def test_scans_and_campaigns_show_how_far_they_are_and_what_is_left(simulator, reactor, spectrometer, capsys):
    simulator.simulate(nucleation_temperature_scan(reactor, spectrometer, [280, 290, 300, 310], 14))
    shown = [line for line in capsys.readouterr().out.splitlines() if line.startswith("[")]
    bars = [f"[{'#' * n}{'.' * (20 - n)}]" for n in (0, 5, 10, 15)]
    assert [line[:22] for line in shown] == bars
    assert shown[1].endswith("; 2 of 4: 290 °C → 230 °C, 14 s")
    left = re.search(r"about (\d+) s left", shown[3])
    # 10 K at 60 K/min, of which 7 s are saved as the mixture starts early; 480 µL at 1078 µL/min, and the spectra
    assert 27 < float(left[1]) < 45
    simulator.simulate(campaign(reactor, spectrometer, max_conditions=2))
    shown = [line for line in capsys.readouterr().out.splitlines() if line.startswith("[")]
    assert [line[:22] for line in shown] == [bars[0], bars[2]]
    assert shown[1].endswith(" min left; condition 2 of at most 2: 300 °C → 250 °C, 14 s")


# -- syringes


def test_a_syringe_without_enough_for_one_condition_is_named_before_anything_moves(simulator, reactor, spectrometer):
    simulator.answers["reactor_pump_se_content_ul"] = 3.0
    with pytest.raises(ValueError, match=r"the syringe of Se holds 3 µL, .* takes \d+ µL; fill it"):
        simulator.simulate(measure_condition(reactor, spectrometer, 280, 270, 14))
    assert moved(simulator.messages) == []


def test_a_mesophase_scan_is_refused_where_a_syringe_can_not_fill_the_cells(simulator, reactor, saxs):
    # three times 3 swept volumes of 321.5 µL, of Cd alone and as half of the mixture
    simulator.answers["reactor_pump_cd_content_ul"] = 4300.0
    with pytest.raises(ValueError, match=r"the syringe of Cd holds 4300 µL, and mesophase_scan takes 4340 µL; fill it"):
        simulator.simulate(mesophase_scan(reactor, saxs))
    assert moved(simulator.messages) == []
    simulator.simulate(mesophase_scan(reactor, saxs, ["Mixture", "Se only"]))


def test_an_empty_syringe_is_filled_by_a_person_or_from_its_reservoir(simulator, reactor, spectrometer):
    simulator.answers["reactor_pump_cd_content_ul"] = 10.0
    asked = simulator.simulate(nucleation_temperature_scan(reactor, spectrometer, [280], 14))
    happened = words_of(asked)
    assert happened.index("pause") < happened.index("reactor_pump_cd=filled") < happened.index("open_run")
    assert "reactor_pump_se=filled" not in happened
    drawn = simulator.simulate(nucleation_temperature_scan(reactor, spectrometer, [280], 14, refills="draw"))
    assert ("reactor_pump_cd", "drawn") in sets(drawn)
    assert "pause" not in words_of(drawn)


@pytest.mark.parametrize(("refills", "words"), [("ask", ["pause", "filled"]), ("draw", ["drawn"])])
def test_one_condition_fills_an_empty_syringe_first_where_it_may(simulator, reactor, spectrometer, refills, words):
    simulator.answers["reactor_pump_se_content_ul"] = 3.0
    asked = simulator.simulate(measure_condition(reactor, spectrometer, 280, 270, 14, refills=refills))
    before = words_of(asked)[: words_of(asked).index("open_run")]
    assert f"reactor_pump_se={words[-1]}" in before
    assert ("pause" in before) == ("pause" in words)


def test_refill_pauses_at_a_checkpoint_and_says_what_is_to_be_done(simulator, reactor, capsys):
    happened = words_of(simulator.simulate(refill(reactor, ["Se", "Solvent"])))
    assert happened[:2] == ["checkpoint", "pause"]
    assert "fill the syringes of Se, Solvent; then resume" in capsys.readouterr().out
    assert sets(simulator.simulate(refill(reactor, ["Se"], "draw"))) == [("reactor_pump_se", "drawn")]


# -- SAXS, fractions


def test_each_standard_is_mounted_before_its_run_and_the_solvent_flows_by_itself(simulator, reactor, saxs, capsys):
    happened = words_of(simulator.simulate(saxs_calibrate(reactor, saxs, ["silver behenate", "solvent"], 2.0, 1)))
    assert happened[:4] == ["stage saxs", "saxs_camera_exposure_s=2.0", "checkpoint", "pause"]
    assert "mount silver behenate in the beam; then resume" in capsys.readouterr().out
    assert [(one["purpose"], one["standard"]) for one in starts(simulator.messages)] == [
        ("calibration", "silver behenate"),
        ("background", "solvent"),
    ]
    second = happened[len(happened) - happened[::-1].index("open_run") :]
    assert second[:4] == ["checkpoint", "reactor_solvent=3.0", "saxs_cell=0.0", "trigger saxs"]


def test_a_mesophase_scan_fills_the_cell_at_each_temperature_and_lets_it_follow_the_oven_again(
    simulator, reactor, saxs
):
    messages = simulator.simulate(mesophase_scan(reactor, saxs, ["Cd only"], [25.0, 50.0], lots={"Cd": "A1"}))
    happened = [word for word in words_of(messages) if word != "checkpoint"]
    one = ["reactor_nucleation=100.0", "reactor_growth=100.0", "saxs_cell=25.0", "reactor_cd_only=3.0"]
    assert happened[2:8] == ["open_run", *one, "trigger saxs"]
    assert happened[-2:] == ["saxs_cell=0.0", "unstage saxs"]
    assert [(s["liquid"], s["cell_temperature"], s["lots"]) for s in starts(messages)] == [
        ("Cd only", 25.0, {"Cd": "A1"}),
        ("Cd only", 50.0, {"Cd": "A1"}),
    ]
    assert all("condition" not in start for start in starts(messages))


def test_fractions_are_injected_one_by_one_and_flushed_out_at_the_end(simulator, reactor, spectrometer):
    messages = simulator.simulate(measure_fractions(reactor, spectrometer, ["Fi", "F2"], num=2, campaign_uid="c"))
    assert [(s["fraction"], s["campaign_uid"]) for s in starts(messages)] == [("Fi", "c"), ("F2", "c")]
    assert [name for name, _ in sets(messages) if name == "reactor_loop"] == ["reactor_loop"] * 2
    assert sets(messages)[-1] == ("reactor_solvent", 1.0)
    assert all(name != "reactor_nucleation_setpoint" for name, _ in sets(messages))


# -- rest


def test_flush_and_standby_leave_solvent_flowing(simulator, reactor):
    assert sets(simulator.simulate(flush(reactor, 2.5))) == [("reactor_solvent", 2.5)]
    assert sets(simulator.simulate(standby(reactor))) == [
        ("reactor_nucleation_setpoint", 100.0),
        ("reactor_growth_setpoint", 100.0),
        ("reactor_solvent", 2.0),
    ]


def test_make_safe_may_be_aborted_but_not_suspended(simulator, reactor, spectrometer):
    assert simulator.simulate(make_safe(reactor))[0].args == (UNSUSPENDED,)
    with pytest.raises(RequestAbort):
        simulator.simulate(make_safe(reactor), fail_once("set", lambda msg: RequestAbort()))
    assert moved(simulator.messages) == []


# -- campaign


def test_a_campaign_publishes_why_before_anything_moves_and_ends_safe(simulator, reactor, spectrometer):
    published = []
    plan = campaign(
        reactor, spectrometer, publish=lambda md, data: published.append((md, len(moved(simulator.messages))))
    )
    simulator.simulate(plan)
    assert published[0][1] == 0
    assert [md["trial_id"] for md, _ in published] == ["c1-001", "c1-002"]
    assert [one["trial_id"] for one in starts(simulator.messages)] == ["c1-001", "c1-002"]
    assert sets(simulator.messages)[-5:] == SAFE
    assert simulator.return_value == "c1"


def test_a_person_may_edit_reject_and_end(simulator, reactor, spectrometer, capsys):
    answers = iter(["300 290", "999 290 14", "it's", "300 290 14", "n", "q"])
    simulator.add_handler("input", lambda msg: next(answers))
    published = []
    advisor = ListAdvisor(5)
    plan = campaign(reactor, spectrometer, advisor=advisor, confirm=True, publish=lambda md, data: published.append(md))
    simulator.simulate(plan)
    assert [md["decision"] for md in published] == ["edited", "rejected", "ended"]
    assert [one["condition"]["nucleation_temperature"] for one in starts(simulator.messages)] == [300.0]
    shown = capsys.readouterr().out
    assert "'300 290' can't be understood" in shown
    assert "nucleation_temperature 999 °C is outside 20 to 350 °C" in shown
    assert sets(simulator.messages)[-5:] == SAFE


def test_no_prompt_is_answered_by_an_interruption(simulator, reactor, spectrometer):
    """After a pause at the prompt RunEngine answers None; Enter would be an empty string."""
    answers = iter([None, None, "q"])
    simulator.add_handler("input", lambda msg: next(answers))
    simulator.simulate(campaign(reactor, spectrometer, confirm=True))
    assert starts(simulator.messages) == []
    assert next(answers, "none is left") == "none is left"


# -- what holds for all plans: see test_plan_arguments.py, too
