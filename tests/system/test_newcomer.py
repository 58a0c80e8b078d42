"""A newcomer's first hour: a clone, an empty home, `make demo`, a session, an own condition, a notebook."""

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from jupyter_client.manager import start_new_kernel

from tests.system.documentation import ROOT, blocks

INLINE = "module://matplotlib_inline.backend_inline"
BIN = Path(sys.executable).parent


def blocks_of_tutorial(language):
    texts = [one.text for one in blocks(language) if one.name == "tutorial.md"]
    return "\n".join(texts).splitlines()


def run_cell(cell, folder, environment):
    """Run a cell in a kernel as a notebook would; return the pictures it shows, base64."""
    images = []

    def show(message):
        assert message["msg_type"] != "error", message["content"]["traceback"]
        if message["msg_type"] in ("display_data", "execute_result"):
            images.append(message["content"]["data"]["image/png"])

    manager, client = start_new_kernel(
        kernel_name="python3", startup_timeout=120, cwd=folder, env=environment | {"MPLBACKEND": INLINE}
    )
    try:
        client.execute_interactive(cell, output_hook=show, timeout=120)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
        manager.cleanup_resources()
    return images


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

    for line in blocks_of_tutorial("sh"):
        if line.startswith(("msc runs", "msc export")):
            exported = run(*shlex.split(line.partition("#")[0]))
    assert exported.strip().endswith("_spectrum.csv")
    (cell,) = (one.text for one in blocks("python", needs="notebook"))
    images = run_cell(cell, clone, environment)
    assert len(images) == 1
    assert len(images[0]) > 10_000
    shutil.rmtree(clone / "exported")
    untracked = run("git", "status", "--porcelain").splitlines()
    assert untracked == [], "what a first hour leaves should be ignored by git"
    assert sorted(path.name for path in home.iterdir() if path.name not in (".cache", ".config")) == [".ipython"]
