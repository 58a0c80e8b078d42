"""X-ray beam of the twin: ring current, monitors, energy and the cell's temperature."""

import math

import numpy as np
import pytest

from ioc_sim.physics.beam import Beam
from ioc_sim.physics.scenario_file import load_scenario

HOUR_S = 3600.0


@pytest.fixture
def model():
    return load_scenario("palencia2020").beam


@pytest.fixture
def beam(model):
    out = Beam(model, np.random.default_rng(0))
    out.shutter_open = True
    return out


def test_ring_current_decays_and_is_topped_up(model, beam):
    full, fill_s = model.ring_current_ma, model.fill_every_h * HOUR_S
    assert beam.ring_current_ma(0.0) == full
    assert beam.ring_current_ma(0.5 * fill_s) == pytest.approx(
        full * math.exp(-0.5 * model.fill_every_h / model.lifetime_h)
    )
    assert beam.ring_current_ma(fill_s - 1.0) < beam.ring_current_ma(fill_s + 1.0)
    assert beam.ring_current_ma(7 * fill_s) == pytest.approx(full)


def test_flux_and_monitors_follow_the_ring(model, beam):
    later = 0.9 * model.fill_every_h * HOUR_S
    share = beam.ring_current_ma(later) / model.ring_current_ma
    assert beam.flux_ph_s(later) == pytest.approx(model.flux_ph_s * share)
    i0 = np.array([beam.i0(later) for _ in range(2000)])
    assert i0.mean() == pytest.approx(1e-6 * model.flux_ph_s * share, rel=1e-4)
    assert i0.std() / i0.mean() == pytest.approx(model.monitor_noise, rel=0.1)


def test_diode_tells_the_transmission(model):
    beam = Beam(model.model_copy(update={"monitor_noise": 0.0}), np.random.default_rng(0))
    beam.shutter_open = True
    assert beam.i1(100.0) / beam.i0(100.0) == pytest.approx(model.transmission)
    assert beam.i1(100.0, transmission=0.5) / beam.i0(100.0) == pytest.approx(0.5)


def test_shutter_is_closed_at_first_and_darkens_both_monitors(model):
    beam = Beam(model, np.random.default_rng(0))
    assert beam.flux_ph_s(0.0) == beam.i0(0.0) == beam.i1(0.0) == 0.0
    assert beam.ring_current_ma(0.0) > 0.0


def test_a_closed_front_end_darkens_the_cell_though_the_ring_is_full(beam):
    beam.front_end_open = False
    assert beam.flux_ph_s(10.0) == beam.i0(10.0) == 0.0
    assert beam.ring_current_ma(10.0) > 0.0


def test_lost_beam(beam):
    beam.lost = True
    assert beam.ring_current_ma(10.0) == beam.flux_ph_s(10.0) == beam.i0(10.0) == 0.0
    beam.lost = False
    assert beam.flux_ph_s(10.0) > 0.0


@pytest.mark.parametrize("value", [3.9, 30.1, math.nan])
def test_energy_outside_the_range_is_refused(model, beam, value):
    with pytest.raises(ValueError, match=r"photon energy: .* not within 4 to 30 keV"):
        beam.energy_kev = value
    assert beam.energy_kev == model.energy_kev
    beam.energy_kev = 8
    assert beam.energy_kev == 8.0


@pytest.mark.parametrize("value", [-1.0, 400.5, math.nan])
def test_cell_setpoint_outside_the_range_is_refused(beam, value):
    with pytest.raises(ValueError, match="cell temperature"):
        beam.cell_setpoint_c = value
    assert beam.cell_setpoint_c == 0.0


def test_cell_follows_the_growth_oven_or_its_setpoint(model, beam):
    for _ in range(40):
        beam.advance(model.cell_lag_s / 40, growth_oven_c=225.0)
    assert beam.cell_temperature_c == pytest.approx(225.0 - 200.0 * math.exp(-1.0))
    beam.cell_setpoint_c = 50.0
    for _ in range(400):
        beam.advance(0.5, growth_oven_c=225.0)
    assert beam.cell_temperature_c == pytest.approx(50.0, abs=0.05)
    beam.cell_setpoint_c = 0.0
    beam.advance(1e4, growth_oven_c=280.0)
    assert beam.cell_temperature_c == pytest.approx(280.0)


def test_a_restart_takes_up_the_state(model, beam):
    beam.energy_kev, beam.cell_setpoint_c, beam.cell_temperature_c = 10.0, 100.0, 88.0
    other = Beam(model, np.random.default_rng(1))
    other.restore(beam.state())
    assert other.state() == beam.state()
    assert other.shutter_open is True
