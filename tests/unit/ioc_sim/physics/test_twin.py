"""The twin as a whole: dead time, steady state, repeatability, noise, state."""

import json

import numpy as np
import pytest

from ioc_sim.bench import content_of, measure, noise_free
from ioc_sim.physics.matter import matter_of
from ioc_sim.physics.optics import PIXELS
from ioc_sim.physics.scenario_file import load_scenario
from ioc_sim.physics.twin import Twin
from tests.unit.ioc_sim.twins import start_heating, start_mixture

SCENARIO = load_scenario("palencia2020")
IDEAL = load_scenario("ideal")
CONDITION = {"nucleation_temperature": 280.0, "growth_temperature": 280.0, "residence_time": 14.0}


def run_mixture(twin: Twin, residence_s: float = 14.0) -> float:
    """Start both streams for a residence time and return the total flow, µL/s."""
    flow_ul_s = twin.scenario.plumbing.reactor_ul / residence_s
    start_mixture(twin, 30.0 * flow_ul_s)
    return flow_ul_s


def heat(twin: Twin, temperature_c: float) -> None:
    start_heating(twin, temperature_c)
    twin.advance(900.0)


def absorbance(twin: Twin) -> np.ndarray:
    twin.shutter_open = False
    dark = twin.spectrum_counts(100.0)
    twin.shutter_open = True
    reference = Twin(twin.scenario).spectrum_counts(100.0)
    return -np.log10((twin.spectrum_counts(100.0) - dark) / (reference - dark))


def test_solvent_is_blank():
    twin = Twin(IDEAL)
    assert absorbance(twin) == pytest.approx(np.zeros(PIXELS), abs=1e-12)
    assert twin.content.cd == 0.0


def test_dead_time_is_volume_over_flow():
    twin, p = Twin(IDEAL), IDEAL.plumbing
    heat(twin, 200.0)
    flow_ul_s = run_mixture(twin)
    hot_ul = p.reactor_ul * p.density_ratio(200.0)
    dead_s = (hot_ul + p.dead_ul + p.cell_ul / 2) / flow_ul_s
    seen = []
    for _ in range(80):
        twin.advance(0.5)
        seen.append(twin.content.cd)
    arrival_s = 0.5 * (1 + np.argmax(np.array(seen) > 0.5 * SCENARIO.precursor.cd_mol_l))
    # the pumps' ramp delays by a third of a second
    assert arrival_s == pytest.approx(dead_s + 0.33, abs=0.6)


def test_dispersion_smears_a_front_by_its_variance():
    twin, p = Twin(SCENARIO), SCENARIO.plumbing
    heat(twin, 100.0)
    flow_ul_s = run_mixture(twin)
    twin.advance(8.0)
    cd = []
    for _ in range(80):
        twin.advance(0.5)
        cd.append(twin.content.cd)
    step = np.diff(np.array(cd) / cd[-1])
    t = 8.5 + 0.5 * np.arange(len(step))
    mean = (step * t).sum() / step.sum()
    coil_s = p.coil_ul * p.density_ratio(100.0) / flow_ul_s
    sd = np.sqrt((step * (t - mean) ** 2).sum() / step.sum())
    assert sd == pytest.approx(coil_s * np.sqrt(2 / p.peclet), rel=0.15)


def test_running_twin_reaches_the_steady_state_of_bench():
    twin = Twin(IDEAL)
    heat(twin, 280.0)
    run_mixture(twin)
    twin.advance(600.0)
    truth = noise_free(IDEAL, CONDITION)
    assert absorbance(twin) == pytest.approx(truth["absorbance"], abs=2e-3)
    content = content_of(IDEAL, CONDITION)
    assert twin.content.species == pytest.approx(content.species, rel=5e-3)
    assert twin.content.sizes.sum() == pytest.approx(content.sizes.sum(), rel=5e-3)


def test_stopped_flow_reacts_on_in_the_oven_but_not_in_the_cell():
    twin = Twin(IDEAL)
    heat(twin, 230.0)
    run_mixture(twin)
    twin.advance(120.0)
    before = twin.content.species
    for pump in twin.pumps.values():
        pump.stop()
    twin.advance(300.0)
    assert twin.content.species["P"] == pytest.approx(before["P"], rel=0.02)
    run_mixture(twin)
    twin.advance(8.0)
    assert twin.content.species["P"] < 0.8 * before["P"]


def test_composition_scales_with_the_streams():
    twin = Twin(IDEAL)
    flow_ul_s = run_mixture(twin)
    twin.pumps["Solvent"].target_rate_ul_min = 60.0 * flow_ul_s
    twin.pumps["Solvent"].infuse()
    twin.advance(120.0)
    assert twin.content.cd == pytest.approx(0.5 * IDEAL.precursor.cd_mol_l, rel=1e-3)
    twin.valve = "Cd only"
    twin.pumps["Solvent"].stop()
    twin.advance(200.0)
    assert twin.content.cd == pytest.approx(2 * IDEAL.precursor.cd_mol_l, rel=1e-3)
    assert twin.content.species["P"] == 0.0
    twin.valve = "Solvent"
    twin.advance(60.0)
    assert twin.pressure_bar == pytest.approx(IDEAL.plumbing.back_pressure_bar)


def test_the_sample_loop_goes_past_the_reactor_and_is_used_up():
    twin, p, loop = Twin(IDEAL), IDEAL.plumbing, IDEAL.loop
    twin.sample_loop = "F3"
    twin.pumps["Solvent"].target_rate_ul_min = 600.0
    twin.pumps["Solvent"].infuse()
    twin.advance(60.0)
    assert twin.content.cd == 0.0
    twin.valve = "Sample loop"
    # 10 µL a second: dead volume and half of the cell first, then the loop's content, then solvent
    seen = []
    for _ in range(90):
        twin.advance(1.0)
        seen.append(twin.content.species["CdSe-437"] > 0.0)
    dead_s = (p.dead_ul + p.cell_ul / 2) / 10.0
    assert seen.index(True) == pytest.approx(dead_s, abs=1.5)
    assert sum(seen) == pytest.approx(loop.volume_ul / 10.0, abs=1.5)
    assert not seen[-1]
    twin.sample_loop = "F3"
    twin.advance(20.0)
    fraction = twin.content
    whole = content_of(IDEAL, {
        "nucleation_temperature": loop.nucleation_temperature, "growth_temperature": loop.growth_temperature,
        "residence_time": loop.residence_time,
    })  # fmt: skip
    assert fraction.species["CdSe-437"] == pytest.approx(
        loop.fractions["F3"].yield_share * whole.species["CdSe-437"], rel=5e-3
    )
    twin.valve = "Solvent"
    twin.advance(20.0)
    assert twin.content.cd == 0.0
    with pytest.raises(ValueError, match="no fraction 'F9'; there are Fi, F1"):
        twin.sample_loop = "F9"


def test_frames_follow_shutter_beam_and_cell():
    twin = Twin(SCENARIO, seed=2)
    flow_ul_s = run_mixture(twin)
    assert flow_ul_s > 0
    twin.advance(120.0)
    mask = matter_of(SCENARIO).detector.mask
    assert np.median(twin.frame(1.0)[~mask]) == 0
    twin.beam.shutter_open = True
    cold = twin.frame(10.0)
    assert cold.shape == (SCENARIO.frame.rows, SCENARIO.frame.columns)
    twin.beam.cell_setpoint_c = 100.0
    twin.advance(300.0)
    hot = twin.frame(10.0)
    q = matter_of(SCENARIO).detector.q_inv_nm(SCENARIO.beam.energy_kev)
    ring = ~mask & (np.abs(q - 1.843) < 0.03)
    beside = ~mask & (np.abs(q - 2.3) < 0.03)
    # the lamellae's first order is there at 25 °C and molten at 100 °C
    assert cold[ring].mean() > 5 * cold[beside].mean()
    assert hot[ring].mean() < 1.5 * hot[beside].mean()


def test_unknown_valve_position_is_refused():
    with pytest.raises(ValueError, match=r"no valve position 'Air'.*Mixture"):
        Twin(IDEAL).valve = "Air"


def test_one_seed_repeats_bit_for_bit_and_two_differ():
    def record(seed: int) -> list[np.ndarray]:
        twin = Twin(SCENARIO, seed=seed)
        run_mixture(twin)
        twin.ovens["Growth"].setpoint_c = 60.0
        twin.beam.shutter_open = True
        out = []
        for _ in range(3):
            twin.advance(20.0)
            out += [twin.spectrum_counts(100.0), np.array([twin.ovens["Growth"].reading_c]), twin.frame(1.0)]
        return out

    first, again, other = record(1), record(1), record(2)
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not any(np.array_equal(a, b) for a, b in zip(first, other, strict=True))
    one, two, three = (measure(SCENARIO, CONDITION, seed, 100.0) for seed in (1, 1, 2))
    assert np.array_equal(one.counts, two.counts)
    assert np.array_equal(one.frame, two.frame)
    assert (one.i0, one.i1) == (two.i0, two.i1)
    assert not np.array_equal(one.counts, three.counts)
    assert not np.array_equal(one.frame, three.frame)


def test_cutting_time_in_pieces_changes_nothing():
    whole, pieces = Twin(SCENARIO, seed=3), Twin(SCENARIO, seed=3)
    for twin in (whole, pieces):
        run_mixture(twin)
    whole.advance(30.0)
    for _ in range(300):
        pieces.advance(0.1)
    assert pieces.clock_s == whole.clock_s == 30.0
    assert np.array_equal(whole.spectrum_counts(100.0), pieces.spectrum_counts(100.0))


@pytest.mark.parametrize("averages", [1, 16])
def test_noise_is_shot_and_read_noise(averages):
    twin, d = Twin(SCENARIO, seed=5), SCENARIO.detector
    counts = np.array([twin.spectrum_counts(100.0, averages) for _ in range(300)])
    signal = counts.mean(0) - d.offset_counts
    expected = (signal / d.electrons_per_count + d.read_noise_counts**2) / averages
    assert np.mean(counts.var(0, ddof=1) / expected) == pytest.approx(1.0, abs=0.02)


def test_light_path_and_saturation():
    twin, d = Twin(SCENARIO), SCENARIO.detector
    lit = twin.spectrum_counts(100.0)
    assert 0.55 < lit.max() / d.saturation_counts < 0.65
    assert twin.spectrum_counts(1000.0).max() == d.saturation_counts
    twin.light_intensity = 0.5
    half = twin.spectrum_counts(100.0) - d.offset_counts
    assert half.max() == pytest.approx((lit.max() - d.offset_counts) / 2, rel=0.01)
    dark_counts = d.offset_counts + d.dark_counts_s * 0.1
    twin.shutter_open = False
    assert twin.spectrum_counts(100.0).mean() == pytest.approx(dark_counts, abs=1.0)
    twin.shutter_open, twin.light_on = True, False
    assert twin.spectrum_counts(100.0).mean() == pytest.approx(dark_counts, abs=1.0)


def test_lamp_drifts_slowly():
    twin = Twin(SCENARIO, seed=1)
    first = twin.spectrum_counts(100.0, 10000)
    twin.advance(1.0)
    soon = twin.spectrum_counts(100.0, 10000)
    twin.advance(3000.0)
    later = twin.spectrum_counts(100.0, 10000)
    middle = slice(400, 700)
    assert np.abs(soon / first - 1)[middle].mean() < 1e-4
    assert 1e-4 < np.abs(later / first - 1)[middle].mean() < 1e-2


def test_state_survives_json():
    twin = Twin(SCENARIO, seed=1)
    run_mixture(twin)
    twin.ovens["Growth"].setpoint_c = 120.0
    twin.advance(100.0)
    state = json.loads(json.dumps(twin.state()))
    other = Twin(SCENARIO, seed=1)
    other.restore(state)
    assert other.state() == twin.state()
    assert other.valve == "Mixture"
    assert [p.status for p in other.pumps.values()] == ["Idle"] * 3
    assert other.ovens["Growth"].reading_c == pytest.approx(twin.ovens["Growth"].temperature_c)
    other.advance(60.0)
    assert other.ovens["Growth"].temperature_c == pytest.approx(120.0, abs=3.0)


def test_wavelength_axis_is_rising_and_slightly_bent():
    axis = Twin(SCENARIO).wavelength_nm
    assert axis.shape == (1044,)
    assert (axis[0], axis[-1]) == (pytest.approx(250.0, abs=3.0), pytest.approx(800.0, abs=3.0))
    assert np.all(np.diff(axis) > 0)
    assert np.ptp(np.diff(axis)) > 0.02


def test_measured_absorbance_is_the_truth_within_its_noise():
    m = measure(SCENARIO, CONDITION, 1, 100.0)
    found = -np.log10((m.counts - m.dark) / (m.reference - m.dark))
    truth = noise_free(SCENARIO, CONDITION)["absorbance"]
    middle = slice(250, 800)
    assert np.abs(found - truth)[middle].mean() < 5e-3
