"""What a claim comes down to: measured values, each with the range that the statement gives it.

The rule, for every claim alike, fixed before anything was measured:

* A check *holds* where its value lies in its range with probability `CONFIDENCE` or more, for a normal error of its σ.
* A check *contradicts* where that probability is at most ``(1 − CONFIDENCE)/n``, n being the claim's number of checks
  (Bonferroni): so that of many true statements none is refused by chance more often than in 5 % of all tables.
* A claim is *not shown* where any of its checks contradicts, *shown* where all hold, else *not resolvable*: the checks
  that are open say by how much their σ exceeds what they would have to tell.

A check that is there to contradict only (``against_only``) need not hold: a trend is shown by its slope, and refused by
a single fall beyond doubt.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from scipy.optimize import isotonic_regression
from scipy.special import ndtr

__all__ = ["CONFIDENCE", "Bound", "Verdict", "judge", "trend"]

CONFIDENCE: Final = 0.95

Verdict = Literal["shown", "not shown", "not resolvable", "not measured"]


@dataclass(frozen=True)
class Bound:
    """One measured value, and where a statement says that it lies."""

    what: str
    value: float
    """NaN where it could not be measured."""
    sigma: float
    low: float = -math.inf
    high: float = math.inf
    unit: str = ""
    uids: tuple[str, ...] = ()
    """Uids of the raw runs that it comes from."""
    note: str = ""
    """Why there is no value, or what limits it."""
    against_only: bool = False
    there: float = 1.0
    """Probability that what was measured is there at all; where it isn't, the true value is 0."""

    @property
    def probability(self) -> float:
        """That the true value is in the range; NaN where nothing was measured."""
        if not math.isfinite(self.value) or math.isnan(self.sigma):
            return math.nan
        if math.isinf(self.sigma):
            return 0.5
        sigma = max(self.sigma, 1e-12)
        inside = float(ndtr((self.high - self.value) / sigma) - ndtr((self.low - self.value) / sigma))
        return self.there * inside + (1.0 - self.there) * (self.low <= 0.0 <= self.high)

    def __str__(self) -> str:
        if math.isinf(self.sigma):
            return f"{self.what}: open ({self.note or 'its uncertainty has no bound'})"
        if self.sigma == 0.0 and self.note:
            return f"{self.what}: {self.note}"
        if not math.isfinite(self.value):
            return f"{self.what}: no value ({self.note or 'none was measured'})"
        bounds = (f"≥ {self.low:.3g}" if math.isinf(self.high) else
                  f"≤ {self.high:.3g}" if math.isinf(self.low) else f"{self.low:.4g} to {self.high:.4g}")  # fmt: skip
        unit = f" {self.unit}" if self.unit else ""
        note = f"; {self.note}" if self.note else ""
        number = _with_error(self.value, self.sigma)
        return f"{self.what}: {number}{unit} (asked {bounds}, probability {self.probability:.3f}{note})"


def _with_error(value: float, sigma: float) -> str:
    """To two digits of the error."""
    if not sigma > 0:
        return f"{value:.4g}"
    digits = min(max(1 - math.floor(math.log10(sigma)), 0), 9)
    return f"{value:.{digits}f} ± {sigma:.{digits}f}"


def judge(checks: Sequence[Bound]) -> Verdict:
    """Return the verdict of a claim by the rule of this module.

    Parameters
    ----------
    checks : sequence of Bound
        All of the claim.
    """
    if not any(math.isfinite(check.value) for check in checks):
        return "not measured"
    refuses = (1.0 - CONFIDENCE) / len(checks)
    if any(check.probability <= refuses for check in checks):
        return "not shown"
    if all(check.probability >= CONFIDENCE for check in checks if not check.against_only):
        return "shown"
    return "not resolvable"


def trend(
    what: str,
    x: Sequence[float],
    values: Sequence[float],
    sigmas: Sequence[float],
    uids: Sequence[str],
    *,
    unit: str = "",
    per: str = "K",
) -> list[Bound]:
    """Return the checks that values rise with x: the slope of a straight line, and no fall.

    The line is the least-squares one of all points alike, of which the true values have one, too, whatever the shape of
    their rise: its error is that of the values. Where these jitter about every rising curve by more than their σ, the
    slope's σ grows with √(χ² per degree of freedom) of the nearest such curve. A fall is a mean of some neighbouring
    values below that of as many before them: what falls slowly shows between single ones last.

    Parameters
    ----------
    what, unit, per : str
        What rises, in which unit, with what.
    x, values, sigmas, uids : sequences
        Shape (points,), by ascending x; σ above 0.

    Returns
    -------
    list of Bound
        Empty for fewer than three points.
    """
    if len(x) < 3:
        return []
    at, y, s = (np.asarray(one, dtype=float) for one in (x, values, sigmas))
    s = np.maximum(s, 1e-12)
    away = (at - at.mean()) / np.sum((at - at.mean()) ** 2)
    slope = float(away @ y)
    rising = isotonic_regression(y, weights=s**-2.0).x
    misfit = float(np.sum(((y - rising) / s) ** 2)) / (len(x) - 1)
    sigma = math.sqrt(max(1.0, misfit) * float(away**2 @ s**2))
    falls = [
        _fall(what, x[i : i + 2 * k], y[i : i + 2 * k], s[i : i + 2 * k], uids[i : i + 2 * k], unit)
        for k in range(1, len(x) // 2 + 1)
        for i in range(len(x) - 2 * k + 1)
    ]
    return [Bound(f"{what}, slope", slope, sigma, low=0.0, unit=f"{unit}/{per}", uids=tuple(uids)), *falls]


def _fall(what: str, x: Sequence[float], y: np.ndarray, sigma: np.ndarray, uids: Sequence[str], unit: str) -> Bound:
    """Check that the second half of these points is not below the first."""
    k = len(x) // 2
    first, second = (f"{half[0]:g}" if k == 1 else f"{half[0]:g} to {half[-1]:g}" for half in (x[:k], x[k:]))
    difference, error = float(y[k:].mean() - y[:k].mean()), float(np.linalg.norm(sigma)) / k
    between = f"{what}, {first} → {second}"
    return Bound(between, difference, error, low=0.0, unit=unit, uids=tuple(uids), against_only=True)
