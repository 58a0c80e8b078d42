"""What the queueserver is told of plans, devices and groups; ``python -m tests.unit.queue.test_profile`` writes it."""

import re
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

STARTUP = Path(__file__).parents[3] / "profile_collection" / "startup"
LISTS = STARTUP / "existing_plans_and_devices.yaml"
PERMISSIONS = STARTUP / "user_group_permissions.yaml"

MEASURING = {
    "bring_up",
    "growth_temperature_scan",
    "measure_condition",
    "measure_fractions",
    "mesophase_scan",
    "msc_campaign",
    "nucleation_temperature_scan",
    "residence_time_scan",
    "take_dark_and_reference",
}
SAFE = {"flush", "make_safe", "refill", "standby"}


def generated():
    """Return what the queueserver finds in a session's namespace, of the default settings."""
    from bluesky_queueserver.manager.profile_ops import existing_plans_and_devices_from_nspace

    from devices import FlowReactor, SaxsDetector, Spectrometer
    from devices.unconnected import unconnected
    from msc_plans.session.plans import plans_of
    from msc_plans.settings import Settings

    kinds = {"reactor": FlowReactor, "spectrometer": Spectrometer, "saxs": SaxsDetector}
    paths = {"saxs": {"write_path": "/", "read_path": "/"}}
    devices = {name: unconnected(kind, "MSC:", name=name, **paths.get(name, {})) for name, kind in kinds.items()}
    session = SimpleNamespace(settings=Settings(), **devices)
    plans, found, *_ = existing_plans_and_devices_from_nspace(nspace=devices | dict(plans_of(session)), max_depth=1)
    for name, kind in kinds.items():
        found[name] |= {"classname": kind.__name__, "module": kind.__module__}
    return {"existing_plans": plans, "existing_devices": found}


def write():
    """Write the lists anew."""
    text = yaml.safe_dump(generated(), allow_unicode=True, width=120)
    LISTS.write_text("# Written by: python -m tests.unit.queue.test_profile\n" + text)


@pytest.fixture(scope="module")
def lists():
    return generated()


def allowed(lists, group):
    from bluesky_queueserver.manager.profile_ops import load_allowed_plans_and_devices

    permissions = yaml.safe_load(PERMISSIONS.read_text())
    plans, _ = load_allowed_plans_and_devices(**lists, user_group_permissions=permissions)
    return plans[group]


def refusal(lists, name, **kwargs):
    """Return why the queueserver refuses a plan, empty if it does not."""
    from bluesky_queueserver.manager.profile_ops import validate_plan

    item = {"item_type": "plan", "name": name, "user_group": "operator", "kwargs": {"reactor": "reactor"} | kwargs}
    good, why = validate_plan(item, allowed_plans=allowed(lists, "primary"), allowed_devices=lists["existing_devices"])
    assert good == (not why)
    return why


def test_the_lists_are_those_of_the_code(lists):
    assert yaml.safe_load(LISTS.read_text()) == lists, "write them: python -m tests.unit.queue.test_profile"


def test_each_group_has_its_plans(lists):
    every = set(lists["existing_plans"])
    assert every == MEASURING | SAFE | {"saxs_calibrate"}
    assert set(allowed(lists, "observer")) == set()
    assert set(allowed(lists, "operator")) == MEASURING | SAFE
    assert set(allowed(lists, "expert")) == set(allowed(lists, "primary")) == every


def test_every_parameter_is_described_and_typed(lists):
    for plan in lists["existing_plans"].values():
        assert plan["description"]
        for parameter in plan["parameters"]:
            assert {"description", "annotation"} <= set(parameter), (plan["name"], parameter["name"])


UNITS = {"°C", "K", "s", "ms", "h", "mL", "volumes"}


def test_every_number_has_its_unit_and_bounds(lists):
    for plan in lists["existing_plans"].values():
        for one in plan["parameters"]:
            kind = one["annotation"]["type"]
            if "float" not in kind and "int" not in kind:
                continue
            where = (plan["name"], one["name"])
            assert "min" in one, where
            if "float" in kind:
                words = set(re.findall(r"[\w°]+", one["description"]))
                assert words & UNITS, (*where, one["description"])


def test_all_but_what_must_be_chosen_has_a_default(lists):
    chosen = {"reactor", "spectrometer", "saxs", "nucleation_temperature", "growth_temperature", "residence_time"}
    for plan in lists["existing_plans"].values():
        without = {one["name"] for one in plan["parameters"] if "default" not in one}
        assert without <= chosen, plan["name"]


SPECTRA = {"spectrometer": "spectrometer"}
CONDITION = {"nucleation_temperature": 280, "growth_temperature": 270.0, "residence_time": 14}
GOOD = {
    "bring_up": SPECTRA | {"nucleation_temperature": 20.0, "growth_temperature": 350, "prime_volumes": 0},
    "flush": {"volumes": 100},
    "growth_temperature_scan": SPECTRA | {"nucleation_temperatures": [280], "growth_offsets": [-10, 10.5]},
    "make_safe": {},
    "measure_condition": SPECTRA | CONDITION | {"saxs": "saxs", "lots": {"Cd": "A1"}, "md": {"note": [1, "x"]}},
    "measure_fractions": SPECTRA | {"fractions": ["Fi", "F5"]},
    "mesophase_scan": {"saxs": "saxs", "liquids": ["Cd only"], "cell_temperatures": [25]},
    "msc_campaign": SPECTRA | {"goal": "learn", "family": "CdSe-403", "residence_times": None},
    "nucleation_temperature_scan": SPECTRA | {"growth_temperature": None},
    "refill": {"liquids": ["Solvent"], "how": "draw"},
    "residence_time_scan": SPECTRA | {"residence_times": [1.5, 14], "order": "given"},
    "saxs_calibrate": {"saxs": "saxs", "standards": ["silver behenate", "solvent"]},
    "standby": {},
    "take_dark_and_reference": SPECTRA,
}
BAD = [
    ("bring_up", {"nucleation_temperature": 351}, "out of range"),
    ("bring_up", {"prime_volumes": -1.0}, "out of range"),
    ("bring_up", {"num_spectra": 0}, "out of range"),
    ("bring_up", {"num_spectra": 1.5}, "num_spectra"),
    ("flush", {"volumes": 0}, "out of range"),
    ("flush", {"reactor": "saxs"}, "reactor"),
    ("growth_temperature_scan", {"nucleation_temperatures": [280, 400]}, "Value 400 is out of range"),
    ("growth_temperature_scan", {"growth_offsets": [-500]}, "out of range"),
    ("growth_temperature_scan", {"order": "random"}, "order"),
    ("growth_temperature_scan", {"failures_allowed": -1}, "out of range"),
    ("make_safe", {"spectrometer": "reactor"}, "spectrometer"),
    ("measure_condition", {"residence_time": 0.5}, "out of range"),
    ("measure_condition", {"growth_temperature": "hot"}, "growth_temperature"),
    ("measure_condition", {"residence_time": None}, "residence_time"),
    ("measure_condition", {"num": 0}, "out of range"),
    ("measure_condition", {"frame_exposure_s": 3601}, "out of range"),
    ("measure_condition", {"colour": "red"}, "colour"),
    ("measure_condition", {"lots": {"Cd": 1}}, "lots"),
    ("measure_condition", {"saxs": "spectrometer"}, "saxs"),
    ("measure_fractions", {"fractions": ["F9"]}, "F9|fractions"),
    ("mesophase_scan", {"liquids": ["Solvent"]}, "liquids"),
    ("mesophase_scan", {"oven_temperature": 121}, "out of range"),
    ("mesophase_scan", {"cell_temperatures": [0]}, "out of range"),
    ("msc_campaign", {"goal": "explore"}, "goal"),
    ("msc_campaign", {"family": "CdSe-999"}, "family"),
    ("msc_campaign", {"max_conditions": 0}, "out of range"),
    ("msc_campaign", {"confirm": True}, "confirm"),
    ("nucleation_temperature_scan", {"growth_temperature": 10}, "out of range"),
    ("refill", {"liquids": ["Mixture"]}, "liquids"),
    ("refill", {"how": "magic"}, "how"),
    ("residence_time_scan", {"residence_times": [1e6]}, "out of range"),
    ("saxs_calibrate", {"standards": ["gold"]}, "standards"),
    ("saxs_calibrate", {"frame_exposure_s": 0}, "out of range"),
    ("standby", {"reactor": "nobody"}, "reactor"),
    ("take_dark_and_reference", {"spectrometer": None}, "spectrometer"),
]


def test_good_parameters_of_every_plan_are_taken(lists):
    assert {name: refusal(lists, name, **GOOD[name]) for name in lists["existing_plans"]} == dict.fromkeys(GOOD, "")


@pytest.mark.parametrize(("name", "bad", "says"), BAD)
def test_bad_parameters_are_refused_when_they_are_queued(lists, name, bad, says):
    assert re.search(says, refusal(lists, name, **(GOOD[name] | bad))), "it says what is wrong"


def test_without_the_queueserver_plans_are_as_they_are(monkeypatch):
    import sys

    from msc_plans import plans
    from msc_plans.session.forms import with_forms
    from msc_plans.settings import Settings

    monkeypatch.setitem(sys.modules, "bluesky_queueserver", None)
    assert with_forms({"flush": plans.flush}, Settings()) == {"flush": plans.flush}


def test_without_saxs_its_plans_are_left_out():
    from bluesky_queueserver.manager.profile_ops import existing_plans_and_devices_from_nspace

    from msc_plans import plans
    from msc_plans.session.forms import with_forms
    from msc_plans.settings import Settings

    some = {"saxs_calibrate": plans.saxs_calibrate, "measure_condition": plans.measure_condition}
    found = with_forms(some, Settings(), saxs=False)
    assert set(found) == {"measure_condition"}
    described, *_ = existing_plans_and_devices_from_nspace(nspace=found, max_depth=1)
    (saxs,) = (one for one in described["measure_condition"]["parameters"] if one["name"] == "saxs")
    assert saxs["annotation"] == {"type": "None"}


if __name__ == "__main__":
    write()
