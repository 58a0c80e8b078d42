"""Any arguments of any plan: it is refused before anything moves, or it runs to its end."""

import itertools
import math

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from msc_plans import plans
from tests.unit.plans.all_plans import all_plans
from tests.unit.plans.fakes import answering_simulator, fake_reactor, fake_saxs, fake_spectrometer, moved

REACTOR, SPECTROMETER, SAXS = fake_reactor(), fake_spectrometer(), fake_saxs()
PLANS = all_plans(REACTOR, SPECTROMETER, SAXS)

celsius = st.floats(20.0, 350.0)
seconds = st.floats(1.0, 100.0)
few = {"min_size": 1, "max_size": 3}
words = st.text(max_size=5)
junk = st.one_of(
    st.none(),
    st.booleans(),
    words,
    st.floats(),
    st.integers(-3, 3),
    st.just(10**400),
    st.lists(st.one_of(st.floats(), words, st.none()), max_size=3),
    st.just([280.0] * 10_001),
    st.dictionaries(words, st.one_of(words, st.integers()), max_size=2),
)
GOOD = {
    "nucleation_temperature": celsius,
    "growth_temperature": celsius,
    "oven_temperature": st.floats(20.0, 120.0),
    "residence_time": seconds,
    "nucleation_temperatures": st.lists(celsius, **few),
    "growth_offsets": st.lists(st.floats(-90.0, 20.0), **few),
    "residence_times": st.lists(seconds, **few),
    "cell_temperatures": st.lists(st.floats(20.0, 150.0), **few),
    "frame_exposure_s": st.floats(0.1, 100.0),
    "integration_time_ms": st.floats(10.0, 1000.0),
    "num": st.integers(1, 3),
    "num_spectra": st.integers(1, 10),
    "prime_volumes": st.floats(0.0, 5.0),
    "volumes": st.floats(0.1, 5.0),
    "transient": st.booleans(),
    "confirm": st.just(False),
    "max_conditions": st.integers(1, 3),
    "failures_allowed": st.integers(0, 3),
    "order": st.sampled_from(["cheapest", "given"]),
    "refills": st.sampled_from(["ask", "draw"]),
    "how": st.sampled_from(["ask", "draw"]),
    "liquids": st.sampled_from([["Mixture", "Se only"], ["Cd", "Solvent"]]),
    "standards": st.lists(st.sampled_from(["silver behenate", "water", "solvent"]), **few),
    "fractions": st.lists(st.sampled_from(["Fi", "F1", "F5"]), **few),
    "saxs": st.sampled_from([None, SAXS]),
    "lots": st.dictionaries(words, words, max_size=2),
    "md": st.dictionaries(words, st.integers(), max_size=2),
}
for _name in ("sample", "purpose", "campaign_uid", "trial_id", "background_uid", "resume"):
    GOOD[_name] = words
ARGUMENTS = {
    "bring_up": "nucleation_temperature growth_temperature integration_time_ms num_spectra prime_volumes refills",
    "flush": "volumes",
    "make_safe": "saxs",
    "measure_condition": "nucleation_temperature growth_temperature residence_time num saxs frame_exposure_s transient "
    "sample lots purpose campaign_uid trial_id background_uid refills md",
    "measure_fractions": "fractions nucleation_temperature growth_temperature residence_time num sample lots "
    "campaign_uid md",
    "mesophase_scan": "liquids cell_temperatures oven_temperature frame_exposure_s num sample lots background_uid "
    "campaign_uid md",
    "msc_campaign": "max_conditions failures_allowed saxs frame_exposure_s confirm refills resume sample lots "
    "campaign_uid num_spectra md",
    "refill": "liquids how",
    "saxs_calibrate": "standards frame_exposure_s num md",
    "standby": "",
    "take_dark_and_reference": "",
}
_series = " saxs frame_exposure_s order refills failures_allowed sample lots campaign_uid background_uid md"
ARGUMENTS["growth_temperature_scan"] = "nucleation_temperatures growth_offsets residence_time" + _series
ARGUMENTS["nucleation_temperature_scan"] = "nucleation_temperatures residence_time growth_temperature" + _series
ARGUMENTS["residence_time_scan"] = "residence_times nucleation_temperature growth_temperature" + _series
DEVICES = {"saxs"}


def test_every_plan_is_tried_with_all_its_arguments():
    import inspect

    handed_in = {"reactor", "spectrometer", "advisor", "results", "publish", "history"}
    assert set(PLANS) == set(plans.__all__) - {"CampaignFailedError"}
    for name, arguments in ARGUMENTS.items():
        known = set(inspect.signature(getattr(plans, name)).parameters) - handed_in
        extra = {"saxs"} if name in ("mesophase_scan", "saxs_calibrate") else set()
        assert known - extra == set(arguments.split()), name


def runs_or_is_refused(name, arguments):
    simulator = answering_simulator()
    if "transient" in arguments:
        simulator.add_handler("wait", lambda msg: True)
    try:
        simulator.simulate(PLANS[name](**arguments))
    except (ValueError, TypeError):
        assert moved(simulator.messages) == [], "refused, but something has moved"
        return False
    check_messages(simulator.messages)
    return True


def check_messages(messages):
    """What RunEngine asks of any plan, and what an interruption needs."""
    bundling, run_is_open, checkpoint, groups = False, False, False, set()
    for before, msg in itertools.pairwise([None, *messages]):
        match msg.command:
            case "open_run":
                assert not run_is_open
                assert {"purpose", "sample", "lots", "campaign_uid", "trial_id", "schema_version"} <= set(msg.kwargs)
                run_is_open, checkpoint = True, False
            case "close_run":
                assert run_is_open
                assert not bundling
                assert before.command == "checkpoint", "a pause here would repeat what needs an open run"
                run_is_open = False
            case "checkpoint":
                assert not bundling
                checkpoint = True
            case "create":
                assert run_is_open
                bundling = True
            case "save" | "drop":
                bundling = False
            case "set" | "trigger":
                assert checkpoint or not run_is_open, f"{msg} in a run before its first checkpoint"
                groups.add(msg.kwargs["group"])
            case "wait":
                groups.discard(msg.kwargs["group"])
    assert not bundling
    assert not run_is_open
    assert not groups - {"flush"}, "something was set and never waited for"


@pytest.mark.parametrize("name", sorted(PLANS))
def test_a_plan_with_its_least_arguments_runs(name):
    assert runs_or_is_refused(name, {})


@pytest.mark.parametrize("name", sorted(name for name, arguments in ARGUMENTS.items() if arguments))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_good_arguments_run_or_are_refused(name, data):
    known = {argument: GOOD[argument] for argument in ARGUMENTS[name].split()}
    runs_or_is_refused(name, data.draw(st.fixed_dictionaries({}, optional=known)))


@pytest.mark.parametrize("name", sorted(name for name, arguments in ARGUMENTS.items() if arguments))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_any_arguments_run_or_are_refused(name, data):
    known = {argument: junk for argument in ARGUMENTS[name].split() if argument not in DEVICES}
    drawn = data.draw(st.fixed_dictionaries({}, optional=known))
    if drawn.get("confirm") is True:
        del drawn["confirm"]  # nobody answers
    runs_or_is_refused(name, drawn)


@pytest.mark.parametrize("value", ["280", None, math.nan, math.inf, True, 10**400, [280.0], b"280"])
@pytest.mark.parametrize("argument", ["nucleation_temperature", "growth_temperature", "residence_time"])
def test_what_is_no_number_is_refused(argument, value):
    for name in ("measure_condition", "measure_fractions"):
        assert not runs_or_is_refused(name, {argument: value})
