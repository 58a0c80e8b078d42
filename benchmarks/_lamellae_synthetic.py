"""Synthetic scattering curves with and without Bragg peaks, broader than any one instrument or simulator.

Lattices, peak shapes, resolution, backgrounds, form factors, grids, noise and outliers are drawn at random. Nothing
here is shared with the analysis; positions of the reflections are computed from their Miller indices.
"""

import math
from dataclasses import dataclass, field

import numpy as np

VISIBLE = 80.0
"""χ² of a peak against noise from which it must be found."""


@dataclass
class Curve:
    """What is measured, and what is true."""

    q_inv_nm: np.ndarray
    intensity: np.ndarray
    sigma: np.ndarray | None
    kind: str
    places: list[float] = field(default_factory=list)
    """Positions of all peaks, nm⁻¹."""
    widths: list[float] = field(default_factory=list)
    visible: list[bool] = field(default_factory=list)
    d_spacing_nm: float = math.nan

    @property
    def structure(self) -> str:
        """What can be concluded from the peaks that must be found."""
        seen = sum(self.visible)
        if not seen:
            return "none"
        if seen == 1:
            return "single peak"
        if self.kind == "hexagonal":
            return "hexagonal" if self.visible[1] or (len(self.visible) > 3 and self.visible[3]) else "lamellar"
        return {"lamellar": "lamellar", "cubic": "unindexed"}[self.kind]


KINDS = ("lamellar", "hexagonal", "cubic", "single peak", "spheres", "none")
_LIKELY = (0.35, 0.12, 0.08, 0.12, 0.13, 0.2)
_RATIOS = {
    "lamellar": (1.0, 2.0, 3.0, 4.0),
    "hexagonal": tuple(math.sqrt(h * h + h * k + k * k) for h, k in ((1, 0), (1, 1), (2, 0), (2, 1))),
    "cubic": tuple(math.sqrt(h * h + k * k + m * m) for h, k, m in ((1, 0, 0), (1, 1, 0), (1, 1, 1), (2, 0, 0))),
    "single peak": (1.0,),
}


def draw(rng: np.random.Generator) -> Curve:
    """One curve."""
    kind = str(rng.choice(KINDS, p=_LIKELY))
    q = _grid(rng)
    background = _background(rng, q)
    level = float(np.median(background))
    peaks = np.zeros((0, len(q)))
    places: list[float] = []
    widths: list[float] = []
    first = math.nan
    if kind == "spheres":
        background = background * 0.02 + level * _spheres(rng, q)
    elif kind != "none":
        ratios = _RATIOS[kind]
        first = float(rng.uniform(max(0.6, 4 * q[0]), 0.9 * q[-1] / (1.0 if kind == "single peak" else 2.0)))
        resolution = float(rng.choice([0.003, 0.01, 0.03, 0.05]))
        own = first * float(10 ** rng.uniform(-2.2, -1.1))
        mix = float(rng.choice([0.0, 1.0, rng.uniform(0, 1)]))
        height = float(10 ** rng.uniform(-0.5, 1.3)) * float(np.interp(first, q, background))
        rows = []
        for n, ratio in enumerate(ratios):
            place = ratio * first
            fwhm = math.hypot(own * (1.0 + 0.1 * n), 2.355 * resolution * place)
            if place < q[-1] - 1.5 * fwhm and fwhm < 0.2 * place:
                rows.append(height * _profile(q, place, fwhm, mix))
                places.append(place)
                widths.append(fwhm)
            height *= float(10 ** rng.uniform(-1.3, -0.2))
        peaks = np.array(rows).reshape(len(rows), len(q))
    clean = background + peaks.sum(axis=0)
    relative = float(10 ** rng.uniform(-2.5, -1.5))
    sigma = relative * np.sqrt(clean * np.median(clean)) if rng.random() < 0.5 else relative * clean
    sigma = np.hypot(sigma, 0.003 * clean)
    y = clean + sigma * rng.normal(size=len(q))
    visible = [
        float(np.sum((row / sigma) ** 2)) > VISIBLE and float(row.max() / np.interp(p, q, clean)) > 0.05
        for row, p in zip(peaks, places, strict=True)
    ]
    if rng.random() < 0.15:
        k = int(rng.integers(5, len(q) - 5))
        y[k] += float(rng.choice([-1, 1])) * rng.uniform(8, 60) * sigma[k]
    given = None if rng.random() < 0.25 else sigma * float(rng.choice([1.0, 1.0, 0.5, 1.6]))
    order = rng.permutation(len(q)) if rng.random() < 0.2 else np.arange(len(q))
    d = 2 * math.pi / first if kind == "lamellar" else math.nan
    return Curve(q[order], y[order], None if given is None else given[order], kind, places, widths, visible, d)


def _grid(rng: np.random.Generator) -> np.ndarray:
    low, high = float(rng.uniform(0.05, 0.3)), float(rng.uniform(3.0, 6.0))
    if rng.random() < 0.3:
        return np.geomspace(low, high, int(rng.integers(150, 350)))
    return np.linspace(low, high, int(rng.integers(150, 600)))


def _profile(q: np.ndarray, place: float, fwhm: float, mix: float) -> np.ndarray:
    z = ((q - place) / fwhm) ** 2
    return mix / (1 + 4 * z) + (1 - mix) * np.exp(-4 * math.log(2) * z)


def _background(rng: np.random.Generator, q: np.ndarray) -> np.ndarray:
    out = float(10 ** rng.uniform(-2, -0.5)) * (q / 0.3) ** -rng.uniform(1.2, 4.2)
    out = out + float(10 ** rng.uniform(-2, -0.3))
    for _ in range(rng.integers(0, 3)):
        height, place = float(10 ** rng.uniform(-1.5, 0.5)), float(rng.uniform(0.15, 0.8))
        if rng.random() < 0.5:
            out = out + height * np.exp(-0.5 * (np.log(q / place) / rng.uniform(0.4, 0.8)) ** 2)
        else:
            width = place * rng.uniform(0.45, 0.9)
            out = out + height / (1 + ((q**2 - place**2) / (2 * place * width)) ** 2)
    if rng.random() < 0.5:
        radius = float(rng.uniform(0.7, 4.0))
        out = out + float(10 ** rng.uniform(-1.5, 0.7)) * np.exp(-((q * radius) ** 2) / 5)
    if rng.random() < 0.4:
        out = out + float(10 ** rng.uniform(-2, 0)) * _spheres(rng, q, least=0.06)
    if rng.random() < 0.3:
        out = out * (1 + 0.3 * rng.uniform(-1, 1) * (q / q[-1]) ** 2)
    return out


def _spheres(rng: np.random.Generator, q: np.ndarray, least: float = 0.0) -> np.ndarray:
    mean = float(10 ** rng.uniform(-0.1, 0.8))
    spread = float(rng.choice([least, least + 0.03, least + 0.1]))
    radii = mean * (1 + spread * np.linspace(-3, 3, 61)) if spread else np.array([mean])
    weight = np.exp(-0.5 * np.linspace(-3, 3, 61) ** 2) if spread else np.ones(1)
    x = np.multiply.outer(q, radii)
    form = (3 * (np.sin(x) - x * np.cos(x)) / x**3) ** 2
    return form @ (weight * radii**6) / (weight @ radii**6)
