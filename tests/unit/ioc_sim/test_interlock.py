import pytest

from ioc_sim.interlock import InterlockLogic
from ioc_sim.physics.scenario_file import load_scenario
from ioc_sim.physics.twin import Twin
from tests.unit.ioc_sim.twins import start_heating, start_mixture


@pytest.fixture
def twin():
    twin = Twin(load_scenario("fast"), seed=1)
    start_mixture(twin, 500.0)
    start_heating(twin, 250.0)
    twin.advance(10)
    return twin


def test_a_lapsed_heartbeat_goes_to_solvent_then_to_standby_and_latches(twin):
    interlock = InterlockLogic(twin)
    interlock.standby_flow_ul_min = 80.0
    interlock.standby_temperature_c = 90.0
    interlock.heartbeat_timeout_s = 30.0
    twin.advance(29)
    interlock.watch()
    assert not interlock.tripped
    interlock.beat()
    twin.advance(29)
    interlock.watch()
    assert not interlock.tripped
    twin.advance(5)
    interlock.watch()
    assert interlock.message == "no heartbeat for 30 s"
    assert twin.valve == "Solvent"
    assert [twin.pumps[n].status for n in ("Cd", "Se", "Solvent")] == ["Idle", "Idle", "Infusing"]
    assert twin.pumps["Solvent"].target_rate_ul_min == 80.0
    assert {oven.setpoint_c for oven in twin.ovens.values()} == {90.0}
    interlock.beat()
    interlock.watch()
    assert interlock.tripped, "a heartbeat that comes back must not release the latch"


def test_an_oven_too_hot_switches_the_heaters_off_and_can_not_be_reset_while_hot(twin):
    interlock = InterlockLogic(twin, temperature_limit_c=twin.ovens["Growth"].reading_c - 1)
    interlock.watch()
    assert "oven at" in interlock.message
    assert not any(oven.heater_enabled for oven in twin.ovens.values())
    with pytest.raises(ValueError, match="stays tripped"):
        interlock.reset()
    interlock.temperature_limit_c = 370.0
    interlock.reset()
    assert not interlock.tripped
    assert all(oven.heater_enabled for oven in twin.ovens.values())


def test_too_much_pressure_trips(twin):
    interlock = InterlockLogic(twin, pressure_limit_bar=0.5)
    interlock.watch()
    assert interlock.message.startswith("pressure")


@pytest.mark.parametrize("first", ["oven", "pressure"])
def test_a_second_cause_stops_what_it_must_and_starts_nothing_again(twin, first):
    interlock = InterlockLogic(twin)
    hot = {"temperature_limit_c": twin.ovens["Growth"].reading_c - 1}
    dense = {"pressure_limit_bar": 0.5 * twin.pressure_bar}
    for limits in (hot, dense) if first == "oven" else (dense, hot):
        for name, value in limits.items():
            setattr(interlock, name, value)
        interlock.watch()
    assert [word in interlock.message for word in ("oven at", "pressure", "; then ")] == [True] * 3
    assert twin.pumps["Solvent"].status == "Idle"
    assert not any(oven.heater_enabled for oven in twin.ovens.values())
    again = InterlockLogic(twin, **hot, **dense)
    again.restore(interlock.state())
    message = again.message
    again.watch()
    assert again.message == message, "what was acted on is not acted on again"


def test_the_latch_survives_a_restart(twin):
    interlock = InterlockLogic(twin, pressure_limit_bar=0.5)
    interlock.watch()
    again = InterlockLogic(twin)
    again.restore(interlock.state())
    assert again.message == interlock.message


def test_a_restart_under_a_session_trips_and_goes_on_watching(twin):
    interlock = InterlockLogic(twin)
    interlock.heartbeat_timeout_s = 30.0
    assert twin.valve == "Mixture"
    twin.beam.shutter_open = True
    other = Twin(twin.scenario, seed=1)
    other.restore(twin.state())
    again = InterlockLogic(other)
    again.restore(interlock.state())
    assert again.message == "the IOC was restarted under a session"
    assert other.valve == "Solvent"
    assert not other.beam.shutter_open
    assert [other.pumps[n].status for n in ("Cd", "Se", "Solvent")] == ["Idle", "Idle", "Infusing"]
    assert {oven.setpoint_c for oven in other.ovens.values()} == {again.standby_temperature_c}
    assert other.ovens["Growth"].temperature_c == twin.ovens["Growth"].temperature_c
    again.reset()
    other.advance(31)
    again.watch()
    assert again.message == "no heartbeat for 30 s", "whose session has ended, too"


def test_a_restart_that_nobody_worked_with_takes_up_what_was_set(twin):
    other = Twin(twin.scenario, seed=1)
    other.restore(twin.state())
    again = InterlockLogic(other)
    again.restore(InterlockLogic(twin).state())
    assert not again.tripped
    assert other.ovens["Growth"].setpoint_c == 250.0
