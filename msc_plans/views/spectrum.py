"""An absorption spectrum with what was found in it."""

import numpy as np
from matplotlib.axes import Axes

from msc_plans.analysis.uvvis.result import UvVisResult

__all__ = ["draw_spectrum"]

_MEASURED, _FIT, _REST, _FAMILY = "#222222", "#d62728", "#3b6fb6", "#f2a33a"
_FROM_NM = 365.0
_BEFORE_MARK_NM = 40.0
_HEADROOM = 1.75
_LEAST_RANGE = 25.0


def draw_spectrum(axes: Axes, result: UvVisResult, *, title: str = "") -> None:
    """Draw absorbance, fit and its parts, and mark families and nanocrystals.

    The absorbance is scaled to what lies beyond the first mark, so that the rise towards the ultraviolet may leave the
    axes above.

    Parameters
    ----------
    axes : Axes
        Empty axes.
    result : UvVisResult
        What the spectrum says.
    title : str
        Above the axes.
    """
    x, y = result.wavelength_nm, result.absorbance
    axes.fill_between(x, result.rest, result.fit, color=_FAMILY, alpha=0.6, lw=0, label="families")
    axes.plot(x, y, ".", color=_MEASURED, ms=2.2, alpha=0.55, rasterized=True, label="measured")
    axes.plot(x, result.fit, color=_FIT, lw=1.2, label="fit")
    axes.plot(x, result.rest, color=_REST, lw=1.0, ls="--", label="fit without families")
    axes.plot(x, result.baseline, color="grey", lw=0.9, ls=":", label="baseline")
    marks = [
        (band.wavelength_nm, f"{band.family}: {band.wavelength_nm:.1f} nm") for band in result.families if band.detected
    ]
    crystal = result.nanocrystal
    if crystal is not None:
        size = f"⌀ {crystal.diameter_nm:.2f} nm" + ("" if crystal.diameter_in_range else " ?")
        marks.append((crystal.wavelength_nm, f"NC: {crystal.wavelength_nm:.0f} nm, {size}"))
    seen = x >= (min(at for at, _ in marks) - _BEFORE_MARK_NM if marks else _FROM_NM)
    some = y[seen] if seen.any() else y
    bottom = float(min(np.quantile(some, 0.01), result.baseline.min(), 0.0))
    top = max(float(np.max(some)), bottom + _LEAST_RANGE * result.noise)
    for at, label in marks:
        height = float(np.interp(at, x, result.fit))
        axes.annotate(
            label, (at, height), (0, 12), textcoords="offset points", rotation=90, ha="center", va="bottom", fontsize=8,
            arrowprops={"arrowstyle": "-|>", "lw": 0.8, "color": _MEASURED, "shrinkB": 1.5}, annotation_clip=False,
            zorder=10,
        )  # fmt: skip
    if not marks:
        axes.text(0.5, 0.6, "no family, no nanocrystals", transform=axes.transAxes, ha="center", fontsize=10)
    margin = 0.04 * (top - bottom)
    axes.set(
        xlim=(float(x[0]), float(x[-1])),
        ylim=(bottom - margin, bottom + (_HEADROOM if marks else 1.3) * (top - bottom)),
        xlabel="wavelength / nm",
        ylabel="absorbance",
    )
    axes.set_title(title, fontsize=10)
    axes.legend(loc="upper right", fontsize=7, frameon=False)
