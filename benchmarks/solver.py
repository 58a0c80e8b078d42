"""Speed and accuracy of the kinetics solver against scipy's LSODA, and of what the advisor builds on it.

``python benchmarks/solver.py [--quick]``. Both solvers integrate the same draws of the prior at the same conditions
in this process, at a relative tolerance of 1e-6, LSODA with the analytic Jacobian. Judged is CPU time of all
threads together, so that a machine with other work judges alike; on two free cores wall time is half of it. The
last lines are
``name value bar ok|short``; the exit code is 1 when one is short.
"""

import argparse
import subprocess
import sys
import time

import numpy as np
from scipy.integrate import solve_ivp

from msc_plans.advisor import Advisor, SearchSpace
from msc_plans.condition import Condition
from msc_plans.kinetics.palencia import palencia_2020
from msc_plans.kinetics.solver import Reactor, path_of, solve
from msc_plans.kinetics.synthetic import outcome_record

MECHANISM, REACTOR = palencia_2020(), Reactor()
CONDITIONS = SearchSpace.equal_ovens().candidates()
GAS_CONSTANT = 8.314462618e-3


def lsoda(row, condition, rtol):
    """Integrate one set at one condition with vectorised numpy rates and Jacobian."""
    steps = len(MECHANISM.steps)
    stoichiometry, orders = MECHANISM.stoichiometry, MECHANISM.orders
    reactants = np.maximum(MECHANISM.reactants, 0)
    rows = np.arange(steps)

    def factors(y):
        return np.maximum(y, 1e-14)[reactants] ** orders

    def rate(_, y, k):
        return (k * factors(y).prod(axis=1)) @ stoichiometry

    def jacobian(_, y, k):
        slopes = np.zeros((steps, y.size))
        values = k * factors(y).prod(axis=1)
        for slot in range(orders.shape[1]):
            slope = values * orders[:, slot] / np.maximum(y, 1e-14)[reactants[:, slot]]
            np.add.at(slopes, (rows, reactants[:, slot]), slope)
        return stoichiometry.T @ slopes

    y = np.zeros(len(MECHANISM.species))
    y[0] = REACTOR.cadmium_millimolar
    path = path_of(condition, REACTOR)
    for temperature, seconds in (path[:2], path[2:]):
        k = 10 ** row[:steps] * np.exp(-row[steps:] / GAS_CONSTANT * (1 / temperature - 1 / 553.15))
        atol = 1e-3 * rtol * REACTOR.cadmium_millimolar / MECHANISM.error_weights
        found = solve_ivp(rate, (0, seconds), y, "LSODA", args=(k,), jac=jacobian, rtol=rtol, atol=atol)
        y = found.y[:, -1]
    return y


def best_of(times, work):
    """Return the least CPU time of some repetitions, s."""
    found = []
    for _ in range(times):
        start = time.process_time()
        work()
        found.append(time.process_time() - start)
    return min(found)


def advisor_times():
    """Return CPU seconds of the median update to 8 conditions, a suggestion and a plane of 12 × 12 cells."""
    advisor = Advisor(seed=1)
    truth = np.concatenate([MECHANISM.prior_mean, [0.0, 0.0]])
    rng = np.random.default_rng(1)
    updates, suggests = [], []
    for _ in range(8):
        start = time.process_time()
        suggestion = advisor.suggest()[0]
        suggests.append(time.process_time() - start)
        record = outcome_record(MECHANISM, truth, Condition.from_mapping(suggestion), rng)
        start = time.process_time()
        advisor.ingest([{**suggestion, **record}])
        updates.append(time.process_time() - start)
    plane = [Condition(t, t, s) for t in np.linspace(240, 350, 12) for s in np.geomspace(1.5, 14, 12)]
    print("updates, CPU s:", *(f"{one:.2f}" for one in updates))
    return float(np.median(updates)), float(np.median(suggests)), best_of(3, lambda: advisor.predict(plane))


def main():
    """Run and judge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer solves; under 55 s")
    quick = parser.parse_args().quick
    rng = np.random.default_rng(0)
    sets, theirs = (200, 4) if quick else (2000, 20)
    draws = MECHANISM.prior_mean + MECHANISM.prior_sigma * rng.standard_normal((sets, len(MECHANISM)))

    start = time.perf_counter()
    solve(MECHANISM, draws[:1], CONDITIONS[:1], REACTOR)
    print(f"first solve of this process (compiled, or read from the cache): {time.perf_counter() - start:.2f} s")
    command = (
        "import time; t = time.perf_counter(); import numpy as np; from msc_plans.kinetics.solver import *; "
        "from msc_plans.kinetics.palencia import *; from msc_plans.condition import Condition; m = palencia_2020(); "
        "solve(m, m.prior_mean[None], [Condition(280, 280, 14)], Reactor()); print(time.perf_counter() - t)"
    )
    second = float(subprocess.run([sys.executable, "-c", command], capture_output=True, check=True).stdout)
    print(f"a second process, imports and first solve: {second:.2f} s")

    ours = best_of(3, lambda: solve(MECHANISM, draws, CONDITIONS, REACTOR, rtol=1e-6)) / (sets * len(CONDITIONS))
    jobs = [(row, condition) for row in draws[:theirs] for condition in CONDITIONS]
    scipys = best_of(1, lambda: [lsoda(*job, 1e-6) for job in jobs]) / len(jobs)
    print(f"solves per CPU second at 1e-6: ours {1 / ours:.0f}, scipy LSODA {1 / scipys:.0f}")
    loose = best_of(3, lambda: solve(MECHANISM, draws, CONDITIONS, REACTOR, rtol=1e-2)) / (sets * len(CONDITIONS))
    print(f"solves per CPU second at 1e-2, as inference uses: {1 / loose:.0f}")

    found = solve(MECHANISM, draws[:2], CONDITIONS, REACTOR, rtol=1e-6)
    exact = np.array([[lsoda(row, condition, 1e-10) for condition in CONDITIONS] for row in draws[:2]])
    error = float(np.abs((found - exact) * MECHANISM.error_weights).max() / REACTOR.cadmium_millimolar)
    update, suggest, plane = advisor_times()

    lines = [
        ("solver_speedup", scipys / ours, 100.0, scipys / ours >= 100),
        ("solver_error_at_1e-6", error, 1e-6, error <= 1e-6),
        ("update_median_cpu_s", update, 3.0, update <= 3),
        ("suggest_cpu_s", suggest, 1.0, suggest <= 1),
        ("predict_144_cells_cpu_s", plane, 2.0, plane <= 2),
    ]
    for name, value, bar, good in lines:
        print(f"{name} {value:.3g} {bar:g} {'ok' if good else 'short'}")
    return 0 if all(good for *_, good in lines) else 1


if __name__ == "__main__":
    sys.exit(main())
