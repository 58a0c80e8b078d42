"""``msc demo --keep`` leaves IOC and Tiled running and says how to attach."""

import os
import re
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.conftest import wait_until

BIN = Path(sys.executable).parent


@pytest.mark.long
@pytest.mark.timeout(300)
def test_a_kept_demo_can_be_attached_to_and_stopped(tmp_path):
    done = subprocess.run(
        [BIN / "msc", "demo", "--keep", "--max-conditions", "1"],
        cwd=tmp_path, capture_output=True, text=True, timeout=200, check=False,
    )  # fmt: skip
    pids = [int(pid) for pid in re.findall(r"Stop both with: kill (\d+) (\d+)", done.stdout)[0]]
    try:
        assert done.returncode == 0, done.stderr
        assert all(psutil.pid_exists(pid) for pid in pids)
        exports = dict(re.findall(r"export (\w+)=(.*)", done.stdout))
        answer = subprocess.run(
            [BIN / "caproto-get", "--no-repeater", "--terse", "MSC:Reactor:Valve"],
            env={**os.environ, **exports}, capture_output=True, text=True, timeout=60, check=True,
        )  # fmt: skip
        assert "Solvent" in answer.stdout
        script = (
            "from msc_plans.storage import open_catalog; import os; print(len(open_catalog(os.environ['MSC_STORE'])))"
        )
        opened = subprocess.run(
            [BIN / "python", "-c", script],
            env={**os.environ, **exports}, capture_output=True, text=True, timeout=60, check=True,
        )  # fmt: skip
        assert int(opened.stdout) == 3
    finally:
        for pid in pids:
            psutil.Process(pid).terminate()
    wait_until(lambda: not any(map(_runs, pids)), what="the end of both")


def _runs(pid):
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
