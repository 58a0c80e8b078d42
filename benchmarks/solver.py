"""Speed and accuracy of the kinetics solver against scipy's LSODA.

``python benchmarks/solver.py [--quick]``. Both integrate draws of the prior of the union mechanism (11 species, 18 rate
constants) at the same conditions in this process, LSODA with the analytic Jacobian. Each is given the loosest tolerance
at which 95 % of the results are within 1e-6 of the feed of the truth (LSODA at 1e-11), and is timed at that. Judged is
CPU time of all threads together, so that a machine with other work judges alike; on two free cores wall time is half of
it. The last lines are ``name value bar ok|short``; the exit code is 1 when one is short.
"""

import argparse
import subprocess
import sys
import time
from collections.abc import Callable

import numpy as np
from _ending import conclude
from scipy.integrate import solve_ivp

from msc_plans.advisor import SearchSpace
from msc_plans.condition import Condition
from msc_plans.kinetics.mechanism_file import mechanisms
from msc_plans.kinetics.solver import ABSOLUTE, FlowModel, path_of, solve

MECHANISM, REACTOR = mechanisms()["union"], FlowModel()
CONDITIONS = [
    *SearchSpace.equal_ovens().candidates()[::2],
    *(Condition(300, 300 - d, t) for d in (30, 60) for t in (1.5, 4.5)),
]
GAS_CONSTANT = 8.314462618e-3
WANTED = 1e-6
TERMS = MECHANISM.terms
FACTORS = np.array([[*term.factors, *[len(MECHANISM.names)] * (3 - len(term.factors))] for term in TERMS])
CONSTANT = np.array([term.constant for term in TERMS])
STOICHIOMETRY = np.zeros((len(TERMS), len(MECHANISM.names)))
for _number, _term in enumerate(TERMS):
    for _species, _amount in _term.changes:
        STOICHIOMETRY[_number, _species] += _amount


def lsoda(row: np.ndarray, condition: Condition, rtol: float) -> np.ndarray:
    """Integrate one set at one condition with vectorised numpy rates and Jacobian; mmol/L at the end."""
    half = len(row) // 2
    rows = np.arange(len(TERMS))

    def factors(y: np.ndarray) -> np.ndarray:
        return np.append(y, 1.0)[FACTORS]

    def rate(_: float, y: np.ndarray, k: np.ndarray) -> np.ndarray:
        return (k * factors(y).prod(axis=1)) @ STOICHIOMETRY

    def jacobian(_: float, y: np.ndarray, k: np.ndarray) -> np.ndarray:
        a, b, c = factors(y).T
        slopes = np.zeros((len(TERMS), len(y) + 1))
        for slot, others in enumerate((b * c, a * c, a * b)):
            np.add.at(slopes, (rows, FACTORS[:, slot]), k * others)
        return STOICHIOMETRY.T @ slopes[:, :-1]

    y = np.zeros(len(MECHANISM.names))
    y[0] = REACTOR.cadmium_millimolar
    path = path_of(condition, REACTOR)
    atol = ABSOLUTE * rtol * REACTOR.cadmium_millimolar / MECHANISM.error_weights
    for temperature, seconds in (path[:2], path[2:]):
        constants = 10 ** row[:half] * np.exp(-row[half:] / GAS_CONSTANT * (1 / temperature - 1 / 553.15))
        k = constants[CONSTANT]
        found = solve_ivp(rate, (0, seconds), y, "LSODA", args=(k,), jac=jacobian, rtol=rtol, atol=atol)
        y = found.y[:, -1]
    return y


def cpu_of(work: Callable[[], object], times: int = 1) -> float:
    """Return the least CPU time of some repetitions, s."""
    found = []
    for _ in range(times):
        start = time.process_time()
        work()
        found.append(time.process_time() - start)
    return min(found)


def loosest(errors_at: Callable[[float], np.ndarray]) -> tuple[float, float]:
    """Return the loosest tolerance at which 95 % of the errors are wanted ones, and that error."""
    for rtol in 10 ** np.arange(-4.0, -10.0, -0.25):
        error = float(np.percentile(errors_at(float(rtol)), 95))
        if error <= WANTED:
            return float(rtol), error
    raise SystemExit("no tolerance reaches the error that is wanted")


def main() -> int:
    """Run and judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer solves: under a minute")
    quick = parser.parse_args().quick
    rng = np.random.default_rng(0)
    mean, sigma = (np.array([getattr(one, name) for one in MECHANISM.priors]) for name in ("mean", "sigma"))
    draws = mean + sigma * rng.standard_normal((400 if quick else 2000, len(mean)))
    exact_of = draws[: 6 if quick else 20]

    start = time.perf_counter()
    solve(MECHANISM, draws[:1], CONDITIONS[:1], REACTOR)
    print(f"first solve of this process (compiled, or read from the cache): {time.perf_counter() - start:.2f} s")
    command = (
        "import time; t = time.perf_counter(); import numpy as np; from msc_plans.kinetics.solver import *; "
        "from msc_plans.kinetics.mechanism_file import mechanisms; from msc_plans.condition import Condition; "
        "m = mechanisms()['union']; row = np.array([[p.mean for p in m.priors]]); "
        "solve(m, row, [Condition(280, 280, 14)], Reactor()); print(time.perf_counter() - t)"
    )
    second = float(subprocess.run([sys.executable, "-c", command], capture_output=True, check=True).stdout)
    print(f"a second process, imports and first solve: {second:.2f} s")

    truth = np.array([[lsoda(row, condition, 1e-11) for condition in CONDITIONS] for row in exact_of])

    def errors(found: np.ndarray) -> np.ndarray:
        return np.abs((found - truth) * MECHANISM.error_weights).max(axis=-1) / REACTOR.cadmium_millimolar

    def theirs_at(rtol: float) -> np.ndarray:
        return np.array([[lsoda(row, condition, rtol) for condition in CONDITIONS] for row in exact_of])

    ours_rtol, ours_error = loosest(lambda rtol: errors(solve(MECHANISM, exact_of, CONDITIONS, REACTOR, rtol=rtol)))
    their_rtol, their_error = loosest(lambda rtol: errors(theirs_at(rtol)))
    count = len(draws) * len(CONDITIONS)
    ours = cpu_of(lambda: solve(MECHANISM, draws, CONDITIONS, REACTOR, rtol=ours_rtol), 3) / count
    began = time.perf_counter()
    solve(MECHANISM, draws, CONDITIONS, REACTOR, rtol=ours_rtol)
    wall = (time.perf_counter() - began) / count
    theirs = cpu_of(lambda: theirs_at(their_rtol), 1 if quick else 2) / truth[..., 0].size
    loose = cpu_of(lambda: solve(MECHANISM, draws, CONDITIONS, REACTOR, rtol=1e-2), 3) / count
    strict = errors(solve(MECHANISM, exact_of, CONDITIONS, REACTOR, rtol=1e-7)).max()
    for name, rtol, error, cost in (("ours", ours_rtol, ours_error, ours), ("LSODA", their_rtol, their_error, theirs)):
        print(f"{name}: rtol {rtol:.1e}, error {error:.1e} (95 % of {truth[..., 0].size}), {1 / cost:.0f} a CPU second")
    print(f"ours: {1 / wall:.0f} a second on this machine; {1 / loose:.0f} a CPU second at 1e-2, as inference uses")
    lines = [
        ("solver_times_faster", theirs / ours, 100.0, True),
        ("solver_worst_error_at_1e-7", strict, 1e-6, False),
        ("second_process_s", second, 1.0, False),
    ]
    return conclude(lines)


if __name__ == "__main__":
    sys.exit(main())
