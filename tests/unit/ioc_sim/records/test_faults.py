"""Every fault at the twin: it does what its record says, by switch and by schedule, and there is a way back."""

import math

import numpy as np
import pytest

from ioc_sim.interlock import InterlockLogic
from ioc_sim.physics.faults import KINDS, Faults, check_fault
from ioc_sim.physics.scenario import Fault, Scenario
from ioc_sim.physics.scenario_file import load_scenario
from ioc_sim.physics.twin import Twin
from ioc_sim.records.faults import FAULT_RECORDS, FaultModel
from tests.unit.ioc_sim.twins import start_heating, start_mixture

FAST = load_scenario("fast")


def running(scenario: Scenario = FAST) -> tuple[Twin, InterlockLogic]:
    """A twin with mixture flowing and both ovens at 150 °C, and its interlock."""
    twin = Twin(scenario, seed=1)
    start_mixture(twin, 54.0)
    start_heating(twin, 150.0)
    twin.advance(120.0)
    return twin, InterlockLogic(twin)


def test_there_is_a_record_for_every_fault_and_all_start_healthy():
    model = FaultModel(Faults())
    assert [record.name for record in FAULT_RECORDS] == list(KINDS)
    for name, kind in KINDS.items():
        assert getattr(model, name) == kind.healthy
        assert len(kind.doc) <= 40


def test_records_switch_faults_by_their_words():
    faults = Faults()
    model = FaultModel(faults)
    model.LampOff = "On"
    model.PumpStall = "Se"
    assert faults.lamp_off is True
    assert (model.LampOff, model.PumpStall) == ("On", "Se")


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("Gremlin", "On", "no fault 'Gremlin'; there are PumpStall"),
        ("PumpStall", "Xe", "fault PumpStall: 'Xe' is none of None, Cd, Se, Solvent"),
        ("Clogging", 0.5, "fault Clogging: 0.5 is not a number from 1 to 10000"),
        ("Clogging", "On", "fault Clogging: 'On' is not a number"),
        ("Clogging", math.nan, "fault Clogging: nan is not a number"),
    ],
)
def test_an_unknown_fault_is_refused_by_name(name, value, words):
    with pytest.raises(ValueError, match=words):
        check_fault(name, value)
    with pytest.raises(ValueError, match=words):
        Fault(name=name, value=value, at_s=0.0)


def test_a_stalled_pump_says_it_infuses_and_moves_nothing():
    twin, _ = running()
    twin.faults.switch("PumpStall", "Se")
    twin.advance(10.0)
    before = twin.pumps["Se"].infused_ul
    twin.advance(60.0)
    assert twin.pumps["Se"].infused_ul == before
    assert twin.pumps["Se"].status == "Infusing"
    twin.faults.switch("PumpStall", "None")
    twin.advance(60.0)
    assert twin.pumps["Se"].infused_ul == pytest.approx(before + 54.0, rel=0.03)


def test_an_empty_syringe_stops_the_pump_and_is_exchanged():
    twin, _ = running()
    twin.faults.switch("EmptySyringe", "Cd")
    twin.advance(5.0)
    assert twin.pumps["Cd"].status == "Idle"
    assert twin.pumps["Cd"].content_ul == 0.0
    twin.faults.switch("EmptySyringe", "None")
    twin.advance(1.0)
    assert twin.pumps["Cd"].content_ul == twin.pumps["Cd"].capacity_ul


def test_clogging_raises_the_pressure_until_the_interlock_stops_all_pumps():
    twin, interlock = running()
    clean = twin.pressure_bar - FAST.plumbing.back_pressure_bar
    twin.faults.switch("Clogging", 1000.0)
    assert twin.pressure_bar - FAST.plumbing.back_pressure_bar == pytest.approx(1000 * clean)
    twin.faults.switch("Clogging", 1e4)
    interlock.watch()
    assert interlock.message.startswith("pressure ")
    twin.advance(5.0)
    assert [pump.status for pump in twin.pumps.values()] == ["Idle"] * 3
    assert not any(oven.heater_enabled for oven in twin.ovens.values())
    interlock.watch()
    assert twin.pressure_bar == pytest.approx(FAST.plumbing.back_pressure_bar)


def test_a_broken_thermocouple_gives_no_reading_no_heat_and_a_trip():
    twin, interlock = running()
    twin.faults.switch("SensorBreak", "Growth")
    twin.advance(1.0)
    assert math.isnan(twin.ovens["Growth"].reading_c)
    assert twin.ovens["Growth"].output_percent == 0.0
    interlock.watch()
    assert interlock.message == "Growth oven gives no reading, its thermocouple is broken"
    with pytest.raises(ValueError, match="stays tripped: Growth oven gives no reading"):
        interlock.reset()
    twin.faults.switch("SensorBreak", "None")
    twin.advance(1.0)
    interlock.reset()
    assert not interlock.tripped


def test_a_runaway_heater_is_cut_off_by_the_interlock_alone():
    twin, interlock = running()
    twin.faults.switch("HeaterRunaway", "Nucleation")
    hottest = 0.0
    for _ in range(400):
        twin.advance(1.0)
        interlock.watch()
        hottest = max(hottest, twin.ovens["Nucleation"].temperature_c)
    assert interlock.message.startswith("Nucleation oven at 37")
    assert hottest < 420.0
    assert twin.ovens["Nucleation"].temperature_c < 300.0
    assert twin.valve == "Solvent"
    assert twin.pumps["Solvent"].status == "Infusing"


def test_a_hazard_after_a_lapsed_heartbeat_still_switches_the_heaters_off():
    twin, interlock = running()
    interlock.heartbeat_timeout_s = 5.0
    twin.advance(6.0)
    interlock.watch()
    assert interlock.message == "no heartbeat for 5 s"
    assert all(oven.heater_enabled for oven in twin.ovens.values())
    twin.faults.switch("SensorBreak", "Nucleation")
    twin.advance(1.0)
    interlock.watch()
    assert interlock.message.startswith("no heartbeat for 5 s; then Nucleation oven gives no reading")
    assert not any(oven.heater_enabled for oven in twin.ovens.values())
    again = InterlockLogic(Twin(FAST))
    again.restore(interlock.state())
    assert again.message == interlock.message


def test_lamp_and_saturation():
    twin, _ = running()
    normal = twin.spectrum_counts(100.0)
    twin.faults.switch("LampOff", "On")
    assert twin.spectrum_counts(100.0).max() < 0.02 * normal.max()
    twin.faults.switch("LampOff", "Off")
    twin.faults.switch("Saturated", "On")
    assert (twin.spectrum_counts(100.0) == FAST.detector.saturation_counts).sum() > 200


def test_without_beam_the_frame_is_empty_but_for_hot_pixels():
    twin, _ = running()
    twin.beam.shutter_open = True
    lit = twin.frame(1.0)
    twin.faults.switch("BeamLost", "On")
    twin.advance(1.0)
    assert twin.beam.ring_current_ma(twin.clock_s) == 0.0
    dark = twin.frame(1.0)
    assert np.median(dark) == 0
    assert np.median(lit[lit >= 0]) > 0
    assert twin.beam.i0(twin.clock_s) == 0.0


def test_a_scenario_throws_and_clears_faults_by_the_clock():
    planned = (
        Fault(name="LampOff", value="On", at_s=10.0, for_s=5.0),
        Fault(name="Clogging", value=3.0, at_s=12.0),
    )
    twin = Twin(FAST.model_copy(update={"faults": planned}))
    seen = []
    for _ in range(20):
        twin.advance(1.0)
        seen.append((twin.faults.lamp_off, twin.faults.clogging))
    assert seen[8] == (False, 1.0)
    assert seen[11] == (True, 1.0)
    assert seen[13] == (True, 3.0)
    assert seen[19] == (False, 3.0)
