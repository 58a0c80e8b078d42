"""Does a scenario's own extra step show? Where it does not, no measurement could tell that it is there."""

import tempfile
from pathlib import Path

import numpy as np
from _advisor_worlds import CELLS, World
from numpy.typing import NDArray

from ioc_sim.bench import noise_free
from ioc_sim.physics.scenario import Scenario
from ioc_sim.physics.scenario_file import load_scenario
from msc_plans.advisor.noise import sigmas
from msc_plans.kinetics.discrepancy import AMPLITUDES
from msc_plans.kinetics.mechanism_file import FAMILIES
from msc_plans.kinetics.observation import HEIGHT_SOFT

_STEP = {"direct": "direct", "switched": "direct", "dead_end": "nc-nucleation"}
"""The extra step of each scenario that has one."""
SHOWS = 2.0


def shown(name: str) -> float | None:
    """Return by how many σ of spectrum and model the extra step shows where it shows most; None without one.

    Noise-free heights of families and nanocrystals, over the 600 cells, against the scenario with the step off.
    """
    if name not in _STEP:
        return None
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "without.toml"
        lines = [f'base = "{name}"', 'name = "without"', 'title = "Without it"', "[chemistry.steps]"]
        file.write_text("\n".join([*lines, f"{_STEP[name]} = {{ off = true }}"]), encoding="utf-8")
        without = load_scenario(file)
    here, there = _heights(load_scenario(name)), _heights(without)
    error = np.sqrt((AMPLITUDES[: len(FAMILIES) + 1] ** 2).mean(axis=1))
    sigma = np.hypot(sigmas(here)[:, : len(FAMILIES) + 1], error)
    return float(np.max(np.abs(np.log(here + HEIGHT_SOFT) - np.log(there + HEIGHT_SOFT)) / sigma))


def _heights(scenario: Scenario) -> NDArray[np.float64]:
    """Shares of full conversion of families and nanocrystals, shape (cells, families + 1)."""
    full = World(scenario).full_conversion_height
    rows = []
    for cell in CELLS:
        true = noise_free(scenario, cell.as_dict())
        rows.append([*(true["heights"].get(one, 0.0) for one in FAMILIES), true["nc_height"]])
    return np.nan_to_num(np.array(rows, dtype=float)) / full
