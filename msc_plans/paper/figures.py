"""The paper's figures (Palencia et al., *Nanoscale* 2020, 12, 22928), drawn with what was measured."""

import math
from collections.abc import Callable, Mapping
from typing import Final

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from msc_plans.analysis.accumulation import verdict
from msc_plans.paper.claims.claims import AnalysedRun, Records
from msc_plans.paper.claims.optical import (
    FAMILY_NM,
    GRID_NUCLEATION,
    GRID_OFFSETS,
    GRID_S,
    SHORT_C,
    TIMES_S,
    best_fractions,
)
from msc_plans.paper.claims.xray import FIGURE_2, curve_of

__all__ = ["CAPTIONS", "paper_figure"]

_RANGE_NM = (370.0, 650.0)
_TIMES_NOISE = 10.0
_STEP = 1.15
_COLOURS = ("#1f4e99", "#2a9d5c", "#c0392b")

CAPTIONS: Final[Mapping[str, str]] = {
    "F1": "Absorption spectra after 14 s. A panel for each nucleation temperature; its ten growth temperatures from "
    "equal ovens (brown) down in steps of 10 °C (to the blue). Each spectrum is divided by its maximum beyond 395 nm; "
    "those of which that is less than ten times the noise are left out, and counted. "
    "Dashed: CdSe-437 is accumulated (probability 0.95 or more) in at least one spectrum of the panel.",
    "F2": "SAXS after 1.5 s, growth at 230 °C. Left: volume-weighted sizes by the Monte Carlo fit, offset, with the "
    "mean; grey lines at 0.87, 0.94 and 1.02 nm. Right: the scattering curves, offset by factors.",
    "F3": "SAXS before nucleation. Left: the precursor mixture at 25, 50 and 100 °C; right: each precursor alone at "
    "25 °C. Inset: above 1 nm⁻¹, dashed at 1.84 and 3.69 nm⁻¹.",
    "F4": "Absorption spectra of the sample made at 350 °C in 4.5 s (Fi) and its size-selected fractions, each divided "
    "by its maximum.",
    "S2": "Absorption spectra after 4.5 s with equal ovens; dashed lines at the families' places. Left in absorbance, "
    "right divided by the maximum of each beyond 370 nm.",
    "S3": "Absorbance integrated above 350 nm over residence time, equal ovens, with 2 σ.",
}


def paper_figure(name: str, records: Records) -> Figure | None:
    """Draw one of the paper's figures; None where nothing was measured for it.

    Parameters
    ----------
    name : str
        ``F1``, ``F2``, ``F3``, ``F4``, ``S2`` or ``S3``.
    records : Records
        What was measured.
    """
    return _DRAWN[name](records)


def _spectrum(record: AnalysedRun) -> tuple[np.ndarray, np.ndarray]:
    told = record.results["uvvis"]
    return np.asarray(told["wavelength_nm"], float), np.asarray(told["absorbance"], float)


def _plot(axes: Axes, record: AnalysedRun, *, beyond: float, scaled: bool = True, **style: object) -> None:
    x, y = _spectrum(record)
    inside = (x > _RANGE_NM[0]) & (x < _RANGE_NM[1]) & np.isfinite(y)
    x, y = x[inside], y[inside]
    top = float(np.max(y[x > beyond], initial=0.0))
    axes.plot(x, y / top if scaled and top > 0 else y, **style)  # type: ignore[arg-type]


def _figure_1(records: Records) -> Figure | None:
    rows = {n: [records.at(n, n + offset, GRID_S) for offset in GRID_OFFSETS] for n in GRID_NUCLEATION}
    if not any(one for row in rows.values() for one in row):
        return None
    figure = Figure(figsize=(14.0, 6.2), layout="constrained")
    panels = figure.subplots(2, 5, sharex=True, sharey=True)
    for axes, (nucleation, row) in zip(panels.flat, rows.items(), strict=True):
        faint = 0
        for step, record in reversed(list(enumerate(row))):
            if record is not None and _is_faint(record):
                faint += 1
            elif record is not None:
                colour = "#7a4a21" if step == 0 else colormaps["turbo"](0.82 - 0.08 * step)
                _plot(axes, record, beyond=395.0, color=colour, lw=1.6 if step == 0 else 0.9)
        if any(one is not None and _is_accumulated(one) for one in row):
            axes.add_patch(Rectangle((427.0, 0.03), 20.0, 1.0, fill=False, ls="--", ec="black", lw=1.0))
        left_out = ((sum(one is None for one in row), "not measured"), (faint, "too faint"))
        words = ", ".join(f"{number} {why}" for number, why in left_out if number)
        axes.set_title(f"nucleation {nucleation} °C" + (f" ({words})" if words else ""), fontsize=10)
        axes.set(xlim=(385.0, _RANGE_NM[1]), ylim=(-0.05, 1.25))
    figure.supxlabel("wavelength / nm", fontsize=10)
    figure.supylabel("absorbance / its maximum", fontsize=10)
    return figure


def _is_faint(record: AnalysedRun) -> bool:
    """Return whether nothing would be seen but noise: the noise is that from one pixel to the next at the red end."""
    x, y = _spectrum(record)
    inside = (x > 395.0) & (x < _RANGE_NM[1]) & np.isfinite(y)
    red = y[inside & (x > 600.0)]
    if red.size < 10:
        return False
    noise = float(np.median(np.abs(np.diff(red)))) / (0.6745 * math.sqrt(2.0))
    return float(np.quantile(y[inside], 0.98)) < _TIMES_NOISE * noise


def _is_accumulated(record: AnalysedRun) -> bool:
    ratio, sigma, there = (record.number("uvvis", f"CdSe-437_{end}") for end in ("ratio", "ratio_sigma", "probability"))
    return verdict(ratio, sigma, there=there) == "accumulated"


def _figure_2(records: Records) -> Figure | None:
    known = [(t, one) for t, growth, s in FIGURE_2 if (one := records.at(t, growth, s, "saxs")) is not None]
    if not known:
        return None
    figure = Figure(figsize=(12.0, 6.5), layout="constrained")
    left, right = figure.subplots(1, 2)
    for level, (t, record) in enumerate(known):
        told = record.results["saxs"]
        colour = colormaps["viridis"](0.85 * level / max(len(known) - 1, 1))
        radius, volume = (np.asarray(told[key], float) for key in ("radius_nm", "volume_weighted"))
        inside = radius < 1.8
        top = float(np.max(volume[inside], initial=0.0))
        if top > 0 and math.isfinite(record.number("saxs", "mean_radius_nm")):
            left.fill_between(radius[inside], level, level + 0.85 * volume[inside] / top, color=colour, alpha=0.6, lw=0)
            low, high = (record.number("saxs", f"mean_radius_nm_{end}") for end in ("low", "high"))
            left.plot([low, high], [level + 0.1] * 2, color="black", lw=2)
            text = f"mean {record.number('saxs', 'mean_radius_nm'):.2f} ({low:.2f} to {high:.2f}) nm, {told['verdict']}"
        else:
            text = str(told["verdict"])
        box = {"fc": "white", "ec": "none", "alpha": 0.8, "pad": 1}
        left.annotate(text, (1.78, level + 0.62), ha="right", fontsize=8, bbox=box)
        q, y, _ = curve_of(record)
        use = (q > 0.1) & (y > 0)
        right.loglog(q[use], y[use] * 3.0**level, color=colour, lw=1.0, label=f"{t} °C")
    for r in (0.87, 0.94, 1.02):
        left.axvline(r, color="grey", lw=0.7, ls=":")
    left.set(xlim=(0.5, 1.8), ylim=(-0.1, len(known) + 0.1), xlabel="radius / nm")
    left.set_yticks([level + 0.1 for level in range(len(known))], [f"{t} °C" for t, _ in known])
    left.set_ylabel("nucleation: volume-weighted distribution; bar: mean, 95 %")
    right.set(xlabel="q / nm⁻¹", ylabel="intensity / cm⁻¹ (each 3 times the one below)")
    handles, labels = right.get_legend_handles_labels()
    right.legend(handles[::-1], labels[::-1], fontsize=8, title="nucleation")
    return figure


def _figure_3(records: Records) -> Figure | None:
    mixture = [(f"{t:g} °C", records.precursors("Mixture", t)) for t in (25.0, 50.0, 100.0)]
    alone = [(name, records.precursors(f"{name} only", 25.0)) for name in ("Cd", "Se")]
    if not any(one for _, one in mixture + alone):
        return None
    figure = Figure(figsize=(12.0, 5.0), layout="constrained")
    titles = ("Cd and Se precursors mixed", "each precursor alone, 25 °C")
    for axes, title, lines in zip(figure.subplots(1, 2), titles, (mixture, alone), strict=True):
        inset = axes.inset_axes((0.5, 0.5, 0.48, 0.47))
        for colour, (label, record) in zip(_COLOURS, lines, strict=False):
            if record is None:
                continue
            q, y, _ = curve_of(record)
            use = y > 0
            axes.loglog(q[use], y[use], color=colour, lw=1.0, label=label)
            above = (q > 1.0) & (q < 4.6)
            inset.plot(q[above], y[above], color=colour, lw=1.0)
        for place in (1.84, 3.69):
            inset.axvline(place, color="grey", lw=0.7, ls="--")
        inset.tick_params(labelsize=7)
        axes.set(xlabel="q / nm⁻¹", ylabel="intensity / cm⁻¹, solvent subtracted")
        axes.set_title(title, fontsize=10)
        if axes.lines:
            axes.legend(fontsize=8, loc="lower left")
    return figure


def _figure_4(records: Records) -> Figure | None:
    fractions = records.fractions()
    if not fractions:
        return None
    figure = Figure(figsize=(9.0, 5.5), layout="constrained")
    axes = figure.subplots()
    best = best_fractions(records)
    for level, name in enumerate(sorted(fractions, key=lambda one: (one == "Fi", one), reverse=True)):
        record = fractions[name]
        x, y = _spectrum(record)
        inside = (x > _RANGE_NM[0]) & (x < _RANGE_NM[1]) & np.isfinite(y)
        scale = float(np.max(y[inside], initial=1e-6))
        axes.plot(x[inside], y[inside] / scale + _STEP * level, lw=1.2, color=colormaps["viridis"](0.15 * level))
        axes.annotate(name, (_RANGE_NM[1], _STEP * level), (-4, 4), textcoords="offset points", ha="right")
        for family, (where, _) in best.items():
            key = "nc_wavelength_nm" if family == "NC" else f"{family}_wavelength_nm"
            place = record.number("uvvis", key)
            if where == name and math.isfinite(place):
                top = float(np.interp(place, x[inside], y[inside])) / scale + _STEP * level
                axes.plot(place, top, "v", color="black", ms=5)
                axes.annotate(f"{family}: {place:.1f} nm", (place, top), (7, 3), textcoords="offset points", fontsize=8)
    axes.set(xlabel="wavelength / nm", yticks=[], ylabel="absorbance / its maximum (offset)")
    return figure


def _figure_s2(records: Records) -> Figure | None:
    known = [(t, one) for t in SHORT_C if (one := records.both(t, 4.5)) is not None]
    if not known:
        return None
    figure = Figure(figsize=(12.0, 4.5), layout="constrained")
    for axes, scaled in zip(figure.subplots(1, 2), (False, True), strict=True):
        for colour, (t, record) in zip(_COLOURS, known, strict=False):
            _plot(axes, record, beyond=370.0, scaled=scaled, color=colour, lw=1.1, label=f"{t} °C")
        for place in FAMILY_NM.values():
            axes.axvline(place, color="grey", lw=0.7, ls="--")
        axes.set(xlim=_RANGE_NM, xlabel="wavelength / nm", ylabel=f"absorbance{' / its maximum' if scaled else ''}")
        axes.legend(fontsize=9)
    return figure


def _figure_s3(records: Records) -> Figure | None:
    figure = Figure(figsize=(7.0, 4.5), layout="constrained")
    axes, drawn = figure.subplots(), False
    for colour, t in zip(_COLOURS, SHORT_C, strict=True):
        known = [(s, one) for s in TIMES_S if (one := records.both(t, s)) is not None]
        if len(known) < 2:
            continue
        drawn = True
        keys = ("integrated_absorbance_nm", "integrated_absorbance_nm_sigma")
        values, sigmas = (np.array([one.number("uvvis", key) for _, one in known]) for key in keys)
        times = [s for s, _ in known]
        axes.errorbar(times, values, 2.0 * sigmas, color=colour, marker="o", ms=4, capsize=2, label=f"{t} °C")
    axes.set(xlabel="residence time / s", ylabel="absorbance above 350 nm, integrated / nm", yscale="log")
    if drawn:
        axes.legend(fontsize=9)
    return figure if drawn else None


_DRAWN: Mapping[str, Callable[[Records], Figure | None]] = {
    "F1": _figure_1, "F2": _figure_2, "F3": _figure_3, "F4": _figure_4, "S2": _figure_s2, "S3": _figure_s3,
}  # fmt: skip
