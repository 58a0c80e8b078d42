"""Deposit: none without the table, saturating, seen in residence time, pressure and baseline."""

import numpy as np
import pytest

from ioc_sim.physics.fouling import Deposit
from ioc_sim.physics.scenario import Fouling
from ioc_sim.physics.scenario_file import load_scenario
from ioc_sim.physics.twin import Twin

CLEAN = load_scenario("fast")
MODEL = Fouling(start_ml=0.0, full_ml=2.0, volume_share=0.3, film_absorbance_400=0.2, film_exponent=2.0)


def test_a_clean_reactor_stays_as_it_is():
    deposit = Deposit(None)
    deposit.passed_ml = 1e3
    assert deposit.level == 0.0
    assert deposit.resistance == 1.0
    assert deposit.narrowed(CLEAN.plumbing) is CLEAN.plumbing
    assert not deposit.film(np.array([400.0])).any()


def test_the_deposit_saturates_with_the_mixture_that_has_passed():
    deposit = Deposit(MODEL)
    assert deposit.level == 0.0
    deposit.passed_ml = 2.0
    assert deposit.level == pytest.approx(1 - np.exp(-1), abs=1e-3)
    deposit.passed_ml = 1e3
    assert deposit.level == 1.0
    assert deposit.narrowed(CLEAN.plumbing).coil_ul == pytest.approx(0.7 * CLEAN.plumbing.coil_ul)
    assert deposit.resistance == pytest.approx(0.7**-2)
    assert deposit.film(np.array([400.0, 800.0])) == pytest.approx([0.2, 0.05])


def test_a_running_reactor_fouls_by_mixture_not_by_solvent():
    steady = CLEAN.lamp.model_copy(update={"drift_fraction": 0.0, "stray_fraction": 0.0})
    twin = Twin(CLEAN.model_copy(update={"fouling": MODEL, "lamp": steady}))
    for name, flow in (("Cd", 60.0), ("Se", 60.0), ("Solvent", 120.0)):
        twin.pumps[name].target_rate_ul_min = flow
        twin.pumps[name].infuse()
    twin.advance(600.0)
    d = CLEAN.detector
    dark = d.offset_counts + 0.1 * d.dark_counts_s
    clean = twin.spectrum_counts(100.0, 1000) - dark
    assert twin.state()["passed_ml"] == 0.0
    twin.valve = "Mixture"
    twin.advance(1800.0)
    assert twin.state()["passed_ml"] == pytest.approx(3.6, rel=0.01)
    twin.valve = "Solvent"
    twin.advance(600.0)
    lost = -np.log10((twin.spectrum_counts(100.0, 1000) - dark)[300:700] / clean[300:700])
    expected = Deposit(MODEL)
    expected.passed_ml = 3.6
    assert lost == pytest.approx(expected.film(twin.wavelength_nm[300:700]), abs=1e-3)
