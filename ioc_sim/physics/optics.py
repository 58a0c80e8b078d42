"""Light source and array detector: absorbance in, raw counts out.

wavelength  λ(i) = Σ c_j i^j, i = 0…1043
light       F(λ) = peak counts × t/100 ms × intensity × lamp(λ) × drift(λ, clock),  lamp(λ) ≤ 1
sample      S = F 10^-A + s mean(F 10^-A)                                     s: stray-light fraction
counts      offset + dark rate × t + S, noise of variance (S + dark)/g + read²  (g: electrons a count),
            cut at saturation and rounded to whole counts; ``averages`` spectra are averaged

lamp(λ): a deuterium-like exponential and a halogen bell with the detector's efficiency in it. Drift: three
sinusoids with seeded phases and periods about ``drift_period_s``, stronger in the blue.

Limits: Gaussian for Poisson noise; saturation acts on the average; no etaloning, pixel pattern or
non-linearity. Values: a back-thinned 18-bit detector of the QE Pro class (well about 300 ke⁻).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ioc_sim.physics.scenario import Scenario

__all__ = ["PIXELS", "Light", "SpectrometerOptics", "wavelength_axis_nm"]

PIXELS = 1044
Array = NDArray[np.float64]


@dataclass(frozen=True)
class Light:
    """The light path: whether light reaches the detector, and how much of the lamp's full output."""

    on: bool = True
    intensity: float = 1.0


def wavelength_axis_nm(scenario: Scenario) -> Array:
    """Wavelength of each pixel."""
    pixel = np.arange(PIXELS, dtype=float)
    coefficients = scenario.detector.wavelength_coefficients_nm
    return np.asarray(np.polynomial.polynomial.polyval(pixel, coefficients), np.float64)


class SpectrometerOptics:
    """Lamp, stray light, detector and their noise.

    Parameters
    ----------
    scenario : Scenario
        Constants.
    rng : numpy.random.Generator
        Of the phases of the drift and of the noise.
    """

    def __init__(self, scenario: Scenario, rng: np.random.Generator) -> None:
        self._lamp = scenario.lamp
        self._detector = scenario.detector
        self._rng = rng
        self.wavelength_nm = wavelength_axis_nm(scenario)
        w = self.wavelength_nm
        shape = 0.35 * np.exp(-(w - 250.0) / 60.0) + np.exp(-(((w - 580.0) / 150.0) ** 2))
        shape /= 1.0 + np.exp(-(w - 262.0) / 4.0)
        self._shape = shape / shape.max()
        self._blue = np.clip((800.0 - w) / 400.0, 0.0, None)
        self._phases = rng.uniform(0.0, 2 * np.pi, 3)

    def drift(self, clock_s: float) -> Array:
        """Lamp output over its mean."""
        periods_s = self._lamp.drift_period_s * np.array([1.0, 0.43, 3.1])
        wave = np.sin(2 * np.pi * clock_s / periods_s + self._phases).sum() / 3.0
        return 1.0 + self._lamp.drift_fraction * wave * self._blue

    def expected(self, absorbance: Array, integration_time_ms: float, light: Light, clock_s: float) -> Array:
        """Counts above the offset without noise: light and dark current."""
        seconds = integration_time_ms / 1e3
        counts = np.full(PIXELS, self._detector.dark_counts_s * seconds)
        if not light.on:
            return counts
        full = self._lamp.peak_counts_100_ms * (seconds / 0.1) * light.intensity
        through = full * self._shape * self.drift(clock_s) * 10.0**-absorbance
        return counts + through + self._lamp.stray_fraction * through.mean()

    def counts(
        self, absorbance: Array, integration_time_ms: float, light: Light, clock_s: float, averages: int = 1
    ) -> Array:
        """Raw counts of the average of ``averages`` spectra."""
        d = self._detector
        signal = self.expected(absorbance, integration_time_ms, light, clock_s)
        variance = (signal / d.electrons_per_count if d.shot_noise else 0.0) + d.read_noise_counts**2
        raw = d.offset_counts + signal
        if not d.shot_noise and d.read_noise_counts == 0:
            return np.minimum(raw, d.saturation_counts)
        raw += np.sqrt(variance / averages) * self._rng.standard_normal(PIXELS)
        return np.clip(np.round(raw * averages) / averages, 0.0, d.saturation_counts)
