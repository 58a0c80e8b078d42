"""Clients of every kind: libca, those that leave in the middle of a put, and many of them; and the time scale."""

import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import psutil
import pytest

from ioc_sim.physics.scenario_file import load_scenario
from msc_plans.session.simulator import Simulator
from tests.conftest import wait_until
from tests.integration.channel_access import client

LEAVER = """
import os, sys
from caproto.threading.client import Context
collect, acquire = Context().get_pvs("MSC:Spec:COLLECT", "MSC:Saxs:cam1:Acquire")
for record in (collect, acquire):
    record.wait_for_connection(timeout=20)
# the second is answered when the exposure is over: this client will be gone by then
collect.write([1], wait=False)
acquire.write([1], wait=False, notify=True)
acquire.read()
os._exit(0)
"""

VISITOR = """
import sys
from caproto.sync.client import read
for _ in range(int(sys.argv[1])):
    read("MSC:Sim:Clock", timeout=20)
"""


def test_a_client_that_leaves_in_the_middle_of_a_put_harms_nothing(tmp_path):
    with Simulator(scenario="fast", time_scale=10.0, log=tmp_path / "log") as simulator, client(simulator) as ca:
        ca.put("Saxs:cam1:AcquireTime", 20.0)
        ca.put("Spec:INTEGRATION_TIME", 20000.0)
        environment = {**os.environ, **simulator.environment}
        subprocess.run([sys.executable, "-c", LEAVER], env=environment, timeout=60, check=True)
        wait_until(lambda: ca.get("Saxs:cam1:ArrayCounter_RBV") == 1, what="the frame the client asked for")
        wait_until(lambda: ca.get("Spec:SPECTRA_COLLECTED") == 1, what="the spectrum the client asked for")
        ca.put("Saxs:cam1:AcquireTime", 1.0)
        ca.put("Saxs:cam1:Acquire", 1, timeout=20.0)
        assert ca.get("Saxs:cam1:ArrayCounter_RBV") == 2


@pytest.mark.long
def test_two_hundred_clients_that_come_and_go_neither_leak_memory_nor_slow_the_twin(tmp_path):
    with Simulator(scenario="fast", time_scale=100.0, log=tmp_path / "log") as simulator, client(simulator) as ca:
        environment = {**os.environ, **simulator.environment}
        process = psutil.Process(simulator.pid)

        def visits(clients):
            def visit(count):
                subprocess.run([sys.executable, "-c", VISITOR, str(count)], env=environment, timeout=100, check=True)

            start, clock = time.monotonic(), ca.get("Sim:Clock")
            with ThreadPoolExecutor(2) as pool:
                list(pool.map(visit, [clients // 2] * 2))
            return (ca.get("Sim:Clock") - clock) / (time.monotonic() - start)

        # what is allocated once, at the first visitors, is no leak
        visits(200)
        before = process.memory_info().rss
        rate = visits(200)
        visits(200)
        grown = process.memory_info().rss - before
        assert grown < 0.02 * before, f"{grown / 1e6:.1f} MB more after 400 clients"
        assert rate == pytest.approx(100.0, rel=0.05)
        assert process.num_fds() < 60


def test_libca_reads_and_puts(tmp_path):
    pytest.importorskip("epics", reason="pyepics is not installed")
    script = """
import epics
pv = epics.PV("MSC:Oven:Growth:LOOP1:SP", connection_timeout=20)
assert pv.wait_for_connection(20)
assert pv.put(500.0, wait=True, timeout=10) == 1
assert epics.caget("MSC:Oven:Growth:LOOP1:SP:RBV") == 400.0
assert (pv.units, pv.precision) == ("degC", 2), (pv.units, pv.precision)
assert (pv.lower_ctrl_limit, pv.upper_ctrl_limit) == (0.0, 400.0)
assert epics.caget("MSC:Oven:Growth:LOOP1:SP.DESC") == "Target setpoint"
assert epics.caget("MSC:Oven:Growth:LOOP1:SP.EGU") == "degC"
assert epics.caget("MSC:Oven:Growth:LOOP1:SP.DRVH") == 400.0
pv.put(25.0, wait=True, timeout=10)
assert epics.caget("MSC:Reactor:Valve", as_string=True) == "Solvent"
epics.caput("MSC:Spec:COLLECT", "Collecting", wait=True, timeout=10)
assert len(epics.caget("MSC:Spec:X_AXIS")) == 1044
epics.caput("MSC:Saxs:cam1:Acquire", 1, wait=True, timeout=20)
assert epics.caget("MSC:Saxs:cam1:ArrayCounter_RBV") == 1
epics.ca.finalize_libca()
print("done")
"""
    with Simulator(scenario="fast", time_scale=200.0, log=tmp_path / "log") as simulator:
        environment = {**os.environ, **simulator.environment}
        done = subprocess.run(
            [sys.executable, "-c", script], env=environment, capture_output=True, text=True, timeout=100, check=False
        )
    assert done.stdout.strip().endswith("done"), done.stdout + done.stderr


def steady_spectrum(time_scale, log):
    """Counts of the fast reactor at a condition, all puts at the same times of the twin."""
    volumes = load_scenario("fast").plumbing
    flow_ul_min = 60.0 * volumes.reactor_ul / 14.0

    with Simulator(scenario="fast", time_scale=time_scale, seed=3, log=log) as simulator, client(simulator) as ca:

        def at(seconds):
            wait_until(lambda: ca.get("Sim:Clock") >= seconds, seconds=400, what=f"second {seconds} of the twin")

        at(10.0)
        for oven in ("Nucleation", "Growth"):
            ca.put(f"Oven:{oven}:LOOP1:SP", 280.0)
        for pump in ("Cd", "Se"):
            ca.put(f"Pump:{pump}:IRATE", flow_ul_min / 2)
            ca.put(f"Pump:{pump}:IRUN", 1)
        ca.put("Reactor:Valve", 0)
        ca.put("Spec:NUM_SPECTRA", 20)
        at(220.0)
        ca.put("Spec:COLLECT", 1)
        wait_until(lambda: ca.get("Spec:SPECTRA_COLLECTED") == 20, what="the spectra")
        return np.array(ca.array("Spec:SAMPLE"))


@pytest.mark.long
@pytest.mark.timeout(600)
def test_the_time_scale_changes_speed_and_nothing_else(tmp_path):
    detector = load_scenario("fast").detector
    slow, quick = (steady_spectrum(scale, tmp_path / "log") for scale in (1.0, 200.0))
    signal = slow - detector.offset_counts
    variance = (signal / detector.electrons_per_count + detector.read_noise_counts**2) / 20
    # one seed, so the noise is the same and what is left of it, in units of the noise, is the time scale's doing
    assert np.mean((slow - quick) ** 2 / variance) < 0.01
    assert np.abs(slow - quick).max() < 3 * np.sqrt(variance).max()
