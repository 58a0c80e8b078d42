"""UV-vis and SAXS of one condition together: amounts of families and nanocrystals, and whether the signals agree.

One set of volume fractions has to explain the curve and the band heights at once (`joint_fit`). UV-vis tells the
families apart but not how much there is, for want of sure extinctions; SAXS knows the volume and the mean radius but
can't tell 0.94 from 1.02 nm. What neither tells apart is anticorrelated in `JointResult.covariance`, which is that of
Laplace's approximation cut at 0 (`joint_truncated`).

The signals disagree where the χ² of both together is too far above that of the scattering alone; heights alone have
none (parameter goodness of fit; Maltoni & Schwetz, *Phys. Rev. D* 2003, 68, 033020).
"""

import math
from dataclasses import replace
from typing import Final

import numpy as np

from msc_plans.analysis.joint.compare import compare, volumes_by_heights
from msc_plans.analysis.joint.fit import AVOGADRO_NM3_PER_L, JointFit, JointModel, priors, volume_nm3
from msc_plans.analysis.joint.result import NANOCRYSTALS, JointResult, SpeciesAmount
from msc_plans.analysis.joint.truncated import Truncated, truncate
from msc_plans.analysis.saxs.form import NM3_TO_CM3
from msc_plans.analysis.saxs.populations import Basis
from msc_plans.analysis.saxs.result import SaxsResult
from msc_plans.analysis.uvvis.result import UvVisResult
from msc_plans.families import FamilyTable, built_in_families

__all__ = [
    "AGREE_FROM",
    "EXTINCTION_SIGMA",
    "NANOCRYSTALS",
    "SAXS_SCALE_SIGMA",
    "JointResult",
    "SpeciesAmount",
    "combine",
    "outcome",
]

SAXS_SCALE_SIGMA: Final = 0.13
"""Relative σ of the amount by SAXS: 3.00 ± 0.38 g/L in the inter-laboratory comparison of Pauw, Kästner & Thünemann,
*J. Appl. Cryst.* 2017, 50, 1280."""

EXTINCTION_SIGMA: Final = 0.3
"""Relative σ of all extinctions together. The curve of Jasieniak et al., *J. Phys. Chem. C* 2009, 113, 19468, at 60 meV
half width over that of Yu 2003: 0.97 at 620 nm, 1.37 at 572 nm, 2.2 at 527 nm, 3.1 at 490 nm. Below 550 nm a
disagreement may thus be the extinction's; it is reported, not allowed for."""

AGREE_FROM: Final = 0.01
"""Probability below which the signals count as disagreeing."""

_FAMILY_SIGMA, _NANOCRYSTAL_SIGMA = 0.2, 0.1
_FAMILY_RADIUS_SIGMA = 0.015
_SIZING_SIGMA = 0.06
_LARGEST_RADIUS_NM = 8.0
_FREE_SCALE_SIGMA = 3.0
_LEAST_NOISE = 0.01
_POOR = 1.5
_PRESENT = 3.0


def combine(
    uvvis: UvVisResult,
    saxs: SaxsResult,
    *,
    families: FamilyTable | None = None,
    contrast_inv_cm2: float | None = None,
    path_length_cm: float | None = None,
    saxs_scale_sigma: float = SAXS_SCALE_SIGMA,
    extinction_sigma: float = EXTINCTION_SIGMA,
) -> JointResult:
    """Amounts of families and nanocrystals from both signals.

    Parameters
    ----------
    uvvis, saxs : UvVisResult, SaxsResult
        Of the same sample.
    families : FamilyTable, optional
        Table whose radii are held, within 1.5 % common to all. One that the spectrum was not searched for is known by
        SAXS alone. Default: the built-in table.
    contrast_inv_cm2 : float, optional
        As for `msc_plans.analysis.saxs.analyse.analyse`.
    path_length_cm : float, optional
        Of the spectrum; without it the path by which the families' concentrations were found.
    saxs_scale_sigma, extinction_sigma : float
        Relative σ of absolute intensity and contrast, and of the extinctions' common scale.

    Raises
    ------
    ValueError
        No family is given, the table lacks an extinction or the contrast, a number isn't positive, or the path is
        neither given nor to be found.
    """
    families = built_in_families() if families is None else families
    if not families:
        raise ValueError("families is empty: give the table that the spectrum was analysed with")
    families.material.known_extinction("the analysis of both signals together")
    contrast = families.material.contrast_inv_cm2 if contrast_inv_cm2 is None else contrast_inv_cm2
    if math.isnan(contrast) and math.isnan(saxs.volume_fraction):
        contrast = 1.0  # the amount by SAXS is left open whatever it is
    for name, value in (
        ("contrast_inv_cm2", abs(contrast)),
        ("saxs_scale_sigma", saxs_scale_sigma),
        ("extinction_sigma", extinction_sigma),
    ):
        if not (math.isfinite(value) and value > 0):
            raise ValueError(f"{name} must be finite and not zero, not {value!r}")
    path = _path_length_cm(uvvis) if path_length_cm is None else float(path_length_cm)
    if not (math.isfinite(path) and path > 0):
        raise ValueError(f"path_length_cm must be positive, not {path!r}; give it where no family lies in the spectrum")
    model = _model(uvvis, saxs, families, contrast, path, (saxs_scale_sigma, extinction_sigma))
    alone, both, warnings, model = _fits(model)
    return _result(model, alone, both, uvvis, saxs, families, warnings)


def _path_length_cm(uvvis: UvVisResult) -> float:
    """From σ of height and concentration, as these are there in a blank too."""
    for band in uvvis.families:
        height, concentration = band.sigma["height"], band.sigma["concentration_mol_l"]
        if math.isfinite(height) and height > 0 and concentration > 0:
            return height / (concentration * band.extinction_l_mol_cm)
    return math.nan


def _model(
    uvvis: UvVisResult,
    saxs: SaxsResult,
    families: FamilyTable,
    contrast_inv_cm2: float,
    path_length_cm: float,
    scale_sigmas: tuple[float, float],
) -> JointModel:
    bands = {band.family: band for band in uvvis.families}
    crystal = uvvis.nanocrystal
    radii = np.array([family.radius_nm for family in families])
    heights = [bands[f.name].height if f.name in bands else 0.0 for f in families] + [
        crystal.height if crystal else 0.0
    ]
    sigmas = [bands[f.name].sigma["height"] if f.name in bands else math.inf for f in families]
    sigmas.append(crystal.sigma["height"] if crystal else uvvis.nanocrystal_height_sigma or math.inf)
    per_fraction = np.array([f.extinction_l_mol_cm / volume_nm3(f.radius_nm) for f in families])
    per_fraction *= path_length_cm / AVOGADRO_NM3_PER_L
    if crystal and math.isfinite(crystal.diameter_nm):
        middle, spread = 0.5 * crystal.diameter_nm, crystal.sigma["diameter_nm"] / crystal.diameter_nm
        optical = (math.log(middle), math.hypot(_SIZING_SIGMA, spread))
        limits = (0.5 * middle, max(_LARGEST_RADIUS_NM, 3.0 * middle))
    else:
        # Just above the families' radii: UV-vis would have called smaller ones a family.
        optical, limits = None, (1.04 * float(radii.max()), max(_LARGEST_RADIUS_NM, 4.0 * float(radii.max())))
        size = saxs.mean_radius_nm
        middle = float(np.clip(size if math.isfinite(size) else 0.0, 1.2 * limits[0], 0.8 * limits[1]))
    absolute = not math.isnan(saxs.volume_fraction)
    mean, sigma = priors(
        len(families) + 1,
        saxs_scale_sigma=scale_sigmas[0] if absolute else _FREE_SCALE_SIGMA,
        uvvis_scale_sigma=scale_sigmas[1],
        species_sigma=np.array([_FAMILY_SIGMA] * len(families) + [_NANOCRYSTAL_SIGMA]),
        family_radius_sigma=_FAMILY_RADIUS_SIGMA,
        radius_nm=middle,
    )
    model = JointModel(
        q_inv_nm=saxs.q_inv_nm,
        intensity=saxs.intensity,
        sigma=saxs.intensity_sigma * math.sqrt(max(saxs.chi2_reduced, _LEAST_NOISE)),
        per_fraction=contrast_inv_cm2**2 * NM3_TO_CM3,
        unit=1.0,
        family_radius_nm=radii,
        height=np.array(heights),
        height_sigma=np.array(sigmas),
        family_height_per_fraction=per_fraction,
        nanocrystal_extinction=families.material.known_extinction("the amount of nanocrystals"),
        path_length_cm=path_length_cm,
        prior_mean=mean,
        prior_sigma=sigma,
        radius_limits_nm=limits,
        optical_radius=optical,
        basis=Basis.of(saxs.q_inv_nm, (min(float(radii.min()), limits[0]), limits[1])),
    )
    return _scaled(model, saxs, middle, absolute)


def _scaled(model: JointModel, saxs: SaxsResult, radius_nm: float, absolute: bool) -> JointModel:
    """Amounts in a unit of about their size; a curve that isn't absolute, on about the scale of UV-vis."""
    factor = model.height_per_fraction(radius_nm)
    seen = np.isfinite(model.height_sigma)
    optical = float(np.sum((model.height / factor)[seen]))
    limit = float(np.sum((model.height_sigma / factor)[seen]))
    if absolute:
        return replace(model, unit=max(saxs.volume_fraction, optical, 1e-3 * limit, 1e-9))
    unit = max(optical, limit, 1e-9)
    particles = float(np.max(np.abs(saxs.intensity - saxs.background)))
    volume = volume_nm3(saxs.mean_radius_nm if math.isfinite(saxs.mean_radius_nm) else radius_nm)
    return replace(model, unit=unit, per_fraction=max(particles, 1e-300) / (volume * unit))


def _fits(model: JointModel) -> tuple[JointFit, JointFit, tuple[str, ...], JointModel]:
    """Fit the scattering alone, and both, with the curve's errors so large that the first fit is good."""
    alone = model.fit(model.scan(), optical=False)
    excess = alone.scattering_chi2 / max(len(model.q_inv_nm) - model.layout.species - 4, 1)
    warnings: tuple[str, ...] = ()
    if excess > 1.0:
        if excess > _POOR:
            warnings = (f"families and one population of nanocrystals leave χ² {excess:.3g} per point of the curve",)
        model = model.noisier(math.sqrt(excess))
        alone = model.fit(alone.theta, optical=False)
    both = min((model.fit(start) for start in (alone.theta, model.start())), key=lambda fit: fit.cost)
    # From where the joint fit ended the scattering alone may find a deeper minimum than from its scan.
    again = model.fit(both.theta, optical=False)
    return min(alone, again, key=lambda fit: fit.cost), both, warnings, model


def _result(
    model: JointModel,
    alone: JointFit,
    both: JointFit,
    uvvis: UvVisResult,
    saxs: SaxsResult,
    families: FamilyTable,
    warnings: tuple[str, ...],
) -> JointResult:
    names = [*families.names, NANOCRYSTALS]
    layout, unit = model.layout, model.unit
    count = layout.species
    cut = _posterior(model, both)
    amounts = unit * both.theta[layout.amounts]
    covariance = unit**2 * cut.covariance[:count, :count]
    off = unit * cut.mean[:count] - amounts
    sigma = np.hypot(np.sqrt(np.diag(covariance)), off)
    radius = math.exp(both.theta[layout.radius])
    radii = np.append(model.family_radius_nm, radius)
    there = amounts > _PRESENT * sigma
    crystals = uvvis.nanocrystal is not None or bool(there[-1])
    total = float(amounts.sum())
    shares, share_sigmas = np.full(count, math.nan), np.full(count, math.nan)
    if np.any(amounts > sigma):
        slopes = (np.eye(count) - (amounts / total)[:, None]) / total
        shares, share_sigmas = amounts / total, np.sqrt(np.diag(slopes @ covariance @ slopes.T))
    by_heights, by_heights_sigma = volumes_by_heights(model, radius)
    per_litre = 1.0 / (AVOGADRO_NM3_PER_L * volume_nm3(radii))
    units = 1.0 / (AVOGADRO_NM3_PER_L * families.material.unit_volume_nm3)
    species = tuple(
        SpeciesAmount(
            name=name,
            radius_nm=float(radii[k]) if k < count - 1 or crystals else math.nan,
            volume_fraction=float(amounts[k]),
            volume_fraction_sigma=float(sigma[k]),
            volume_fraction_interval=(unit * cut.interval(k)[0], unit * cut.interval(k)[1]),
            concentration_mol_l=float(per_litre[k] * amounts[k]),
            concentration_mol_l_sigma=float(per_litre[k] * sigma[k]),
            units_mol_l=units * float(amounts[k]),
            units_mol_l_sigma=units * float(sigma[k]),
            fraction=float(shares[k]),
            fraction_sigma=float(share_sigmas[k]),
            uvvis_volume_fraction=float(by_heights[k]),
            uvvis_volume_fraction_sigma=float(by_heights_sigma[k]),
        )
        for k, name in enumerate(names)
    )
    test = compare(model, alone, both, saxs, names, there)
    agree = test.p_value >= AGREE_FROM
    absolute = not math.isnan(saxs.volume_fraction)
    return JointResult(
        species=species,
        covariance=covariance,
        volume_fraction=total,
        volume_fraction_sigma=math.hypot(math.sqrt(float(covariance.sum())), float(off.sum())),
        nc_radius_sigma_nm=radius * math.sqrt(cut.covariance[layout.radius, layout.radius]) if crystals else math.nan,
        agree=agree,
        p_value=test.p_value,
        chi2=test.chi2,
        degrees_of_freedom=test.degrees_of_freedom,
        disagreement=() if agree else test.words or (f"χ² {test.chi2:.3g} for {test.degrees_of_freedom:g} amounts",),
        absolute=absolute,
        extinction_factor=math.exp(both.theta[layout.uvvis_scale]),
        saxs_factor=math.exp(both.theta[layout.saxs_scale]) if absolute else math.nan,
        warnings=warnings if absolute else (*warnings, _relative(families)),
    )


def _relative(families: FamilyTable) -> str:
    contrast = "" if math.isfinite(families.material.contrast_inv_cm2) else ", and the family table gives no contrast"
    return f"the curve is not in cm⁻¹{contrast}: the amounts are those of UV-vis"


def _posterior(model: JointModel, both: JointFit) -> Truncated:
    """Laplace's approximation, its peak where the tangent leads from parameters at a bound, cut at 0."""
    layout = model.layout
    scale = 1.0 / np.sqrt(np.maximum(np.diag(both.normal), 1e-12))
    matrix = both.normal * np.outer(scale, scale) + 1e-9 * np.eye(layout.size)
    inverse = np.linalg.inv(matrix) * np.outer(scale, scale)
    bounded = np.zeros(layout.size, bool)
    bounded[layout.amounts] = bounded[layout.upturn] = True
    return truncate(both.theta - inverse @ both.slope, inverse, bounded)


def outcome(joint: JointResult) -> dict[str, float | str]:
    """Flatten a result to the numbers that documents carry.

    Of each family ``NAME_volume_fraction``, ``NAME_joint_concentration_mol_l``, ``NAME_units_mol_l`` and
    ``NAME_joint_fraction`` (of the particles' volume), with ``_sigma``; of the nanocrystals the same with ``nc``, and
    ``nc_radius_nm``; ``joint_volume_fraction`` of all particles; ``agree`` (1 or 0), ``p_value`` and ``disagreement``,
    in words. "joint" keeps apart what UV-vis or SAXS publish under the plain name.
    """
    record: dict[str, float | str] = {}
    for species in joint.species:
        name = "nc" if species.name == NANOCRYSTALS else species.name
        record |= {
            f"{name}_volume_fraction": species.volume_fraction,
            f"{name}_volume_fraction_sigma": species.volume_fraction_sigma,
            f"{name}_volume_fraction_low": species.volume_fraction_interval[0],
            f"{name}_volume_fraction_high": species.volume_fraction_interval[1],
            f"{name}_joint_concentration_mol_l": species.concentration_mol_l,
            f"{name}_joint_concentration_mol_l_sigma": species.concentration_mol_l_sigma,
            f"{name}_units_mol_l": species.units_mol_l,
            f"{name}_units_mol_l_sigma": species.units_mol_l_sigma,
            f"{name}_joint_fraction": species.fraction,
            f"{name}_joint_fraction_sigma": species.fraction_sigma,
        }
    return record | {
        "nc_radius_nm": joint.species[-1].radius_nm,
        "nc_radius_nm_sigma": joint.nc_radius_sigma_nm,
        "joint_volume_fraction": joint.volume_fraction,
        "joint_volume_fraction_sigma": joint.volume_fraction_sigma,
        "agree": float(joint.agree),
        "p_value": joint.p_value,
        "disagreement": "; ".join(joint.disagreement),
        "joint_warnings": "; ".join(joint.warnings),
    }
