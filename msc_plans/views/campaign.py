"""The figure of a campaign: spectra with their marked peaks, and the map they gave."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from msc_plans.condition import Condition

__all__ = ["MapPrediction", "Measured", "campaign_figure"]

_VERDICTS = {"accumulated": "#d62728", "undecided": "#ffffff", "absent": "#3b4cc0"}


@dataclass(frozen=True)
class Measured:
    """One measured condition: its outcome record and the spectrum behind it."""

    condition: Condition
    outcome: Mapping[str, float]
    wavelength_nm: NDArray[np.float64]
    absorbance: NDArray[np.float64]
    verdict: str


@dataclass(frozen=True)
class MapPrediction:
    """Predicted height ratio of a family over temperature (°C) and residence time (s).

    ``ratio`` has the shape (times, temperatures).
    """

    family: str
    temperature: NDArray[np.float64]
    residence_time: NDArray[np.float64]
    ratio: NDArray[np.float64]
    threshold: float


def campaign_figure(measured: Sequence[Measured], prediction: MapPrediction, title: str) -> Figure:
    """Draw spectra (left) and the map (right).

    Parameters
    ----------
    measured : sequence of Measured
        In the order of measurement.
    prediction : MapPrediction
        What the model makes of them.
    title : str
        Above both.
    """
    figure = Figure(figsize=(12.5, 5.8), layout="constrained")
    figure.suptitle(title, fontsize=12)
    left, right = figure.subplots(1, 2, width_ratios=[1.05, 1])
    _spectra(left, measured)
    _map(figure, right, measured, prediction)
    return figure


def _spectra(axes: Axes, measured: Sequence[Measured]) -> None:
    window = (340.0, 640.0)
    order = sorted(enumerate(measured, 1), key=lambda item: item[1].condition)
    heights = [_highest(m, (380.0, window[1])) for _, m in order]
    step = 0.55 * max(heights, default=1.0)
    for level, (number, m) in enumerate(order):
        inside = (m.wavelength_nm > window[0]) & (m.wavelength_nm < window[1])
        offset = level * step
        colour = _VERDICTS[m.verdict] if m.verdict != "undecided" else "#888888"
        axes.plot(m.wavelength_nm[inside], m.absorbance[inside] + offset, color=colour, lw=1.0)
        for family, wavelength, height in _marks(m.outcome):
            y = float(np.interp(wavelength, *_ascending(m))) + offset
            axes.plot(wavelength, y, "v", color="black", ms=4)
            if family == "NC":
                axes.annotate(f"{wavelength:.0f}", (wavelength, y), (0, 5), textcoords="offset points",
                              ha="center", fontsize=7)  # fmt: skip
            del height
        label = f"{number}: {m.condition.nucleation_temperature:g} °C"
        axes.annotate(label, (window[1], offset), (-4, 3), textcoords="offset points", ha="right", fontsize=8)
    for wavelength in (382, 403, 437, 465):
        axes.axvline(wavelength, color="black", lw=0.5, ls=":", alpha=0.5)
        axes.annotate(str(wavelength), (wavelength, 1.0), (0, 2), xycoords=("data", "axes fraction"),
                      textcoords="offset points", ha="center", fontsize=8)  # fmt: skip
    top = (len(order) - 1) * step + max(heights, default=1.0) * 1.15
    axes.set(xlim=window, ylim=(-0.15 * step, top), xlabel="wavelength / nm", ylabel="absorbance (offset)")


def _highest(m: Measured, window: tuple[float, float]) -> float:
    inside = (m.wavelength_nm > window[0]) & (m.wavelength_nm < window[1]) & np.isfinite(m.absorbance)
    return float(np.max(m.absorbance[inside], initial=1e-3))


def _ascending(m: Measured) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    good = np.isfinite(m.absorbance)
    order = np.argsort(m.wavelength_nm[good])
    return m.wavelength_nm[good][order], m.absorbance[good][order]


def _marks(outcome: Mapping[str, Any]) -> list[tuple[str, float, float]]:
    marks = [
        (key.removesuffix("_probability"), outcome[key.replace("_probability", "_wavelength_nm")], value)
        for key, value in outcome.items()
        if key.endswith("_probability") and value >= 0.95
    ]
    if np.isfinite(outcome["nc_wavelength_nm"]):
        marks.append(("NC", outcome["nc_wavelength_nm"], outcome["nc_height"]))
    return [mark for mark in marks if np.isfinite(mark[1])]


def _map(figure: Figure, axes: Axes, measured: Sequence[Measured], prediction: MapPrediction) -> None:
    mesh = axes.pcolormesh(
        prediction.temperature, prediction.residence_time, prediction.ratio,
        cmap="viridis", vmin=0.0, shading="gouraud", rasterized=True,
    )  # fmt: skip
    figure.colorbar(mesh, ax=axes, label=f"predicted {prediction.family} / (NC + 465 + floor)", pad=0.02)
    if prediction.ratio.min() < prediction.threshold < prediction.ratio.max():
        contour = axes.contour(
            prediction.temperature, prediction.residence_time, prediction.ratio,
            levels=[prediction.threshold], colors="white", linewidths=1.2,
        )  # fmt: skip
        axes.clabel(
            contour, fmt={prediction.threshold: f"accumulated ({prediction.threshold:g})"}, fontsize=7
        )
    for number, m in enumerate(measured, 1):
        x, y = m.condition.nucleation_temperature, m.condition.residence_time
        axes.plot(x, y, "o", ms=13, mfc=_VERDICTS[m.verdict], mec="black", mew=1.0, clip_on=False, zorder=5)
        axes.annotate(str(number), (x, y), ha="center", va="center", fontsize=8, zorder=6, annotation_clip=False,
                      color="black" if m.verdict == "undecided" else "white")  # fmt: skip
    for verdict, colour in _VERDICTS.items():
        axes.plot([], [], "o", mfc=colour, mec="black", label=verdict)
    axes.legend(loc="lower left", fontsize=8, title=prediction.family, title_fontsize=8)
    axes.set(xlabel="temperature of both ovens / °C", ylabel="residence time / s")
