"""``msc reproduce`` as a person calls it: measured on the simulated reactor, then told again from the archive."""

import json
import os
import subprocess
import sys

import pytest

from msc_plans.storage import opened
from msc_plans.storage.journal import stored_journals
from tests.system.documentation import ROOT

MSC = [sys.executable, "-c", "import sys; from msc_plans.cli import main; sys.exit(main())"]


def reproduce(folder, *options):
    command = [*MSC, "reproduce", "--only", "F3", "K-final", "--json", "--store", "store", *options]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def wait_once_more(store, number):
    """Take the latest runs out of the catalogue again, as if they were still to be stored."""
    with opened(store) as catalog:
        for path in list(stored_journals(store / "journal"))[-number:]:
            catalog.delete_contents(path.stem, recursive=True, external_only=False)
            path.rename(store / "journal" / path.name)


@pytest.mark.long
@pytest.mark.timeout(300)
def test_the_archive_tells_what_was_measured(tmp_path):
    measured = reproduce(tmp_path, "--report", "first")
    verdicts = {one["claim"]: one["verdict"] for one in measured["claims"]}
    assert set(verdicts) == {"K-final", "F3-lamellae", "F3-origin"}
    # the twin holds all three (docs/twin.md)
    assert set(verdicts.values()) <= {"shown", "not resolvable"}
    assert {verdicts["F3-lamellae"], verdicts["F3-origin"]} == {"shown"}
    again = reproduce(tmp_path, "--from-catalog", "--report", "second")
    same = ("claims", "used", "failed_runs", "reproduce_uid", "seed", "scenario")
    assert {name: again[name] for name in same} == {name: measured[name] for name in same}
    wait_once_more(tmp_path / "store", 5)
    again = reproduce(tmp_path, "--from-catalog", "--report", "second")
    assert {name: again[name] for name in same} == {name: measured[name] for name in same}, "some wait in journals"
    for report in ("first", "second"):
        page = (tmp_path / report / "index.html").read_text()
        assert page.count("data:image/png;base64,") == 1
