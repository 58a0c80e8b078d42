"""A scattering curve and what is subtracted from it."""

from dataclasses import dataclass, field, replace

import numpy as np

from msc_plans.analysis.lamellae.result import LamellaeResult

__all__ = ["ScatteringCurve", "subtract", "without_peaks"]

_CORE = 1.5


@dataclass(frozen=True)
class ScatteringCurve:
    """Intensity over momentum transfer, with errors of one point independent of those of the next."""

    q_inv_nm: np.ndarray = field(repr=False)
    """Shape (points,), ascending: the mean of the pixels of each bin."""
    intensity: np.ndarray = field(repr=False)
    """cm⁻¹ where `absolute`, else detected photons per monitor count, steradian and cm; NaN where no pixel was left."""
    sigma: np.ndarray = field(repr=False)
    """Standard error of counting alone; errors of monitors and calibration are common to all points and not in it."""
    absolute: bool
    transmission: float = 1.0
    """Transmission of sample and cell, of the direct beam."""
    uid: str = ""
    """Uid of the run that it was measured in."""
    background_uid: str = ""
    """Uid of the run that was subtracted; empty where none was."""
    time_s: float = float("nan")
    """When that was, s since 1970."""
    pixels: np.ndarray = field(default_factory=lambda: np.zeros(0), repr=False)
    """Shape (points,): pixels that counted."""
    warnings: tuple[str, ...] = ()

    @property
    def usable(self) -> np.ndarray:
        """Shape (points,), bool: intensity and σ are finite."""
        return np.isfinite(self.intensity) & np.isfinite(self.sigma)


def subtract(sample: ScatteringCurve, background: ScatteringCurve, *, share: float = 1.0) -> ScatteringCurve:
    """Subtract a background, each normalised by its own transmission: I − s I_b, σ² + s² σ_b².

    Parameters
    ----------
    sample, background : ScatteringCurve
        Of the same integrator; points that either lacks are NaN.
    share : float
        Share of the background that is in the sample: 1 − φ for a solvent whose volume fraction φ is displaced.

    Raises
    ------
    ValueError
        The two have other points or other units.
    """
    if sample.absolute != background.absolute:
        words = {True: "absolute", False: "not calibrated"}
        raise ValueError(
            f"the sample is {words[sample.absolute]}, its background {words[background.absolute]}; "
            "integrate both with the same calibration factor"
        )
    step = np.min(np.diff(sample.q_inv_nm)) if len(sample.q_inv_nm) > 1 else 1.0
    if len(sample.q_inv_nm) != len(background.q_inv_nm) or np.any(
        np.abs(sample.q_inv_nm - background.q_inv_nm) > 1e-3 * step
    ):
        raise ValueError(
            f"background {background.uid or '(no uid)'} has other points: {len(background.q_inv_nm)} up to "
            f"{background.q_inv_nm[-1]:.4g} nm⁻¹, the sample {len(sample.q_inv_nm)} up to {sample.q_inv_nm[-1]:.4g} "
            "nm⁻¹; integrate both with the same geometry, mask and energy"
        )
    return replace(
        sample,
        intensity=sample.intensity - share * background.intensity,
        sigma=np.hypot(sample.sigma, share * background.sigma),
        background_uid=background.uid,
        warnings=(*sample.warnings, *(f"background: {warning}" for warning in background.warnings)),
    )


def without_peaks(curve: ScatteringCurve, found: LamellaeResult) -> ScatteringCurve:
    """Subtract fitted Bragg peaks; within 1.5 FWHM of one, where the rest can't be told, points are NaN."""
    peaks = np.interp(curve.q_inv_nm, found.q_inv_nm, found.fit - found.background, left=0.0, right=0.0)
    beside = np.ones(len(peaks), bool)
    for peak in found.peaks:
        beside &= np.abs(curve.q_inv_nm - peak.q_inv_nm) > _CORE * peak.fwhm_inv_nm
    return replace(curve, intensity=np.where(beside, curve.intensity - peaks, np.nan))
