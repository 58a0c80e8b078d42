"""Bragg peaks over what `lamellae_background` holds, fitted by variable projection.

Peaks are pseudo-Voigts, h (η L + (1 − η) G) with one η for a curve. Positions, widths and η are searched; heights and
background follow from them by non-negative least squares (Golub & Pereyra, *SIAM J. Numer. Anal.* 1973, 10, 413).
"""

import math
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Final

import numpy as np
from scipy.optimize import least_squares, nnls

from msc_plans.analysis.lamellae.background import fringe, hump

__all__ = ["SHARPEST", "START_MIX", "Atom", "PeakFit", "PeakLimits", "Weighted", "area_of", "profile"]

_LN2 = math.log(2.0)
_AREA_GAUSS = math.sqrt(math.pi / (4.0 * _LN2))
_STEPS = 12
_ITERATIONS = 4000
START_MIX: Final = 0.5
SHARPEST: Final = 4.0
"""Sharpest hump that isn't a Bragg peak."""


def profile(q_inv_nm: np.ndarray, place: float | np.ndarray, fwhm: float | np.ndarray, mix: float) -> np.ndarray:
    """Pseudo-Voigt of height 1, shape (points,), or (points, peaks) for several of them."""
    q = q_inv_nm if np.ndim(place) == 0 else q_inv_nm[:, None]
    z = ((q - place) / fwhm) ** 2
    return mix / (1.0 + 4.0 * z) + (1.0 - mix) * np.exp(-4.0 * _LN2 * z)


def area_of(fwhm: float, mix: float) -> float:
    """Area of a pseudo-Voigt of height 1."""
    return fwhm * (0.5 * math.pi * mix + _AREA_GAUSS * (1.0 - mix))


@dataclass(frozen=True)
class Atom:
    """One Bragg peak, or what may be taken for one: a hump, or the fringes of particles of one size."""

    place: float
    """Position, nm⁻¹; of fringes the size, nm."""
    fwhm: float
    """nm⁻¹; of a hump its sharpness, of fringes the relative width of the sizes."""
    shape: str = "peak"

    @property
    def is_peak(self) -> bool:
        """Whether it is a peak."""
        return self.shape == "peak"

    def curve(self, q_inv_nm: np.ndarray, mix: float) -> np.ndarray:
        """Shape (points,); of fringes 1 at the greatest."""
        if self.is_peak:
            return profile(q_inv_nm, self.place, self.fwhm, mix)
        if self.shape == "hump":
            return hump(q_inv_nm, np.array([self.place]), self.fwhm)[:, 0]
        curve = fringe(q_inv_nm, self.shape, np.array([self.place]), self.fwhm)[:, 0]
        return curve / curve.max()


class Weighted:
    """A curve over its errors, with the background's columns ready for many fits."""

    def __init__(self, q_inv_nm: np.ndarray, intensity: np.ndarray, sigma: np.ndarray, columns: np.ndarray) -> None:
        self.q = q_inv_nm
        self.sigma = sigma
        self.y = intensity / sigma
        values = columns / sigma[:, None]
        self.values = values / np.maximum(np.linalg.norm(values, axis=0), 1e-300)
        self._basis, triangle = np.linalg.qr(np.column_stack([self.values, self.y]))
        self._triangle, self._target = triangle[:, :-1], triangle[:, -1]

    def fit(self, atoms: tuple[Atom, ...], mix: float = START_MIX) -> "PeakFit":
        """Heights and background for these positions and widths."""
        count = self.values.shape[1]
        if not atoms:
            x, _ = nnls(self._triangle, self._target, maxiter=_ITERATIONS)
            return PeakFit(self, atoms, mix, np.zeros(0), np.flatnonzero(x), self.values @ x)
        extra = np.column_stack([atom.curve(self.q, mix) / self.sigma for atom in atoms])
        length = np.maximum(np.linalg.norm(extra, axis=0), 1e-300)
        extra = extra / length
        inside = self._basis.T @ extra
        outside = np.linalg.qr(extra - self._basis @ inside, mode="r")
        matrix = np.block([[self._triangle, inside], [np.zeros((len(outside), count)), outside]])
        x, _ = nnls(matrix, np.concatenate([self._target, np.zeros(len(outside))]), maxiter=_ITERATIONS)
        model = self.values @ x[:count] + extra @ x[count:]
        return PeakFit(self, atoms, mix, x[count:] / length, np.flatnonzero(x[:count]), model)

    def refined(
        self, start: "PeakFit", movable: tuple[int, ...], *, limits: "PeakLimits", mix: bool = False
    ) -> "PeakFit":
        """Move positions and widths of some atoms, and η, with the background's columns in use held."""
        active = self.values[:, start.active]
        atoms = list(start.atoms)
        begin, low, high = [], [], []
        for k in movable:
            bounds = limits.of(atoms[k])
            for value, (a, b) in zip((atoms[k].place, atoms[k].fwhm), bounds, strict=True):
                low.append(a)
                high.append(b)
                begin.append(min(max(value, a + 1e-6 * (b - a)), b - 1e-6 * (b - a)))
        if mix:
            begin, low, high = [*begin, start.mix], [*low, -1e-9], [*high, 1.0 + 1e-9]
        if not begin:
            return start

        def moved(theta: np.ndarray) -> tuple[tuple[Atom, ...], float]:
            new = list(atoms)
            for n, k in enumerate(movable):
                new[k] = replace(atoms[k], place=float(theta[2 * n]), fwhm=float(theta[2 * n + 1]))
            return tuple(new), float(theta[-1]) if mix else start.mix

        last: dict[bytes, tuple[np.ndarray, np.ndarray]] = {}

        def evaluate(theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            """Residuals of the best heights, and Kaufman's (1975) approximation of their Jacobian."""
            key = theta.tobytes()
            if key not in last:
                new, eta = moved(theta)
                curves = [atom.curve(self.q, eta) for atom in new]
                columns = np.column_stack([active, *(curve / self.sigma for curve in curves)])
                basis, triangle = np.linalg.qr(columns)
                along = basis.T @ self.y
                heights = np.linalg.lstsq(triangle, along, rcond=1e-12)[0][active.shape[1] :]
                slopes = np.zeros((len(self.q), len(theta)))
                for n, k in enumerate(movable):
                    for m, name in enumerate(("place", "fwhm")):
                        step = 1e-4 * (new[k].fwhm if new[k].is_peak else 1.0)
                        up = replace(new[k], **{name: getattr(new[k], name) + step})
                        change = (up.curve(self.q, eta) - curves[k]) / step
                        slopes[:, 2 * n + m] = heights[k] * change / self.sigma
                if mix:
                    for height, atom in zip(heights, new, strict=True):
                        if atom.is_peak:
                            change = atom.curve(self.q, 1.0) - atom.curve(self.q, 0.0)
                            slopes[:, -1] += height * change / self.sigma
                last.clear()
                last[key] = (self.y - basis @ along, basis @ (basis.T @ slopes) - slopes)
            return last[key]

        scale = np.maximum(np.array(high) - np.array(low), 1e-12)
        found = least_squares(
            lambda theta: evaluate(theta)[0],
            begin,
            jac=lambda theta: evaluate(theta)[1],  # pyright: ignore[reportArgumentType]
            bounds=(low, high),
            x_scale=scale,
            ftol=1e-4,
            max_nfev=_STEPS,
        )
        new = self.fit(*moved(found.x))
        return new if new.chi2 < start.chi2 else start


@dataclass(frozen=True)
class PeakLimits:
    """How far positions and widths may go."""

    spacing: np.ndarray = field(repr=False)
    """Shape (points,): distance of neighbouring points, nm⁻¹."""
    q: np.ndarray = field(repr=False)
    widest: float
    """FWHM over position."""

    def spacing_at(self, place: float) -> float:
        """Distance of neighbouring points there, nm⁻¹."""
        return float(np.interp(place, self.q, self.spacing))

    def of(self, atom: Atom) -> tuple[tuple[float, float], tuple[float, float]]:
        """Return the limits of position and width."""
        if atom.shape == "hump":
            return (0.8 * atom.place, 1.25 * atom.place), (0.7, SHARPEST)
        if not atom.is_peak:
            return (0.97 * atom.place, 1.03 * atom.place), (0.0, 0.2)
        step = self.spacing_at(atom.place)
        reach = max(atom.fwhm, step)
        narrow = 0.8 * step
        wide = max(self.widest * atom.place, 1.5 * narrow)
        return (max(atom.place - reach, 0.5 * atom.place), atom.place + reach), (narrow, wide)


@dataclass(frozen=True)
class PeakFit:
    """A fitted model."""

    of: Weighted = field(repr=False)
    atoms: tuple[Atom, ...]
    mix: float
    heights: np.ndarray
    """Shape (atoms,)."""
    active: np.ndarray = field(repr=False)
    """Background columns in use."""
    model: np.ndarray = field(repr=False)
    """Shape (points,), over σ."""

    @cached_property
    def residual(self) -> np.ndarray:
        """Over σ."""
        return self.of.y - self.model

    @cached_property
    def chi2(self) -> float:
        """Sum of squares."""
        return float(self.residual @ self.residual)

    @cached_property
    def peaks(self) -> np.ndarray:
        """Shape (points,): the Bragg peaks alone."""
        out = np.zeros(len(self.of.q))
        for atom, height in zip(self.atoms, self.heights, strict=True):
            if atom.is_peak:
                out += height * atom.curve(self.of.q, self.mix)
        return out

    @cached_property
    def freedom(self) -> int:
        """Points less parameters."""
        return max(len(self.of.q) - len(self.active) - 3 * len(self.atoms), 1)

    def disturbance(self, place: float | None = None, reach: float = 0.0) -> float:
        """By how much χ² exceeds that of noise alone, at least 1: what a gain in χ² must be divided by.

        From the median of the squared residuals, of all points and of those within `reach` of a place, and from their
        running on from point to point (ρ): independent errors of a smooth misfit count (1 − ρ)/(1 + ρ) each.
        """
        r = self.residual
        square = float(np.median(r**2)) / 0.455 * len(r) / self.freedom
        if place is not None:
            order = np.argsort(np.abs(self.of.q - place))
            near = order[: max(15, int(np.sum(np.abs(self.of.q - place) < reach)))]
            square = max(square, float(np.median(r[near] ** 2)) / 0.455)
        clipped = np.clip(r, -4 * math.sqrt(square), 4 * math.sqrt(square))
        run = float(clipped[1:] @ clipped[:-1] / max(clipped @ clipped, 1e-300))
        run = min(max(run - 2.0 / math.sqrt(len(r)), 0.0), 0.8)
        return max(1.0, square) * (1.0 + run) / (1.0 - run)

    def covariance(self, scale: float) -> np.ndarray:
        """Return the covariance of height, position and FWHM of each peak in turn, times `scale`."""
        q, sigma, eta = self.of.q, self.of.sigma, self.mix
        rows: list[np.ndarray] = []
        rest = [self.of.values[:, k] for k in self.active]
        for atom, height in zip(self.atoms, self.heights, strict=True):
            if not atom.is_peak:
                rest.append(atom.curve(q, eta) / sigma)
                continue
            step = 1e-4 * atom.fwhm
            rows.append(atom.curve(q, eta) / sigma)
            for change in ("place", "fwhm"):
                up, down = (replace(atom, **{change: getattr(atom, change) + d}) for d in (step, -step))
                rows.append(height * (up.curve(q, eta) - down.curve(q, eta)) / (2.0 * step * sigma))
        jacobian = np.array([*rows, *rest])
        length = np.maximum(np.linalg.norm(jacobian, axis=1), 1e-100)
        unit = jacobian / length[:, None]
        inverse = np.linalg.pinv(unit @ unit.T, rcond=1e-12, hermitian=True) / np.outer(length, length)
        return scale * inverse[: len(rows), : len(rows)]
