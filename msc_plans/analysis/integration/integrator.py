"""Detector frame to I(q) with pyFAI.

A pixel that counts N photons in t seconds has

    N = (i₀/c) t T d dΣ/dΩ ΔΩ P,    so    dΣ/dΩ = c Σ N / (i₀ t T d Σ ΔΩ P)

summed over the pixels of a bin: i₀ monitor before the sample (counts/s), T transmission, d thickness (cm), ΔΩ the
pixel's solid angle (sr, p₁p₂/L² cos³2θ for a detector normal to the beam), P polarisation. The calibration factor
c (monitor counts for each photon that the detector would count) does not depend on distance or pixel size; glassy
carbon or water gives it. T = (i₁/i₀)/(i₁/i₀ of the empty beam), i₁ the diode in the beam stop.

Each pixel belongs to one bin, so the points are independent and Σ N is a Poisson number: σ of the sum is its root, and
one count where nothing was counted. Splitting pixels among bins ("bbox") would correlate neighbours, and taking
each pixel's variance as at least one count, as is usual, overstates σ where pixels count less than one photon.
Σ N / Σ ΔΩ P is the efficient estimate for counts; q of a point is the mean over its pixels.

Pauw, *J. Phys.: Condens. Matter* 2013, 25, 383201 (corrections); Ashiotis et al.,
*J. Appl. Cryst.* 2015, 48, 510 (pyFAI).
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from msc_plans.analysis.curve import ScatteringCurve, subtract
from msc_plans.analysis.integration.geometry import PoniGeometry
from msc_plans.analysis.integration.pixels import Outliers

__all__ = ["Integrator", "PoniGeometry"]

_METHOD = ("no", "csc", "cython")
_LARGEST_TRANSMISSION = 1.02


class Integrator:
    """Azimuthal integration for one geometry and mask; a frame takes milliseconds once the first has gone through.

    Parameters
    ----------
    geometry : PoniGeometry
        Where the detector is.
    mask : ndarray of bool, shape (rows, columns), optional
        True where a pixel is never used: gaps, beam stop, known bad pixels.
    points : int
        Bins, of equal width in q.
    q_range_inv_nm : (low, high), optional
        Of the bins; else all pixels that are not masked.
    polarization : float, optional
        Share of horizontal polarisation less that of vertical; None corrects for none.
    saturation : float, optional
        Counts of one exposure from which on a pixel is not used.

    Raises
    ------
    ValueError
        The mask doesn't fit the frame or leaves nothing.
    """

    def __init__(
        self,
        geometry: PoniGeometry,
        mask: np.ndarray | None = None,
        *,
        points: int = 300,
        q_range_inv_nm: tuple[float, float] | None = None,
        polarization: float | None = 0.98,
        saturation: float | None = None,
    ) -> None:
        shape = tuple(geometry.shape)
        mask = np.zeros(shape, bool) if mask is None else np.asarray(mask, bool)
        if mask.shape != shape:
            raise ValueError(f"the mask has {_size(mask.shape)} pixels, the frame {_size(shape)}")
        if mask.all():
            raise ValueError("the mask leaves no pixel")
        if polarization is not None and not -1 <= polarization <= 1:
            raise ValueError(f"polarization must be between -1 and 1, not {polarization:g}")
        if points < 2:
            raise ValueError(f"points must be 2 or more, not {points}")
        self.geometry = geometry
        self.mask = mask
        self._saturation = saturation
        self._pyfai = geometry.pyfai()
        q = np.asarray(self._pyfai.array_from_unit(shape, unit="q_nm^-1"))
        self._outliers = Outliers(q, mask)
        self._options: dict[str, Any] = {
            "npt": points,
            "unit": "q_nm^-1",
            "method": _METHOD,
            "mask": mask,
            "radial_range": q_range_inv_nm or (float(q[~mask].min()), float(q[~mask].max())),
            "dummy": -1.0,
            "delta_dummy": 0.5,
        }
        plain = self._pyfai.integrate1d_ng(q, correctSolidAngle=False, **self._options)
        self.q_inv_nm = np.where(plain.count > 0, plain.intensity, plain.radial)
        self._options["polarization_factor"] = polarization
        self._steradian = geometry.pixel1_m * geometry.pixel2_m / geometry.distance_m**2

    def reduce(
        self,
        frames: np.ndarray | Sequence[np.ndarray],
        *,
        i0: float | Sequence[float] | np.ndarray,
        exposure_s: float,
        thickness_cm: float,
        i1: float | Sequence[float] | np.ndarray | None = None,
        empty_beam_ratio: float = 1.0,
        transmission: float | None = None,
        calibration_factor: float | None = None,
        background: ScatteringCurve | None = None,
        uid: str = "",
    ) -> ScatteringCurve:
        """Return I(q) of one frame, or of several exposures of the same sample taken together.

        Parameters
        ----------
        frames : ndarray, shape (rows, columns) or (exposures, rows, columns)
            Counts; negative and non-finite values are pixels without a count.
        i0, i1 : float or sequence
            Monitors before and behind the sample, counts/s during each exposure.
        exposure_s : float
            Of each frame.
        thickness_cm : float
            Of the sample.
        empty_beam_ratio : float
            i1/i0 without sample and cell.
        transmission : float, optional
            Instead of the one from `i1`.
        calibration_factor : float, optional
            See the module; without it the curve is not absolute.
        background : ScatteringCurve, optional
            To be subtracted: solvent and cell by this integrator.
        uid : str
            Of the run.

        Raises
        ------
        ValueError
            Frame, monitors, transmission, thickness or calibration are not what they should be; the message says
            what is wrong.
        """
        stack = self._checked(frames)
        exposures = len(stack)
        before = _monitor("i0", i0, exposures)
        if transmission is not None:
            through = np.full(exposures, float(transmission))
        elif i1 is not None:
            through = _monitor("i1", i1, exposures) / before / _positive("empty_beam_ratio", empty_beam_ratio)
        else:
            raise ValueError("neither i1 nor a transmission is given: intensities could not be normalised")
        impossible = through[~((through > 0) & (through <= _LARGEST_TRANSMISSION))]
        if len(impossible):
            raise ValueError(
                f"a transmission of {impossible[0]:.4g} can't be: check the monitors and the empty beam's i1/i0"
            )
        dose = float(np.sum(before * through)) * _positive("exposure_s", exposure_s)
        factor = 1.0 if calibration_factor is None else _positive("calibration_factor", calibration_factor)
        counts, warnings = self._usable_counts(stack)
        result = self._pyfai.integrate1d_ng(counts, **self._options)
        norm = dose * _positive("thickness_cm", thickness_cm) * self._steradian * np.asarray(result.sum_normalization)
        seen = np.asarray(result.count) > 0
        if not seen.any():
            raise ValueError("no pixel of the frame is usable: all are masked, negative or saturated")
        norm = np.where(seen, norm, np.nan)
        total = np.asarray(result.sum_signal)
        curve = ScatteringCurve(
            q_inv_nm=self.q_inv_nm,
            intensity=factor * total / norm,
            sigma=factor * np.sqrt(np.maximum(total, 1.0)) / norm,
            absolute=calibration_factor is not None,
            transmission=float(np.sum(before * through) / np.sum(before)),
            uid=uid,
            pixels=np.asarray(result.count),
            warnings=warnings,
        )
        return curve if background is None else subtract(curve, background)

    def _checked(self, frames: np.ndarray | Sequence[np.ndarray]) -> np.ndarray:
        stack = np.asarray(frames)
        if stack.ndim == 2:
            stack = stack[None]
        if stack.ndim != 3 or stack.shape[1:] != self.mask.shape or not len(stack):
            raise ValueError(
                f"a frame of {_size(np.asarray(frames).shape)} pixels; this detector has {_size(self.mask.shape)}"
            )
        return stack

    def _usable_counts(self, stack: np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
        """Sum of the exposures, -1 where a pixel is of no use in any of them, and what is to be said of it."""
        good = ~self.mask
        warnings = []
        for frame in stack:
            good &= frame >= 0
        if not np.issubdtype(stack.dtype, np.integer):
            good &= np.isfinite(stack).all(axis=0)
        if self._saturation is not None:
            full = good & (stack >= self._saturation).any(axis=0)
            good &= ~full
        else:
            full = np.zeros(0, bool)
        counts = stack[0].astype(float) if len(stack) == 1 else stack.sum(axis=0, dtype=float)
        hot, dead = self._outliers.find(counts, good)
        counts[~good] = -1.0
        counts.flat[hot] = counts.flat[dead] = -1.0
        for number, what in ((len(hot), "hot"), (len(dead), "dead"), (np.count_nonzero(full), "saturated")):
            if number:
                warnings.append(f"{number} {what} pixels were left out")
        return counts, tuple(warnings)


def _size(shape: Sequence[int]) -> str:
    return " × ".join(str(n) for n in shape)


def _positive(name: str, value: float) -> float:
    if not (np.isfinite(value) and value > 0):
        raise ValueError(f"{name} must be positive, not {value!r}")
    return float(value)


def _monitor(name: str, value: float | Sequence[float] | np.ndarray, exposures: int) -> np.ndarray:
    values = np.broadcast_to(np.asarray(value, float), exposures) if np.ndim(value) == 0 else np.asarray(value, float)
    if values.shape != (exposures,):
        raise ValueError(f"{name} has {values.size} values for {exposures} frames")
    unlit = values[~(np.isfinite(values) & (values > 0))]
    if len(unlit):
        raise ValueError(f"{name} was {unlit[0]:g} counts/s: no beam?")
    return values
