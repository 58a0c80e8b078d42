"""Optimisers to compare an advisor with, on the cells of a world (`_advisor_worlds.py`).

All share one interface, that of :class:`Peer`. None of them knows chemistry: they see conditions and what a spectrum
gave. scikit-learn, Ax and torch are imported by the classes that need them (extra ``bench``).
"""

import logging
import math
import warnings
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any, ClassVar, Final, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.stats import qmc

from msc_plans.analysis.accumulation import ABSENT_RATIO, ACCUMULATED_RATIO
from msc_plans.condition import Condition

Goal = Literal["map", "height"]
Array = NDArray[np.float64]
Labels = NDArray[np.bool_]

_RATIO, _HEIGHT = "CdSe-437_ratio", "CdSe-437_height"
_OFFSET = 0.005
_LEVEL: Final = math.log(math.sqrt(ABSENT_RATIO * ACCUMULATED_RATIO) + _OFFSET)
"""Where accumulated begins for peers, on the scale of :func:`_level`: halfway between the two words' thresholds."""
_FIRST = 5
_STRADDLE = 1.96
_RESTARTS = 2


class Peer:
    """The interface, and what is common.

    Parameters
    ----------
    cells : sequence of Condition
        What may be measured, in the order of the maps.
    seed : int
        Of what is drawn at random.
    """

    name: ClassVar[str]

    def __init__(self, cells: Sequence[Condition], seed: int = 0) -> None:
        self.cells = list(cells)
        self.seed = seed
        self._index = {cell: k for k, cell in enumerate(self.cells)}
        self._scaled = _scaled(self.cells)
        self._measured: list[int] = []
        self._levels: list[float] = []
        self._heights: list[float] = []

    def suggest(self) -> Condition:
        """The condition to measure next; without a measurement between, the same again."""
        raise NotImplementedError

    def ingest(self, condition: Condition, record: Mapping[str, float]) -> None:
        """Take the outcome record of a cell, suggested or not."""
        self._measured.append(self._index[condition])
        self._levels.append(_level(record))
        self._heights.append(float(record[_HEIGHT]))

    def classify(self) -> Labels:
        """True where CdSe-437 is held to be accumulated, shape (cells,)."""
        raise NotImplementedError

    def best(self) -> Condition:
        """The measured cell with the largest height of CdSe-437."""
        return self.cells[self._measured[int(np.argmax(self._heights))]]

    def _open(self) -> NDArray[np.intp]:
        """Indices of the cells not measured yet."""
        left = np.setdiff1d(np.arange(len(self.cells)), self._measured)
        if not left.size:
            raise RuntimeError("all cells are measured: nothing is left to suggest")
        return left

    def _gaussian_process(self) -> tuple[Array, Array]:
        """Mean and σ of the level in all cells, each of shape (cells,)."""
        if not self._measured:
            return np.full(len(self.cells), -np.inf), np.ones(len(self.cells))
        return _posterior(self._scaled[self._measured], np.array(self._levels), self._scaled, self.seed)


class GridOrder(Peer):
    """Measures the cells in the order of a scan; each cell is as the nearest measured one."""

    name = "grid order"

    def suggest(self) -> Condition:
        return self.cells[self._open()[0]]

    def classify(self) -> Labels:
        if not self._measured:
            return np.zeros(len(self.cells), bool)
        apart = np.linalg.norm(self._scaled[:, None] - self._scaled[self._measured], axis=2)
        return (np.array(self._levels) > _LEVEL)[np.argmin(apart, axis=1)]


class AllAbsent(GridOrder):
    """Says that the family is nowhere, whatever it measures: what a score is worth without knowledge."""

    name = "all absent"

    def classify(self) -> Labels:
        return np.zeros(len(self.cells), bool)


class Sobol(Peer):
    """Scrambled Sobol points, each at the nearest cell not measured yet; classifies by a Gaussian process."""

    name = "Sobol"

    def __init__(self, cells: Sequence[Condition], seed: int = 0) -> None:
        super().__init__(cells, seed)
        self._box = _box(self.cells)
        with warnings.catch_warnings():  # its balance wants a power of two; here points are taken one by one
            warnings.simplefilter("ignore", UserWarning)
            self._points = qmc.Sobol(3, rng=np.random.default_rng(seed)).random(len(self.cells))

    def suggest(self) -> Condition:
        left = self._open()
        apart = np.linalg.norm(self._box[left] - self._points[len(self._measured)], axis=1)
        return self.cells[left[np.argmin(apart)]]

    def classify(self) -> Labels:
        return self._gaussian_process()[0] > _LEVEL


class LevelSet(Sobol):
    """Five Sobol points, then the straddle heuristic: the largest 1.96 σ − \\|μ − level\\| of a Gaussian process.

    B. Bryan et al., *Active learning for identifying function threshold boundaries*, NIPS 2005.
    """

    name = "level set"

    def suggest(self) -> Condition:
        if len(self._measured) < _FIRST:
            return super().suggest()
        left = self._open()
        mean, sigma = self._gaussian_process()
        return self.cells[left[np.argmax((_STRADDLE * sigma - np.abs(mean - _LEVEL))[left])]]


class AxPeer(Peer):
    """The optimiser that bluesky-adaptive comes with, `AxOptimizer`: Ax's five first points, then its surrogate.

    For a map it learns the level of :func:`_level`, and asks where the variance left in all cells becomes least
    (botorch's ``qNegIntegratedPosteriorVariance``), as Ax has no acquisition for level sets; cells are classified by
    the mean of its surrogate, or as by `Sobol` before it has one. For the largest height it is as it comes.

    Ax rounds constrained whole numbers at random, in the order of a set of names: the same seed gives the same points
    only with the same ``PYTHONHASHSEED``.

    Parameters
    ----------
    goal : {"map", "height"}
        What to learn.
    """

    name = "Ax"

    def __init__(self, cells: Sequence[Condition], seed: int = 0, goal: Goal = "map") -> None:
        super().__init__(cells, seed)
        bluesky, ax = _needed("bluesky_adaptive.ax.optimizer"), _needed("ax")
        _needed("ax.utils.common.logger").set_ax_logger_levels(logging.WARNING)
        self._goal: Goal = goal
        rows = [self._parameters(cell) for cell in self.cells]
        drops = [row["nucleation"] - row["growth"] for row in rows]
        # whole tens: Ax applies constraints between parameters with a step size to their ranks, not to their values
        temperatures = [
            ax.RangeParameterConfig(name=name, bounds=self._bounds([row[name] for row in rows]), parameter_type="int")
            for name in ("nucleation", "growth")
        ]
        times = sorted({row["time"] for row in rows})
        time = ax.ChoiceParameterConfig(name="time", values=times, parameter_type="float", is_ordered=True)
        self._ax = bluesky.AxOptimizer(
            [*temperatures, time],
            goal,
            parameter_constraints=[f"nucleation - growth <= {max(drops)}", f"growth - nucleation <= {-min(drops)}"],
            client_kwargs={"random_seed": seed},
        )
        self._asked: tuple[Condition, Mapping[str, Any]] | None = None
        if goal == "map":
            self._ax.ax_client.set_generation_strategy(self._variance_seeking())

    def suggest(self) -> Condition:
        if self._asked is None:
            (point,) = self._ax.suggest()
            self._asked = Condition(10.0 * point["nucleation"], 10.0 * point["growth"], point["time"]), point
        return self._asked[0]

    def ingest(self, condition: Condition, record: Mapping[str, float]) -> None:
        super().ingest(condition, record)
        point = self._parameters(condition) | {self._goal: (self._levels if self._goal == "map" else self._heights)[-1]}
        if self._asked is not None:
            asked, suggestion = self._asked
            if asked == condition:
                point["_id"] = suggestion["_id"]
            else:
                self._ax.register_failures([suggestion])
        self._ax.ingest([point])
        self._asked = None

    def classify(self) -> Labels:
        if self._goal != "map":
            raise ValueError("this optimiser learns heights: make one with goal='map' to classify")
        self.suggest()  # fits the surrogate to all there is
        try:
            predicted = self._ax.ax_client.predict([self._parameters(cell) for cell in self.cells])
        except _needed("ax.exceptions.core").UnsupportedError:  # no surrogate before its first points are measured
            return self._gaussian_process()[0] > _LEVEL
        return np.array([row[self._goal][0] for row in predicted]) > _LEVEL

    def _variance_seeking(self) -> Any:
        dispatch, structs = (_needed(f"ax.api.utils.{part}") for part in ("generation_strategy_dispatch", "structs"))
        return dispatch.choose_generation_strategy(
            structs.GenerationStrategyDispatchStruct(method="fast", initialization_random_seed=self.seed),
            botorch_acqf_class=_needed("botorch.acquisition.active_learning").qNegIntegratedPosteriorVariance,
        )

    @staticmethod
    def _parameters(cell: Condition) -> dict[str, Any]:
        tens = {"nucleation": cell.nucleation_temperature, "growth": cell.growth_temperature}
        return {name: round(value / 10.0) for name, value in tens.items()} | {"time": cell.residence_time}

    @staticmethod
    def _bounds(values: Sequence[int]) -> tuple[int, int]:
        return min(values), max(values)


def _level(record: Mapping[str, float]) -> float:
    return math.log(max(float(record[_RATIO]), 0.0) + _OFFSET)


def _scaled(cells: Sequence[Condition]) -> Array:
    """T_nucleation, T_growth and ln time, each over 0 to 1, shape (cells, 3)."""
    return _unit([[c.nucleation_temperature, c.growth_temperature, math.log(c.residence_time)] for c in cells])


def _box(cells: Sequence[Condition]) -> Array:
    """T_nucleation, T_nucleation − T_growth and rank of the time over 0 to 1: a box that the cells fill evenly."""
    times = sorted({c.residence_time for c in cells})
    return _unit(
        [
            [c.nucleation_temperature, c.nucleation_temperature - c.growth_temperature, times.index(c.residence_time)]
            for c in cells
        ]
    )


def _unit(rows: Sequence[Sequence[float]]) -> Array:
    values = np.array(rows, float)
    low, high = values.min(axis=0), values.max(axis=0)
    return (values - low) / np.where(high > low, high - low, 1.0)


def _posterior(at: Array, levels: Array, where: Array, seed: int) -> tuple[Array, Array]:
    """Mean and σ, without the noise of a measurement, of a Gaussian process fitted by marginal likelihood.

    ``at`` (points, 3) and ``where`` (cells, 3) are scaled, ``levels`` (points,).
    """
    gaussian, kernels = (_needed(f"sklearn.gaussian_process{part}") for part in ("", ".kernels"))
    centre, spread = float(levels.mean()), float(levels.std()) or 1.0
    kernel = kernels.ConstantKernel(1.0, (0.05, 20.0)) * kernels.Matern([0.5] * 3, (0.05, 10.0), nu=2.5)
    kernel += kernels.WhiteKernel(0.01, (1e-5, 0.5))
    process = gaussian.GaussianProcessRegressor(kernel, n_restarts_optimizer=_RESTARTS, random_state=seed)
    with warnings.catch_warnings():  # of a hyperparameter at its bound: few points leave some undetermined
        warnings.simplefilter("ignore")
        process.fit(at, (levels - centre) / spread)
        mean, sigma = process.predict(where, return_std=True)
    noise = process.kernel_.k2.noise_level
    return centre + spread * mean, spread * np.sqrt(np.maximum(sigma**2 - noise, 0.0))


def _needed(module: str) -> Any:
    try:
        return import_module(module)
    except ImportError as error:
        raise ImportError(f"this peer needs {module}: pip install 'msc-plans[bench]' ({error})") from error
