"""Where a detector stands."""

from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["PoniGeometry"]

_KEV_NM = 1.239841984


@dataclass(frozen=True)
class PoniGeometry:
    """Where the detector is, in pyFAI's convention: PONI from the corner of pixel (0, 0), axis 1 along the rows' index.

    Attributes
    ----------
    distance_m : float
        From the sample to the point of normal incidence.
    poni1_m, poni2_m : float
        Point of normal incidence along rows and columns.
    energy_kev : float
        Of the photons.
    shape : (rows, columns)
        Of a frame.
    pixel1_m, pixel2_m : float
        Height and width of a pixel.
    rot1, rot2, rot3 : float
        Tilts, radians.
    """

    distance_m: float
    poni1_m: float
    poni2_m: float
    energy_kev: float
    shape: tuple[int, int]
    pixel1_m: float = 172e-6
    pixel2_m: float = 172e-6
    rot1: float = 0.0
    rot2: float = 0.0
    rot3: float = 0.0

    def __post_init__(self) -> None:
        for name in ("distance_m", "energy_kev", "pixel1_m", "pixel2_m"):
            value = getattr(self, name)
            if not (np.isfinite(value) and value > 0):
                raise ValueError(f"{name} must be positive, not {value!r}")

    @property
    def wavelength_m(self) -> float:
        """Wavelength of the photons, m."""
        return 1e-9 * _KEV_NM / self.energy_kev

    def pyfai(self) -> Any:
        """Return pyFAI's integrator for it."""
        # Importing pyFAI takes a second or two; those who only name a geometry need not wait for it.
        from pyFAI.detectors import Detector
        from pyFAI.integrator.azimuthal import AzimuthalIntegrator

        detector = Detector(self.pixel1_m, self.pixel2_m, max_shape=tuple(self.shape))
        return AzimuthalIntegrator(
            self.distance_m, self.poni1_m, self.poni2_m, self.rot1, self.rot2, self.rot3,
            detector=detector, wavelength=self.wavelength_m,
        )  # fmt: skip
