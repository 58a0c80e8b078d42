"""Fixtures shared by all levels, and the checks that nothing is left behind."""

import os
import signal
import threading
import time

import pytest

from msc_plans.files.isolated import close
from msc_plans.session.simulator import free_port

# One Channel Access port for this process, chosen before any client can read the environment.
os.environ.update(
    EPICS_CA_ADDR_LIST="127.0.0.1",
    EPICS_CA_AUTO_ADDR_LIST="NO",
    EPICS_CA_SERVER_PORT=str(free_port()),
    OPHYD_CONTROL_LAYER="caproto",
    MPLBACKEND="Agg",
)
for _name in [name for name in os.environ if name.startswith("MSC_")]:
    del os.environ[_name]
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # a shell starts what is to run in the background so, children inherit it, and Ctrl-C is what many tests send
    signal.signal(signal.SIGINT, signal.default_int_handler)


def wait_until(true, *, seconds=20.0, what="what was waited for"):
    """Poll until ``true()``; fail naming ``what``."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, f"{what} did not happen within {seconds:g} s"
        threading.Event().wait(0.02)


def pytest_collection_modifyitems(items):
    """Begin with the files that take minutes, or one worker would be left alone with them at the end."""
    items.sort(key=lambda item: "system" not in item.path.parts)


@pytest.fixture(scope="session", autouse=True)
def nothing_left_behind():
    """No child process outlives the tests."""
    import psutil

    yield
    close()
    _, alive = psutil.wait_procs(psutil.Process().children(recursive=True), timeout=10)
    assert not alive, f"left running: {[' '.join(p.cmdline()) for p in alive]}"
