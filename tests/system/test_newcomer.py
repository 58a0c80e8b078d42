"""A newcomer's first hour: a clone, an empty home, `make demo`, a session, a condition of one's own, the data."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.system.documentation import ROOT, blocks

BIN = Path(sys.executable).parent


@pytest.mark.long
@pytest.mark.timeout(900)
def test_from_a_clone_to_data_of_ones_own(tmp_path):
    clone, home = tmp_path / "msc-plans", tmp_path / "home"
    subprocess.run(["git", "clone", "--quiet", "--no-hardlinks", ROOT, clone], check=True, capture_output=True)
    home.mkdir()
    # the environment is this one: to make it takes minutes, and a network
    (clone / ".venv").symlink_to(BIN.parent)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("EPICS_", "MSC_", "IPYTHON"))}
    environment = kept | {"HOME": str(home), "PYTHONPATH": str(clone), "TERM": "dumb"}
    environment["PATH"] = f"{BIN}:{environment['PATH']}"

    def run(*command, **kwargs):
        done = subprocess.run(
            command, cwd=clone, env=environment, capture_output=True, text=True, timeout=600, check=False, **kwargs
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert "Traceback" not in done.stdout + done.stderr
        return done.stdout

    demo = run("make", "--old-file=.venv/.installed", "demo")
    assert "Figure: " in demo
    assert (clone / "msc-demo" / "campaign.png").stat().st_size > 50_000

    own = "\n".join(one.text for one in blocks("python", needs="reactor") if one.name == "tutorial.md")
    session = run("msc", "session", "--simulate", "--time-scale", "50", input=own + "\nexit\n")
    assert "nanocrystals at 5" in session

    script = "\n".join(one.text for one in blocks("python", needs="store"))
    assert int(run(sys.executable, "-c", script).split()[0]) >= 2
    untracked = run("git", "status", "--porcelain").splitlines()
    assert untracked == [], "what a first hour leaves should be ignored by git"
    assert sorted(path.name for path in home.iterdir() if path.name not in (".cache", ".config")) == [".ipython"]
