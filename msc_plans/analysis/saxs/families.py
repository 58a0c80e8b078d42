"""The share of each family in a scattering curve, and whether a curve could tell two sizes apart at all.

With radii and widths held, the shares are linear and sharply fixed; the result is conditional on the table. With radii
free they are not: for 0.94 and 1.02 nm spheres the Fisher information leaves the share open (Cramér–Rao bound).
"""

import math
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from msc_plans.analysis.saxs.fit import columns, non_negative
from msc_plans.analysis.saxs.form import LOGNORMAL
from msc_plans.analysis.saxs.noise import PreparedCurve, prepare, variance_model
from msc_plans.analysis.saxs.populations import Basis

__all__ = ["FAMILY_RELATIVE_WIDTH", "FamilyFit", "TwoModes", "fit_families", "fit_table", "two_modes"]

FAMILY_RELATIVE_WIDTH: Final = 0.05
"""Relative width of a family by volume where the caller gives none."""
RESOLVABLE_SIGMA: Final = 0.1
"""Two sizes count as resolvable where the share of each would be known to this."""


@dataclass(frozen=True)
class FamilyFit:
    """Shares of families whose radii and widths were held."""

    radii_nm: np.ndarray
    relative_widths: np.ndarray
    fractions: np.ndarray
    """Shares of the particles' volume; they sum to 1, NaN where nothing scatters."""
    fraction_sigmas: np.ndarray
    covariance: np.ndarray = field(repr=False)
    amount: float
    """Sum of the families' volume fractions times contrast², 1e-21 cm⁻¹ nm⁻³ where the curve is in cm⁻¹."""
    amount_sigma: float
    chi2: float
    chi2_reduced: float
    conditional_on: str
    fit: np.ndarray = field(repr=False)


def fit_families(
    q_inv_nm: ArrayLike,
    intensity: ArrayLike,
    sigma: ArrayLike | None = None,
    *,
    radii_nm: ArrayLike,
    relative_widths: ArrayLike = FAMILY_RELATIVE_WIDTH,
) -> FamilyFit:
    """Shares of families with their radii and widths held.

    Parameters
    ----------
    q_inv_nm, intensity, sigma : array_like, shape (points,)
        As for `msc_plans.analysis.saxs.analyse.analyse`.
    radii_nm : array_like, shape (families,)
        Volume-weighted mean radii.
    relative_widths : float or array_like, shape (families,)
        Standard deviation over mean, by volume (lognormal).

    Raises
    ------
    ValueError
        As `prepare`; no radius, a radius or width that is not positive, or two families that are the same.
    """
    radii = np.atleast_1d(np.asarray(radii_nm, dtype=float))
    if radii.ndim != 1 or not len(radii) or not np.all(np.isfinite(radii) & (radii > 0)):
        raise ValueError(f"radii_nm must be positive numbers, not {radii_nm!r}")
    widths = np.asarray(relative_widths, dtype=float)
    if widths.shape not in ((), radii.shape) or not np.all((widths > 0) & (widths < 0.7)):
        raise ValueError(f"relative_widths must be one number, or one a radius, from 0 to 0.7, not {relative_widths!r}")
    widths = np.broadcast_to(widths, radii.shape).copy()
    for i in range(len(radii)):
        for j in range(i):
            if abs(radii[i] - radii[j]) < 1e-3 * radii[i] and abs(widths[i] - widths[j]) < 1e-3:
                raise ValueError(f"two families are the same: radius {radii[i]:g} nm, width {widths[i]:g}")
    curve = prepare(q_inv_nm, intensity, sigma)
    basis = Basis.of(curve.q_inv_nm, (float(radii.min()), float(radii.max())))
    found = fit_table(curve, basis, radii, widths)
    if not curve.given:
        curve = PreparedCurve(
            curve.q_inv_nm, curve.intensity, variance_model(found.fit, curve.intensity - found.fit), False
        )
        found = fit_table(curve, basis, radii, widths)
    return found


def fit_table(
    curve: PreparedCurve, basis: Basis, radii: np.ndarray, widths: np.ndarray, signed: bool = True
) -> FamilyFit:
    """`fit_families` on a prepared curve: the upturn's exponent is profiled, all else is linear."""
    q, sigma = curve.q_inv_nm, curve.sigma
    y = curve.intensity / sigma
    start = np.concatenate([[3.0, LOGNORMAL], np.column_stack([np.log(radii), np.log(widths)]).ravel()])
    rows = columns(start, q, sigma, basis.log_radius, basis.table)

    def at(power: float) -> tuple[float, np.ndarray]:
        rows[1] = (q / q[0]) ** (-power) / sigma
        amounts = non_negative(rows, y, signed)
        return float(np.sum((y - amounts @ rows) ** 2)), amounts

    powers = np.arange(1.0, 5.01, 0.25)
    power = min(powers, key=lambda p: at(p)[0])
    for step in (0.1, 0.04, 0.015, 0.006):
        power = min((power - 2 * step, power - step, power, power + step, power + 2 * step), key=lambda p: at(p)[0])
    chi2, amounts = at(power)
    model = amounts @ rows
    gradient = [rows[0], *([rows[1], amounts[1] * rows[1] * np.log(q / q[0])] if amounts[1] > 0 else [])]
    nuisance = len(gradient)
    jacobian = np.array([*gradient, *rows[2:]])
    freedom = max(len(q) - len(jacobian), 1)
    scale = 1.0 / np.sqrt((jacobian**2).sum(axis=1))
    normal = (jacobian * scale[:, None]) @ (jacobian * scale[:, None]).T
    covariance = (np.linalg.pinv(normal, hermitian=True) * np.outer(scale, scale))[nuisance:, nuisance:]
    covariance *= max(chi2 / freedom, 1e-12)
    shares, total = amounts[2:], float(amounts[2:].sum())
    if total > 0:
        slopes = (np.eye(len(shares)) - (shares / total)[:, None]) / total
        fractions, spread = shares / total, slopes @ covariance @ slopes.T
    else:
        fractions, spread = np.full(len(shares), np.nan), np.full((len(shares), len(shares)), np.nan)
    words = ", ".join(f"{r:g} nm ± {100 * w:g} %" for r, w in zip(radii, widths, strict=True))
    return FamilyFit(
        radii,
        widths,
        fractions,
        np.sqrt(np.diag(spread)),
        spread,
        total,
        float(np.sqrt(covariance.sum())),
        chi2,
        chi2 / freedom,
        f"radii and widths held: {words}",
        model * sigma,
    )


@dataclass(frozen=True)
class TwoModes:
    """What a curve could say of two sizes in it (Cramér–Rao)."""

    fraction_sigma_free: float
    """σ of the first size's share with both radii free; 0.5 and above is no information."""
    fraction_sigma_held: float
    """The same with radii and widths held."""
    resolvable: bool
    words: str


def two_modes(
    q_inv_nm: ArrayLike,
    intensity: ArrayLike,
    sigma: ArrayLike | None = None,
    *,
    radii_nm: tuple[float, float],
    fraction: float = 0.5,
    relative_widths: tuple[float, float] = (FAMILY_RELATIVE_WIDTH, FAMILY_RELATIVE_WIDTH),
) -> TwoModes:
    """The least σ that any fit of this curve could have for the share of the first of two sizes.

    From the Fisher information of two populations over a constant, radii free and widths held, scaled to the curve. A
    claim of two sizes that isn't `resolvable` should be refused.

    Parameters
    ----------
    q_inv_nm, intensity, sigma : array_like, shape (points,)
        As for `msc_plans.analysis.saxs.analyse.analyse`.
    radii_nm : (float, float)
        Volume-weighted mean radii.
    fraction : float
        Share of the first by volume, 0 to 1, at which the bound is taken.
    relative_widths : (float, float)
        Of the two, by volume.

    Raises
    ------
    ValueError
        As `prepare`; the fraction is not between 0 and 1, or the radii are equal or not positive.
    """
    if not 0.0 < fraction < 1.0:
        raise ValueError(f"fraction must lie between 0 and 1, not {fraction!r}")
    if not (min(radii_nm) > 0 and radii_nm[0] != radii_nm[1]):
        raise ValueError(f"radii_nm must be two different positive radii, not {radii_nm!r}")
    curve = prepare(q_inv_nm, intensity, sigma)
    basis = Basis.of(curve.q_inv_nm, (min(radii_nm), max(radii_nm)))
    theta = np.array(
        [
            3.0,
            LOGNORMAL,
            *(v for r, w in zip(radii_nm, relative_widths, strict=True) for v in (math.log(r), math.log(w))),
        ]
    )
    arguments = (curve.q_inv_nm, curve.sigma, basis.log_radius, basis.table)
    rows = columns(theta, *arguments)
    mixture = fraction * rows[2] + (1 - fraction) * rows[3]
    level = non_negative(np.array([rows[0], rows[1], mixture]), curve.intensity / curve.sigma, True)
    amount = max(level[2], 1e-12 * np.abs(level[0]))
    slopes = []
    for a in (2, 4):
        moved = theta.copy()
        moved[a] += 1e-4
        change = (columns(moved, *arguments) - rows) / 1e-4
        slopes.append(amount * (fraction * change[2] if a == 2 else (1 - fraction) * change[3]))
    linear = [rows[0], mixture, amount * (rows[2] - rows[3])]
    if level[1] > 0:
        linear.insert(0, rows[1])
    free, held = (_bound(np.array(jacobian), len(linear) - 1) for jacobian in ([*linear, *slopes], linear))
    resolvable = free <= RESOLVABLE_SIGMA
    first, second = radii_nm
    words = (
        f"{first:g} and {second:g} nm: the share of either is known to ±{free:.2g} with radii free "
        f"({'resolvable' if resolvable else 'not resolvable'}), ±{held:.2g} with radii and widths held"
    )
    return TwoModes(free, held, resolvable, words)


def _bound(jacobian: np.ndarray, which: int) -> float:
    scale = np.sqrt((jacobian**2).sum(axis=1))
    unit = jacobian / scale[:, None]
    return float(np.sqrt(np.linalg.pinv(unit @ unit.T, rcond=1e-14, hermitian=True)[which, which]) / scale[which])
