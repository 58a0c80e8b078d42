"""Bad input at the command line: one sentence with the value and what to do, exit code 2, nothing started."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from msc_plans.storage import TiledServer

MSC = Path(sys.executable).parent / "msc"


def msc(*arguments, cwd=None):
    return subprocess.run([MSC, *arguments], capture_output=True, text=True, timeout=120, check=False, cwd=cwd)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["fly"], "unknown goal 'fly'; goals are map, maximise"),
        (["--family", "CdSe-999"], "unknown family 'CdSe-999'; families are CdSe-382"),
        (["--scenario", "nowhere"], "nowhere"),
        (["--max-conditions", "9"], "--max-conditions must be 1 to 8, not 9"),
        (["--time-scale", "-1"], "--time-scale must be above 0"),
        (["--time-scale", "nan"], "--time-scale must be above 0"),
        (["--tiled-port", "99999"], "port 99999 is not between 0 and 65535"),
    ],
)
def test_a_demo_that_can_not_be_is_refused(tmp_path, arguments, words):
    done = msc("demo", *arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert words in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("option", ["--ioc-port", "--tiled-port"])
def test_an_occupied_port_is_named(tmp_path, option):
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        port = busy.getsockname()[1]
        done = msc("demo", option, str(port), "--max-conditions", "1", cwd=tmp_path)
    assert done.returncode == 2
    assert str(port) in done.stderr
    assert "Traceback" not in done.stderr


def test_a_store_in_use_is_named(tmp_path):
    with TiledServer(tmp_path / "msc-data"):
        done = msc("tiled", cwd=tmp_path)
    assert done.returncode == 2
    assert str(tmp_path / "msc-data") in done.stderr
    assert "Traceback" not in done.stderr


def test_help_and_version():
    assert "demo" in msc("--help").stdout
    assert msc("--version").stdout.startswith("msc-plans ")
    assert msc().returncode == 2
