"""Each patch of another package is needed: its own test fails without it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from devices.core import caproto_patch
from msc_plans.callbacks import validation
from msc_plans.patches import Patch
from msc_plans.queue import http_server
from msc_plans.storage import complete_runs
from msc_plans.storage.tiled_patches import (
    confined_files,
    fair_server,
    fastapi_dependants,
    leftover_arrays,
    table_connections,
)

ROOT = Path(__file__).parents[2]
MODULES = (
    validation, http_server, complete_runs, confined_files, fair_server, fastapi_dependants, leftover_arrays,
    table_connections,
)  # fmt: skip
TESTS = {module.PATCH.name: module.PATCH.test for module in MODULES} | {"caproto: reconnect": caproto_patch.TEST}


def run(test, off=None):
    """Run one test in a process of its own, with a patch switched off in it and its children."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("EPICS_", "PYTEST_"))}
    if off is not None:
        folders = [str(ROOT / "tests" / "patches_off"), str(ROOT)]
        environment |= {"PYTHONPATH": os.pathsep.join(folders), "PATCH_OFF_IN_TESTS": off}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", "long or not long", test]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=170)


@pytest.mark.long
@pytest.mark.parametrize("name", TESTS)
def test_the_test_of_a_patch_fails_without_it(name):
    done = run(TESTS[name], off=name)
    assert done.returncode == 1, done.stdout + done.stderr
    assert " failed" in done.stdout


@pytest.mark.long
def test_a_test_run_so_passes_where_another_patch_is_off():
    done = run(fastapi_dependants.PATCH.test, off=validation.PATCH.name)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_patch_is_among_them():
    declared = {
        path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".")
        for path in (ROOT / "msc_plans").rglob("*.py")
        if "\nPATCH = Patch(" in path.read_text()
    }
    assert declared == {module.__name__ for module in MODULES}


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.PATCH.name)
def test_each_names_its_fault_and_a_test_that_exists(module):
    patch = module.PATCH
    assert isinstance(patch, Patch)
    path, _, name = patch.test.partition("::")
    assert (ROOT / path).is_file()
    assert not name or f"def {name}(" in (ROOT / path).read_text()
    assert len(patch.fault) > 150
