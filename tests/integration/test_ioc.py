"""The soft IOC over real Channel Access, in a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from msc_plans.session.simulator import Simulator, free_port
from tests.conftest import wait_until
from tests.contract.test_records import DESIGNED

BIN = Path(sys.executable).parent


def caproto(tool, simulator, *arguments, timeout=60):
    return subprocess.run(
        [BIN / f"caproto-{tool}", "--no-repeater", *arguments],
        env={**os.environ, **simulator.environment}, capture_output=True, text=True, timeout=timeout, check=False,
    )  # fmt: skip


def value(simulator, name):
    answer = caproto("get", simulator, "--terse", name)
    assert answer.returncode == 0, answer.stderr
    return answer.stdout.strip()


def test_caproto_get_answers_for_every_designed_record(ioc):
    names = [f"MSC:{name}" for name in DESIGNED]
    answer = caproto("get", ioc, *names)
    assert answer.returncode == 0, answer.stderr
    answered = {line.split()[0] for line in answer.stdout.splitlines() if line.startswith("MSC:")}
    assert answered == set(names)


def test_an_out_of_limit_put_clamps_and_a_nan_is_refused(ioc):
    caproto("put", ioc, "MSC:Oven:Growth:LOOP1:D", "0")
    caproto("put", ioc, "MSC:Oven:Growth:LOOP1:OUTPHI", "500")
    assert float(value(ioc, "MSC:Oven:Growth:LOOP1:OUTPHI:RBV")) == 100.0
    refused = caproto("put", ioc, "MSC:Oven:Growth:LOOP1:SP", "nan")
    assert "nan is not a finite number" in refused.stdout + refused.stderr
    assert float(value(ioc, "MSC:Oven:Growth:LOOP1:SP:RBV")) < 400


def test_units_of_a_pump_are_honoured(ioc):
    pump = "MSC:Pump:Solvent:"
    caproto("put", ioc, f"{pump}IRATEUNITS", "ml/min")
    caproto("put", ioc, f"{pump}IRATE", "0.25")
    caproto("put", ioc, f"{pump}IRATEUNITS", "ul/min")
    assert float(value(ioc, f"{pump}IRATE:RBV")) == pytest.approx(250.0)


def test_a_restart_takes_up_temperatures_and_syringes(tmp_path):
    state = tmp_path / "state.json"
    port = free_port()
    arguments = {"scenario": "fast", "time_scale": 200.0, "port": port, "state": state, "log": tmp_path / "log"}
    with Simulator(**arguments) as simulator:
        caproto("put", simulator, "MSC:Oven:Growth:LOOP1:SP", "150")
        caproto("put", simulator, "MSC:Pump:Cd:IRATE", "1000")
        caproto("put", simulator, "MSC:Pump:Cd:IRUN", "1")
        wait_until(lambda: float(value(simulator, "MSC:Oven:Growth:LOOP1:PV:RBV")) > 145, what="150 °C")
    with Simulator(**arguments, prefix="MSC:") as simulator:
        assert float(value(simulator, "MSC:Oven:Growth:LOOP1:PV:RBV")) > 100
        assert float(value(simulator, "MSC:Oven:Growth:LOOP1:SP:RBV")) == 150


def test_it_ends_with_a_parent_that_is_killed(tmp_path):
    import psutil

    script = (
        "from msc_plans.session.simulator import Simulator; import time\n"
        "s = Simulator(scenario='fast').launch().wait_ready(); print(s.pid, flush=True); time.sleep(60)"
    )
    parent = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    parent.stdout.close()
    wait_until(lambda: not psutil.pid_exists(pid), what="the end of the orphaned IOC")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--scenario", "nowhere"], "nowhere"),
        (["--time-scale", "0"], "the time scale must be above 0"),
        (["--time-scale", "nan"], "the time scale must be above 0"),
        (["--state", "/nonexistent/state.json", "--scenario", "/nonexistent.toml"], "/nonexistent.toml"),
    ],
)
def test_bad_input_is_one_sentence_and_exit_code_2(arguments, words):
    done = subprocess.run(
        [sys.executable, "-m", "ioc_sim", *arguments], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_an_occupied_port_is_refused(ioc):
    done = subprocess.run(
        [sys.executable, "-m", "ioc_sim", "--port", str(ioc.port)],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert f"port {ioc.port} is in use" in done.stderr
