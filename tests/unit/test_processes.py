"""Child processes: real ones, that become ready, die, hang, and lose their parent."""

import os
import signal
import socket
import subprocess
import sys
import time

import psutil
import pytest

from msc_plans.processes import Child, ChildError
from tests.conftest import wait_until


class OtherError(ChildError):
    pass


@pytest.fixture
def start(tmp_path):
    children = []

    def run(code, **options):
        options = {"log": tmp_path / "child.log"} | options
        children.append(Child("the child", [sys.executable, "-c", code], **options))
        return children[-1]

    yield run
    for child in children:
        child.end(by=signal.SIGKILL)


def alive(pid):
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_one_that_becomes_ready_is_waited_for_and_ended(start, tmp_path):
    child = start(f"import time; open({str(tmp_path / 'ready')!r}, 'w').close(); time.sleep(60)")
    child.wait_until((tmp_path / "ready").exists, 20.0)
    assert child.running
    assert child.returncode is None
    child.end()
    assert not child.running
    assert child.returncode == -signal.SIGTERM
    child.end()


def test_one_that_dies_at_its_start_is_named_with_what_it_wrote(start, tmp_path):
    child = start("print('first'); print('no such port'); raise SystemExit(3)", error=OtherError)
    with pytest.raises(OtherError, match=r"the child ended at its start \(code 3\); it wrote: no such port; see .*log"):
        child.wait_until(lambda: False, 20.0)


def test_what_an_earlier_one_wrote_is_not_quoted(start, tmp_path):
    (tmp_path / "child.log").write_text("yesterday: all pumps stopped\n")
    child = start("raise SystemExit(3)")
    with pytest.raises(ChildError, match=r"the child ended at its start \(code 3\); see "):
        child.wait_until(lambda: False, 20.0)


def test_one_that_never_becomes_ready_is_named_with_the_time(start):
    child = start("import time; time.sleep(60)", log=None)
    with pytest.raises(ChildError, match=r"^the child does not listen within 0.2 s$"):
        child.wait_until(lambda: False, 0.2, "does not listen")
    assert child.running, "whoever waited decides what becomes of it"


def test_one_that_ignores_sigterm_is_killed(start, tmp_path):
    ready = tmp_path / "ready"
    child = start(
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
        f"open({str(ready)!r}, 'w').close(); time.sleep(60)"
    )
    child.wait_until(ready.exists, 20.0)
    child.end(0.3)
    assert child.returncode == -signal.SIGKILL


def test_what_it_started_itself_ends_with_it(start):
    child = start(
        "import subprocess, sys; p = subprocess.Popen([sys.executable, '-c', "
        "'import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(1, flush=True); time.sleep(60)']);"
        "print(p.pid, flush=True); p.wait()",
        pipes=True,
    )
    pid = int(child.stdout.readline())
    assert child.stdout.readline() == b"1\n"
    child.end()
    wait_until(lambda: not alive(pid), what="the end of the grandchild")


def test_pipes_carry_what_is_said(start):
    child = start("import sys; sys.stdout.write(sys.stdin.readline().upper())", pipes=True)
    child.stdin.write(b"hello\n")
    child.stdin.close()
    child.wait(20.0)
    assert child.stdout.read() == b"HELLO\n"
    assert child.returncode == 0


def test_variables_and_descriptors_are_handed_on(start, tmp_path):
    with (tmp_path / "out").open("wb") as file:
        code = f"import os; os.write({file.fileno()}, os.environ['WORD'].encode())"
        start(code, environment={"WORD": "there"}, descriptors=[file.fileno()]).wait(20.0)
    assert (tmp_path / "out").read_text() == "there"


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        ("c.sendall(b'HTTP/1.0 200 OK\\r\\n\\r\\n')", None),
        ("c.sendall(b'HTTP/1.0 503 Busy\\r\\n\\r\\n')", "answered with HTTP status 503"),
        ("time.sleep(60)", "did not answer within 0.5 s"),
        ("sys.exit(1)", "ended at its start"),
    ],
)
def test_a_server_is_asked_until_it_answers(start, answer, problem):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        child = start(
            f"import socket, sys, time; s = socket.socket(fileno={listener.fileno()}); c, _ = s.accept(); c.recv(999);"
            f"{answer}; c.close()",
            descriptors=[listener.fileno()],
        )
    seconds = 0.5 if answer.startswith("time") else 20.0
    if problem is None:
        child.wait_for_http(f"127.0.0.1:{port}", "/", seconds)
        return
    with pytest.raises(ChildError, match=problem):
        child.wait_for_http(f"127.0.0.1:{port}", "/", seconds)


@pytest.mark.parametrize("ignores", [False, pytest.param(True, marks=pytest.mark.long)])
def test_one_ends_with_its_parent_however_that_dies(ignores):
    child = (
        "import os, signal, sys, time; from msc_plans.processes import end_with_parent;"
        + ("signal.signal(signal.SIGTERM, signal.SIG_IGN);" if ignores else "")
        + "end_with_parent(int(sys.argv[1])); print(os.getpid(), flush=True); time.sleep(60)"
    )
    parent = subprocess.Popen(
        [
            sys.executable, "-c",
            f"import os, subprocess, sys; subprocess.Popen([sys.executable, '-c', {child!r}, str(os.getpid())]).wait()",
        ],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    with parent:
        pid = int(parent.stdout.readline())
        parent.kill()
        begun = time.monotonic()
        wait_until(lambda: not alive(pid), what="the end of the child")
        assert ignores == (time.monotonic() - begun > 4.0)


def test_ctrl_c_at_the_terminal_does_not_reach_it(start):
    child = start("import time; time.sleep(60)")
    assert os.getsid(child.pid) == child.pid
