"""The experiments of the paper: which conditions its claims and figures need, and the plans that measure them."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from msc_plans.condition import Condition
from msc_plans.paper.claims.claims import CLAIMS, AnalysedRun
from msc_plans.paper.claims.optical import GRID_NUCLEATION, GRID_OFFSETS, GRID_S, SHORT_C, TIMES_S
from msc_plans.paper.claims.xray import FIGURE_2
from msc_plans.vocabulary import FRACTIONS

__all__ = ["ADAPTIVE", "FIGURES", "NeededRuns", "chosen", "needs_of", "plans_for"]

ADAPTIVE = "adaptive"
"""How the adaptive retelling is called by ``--only``."""
FIGURES = ("F1", "F2", "F3", "F4", "S2", "S3")
LIQUIDS = ("Mixture", "Cd only", "Se only")
CELL_C = (25.0, 50.0, 100.0)

_GRID = {Condition(n, n + offset, GRID_S) for n in GRID_NUCLEATION for offset in GRID_OFFSETS}
_EQUAL = {Condition(n, n, GRID_S) for n in GRID_NUCLEATION}


def _both(*pairs: tuple[float, float]) -> set[Condition]:
    return {Condition(celsius, celsius, seconds) for celsius, seconds in pairs}


_SHORT = _both(*((t, 4.5) for t in SHORT_C))
_DENSITY = _both(*((t, s) for t in SHORT_C for s in TIMES_S))
_UVVIS = {
    "F1": _GRID,
    "S2": _SHORT,
    "S3": _DENSITY,
    "F1-window": _EQUAL,
    "F1-rows": _GRID,
    "F1-static": _GRID,
    "F1-grow": _GRID,
    "S2-short": _SHORT,
    "S3-density": _DENSITY,
    "K-persist": _both((280, 4.5), (280, 14), (350, 4.5), (350, 14)),
    "K-shift": _both((280, 4.5), (280, 14)),
    "K-final": _both((350, 7.6)),
    "K-slow": _both((260, 4.5), (260, 14)),
}
_SAXS = {Condition(n, growth, seconds) for n, growth, seconds in FIGURE_2}


@dataclass(frozen=True)
class NeededRuns:
    """What is to be measured."""

    uvvis: frozenset[Condition] = frozenset()
    """Spectra."""
    saxs: frozenset[Condition] = frozenset()
    """Spectra and frames."""
    precursors: frozenset[tuple[str, float]] = frozenset()
    """Liquid and temperature of the SAXS cell, °C."""
    fractions: frozenset[str] = frozenset()
    goals: frozenset[str] = frozenset()
    """Goals of adaptive campaigns."""

    def __len__(self) -> int:
        """Return the number of runs."""
        return len(self.uvvis) + len(self.saxs) + len(self.precursors) + len(self.fractions)

    def without(
        self, records: Iterable[AnalysedRun], goals: Collection[str] = (), *, analysed: bool = True
    ) -> "NeededRuns":
        """Return what is left when these are measured and analysed, and these campaigns at their end.

        With ``analysed`` false it is enough that they are measured: their analyses may be under way.
        """
        if not analysed:
            records = [replace(one, results={"uvvis": {}, "saxs": {}}) for one in records]
        records = [one for one in records if one.results]
        spectra = [one for one in records if "uvvis" in one.results]
        conditions = {one.condition for one in spectra if not one.fraction}
        framed = {one.condition for one in spectra if "saxs" in one.results}
        return NeededRuns(
            self.uvvis - conditions,
            self.saxs - framed,
            self.precursors - {(one.liquid, one.cell_c) for one in records},
            self.fractions - {one.fraction for one in spectra},
            self.goals - set(goals),
        )


def needs_of(only: Collection[str]) -> NeededRuns:
    """Return what claims and figures need; none named: all of them."""
    named = set(only) or {*FIGURES, *(claim.name for claim in CLAIMS), ADAPTIVE}
    uvvis = set().union(*(conditions for name, conditions in _UVVIS.items() if name in named))
    sizes = bool(named & {"F2", "F2-steps", "X-agree"})
    fractions = bool(named & {"F4", "F4-sizes", "X-agree"})
    precursors = bool(named & {"F3", "F3-lamellae", "F3-origin"})
    return NeededRuns(
        frozenset(uvvis),
        frozenset(_SAXS if sizes else ()),
        frozenset((liquid, t) for liquid in LIQUIDS for t in CELL_C) if precursors else frozenset(),
        frozenset(FRACTIONS if fractions else ()),
        frozenset(("map", "discriminate") if ADAPTIVE in named else ()),
    )


def chosen(only: Collection[str]) -> tuple[list[str], list[str]]:
    """Return the claims and the figures that were asked for; a figure brings its claims with it."""
    if not only:
        return [claim.name for claim in CLAIMS], list(FIGURES)
    claims = [claim.name for claim in CLAIMS if claim.name in only or claim.figure in only]
    return claims, [figure for figure in FIGURES if figure in only]


def plans_for(
    needs: NeededRuns, plans: Mapping[str, Any], devices: Any, md: Mapping[str, Any]
) -> Iterator[tuple[str, Any]]:
    """Yield the plans that measure what is needed, each with words of what it does; the cold ones come first.

    Parameters
    ----------
    needs : NeededRuns
        What is left to measure.
    plans : mapping
        Plans by name.
    devices : Session
        Has ``reactor``, ``spectrometer`` and ``saxs``.
    md : mapping
        Goes into every start document.
    """
    reactor, spectrometer, saxs = devices.reactor, devices.spectrometer, devices.saxs
    common = {"refills": "draw", "md": dict(md)}
    if needs.precursors or needs.saxs:
        yield "solvent, for the background of the frames", plans["saxs_calibrate"](reactor, saxs, md=dict(md))
    for liquid in LIQUIDS:
        temperatures = sorted(t for name, t in needs.precursors if name == liquid)
        if temperatures:
            yield (
                f"Fig. 3: {liquid} at {_listed(temperatures)} °C",
                plans["mesophase_scan"](reactor, saxs, liquids=[liquid], cell_temperatures=temperatures, md=dict(md)),
            )
    if needs.fractions:
        names = [name for name in FRACTIONS if name in needs.fractions]
        yield "Fig. 4: fractions", plans["measure_fractions"](reactor, spectrometer, fractions=names, md=dict(md))
    for (growth, seconds), nucleation in _grouped(
        needs.saxs, lambda one: (one.growth_temperature, one.residence_time), "nucleation_temperature"
    ):
        yield (
            f"Fig. 2: {len(nucleation)} nucleation temperatures with SAXS",
            plans["nucleation_temperature_scan"](
                reactor, spectrometer, nucleation, seconds, growth, saxs=saxs, **common
            ),
        )
    grid = {one for one in needs.uvvis if one.residence_time == GRID_S}
    equal = _grouped(needs.uvvis - grid, lambda one: one.nucleation_temperature, "residence_time")
    for celsius, times in equal:
        yield (
            f"Figs. S2 and S3: {_listed(times)} s at {celsius:g} °C",
            plans["residence_time_scan"](reactor, spectrometer, times, celsius, **common),
        )
    for offsets, rows in _rows(grid).items():
        yield (
            f"Fig. 1: {len(rows)} nucleation by {len(offsets)} growth temperatures",
            plans["growth_temperature_scan"](reactor, spectrometer, rows, list(offsets), GRID_S, **common),
        )


def _listed(values: Iterable[float]) -> str:
    return ", ".join(f"{value:g}" for value in values)


def _grouped(conditions: Iterable[Condition], key: Any, axis: str) -> list[tuple[Any, list[float]]]:
    groups: dict[Any, list[float]] = {}
    for one in sorted(conditions):
        groups.setdefault(key(one), []).append(getattr(one, axis))
    return list(groups.items())


def _rows(grid: Iterable[Condition]) -> dict[tuple[float, ...], list[float]]:
    """Nucleation temperatures by the offsets that are wanted of them, °C and K."""
    offsets: dict[float, list[float]] = {}
    for one in sorted(grid, reverse=True):
        offsets.setdefault(one.nucleation_temperature, []).append(one.growth_temperature - one.nucleation_temperature)
    rows: dict[tuple[float, ...], list[float]] = {}
    for nucleation, wanted in offsets.items():
        rows.setdefault(tuple(wanted), []).append(nucleation)
    return rows
