"""How fast the twin is: `name value bar ok|short` a line, exit 1 when one is short.

twin_speed_ratio  simulated seconds per second, with a spectrum every 20 simulated seconds (higher is better)
twin_idle_percent share of a core that a twin at rest takes at real time (lower is better)
measure_ms        median time of one `bench.measure` (lower is better)
"""

import argparse
import statistics
import sys
import time

from ioc_sim.bench import measure
from ioc_sim.physics.scenario import load_scenario
from ioc_sim.physics.twin import Twin


def _running() -> Twin:
    twin = Twin(load_scenario("palencia2020"))
    for oven in twin.ovens.values():
        oven.setpoint_c = 280.0
    for name in ("Cd", "Se"):
        twin.pumps[name].target_rate_ul_min = 539.0
        twin.pumps[name].infuse()
    twin.valve = "Mixture"
    return twin


def speed_ratio(simulated_s: float) -> float:
    twin = _running()
    twin.spectrum_counts(100.0)
    start = time.perf_counter()
    for _ in range(int(simulated_s / 20)):
        twin.advance(20.0)
        twin.spectrum_counts(100.0)
    return simulated_s / (time.perf_counter() - start)


def idle_percent(simulated_s: float) -> float:
    twin = Twin(load_scenario("palencia2020"))
    start = time.process_time()
    twin.advance(simulated_s)
    return 100.0 * (time.process_time() - start) / simulated_s


def measure_ms(repeats: int) -> float:
    scenario, times = load_scenario("palencia2020"), []
    for i in range(repeats + 1):
        temperature = 250.0 + 100.0 * i / repeats
        condition = {
            "nucleation_temperature": temperature,
            "growth_temperature": temperature,
            "residence_time": 14.0,
        }
        start = time.perf_counter()
        measure(scenario, condition, i, 100.0)
        times.append(1e3 * (time.perf_counter() - start))
    return statistics.median(times[1:])


def main() -> int:
    parser = argparse.ArgumentParser(description="speed of the twin")
    parser.add_argument("--quick", action="store_true", help="a few seconds")
    quick = parser.parse_args().quick
    results = [
        ("twin_speed_ratio", speed_ratio(2000.0 if quick else 20000.0), 200.0, True),
        ("twin_idle_percent", idle_percent(2000.0 if quick else 20000.0), 1.0, False),
        ("measure_ms", measure_ms(20 if quick else 200), 50.0, False),
    ]
    short = False
    for name, value, bar, higher in results:
        good = value >= bar if higher else value <= bar
        short |= not good
        print(f"{name} {value:.3g} {bar:g} {'ok' if good else 'short'}")
    return int(short)


if __name__ == "__main__":
    sys.exit(main())
