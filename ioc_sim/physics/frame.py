"""Area detector of the SAXS station: absolute intensity in, a frame of counts out.

geometry   flat, normal to the beam; pixel (i, j) has its centre at (i + 0.5, j + 0.5) pixels from the corner of
           the frame, as in pyFAI: PONI 1 = ``centre_row`` × pixel, PONI 2 = ``centre_column`` × pixel
           tan 2θ = r/L,  q = (4π/λ) sin θ,  λ = 1.2398 keV nm/E,  ΔΩ = (p/L)² cos³ 2θ
counts     Φ t T d dΣ/dΩ(q) ΔΩ ε + parasitic: flux, seconds, transmission, thickness, efficiency
parasitic  the same in every pixel the beam stop does not shade, proportional to Φ t T; given at 10¹² photons/s
noise      Poisson; without (``poisson`` false) the mean is rounded

A module gap reads 0, camserver's default (PILATUS manual 1.2, p. 50; areaDetector's ``GapFill``); the other choice
there is ``gap_value=-1``. The beam stop is a disc on the detector; its shadow counts nothing. Hot pixels are stuck at
a count of their own between 10³ and the largest, whatever the exposure. Counts stop at ``max_counts`` (20 bit).

Poisson numbers: below a mean of 6 numpy's, exact. Above, for half the time, ⌊Q(w)⌋ with a normal w and Giles'
third-order expansion of the inverse distribution function (ACM Trans. Math. Softw. 2016, 42, 7). Against the exact
distribution its mean is off by 2e-5 and its variance by 5e-4 of themselves at a mean of 6, by 1e-7 and 7e-5 at 20,
and less above: far below what a frame can tell.

Units: q nm⁻¹, mm, keV, s, photons/s, cm⁻¹. Limits: intensity taken at the pixel's centre; no polarisation (a
horizontally polarised beam loses 0.2 % at the sides of this frame), parallax, dead time (2e6 counts/s a
pixel), beam size or air absorption; one efficiency at every energy.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ioc_sim.physics.scattering import Q_INV_NM
from ioc_sim.physics.scenario import FrameModel

__all__ = ["Exposure", "FrameDetector", "poisson"]

Array = NDArray[np.float64]
_KEV_NM = 1.239841984
_PARASITIC_FLUX_PH_S = 1e12
_EXACT_BELOW = 6.0
# rows taken together: their intermediate results stay in the processor's cache
_BLOCK_ROWS = 15


@dataclass(frozen=True)
class Exposure:
    """Beam and cell during a frame.

    Attributes
    ----------
    flux_ph_s : float
        Photons a second on the cell; 0 with the shutter closed.
    exposure_s : float
        Open time.
    transmission : float
        Of the filled cell, 0 to 1.
    thickness_cm : float
        Of the cell.
    energy_kev : float
        Of the photons.
    """

    flux_ph_s: float
    exposure_s: float
    transmission: float
    thickness_cm: float
    energy_kev: float


def poisson(mean: Array, rng: np.random.Generator) -> NDArray:
    """Poisson numbers of the given means, whole and of the same shape; see the module for method and accuracy."""
    high = mean >= _EXACT_BELOW
    if high.all():
        return _expanded(mean, rng)
    if not high.any():
        return rng.poisson(mean)
    out = np.empty_like(mean)
    out[high] = _expanded(mean[high], rng)
    out[~high] = rng.poisson(mean[~high])
    return out


def _expanded(mean: Array, rng: np.random.Generator) -> Array:
    root = np.sqrt(mean)
    w = rng.standard_normal(mean.shape)
    w2 = w * w
    out = ((w2 / 270.0 + 7.0 / 810.0) * w2 - 8.0 / 405.0) / mean
    out += mean + (1.0 / 3.0 + w2 / 6.0) + w * (root - (1.0 / 36.0 + w2 / 72.0) / root)
    np.floor(out, out=out)
    return np.maximum(out, 0.0, out=out)


class FrameDetector:
    """Geometry, mask and counts of a frame.

    Parameters
    ----------
    model : FrameModel
        Constants.
    gap_value : int
        What a pixel between modules reads: 0 or -1.
    seed : int
        Of the hot pixels' places and counts: they belong to the detector and survive a restart.

    Attributes
    ----------
    shape : (int, int)
        Rows and columns.
    gaps, shadow, hot : ndarray of bool, shape (rows, columns)
        Pixels between modules, behind the beam stop, and stuck.
    mask : ndarray of bool, shape (rows, columns)
        All three: pixels without meaning (pyFAI: 1 is masked).
    solid_angle_sr : ndarray, shape (rows, columns)
        Of each pixel.
    """

    def __init__(self, model: FrameModel, gap_value: int = 0, seed: int = 0) -> None:
        self._model = model
        self._gap_value = gap_value
        self.shape = (model.rows, model.columns)
        row_mm = (np.arange(model.rows) + 0.5 - model.centre_row) * model.pixel_mm
        column_mm = (np.arange(model.columns) + 0.5 - model.centre_column) * model.pixel_mm
        self._radius_mm = np.hypot(row_mm[:, None], column_mm[None, :])
        cosine = model.distance_mm / np.hypot(model.distance_mm, self._radius_mm)
        self.solid_angle_sr: Array = (model.pixel_mm / model.distance_mm) ** 2 * cosine**3
        pitch = model.module_rows + model.gap_rows
        self._modules = [(top, min(top + model.module_rows, model.rows)) for top in range(0, model.rows, pitch)]
        self.gaps = np.ones(self.shape, bool)
        for top, end in self._modules:
            self.gaps[top:end] = False
        self.shadow = ~self.gaps & (self._radius_mm < model.beamstop_radius_mm)
        self.hot = np.zeros(self.shape, bool)
        rng = np.random.default_rng(seed)
        free = np.flatnonzero(~(self.gaps | self.shadow))
        self._hot_at = rng.choice(free, size=min(model.hot_pixels, len(free)), replace=False)
        self._hot_counts = np.rint(np.exp(rng.uniform(np.log(1e3), np.log(model.max_counts), len(self._hot_at))))
        self.hot.flat[self._hot_at] = True
        self.mask = self.gaps | self.shadow | self.hot
        self._lit = np.where(self.shadow | self.gaps, 0.0, 1.0)
        self._gain = self._lit * self.solid_angle_sr * model.efficiency
        self._energy_kev = 0.0
        self._point = np.zeros(self.shape, np.intp)
        self._weight = np.zeros(self.shape)

    def q_inv_nm(self, energy_kev: float) -> Array:
        """Scattering vector at each pixel's centre, shape (rows, columns)."""
        half_angle = 0.5 * np.arctan(self._radius_mm / self._model.distance_mm)
        return 4.0 * np.pi * energy_kev / _KEV_NM * np.sin(half_angle)

    def _aim(self, energy_kev: float) -> None:
        """Find each pixel's place on the grid; outside of it the intensity is that of its end."""
        if energy_kev == self._energy_kev:
            return
        q = np.clip(self.q_inv_nm(energy_kev), Q_INV_NM[0], Q_INV_NM[-1])
        self._point = np.clip(np.searchsorted(Q_INV_NM, q, side="right") - 1, 0, len(Q_INV_NM) - 2)
        left = Q_INV_NM[self._point]
        self._weight = (q - left) / (Q_INV_NM[self._point + 1] - left)
        self._energy_kev = energy_kev

    def _mean(self, rows: slice, intensity_cm: Array, slope_cm: Array, exposure: Exposure) -> Array:
        through = exposure.flux_ph_s * exposure.exposure_s * exposure.transmission
        point = self._point[rows]
        out = slope_cm.take(point)
        out *= self._weight[rows]
        out += intensity_cm.take(point)
        out *= self._gain[rows]
        out *= through * exposure.thickness_cm
        out += self._lit[rows] * (self._model.parasitic_counts_s * through / _PARASITIC_FLUX_PH_S)
        return out

    def expected(self, intensity_cm: Array, exposure: Exposure) -> Array:
        """Mean counts without noise or limit, shape (rows, columns); gaps and hot pixels as in a frame.

        Parameters
        ----------
        intensity_cm : ndarray
            dΣ/dΩ of all that is in the beam on :data:`~ioc_sim.physics.scattering.Q_INV_NM`.
        exposure : Exposure
            Beam and cell.
        """
        self._aim(exposure.energy_kev)
        out = self._mean(slice(None), intensity_cm, np.diff(intensity_cm), exposure)
        return self._marked(out)

    def frame(self, intensity_cm: Array, exposure: Exposure, rng: np.random.Generator) -> NDArray[np.int32]:
        """A frame, shape (rows, columns); arguments as in :meth:`expected`, ``rng`` makes the noise."""
        self._aim(exposure.energy_kev)
        slope_cm = np.diff(intensity_cm)
        out = np.empty(self.shape, np.int32)
        for top, end in self._modules:
            for start in range(top, end, _BLOCK_ROWS):
                rows = slice(start, min(start + _BLOCK_ROWS, end))
                mean = self._mean(rows, intensity_cm, slope_cm, exposure)
                counts = poisson(mean, rng) if self._model.poisson else np.rint(mean)
                out[rows] = np.minimum(counts, self._model.max_counts)
        return self._marked(out)

    def _marked(self, frame: NDArray) -> NDArray:
        frame[self.gaps] = self._gap_value
        frame.flat[self._hot_at] = self._hot_counts
        return frame
