"""The compiled solver against scipy's LSODA, and its order of convergence."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from msc_plans.condition import Condition
from msc_plans.kinetics.mechanism import Constant, Mechanism, Prior, Step
from msc_plans.kinetics.mechanism_file import mechanisms
from msc_plans.kinetics.solver import FlowModel, path_of, solve, solve_paths

UNION = mechanisms()["union"]
GAS_CONSTANT = 8.314462618e-3
CONDITIONS = [Condition(240, 240, 14), Condition(280, 230, 1.5), Condition(300, 300, 14), Condition(350, 350, 7.6)]


def lsoda(mechanism, row, condition, reactor, rtol):
    """Integrate with scipy from the steps as they are given, with the nanocrystals' moments written out."""
    names, crystals = list(mechanism.names), mechanism.nanocrystals
    size = crystals.units ** (1 / 3)

    def slope(_, y, k):
        c = dict(zip(names, y, strict=True))
        change = dict.fromkeys(names, 0.0)
        for constant, step in zip(k, mechanism.steps, strict=False):
            rate = constant * np.prod([c[name] for name in step.rate])
            for name, amount in step.consumes.items():
                change[name] -= amount * rate
            for name, amount in step.makes.items():
                if name == "NC":
                    for j in range(4):
                        change[f"NC x{j}"] += amount * rate * size**j
                else:
                    change[name] += amount * rate
        growth, dissolution = k[-2] * c["M"] / 3, k[-1]
        for j in range(4):
            change[f"NC x{j}"] -= dissolution * c[f"NC x{j}"]
            if j:
                change[f"NC x{j}"] += j * growth * c[f"NC x{j - 1}"]
        change["M"] += dissolution * c["NC x3"] - 3 * growth * c["NC x2"]
        return [change[name] for name in names]

    y = np.zeros(len(names))
    y[0] = reactor.cadmium_millimolar
    path, half = path_of(condition, reactor), len(row) // 2
    for temperature, time in (path[:2], path[2:]):
        k = 10 ** row[:half] * np.exp(-row[half:] / GAS_CONSTANT * (1 / temperature - 1 / 553.15))
        found = solve_ivp(slope, (0, time), y, method="LSODA", rtol=rtol, atol=1e-14, args=(k,))
        assert found.success
        y = found.y[:, -1]
    return y


def prior_draws(mechanism, number, seed=0):
    rng = np.random.default_rng(seed)
    mean, sigma = (np.array([getattr(prior, name) for prior in mechanism.priors]) for name in ("mean", "sigma"))
    return mean + sigma * rng.standard_normal((number, len(mean)))


@pytest.mark.parametrize(("rtol", "allowed"), [(1e-2, 3e-3), (1e-4, 3e-5), (1e-6, 3e-7)])
def test_the_tolerance_is_kept_against_lsoda_at_1e_10(rtol, allowed):
    mechanism, reactor = UNION, FlowModel()
    draws = prior_draws(mechanism, 4)
    ours = solve(mechanism, draws, CONDITIONS, reactor, rtol=rtol)
    for number, row in enumerate(draws):
        for column, condition in enumerate(CONDITIONS):
            exact = lsoda(mechanism, row, condition, reactor, 1e-10)
            error = np.abs(ours[number, column] - exact) * mechanism.error_weights
            assert error.max() < allowed * reactor.cadmium_millimolar


def test_the_order_of_convergence_is_four():
    mechanism, reactor = UNION, FlowModel()
    row = prior_draws(mechanism, 1)
    paths = np.array([path_of(Condition(280, 280, 0.5), reactor)])
    start = np.full(len(mechanism.names), 1e-2)
    exact = solve_paths(mechanism, row, paths, start, rtol=1e-12)
    errors = [
        np.abs(solve_paths(mechanism, row, paths, start, fixed_steps=steps) - exact).max() for steps in (16, 32, 64)
    ]
    orders = np.log2(np.array(errors[:-1]) / errors[1:])
    assert orders == pytest.approx([4.0, 4.0], abs=0.1)


def test_bateman_chain_to_the_closed_form():
    first, second = (Constant(Prior(k, 1.0, "test"), Prior(50.0, 1.0, "test")) for k in (0.0, -0.5))
    steps = (Step("first", {"A": 1}, {"B": 1}, ("A",), first), Step("second", {"B": 1}, {"C": 1}, ("B",), second))
    mechanism = Mechanism("A to B to C", "", {"A": 1, "B": 1, "C": 1}, steps)
    reactor = FlowModel(density_slope=0.0)
    found = solve(mechanism, np.array([[0.0, -0.5, 50.0, 50.0]]), [Condition(280, 280, 2.0)], reactor, rtol=1e-9)[0, 0]
    a, b, t = 1.0, 10**-0.5, 2.0
    expected = 10 * np.array([np.exp(-a * t), a / (b - a) * (np.exp(-a * t) - np.exp(-b * t)), 0.0])
    expected[2] = 10 - expected[:2].sum()
    assert found == pytest.approx(expected, rel=1e-7)


def test_the_units_balance_for_draws_of_the_prior():
    mechanism = UNION
    found = solve(mechanism, prior_draws(mechanism, 200), CONDITIONS, FlowModel(), rtol=1e-2)
    assert np.isfinite(found).all()
    assert found @ mechanism.contents == pytest.approx(np.full((200, 4), 10.0), abs=1e-9)


def test_a_call_of_many_equals_many_calls():
    mechanism = UNION
    draws = prior_draws(mechanism, 100)
    together = solve(mechanism, draws, CONDITIONS, FlowModel())
    alone = np.stack([solve(mechanism, row[None], [one], FlowModel())[0, 0] for row in draws[:5] for one in CONDITIONS])
    assert np.array_equal(together[:5].reshape(20, -1), alone)


def test_wrong_shapes_and_tolerances_are_refused_by_name():
    mechanism = UNION
    with pytest.raises(ValueError, match=r"parameters must have the shape \(sets, 36\), not \(3, 7\)"):
        solve(mechanism, np.zeros((3, 7)), CONDITIONS, FlowModel())
    with pytest.raises(ValueError, match="rtol must be above 0, not 0"):
        solve(mechanism, prior_draws(mechanism, 1), CONDITIONS, FlowModel(), rtol=0)
    with pytest.raises(ValueError, match=r"chamber_fraction must be between 0 and 1, not 1\.5"):
        FlowModel(chamber_fraction=1.5)
