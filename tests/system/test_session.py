"""``msc session`` as a person sees it: IPython in a pseudo-terminal."""

import os
import re
import subprocess
import sys
import threading
from pathlib import Path

import pexpect
import psutil
import pytest

from tests.conftest import wait_until

BIN = Path(sys.executable).parent
MSC = [sys.executable, "-c", "import sys; from msc_plans.cli import main; sys.exit(main())", "session"]


class Terminal:
    """IPython behind a pseudo-terminal, typed into; what it shows is kept without colours."""

    def __init__(self, folder, *arguments):
        environment = {**os.environ, "TERM": "dumb", "IPYTHONDIR": str(folder / "ipython")}
        self.screen = ""
        self.child = pexpect.spawn(
            MSC[0], [*MSC[1:], *arguments, "--store", "runs"], cwd=folder, env=environment,
            encoding="utf-8", timeout=120, dimensions=(40, 140),
        )  # fmt: skip
        self._prompt = 0
        self.ready()

    def see(self, pattern):
        """Wait for something on the screen; return what has come before it."""
        self.child.expect(pattern)
        shown = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", self.child.before).replace("\r\n", "\n")
        self.screen += shown
        return shown

    def ready(self):
        self._prompt += 1
        return self.see(rf"In \[(\x1b\[[0-9;]*m)?{self._prompt}(\x1b\[[0-9;]*m)?\]: ")

    def type(self, line):
        """Type a line and wait for the next prompt; return what it has shown."""
        self.child.sendline(line)
        return self.ready()

    def press_ctrl_c_twice(self):
        self.child.sendintr()
        self.see("pause at the next checkpoint")
        # RunEngine takes what comes within 0.1 s for the same press
        threading.Event().wait(0.2)
        self.child.sendintr()
        return self.ready()

    def leave(self):
        """Type exit; return what is shown after it. (A plain terminal repeats the last letter of what is typed.)"""
        self.child.sendline("exit")
        shown = self.see(pexpect.EOF)
        self.child.close()
        return shown.strip().removeprefix("exit").removeprefix("t")


@pytest.fixture
def terminal(tmp_path):
    opened = []

    def open_terminal(*arguments):
        opened.append(Terminal(tmp_path, *arguments))
        return opened[-1]

    yield open_terminal
    for one in opened:
        one.child.close(force=True)
    wait_until(lambda: not _simulators(tmp_path), what="the end of the simulated reactor")


def _simulators(folder):
    found = []
    for process in psutil.process_iter(["cmdline"]):
        words = process.info["cmdline"] or []
        if "ioc_sim" in words and str(folder / "runs" / "frames") in words:
            found.append(process)
    return found


def state(terminal):
    return terminal.type(
        "print('STATE', reactor.nucleation.setpoint.get(), reactor.valve.get(), reactor.pump_cd.status.get(),"
        " reactor.pump_se.status.get(), RE.state)"
    )


@pytest.mark.long
@pytest.mark.timeout(600)
def test_a_session_from_start_to_exit(terminal):
    ipython = terminal("--simulate", "fast", "--time-scale", "5")
    assert "Simulated reactor fast at 5x" in ipython.screen
    for word in ("RE ", "reactor, spectrometer, saxs", "catalog", "plans", "RE(make_safe(reactor))"):
        assert word in ipython.screen
    ipython.type("RE(bring_up(reactor, spectrometer, 120, 120))")

    ipython.child.sendline("RE(measure_condition(reactor, spectrometer, 350, 340, 14))")
    ipython.see("reactor ovens: .* of 350.0 °C")
    shown = ipython.press_ctrl_c_twice()
    assert "RE.resume()    Resume the plan." in shown
    assert "Traceback" not in shown
    assert "Solvent Idle Idle paused" in state(ipython)
    ipython.child.sendline("RE.resume()")
    ipython.see("reactor (ovens|mixture): ")
    ipython.press_ctrl_c_twice()
    shown = ipython.type("RE.abort()")
    assert "Aborting: running cleanup" in shown
    assert "STATE 100.0 Solvent Idle Idle idle" in state(ipython)

    ipython.child.sendline(
        "RE(msc_campaign(reactor, spectrometer, max_conditions=2, confirm=True, particles=50, "
        "nucleation_temperatures=[120.0, 130.0, 140.0]))"
    )
    ipython.see("end the campaign > ")
    ipython.child.sendline("")
    ipython.see("condition 1 of at most 2")
    ipython.see("end the campaign > ")
    ipython.child.sendline("a b")
    ipython.see("can't be understood")
    ipython.see("end the campaign > ")
    ipython.child.sendline("125 126 14")
    ipython.see("condition 2 of at most 2: 125 °C → 126 °C, 14 s")
    ipython.ready()
    assert "STATE 100.0 Solvent Idle Idle idle" in state(ipython)
    ipython.child.sendline("RE(msc_campaign(reactor, spectrometer, confirm=True, particles=50))")
    ipython.see("end the campaign > ")
    ipython.child.sendline("q")
    ipython.ready()
    shown = ipython.type("[run.metadata['stop']['exit_status'] for run in catalog.values()][:2]")
    assert "'abort'" in shown
    assert "Traceback" not in ipython.screen
    assert ipython.leave() == "", "noise at the exit"
    assert ipython.child.exitstatus == 0


@pytest.mark.timeout(240)
def test_a_session_starts_says_what_is_there_and_ends_quietly(terminal):
    ipython = terminal("--simulate", "fast", "--time-scale", "200")
    assert "RE(make_safe(reactor))" in ipython.screen
    assert "Traceback" not in ipython.screen
    assert ipython.type("RE.state, bring_up.__name__, len(catalog)").count("('idle', 'bring_up', 0)") == 1
    assert ipython.leave() == "", "noise at the exit"
    assert ipython.child.exitstatus == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--simulate", "--prefix", "X:"], "--simulate and --prefix: choose one"),
        (["--simulate", "--profile", "nowhere"], "nowhere isn't an IPython profile"),
        (["--simulate", "no_such_scenario"], "no_such_scenario"),
        (["--prefix", "NOBODY:"], "NOBODY:Reactor:Interlock does not answer"),
    ],
)
def test_bad_input_is_said_in_a_line(tmp_path, arguments, words):
    done = subprocess.run(
        [*MSC, *arguments], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_without_ipython_the_extra_is_named(monkeypatch, capsys):
    from msc_plans.cli import main

    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.delitem(sys.modules, "msc_plans.cli.session", raising=False)
    assert main(["session", "--simulate"]) == 2
    assert "pip install 'msc-plans[session]'" in capsys.readouterr().err
