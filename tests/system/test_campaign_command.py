"""``msc campaign``, ``msc plan``: from the command line to stored runs, and on from an interruption."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from msc_plans.storage import CatalogHistory, opened

MSC = [Path(sys.executable).parent / "msc"]


def run(*arguments, store):
    environment = {**os.environ, "MSC_STORE": str(store), "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [*MSC, *map(str, arguments)], capture_output=True, text=True, env=environment, cwd=Path(store), timeout=110
    )


@pytest.mark.long
def test_a_campaign_goes_on_where_it_ended(tmp_path):
    common = ["--simulate", "fast", "--time-scale", 200, "--particles", 50, "--store", tmp_path, "--refills", "draw"]
    first = run("campaign", "map", "--max-conditions", 1, *common, store=tmp_path)
    assert first.returncode == 0, first.stderr
    assert "condition 1 of at most 1" in first.stdout
    with opened(tmp_path) as catalog:
        (uid,) = CatalogHistory(catalog).campaigns()
    second = run("campaign", "map", "--max-conditions", 2, "--resume", uid, *common, store=tmp_path)
    assert second.returncode == 0, second.stderr
    assert "condition 2 of at most 2" in second.stdout
    with opened(tmp_path) as catalog:
        history = CatalogHistory(catalog)
        assert history.campaigns() == [uid]
        assert len(history.done_trials(uid)) == 2
        conditions = [one["growth_temperature"] for one in history.outcomes(uid)]
    assert len(set(conditions)) == 2


def test_a_plan_is_rehearsed_without_a_reactor(tmp_path):
    done = run("plan", "check", "growth_temperature_scan", "growth_offsets=[0,-10]", "--json", store=tmp_path)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["runs"], told["exposures"]) == (20, 20)
    # 20 conditions at 1.08 mL/min, half a minute of flow each
    assert 8 < told["used_ml"]["Cd"] + told["used_ml"]["Se"] < 16


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["plan", "check", "nosuch"], "there is no plan 'nosuch'"),
        (["plan", "check", "measure_condition", "nucleation_temperature=280"], "the plan needs growth_temperature"),
        (["plan", "check", "residence_time_scan", "residence_times=[0.001]"], "residence_time 0.001 s is outside"),
        (["plan", "check", "flush", "volume=3"], "there is no argument volume"),
        (["plan", "check", "flush", "3"], "'3' isn't of the form NAME=VALUE"),
        (["campaign", "--max-conditions", "0"], "--max-conditions must be 1 or more"),
        (["campaign", "--simulate", "nosuch"], "nosuch"),
        (["campaign", "--simulate", "fast", "--prefix", "X:"], "choose one"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(tmp_path, arguments, words):
    done = run(*arguments, store=tmp_path)
    assert done.returncode == 2
    assert words in done.stderr
    assert len(done.stderr.splitlines()) == 1
