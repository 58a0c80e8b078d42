"""Nanocrystals as a population: conservation, ripening, vanishing, the grid of sizes, conditions from end to end."""

import numpy as np
import pytest

from ioc_sim.physics import rtd
from ioc_sim.physics.balance import MOMENTS, Path, constants_at, derivative, jacobian
from ioc_sim.physics.cohorts import close, deposit
from ioc_sim.physics.network import ScenarioChemistry, WallPath
from ioc_sim.physics.scenario import Chemistry
from ioc_sim.physics.scenario_file import load_scenario

GRID = np.geomspace(40.0, 4000.0, 180)
THETA = rtd.dispersion(60.0)[0]
LAG_S = 0.36 / np.log(10)


@pytest.fixture(scope="module")
def network() -> ScenarioChemistry:
    return ScenarioChemistry(load_scenario("palencia2020").chemistry, GRID)


def run(network: ScenarioChemistry, nucleation_c, growth_c, coil_s, times_s, precursor=1.0, chamber_s=0.5, **more):
    chamber = WallPath(nucleation_c, nucleation_c, 25.0, chamber_s, LAG_S)
    coil = WallPath(growth_c, growth_c, chamber.at(chamber_s), coil_s, LAG_S)
    return network.run(precursor, chamber, coil, times_s, **more)


@pytest.mark.parametrize("nucleation_c", [20.0, 190.0, 280.0, 360.0])
@pytest.mark.parametrize("growth_c", [20.0, 200.0, 280.0, 360.0])
@pytest.mark.parametrize("coil_s", [1e-2, 14.0, 1e4])
def test_units_are_conserved_everywhere(network, nucleation_c, growth_c, coil_s):
    for precursor, chamber_s in ((1e-6, 0.5), (1.0, 0.0), (2.0, 50.0)):
        species, sizes = run(network, nucleation_c, growth_c, coil_s, THETA * coil_s, precursor, chamber_s)
        assert species @ network.units + sizes @ GRID == pytest.approx(precursor, rel=1e-10)
        assert species.min() >= 0
        assert sizes.min() >= 0


def test_a_sudden_cooling_is_not_stepped_over():
    """A cluster that lives 0.1 µs at 360 °C and for ever at 20 °C, in steps that have grown to seconds."""
    network = ScenarioChemistry(load_scenario("shifted").chemistry, GRID)
    for coil_s in (1.0, 300.0):
        species, sizes = run(network, 360.0, 20.0, coil_s, THETA * coil_s, 1e-6, 50.0)
        assert species @ network.units + sizes @ GRID == pytest.approx(1e-6, rel=1e-8)


def test_jacobian_is_the_derivative(network):
    """With nodes above and below the vanishing size, open cohort, and temperature."""
    law, at = network.law, len(network.species) + MOMENTS
    y = np.concatenate(
        [[0.5, 3e-4, 1e-4, 2e-5, 3e-5, 1e-5], 1e-4 * 0.6 ** np.arange(5.0), [300.0, 92.0, 10.5, 6.0, 2.0]]
    )
    w, path = np.full(5, 1e-5), Path(540.0, 580.0, 500.0, 10.0, 0.5)
    k, slope, nodes = np.empty(len(law.ln_k0)), np.empty(len(law.ln_k0)), len(y) - at
    assert not constants_at(law, path, 0.3, True, k, slope)
    dense, arrow, f_t = np.empty((at, at)), np.empty((2, nodes)), np.empty(len(y))
    # monomer low enough that all but the largest dissolve
    law, k[-1] = law._replace(vanishing=10.0), 2e-4
    jacobian(law, k, slope, y, w, True, dense, arrow, f_t)

    def f(y, k=k):
        out = np.empty(len(y))
        derivative(law, k, y, w, True, out)
        return out

    steps = [1e-6 * np.eye(len(y))[i] * y[i] for i in range(len(y))]
    numeric = np.array([(f(y + h) - f(y - h)) / (2 * h.sum()) for h in steps]).T
    full = np.zeros_like(numeric)
    full[:at, :at] = dense
    full[at:, at:] = np.diag(arrow[0])
    full[at:, 1] = arrow[1]
    full[1, at:] = -w * arrow[0]
    full[1, 1] -= w @ arrow[1]
    assert full == pytest.approx(numeric, rel=1e-6, abs=1e-7 * np.abs(numeric).max(0).min())
    h = 1e-6
    by_time = (f(y, k * np.exp(h * slope)) - f(y, k * np.exp(-h * slope))) / (2 * h)
    assert f_t == pytest.approx(by_time, rel=1e-6, abs=1e-12)


def test_a_run_repeats_bit_for_bit_and_hardly_depends_on_its_outputs(network):
    many = run(network, 280.0, 280.0, 10.0, np.linspace(0.5, 10.0, 39))
    again = run(network, 280.0, 280.0, 10.0, np.linspace(0.5, 10.0, 39))
    one, sizes = run(network, 280.0, 280.0, 10.0, [10.0])
    assert np.array_equal(many[0], again[0])
    assert np.array_equal(many[1], again[1])
    assert many[0][-1] == pytest.approx(one[0], rel=3e-7)
    assert many[1][-1].sum() == pytest.approx(sizes.sum(), rel=1e-7)


def test_chamber_and_coil_are_one_journey(network):
    """At one temperature it does not matter where the chamber ends."""
    wall = WallPath(280.0, 280.0, 25.0, 8.0, LAG_S)
    late = WallPath(280.0, 280.0, wall.at(3.0), 8.0, LAG_S)
    whole, _ = network.run(1.0, WallPath(280.0, 280.0, 25.0, 0.0, LAG_S), wall, [8.0])
    parts, _ = network.run(1.0, WallPath(280.0, 280.0, 25.0, 3.0, LAG_S), late, [5.0])
    assert parts == pytest.approx(whole, rel=3e-7)


def test_ripening_when_the_monomer_is_used_up(network):
    """Hours at 350 °C: fewer, larger nanocrystals; a broader distribution; monomer near its solubility."""
    _, sizes = run(network, 350.0, 350.0, 14.0, [14.0, 1e3, 1e4, 3e4])
    species, _ = run(network, 350.0, 350.0, 14.0, [14.0, 1e4, 3e4])
    number = sizes.sum(1)
    mean = sizes @ GRID / number
    width = np.sqrt(sizes @ GRID**2 / number - mean**2)
    assert np.all(np.diff(number) < 0)
    assert number[-1] < 0.7 * number[0]
    assert np.all(np.diff(mean) > 0)
    assert np.all(np.diff(width) > 0)
    # monomer sinks towards the flat crystal's solubility as sizes grow
    flat = np.exp(network.ln_constants(350.0)[-1])
    assert np.all(np.diff(species[:, 1]) < 0)
    assert 1.3 * flat < species[-1, 1] < 2.5 * flat


def test_ripening_does_not_hang_on_the_number_of_cohorts(network, monkeypatch):
    _, usual = run(network, 350.0, 350.0, 14.0, [1e4])
    monkeypatch.setattr("ioc_sim.physics.network._WIDTH", 0.03)
    monkeypatch.setattr("ioc_sim.physics.network._COHORTS", 150)
    _, fine = run(network, 350.0, 350.0, 14.0, [1e4])
    assert usual.sum() == pytest.approx(fine.sum(), rel=0.02)


def test_seeds_below_the_critical_size_dissolve():
    """Births into a mixture poor in monomer come to nothing: a stream of ever new ones, all of them small."""
    chemistry = load_scenario("palencia2020").chemistry.model_dump()
    chemistry["nanocrystals"] |= {"log10_solubility0": -2.0, "log10_growth0": 4.0}
    network = ScenarioChemistry(Chemistry.model_validate(chemistry), GRID)
    species, sizes = run(network, 280.0, 280.0, 14.0, [5.0, 14.0])
    assert sizes.sum() > 0
    assert np.all(sizes[:, GRID > 95.0] == 0)
    assert species @ network.units + sizes @ GRID == pytest.approx(1.0, rel=1e-12)


def test_merging_keeps_what_it_should(network, monkeypatch):
    """With places for four cohorts only, number and units still come out."""
    _, free = run(network, 300.0, 300.0, 14.0, [14.0])
    monkeypatch.setattr("ioc_sim.physics.network._COHORTS", 4)
    species, tight = run(network, 300.0, 300.0, 14.0, [14.0])
    assert tight.sum() == pytest.approx(free.sum(), rel=1e-3)
    assert tight @ GRID == pytest.approx(free @ GRID, rel=1e-3)
    assert species @ network.units + tight @ GRID == pytest.approx(1.0, rel=1e-12)


def test_closing_keeps_four_moments(network):
    """Nodes are the Gauss quadrature of the births: uneven ones here."""
    xi, births = np.linspace(0.0, 0.15, 50), np.exp(np.linspace(-3.0, 0.0, 50)) * 1e-5
    count = len(network.species)
    y, w = np.zeros(count + MOMENTS + 4), np.zeros(4)
    y[count : count + MOMENTS] = [births @ xi**j for j in range(MOMENTS)]
    assert close.py_func(network.law, y, w, 0, 1.0, 0.15) == 2
    nodes = y[count + MOMENTS :][:2] / 92.0 - 1.0
    assert [w[:2] @ nodes**j for j in range(4)] == pytest.approx([births @ xi**j for j in range(4)], rel=1e-10)
    assert not y[: count + MOMENTS].any()


def test_grid_keeps_number_units_and_width():
    rows = np.array([[[1.0, 300.0, 20.0], [2.0, 700.0, 0.0], [0.0, 0.0, 0.0]]])
    out = np.zeros((1, len(GRID)))
    deposit(rows, GRID, out)
    assert out.sum() == pytest.approx(3.0, rel=1e-13)
    assert out @ GRID == pytest.approx(1700.0, rel=1e-13)
    one = out[0] * (GRID < 500)
    assert np.sqrt(one @ (GRID - 300.0) ** 2) == pytest.approx(20.0, rel=0.02)
    # uniform between 300 ± 3^½ 20
    inside = (GRID > 272) & (GRID < 324)
    density = out[0] / np.gradient(GRID)
    assert density[inside] == pytest.approx(1 / (2 * np.sqrt(3) * 20), rel=0.02)


def test_grid_keeps_units_beyond_its_ends():
    out = np.zeros((1, len(GRID)))
    deposit(np.array([[[1.0, 12.0, 1.0], [1.0, 42.0, 3.0], [1.0, 9000.0, 0.0]]]), GRID, out)
    assert out @ GRID == pytest.approx(9054.0, rel=1e-13)
    assert out[0, -1] == pytest.approx(9000.0 / 4000.0)


def test_nothing_comes_of_no_precursor(network):
    species, sizes = run(network, 280.0, 280.0, 10.0, [1.0, 10.0], precursor=0.0)
    assert species.shape == (2, len(network.species))
    assert sizes.shape == (2, len(GRID))
    assert not species.any()
    assert not sizes.any()


def test_bad_input_is_refused(network):
    for precursor, times in ((-1.0, [1.0]), (np.nan, [1.0]), (1.0, []), (1.0, [-1.0]), (1.0, [2.0, 1.0])):
        with pytest.raises(ValueError, match="must not be negative"):
            run(network, 280.0, 280.0, 10.0, times, precursor)
    with pytest.raises(ValueError, match="increasing sizes"):
        ScenarioChemistry(load_scenario("palencia2020").chemistry, [100.0, 50.0])


def test_what_cannot_be_integrated_says_where(network, monkeypatch):
    with pytest.raises(RuntimeError, match=r"no progress after 0 s in the coil .*precursor 1, .*nan"):
        run(network, 280.0, np.nan, 10.0, [10.0])
    monkeypatch.setattr("ioc_sim.physics.network._MAX_STEPS", 20)
    with pytest.raises(RuntimeError, match=r"in the chamber \(20 steps"):
        run(network, 280.0, 280.0, 10.0, [10.0])
