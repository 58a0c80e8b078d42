"""Worlds that an advisor is tried in: scenarios of the twin, measured through ``ioc_sim.bench.measure`` alone.

A :class:`World` is a grid of 600 conditions, what a spectrum of each gives (counts, absorbance, `uvvis.analyse`,
`uvvis.outcome`), and the truth, which only scoring reads. Measurements are kept in a file, so that each optimiser sees
the same measurement of a cell with the same seed; the key holds the scenario and the code of twin and analysis.
"""

import hashlib
import json
import math
import sqlite3
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

import ioc_sim
import msc_plans.analysis
from ioc_sim.bench import measure, noise_free
from ioc_sim.physics.scenario import ReactionStep, Scenario
from ioc_sim.physics.scenario_file import load_scenario
from msc_plans.analysis import uvvis
from msc_plans.analysis.accumulation import ABSENT_RATIO, ACCUMULATED_RATIO
from msc_plans.condition import Condition
from msc_plans.families import built_in_families

TIMES_S: Final = (1.5, 3.0, 4.5, 7.6, 10.0, 14.0)
CELLS: Final = tuple(
    Condition(nucleation, nucleation - drop, time_s)
    for nucleation in range(260, 351, 10)
    for drop in range(0, 91, 10)
    for time_s in TIMES_S
)
"""Rows of nucleation temperature; in a row, growth falls from it by up to 90 °C; last, the residence time."""
FAMILY: Final = "CdSe-437"

EXPOSURE_MS: Final = 100.0
AVERAGES: Final = 5
_FRAME_S = 0.01

_BASE = "palencia2020"
_LOG10_K0_SD, _ENERGY_SD = 0.3, 0.08
_FEED = (0.7, 1.4)
_SHARE = (0.08, 0.8)
_SAMPLE = np.random.default_rng(0).permutation(len(CELLS))[:60]
_MOST_DRAWS = 200


@dataclass(frozen=True)
class Truth:
    """Without noise, in the order of the cells; each of shape (600,).

    Attributes
    ----------
    ratio_437 : ndarray
        Height of CdSe-437 over nanocrystals, CdSe-465 and floor.
    height_437 : ndarray
        Height of CdSe-437 over the height at full conversion.
    nc_wavelength_nm : ndarray
        First maximum of the nanocrystals, nm; NaN where there are none.
    """

    ratio_437: NDArray[np.float64]
    height_437: NDArray[np.float64]
    nc_wavelength_nm: NDArray[np.float64]

    @property
    def accumulated(self) -> NDArray[np.bool_]:
        """Where CdSe-437 is accumulated, shape (600,)."""
        return self.ratio_437 >= ACCUMULATED_RATIO

    @property
    def absent(self) -> NDArray[np.bool_]:
        """Where CdSe-437 is absent, shape (600,); where it is neither, scores leave a cell out."""
        return self.ratio_437 <= ABSENT_RATIO

    def balanced_accuracy(self, accumulated: NDArray[np.bool_]) -> float:
        """Mean of the shares of accumulated and of absent cells that a map, shape (600,), has right."""
        right = [float(np.mean(accumulated == sign, where=of)) for of, sign in self._classes if of.any()]
        return float(np.mean(right))

    @property
    def _classes(self) -> tuple[tuple[NDArray[np.bool_], bool], ...]:
        return (self.accumulated, True), (self.absent, False)


class World:
    """A scenario on the grid.

    Parameters
    ----------
    scenario : str or Scenario
        Name or path of a scenario, or one itself.
    folder : Path, optional
        Where measurements and truth are kept; a folder of its own below the system's temporary one without it.

    Attributes
    ----------
    cells : list of Condition
        The 600 conditions, :data:`CELLS`.
    full_conversion_height : float
        From feed and optical path, which are settings of the lab and no secret of the chemistry.
    """

    def __init__(self, scenario: str | Scenario, folder: Path | None = None) -> None:
        self.scenario = load_scenario(scenario) if isinstance(scenario, str) else scenario
        self.cells = list(CELLS)
        self._path_cm = self.scenario.spectra.path_mm / 10.0
        self.full_conversion_height = built_in_families().material.full_conversion_height(
            self.scenario.precursor.cd_mol_l, self._path_cm
        )
        # An average of spectra is one spectrum with as many times the electrons a count, and less read noise; one call
        # of `measure` for each would average the lamp's drift too, which is the same for all.
        lab = self.scenario.detector
        averaged = lab.model_copy(
            update={
                "electrons_per_count": lab.electrons_per_count * AVERAGES,
                "read_noise_counts": lab.read_noise_counts / math.sqrt(AVERAGES),
            }
        )
        self._lab = self.scenario.model_copy(update={"detector": averaged})
        self._store = Store((folder or Path(tempfile.gettempdir()) / "advisor_worlds") / "worlds.sqlite")
        self._key = f"{code_version()} {self.scenario.model_dump_json()}"

    @cached_property
    def truth(self) -> Truth:
        """What scoring compares with; 3 ms a cell the first time."""
        rows = self._store.get(f"{self._key} truth", lambda: [self._true(cell) for cell in self.cells])
        return Truth(*np.array(rows, float).T)

    def measure(self, condition: Condition, seed: int) -> dict[str, float]:
        """The outcome record of one spectrum, as `uvvis.outcome` flattens it; the same for the same seed."""
        cell = f"{condition.as_dict()} {seed}"
        return self._store.get(f"{self._key} {cell}", lambda: self._measured(condition, _seed(cell)))

    def _true(self, cell: Condition) -> tuple[float, float, float]:
        true = noise_free(self.scenario, cell.as_dict())
        height = true["heights"].get(FAMILY, 0.0) / self.full_conversion_height
        return true["ratio_437"], height, true["nc_wavelength_nm"]

    def _measured(self, condition: Condition, seed: int) -> dict[str, float]:
        raw = measure(self._lab, condition.as_dict(), seed, EXPOSURE_MS, frame_exposure_s=_FRAME_S)
        saturation = self.scenario.detector.saturation_counts
        absorbance = uvvis.absorbance(raw.counts, raw.dark, raw.reference, saturation=saturation)
        result = uvvis.analyse(raw.wavelength_nm, absorbance, path_length_cm=self._path_cm)
        return uvvis.outcome(result, full_conversion_height=self.full_conversion_height)


def random_scenario(seed: int) -> Scenario:
    """Another chemistry: ``palencia2020`` with every rate, energy and solubility and the feed changed at random.

    Each step's and the crystals' log₁₀ k₀ and log₁₀ c₀ by a normal of σ 0.3, each energy by 8 % (σ), the feed of both
    precursors by a common factor of 0.7 to 1.4 (log-uniform). As constants are in units of the feed, they are converted
    to the new one: without, another feed would be another scale of absorbance and nothing more. Draws are repeated
    until CdSe-437 is accumulated in 8 to 80 % of the cells, judged by 60 of them.

    Raises
    ------
    RuntimeError
        No such chemistry in 200 draws.
    """
    rng = np.random.default_rng(seed)
    for _ in range(_MOST_DRAWS):
        scenario = _drawn(f"random-{seed}", rng)
        try:
            ratios = [noise_free(scenario, CELLS[k].as_dict())["ratio_437"] for k in _SAMPLE]
        except RuntimeError:  # a chemistry so stiff that the twin gives up
            continue
        if _SHARE[0] <= np.mean(np.array(ratios) >= ACCUMULATED_RATIO) <= _SHARE[1]:
            return scenario
    raise RuntimeError(f"seed {seed}: none of {_MOST_DRAWS} chemistries accumulates {FAMILY} in {_SHARE} of the cells")


def _drawn(name: str, rng: np.random.Generator) -> Scenario:
    base = load_scenario(_BASE)
    factor = float(np.exp(rng.uniform(*np.log(_FEED))))
    feed = math.log10(factor)

    def log10(value: float, order: float) -> float:
        """Of a constant in concentration^-order, in units of the new feed."""
        return value + rng.normal(0.0, _LOG10_K0_SD) + order * feed

    def energy(value: float) -> float:
        return value * (1.0 + rng.normal(0.0, _ENERGY_SD))

    tables: dict[str, dict[str, Any]] = {
        "precursor": {key: value * factor for key, value in base.precursor.model_dump().items()}
    }
    for step_name, step in base.chemistry.steps.items():
        tables[f"chemistry.steps.{step_name}"] = {
            "log10_k0": log10(step.log10_k0, _order(step) - 1.0),
            "energy_kj_mol": energy(step.energy_kj_mol),
        }
        if step.reverse is not None:
            tables[f"chemistry.steps.{step_name}.reverse"] = {
                "log10_c0": log10(step.reverse.log10_c0, -1.0),
                "energy_kj_mol": energy(step.reverse.energy_kj_mol),
            }
    crystals = base.chemistry.nanocrystals
    tables["chemistry.nanocrystals"] = {
        "log10_growth0": log10(crystals.log10_growth0, 1.0),
        "growth_energy_kj_mol": energy(crystals.growth_energy_kj_mol),
        "log10_solubility0": log10(crystals.log10_solubility0, -1.0),
        "solubility_energy_kj_mol": energy(crystals.solubility_energy_kj_mol),
    }
    lines = [f'base = "{_BASE}"', f'name = "{name}"', 'title = "A chemistry drawn at random"']
    for table, values in tables.items():
        lines += [f"[{table}]", *(f"{key} = {value!r}" for key, value in values.items())]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / f"{name}.toml"
        file.write_text("\n".join(lines), encoding="utf-8")
        return load_scenario(file)


def _order(step: ReactionStep) -> float:
    return sum((step.orders or step.reactants).values())


def _seed(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")


@lru_cache
def code_version() -> str:
    """Hash of the code that a measurement or the truth depends on."""
    twin, analysis = (Path(next(iter(package.__path__))) for package in (ioc_sim, msc_plans.analysis))
    files = [Path(__file__), twin / "bench.py", *(twin / "physics").iterdir(), *analysis.iterdir()]
    digest = hashlib.sha256()
    for file in sorted(file for file in files if file.suffix in {".py", ".json"}):
        digest.update(file.name.encode() + file.read_bytes())
    return digest.hexdigest()


class Store:
    """Values by key in one file that several processes may use."""

    def __init__(self, file: Path) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(file, timeout=60.0, isolation_level=None)
        self._db.execute("CREATE TABLE IF NOT EXISTS kept (key TEXT PRIMARY KEY, value TEXT)")

    def get(self, key: str, make: Callable[[], Any]) -> Any:
        """The value kept under a key, made and kept if there is none."""
        short = hashlib.sha256(key.encode()).hexdigest()
        row = self._db.execute("SELECT value FROM kept WHERE key = ?", (short,)).fetchone()
        if row is None:
            row = (json.dumps(make()),)
            self._db.execute("INSERT OR REPLACE INTO kept VALUES (?, ?)", (short, *row))
        return json.loads(row[0])
