"""A session is opened by the library alone: notebooks and other programs need nothing of the command line."""

import json
import os
import subprocess
import sys

SCRIPT = """
import json, sys
from msc_plans.session import open_session
from msc_plans.settings import read_settings

session = open_session(read_settings(store=sys.argv[1]))
try:
    reading = session.reactor.nucleation.reading.get()
finally:
    session.close()
print(json.dumps([reading, sorted(name for name in sys.modules if name.split(".")[:2] == ["msc_plans", "cli"])]))
"""


def test_a_session_needs_nothing_of_the_command_line(ioc, tmp_path):
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", SCRIPT, tmp_path / "store"],
        env={**os.environ, **ioc.environment}, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    reading_c, modules = json.loads(run.stdout.splitlines()[-1])
    assert 0.0 < reading_c < 400.0
    assert modules == []
