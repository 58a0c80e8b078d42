"""The network against closed solutions, published values and integrations that share no code with it.

The independent integration follows the nanocrystals in many cohorts, each at its mean size: classical Runge-Kutta
with a fixed step, or LSODA where that is too stiff.
"""

from itertools import pairwise

import numpy as np
import pytest
from scipy.integrate import quad, solve_ivp

from ioc_sim.bench import content_of
from ioc_sim.physics.balance import MOMENTS, Path
from ioc_sim.physics.flow import steady_journey
from ioc_sim.physics.network import ScenarioChemistry, WallPath
from ioc_sim.physics.rosenbrock import advance
from ioc_sim.physics.scenario import Chemistry
from ioc_sim.physics.scenario_file import load_scenario

R_KJ, T0 = 8.314462618e-3, 553.15
HOT = WallPath(280.0, 280.0, 280.0, 0.0, 0.0)
GRID = np.geomspace(40.0, 4000.0, 180)
NC = {
    "seed_units": 92, "vanishing_units": 10, "growth_exponent": 1 / 3, "log10_growth0": 3.0,
    "growth_energy_kj_mol": 60.0, "log10_solubility0": -5.8, "solubility_energy_kj_mol": 44.0,
    "capillary_nm": 1.0, "relative_dispersion": 0.05,
}  # fmt: skip


def chemistry(species: dict, *steps: dict, **nanocrystals: float) -> Chemistry:
    """Steps in their own units, at the reference temperature unless they have an energy."""
    return Chemistry.model_validate(
        {
            "reference_temperature_c": 280.0,
            "unit_volume_nm3": 0.0562,
            "species": {"P": 1, "M": 1, **species},
            "steps": {str(i): {"energy_kj_mol": 0.0, **step} for i, step in enumerate(steps)},
            "nanocrystals": NC | nanocrystals,
        }
    )


def step(reactants: dict, products: dict, k: float, **more) -> dict:
    return {"reactants": reactants, "products": products, "log10_k0": float(np.log10(k)), **more}


def palencia() -> Chemistry:
    return load_scenario("palencia2020").chemistry


def ovens(nucleation_c: float, growth_c: float, residence_s: float) -> tuple[WallPath, WallPath]:
    plumbing = load_scenario("palencia2020").plumbing
    journey = steady_journey(plumbing, nucleation_c, growth_c, residence_s, 1)
    lag_s = plumbing.heat_up_90_s / np.log(10)
    chamber = WallPath(*journey.nucleation_c, 25.0, journey.chamber_s, lag_s)
    return chamber, WallPath(*journey.growth_c, chamber.at(journey.chamber_s), journey.coil_s, lag_s)


def test_bateman_chain():
    k1, k2, t = 0.7, 0.2, np.array([0.5, 2.0, 10.0])
    network = ScenarioChemistry(chemistry({"A": 1}, step({"P": 1}, {"M": 1}, k1), step({"M": 1}, {"A": 1}, k2)), GRID)
    species, sizes = network.run(1.5, HOT, HOT, t, rtol=1e-10)
    b = k1 / (k2 - k1) * (np.exp(-k1 * t) - np.exp(-k2 * t))
    assert species / 1.5 == pytest.approx(np.array([np.exp(-k1 * t), b, 1 - np.exp(-k1 * t) - b]).T, rel=1e-9)
    assert not sizes.any()


def test_decay_along_a_changing_temperature():
    """Heat-up, ramp of the wall and what follows it, against quadrature of the rate constant."""
    network = ScenarioChemistry(chemistry({}, step({"P": 1}, {"M": 1}, 0.05, energy_kj_mol=90.0)), GRID)
    chamber, coil = WallPath(150.0, 180.0, 25.0, 3.0, 0.2), WallPath(220.0, 310.0, 178.0, 4.0, 0.3)

    def rate(t: float, path: WallPath) -> float:
        return 0.05 * np.exp(-90.0 / R_KJ * (1 / (path.at(t) + 273.15) - 1 / T0))

    done = quad(rate, 0, 3, (chamber,), epsabs=1e-13)[0] + quad(rate, 0, 4, (coil,), epsabs=1e-13)[0]
    exact = np.exp([-done, -done - quad(rate, 4, 6, (coil,), epsabs=1e-13)[0]])
    species, _ = network.run(1.0, chamber, coil, [4.0, 6.0])
    assert species[:, 0] == pytest.approx(exact, rel=1e-7)


def test_rates_follow_arrhenius_and_the_gate():
    plain = step({"P": 1}, {"M": 1}, 0.7, energy_kj_mol=80.0)
    back = {"reverse": {"log10_c0": -2.0, "energy_kj_mol": 40.0}}
    ladder = step({"M": 5}, {"A": 1}, 0.3, energy_kj_mol=20.0, **back)
    gate = {"gate": {"log10_k0": 0.5, "energy_kj_mol": 120.0}}
    open_gate, shut_gate = ({"gate": {"log10_k0": x, "energy_kj_mol": 0.0}} for x in (-30.0, 30.0))

    def constants(*changes: dict, celsius: float = 280.0) -> np.ndarray:
        steps = [plain | changes[0], ladder | changes[-1]]
        return ScenarioChemistry(chemistry({"A": 5}, *steps), GRID).ln_constants(celsius)

    x = (1 / 583.15 - 1 / T0) / R_KJ
    energies = np.array([80.0, 20.0, 60.0, 60.0, 44.0])
    assert constants({}, celsius=310.0) - constants({}) == pytest.approx(-energies * x, rel=1e-9)
    assert constants({})[:3] == pytest.approx(np.log([0.7, 0.3, 0.003]))
    assert constants(open_gate) == pytest.approx(constants({}), abs=1e-12)
    assert constants(shut_gate)[:3] == pytest.approx(constants({})[:3] - 30 * np.log(10), rel=1e-12)
    for celsius in (200.0, 280.0, 330.0):
        k = 10**0.5 * np.exp(-120.0 / R_KJ * (1 / (celsius + 273.15) - 1 / T0))
        share = constants(gate, celsius=celsius) - constants({}, celsius=celsius)
        assert share == pytest.approx([-np.log1p(k)] * 3 + [0.0, 0.0], abs=1e-12)


def test_gated_decay_along_a_changing_temperature():
    """The gate's part in ∂f/∂t: as a plain constant would give, by quadrature."""
    gate = {"log10_k0": 0.0, "energy_kj_mol": 200.0}
    network = ScenarioChemistry(chemistry({}, step({"P": 1}, {"M": 1}, 0.4, energy_kj_mol=30.0, gate=gate)), GRID)
    path = WallPath(250.0, 320.0, 25.0, 5.0, 0.3)
    rate = lambda t: float(np.exp(network.ln_constants(path.at(t))[0]))  # noqa: E731
    species, _ = network.run(1.0, HOT, path, [5.0])
    assert species[0, 0] == pytest.approx(np.exp(-quad(rate, 0, 5, epsabs=1e-13)[0]), rel=1e-7)


def test_robertsons_problem():
    """Very stiff; its values at 40 s are published (Hairer and Wanner; CVODE's example cvRoberts)."""
    steps = (
        step({"P": 1}, {"M": 1}, 0.04),
        step({"M": 1}, {"A": 1}, 3e7, orders={"M": 2}),
        step({"M": 1}, {"P": 1}, 1e4, orders={"M": 1, "A": 1}),
    )

    def right(_, y):
        r = 0.04 * y[0], 3e7 * y[1] ** 2, 1e4 * y[1] * y[2]
        return [r[2] - r[0], r[0] - r[1] - r[2], r[1]]

    exact = solve_ivp(right, (0, 40), [1, 0, 0], "Radau", rtol=1e-12, atol=1e-18).y[:, -1]
    assert exact == pytest.approx([7.1583e-1, 9.1855e-6, 2.8416e-1], rel=1e-4)
    species, _ = ScenarioChemistry(chemistry({"A": 1}, *steps), GRID).run(1.0, HOT, HOT, [40.0], rtol=1e-7)
    assert species[0] == pytest.approx(exact, rel=1e-7)


def test_order_of_the_method():
    """One step for each output time, over a warming mixture with a cluster and two sizes of nanocrystals."""
    steps = (
        step({"P": 1}, {"M": 1}, 0.5, energy_kj_mol=80.0),
        step({"M": 5}, {"A": 1}, 2.0, orders={"M": 2.5}, reverse={"log10_c0": -1.0, "energy_kj_mol": 60.0}),
    )
    network = ScenarioChemistry(chemistry({"A": 5}, *steps, log10_solubility0=-2.5, log10_growth0=2.0), GRID)
    path, numbers, start = WallPath(270.0, 290.0, 250.0, 4.0, 1.0), [1e-3] * 2 + [2e-3] * 2, [400.0] * 2 + [120.0] * 2
    a = (4 * np.pi / (3 * 0.0562)) ** (1 / 3)

    def right(t, y):
        k = np.exp(network.ln_constants(path.at(t)))
        r = k[0] * y[0], k[1] * y[1] ** 2.5 - k[2] * y[2]
        g = k[3] * np.cbrt(y[3:]) * (y[1] - k[4] * np.exp(a / np.cbrt(y[3:])))
        return [-r[0], r[0] - 5 * r[1] - numbers @ g, r[1], *g]

    exact = solve_ivp(right, (0, 4), [1.0, 0.1, 0.01, *start], "Radau", rtol=1e-12, atol=1e-15).y[:, -1]
    errors = []
    for count in (20, 40, 80):
        times = np.linspace(0, 4, count + 1)[1:]
        steps_taken, y = run_kernel(network, [1.0, 0.1, 0.01], start, numbers, times, path, 1e9)
        assert steps_taken == count
        errors.append(np.max(np.abs(y / exact - 1)))
    assert np.log2(np.array(errors[:-1]) / errors[1:]) == pytest.approx([5.0, 5.0], abs=0.2)


def run_kernel(
    network: ScenarioChemistry, species, sizes, numbers, times, path=HOT, rtol=1e-7
) -> tuple[int, np.ndarray]:
    """From any state; return steps taken, and species and sizes at the end."""
    count, nodes = len(species), len(sizes)
    y, w, times = np.zeros(count + MOMENTS + nodes), np.array(numbers, float), np.array(times, float)
    y[:count], y[count + MOMENTS :] = species, sizes
    state = np.array([nodes, 1.0, 0.0, network.units @ species + w @ y[count + MOMENTS :]])
    out, rows = np.zeros((len(times), count)), np.zeros((len(times), nodes + 2, 3))
    kelvin = Path(path.start_c + 273.15, path.end_c + 273.15, path.entry_c + 273.15, path.duration_s, path.lag_s)
    assert advance(network.law, kelvin, y, w, state, times, rtol, 0.15, 10_000, out, rows) == times[-1]
    return int(state[2]), np.concatenate([out[-1], y[count + MOMENTS :]])


@pytest.mark.parametrize("exponent", [0.0, 1 / 3, 2 / 3])
def test_ripening_of_two_sizes(exponent):
    """No births, monomer between the solubilities of two sizes: the large grow on what the small lose."""
    network = ScenarioChemistry(chemistry({}, step({"P": 1}, {"M": 1}, 1e-30), growth_exponent=exponent), GRID)
    k_g, c_n = np.exp(network.ln_constants(280.0)[1:])
    a, numbers = (4 * np.pi / (3 * 0.0562)) ** (1 / 3), np.array([1e-3, 1e-3, 2e-3, 2e-3])
    sizes, start = np.array([400.0, 400.0, 120.0, 120.0]), 3e-6

    def right(_, y):
        g = k_g * y[1:] ** exponent * (y[0] - c_n * np.exp(a / np.cbrt(y[1:])))
        return [-numbers @ g, *g]

    exact = solve_ivp(right, (0, 3000), [start, *sizes], "Radau", rtol=1e-11, atol=1e-16).y[:, -1]
    _, ours = run_kernel(network, [0.0, start], sizes, numbers, [3000.0])
    assert ours[1:] == pytest.approx(exact, rel=1e-7)
    assert ours[2] > 400.5
    assert ours[4] < 119.5
    assert ours[1] + numbers @ ours[2:] == pytest.approx(start + numbers @ sizes, rel=1e-13)


def test_the_dissolving_size_falls_apart():
    """The smaller size ends as monomer that the larger takes up."""
    network = ScenarioChemistry(chemistry({}, step({"P": 1}, {"M": 1}, 1e-30)), GRID)
    numbers, sizes, start = np.array([1e-3, 1e-3, 1e-4, 1e-4]), [400.0, 400.0, 60.0, 60.0], 3e-6
    _, before = run_kernel(network, [0.0, start], sizes, numbers, [1.0])
    assert before[4] < 60.0
    _, after = run_kernel(network, [0.0, start], sizes, numbers, [1e5])
    all_units = start + numbers @ sizes
    solubility = np.exp(network.ln_constants(280.0)[2] + (4 * np.pi / (3 * 0.0562)) ** (1 / 3) / np.cbrt(after[2]))
    assert after[1] == pytest.approx(solubility, rel=1e-6)
    assert after[1] + 2e-3 * after[2] == pytest.approx(all_units, rel=1e-12)


class Cohorts:
    """The population balance written out: each cohort (number, units) at its mean size."""

    def __init__(self, c: Chemistry) -> None:
        self.c, self.names, self.nc = c, list(c.species), c.nanocrystals
        self.index = {name: i for i, name in enumerate(self.names)}
        self.a = c.nanocrystals.capillary_nm * (4 * np.pi / (3 * c.unit_volume_nm3)) ** (1 / 3)

    def slopes(self, celsius: float, c, number, units):
        """Of species and units, and the births."""
        x = (1 / (celsius + 273.15) - 1 / T0) / R_KJ
        nc, d, born, i = self.nc, np.zeros(len(c)), 0.0, self.index
        for s in self.c.running:
            k = 10**s.log10_k0 * np.exp(-s.energy_kj_mol * x)
            if s.gate:
                k /= 1 + 10**s.gate.log10_k0 * np.exp(-s.gate.energy_kj_mol * x)
            rate = k * np.prod([max(c[i[n]], 0.0) ** o for n, o in (s.orders or s.reactants).items()])
            if s.reverse:
                back = 10**s.reverse.log10_c0 * np.exp(-s.reverse.energy_kj_mol * x)
                rate -= k * back * np.prod([c[i[n]] for n in s.products if n != "M"])
            for n, v in s.reactants.items():
                d[i[n]] -= v * rate
            for n, v in s.products.items():
                if n == "NC":
                    born += v * rate
                else:
                    d[i[n]] += v * rate
        n = np.where(number > 0, units / np.maximum(number, 1e-300), nc.seed_units)
        k_g = 10**nc.log10_growth0 * np.exp(-nc.growth_energy_kj_mol * x)
        c_n = 10**nc.log10_solubility0 * np.exp(-nc.solubility_energy_kj_mol * x)
        ln_n = np.log(n)
        grown = (
            number * k_g * np.exp(nc.growth_exponent * ln_n) * (c[i["M"]] - c_n * np.exp(self.a * np.exp(-ln_n / 3)))
        )
        d[i["M"]] -= grown.sum()
        grown[-1] += nc.seed_units * born
        return d, born, grown

    def runge_kutta(self, *legs, width=2e-3):
        """Classical, along legs (path, from s, to s, steps a second).

        The youngest cohort is closed once it has grown by ``width``.
        """
        c, number, units = np.zeros(len(self.names)), np.zeros(1), np.zeros(1)
        c[0] = 1.0
        for path, start, end, per_s in legs:
            steps = int(np.ceil((end - start) * per_s))
            h = (end - start) / max(steps, 1)
            for j in range(steps):
                if number[-1] > 0 and abs(units[-1] / number[-1] / self.nc.seed_units - 1) > width:
                    number, units = np.append(number, 0.0), np.append(units, 0.0)
                slope = total = np.zeros(len(c)), 0.0, np.zeros(len(units))
                for at, weight in ((0.0, 1 / 6), (0.5, 1 / 3), (0.5, 1 / 3), (1.0, 1 / 6)):
                    now = number.copy()
                    now[-1] += at * h * slope[1]
                    there = c + at * h * slope[0], now, units + at * h * slope[2]
                    slope = self.slopes(path.at(start + (j + at) * h), *there)
                    total = tuple(t + weight * s for t, s in zip(total, slope, strict=True))
                c, units = c + h * total[0], units + h * total[2]
                number[-1] += h * total[1]
        return np.array([*c, number.sum(), units.sum()])

    def lsoda(self, paths, edges):
        """A cohort for the births between each two ``edges`` (s, of each path)."""
        c, number, units = np.zeros(len(self.names)), np.zeros(0), np.zeros(0)
        c[0] = 1.0
        for path, times in zip(paths, edges, strict=True):
            for start, end in pairwise(times):
                number, units = np.append(number, 0.0), np.append(units, 0.0)

                def right(t, y, path=path, number=number):
                    m = len(self.names)
                    d, born, grown = self.slopes(path.at(t), y[:m], np.append(number[:-1], y[m]), y[m + 1 :])
                    return np.concatenate([d, [born], grown])

                y = np.concatenate([c, [0.0], units])
                y = solve_ivp(right, (start, end), y, "LSODA", rtol=1e-8, atol=1e-15).y[:, -1]
                c, units = y[: len(c)], y[len(c) + 1 :]
                number[-1] = y[len(c)]
        return np.array([*c, number.sum(), units.sum()])


def ours(c: Chemistry, paths, time_s: float) -> np.ndarray:
    network = ScenarioChemistry(c, GRID)
    species, sizes = network.run(1.0, *paths, [time_s])
    return np.array([*species[0], sizes.sum(), float(sizes[0] @ network.grid_units)])


@pytest.mark.parametrize(
    ("nucleation_c", "growth_c", "hot_per_s"), [(280.0, 280.0, 250), (250.0, 250.0, 200), (330.0, 260.0, 6000)]
)
def test_plug_flow_agrees_with_an_independent_integration(nucleation_c, growth_c, hot_per_s):
    """To 1e-6 is required; 2e-7 is reached, of which the independent one has 3e-8."""
    chamber, coil = ovens(nucleation_c, growth_c, 14.0)
    legs = (chamber, 0.0, chamber.duration_s, hot_per_s), (coil, 0.0, 0.5, hot_per_s), (coil, 0.5, coil.duration_s, 250)
    other = Cohorts(palencia()).runge_kutta(*legs)
    assert ours(palencia(), (chamber, coil), coil.duration_s) == pytest.approx(other, rel=2e-7)


def test_the_ideal_scenario_is_that_integration():
    """Volumes, expansion, heat-up and quench included, through the code path of the records."""
    ideal = load_scenario("ideal")
    at = {"nucleation_temperature": 280.0, "growth_temperature": 270.0, "residence_time": 10.0}
    chamber, coil = ovens(280.0, 270.0, 10.0)
    legs = (chamber, 0.0, chamber.duration_s, 300), (coil, 0.0, 0.5, 300), (coil, 0.5, coil.duration_s, 250)
    other = ideal.precursor.cd_mol_l * Cohorts(palencia()).runge_kutta(*legs)
    found = content_of(ideal, at)
    sizes = found.sizes.sum(), float(found.sizes @ found.grid_units)
    assert np.array([*found.species.values(), *sizes]) == pytest.approx(other, rel=1e-6)
    assert found.cd == pytest.approx(ideal.precursor.cd_mol_l, rel=1e-8)
    assert found.se == pytest.approx(ideal.precursor.se_mol_l, rel=1e-8)


def test_independent_integration_has_converged():
    chamber, coil = ovens(280.0, 280.0, 4.0)
    coarse, fine = (
        Cohorts(palencia()).runge_kutta((chamber, 0.0, chamber.duration_s, n), (coil, 0.0, 3.0, n), width=w)
        for n, w in ((250, 2e-3), (500, 1e-3))
    )
    assert coarse == pytest.approx(fine, rel=3e-8)


@pytest.mark.long
def test_exhausted_monomer_agrees_with_an_independent_integration():
    """350 °C, where nine tenths of the monomer are used up; some clusters are all but gone."""
    paths = ovens(350.0, 350.0, 14.0)
    coil = np.concatenate([np.linspace(0.0, 4.0, 61), np.linspace(4.0, paths[1].duration_s, 6)[1:]])
    other = Cohorts(palencia()).lsoda(paths, (np.linspace(0.0, paths[0].duration_s, 4), coil))
    assert ours(palencia(), paths, paths[1].duration_s) == pytest.approx(other, rel=1e-4, abs=1e-13)


def test_birth_from_monomer_agrees_with_an_independent_integration():
    direct = chemistry(
        {},
        step({"P": 1}, {"M": 1}, 0.1, energy_kj_mol=80.0),
        step({"M": 92}, {"NC": 1}, 3e2, orders={"M": 3}, energy_kj_mol=150.0),
    )
    paths = HOT, WallPath(260.0, 290.0, 25.0, 8.0, 0.15)
    other = Cohorts(direct).runge_kutta((paths[1], 0.0, 8.0, 400))
    assert other[-2] > 1e-4
    assert ours(direct, paths, 8.0) == pytest.approx(other, rel=2e-7)
