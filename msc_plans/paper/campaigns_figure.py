"""The figure that sets adaptive campaigns beside the grid."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from msc_plans.analysis.accumulation import ACCUMULATED_RATIO
from msc_plans.paper.claims.claims import AnalysedRun
from msc_plans.paper.claims.optical import GRID_S

__all__ = ["retelling_figure"]

_COLOURS = {"map": "#c0392b", "discriminate": "#2a9d5c"}


def retelling_figure(
    grid: Sequence[AnalysedRun], campaigns: Mapping[str, Sequence[AnalysedRun]], cells: Sequence[Mapping[str, Any]]
) -> Figure | None:
    """Draw the ratio of CdSe-437 over temperature at 14 s with equal ovens; None where no campaign measured any.

    Parameters
    ----------
    grid : sequence of AnalysedRun
        The row of Fig. 1 with equal ovens.
    campaigns : mapping
        Records by goal.
    cells : sequence of mappings
        With ``celsius`` and, where nothing was measured, ``predicted_ratio``.
    """
    figure = Figure(figsize=(9.0, 4.6), layout="constrained")
    axes, drawn = figure.subplots(), False
    _points(axes, grid, 0.0, color="#555555", marker="s", label=f"grid ({len(grid)})")
    for step, (goal, records) in enumerate(campaigns.items(), 1):
        row = [one for one in records if _in_row(one)]
        if row:
            drawn = True
            _points(axes, row, 1.2 * step, color=_COLOURS[goal], marker="o", label=f"campaign, {goal} ({len(row)})")
    predicted = [(one["celsius"], one["predicted_ratio"]) for one in cells if "predicted_ratio" in one]
    if predicted:
        x, y = zip(*predicted, strict=True)
        axes.plot(x, y, "D", mfc="none", color=_COLOURS["map"], label="campaign, map: predicted")
    axes.axhline(ACCUMULATED_RATIO, color="black", lw=0.8, ls="--")
    axes.axhline(0.0, color="grey", lw=0.5)
    axes.set(xlabel="temperature of both ovens / °C", ylabel="437 nm / (NC + 465 nm + floor)", ylim=(-0.06, 0.3))
    axes.legend(fontsize=8)
    return figure if drawn else None


def _in_row(record: AnalysedRun) -> bool:
    asked = record.condition
    return (
        asked is not None
        and asked.nucleation_temperature == asked.growth_temperature
        and asked.residence_time == GRID_S
        and "uvvis" in record.results
    )


def _points(axes: Any, records: Sequence[AnalysedRun], shift: float, **style: Any) -> None:
    keys = ("CdSe-437_ratio", "CdSe-437_ratio_sigma")
    found = [
        (one.condition.growth_temperature + shift, *(one.number("uvvis", key) for key in keys))
        for one in records
        if one.condition is not None
    ]
    if found:
        x, y, sigma = map(np.array, zip(*found, strict=True))
        axes.errorbar(x, y, np.minimum(2.0 * sigma, 1.0), ls="", ms=5, capsize=2, lw=1.0, **style)
