"""From a scattering curve to the sizes of the spheres that made it.

Mean radius, relative width and volume fraction come from populations weighed by their evidence (`saxs_populations`), or
from a regularised inversion about them where they don't describe the curve (`saxs_inversion`). So they do for the
method "monte carlo": a fit that stops at χ² = 1 broadens what it finds; its histogram is shown as the method gives it,
and the width reported is not the histogram's.
"""

import math
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from msc_plans.analysis.saxs.families import FamilyFit, TwoModes, fit_families, two_modes
from msc_plans.analysis.saxs.fit import columns
from msc_plans.analysis.saxs.form import NM3_TO_CM3, log_grid
from msc_plans.analysis.saxs.inversion import Inversion, invert
from msc_plans.analysis.saxs.montecarlo import monte_carlo
from msc_plans.analysis.saxs.noise import PreparedCurve, prepare, variance_model
from msc_plans.analysis.saxs.populations import Basis, Model, Weighed, interval, weigh
from msc_plans.analysis.saxs.result import FamilyShare, SaxsResult
from msc_plans.analysis.saxs.verdict import judge
from msc_plans.families import FamilyTable, built_in_families

__all__ = [
    "FamilyFit",
    "FamilyShare",
    "SaxsResult",
    "TwoModes",
    "analyse",
    "fit_families",
    "two_modes",
]

_NO_CONTRAST = "no volume fraction: neither the family table's material nor the caller gives the scattering contrast"
_BINS = 60
_DRAWS = 60
_DISBELIEF = 8.0
_RUNS = 0.3
_POOR = 1.5
_AXIS = 1e-3
"""Relative error of q, and so of every radius: no camera length is set better, however little the noise."""


def analyse(
    q_inv_nm: ArrayLike,
    intensity: ArrayLike,
    sigma: ArrayLike | None = None,
    *,
    absolute: bool = True,
    contrast_inv_cm2: float | None = None,
    families: FamilyTable | None = None,
    method: Literal["inversion", "monte carlo"] = "inversion",
    repetitions: int = 10,
    contributions: int = 300,
    radius_limits_nm: tuple[float, float] | None = None,
    seed: int = 0,
) -> SaxsResult:
    """Volume-weighted sizes of spheres over a constant and an upturn at low q.

    Parameters
    ----------
    q_inv_nm : array_like, shape (points,)
        Momentum transfer, nm⁻¹, in any order.
    intensity : array_like, shape (points,)
        cm⁻¹ where `absolute`; zero and negative values are data, NaN rows are dropped.
    sigma : array_like, shape (points,), optional
        Errors; without them they are estimated from the curve. Their scale is not believed but fitted.
    absolute : bool
        Whether the intensity is in cm⁻¹; else the volume fraction is NaN.
    contrast_inv_cm2 : float, optional
        Difference of scattering length densities of particle and solvent, cm⁻². Default: the material's of `families`;
        where that gives none, the volume fraction is NaN and a warning says so.
    families : FamilyTable, optional
        Table that the verdict and the shares refer to; may be empty. Default: the built-in table.
    method : {"inversion", "monte carlo"}
        Where the distribution comes from.
    repetitions, contributions, seed : int
        Of the Monte Carlo method.
    radius_limits_nm : (float, float), optional
        Smallest and largest mean radius looked for; without them what the range of q can tell.

    Raises
    ------
    ValueError
        The columns differ in length, hold fewer than 15 usable points or are constant; a setting is out of range.
    """
    if method not in ("inversion", "monte carlo"):
        raise ValueError(f'method must be "inversion" or "monte carlo", not {method!r}')
    if contrast_inv_cm2 is not None and not (math.isfinite(contrast_inv_cm2) and contrast_inv_cm2 != 0):
        raise ValueError(f"contrast_inv_cm2 must be finite and not zero, not {contrast_inv_cm2!r}")
    families = built_in_families() if families is None else families
    contrast = families.material.contrast_inv_cm2 if contrast_inv_cm2 is None else contrast_inv_cm2
    unknown = (_NO_CONTRAST,) if absolute and math.isnan(contrast) else ()
    if radius_limits_nm is not None and not 0 < radius_limits_nm[0] < radius_limits_nm[1] < math.inf:
        raise ValueError(f"radius_limits_nm must be (smallest, largest), positive, not {radius_limits_nm!r}")
    curve = prepare(q_inv_nm, intensity, sigma)
    basis = Basis.of(curve.q_inv_nm, radius_limits_nm)
    curve, weighed = _weigh(curve, basis)
    best = weighed.models[0]
    rows = columns(best.theta, curve.q_inv_nm, curve.sigma, basis.log_radius, basis.table)
    background = (best.amounts[:2] @ rows[:2]) * curve.sigma
    fit = (best.amounts @ rows) * curve.sigma
    nothing = SaxsResult(
        mean_radius_nm=math.nan,
        mean_radius_interval_nm=(math.nan, math.nan),
        relative_width=math.nan,
        relative_width_sigma=math.nan,
        volume_fraction=0.0 if absolute and not unknown else math.nan,
        volume_fraction_sigma=math.nan,
        verdict="no scatterers",
        chi2_reduced=best.chi2 / max(len(curve.q_inv_nm) - best.parameters, 1),
        method=method,
        radius_nm=np.zeros(0),
        volume_weighted=np.zeros(0),
        volume_weighted_sigma=np.zeros(0),
        q_inv_nm=curve.q_inv_nm,
        intensity=curve.intensity,
        intensity_sigma=curve.sigma,
        fit=fit,
        background=background,
        table_radii_nm={family.name: family.radius_nm for family in families},
        warnings=(*unknown, *curve.warnings, *_misfit(curve, best.chi2, fit)),
    )
    if weighed.blank:
        return nothing
    models, weights = weighed.particles()
    best = models[int(np.argmax(weights))]
    flexible = min(weighed.models, key=lambda m: m.chi2)
    verdict, table = judge(curve, basis, flexible, weighed.noise, weighed.signed, families)
    inversion = invert(curve, basis, best, weighed.signed)
    sizes = _of_populations(curve, basis, models, weights)
    if inversion is not None:
        sizes = _of_inversion(inversion, sizes)
    fraction = sizes.amount / (contrast**2 * NM3_TO_CM3) if absolute else math.nan
    chi2 = float(np.sum(((curve.intensity - sizes.fit) / curve.sigma) ** 2))
    result = replace(
        nothing,
        mean_radius_nm=sizes.mean_nm,
        mean_radius_interval_nm=sizes.interval_nm,
        relative_width=sizes.width,
        relative_width_sigma=sizes.width_sigma,
        volume_fraction=fraction,
        volume_fraction_sigma=sizes.log_amount_sigma * fraction,
        verdict=verdict,
        chi2_reduced=chi2 / max(len(curve.q_inv_nm) - best.parameters, 1),
        radius_nm=sizes.radius_nm,
        volume_weighted=sizes.density,
        volume_weighted_sigma=sizes.density_sigma,
        fit=sizes.fit,
        background=sizes.background,
        families=_shares(families, table),
        warnings=(*unknown, *curve.warnings, *_misfit(curve, chi2, sizes.fit)),
    )
    if method == "monte carlo":
        result = _with_monte_carlo(result, curve, weighed.noise, radius_limits_nm, contributions, repetitions, seed)
    return result


@dataclass(frozen=True)
class _Sizes:
    mean_nm: float
    interval_nm: tuple[float, float]
    width: float
    width_sigma: float
    amount: float
    log_amount_sigma: float
    radius_nm: np.ndarray
    density: np.ndarray
    density_sigma: np.ndarray
    fit: np.ndarray
    background: np.ndarray


def _of_populations(curve: PreparedCurve, basis: Basis, models: list[Model], weights: np.ndarray) -> _Sizes:
    """Medians and intervals over models and their parameters."""
    best = models[int(np.argmax(weights))]
    rows = columns(best.theta, curve.q_inv_nm, curve.sigma, basis.log_radius, basis.table)
    centres = np.array([[m.mean_nm, m.width, math.log(m.amounts[2:].sum())] for m in models])
    spreads = np.sqrt(np.array([np.maximum(np.diag(m.covariance), 0.0) for m in models]))
    spreads[:, 0] = np.hypot(spreads[:, 0], _AXIS * centres[:, 0])
    low, high = interval(centres[:, 0], spreads[:, 0], weights)
    mean, width, log_amount = (interval(c, s, weights, 0.0)[0] for c, s in zip(centres.T, spreads.T, strict=True))
    _, width_sigma, amount_sigma = np.sqrt(weights @ (spreads**2 + (centres - weights @ centres) ** 2))
    radius = np.exp(basis.log_radius)
    density = weights @ np.array([m.density(basis.log_radius) for m in models])
    rng = np.random.default_rng(0)
    drawn = [m.draws(basis.log_radius, round(_DRAWS * w), rng) for m, w in zip(models, weights, strict=True)]
    spread = np.sqrt(np.mean((np.concatenate(drawn) - density) ** 2, axis=0))
    keep = _filled(density)
    per_nm = (1.0 / np.gradient(radius))[keep]
    return _Sizes(
        mean,
        (max(low, 0.0), high),
        width,
        float(width_sigma),
        math.exp(log_amount),
        float(amount_sigma),
        radius[keep],
        density[keep] * per_nm,
        spread[keep] * per_nm,
        (best.amounts @ rows) * curve.sigma,
        (best.amounts[:2] @ rows[:2]) * curve.sigma,
    )


def _of_inversion(found: Inversion, populations: _Sizes) -> _Sizes:
    """The inversion's, with uncertainties that reach to what the populations, which fit less well, say."""
    keep = _filled(found.share)
    per_nm = (1.0 / np.gradient(found.radius_nm))[keep]
    reach = 1.96 * float(found.spread[0])
    low, high = populations.interval_nm
    return _Sizes(
        found.mean_nm,
        (max(min(low, found.mean_nm - reach), 0.0), max(high, found.mean_nm + reach)),
        found.width,
        math.hypot(found.spread[1], found.width - populations.width),
        found.amount,
        math.hypot(found.spread[2], math.log(found.amount / populations.amount)),
        found.radius_nm[keep],
        found.share[keep] * per_nm,
        found.share_sigma[keep] * per_nm,
        found.fit,
        found.background,
    )


def _filled(share: np.ndarray) -> slice:
    """Where all but a thousandth of the volume is, and a little more."""
    first, last = np.searchsorted(np.cumsum(share), [5e-4, 1 - 5e-4])
    return slice(max(int(first) - 4, 0), int(last) + 5)


def _weigh(curve: PreparedCurve, basis: Basis) -> tuple[PreparedCurve, Weighed]:
    """Weigh, once more with errors from the residuals where there were none or where their course with q is wrong."""
    weighed = weigh(curve, basis)
    flexible = min(weighed.models, key=lambda m: m.chi2)
    rows = columns(flexible.theta, curve.q_inv_nm, curve.sigma, basis.log_radius, basis.table)
    model = (flexible.amounts @ rows) * curve.sigma
    residual = curve.intensity - model
    estimated = variance_model(model, residual)
    believed = curve.sigma * math.sqrt(weighed.noise)

    def surprise(spread: np.ndarray) -> float:
        return float(np.sum(np.log(spread) + 0.5 * np.minimum((residual / spread) ** 2, 12.0)))

    # Residuals that run on from point to point are misfit, and say nothing of the errors.
    pull = residual / curve.sigma
    runs = float(pull[1:] @ pull[:-1] / max(pull @ pull, 1e-300)) > _RUNS
    if curve.given and (runs or surprise(believed) - surprise(estimated) < _DISBELIEF):
        return curve, weighed
    warnings = curve.warnings
    if curve.given:
        warnings = (*warnings, "the errors given don't follow the scatter of the points; estimated from the scatter")
    curve = replace(curve, sigma=estimated, warnings=warnings)
    return curve, weigh(curve, basis, before=weighed)


def _misfit(curve: PreparedCurve, chi2: float, fit: np.ndarray) -> tuple[str, ...]:
    """A warning where the residuals run on from point to point and are more than the errors."""
    pull = (curve.intensity - fit) / curve.sigma
    runs = float(pull[1:] @ pull[:-1] / max(pull @ pull, 1e-300))
    if runs > _RUNS and chi2 > _POOR * len(pull):
        per_point = f"{chi2 / len(pull):.3g}"
        return (f"spheres over a constant and an upturn do not describe this curve: χ² per point is {per_point}",)
    return ()


def _shares(families: FamilyTable, table: FamilyFit | None) -> tuple[FamilyShare, ...]:
    if table is None:
        return ()
    shares = []
    for radius, fraction, sigma in zip(table.radii_nm, table.fractions, table.fraction_sigmas, strict=True):
        name = " or ".join(f.name for f in families if f.radius_nm == radius)
        shares.append(FamilyShare(name, float(radius), float(fraction), float(sigma)))
    return tuple(shares)


def _with_monte_carlo(
    result: SaxsResult,
    curve: PreparedCurve,
    noise: float,
    limits: tuple[float, float] | None,
    contributions: int,
    repetitions: int,
    seed: int,
) -> SaxsResult:
    """The upturn is subtracted first; the errors are scaled to the noise found, which the stopping value refers to."""
    found = monte_carlo(
        curve.q_inv_nm,
        curve.intensity - (result.background - result.background[-1]),
        curve.sigma * math.sqrt(noise),
        radius_limits_nm=limits,
        contributions=contributions,
        repetitions=repetitions,
        seed=seed,
    )
    low, high = np.quantile(found.radius_nm, [0.002, 0.998])
    edges = log_grid(0.97 * float(low), 1.03 * float(high), max(0.02, math.log(high / low * 1.06) / _BINS))
    density, spread = found.histogram(edges)
    warnings = result.warnings
    if not found.converged.all():
        warnings = (
            *warnings,
            f"{np.sum(~found.converged)} of {repetitions} Monte Carlo repetitions ended above χ² = 1",
        )
    total = float(density @ np.diff(edges))
    return replace(
        result,
        method="monte carlo",
        radius_nm=np.sqrt(edges[1:] * edges[:-1]),
        volume_weighted=density / total,
        volume_weighted_sigma=spread / total,
        warnings=warnings,
    )
