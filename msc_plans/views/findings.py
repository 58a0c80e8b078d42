"""What ``msc analyze`` says of a result: a record for JSON, a few lines for a reader."""

import math
from collections.abc import Sequence
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np

__all__ = ["as_record", "melting_lines", "strict", "value_pm", "written"]

_ARRAYS = {"saxs": ("radius_nm", "volume_weighted", "volume_weighted_sigma")}
_VERDICTS = {
    "quantized": "quantized: the families' sizes alone",
    "continuous": "continuous: a broad or shifting population",
    "not resolved": "not resolved: the data can't tell families from a continuous population",
    "no scatterers": "no scatterers above background",
}


def strict(value: Any) -> Any:
    """Return a value as strict JSON knows it: plain numbers and lists, None for what is not finite."""
    if is_dataclass(value) and not isinstance(value, type):
        return {item.name: strict(getattr(value, item.name)) for item in fields(value)}
    if isinstance(value, dict):
        return {str(key): strict(item) for key, item in value.items()}
    if isinstance(value, (np.ndarray, np.generic)):
        value = value.tolist()
    if isinstance(value, (list, tuple)):
        return [strict(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, (bool, int, str)) else str(value)


def as_record(analysis: str, finding: Any) -> dict[str, Any]:
    """Return the record of a finding: file, column, the result's fields without its curves, warnings."""
    record: dict[str, Any] = {"file": finding.file}
    if finding.column is not None:
        record["column"] = finding.column
    kept = _ARRAYS.get(analysis, ())
    for item in fields(finding.result):
        value = getattr(finding.result, item.name)
        if item.name in kept or not isinstance(value, np.ndarray):
            record[item.name] = value
    if analysis == "saxs" and not math.isfinite(finding.result.mean_radius_nm):
        record["mean_radius_interval_nm"] = None
    record |= finding.record
    record["warnings"] = [*finding.warnings, *getattr(finding.result, "warnings", ())]
    return record


def value_pm(value: float, sigma: float, unit: str = "") -> str:
    """Return a value and its σ with as many figures as the σ carries."""
    unit = f" {unit}" if unit else ""
    if not math.isfinite(value):
        return f"unknown{unit}"
    if not (math.isfinite(sigma) and sigma > 0):
        return f"{value:.4g}{unit}"
    exponent = math.floor(math.log10(sigma))
    decimals = (1 if sigma / 10.0**exponent < 3 else 0) - exponent
    small = max(abs(value), sigma)
    if small < 1e-3 or small >= 1e6:
        scale = math.floor(math.log10(small))
        places = max(decimals + scale, 0)
        return f"({value / 10.0**scale:.{places}f} ± {sigma / 10.0**scale:.{places}f})e{scale:d}{unit}"
    return f"{round(value, decimals):.{max(decimals, 0)}f} ± {round(sigma, decimals):.{max(decimals, 0)}f}{unit}"


def written(analysis: str, finding: Any) -> str:
    """Return a finding as lines to read."""
    lines = {"uvvis": _uvvis, "saxs": _saxs, "lamellae": _lamellae}[analysis](finding.result)
    lines += [f"warning: {warning}" for warning in getattr(finding.result, "warnings", ())]
    if "picture" in finding.record:
        lines.append(f"picture: {finding.record['picture']}")
    at = "" if finding.temperature_c is None else f" at {finding.temperature_c:g} °C"
    return "\n".join([f"{finding.name}{at}", *(f"  {line}" for line in lines)])


def _uvvis(result: Any) -> list[str]:
    lines = [
        f"{band.family:<10} {value_pm(band.wavelength_nm, band.sigma['wavelength_nm'], 'nm'):<18} "
        f"height {value_pm(band.height, band.sigma['height'])}, "
        f"FWHM {value_pm(band.fwhm_nm, band.sigma['fwhm_nm'], 'nm')}, "
        f"{value_pm(band.concentration_mol_l, band.sigma['concentration_mol_l'], 'mol/L')}, "
        f"probability {band.probability:.2f}"
        for band in result.families
        if band.detected
    ]
    crystal = result.nanocrystal
    if crystal is not None:
        unknown = math.isnan(crystal.diameter_nm)
        doubt = "" if crystal.diameter_in_range or unknown else " (outside the sizing curve's range)"
        lines.append(
            f"{'NC':<10} {value_pm(crystal.wavelength_nm, crystal.sigma['wavelength_nm'], 'nm'):<18} "
            f"height {value_pm(crystal.height, crystal.sigma['height'])}, "
            f"FWHM {value_pm(crystal.fwhm_nm, crystal.sigma['fwhm_nm'], 'nm')}, "
            f"diameter {value_pm(crystal.diameter_nm, crystal.sigma['diameter_nm'], 'nm')}{doubt}"
            + ("" if math.isnan(crystal.aggregation_number) else f", {crystal.aggregation_number:.0f} {crystal.unit}")
        )
    if not lines:
        lines.append("nothing found: no family, no nanocrystals")
    maybe = [f"{b.family} ({b.probability:.2f})" for b in result.families if not b.detected and b.probability >= 0.5]
    absent = [b.family for b in result.families if b.probability < 0.5]
    uncovered = [b.family for b in result.families if not math.isfinite(b.probability)]
    notes = [
        f"{what}: {', '.join(names)}"
        for what, names in (
            ("undecided (probability)", maybe),
            ("not there", absent),
            ("outside the spectrum", uncovered),
        )
        if names
    ]
    return [*lines, "; ".join([*notes, f"noise {result.noise:.2g}"])]


def _saxs(result: Any) -> list[str]:
    lines: list[str] = [_VERDICTS.get(result.verdict, str(result.verdict))]
    if math.isfinite(result.mean_radius_nm):
        low, high = result.mean_radius_interval_nm
        spread = (high - low) / 4.0
        digits = min(max(0, 1 - math.floor(math.log10(spread))), 3) if spread > 0 else 3
        lines.append(
            f"mean radius {result.mean_radius_nm:.{digits}f} nm (95 %: {low:.{digits}f} to {high:.{digits}f} nm), "
            f"relative width {value_pm(result.relative_width, max(result.relative_width_sigma, 1e-3))}"
        )
        if math.isfinite(result.volume_fraction):
            doubt = " (above 1: the intensity is not in cm⁻¹?)" if result.volume_fraction > 1 else ""
            lines.append(f"volume fraction {value_pm(result.volume_fraction, result.volume_fraction_sigma)}{doubt}")
        lines += [
            f"{share.family} {value_pm(100 * share.fraction, 100 * share.fraction_sigma, '%')} of the volume, "
            f"if radii are the table's ({share.radius_nm:g} nm)"
            for share in result.families
        ]
    return [*lines, f"reduced χ² {result.chi2_reduced:.3g}, by {result.method}"]


def _lamellae(result: Any) -> list[str]:
    lines = []
    for peak in result.peaks:
        sigma = peak.sigma
        order = f"order {peak.order}" if peak.order else "no order"
        lines.append(
            f"peak at {value_pm(peak.q_inv_nm, sigma.get('q_inv_nm', math.nan), 'nm⁻¹')}, "
            f"FWHM {value_pm(peak.fwhm_inv_nm, sigma.get('fwhm_inv_nm', math.nan), 'nm⁻¹')}, "
            f"height {value_pm(peak.height, sigma.get('height', math.nan))}, {order}"
        )
    if not lines:
        lines.append("no Bragg peak")
    said = f"structure: {result.structure}"
    if math.isfinite(result.d_spacing_nm):
        said += f", d = {value_pm(result.d_spacing_nm, result.d_spacing_sigma_nm, 'nm')}"
    return [*lines, f"{said}; reduced χ² {result.chi2_reduced:.3g}"]


def melting_lines(findings: Sequence[Any]) -> str:
    """Return what curves at several temperatures say of melting."""
    from msc_plans.analysis.lamellae.analyse import melting

    melted = melting([finding.temperature_c for finding in findings], [finding.result for finding in findings])
    low, high = melted.interval_c
    if not melted.present.any():
        return "melting: no peak at any temperature"
    lines = ["melting, by the intensity of the first peak:"]
    for k, temperature in enumerate(melted.temperature_c):
        said = (
            value_pm(float(melted.area_inv_nm[k]), float(melted.area_sigma_inv_nm[k]))
            if melted.present[k]
            else f"not there (95 %: below {melted.upper_limit_inv_nm[k]:.2g})"
        )
        lines.append(f"{temperature:g} °C: {said}")
    lines.append(
        f"it melts between {low:g} and {high:g} °C" if math.isfinite(high) else f"it is still there at {low:g} °C"
    )
    return "\n  ".join(lines)
