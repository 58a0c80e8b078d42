"""Synthetic scattering curves of a broad family, made apart from the analysis: radii summed directly, nm and cm⁻¹."""

from dataclasses import dataclass, field

import numpy as np

KINDS = ("one", "two", "continuous", "mixed", "blank")
CONTRAST_INV_CM2 = 3.35e11


@dataclass(frozen=True)
class Scene:
    """A curve and what is in it."""

    kind: str
    q_inv_nm: np.ndarray = field(repr=False)
    intensity: np.ndarray = field(repr=False)
    sigma: np.ndarray | None = field(repr=False)
    clean: np.ndarray = field(repr=False)
    noise: float
    mean_radius_nm: float
    relative_width: float
    volume_fraction: float
    sigmas: str


def sphere(q: np.ndarray, radius: np.ndarray) -> np.ndarray:
    """V F², nm³, shape (points, radii)."""
    x = np.outer(q, radius)
    return 4 / 3 * np.pi * radius**3 * (3 * (np.sin(x) - x * np.cos(x)) / x**3) ** 2


def _volume_density(radius: np.ndarray, mean: float, width: float, shape: str) -> np.ndarray:
    """Volume-weighted density of a parent of the named shape, weighted by number or volume; mean is the parent's."""
    if shape == "number lognormal":
        s2 = np.log1p(width**2)
        return radius**2 * np.exp(-((np.log(radius / mean)) ** 2) / (2 * s2))
    if shape == "volume lognormal":
        s2 = np.log1p(width**2)
        return np.exp(-((np.log(radius / mean)) ** 2) / (2 * s2)) / radius
    weight = radius**3 if shape == "number gaussian" else 1.0
    return weight * np.exp(-((radius - mean) ** 2) / (2 * (mean * width) ** 2))


def draw(rng: np.random.Generator, kind: str | None = None, sigmas: str | None = None) -> Scene:
    """One random curve."""
    kind = kind or str(rng.choice(KINDS, p=[0.25, 0.2, 0.2, 0.2, 0.15]))
    points = int(rng.integers(80, 400))
    low, high = rng.uniform(0.05, 0.2), rng.uniform(4.0, 7.0)
    q = np.linspace(low, high, points) if rng.random() < 0.6 else np.geomspace(low, high, points)
    radius = np.linspace(0.02, 14.0, 6000)
    share = np.zeros_like(radius)
    shapes = ("number lognormal", "volume lognormal", "number gaussian", "volume gaussian")

    def add(amount: float, mean: float, width: float) -> None:
        nonlocal share
        one = _volume_density(radius, mean, width, str(rng.choice(shapes)))
        share = share + amount * one / one.sum()

    if kind == "one":
        add(1.0, rng.uniform(0.8, 2.5), rng.uniform(0.03, 0.12))
    elif kind == "two":
        first = rng.uniform(0.8, 1.4)
        amount = rng.uniform(0.25, 0.75)
        add(amount, first, rng.uniform(0.03, 0.1))
        add(1 - amount, min(first * rng.uniform(1.3, 2.2), 3.0), rng.uniform(0.03, 0.12))
    elif kind == "continuous":
        add(1.0, rng.uniform(0.9, 2.5), rng.uniform(0.12, 0.3))
    elif kind == "mixed":
        amount = rng.uniform(0.25, 0.75)
        add(amount, rng.choice([0.87, 0.94, 1.02]), rng.uniform(0.03, 0.08))
        add(1 - amount, rng.uniform(1.3, 2.4), rng.uniform(0.1, 0.25))
    if share.sum():
        share /= share.sum()
        mean = float(share @ radius)
        width = float(np.sqrt(share @ (radius - mean) ** 2) / mean)
        fraction = 10 ** rng.uniform(-3.7, -2.3)
    else:
        mean, width, fraction = np.nan, np.nan, 0.0
    used = share > 1e-9 * share.max() if share.sum() else np.zeros(len(radius), bool)
    clean = fraction * CONTRAST_INV_CM2**2 * 1e-21 * (sphere(q, radius[used]) @ share[used])
    solvent = 10 ** rng.uniform(-2.3, -1.5)
    background = solvent + 10 ** rng.uniform(-3, -0.5) * (q / 0.1) ** -rng.uniform(2.0, 4.0)
    clean = clean + background
    noise = rng.uniform(0.005, 0.03)
    true_sigma = np.hypot(noise * clean, rng.choice([0.0, 0.3, 1.0]) * noise * solvent)
    intensity = clean + true_sigma * rng.normal(size=points)
    sigmas = sigmas or str(rng.choice(["true", "scaled", "relative", "missing"], p=[0.5, 0.2, 0.15, 0.15]))
    sigma: np.ndarray | None = true_sigma
    if sigmas == "scaled":
        sigma = true_sigma * 2.0 ** rng.uniform(-1.5, 1.5)
    elif sigmas == "relative":
        sigma = noise * np.abs(intensity)
    elif sigmas == "missing":
        sigma = None
    return Scene(kind, q, intensity, sigma, clean, noise, mean, width, fraction, sigmas)


def tikhonov(scene: Scene) -> tuple[float, float] | None:
    """Peer: Tikhonov with non-negative least squares, the smoothing that meets the discrepancy principle."""
    from scipy.optimize import nnls

    q, y = scene.q_inv_nm, scene.intensity
    sigma = scene.sigma if scene.sigma is not None else np.maximum(0.01 * np.abs(y), 1e-12)
    radius = np.linspace(0.4, 4.5, 60)
    kernel = np.column_stack([sphere(q, radius), np.ones_like(q), (q / q[0]) ** -4])
    kernel = kernel / sigma[:, None]
    scale = np.sqrt((kernel**2).sum(axis=0))
    kernel = kernel / scale
    rough = np.zeros((60, 62))
    for k in range(60):
        rough[k, k] = 2.0
        if k:
            rough[k, k - 1] = -1.0
        if k < 59:
            rough[k, k + 1] = -1.0
    rough = rough / scale * scale[:60].mean()
    target = np.concatenate([y / sigma, np.zeros(60)])
    x = np.zeros(62)
    for strength in 10.0 ** np.arange(3, -4, -1.0):
        x, _ = nnls(np.vstack([kernel, strength * rough]), target)
        misfit = float(np.mean((kernel @ x - target[: len(q)]) ** 2))
        if misfit <= 1.05:
            break
    share = (x / scale)[:60]
    if share.sum() * sphere(q, np.array([1.0])).max() < 1e-3 * np.max(np.abs(y)) * 1e-3:
        return None
    mean = float(share @ radius / share.sum())
    return mean, float(np.sqrt(share @ (radius - mean) ** 2 / share.sum()) / mean)
