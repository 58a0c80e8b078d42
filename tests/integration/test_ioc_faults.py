"""Faults by record and by scenario over Channel Access; the interlock with no client; what a restart keeps."""

import json
import time

import pytest

from msc_plans.session.simulator import Simulator, free_port
from tests.conftest import wait_until
from tests.integration.channel_access import client

SCALE = 200.0


@pytest.fixture
def broken(tmp_path):
    """Return a function that starts the fast reactor with faults by the clock; it ends with the test."""
    running = []

    def start(*faults, **kwargs):
        path = tmp_path / "broken.toml"
        lines = ['base = "fast"', 'name = "broken"', 'title = "Fails by the clock"']
        for name, value, at_s in faults:
            lines += ["[[faults]]", f'name = "{name}"', f"value = {json.dumps(value)}", f"at_s = {at_s}"]
        path.write_text("\n".join(lines))
        simulator = Simulator(scenario=str(path), time_scale=SCALE, log=tmp_path / "log", **kwargs)
        running.append(simulator)
        return simulator.launch().wait_ready()

    yield start
    for simulator in running:
        simulator.stop()


@pytest.mark.parametrize(
    ("fault", "value", "words"),
    [
        ("HeaterRunaway", "Growth", "Growth oven at 37"),
        pytest.param("SensorBreak", "Nucleation", "Nucleation oven gives no reading", marks=pytest.mark.long),
    ],
)
def test_the_interlock_trips_with_no_client_latches_and_survives_a_restart(broken, tmp_path, fault, value, words):
    state, port = tmp_path / "state.json", free_port()
    simulator = broken((fault, value, 60.0), state=state, port=port)

    def message():
        return json.loads(state.read_text())["interlock"]["message"] if state.exists() else ""

    wait_until(lambda: message().startswith(words), what=f"a trip by {fault}, in the state file")
    simulator.stop()
    # started again without the fault: it stays tripped until somebody resets it
    simulator = broken(state=state, port=port)
    with client(simulator) as ca:
        assert ca.text("Reactor:InterlockMessage").startswith(words)
        assert ca.get("Reactor:Interlock") == 1
        assert ca.get("Reactor:Valve") == 3
        ca.record("Pump:Cd:IRUN")
        # a refused put is never answered by caproto's server
        with pytest.raises(Exception, match=r"(?i)timed? ?out|did not|refused"):
            ca.put("Pump:Cd:IRUN", 1, timeout=1.0)
        assert ca.get("Pump:Cd:STATUS") == 0
        ca.put("Reactor:InterlockReset", 1)
        wait_until(lambda: ca.get("Reactor:Interlock") == 0, what="the reset")
        ca.put("Pump:Cd:IRATE", 10.0)
        ca.put("Pump:Cd:IRUN", 1)
        wait_until(lambda: ca.get("Pump:Cd:STATUS") == 1, what="the start of the pump")


def test_clogging_trips_on_pressure_and_stops_every_pump(broken):
    with client(broken()) as ca:
        for pump in ("Cd", "Se"):
            ca.put(f"Pump:{pump}:IRATE", 54.0)
            ca.put(f"Pump:{pump}:IRUN", 1)
        ca.put("Reactor:Valve", 0)
        wait_until(lambda: ca.get("Reactor:Pressure") > 3.0, what="flow")
        ca.put("Sim:Fault:Clogging", 1e4)
        wait_until(lambda: ca.get("Reactor:Interlock") == 1, what="the trip")
        assert ca.text("Reactor:InterlockMessage").startswith("pressure")
        wait_until(lambda: not any(ca.get(f"Pump:{p}:STATUS") for p in ("Cd", "Se", "Solvent")), what="all pumps idle")
        ca.put("Sim:Fault:Clogging", 1.0)
        ca.put("Reactor:InterlockReset", 1)
        wait_until(lambda: ca.get("Reactor:Interlock") == 0, what="the reset")


def test_a_lapsed_heartbeat_trips_after_the_client_has_gone(broken, tmp_path):
    state = tmp_path / "state.json"
    simulator = broken(state=state)
    with client(simulator) as ca:
        ca.put("Reactor:HeartbeatTimeout", 120.0)
        ca.put("Reactor:Heartbeat", 1.0)
    wait_until(
        lambda: state.exists() and json.loads(state.read_text())["interlock"]["message"] == "no heartbeat for 120 s",
        what="the trip",
    )


def test_a_hung_collection_is_given_up_and_the_next_one_ends(broken):
    with client(broken(("HungCollection", "On", 0.0))) as ca:
        ca.put("Spec:COLLECT", 1)
        clock = ca.get("Sim:Clock")
        wait_until(lambda: ca.get("Sim:Clock") > clock + 60.0, what="a minute of the twin")
        assert ca.get("Spec:COLLECT_RBV") == 1
        ca.put("Spec:COLLECT", 0)
        ca.put("Sim:Fault:HungCollection", "Off")
        before = ca.get("Spec:SPECTRA_COLLECTED")
        ca.put("Spec:COLLECT", 1)
        wait_until(lambda: ca.get("Spec:SPECTRA_COLLECTED") == before + 1, what="a spectrum")


def test_a_slow_ioc_answers_late_and_recovers(broken):
    with client(broken()) as ca:
        ca.get("Sim:Clock")
        ca.put("Sim:Fault:SlowIoc", 0.5)
        start = time.monotonic()
        ca.get("Sim:Clock")
        assert time.monotonic() - start > 0.5
        ca.put("Sim:Fault:SlowIoc", 0.0)
        start = time.monotonic()
        ca.get("Sim:Clock")
        assert time.monotonic() - start < 0.4


def test_a_frozen_ioc_stands_still_and_loses_the_time(broken):
    with client(broken()) as ca:
        lag = ca.get("Sim:Lag")
        ca.go("Sim:Fault:FrozenIoc", 1.0)
        wait_until(lambda: ca.get("Sim:Lag", timeout=10.0) > lag + 0.5 * SCALE, what="the lag")
        assert ca.get("Sim:Fault:FrozenIoc") == 0.0


def test_a_dead_ioc_is_gone_at_once(broken):
    simulator = broken()
    child = simulator._child
    with client(simulator) as ca:
        ca.go("Sim:Fault:DeadIoc", "On")
        wait_until(lambda: not child.running, what="the end of the IOC")
    assert child.returncode == -9


def test_an_unknown_fault_in_a_scenario_is_refused(tmp_path):
    import subprocess
    import sys

    path = tmp_path / "odd.toml"
    path.write_text('base = "fast"\nname = "odd"\n[[faults]]\nname = "Gremlin"\nvalue = "On"\nat_s = 1.0\n')
    done = subprocess.run(
        [sys.executable, "-m", "ioc_sim", "--scenario", str(path)],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "no fault 'Gremlin'; there are PumpStall" in done.stderr
    assert "Traceback" not in done.stderr
