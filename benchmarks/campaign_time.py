"""How long the grid of Fig. 1 takes beside what the hardware would: ``python benchmarks/campaign_time.py [--quick]``.

The twin's time from the first condition's being reached to the end of the last exposure, over a lower bound: oven
travel along the cheapest order at full ramp (both ways, though air cools more slowly), one front through the swept
volume at each condition, and the exposures; nothing overlapping. It is measured at three time scales with a session as
the profile makes it (RunEngine, devices, live analysis, Tiled), and extrapolated to 1×: software takes wall time, which
counts as many of the twin's seconds as the scale says, so the twin's time is a straight line over the scale. Its slope
is the overhead of a condition: RunEngine, devices, callbacks, and the waiting for the IOC's ticks.

``steady`` is how well conditions were reached: the spectrum at arrival less that after four more minutes of flow, in σ
of their noise, median over pixels of the worst condition; 1 is nothing but noise. ``analysis_ms`` is what live analysis
takes of the RunEngine's thread for each document. The last lines read ``name value bar ok|short``; the exit status is 1
if any is short.
"""

import argparse
import asyncio
import io
import itertools
import os
import sys
import tempfile
import time
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

from _ending import conclude

os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")

import numpy as np

from msc_plans.condition import Condition
from msc_plans.plans.schedule import Pace, cheapest_order
from msc_plans.session.simulator import Simulator

RESIDENCE_S = 14.0
SPECTRUM_S = 0.5
STEADY_S = 240.0
HEATING_SCALE = 500.0


def grid(quick: bool) -> list[Condition]:
    """The conditions of Fig. 1: row by row, growth temperature falling."""
    rows, offsets = (range(270, 300, 10), range(0, 20, 10)) if quick else (range(260, 351, 10), range(0, 100, 10))
    return [Condition(float(row), float(row - offset), RESIDENCE_S) for row in rows for offset in offsets]


def bound_s(conditions: list[Condition]) -> float:
    """The lower bound, from the first condition's exposure on."""
    pace = Pace(cooling_s=1e-3)
    ordered = [conditions[number] for number in cheapest_order(conditions, pace)]
    travel = sum(pace.travel_s(a, b) for a, b in itertools.pairwise(ordered))
    front = 60.0 * (pace.heated_ul + pace.behind_ul) / pace.flow_ul_min(ordered[0])
    return travel + (len(ordered) - 1) * front + len(ordered) * SPECTRUM_S


class Bench:
    """A session on the simulated reactor whose time scale is changed as it goes."""

    def __init__(self, session: Any) -> None:
        from ophyd import EpicsSignal

        self.session = session
        self.reactor, self.spectrometer, self.clock = session.reactor, session.spectrometer, session.reactor.clock
        self._scale = EpicsSignal("MSC:Sim:TimeScale", name="time_scale", put_complete=True)
        self._scale.wait_for_connection(timeout=20)

    def run(self, ordered: list[Condition], scale: float) -> tuple[float, float]:
        """Measure conditions in this order; return seconds of the twin and of wall time."""
        from msc_plans.plan_stubs import reach
        from msc_plans.plans import bring_up
        from msc_plans.plans.measure import RunMetadata
        from msc_plans.plans.series import series

        first, times = ordered[0], []

        def plan() -> Any:
            self._scale.put(HEATING_SCALE, wait=True)
            temperatures = first.nucleation_temperature, first.growth_temperature
            yield from bring_up(self.reactor, self.spectrometer, *temperatures)
            yield from reach(self.reactor, first)
            self._scale.put(scale, wait=True)
            times.append((self.clock(), time.perf_counter()))
            yield from series(
                self.reactor, self.spectrometer, ordered, RunMetadata("benchmark"), order="given", refills="draw"
            )
            times.append((self.clock(), time.perf_counter()))

        with redirect_stdout(io.StringIO()):
            self.session.RE(plan())
        (clock, wall), (clock_end, wall_end) = times
        return clock_end - clock, wall_end - wall

    def steadiness(self, conditions: list[Condition]) -> float:
        """Worst over conditions of the median |difference| between arrival and steady state, in its noise."""
        import bluesky.plan_stubs as bps

        from msc_plans.plan_stubs import collect, reach

        spectra: list[np.ndarray] = []

        async def flow_on() -> None:
            end = self.clock() + STEADY_S
            while self.clock() < end:
                await asyncio.sleep(0.02)

        def plan() -> Any:
            for one in conditions:
                yield from reach(self.reactor, one)
                for _ in range(2):
                    yield from collect(self.spectrometer, "Corrected Sample")
                    spectra.append(np.asarray(self.spectrometer.counts.get()))
                    yield from bps.wait_for([flow_on])

        self.session.RE(plan())
        dark = np.asarray(self.spectrometer.calibration.dark.get())
        worst = 0.0
        for arrived, settled in zip(spectra[::2], spectra[1::2], strict=True):
            use = settled - dark > 2000
            # shot noise of both: five spectra averaged, 1.2 electrons a count; the lamp drifts as a whole
            noise = np.sqrt((arrived + settled)[use] / 5.0 / 1.2)
            difference = (arrived / np.median(arrived[use] / settled[use]) - settled)[use]
            worst = max(worst, float(np.median(np.abs(difference) / noise)) / 0.6745)
        return worst


def time_analysis() -> list[float]:
    """Return a list that fills with the seconds for which live analysis holds its caller, document by document."""
    from msc_plans.callbacks.threaded import Threaded

    hand_over, seconds = Threaded.__call__, []

    def timed(self: Threaded, name: str, document: dict[str, Any]) -> None:
        began = time.perf_counter()
        hand_over(self, name, document)
        seconds.append(time.perf_counter() - began)

    Threaded.__call__ = timed
    return seconds


def measure(conditions: list[Condition], scales: tuple[float, ...], quick: bool, bound: float) -> list[Any]:
    """Run everything on one session; returns the figures."""
    from msc_plans.session.session import open_session
    from msc_plans.settings import SaxsSettings, Settings

    analysis_s = time_analysis()
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder)
        settings = Settings(
            store=store, saxs=SaxsSettings(use=False), tiled_uri="", suspenders=[], heartbeat_timeout_s=0.0
        )
        session = open_session(settings)
        try:
            bench = Bench(session)
            ordered = [conditions[number] for number in cheapest_order(conditions, Pace.of(session.reactor))]
            took = []
            for scale in scales:
                # what is stored late would be paid for by the next part
                session._writer.flush(timeout=600.0)
                seconds, wall = bench.run(ordered, scale)
                took.append(seconds)
                share = f"{seconds / bound:.3f} of the bound"
                print(f"{scale:4g}×: {seconds:.0f} s of the twin's, {share}; {wall:.0f} s of wall time", flush=True)
            slope, at_zero = np.polyfit(scales, took, 1)
            naive = bench.run(conditions, scales[-1])[0] - slope * scales[-1]
            at_one = at_zero + slope
            print(f"extrapolated to 1×: {at_one:.0f} s; naive order {naive:.0f} s, {naive / bound:.2f} of the bound")
            middle, mean = (1e3 * float(f(analysis_s)) for f in (np.median, np.mean))
            print(f"a document holds the RunEngine's thread {middle:.3f} ms (median), {mean:.3f} ms (mean)")
            figures = [
                ("ratio", at_one / bound, 1.15),
                ("overhead_ms", 1e3 * slope / len(conditions), 150.0),
                ("analysis_ms", 1e3 * float(np.quantile(analysis_s, 0.99)), 0.5),
            ]
            if not quick:
                figures.append(("steady", bench.steadiness(ordered[:: len(ordered) // 5]), 1.25))
            # how the store catches up is told by reliability.py
            session._writer.close(timeout=0.0)
            return figures
        finally:
            session.close()


def main() -> int:
    """Run and print; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a grid of 3 × 2")
    quick = parser.parse_args().quick
    conditions = grid(quick)
    bound = bound_s(conditions)
    print(f"{len(conditions)} conditions; lower bound {bound:.0f} s")
    with Simulator(time_scale=HEATING_SCALE) as simulator:
        os.environ |= simulator.environment
        figures = measure(conditions, (25.0, 50.0, 100.0) if quick else (20.0, 40.0, 80.0), quick, bound)
    return conclude((name, value, bar, False) for name, value, bar in figures)


if __name__ == "__main__":
    sys.exit(main())
