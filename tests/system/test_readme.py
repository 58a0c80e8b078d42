"""Every code block of the README does what it says: the two commands, the stored campaign, the first session."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import psutil
import pytest

from msc_plans.condition import Condition
from msc_plans.kinetics.mechanism_file import mechanisms
from msc_plans.kinetics.synthetic import outcome_record
from msc_plans.session.simulator import Simulator, free_port

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)


def block(containing):
    (found,) = [text for _, text in BLOCKS if containing in text]
    return found


def run(command, *, timeout=300, cwd=ROOT, **kwargs):
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=timeout, check=False, **kwargs)
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def test_no_block_of_the_readme_is_untested():
    tested = (
        "make demo",
        "make test\n",
        "open_catalog",
        "msc ioc",
        "ipython",
        "bring_up",
        "Starting the",
        "analyze",
        "suggest ",
    )
    assert [text for _, text in BLOCKS if not any(word in text for word in tested)] == []


@pytest.fixture(scope="module")
def demo():
    """``make demo``, run where the README says, and its folder removed unless it was there before."""
    folder = ROOT / "msc-demo"
    existed = folder.exists()
    run(["make", "install"])
    before = {p.pid for p in psutil.process_iter()}
    done = run(["sh", "-c", block("make demo")], env={k: v for k, v in os.environ.items() if "EPICS" not in k})
    yield done, folder, before
    if not existed:
        shutil.rmtree(folder)


@pytest.mark.timeout(300)
def test_make_demo_prints_what_the_readme_shows(demo):
    done, folder, _ = demo
    promised = block("Starting the").splitlines()
    assert promised[:2] == [line for line in done.stdout.splitlines() if line.startswith(("Starting", "Campaign"))]
    conditions = re.findall(r"^ \d  \d+ °C → \d+ °C, 14 s +(CdSe-|no family).*NC \d+ nm", done.stdout, re.MULTILINE)
    reasons = re.findall(r"^    next .*: .+ and [\d.]+ mL$", done.stdout, re.MULTILINE)
    assert 4 <= len(conditions) <= 8
    assert len(reasons) == len(conditions)
    assert done.stderr == ""
    assert (folder / "campaign.png").stat().st_size > 50_000
    assert f"catalog = open_catalog('{folder}')" in done.stdout


def test_the_demo_leaves_no_process_behind(demo):
    _, folder, before = demo
    new = [p for p in psutil.process_iter(["cmdline"]) if p.pid not in before]
    # all that it starts has the folder among its arguments
    assert [p.info["cmdline"] for p in new if str(folder) in " ".join(p.info["cmdline"] or [])] == []


def test_the_stored_campaign_opens_in_a_new_process_and_every_run_validates(demo):
    done = run([BIN / "python", "-c", block("open_catalog")])
    number, purpose = done.stdout.split()
    assert int(number) >= 12
    assert purpose == "analysis"
    script = (
        "from msc_plans.storage import open_catalog, broker\n"
        "catalog = open_catalog('msc-demo')\n"
        "assert all(run.validate() for run in catalog.values())\n"
        "raw = [r for r in catalog.values() if r.metadata['start']['purpose'] == 'campaign']\n"
        "counts = raw[-1]['primary'].read()['spectrometer_counts']\n"
        "assert counts.shape == (1, 1044), counts.shape\n"
        "assert 'CdSe-437_ratio' in broker('msc-demo')[-1].table().columns\n"
        "print(len(raw))\n"
    )
    assert int(run([BIN / "python", "-c", script]).stdout.split()[-1]) >= 4


def test_files_of_ones_own_are_analysed(tmp_path):
    (tmp_path / ".venv").symlink_to(BIN.parent)
    wavelength, q = np.arange(340.0, 640.0), np.linspace(0.3, 5.0, 200)
    noise = np.random.default_rng(5).standard_normal((4, 300))
    bands = [0.4 * np.exp(-0.5 * ((wavelength - place) / 9.0) ** 2) + np.exp(-wavelength / 90) for place in (403, 437)]
    spectra = np.column_stack([wavelength, *(band + 2e-3 * one for band, one in zip(bands, noise, strict=False))])
    np.savetxt(tmp_path / "growth.csv", spectra, delimiter=",", header="wavelength,early,late", comments="")
    layers = sum(0.0025 / ((q - place) ** 2 + 0.0025) for place in (1.84, 3.68)) + q**-2.0
    sphere = 3 * (np.sin(1.8 * q) - 1.8 * q * np.cos(1.8 * q)) / (1.8 * q) ** 3
    for name, curve in (("curve", sphere**2 + 0.01), ("a", layers), ("b", q**-2.0)):
        sigma = 0.01 * curve
        np.savetxt(tmp_path / f"{name}.dat", np.column_stack([q, curve + sigma * noise[3, :200], sigma]))
    printed = [run(["sh", "-c", line], cwd=tmp_path).stdout for line in block("msc analyze").splitlines()]
    assert "CdSe-403" in printed[0]
    assert "CdSe-437" in printed[0]
    assert len(list(tmp_path.glob("curve*.png"))) == 1
    first, second = map(json.loads, printed[2].splitlines())
    assert first["d_spacing_nm"] == pytest.approx(2 * np.pi / 1.84, rel=0.01)
    assert second["peaks"] == []


def test_a_history_of_ones_own_gives_a_suggestion_and_a_fit(tmp_path):
    (tmp_path / ".venv").symlink_to(BIN.parent)
    sequential = mechanisms()["sequential"]
    truth = np.array([*(prior.mean for prior in sequential.priors), 0.0, 0.0])
    condition = Condition(280, 280, 14)
    outcome = outcome_record(sequential, truth, condition, np.random.default_rng(2))
    line = {key: value if np.isfinite(value) else None for key, value in {**condition.as_dict(), **outcome}.items()}
    (tmp_path / "history.jsonl").write_text(json.dumps(line))
    suggested, fitted = [run(["sh", "-c", line], cwd=tmp_path) for line in block("msc suggest").splitlines()]
    assert "1 condition measured" in suggested.stdout
    assert "runner-up:" in suggested.stdout
    assert "Rate constants of" in fitted.stdout
    assert (tmp_path / "fit.png").stat().st_size > 20_000
    assert suggested.stderr + fitted.stderr == ""


def test_make_test_is_what_ci_runs():
    command = block("make test\n").strip()
    assert command in (ROOT / ".ci" / "run").read_text().splitlines()
    planned = run(["make", "-n", *command.split()[1:]]).stdout
    assert all(tool in planned for tool in ("ruff check", "pyright", "lint-imports", "pytest"))


@pytest.mark.timeout(300)
def test_the_first_session_in_ipython(tmp_path):
    words = block("msc ioc").split()
    assert words[:2] == [".venv/bin/msc", "ioc"]
    scale = float(words[words.index("--time-scale") + 1])
    profile = shutil.copytree(ROOT / "profile_collection", tmp_path / "profile_collection")
    (tmp_path / ".venv").symlink_to(BIN.parent)
    command = block("ipython").split()
    with Simulator(time_scale=scale, port=free_port(), log=tmp_path / "ioc.log") as simulator:
        done = run(
            [*command, "--simple-prompt", "--no-banner", "--no-confirm-exit"],
            cwd=tmp_path,
            input=block("bring_up") + "exit\n",
            env={**os.environ, **simulator.environment, "IPYTHONDIR": str(tmp_path / "ipython")},
        )
    assert profile.exists()
    text = done.stdout + done.stderr
    assert "Traceback" not in text, text
    assert "Error" not in text, text
    ratio, wavelength = map(float, re.search(r"^(?:In \[\d+\]: )*([\d.e-]+) ([\d.]+)$", text, re.MULTILINE).groups())
    assert 0 < ratio < 1
    assert 515 < wavelength < 540
    assert "2 of 2: 280 °C → 280 °C" in text
