"""Every fault, one after the other, under campaigns of a real session: what ``docs/reliability.md`` says of each."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "_reliability_chaos.py"


@pytest.mark.long
@pytest.mark.timeout(900)
def test_campaigns_go_on_after_every_fault_lose_nothing_and_leave_the_reactor_safe(tmp_path):
    from ioc_sim.physics.faults import KINDS

    log = tmp_path / "session.log"
    done = subprocess.run(
        [sys.executable, SCRIPT, "0", "every", log], capture_output=True, text=True, timeout=800, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:] + log.read_text()[-3000:]
    found = json.loads(done.stdout.splitlines()[-1])
    processes = {"IOC killed", "IOC stopped", "Tiled killed", "Tiled stopped", "writer killed"}
    assert set(found["faults"]) >= processes | KINDS.keys()
    assert (found["lost"], found["problems"], found["emitted"]) == (0, [], found["stored"])
    assert found["frames_taken"] > 0
    assert found["frames_lost"] == 0
    assert found["unfinished"] == 0
    assert found["unsafe"] == []
