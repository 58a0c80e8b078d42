"""The figure of a campaign: spectra with their marked peaks, and the map they gave."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from msc_plans.analysis.uvvis import DETECTED
from msc_plans.condition import Condition
from msc_plans.families import FamilyTable

__all__ = ["MapPrediction", "Measured", "campaign_figure"]

_COLOURS = {"accumulated": "#d62728", "undecided": "#8c8c8c", "absent": "#3b4cc0"}


@dataclass(frozen=True, kw_only=True)
class Measured:
    """One measured condition: its outcome record, its spectrum, and the spectrum less all that is no family.

    ``absorbance`` and ``families`` have the shape of ``wavelength_nm``, which ascends.
    """

    condition: Condition
    outcome: Mapping[str, float]
    wavelength_nm: NDArray[np.float64]
    absorbance: NDArray[np.float64]
    families: NDArray[np.float64]
    verdict: str

    def scale(self, from_nm: float) -> float:
        """Return the absorbance of the first NC maximum, or without one of the highest point beyond a wavelength."""
        at = self.outcome["nc_wavelength_nm"]
        if np.isfinite(at):
            return max(float(np.interp(at, self.wavelength_nm, self.absorbance)), 1e-3)
        return float(np.max(self.absorbance[self.wavelength_nm > from_nm], initial=1e-3))

    def marks(self) -> dict[str, float]:
        """Return the wavelengths (nm) of the detected families and of the nanocrystals (``NC``)."""
        found = {
            key.removesuffix("_probability"): self.outcome[key.replace("_probability", "_wavelength_nm")]
            for key, value in self.outcome.items()
            if key.endswith("_probability") and value >= DETECTED
        }
        found["NC"] = self.outcome["nc_wavelength_nm"]
        return {name: float(at) for name, at in found.items() if np.isfinite(at)}


@dataclass(frozen=True, kw_only=True)
class MapPrediction:
    """Predicted height ratio of a family over temperature (°C) and residence time (s).

    ``ratio`` has the shape (times, temperatures).
    """

    family: str
    temperature: NDArray[np.float64]
    residence_time: NDArray[np.float64]
    ratio: NDArray[np.float64]
    threshold: float


def campaign_figure(
    measured: Sequence[Measured], prediction: MapPrediction, families: FamilyTable, title: str
) -> Figure:
    """Draw the spectra, what the families add to them, and the map.

    Parameters
    ----------
    measured : sequence of Measured
        In the order of measurement.
    prediction : MapPrediction
        What the model makes of them.
    families : FamilyTable
        What was looked for.
    title : str
        Above all.
    """
    figure = Figure(figsize=(15.0, 5.8), layout="constrained")
    figure.suptitle(title, fontsize=12)
    left, middle, right = figure.subplots(1, 3, width_ratios=[1.0, 0.8, 1.15])
    ordered = sorted(enumerate(measured, 1), key=lambda item: item[1].condition)
    _spectra(left, ordered, families)
    _families(middle, ordered, families)
    _map(figure, right, measured, prediction, families)
    return figure


def _spectra(axes: Axes, ordered: Sequence[tuple[int, Measured]], families: FamilyTable) -> None:
    low, high = _from_nm(families), _ends(families)[1] + 175.0
    for level, (number, m) in enumerate(ordered):
        inside = (m.wavelength_nm > low) & (m.wavelength_nm < high)
        x, y = m.wavelength_nm[inside], m.absorbance[inside] / m.scale(low) + level
        axes.plot(x, y, color=_COLOURS[m.verdict], lw=1.1, zorder=20 - level)
        for name, at in m.marks().items():
            top = float(np.interp(at, x, y))
            axes.plot(at, top, "v", color="black", ms=4, zorder=30)
            if name == "NC":
                axes.annotate(f"{at:.0f}", (at, top), (0, 5), textcoords="offset points", ha="center", fontsize=7)
        label = f"{number}: {m.condition.nucleation_temperature:g} °C"
        axes.annotate(label, (high, level), (-4, 3), textcoords="offset points", ha="right", fontsize=8)
    axes.set(xlim=(low, high), ylim=(-0.2, len(ordered) + 2.0), xlabel="wavelength / nm", yticks=[])
    axes.set_ylabel("absorbance / that at the NC maximum (offset by 1)")
    axes.set_title("spectra with the peaks found", fontsize=10)


def _families(axes: Axes, ordered: Sequence[tuple[int, Measured]], families: FamilyTable) -> None:
    first, last = _ends(families)
    low, high = first - 12.0, last + 35.0
    step = 0.25
    for level, (number, m) in enumerate(ordered):
        inside = (m.wavelength_nm > low) & (m.wavelength_nm < high)
        x, y = m.wavelength_nm[inside], m.families[inside] / m.scale(_from_nm(families)) + step * level
        axes.plot(x, y, color=_COLOURS[m.verdict], lw=1.1)
        axes.axhline(step * level, color="black", lw=0.4, alpha=0.4)
        for name, at in m.marks().items():
            if name != "NC":
                axes.plot(at, float(np.interp(at, x, y)) + 0.03, "v", color="black", ms=4)
        axes.annotate(str(number), (high, step * level), (-4, 3), textcoords="offset points", ha="right", fontsize=8)
    for family in families:
        axes.axvline(family.wavelength_nm, color="black", lw=0.5, ls=":", alpha=0.6)
        axes.annotate(f"{family.wavelength_nm:g}", (family.wavelength_nm, 1.0), (0, -10), ha="center", fontsize=8,
                      xycoords=("data", "axes fraction"), textcoords="offset points")  # fmt: skip
    axes.set(xlim=(low, high), ylim=(-0.1, step * (len(ordered) + 1.2)), xlabel="wavelength / nm", yticks=[])
    axes.set_ylabel(f"same scale, less the fitted rest (offset by {step:g})")
    axes.set_title("what the cluster families add", fontsize=10)


def _ends(families: FamilyTable) -> tuple[float, float]:
    """Return the shortest and the longest maximum, nm."""
    maxima = [family.wavelength_nm for family in families]
    return min(maxima), max(maxima)


def _from_nm(families: FamilyTable) -> float:
    """Return from where on spectra are drawn, nm."""
    return _ends(families)[0] - 2.0


def _map(
    figure: Figure, axes: Axes, measured: Sequence[Measured], prediction: MapPrediction, families: FamilyTable
) -> None:
    beside = families[prediction.family].denominator
    parts = ("NC", *([f"{families[beside].wavelength_nm:g}"] if beside else []), "floor")
    mesh = axes.pcolormesh(
        prediction.temperature, prediction.residence_time, prediction.ratio,
        cmap="viridis", vmin=0.0, shading="gouraud", rasterized=True,
    )  # fmt: skip
    figure.colorbar(mesh, ax=axes, label=f"predicted {prediction.family} / ({' + '.join(parts)})", pad=0.02)
    if prediction.ratio.min() < prediction.threshold < prediction.ratio.max():
        contour = axes.contour(
            prediction.temperature, prediction.residence_time, prediction.ratio,
            levels=[prediction.threshold], colors="white", linewidths=1.2,
        )  # fmt: skip
        axes.clabel(contour, fmt={prediction.threshold: f"accumulated ({prediction.threshold:g})"}, fontsize=7)
    for number, m in enumerate(measured, 1):
        x, y = m.condition.nucleation_temperature, m.condition.residence_time
        axes.plot(x, y, "o", ms=13, mfc=_COLOURS[m.verdict], mec="white", mew=1.2, clip_on=False, zorder=5)
        axes.annotate(str(number), (x, y), ha="center", va="center", fontsize=8, zorder=6, annotation_clip=False,
                      color="white")  # fmt: skip
    for verdict, colour in _COLOURS.items():
        axes.plot([], [], "o", color=colour, label=verdict)
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.1), ncols=3, fontsize=8, frameon=False)
    axes.set_title(f"{prediction.family}: measured (numbers) and predicted (colour)", fontsize=10)
    axes.set(xlabel="temperature of both ovens / °C", ylabel="residence time / s")
