"""A scattering curve with its Bragg peaks."""

import numpy as np
from matplotlib.axes import Axes

from msc_plans.analysis.lamellae.analyse import LamellaeResult

__all__ = ["draw_lamellae"]

_MEASURED, _FIT, _BACKGROUND = "#222222", "#d62728", "#3b6fb6"


def draw_lamellae(axes: Axes, result: LamellaeResult, *, title: str = "") -> None:
    """Draw curve, fit and background on a logarithmic intensity, and mark each peak with its place and order.

    Parameters
    ----------
    axes : Axes
        Empty axes.
    result : LamellaeResult
        What the curve says.
    title : str
        Above the axes.
    """
    q, intensity = result.q_inv_nm, result.intensity
    shown = intensity > 0
    axes.set_yscale("log", nonpositive="mask")
    axes.plot(q[shown], intensity[shown], ".", color=_MEASURED, ms=3, label="measured")
    axes.plot(q, result.background, color=_BACKGROUND, lw=1.1, ls="--", label="background")
    axes.plot(q, result.fit, color=_FIT, lw=1.3, label="fit")
    for peak in result.peaks:
        top = float(np.interp(peak.q_inv_nm, q, result.fit))
        order = f"\norder {peak.order}" if peak.order else ""
        axes.annotate(
            f"{peak.q_inv_nm:.3f} nm⁻¹{order}", (peak.q_inv_nm, top), (0, 14), textcoords="offset points", ha="center",
            va="bottom", fontsize=8, arrowprops={"arrowstyle": "-|>", "lw": 0.8, "color": _MEASURED, "shrinkB": 2},
        )  # fmt: skip
    said = result.structure if result.peaks else "no Bragg peak"
    if np.isfinite(result.d_spacing_nm):
        said += f", d = {result.d_spacing_nm:.3f} nm"
    axes.text(0.03, 0.04, said, transform=axes.transAxes, fontsize=9)
    if shown.any():
        low, high = float(intensity[shown].min()), float(intensity[shown].max())
        decades = max(np.log10(high / low), 0.3)
        axes.set_ylim(low / 10 ** (0.12 * decades), high * 10 ** (0.3 * decades))
    axes.set(xlabel="q / nm⁻¹", ylabel="intensity")
    axes.set_title(title, fontsize=10)
    axes.legend(loc="upper right", fontsize=7, frameon=False)
