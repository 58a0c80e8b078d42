"""The paper's grid beside the campaigns: what each concludes, what it took, and where they disagree."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from msc_plans.advisor.cost import Cost, CostModel
from msc_plans.analysis.accumulation import CERTAIN, accumulated_probability
from msc_plans.condition import Condition
from msc_plans.paper.claims.claims import AnalysedRun
from msc_plans.paper.claims.optical import GRID_S, TIMES_S
from msc_plans.paper.claims.window import Edge, window_edges
from msc_plans.paper.records import Archive

__all__ = ["compared", "grid_of"]

_RATIO = ("CdSe-437_ratio", "CdSe-437_ratio_sigma")


def grid_of(archive: Archive) -> dict[str, list[AnalysedRun]]:
    """Return the paper's conditions that were measured with spectra, by what they are, in the order of measurement."""
    spectra = [one for one in archive.records.all if one.condition and not one.fraction and "uvvis" in one.results]
    figure_1 = [one for one in spectra if _condition(one).residence_time == GRID_S]
    times = [one for one in spectra if _condition(one).residence_time in TIMES_S and _equal(one)]
    return {
        "Fig. 1, whole": figure_1,
        "Fig. 1, ovens equal": [one for one in figure_1 if _equal(one)],
        "Figs. S2 and S3": times,
    }


def _condition(record: AnalysedRun) -> Condition:
    assert record.condition is not None
    return record.condition


def _equal(record: AnalysedRun) -> bool:
    condition = _condition(record)
    return condition.nucleation_temperature == condition.growth_temperature


def compared(archive: Archive, by_grid: Sequence[Mapping[str, Any]], by_campaigns: Sequence[Mapping[str, Any]]) -> Any:
    """Return the comparison, plain; None where no campaign was run.

    Parameters
    ----------
    archive : Archive
        What is stored.
    by_grid, by_campaigns : sequences of mappings
        Mechanisms in each of the paper's ranges, from `mechanisms`.
    """
    if not archive.campaigns:
        return None
    cells = _cells(archive)
    row, found = _edges(grid_of(archive)["Fig. 1, ovens equal"]), _edges(_at_grid_time(archive))
    return {
        "conclusions": {
            goal: {
                "conditions": len(records),
                "finished": goal in archive.conclusions,
                **_told(archive.conclusions.get(goal, {})),
            }
            for goal, records in archive.campaigns.items()
        },
        "edges": {"grid": [asdict(one) for one in row], "adaptive": [asdict(one) for one in found]},
        "cells": cells,
        "regimes": list(by_campaigns),
        "costs": _costs(archive),
        "disagreements": [
            *_edges_apart(row, found),
            *[one["disagreement"] for one in cells if one["disagreement"]],
            *_ranges_apart(by_grid, by_campaigns),
        ],
    }


def _told(conclusion: Mapping[str, Any]) -> dict[str, Any]:
    told: dict[str, Any] = {name: str(conclusion[name]) for name in ("stopped", "alarm") if name in conclusion}
    return told | {name: json.loads(conclusion[name]) for name in ("mechanisms", "steps") if name in conclusion}


def _at_grid_time(archive: Archive) -> list[AnalysedRun]:
    """What campaigns measured of the row of Fig. 1 with equal ovens."""
    every = [one for records in archive.campaigns.values() for one in records if "uvvis" in one.results]
    return [one for one in every if _condition(one).residence_time == GRID_S and _equal(one)]


def _edges(records: Sequence[AnalysedRun]) -> list[Edge]:
    return window_edges(
        (_condition(one).growth_temperature, one.number("uvvis", _RATIO[0]), one.number("uvvis", _RATIO[1]))
        for one in records
    )


def _cells(archive: Archive) -> list[dict[str, Any]]:
    """Each temperature of the row of Fig. 1 with equal ovens, by the grid and by the campaign that maps it."""
    conclusion = archive.conclusions.get("map", {})
    if "cell_celsius" not in conclusion:
        return []
    measured = {_condition(one).growth_temperature: one for one in _at_grid_time(archive)}
    columns = [map(float, conclusion[f"cell_{name}"]) for name in ("celsius", "probability", "ratio")]
    cells = []
    for celsius, believed, predicted in zip(*columns, strict=True):
        by_grid, by_campaign = archive.records.both(celsius, GRID_S), measured.get(celsius)
        cell: dict[str, Any] = {"celsius": celsius, "disagreement": ""}
        for name, record in (("grid", by_grid), ("adaptive", by_campaign)):
            keys = (*_RATIO, "CdSe-437_probability")
            ratio, sigma, there = (math.nan if record is None else record.number("uvvis", key) for key in keys)
            seen = accumulated_probability(ratio, sigma, there=there) if math.isfinite(ratio + sigma) else math.nan
            cell |= {f"{name}_ratio": ratio, f"{name}_ratio_sigma": sigma, f"{name}_probability": seen}
        if by_campaign is None:
            cell |= {"adaptive_probability": believed, "predicted_ratio": predicted}
        words = [_word(cell[f"{name}_probability"]) for name in ("grid", "adaptive")]
        cell |= {"grid": words[0], "adaptive": words[1]}
        if {"accumulated", "not accumulated"} == set(words):
            how = "measured" if by_campaign else "predicted"
            cell["disagreement"] = f"{celsius:g} °C: {words[0]} by the grid, {words[1]} by the campaign ({how})"
        cells.append(cell)
    return cells


def _word(probability: float) -> str:
    if not math.isfinite(probability):
        return "not measured"
    if probability >= CERTAIN:
        return "accumulated"
    return "not accumulated" if probability <= 1 - CERTAIN else "undecided"


def _edges_apart(grid: Sequence[Edge], campaign: Sequence[Edge]) -> list[str]:
    if not grid or not campaign:
        return []
    said = []
    for begins, word in ((True, "begins"), (False, "ends")):
        ours, theirs = ([one for one in edges if one.begins == begins] for edges in (campaign, grid))
        if len(ours) != len(theirs):
            edge = "lower" if begins else "upper"
            said.append(f"{edge} edges of the window: {len(theirs)} by the grid, {len(ours)} by the campaigns")
            continue
        for a, b in zip(theirs, ours, strict=True):
            if not a.agrees(b):
                said.append(
                    f"the window {word} at {a.celsius:.1f} ± {a.sigma:.1f} °C by the grid, "
                    f"at {b.celsius:.1f} ± {b.sigma:.1f} °C by the campaign"
                )
    return said


def _ranges_apart(grid: Sequence[Mapping[str, Any]], campaigns: Sequence[Mapping[str, Any]]) -> list[str]:
    """Ranges of which each is told another mechanism as the most probable one."""
    said = []
    for a, b in zip(grid, campaigns, strict=True):
        if "probabilities" not in a or "probabilities" not in b:
            continue
        best = [max(one["probabilities"].items(), key=lambda item: item[1]) for one in (a, b)]
        if best[0][0] != best[1][0]:
            words = [f"{name} ({share:.2f}) by the {who}" for (name, share), who in zip(best, _WHO, strict=True)]
            said.append(f"{a['range']}: most probable is {words[0]}, {words[1]}")
    return said


_WHO = ("grid", "campaigns")


def _costs(archive: Archive) -> list[dict[str, Any]]:
    """What each took: by the cost model at the reactor's own pace, and as it was run."""
    told = archive.told.get("cost")
    model = CostModel(**told) if told else None
    ways = {**grid_of(archive), **{f"adaptive, {goal}": list(found) for goal, found in archive.campaigns.items()}}
    rows = []
    for name, records in ways.items():
        if not records:
            continue
        row: dict[str, Any] = {"way": name, "conditions": len(records)}
        if model is not None:
            total, place = Cost(0.0, 0.0), None
            for one in records:
                total, place = total + model.cost(place, _condition(one)), _condition(one)
            row |= {"hours": total.seconds / 3600.0, "mixture_ml": total.microlitres / 1e3}
        if name in archive.used:
            used = archive.used[name]
            row |= {"run_hours": used.seconds / 3600.0, "run_mixture_ml": used.mixture_ml}
        rows.append(row)
    return rows
