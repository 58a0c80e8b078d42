"""How fast twin and soft IOC are: `name value bar ok|short` a line, exit 1 when one is short.

twin_speed_ratio    simulated seconds per second of a soft IOC that serves all records to a client which takes a
                    spectrum and a SAXS frame as soon as it has the last (higher is better)
get_ms_100x         median time of a get over Channel Access while the twin runs at 100x (lower is better)
idle_percent_1x     share of a core that the IOC takes at 1x with no client (lower is better)
measure_ms          median time of one `bench.measure`, spectrum and frame (lower is better)
"""

import argparse
import os
import statistics
import sys
import time

import psutil
from _ending import conclude
from caproto.threading.client import Context

from ioc_sim.bench import measure
from ioc_sim.physics.scenario_file import load_scenario
from msc_plans.session.simulator import Simulator, use_loopback


class Client:
    """Plain Channel Access, on one soft IOC."""

    def __init__(self, simulator: Simulator) -> None:
        os.environ.update(use_loopback(simulator.port))
        self._context = Context()
        self._known: dict = {}

    def _record(self, name: str):
        if name not in self._known:
            (self._known[name],) = self._context.get_pvs(f"MSC:{name}")
            self._known[name].wait_for_connection(timeout=20)
        return self._known[name]

    def get(self, name: str):
        return self._record(name).read().data[0]

    def put(self, name: str, value, timeout: float = 20.0) -> None:
        self._record(name).write([value], wait=True, timeout=timeout)

    def run_mixture(self) -> None:
        for oven in ("Nucleation", "Growth"):
            self.put(f"Oven:{oven}:LOOP1:SP", 280.0)
        for pump in ("Cd", "Se"):
            self.put(f"Pump:{pump}:IRATE", 539.0)
            self.put(f"Pump:{pump}:IRUN", 1)
        self.put("Reactor:Valve", 0)
        self.put("Saxs:Shutter", 1)

    def spectrum(self) -> None:
        self.put("Spec:COLLECT", 1)
        while self.get("Spec:COLLECT_RBV") != 0:
            time.sleep(0.002)

    def frame(self) -> None:
        self.put("Saxs:cam1:Acquire", 1)

    def close(self) -> None:
        self._context.disconnect()


def speed_ratio(wall_s: float) -> tuple[float, int]:
    """Simulated seconds per second, and how many spectra and frames were taken in that time."""
    with Simulator(time_scale=1e5) as simulator:
        client = Client(simulator)
        client.run_mixture()
        client.spectrum()
        client.frame()
        start, clock, taken = time.perf_counter(), client.get("Sim:Clock"), 0
        while time.perf_counter() - start < wall_s:
            client.spectrum()
            client.frame()
            taken += 1
        ratio = (client.get("Sim:Clock") - clock) / (time.perf_counter() - start)
        client.close()
    return ratio, taken


def get_ms(gets: int) -> float:
    with Simulator(time_scale=100.0) as simulator:
        client = Client(simulator)
        client.run_mixture()
        client.get("Oven:Growth:LOOP1:PV:RBV")
        times = []
        for _ in range(gets):
            start = time.perf_counter()
            client.get("Oven:Growth:LOOP1:PV:RBV")
            times.append(1e3 * (time.perf_counter() - start))
            time.sleep(0.002)
        client.close()
    return statistics.median(times)


def idle_percent(wall_s: float) -> float:
    with Simulator(time_scale=1.0) as simulator:
        process = psutil.Process(simulator.pid)
        time.sleep(1.0)
        before, start = sum(process.cpu_times()[:2]), time.perf_counter()
        time.sleep(wall_s)
        return 100.0 * (sum(process.cpu_times()[:2]) - before) / (time.perf_counter() - start)


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
    parser = argparse.ArgumentParser(description="speed of the twin and its soft IOC")
    parser.add_argument("--quick", action="store_true", help="half a minute")
    quick = parser.parse_args().quick
    ratio, taken = speed_ratio(5.0 if quick else 30.0)
    print(f"with {taken} spectra and {taken} frames")
    results = [
        ("twin_speed_ratio", ratio, 200.0, True),
        ("get_ms_100x", get_ms(300 if quick else 3000), 5.0, False),
        ("idle_percent_1x", idle_percent(8.0 if quick else 60.0), 10.0, False),
        ("measure_ms", measure_ms(30 if quick else 300), 50.0, False),
    ]
    return conclude(results)


if __name__ == "__main__":
    sys.exit(main())
