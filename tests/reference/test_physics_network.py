"""The network against Bateman's solution, an independent integration and conservation of CdSe units."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from ioc_sim.physics.effluent import Chemist
from ioc_sim.physics.flow import steady_journey
from ioc_sim.physics.network import Network, WallPath
from ioc_sim.physics.scenario import Chemistry, load_scenario

R_KJ, T0 = 8.314462618e-3, 553.15
HOT = WallPath(280.0, 280.0, 280.0, 1.0, 0.0)


def bateman(k1: float, k2: float) -> Chemistry:
    step = {"energy_kj_mol": 80.0}
    return Chemistry.model_validate(
        {
            "reference_temperature_c": 280.0,
            "unit_volume_nm3": 0.0562,
            "species": {"P": 1, "M": 1, "A": 1},
            "steps": [
                {"reactants": {"P": 1}, "products": {"M": 1}, "log10_k0": np.log10(k1), **step},
                {"reactants": {"M": 1}, "products": {"A": 1}, "log10_k0": np.log10(k2), **step},
            ],
            "nanocrystals": {
                "seed_units": 92, "growth_exponent": 0.5, "log10_growth0": 0, "growth_energy_kj_mol": 50,
                "log10_solubility0": -5, "solubility_energy_kj_mol": 50, "capillary_nm": 1,
                "relative_dispersion": 0.05,
            },
        }
    )  # fmt: skip


def test_bateman_chain():
    k1, k2, t = 0.7, 0.2, np.array([0.5, 2.0, 10.0])
    network = Network(bateman(k1, k2))
    y = network.integrate(network.initial(1.0), HOT, t, rtol=1e-10, atol=1e-14)
    b = k1 / (k2 - k1) * (np.exp(-k1 * t) - np.exp(-k2 * t))
    assert y[:, 0] == pytest.approx(np.exp(-k1 * t), rel=1e-8)
    assert y[:, 1] == pytest.approx(b, rel=1e-8)
    assert y[:, 2] == pytest.approx(1 - np.exp(-k1 * t) - b, rel=1e-8)


def test_rates_follow_arrhenius():
    network = Network(bateman(0.7, 0.2))
    ratio = np.exp(network.ln_constants(310.0)[0] - network.ln_constants(280.0)[0])
    assert ratio == pytest.approx(np.exp(-80.0 / R_KJ * (1 / 583.15 - 1 / T0)), rel=1e-5)


def by_hand(scenario, temperature_c: float, lag_s: float):
    """The same equations written out, from the scenario's tables, in another integrator."""
    c = scenario.chemistry
    names = [*c.species, "N", "Q", "S"]
    factor = 1 / R_KJ
    nc = c.nanocrystals
    cap = nc.capillary_nm / (3 * c.unit_volume_nm3 / (4 * np.pi)) ** (1 / 3)

    def right(t, y):
        kelvin = temperature_c + (25.0 - temperature_c) * np.exp(-t / lag_s) + 273.15
        x = factor * (1 / kelvin - 1 / T0)
        v = dict(zip(names, np.maximum(y, 0.0), strict=True))
        d = dict.fromkeys(names, 0.0)
        n = v["Q"] / v["N"] if v["N"] > 1e-25 else nc.seed_units
        for step in c.steps:
            rate = 10**step.log10_k0 * np.exp(-step.energy_kj_mol * x)
            forward = rate * np.prod([v[s] ** o for s, o in (step.orders or step.reactants).items()])
            if step.reverse is not None:
                saturation = 10**step.reverse.log10_c0 * np.exp(-step.reverse.energy_kj_mol * x)
                forward -= rate * saturation * np.prod([v[s] for s in step.products if s != "M"])
            for s, a in step.reactants.items():
                d[s] -= a * forward
            for s, a in step.products.items():
                if s == "NC":
                    d["N"] += forward
                    d["Q"] += nc.seed_units * forward
                    d["S"] += forward * (nc.seed_units - n) ** 2
                else:
                    d[s] += a * forward

        def speed(m):
            solubility = 10**nc.log10_solubility0 * np.exp(-nc.solubility_energy_kj_mol * x)
            k_g = 10**nc.log10_growth0 * np.exp(-nc.growth_energy_kj_mol * x)
            return k_g * m**nc.growth_exponent * (v["M"] - solubility * np.exp(cap / m ** (1 / 3)))

        d["Q"] += v["N"] * speed(n)
        d["M"] -= v["N"] * speed(n)
        d["S"] += 2 * v["S"] * (speed(n * (1 + 1e-5)) - speed(n * (1 - 1e-5))) / (2e-5 * n)
        return [d[s] for s in names]

    return right


@pytest.mark.parametrize(("temperature_c", "time_s"), [(250.0, 10.0), (280.0, 3.5), (350.0, 5.0)])
def test_plug_flow_limit_agrees_with_an_independent_integration(temperature_c, time_s):
    scenario = load_scenario("ideal")
    lag_s = scenario.plumbing.heat_up_90_s / np.log(10)
    network = Network(scenario.chemistry)
    path = WallPath(temperature_c, temperature_c, 25.0, 1.0, lag_s)
    ours = network.integrate(network.initial(1.0), path, np.array([time_s]), rtol=1e-9, atol=1e-14)[0]
    start = network.initial(1.0)
    other = solve_ivp(by_hand(scenario, temperature_c, lag_s), (0, time_s), start, "LSODA", rtol=1e-9, atol=1e-14)
    assert ours == pytest.approx(other.y[:, -1], rel=1e-6, abs=1e-9)


def test_ideal_reactor_is_a_batch_of_its_mean_time():
    """Equal ovens, plug flow: the outlet is one batch of chamber + coil time."""
    scenario = load_scenario("ideal")
    chemist = Chemist(scenario, np.linspace(300.0, 700.0, 5))
    journey = steady_journey(scenario.plumbing, 280.0, 280.0, 14.0, 1)
    lag_s = scenario.plumbing.heat_up_90_s / np.log(10)
    path = WallPath(280.0, 280.0, 25.0, 1.0, lag_s)
    total_s = np.array([journey.chamber_s + journey.coil_s])
    network = chemist.network
    batch = network.integrate(network.initial(1.0), path, total_s, rtol=1e-10, atol=1e-15)[0]
    assert chemist.effluent(journey).state[:-1] == pytest.approx(batch[:-1], rel=2e-5, abs=1e-9)
    assert total_s[0] == pytest.approx(14.0 * scenario.plumbing.density_ratio(280.0))


@pytest.mark.parametrize("nucleation_c", [200.0, 280.0, 350.0])
@pytest.mark.parametrize("growth_c", [180.0, 300.0])
@pytest.mark.parametrize("residence_s", [1.5, 14.0, 60.0])
def test_cdse_units_are_conserved(nucleation_c, growth_c, residence_s):
    scenario = load_scenario("palencia2020")
    chemist = Chemist(scenario, np.linspace(300.0, 700.0, 5))
    journey = steady_journey(scenario.plumbing, nucleation_c, growth_c, residence_s, len(chemist.theta))
    effluent = chemist.effluent(journey)
    assert chemist.network.total_units(effluent.state) == pytest.approx(1.0, rel=1e-8)
    # the sizes that make the spectrum hold the same number and mass as the moments
    state, network = effluent.state, chemist.network
    assert effluent.sizes.sum() == pytest.approx(state[network.n], rel=1e-6, abs=1e-13)
    mass = effluent.sizes @ chemist.absorption.grid_units
    assert mass == pytest.approx(state[network.q], rel=1e-3, abs=1e-11)


def test_jacobian_is_the_derivative():
    network = Network(load_scenario("palencia2020").chemistry)
    y = 1e-2 * np.random.default_rng(0).random(network.size)
    y[network.q] = 150 * y[network.n]
    k, h = network.ln_constants(290.0), 1e-7
    steps = [(network.derivative(y + e, k) - network.derivative(y - e, k)) / (2 * h) for e in h * np.eye(len(y))]
    numeric, analytic = np.array(steps).T, network.jacobian(y, k)
    assert analytic[:-1] == pytest.approx(numeric[:-1], rel=1e-6, abs=1e-6 * np.abs(numeric).max())


def test_width_is_that_of_nanocrystals_born_at_different_times():
    """Without growth all stay seeds; a pulse of births stays narrow; continuous births spread."""
    scenario = load_scenario("ideal")
    network = Network(scenario.chemistry)
    y = network.integrate(network.initial(1.0), HOT, np.array([2.0, 10.0]), rtol=1e-9, atol=1e-15)
    variance = y[:, network.s] / y[:, network.n]
    assert variance[1] > variance[0] > 0
