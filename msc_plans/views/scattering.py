"""A scattering curve with its fit, and the sizes that it says."""

from textwrap import wrap

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, NullFormatter

from msc_plans.analysis.saxs.result import SaxsResult

__all__ = ["draw_curve", "draw_sizes"]

_MEASURED, _FIT, _BACKGROUND, _FAMILY = "#222222", "#d62728", "#3b6fb6", "#b5651d"
_PAPER = {"fc": "white", "ec": "none", "alpha": 0.75, "pad": 0.8}
_WIDE = 6.0
_LETTERS = 54
_ROOM = 0.05
_WORDS = {
    "quantized": "quantized: the families' sizes alone",
    "continuous": "continuous: a broad or shifting population",
    "not resolved": "not resolved: the data can't tell families apart",
    "no scatterers": "no scatterers above background",
}


def draw_curve(axes: Axes, result: SaxsResult, *, title: str = "") -> None:
    """Draw the curve with errors, its fit and the background, both axes logarithmic.

    Points at or below 0 can't be shown so; how many there are is said.

    Parameters
    ----------
    axes : Axes
        Empty axes.
    result : SaxsResult
        What the curve says.
    title : str
        Above the axes.
    """
    q, intensity, sigma = result.q_inv_nm, result.intensity, result.intensity_sigma
    shown = intensity > 0
    axes.set_xscale("log")
    axes.set_yscale("log", nonpositive="mask")
    low = np.minimum(sigma, 0.9 * intensity)[shown]
    axes.errorbar(
        q[shown], intensity[shown], (low, sigma[shown]), fmt=".", ms=3, color=_MEASURED, ecolor="#b0b0b0",
        elinewidth=0.7, zorder=1, label="measured",
    )  # fmt: skip
    axes.plot(q, result.fit, color=_FIT, lw=1.4, zorder=3, label="fit")
    axes.plot(q, result.background, color=_BACKGROUND, lw=1.0, ls="--", zorder=2, label="background in the fit")
    drawn = np.concatenate([intensity[shown], result.fit[result.fit > 0]])
    if drawn.size:
        floor = max(float(drawn.min()), 0.2 * float(result.fit[result.fit > 0].min(initial=np.inf)), 1e-9 * drawn.max())
        axes.set_ylim(0.5 * min(floor, float(drawn.max())), 2.5 * float(drawn.max()))
    absolute = np.isfinite(result.volume_fraction)
    axes.set(xlabel="q / nm⁻¹", ylabel="intensity / cm⁻¹" if absolute else "intensity")
    _warn(axes, result)
    hidden = int(np.count_nonzero(~shown))
    note = f"reduced χ² {result.chi2_reduced:.2f}" + (f"\n{hidden} points ≤ 0 not shown" if hidden else "")
    axes.text(0.03, 0.04, note, transform=axes.transAxes, fontsize=8)
    axes.set_title(title, fontsize=10)
    axes.legend(loc="upper right", fontsize=7, frameon=False)


def draw_sizes(axes: Axes, result: SaxsResult, *, title: str = "") -> None:
    """Draw the volume-weighted distribution of radii with its σ, the mean with its 95 % interval, and the verdict.

    The radii of the families stand as ticks along the bottom: those of the result's shares, else of its table.

    Parameters
    ----------
    axes : Axes
        Empty axes.
    result : SaxsResult
        What the curve says.
    title : str
        Above the axes.
    """
    axes.set_title(title, fontsize=10)
    if not np.isfinite(result.mean_radius_nm) or not result.radius_nm.size:
        axes.text(0.5, 0.5, _WORDS["no scatterers"], transform=axes.transAxes, ha="center", fontsize=10)
        axes.set(xlabel="radius / nm", yticks=[], xticks=[])
        return
    radius, density, sigma = result.radius_nm, result.volume_weighted, result.volume_weighted_sigma
    low, high = result.mean_radius_interval_nm
    axes.fill_between(
        radius, np.maximum(density - sigma, 0.0), density + sigma, color=_FIT, alpha=0.25, lw=0, label="± σ"
    )
    axes.plot(
        radius, density, color=_FIT, lw=1.5, label="volume-weighted" if result.method == "inversion" else "Monte Carlo"
    )
    axes.axvspan(low, high, color=_BACKGROUND, alpha=0.15, lw=0, label="95 % of the mean")
    axes.axvline(result.mean_radius_nm, color=_BACKGROUND, lw=1.0)
    left, right = min(float(radius[0]), low), max(float(radius[-1]), high)
    if right > _WIDE * max(left, 1e-6):
        axes.set_xscale("log")
        for which in (axes.xaxis.set_major_formatter, axes.xaxis.set_minor_formatter):
            which(FuncFormatter(_plain_tick))
        if right > 50 * left:
            axes.xaxis.set_minor_formatter(NullFormatter())
    top = float(np.max(density + sigma))
    axes.set(xlim=(left, right), ylim=(0.0, 1.8 * top), xlabel="radius / nm", ylabel="volume-weighted density / nm⁻¹")
    marks = {share.family: share.radius_nm for share in result.families} or result.table_radii_nm
    _mark_families(axes, {name: at for name, at in marks.items() if left < at < right})
    digits = _digits(high - low)
    lines = [
        _WORDS[result.verdict],
        f"mean radius {result.mean_radius_nm:.{digits}f} nm (95 %: {low:.{digits}f} to {high:.{digits}f})",
        f"relative width {result.relative_width:.3f} ± {max(result.relative_width_sigma, 1e-3):.3f}",
    ]
    if np.isfinite(result.volume_fraction):
        doubt = "" if result.volume_fraction < 1 else " (above 1: not in cm⁻¹?)"
        lines.append(f"volume fraction {result.volume_fraction:.2g} ± {result.volume_fraction_sigma:.1g}{doubt}")
    if result.families:
        shares = [
            f"{share.family.split('-')[-1]}: {100 * share.fraction:.0f} ± {100 * share.fraction_sigma:.0f} %"
            for share in result.families
        ]
        # no-break spaces: a share is not torn apart
        shares = [share.replace(" ", "\u00a0") for share in shares]
        lines.append("radii held at the families': " + ", ".join(shares))
    text = "\n".join(part for line in lines for part in wrap(line, _LETTERS, subsequent_indent="    "))
    axes.text(
        0.03, 0.97, text, transform=axes.transAxes, va="top", fontsize=7.5, zorder=8,
        bbox={**_PAPER},
    )  # fmt: skip


def _warn(axes: Axes, result: SaxsResult) -> None:
    text = "\n".join(part for warning in result.warnings for part in wrap(warning, _LETTERS))
    if text:
        axes.text(0.03, 0.13, text, transform=axes.transAxes, fontsize=7, color=_FIT, bbox={**_PAPER})


def _mark_families(axes: Axes, radii_nm: dict[str, float]) -> None:
    """Tick the families' radii, with their names where there is room."""
    across = axes.get_xaxis_transform()
    places = (
        axes.transAxes.inverted().transform(axes.transData.transform([(at, 0.0) for at in radii_nm.values()]))[:, 0]
        if radii_nm
        else np.zeros(0)
    )
    room = len(radii_nm) < 2 or float(np.min(np.diff(np.sort(places)))) > _ROOM
    for name, at in radii_nm.items():
        axes.plot([at, at], [0.0, 0.04], color=_FAMILY, lw=1.6, transform=across, zorder=5)
        if room:
            axes.annotate(
                name, (at, 0.05), xycoords=across, rotation=90, ha="center", va="bottom", fontsize=7, color=_FAMILY,
                zorder=6, bbox={**_PAPER},
            )  # fmt: skip
    if radii_nm and not room:
        first = min(radii_nm, key=lambda name: radii_nm[name])
        axes.annotate("families", (radii_nm[first], 0.05), xycoords=across, va="bottom", fontsize=7, color=_FAMILY)


def _digits(spread_nm: float) -> int:
    """Return the decimals that show two figures of a spread."""
    return int(np.clip(1 - np.floor(np.log10(spread_nm)), 0, 4)) if spread_nm > 0 else 3


def _plain_tick(value: float, _: int) -> str:
    lead = value / 10.0 ** np.floor(np.log10(value)) if value > 0 else 0.0
    return f"{value:g}" if round(lead) in (1, 2, 5) and abs(lead - round(lead)) < 1e-6 else ""
