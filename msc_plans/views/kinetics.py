"""What a history says of mechanisms: their probabilities, the rate constants of one, predicted against measured."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from textwrap import fill

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.ticker import LogLocator
from numpy.typing import NDArray

from msc_plans.kinetics.inference import Posterior
from msc_plans.kinetics.mechanism import REFERENCE_TEMPERATURE
from msc_plans.kinetics.observation import HEIGHT_SOFT, heights_of
from msc_plans.kinetics.solver import GAS_CONSTANT, ZERO_CELSIUS

__all__ = ["Comparison", "RateBand", "kinetics_figure"]

_CHOSEN, _OTHER, _GREY, _PRIOR, _ALARM = "#1f4e99", "#a9b8d0", "#9a9a9a", "#555555", "#c00000"
_COLOURS = ("#7b3294", "#3b6fb6", "#2a9d5c", "#d9a514", "#c0392b")
_MARKERS = ("v", "s", "o", "D", "^")
_RANGE = (240.0, 350.0)
_ACROSS = 4
_LEAST_DECADES = 3.0


@dataclass(frozen=True, kw_only=True)
class RateBand:
    """A rate constant over temperature (°C): log10 of k, each array of shape (temperatures,).

    ``low`` to ``high`` is the central 95 % interval, ``prior_low`` to ``prior_high`` the same before any data.
    """

    name: str
    unit: str
    temperature: NDArray[np.floating]
    middle: NDArray[np.floating]
    low: NDArray[np.floating]
    high: NDArray[np.floating]
    prior_low: NDArray[np.floating]
    prior_high: NDArray[np.floating]
    learnt: bool

    @classmethod
    def of(cls, name: str, unit: str, posterior: Posterior, place: int, *, learnt: bool) -> "RateBand":
        """Summarise the ``place``-th rate constant of a posterior."""
        ends = [(c.nucleation_temperature, c.growth_temperature) for c in posterior.conditions]
        every = [*_RANGE, *(one for pair in ends for one in pair)]
        temperature = np.linspace(min(every), max(every), 45)
        # log10 k(T) = log10 k(T_ref) − E · steepness
        steepness = 1 / (temperature + ZERO_CELSIUS) - 1 / (REFERENCE_TEMPERATURE + ZERO_CELSIUS)
        steepness = steepness / (GAS_CONSTANT * math.log(10))
        number, values = len(posterior.mechanism.constants), posterior.parameters
        drawn = values[:, [place]] - values[:, [number + place]] * steepness
        low, middle, high = np.percentile(drawn, [2.5, 50, 97.5], axis=0)
        k, energy = posterior.mechanism.priors[place], posterior.mechanism.priors[number + place]
        centre, half = k.mean - energy.mean * steepness, 1.96 * np.hypot(k.sigma, energy.sigma * steepness)
        return cls(
            name=name,
            unit=unit,
            temperature=temperature,
            middle=middle,
            low=low,
            high=high,
            prior_low=centre - half,
            prior_high=centre + half,
            learnt=learnt,
        )


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """What was measured and what a mechanism's rate equations give there.

    Heights are absorbances of shape (conditions, families + 1), the nanocrystals last; maxima are nm, shape
    (conditions,). The model's error isn't in the predictions: near a measurement it would follow the measurement.
    """

    names: tuple[str, ...]
    """Names of what the heights are."""
    height: NDArray[np.floating]
    height_sigma: NDArray[np.floating]
    predicted: NDArray[np.floating]
    """Shape (3, conditions, families + 1): 2.5 %, 50 % and 97.5 %."""
    maximum: NDArray[np.floating]
    """NaN where no nanocrystals were seen."""
    maximum_sigma: NDArray[np.floating]
    predicted_maximum: NDArray[np.floating]
    """Shape (3, conditions)."""
    floor: float
    """Absorbance below which a band can't be told from none."""

    @classmethod
    def of(cls, posterior: Posterior) -> "Comparison | None":
        """Compare all that a posterior has learnt from; None where that is nothing."""
        seen = posterior.observations
        if not seen:
            return None
        values, sigmas = (np.array([getattr(one, name) for one in seen]) for name in ("values", "sigmas"))
        full = np.array([one.full_height for one in seen])[:, None]
        place = posterior.observables.index("NC maximum")
        names = (*posterior.observables.families.names, "NC")
        predicted = posterior.predict(posterior.conditions)
        predicted = predicted[np.isfinite(predicted[..., 0]).all(axis=1)]
        shares = heights_of(values)
        return cls(
            names=names,
            height=shares * full,
            height_sigma=sigmas[:, : len(names)] * (shares + HEIGHT_SOFT) * full,
            predicted=np.percentile(heights_of(predicted) * full, [2.5, 50, 97.5], axis=0),
            maximum=values[:, place],
            maximum_sigma=sigmas[:, place],
            predicted_maximum=np.percentile(predicted[..., place], [2.5, 50, 97.5], axis=0),
            floor=HEIGHT_SOFT * float(np.median(full)),
        )


def kinetics_figure(
    probabilities: Mapping[str, float],
    chosen: str,
    bands: Sequence[RateBand],
    comparison: Comparison | None,
    title: str,
    alarm: str | None = None,
) -> Figure:
    """Draw probabilities, rate constants, and predicted against measured.

    Parameters
    ----------
    probabilities : mapping
        Of each mechanism.
    chosen : str
        The mechanism that all else is of.
    bands : sequence of RateBand
        Its rate constants.
    comparison : Comparison, optional
        What it predicts where something was measured.
    title : str
        Above all.
    alarm : str, optional
        Shown in red.
    """
    down = math.ceil(len(bands) / _ACROSS)
    figure = Figure(figsize=(16.0, max(9.5, 2.1 * down + 1.5)), layout="constrained")
    figure.suptitle(title if alarm is None else fill(f"ALARM: {alarm}\n{title}", 150, replace_whitespace=False),
                    fontsize=12, color="black" if alarm is None else _ALARM)  # fmt: skip
    left, right = figure.subfigures(1, 2, squeeze=False, width_ratios=[1.0, 2.0], wspace=0.02)[0]
    bars, heights, maxima = left.subplots(3, 1, height_ratios=[0.6, 1.2, 1.0])
    _bars(bars, probabilities, chosen)
    _heights(heights, comparison)
    _maxima(maxima, comparison)
    _bands(right, bands, down)
    return figure


def _bars(axes: Axes, probabilities: Mapping[str, float], chosen: str) -> None:
    ranked = sorted(probabilities.items(), key=lambda item: item[1])
    names, shares = [name for name, _ in ranked], [share for _, share in ranked]
    axes.barh(names, shares, color=[_CHOSEN if name == chosen else _OTHER for name in names])
    for level, share in enumerate(shares):
        said = f"{share:.3f}" if share >= 5e-4 else "< 0.001"
        axes.annotate(said, (share, level), (4, 0), textcoords="offset points", va="center", fontsize=9)
    axes.set(xlim=(0, 1.15), xticks=[0, 0.25, 0.5, 0.75, 1.0])
    axes.set_title("probability of each mechanism", fontsize=10)
    axes.get_yticklabels()[names.index(chosen)].set_fontweight("bold")
    axes.spines[["top", "right"]].set_visible(False)


def _nothing(axes: Axes, title: str) -> None:
    axes.text(0.5, 0.5, "nothing measured yet", ha="center", va="center", transform=axes.transAxes, color=_GREY)
    axes.set(xticks=[], yticks=[])
    axes.set_title(title, fontsize=10)


def _heights(axes: Axes, comparison: Comparison | None) -> None:
    title = "heights of bands, absorbance"
    if comparison is None:
        _nothing(axes, title)
        return
    floor, shown = comparison.floor, []
    for number, name in enumerate(comparison.names):
        look = -1 if number == len(comparison.names) - 1 else number % (len(_COLOURS) - 1)
        x = np.maximum(comparison.height[:, number], floor)
        low, y, high = np.maximum(comparison.predicted[..., number], floor)
        sigma = comparison.height_sigma[:, number]
        errors = np.array([x - np.maximum(x - sigma, floor), sigma])
        axes.errorbar(
            x, y, (y - low, high - y), errors, fmt=_MARKERS[look], ms=5, color=_COLOURS[look], elinewidth=0.8,
            alpha=0.85, label=name,
        )  # fmt: skip
        shown += [x.max(), high.max()]
    ends = (0.7 * floor, 1.6 * max(shown))
    axes.axvspan(ends[0], floor, color="#eeeeee", zorder=0)
    axes.axhspan(ends[0], floor, color="#eeeeee", zorder=0)
    axes.plot(ends, ends, color="black", lw=0.8, zorder=1)
    axes.set(xscale="log", yscale="log", xlim=ends, ylim=ends, xlabel="measured", ylabel="predicted (95 %)")
    axes.legend(fontsize=8, loc="lower right", framealpha=0.8)
    axes.set_title(f"{title} (grey: none)", fontsize=10)


def _maxima(axes: Axes, comparison: Comparison | None) -> None:
    title = "nanocrystals' first maximum, nm"
    seen = np.isfinite(comparison.maximum) if comparison is not None else np.zeros(0, dtype=bool)
    if comparison is None or not seen.any():
        _nothing(axes, title)
        return
    x, sigma = comparison.maximum[seen], comparison.maximum_sigma[seen]
    low, y, high = comparison.predicted_maximum[:, seen]
    axes.errorbar(x, y, (y - low, high - y), sigma, fmt=_MARKERS[-1], ms=5, color=_COLOURS[-1], elinewidth=0.8)
    ends = (min(x.min(), low.min()) - 3, max(x.max(), high.max()) + 3)
    axes.plot(ends, ends, color="black", lw=0.8, zorder=1)
    axes.set(xlim=ends, ylim=ends, xlabel="measured", ylabel="predicted (95 %)")
    axes.set_title(title, fontsize=10)


def _bands(right: SubFigure, bands: Sequence[RateBand], down: int) -> None:
    panels = right.subplots(down, _ACROSS, squeeze=False, sharex=True).ravel()
    at = f"{REFERENCE_TEMPERATURE:g} °C"
    right.suptitle(
        f"rate constants over temperature: 95 % band; grey: not learnt at {at}; dashed: before any data", fontsize=10
    )
    for axes, band in zip(panels, bands, strict=False):
        colour = _CHOSEN if band.learnt else _GREY
        axes.fill_between(band.temperature, 10**band.low, 10**band.high, color=colour, alpha=0.3, lw=0)
        axes.plot(band.temperature, 10**band.middle, color=colour, lw=1.4)
        for edge in (band.prior_low, band.prior_high):
            axes.plot(band.temperature, 10**edge, color=_PRIOR, lw=0.7, ls="--")
        ends = min(band.low.min(), band.prior_low.min()), max(band.high.max(), band.prior_high.max())
        spare = max(_LEAST_DECADES - (ends[1] - ends[0]), 0.0) / 2 + 0.2
        axes.set(yscale="log", ylim=(10 ** (ends[0] - spare), 10 ** (ends[1] + spare)))
        axes.yaxis.set_major_locator(LogLocator(numticks=5))
        axes.minorticks_off()
        axes.tick_params(labelsize=8)
        axes.set_title(f"{band.name}, {band.unit}", fontsize=9, color="black" if band.learnt else _PRIOR)
    for axes in panels[len(bands) :]:
        axes.set_axis_off()
    for axes in panels[max(len(bands) - _ACROSS, 0) : len(bands)]:
        axes.tick_params(labelbottom=True)
    right.supxlabel("temperature, °C", fontsize=10)
