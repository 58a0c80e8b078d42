"""Ovens, pumps, valve and pressure."""

import numpy as np
import pytest

from ioc_sim.physics.flow import pressure_bar
from ioc_sim.physics.oven import SimulatedOven
from ioc_sim.physics.pump import SimulatedPump
from ioc_sim.physics.scenario_file import load_scenario

SCENARIO = load_scenario("palencia2020")


def oven() -> SimulatedOven:
    return SimulatedOven(SCENARIO.oven, 25.0, np.random.default_rng(0))


def run(oven: SimulatedOven, seconds: float, flow_w_c: float = 0.0) -> np.ndarray:
    out = []
    for _ in range(int(seconds / 0.5)):
        oven.advance(0.5, flow_w_c)
        out.append(oven.temperature_c)
    return np.array(out)


@pytest.mark.parametrize("target_c", [190.0, 280.0, 350.0])
@pytest.mark.parametrize("flow_w_c", [0.0, 0.033])
def test_oven_arrives_settles_and_overshoots_little(target_c, flow_w_c):
    o = oven()
    o.setpoint_c = target_c
    arrival_s = (target_c - 25.0) / (o.ramp_rate_c_min / 60.0)
    path = run(o, arrival_s + 300.0, flow_w_c)
    assert path.max() - target_c < 2.5
    assert np.abs(path[int((arrival_s + 120.0) / 0.5) :] - target_c).max() < 1.0
    assert path[-1] == pytest.approx(target_c, abs=0.1)


def test_oven_ramps_no_faster_than_told_and_cools_by_itself():
    o = oven()
    o.setpoint_c = 300.0
    path = run(o, 400.0)
    assert np.diff(path).max() <= 1.3 * o.ramp_rate_c_min / 60.0 * 0.5
    o.setpoint_c = 250.0
    path = run(o, 400.0)
    assert path.min() > 248.0
    assert path[-1] == pytest.approx(250.0, abs=0.2)


def test_zero_ramp_rate_is_no_ramp():
    o = oven()
    o.ramp_rate_c_min, o.setpoint_c = 0.0, 200.0
    o.advance(0.5)
    assert (o.working_setpoint_c, o.output_percent) == (200.0, 100.0)


def test_manual_output_limits_and_heater_off():
    o = oven()
    o.manual, o.output_percent = True, 20.0
    run(o, 5000.0)
    assert o.temperature_c == pytest.approx(25.0 + 0.2 * SCENARIO.oven.heater_w / SCENARIO.oven.loss_w_c, abs=0.1)
    o.manual, o.output_high, o.setpoint_c = False, 30.0, 350.0
    run(o, 100.0)
    assert o.output_percent <= 30.0
    o.heater_enabled = False
    path = run(o, 100.0)
    assert o.output_percent == 0.0
    assert np.all(np.diff(path) < 0)


def test_reading_is_noisy_about_the_temperature():
    o = oven()
    o.setpoint_c = 100.0
    run(o, 900.0)
    errors = []
    for _ in range(2000):
        o.advance(0.5)
        errors.append(o.reading_c - o.temperature_c)
    assert np.std(errors) == pytest.approx(SCENARIO.oven.noise_c, rel=0.1)


def pump(**changes) -> SimulatedPump:
    return SimulatedPump(SCENARIO.pump.model_copy(update=changes))


def test_pump_keeps_account_of_volume():
    p = pump()
    p.target_rate_ul_min, p.withdraw_rate_ul_min = 540.0, 100.0
    p.infuse()
    delivered = sum(p.advance(0.5) for _ in range(1000))
    assert delivered == pytest.approx(p.infused_ul)
    assert delivered == pytest.approx(540.0 * 500.0 / 60.0, rel=2e-3)
    assert p.content_ul + p.infused_ul == pytest.approx(p.capacity_ul)
    assert p.rate_ul_min == pytest.approx(540.0, rel=0.01)
    p.withdraw()
    assert p.status == "Withdrawing"
    for _ in range(600):
        p.advance(0.5)
    assert p.rate_ul_min == pytest.approx(-100.0, rel=0.01)
    assert p.content_ul == pytest.approx(p.capacity_ul - p.infused_ul + p.withdrawn_ul)
    p.clear_infused()
    p.clear_withdrawn()
    assert (p.infused_ul, p.withdrawn_ul) == (0.0, 0.0)


def test_pump_stops_at_its_target_to_the_last_drop():
    p = pump()
    p.target_rate_ul_min, p.target_volume_ul = 1000.0, 123.4
    p.infuse()
    for _ in range(100):
        p.advance(0.5)
    assert p.status == "Target Reached"
    assert p.infused_ul == pytest.approx(123.4, abs=1e-9)
    assert p.rate_ul_min == 0.0


def test_empty_syringe_delivers_nothing():
    p = pump(capacity_ul=50.0)
    p.target_rate_ul_min, p.target_volume_ul = 600.0, 80.0
    p.infuse()
    delivered = sum(p.advance(0.5) for _ in range(100))
    assert delivered == pytest.approx(50.0)
    assert (p.content_ul, p.status, p.rate_ul_min) == (pytest.approx(0.0, abs=1e-9), "Idle", 0.0)


def test_full_syringe_takes_no_more():
    p = pump()
    p.withdraw_rate_ul_min = 100.0
    p.withdraw()
    p.advance(0.5)
    assert (p.content_ul, p.status) == (p.capacity_ul, "Idle")


def test_rate_ramps_in_about_a_second():
    p = pump(pulsation=0.0)
    p.target_rate_ul_min = 600.0
    p.infuse()
    rates = []
    for _ in range(6):
        p.advance(0.5)
        rates.append(p.rate_ul_min)
    assert 0 < rates[0] < 400 < rates[1] < 600
    assert rates[-1] == pytest.approx(600.0, rel=1e-3)
    p.stop()
    p.advance(0.5)
    assert p.status == "Idle"
    assert 0 < p.rate_ul_min < 330


def test_pressure_is_hagen_poiseuille_above_the_regulator():
    assert pressure_bar(SCENARIO, 0.0, 25.0) == SCENARIO.plumbing.back_pressure_bar
    cold, hot = (pressure_bar(SCENARIO, 10000.0, t) - 3.0 for t in (25.0, 280.0))
    assert 5.0 < cold < 8.0
    assert 0.5 < hot < 0.5 * cold
    assert pressure_bar(SCENARIO, 5000.0, 25.0) - 3.0 == pytest.approx(cold / 2)
