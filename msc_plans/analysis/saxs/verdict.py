"""Whether the sizes of the families' table alone make a curve.

The rule, with χ² over the noise found from the curve:

* *no scatterers*: particles are less probable than not, or lower χ² by less than 20 (`saxs_populations`).
* *continuous*: the table's radii, in any shares ≥ 0 and with the best common relative width up to
  `LARGEST_FAMILY_WIDTH`, fit worse than the best free model by more than `MISFIT`.
* *not resolved*: the table fits, but so does, within `RIVAL_MISFIT` of it, one population that is broad (relative width
  at least `BROAD_WIDTH`, any mean) or off the table (mean further than `OFF_TABLE` of it from every radius).
* *quantized*: the table fits and neither rival does.

Shares of the families hold their widths at `FAMILY_RELATIVE_WIDTH` where that fits, else at the common width found.
"""

import math
from typing import Final

import numpy as np
from scipy.optimize import minimize_scalar

from msc_plans.analysis.saxs.families import FAMILY_RELATIVE_WIDTH, FamilyFit, fit_table
from msc_plans.analysis.saxs.fit import columns, fit, non_negative
from msc_plans.analysis.saxs.form import LOGNORMAL
from msc_plans.analysis.saxs.noise import PreparedCurve
from msc_plans.analysis.saxs.populations import Basis, Model
from msc_plans.analysis.saxs.result import Verdict
from msc_plans.families import FamilyTable

__all__ = ["BROAD_WIDTH", "LARGEST_FAMILY_WIDTH", "MISFIT", "OFF_TABLE", "RIVAL_MISFIT", "judge"]

LARGEST_FAMILY_WIDTH: Final = 0.08
MISFIT: Final = 12.0
RIVAL_MISFIT: Final = 4.0
BROAD_WIDTH: Final = 0.12
OFF_TABLE: Final = 0.015
_LEAST_WIDTH = 0.02


def judge(
    curve: PreparedCurve, basis: Basis, best: Model, noise: float, signed: bool, families: FamilyTable
) -> tuple[Verdict, FamilyFit | None]:
    """The verdict on a curve with particles, and the table's fit where the table describes it.

    Parameters
    ----------
    curve : PreparedCurve
    basis : Basis
        For the curve's q.
    best : Model
        Of least misfit.
    noise : float
        Mean square of the misfit over σ that is noise.
    signed : bool
        Whether the constant may be negative.
    families : FamilyTable
        Those whose radius the curve's q can't tell are left out.
    """
    low, high = (math.exp(limit) for limit in basis.log_limits)
    radii = np.array(sorted({f.radius_nm for f in families if low <= f.radius_nm <= high}))
    if not len(radii):
        return "continuous", None
    width = _common_width(curve, basis, best, signed, radii)
    table = fit_table(curve, basis, radii, np.full(len(radii), width), signed)
    if table.chi2 - best.chi2 > MISFIT * noise:
        return "continuous", None
    resolved = _rival(curve, basis, best, signed, radii) - table.chi2 > RIVAL_MISFIT * noise
    held = fit_table(curve, basis, radii, np.full(len(radii), FAMILY_RELATIVE_WIDTH), signed)
    if held.chi2 - best.chi2 <= MISFIT * noise:
        table = held
    return "quantized" if resolved else "not resolved", table


def _chi2(curve: PreparedCurve, basis: Basis, theta: np.ndarray, signed: bool) -> float:
    rows = columns(theta, curve.q_inv_nm, curve.sigma, basis.log_radius, basis.table)
    y = curve.intensity / curve.sigma
    return float(np.sum((y - non_negative(rows, y, signed) @ rows) ** 2))


def _common_width(curve: PreparedCurve, basis: Basis, best: Model, signed: bool, radii: np.ndarray) -> float:
    """Relative width with which the table fits best, the upturn's exponent as in the free fit."""

    def chi2(log_width: float) -> float:
        pairs = np.column_stack([np.log(radii), np.full(len(radii), log_width)]).ravel()
        return _chi2(curve, basis, np.concatenate([[best.theta[0], LOGNORMAL], pairs]), signed)

    limits = (math.log(_LEAST_WIDTH), math.log(LARGEST_FAMILY_WIDTH))
    grid = np.linspace(*limits, 9)
    values = [chi2(log_width) for log_width in grid]
    k = int(np.argmin(values))
    around = (grid[max(k - 1, 0)], grid[min(k + 1, 8)])
    found = minimize_scalar(chi2, bounds=around, method="bounded", options={"xatol": 0.01})
    return math.exp(float(found.x) if found.fun < values[k] else float(grid[k]))


def _rival(curve: PreparedCurve, basis: Basis, best: Model, signed: bool, radii: np.ndarray) -> float:
    """Least χ² of one population that is broad, or off the table."""
    q, sigma = curve.q_inv_nm, curve.sigma
    y = curve.intensity / sigma
    arguments = (q, y, sigma, basis.log_radius, basis.table, signed)
    start = np.array([best.theta[0], LOGNORMAL, math.log(best.mean_nm), math.log(max(best.width, 0.03))])
    one, _ = fit(start, *arguments, *basis.log_limits, 25)

    widths = np.log([0.02, 0.035, 0.05, 0.065, 0.08, 0.1])
    means = one[2] + np.linspace(-0.12, 0.12, 25)
    broad = [
        np.array([one[0], one[1], mean, math.log(width)])
        for mean in one[2] + np.linspace(-0.1, 0.06, 9)
        for width in (BROAD_WIDTH, 1.4 * BROAD_WIDTH)
    ]
    off = [
        np.array([one[0], one[1], mean, width])
        for mean in means
        if np.min(np.abs(math.exp(mean) / radii - 1.0)) > OFF_TABLE
        for width in (one[3], *widths)
    ]
    return min(_chi2(curve, basis, theta, signed) for theta in (*broad, *off))
