"""Synthetic spectra of clusters and nanocrystals, broader than any one instrument or simulator.

Line shapes, higher transitions, continua, baselines, drift, grids, gaps and noise are drawn at random. Nothing here is
shared with the analysis: shapes are skewed pseudo-Voigts in energy, continua are powers of the excess energy.
"""

from dataclasses import dataclass, field

import numpy as np
from scipy.special import expit

EV_NM = 1239.841984
FAMILIES_NM = {"CdSe-382": 382.0, "CdSe-403": 403.0, "CdSe-437": 437.0, "CdSe-465": 465.0}


@dataclass(frozen=True)
class Breadth:
    """How wide the family of spectra is; ranges are drawn from uniformly."""

    least_family: float = 0.4
    """Smallest height of a family, of the largest that is drawn; log-uniform from there to 1."""
    least_nanocrystal: float = 0.2
    transition_ev: tuple[float, float] = (0.22, 0.6)
    """FWHM of a cluster's higher transitions."""
    transition_height: tuple[float, float] = (0.1, 0.8)
    """Of a cluster's higher transitions over that of its first."""
    continuum: tuple[float, float] = (0.2, 1.0)
    """Of a cluster, 0.8 eV above its onset, over the height of its first transition."""
    nanocrystal_continuum: tuple[float, float] = (0.3, 1.6)
    """Of nanocrystals, likewise."""


DEFAULT = Breadth()


def any_breadth(rng: np.random.Generator) -> Breadth:
    """Breadth for training and calibration: half of it that which is scored, half up to much harder than it.

    The continuum of nanocrystals goes up to what real ones have: at 350 nm an ensemble absorbs four to five times what
    it does at its first maximum by published extinctions (Leatherdale et al. 2002 over Yu et al. 2003, 2.4 to 3.5 nm),
    3.5 to 14 times in the aliquots of five real growth runs.
    """
    if rng.random() < 0.5:
        return DEFAULT
    steep = float(10 ** rng.uniform(-0.3, 0.95))
    return Breadth(
        least_family=float(10 ** rng.uniform(-1.7, -0.3)),
        least_nanocrystal=float(10 ** rng.uniform(-0.9, -0.4)),
        transition_ev=(float(rng.uniform(0.17, 0.28)), float(rng.uniform(0.4, 0.6))),
        transition_height=(0.1, float(rng.uniform(0.5, 1.0))),
        continuum=(0.2, float(rng.uniform(0.6, 2.0))),
        nanocrystal_continuum=(0.8 * steep, 1.2 * steep),
    )


@dataclass
class Spectrum:
    """What is measured, and what is true."""

    wavelength_nm: np.ndarray
    absorbance: np.ndarray
    noise: float
    """Standard deviation of a pixel, median over 350-700 nm."""
    families: dict[str, tuple[float, float, float]] = field(default_factory=dict)
    """Per family there: maximum nm, FWHM nm, height."""
    nanocrystal: tuple[float, float, float] | None = None
    """First maximum nm (highest point of the noise-free absorption of the nanocrystals there; where there is none,
    the point of greatest curvature), band centre nm, absorbance at the maximum."""


def draw(rng: np.random.Generator, *, blank: bool = False, breadth: Breadth = DEFAULT) -> Spectrum:
    """One spectrum: nothing, up to three families, nanocrystals, or both."""
    x = _grid(rng)
    fine = np.arange(300.0, 950.0, 0.25)
    scale = float(10 ** rng.uniform(-1.5, 0.3))
    noise = scale * float(10 ** rng.uniform(-3.5, -2.0))
    total = np.zeros_like(fine)
    families: dict[str, tuple[float, float, float]] = {}
    nanocrystal = None
    if not blank:
        with_nc = bool(rng.random() < 0.55)
        # One in ten is growing past the families' wavelengths; those come with smaller clusters only.
        nc_nm = float(rng.uniform(440.0, 480.0) if rng.random() < 0.1 else rng.uniform(480.0, 640.0))
        names = [n for n, at in FAMILIES_NM.items() if not with_nc or nc_nm > 480.0 or at < nc_nm - 40.0]
        count = int(rng.choice(4, p=[0.2, 0.35, 0.28, 0.17] if with_nc else [0.0, 0.45, 0.35, 0.2]))
        for name in rng.permutation(names)[:count]:
            centre, fwhm = _place(rng, str(name))
            height = scale * float(10 ** rng.uniform(np.log10(breadth.least_family), 0.0))
            total += _cluster(rng, fine, centre, fwhm, height, breadth)
            families[str(name)] = (centre, fwhm, height)
        if with_nc:
            height = scale * float(10 ** rng.uniform(np.log10(breadth.least_nanocrystal), 0.0))
            curve = _nanocrystals(rng, fine, nc_nm, height, breadth)
            total += curve
            maximum = _first_maximum(fine, curve, nc_nm)
            nanocrystal = (maximum, nc_nm, float(np.interp(maximum, fine, curve)))
    y = np.interp(x, fine, total) + _baseline(rng, x, scale)
    sigma = noise * _edge_noise(rng, x)
    y = y + sigma * rng.normal(size=len(x))
    inside = (x > 350) & (x < 700)
    if rng.random() < 0.1:
        start = rng.uniform(360.0, 650.0)
        y[(x > start) & (x < start + rng.uniform(1.0, 6.0))] = np.nan
    if rng.random() < 0.3:
        x, y, sigma, inside = x[::-1], y[::-1], sigma[::-1], inside[::-1]
    return Spectrum(x, y, float(np.median(sigma[inside])), families, nanocrystal)


def cluster(rng: np.random.Generator, wavelength_nm: np.ndarray, name: str, height: float) -> np.ndarray:
    """Absorbance of one family, of any breadth, whose first maximum has this height."""
    fine = np.arange(300.0, 950.0, 0.25)
    centre, fwhm = _place(rng, name)
    return np.interp(wavelength_nm, fine, _cluster(rng, fine, centre, fwhm, height, any_breadth(rng)))


def _place(rng: np.random.Generator, name: str) -> tuple[float, float]:
    """Maximum and FWHM of a family, nm."""
    return FAMILIES_NM[name] + float(np.clip(rng.normal(0.0, 0.9), -2.2, 2.2)), float(rng.uniform(12.0, 25.0))


def _grid(rng: np.random.Generator) -> np.ndarray:
    low, high = rng.uniform(310.0, 348.0), rng.uniform(680.0, 900.0)
    if rng.random() < 0.5:
        return np.arange(low, high, rng.choice([0.5, 1.0, 2.0]))
    # A grating spectrometer: steps shrink slowly towards the red.
    count = int((high - low) / rng.uniform(0.35, 1.2))
    t = np.linspace(0.0, 1.0, count)
    return low + (high - low) * (t + rng.uniform(0.0, 0.08) * t * (1.0 - t))


def _band(energy: np.ndarray, centre: float, fwhm: float, mix: float, skew: float) -> np.ndarray:
    """Pseudo-Voigt of height 1 whose width changes across it (Stancik and Brauns 2008)."""
    width = 2.0 * fwhm * expit(skew * (energy - centre) / fwhm)
    z = (energy - centre) / width
    return (1 - mix) * np.exp(-4 * np.log(2) * z**2) + mix / (1 + 4 * z**2)


def _cluster(
    rng: np.random.Generator, x: np.ndarray, centre_nm: float, fwhm_nm: float, height: float, breadth: Breadth
) -> np.ndarray:
    energy, centre = EV_NM / x, EV_NM / centre_nm
    fwhm = fwhm_nm * centre**2 / EV_NM
    if rng.random() < 0.3:
        out = np.exp(-4 * np.log(2) * ((x - centre_nm) / fwhm_nm) ** 2)
    else:
        band = _band(energy, centre, fwhm, rng.uniform(0.0, 0.3), rng.uniform(-0.4, 0.4))
        out = band / band.max()
    for _ in range(rng.integers(1, 4)):
        place, width = centre + rng.uniform(0.2, 1.0), rng.uniform(*breadth.transition_ev)
        relative = rng.uniform(*breadth.transition_height)
        out += relative * _band(energy, place, width, rng.uniform(0.0, 0.2), rng.uniform(-0.2, 0.2))
    onset = centre + rng.uniform(0.15, 0.7)
    return height * (out + rng.uniform(*breadth.continuum) * _continuum(rng, energy, onset))


def _continuum(rng: np.random.Generator, energy: np.ndarray, onset: float) -> np.ndarray:
    """Rises as a power of the excess energy; equals about 1 at 0.8 eV above its smooth onset."""
    smooth = rng.uniform(0.05, 0.15)
    excess = smooth * np.logaddexp(0.0, (energy - onset) / smooth)
    return (excess / 0.8) ** rng.uniform(0.7, 2.0)


def _nanocrystals(
    rng: np.random.Generator, x: np.ndarray, centre_nm: float, height: float, breadth: Breadth
) -> np.ndarray:
    energy, centre = EV_NM / x, EV_NM / centre_nm
    narrowest = np.interp(centre_nm, [440.0, 480.0, 530.0, 640.0], [0.21, 0.175, 0.085, 0.06])
    fwhm = float(rng.uniform(narrowest, narrowest + 0.1))
    band = _band(energy, centre, fwhm, rng.uniform(0.0, 0.2), rng.uniform(-0.2, 0.2))
    out = band / band.max()
    for _ in range(rng.integers(1, 4)):
        place, width = centre + rng.uniform(0.18, 0.8), rng.uniform(0.2, 0.5)
        out += rng.uniform(0.1, 1.0) * _band(energy, place, width, 0.0, 0.0)
    continuum = rng.uniform(*breadth.nanocrystal_continuum)
    return height * (out + continuum * _continuum(rng, energy, centre + rng.uniform(0.1, 0.4)))


def _first_maximum(x: np.ndarray, curve: np.ndarray, centre_nm: float) -> float:
    near = np.flatnonzero(np.abs(x - centre_nm) < 25.0)
    peaks = [k for k in near[1:-1] if curve[k] > curve[k - 1] and curve[k] >= curve[k + 1]]
    if peaks:
        return float(x[max(peaks, key=lambda k: curve[k])])
    close = near[np.abs(x[near] - centre_nm) < 15.0]
    bend = np.gradient(np.gradient(curve, x), x)
    return float(x[close[np.argmin(bend[close])]])


def _baseline(rng: np.random.Generator, x: np.ndarray, scale: float) -> np.ndarray:
    across = (x - 500.0) / 300.0
    out = rng.normal(0.0, 0.01) + scale * (rng.normal(0.0, 0.01) * across + rng.normal(0.0, 0.004) * across**2)
    if rng.random() < 0.7:
        out = out + scale * rng.uniform(0.0, 0.3) * (x / 350.0) ** -rng.uniform(1.0, 4.0)
    return out


def _edge_noise(rng: np.random.Generator, x: np.ndarray) -> np.ndarray:
    """Noise relative to mid-spectrum, larger where the lamp is weak."""
    blue, red = rng.uniform(0.0, 3.0), rng.uniform(0.0, 1.0)
    return 1.0 + blue * np.exp(-(x - 340.0) / 30.0) + red * np.exp((x - 750.0) / 60.0)
