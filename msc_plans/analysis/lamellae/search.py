"""Which Bragg peaks a curve needs.

Peaks and fringes are added one by one, whichever saves most χ², while what a peak saves could hardly come from noise
anywhere in the curve at any width: χ² saved, over the misfit that is left, at a chance of `FALSE_ALARM` shared among
all places and widths (the look-elsewhere effect; Gross & Vitells, *Eur. Phys. J. C* 2010, 70, 525).
"""

import math
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from scipy.stats import chi2 as chi_square

from msc_plans.analysis.lamellae.background import SHAPES
from msc_plans.analysis.lamellae.catalogue import FALSE_ALARM, Catalogue, particles_on
from msc_plans.analysis.lamellae.model import START_MIX, Atom, PeakFit, PeakLimits, Weighted, area_of, profile
from msc_plans.analysis.lamellae.order import HEXAGONAL, agrees, is_lattice
from msc_plans.analysis.lamellae.points import distinct, errors, lone_points, offset_of, orders_of_one_point
from msc_plans.analysis.lamellae.result import LamellaeResult
from msc_plans.analysis.saxs.noise import PreparedCurve

__all__ = ["BROADEST", "SearchResult", "area_at", "search"]

BROADEST: Final = 1.2
"""FWHM over position of a single peak that dominates its curve."""
_DOMINANT = 2.0
_DESCRIBES = 1.3
_LEAST_SHARE = 0.01
_MOST = 14
_MERGED = 0.8
_FOOT = 2.5
_FOOT_SHARE = 0.03
_FRINGED = 0.3
_CLEAR = 3.0
_SURE = 2.0
_PLACES = 4
_HUMPED = 0.18
_SHARP = 0.04
_INSIDE = 0.8
_AS_WELL = 0.9
_RIPPLED = 0.06
_STRICT = 0.1


@dataclass(frozen=True)
class SearchResult:
    """What the search ends with."""

    fit: PeakFit = field(repr=False)
    offset: float
    """Was added to the intensity."""
    points: tuple[tuple[float, float, float, float], ...]
    """Peaks of a single point: q and spacing of the points, nm⁻¹, height and its σ."""
    limits: PeakLimits = field(repr=False)


class _Search:
    def __init__(self, data: Weighted, catalogue: Catalogue) -> None:
        self.data, self.limits, self.places = data, catalogue.limits, catalogue.atoms
        self.threshold = catalogue.threshold
        columns = catalogue.columns / data.sigma[:, None]
        self.columns = columns / np.linalg.norm(columns, axis=0)
        self.kind = np.array([atom.shape for atom in self.places])
        self.at = np.array([atom.place for atom in self.places])
        self.wide = np.array([atom.fwhm for atom in self.places])

    def gains(self, fit: PeakFit) -> np.ndarray:
        """χ² that each candidate would save about."""
        used = [self.data.values[:, fit.active]]
        if fit.atoms:
            used.append(np.array([atom.curve(self.data.q, fit.mix) / self.data.sigma for atom in fit.atoms]).T)
        basis, _ = np.linalg.qr(np.hstack(used))
        along = self.columns.T @ fit.residual
        left = 1.0 - np.sum((basis.T @ self.columns) ** 2, axis=0)
        return np.where((along > 0) & (left > 0.03), along**2 / np.maximum(left, 0.03), 0.0)

    def run(self) -> PeakFit:
        fit = self.data.fit(())
        for _ in range(_MOST):
            without = self.gains(fit)
            gains = without.copy()
            self.shut(gains, fit)
            for _ in range(4):
                best = int(np.argmax(gains))
                if gains[best] < 0.5 * self.threshold:
                    return fit
                new = self.with_atom(fit, self.places[best], without)
                if self.counts(fit, new):
                    fit = new
                    break
                gains[self.near(self.places[best])] = 0.0
            else:
                return fit
        return fit

    def with_atom(self, fit: PeakFit, atom: Atom, gains: np.ndarray) -> PeakFit:
        """One more atom, moved to where it fits best; then all of them."""
        start = self.data.fit((*fit.atoms, atom), fit.mix)
        new = self.data.refined(start, (len(fit.atoms),), limits=self.limits, mix=atom.is_peak)
        new = self.data.refined(new, tuple(range(len(new.atoms))), limits=self.limits, mix=atom.is_peak)
        last = new.atoms[-1]
        if not last.is_peak or last.fwhm < _SHARP * last.place:
            return new
        # What a hump or fringes describe nearly as well is no peak.
        others = [Atom(last.place, x, "hump") for x in (1.8, 3.0)] if last.fwhm > _HUMPED * last.place else []
        others += [self.places[int(np.argmax(np.where(self.kind == shape, gains, -1.0)))] for shape in SHAPES]
        other = min((self.data.fit((*fit.atoms, atom), fit.mix) for atom in others), key=lambda f: f.chi2)
        other = self.data.refined(other, (len(fit.atoms),), limits=self.limits)
        return other if fit.chi2 - other.chi2 > _AS_WELL * (fit.chi2 - new.chi2) else new

    def counts(self, without: PeakFit, fit: PeakFit, k: int = -1, threshold: float | None = None) -> bool:
        """Return whether an atom is needed, and is a peak of its own."""
        atom = fit.atoms[k]
        if self.gain(without, fit, atom) <= (threshold or self.threshold):
            return False
        return not atom.is_peak or self.sound(fit, k % len(fit.atoms))

    def sound(self, fit: PeakFit, k: int) -> bool:
        """Whether a peak lies inside the curve, is narrow, and is neither the foot of another nor part of a fringe."""
        q, atom, height = self.data.q, fit.atoms[k], float(fit.heights[k])
        step = self.limits.spacing_at(atom.place)
        if atom.fwhm > max(0.97 * self.limits.widest * atom.place, 1.1 * step):
            return False
        if not q[0] + _INSIDE * atom.fwhm < atom.place < q[-1] - _INSIDE * atom.fwhm:
            return False
        level = abs(float(np.interp(atom.place, q, fit.model * self.data.sigma)))
        if not height > _LEAST_SHARE * level:
            return False
        for n, (other, more) in enumerate(zip(fit.atoms, fit.heights, strict=True)):
            if n == k or more <= 0:
                continue
            if other.is_peak:
                apart = abs(other.place - atom.place) / max(other.fwhm, atom.fwhm)
                if more > height and (apart < _MERGED or (apart < _FOOT and height < _FOOT_SHARE * more)):
                    return False
            elif other.shape in SHAPES:
                near = np.abs(q - atom.place) < 0.8 * math.pi / other.place
                if near.any() and height < _FRINGED * more * float(np.ptp(other.curve(q[near], fit.mix))):
                    return False
        return True

    def ripples(self, fit: PeakFit, k: int, strict: bool) -> bool:
        """Return whether a ripple about the peak describes the curve as well as the peak does, as of form factors not
        thought of.

        Over three widths to each side: a cubic with the peak, against a cubic with a sine and a cosine of growing or
        falling amplitude and any period from 1.4 to 3.2 widths.
        """
        q, atom = self.data.q, fit.atoms[k]
        if atom.fwhm < _RIPPLED * atom.place:
            return False
        near = np.abs(q - atom.place) < 3.0 * atom.fwhm
        if near.sum() < 20 or min(atom.place - q[0], q[-1] - atom.place) < 1.5 * atom.fwhm:
            return False
        sigma, x = self.data.sigma[near], (q[near] - atom.place) / atom.fwhm
        y = self.data.y[near]
        cubic = np.array([x**0, x, x**2, x**3])

        def left(rows: np.ndarray) -> float:
            basis, _ = np.linalg.qr((rows / sigma).T)
            r = y - basis @ (basis.T @ y)
            return float(r @ r)

        peak = left(np.vstack([cubic, atom.curve(q[near], fit.mix)]))
        waves = (2.0 * math.pi * x / period for period in np.linspace(1.4, 3.2, 13))
        ripple = min(left(np.vstack([cubic, np.cos(w), np.sin(w), x * np.cos(w), x * np.sin(w)])) for w in waves)
        whole = float(fit.residual[near] @ fit.residual[near])
        doubt = 4.0 * math.log(len(x))
        if strict and atom.fwhm > _STRICT * atom.place:
            return ripple < peak - doubt
        return ripple < peak - doubt and ripple < 1.5 * whole + doubt

    def pruned(self, fit: PeakFit) -> PeakFit:
        """Without peaks that the others, as they are now, can do without, and without ripples.

        Of broad peaks that make no lattice the more is asked.
        """
        fit = self._pruned(fit, strict=False)
        peaks = [atom for atom in fit.atoms if atom.is_peak]
        broad = any(atom.fwhm > _STRICT * atom.place for atom in peaks)
        if broad and not is_lattice(sorted((atom.place, 0.02 * atom.fwhm) for atom in peaks)):
            fit = self._pruned(fit, strict=True)
        return fit

    def _pruned(self, fit: PeakFit, strict: bool) -> PeakFit:
        certain = float(chi_square.isf(FALSE_ALARM / _PLACES, 2))
        while True:
            covariance = fit.covariance(fit.disturbance())
            place = 0
            lattice = is_lattice(sorted((a.place, 0.02 * a.fwhm) for a in fit.atoms if a.is_peak))
            worst, drop = math.inf, -1
            for k, atom in enumerate(fit.atoms):
                if not atom.is_peak:
                    continue
                sure = float(fit.heights[k]) > _CLEAR * math.sqrt(max(float(covariance[3 * place, 3 * place]), 0.0))
                place += 1
                without = self.data.fit((*fit.atoms[:k], *fit.atoms[k + 1 :]), fit.mix)
                gain = self.gain(without, fit, atom)
                weak = gain < certain or (gain < _SURE * self.threshold and not sure and not lattice)
                if (weak or not self.sound(fit, k) or self.ripples(fit, k, strict)) and gain < worst:
                    worst, drop = gain, k
            if drop < 0:
                return fit
            fit = self.data.fit((*fit.atoms[:drop], *fit.atoms[drop + 1 :]), fit.mix)
            fit = self.data.refined(fit, tuple(range(len(fit.atoms))), limits=self.limits, mix=True)

    def near(self, atom: Atom) -> np.ndarray:
        """Which candidates are about the same."""
        reach = 0.7 * np.maximum(self.wide, atom.fwhm) if atom.is_peak else 0.1 * atom.place
        return (self.kind == atom.shape) & (np.abs(self.at - atom.place) < reach)

    def shut(self, gains: np.ndarray, fit: PeakFit) -> None:
        """Leave out what lies on peaks that are there."""
        for atom in fit.atoms:
            if atom.is_peak:
                gains[self.near(atom)] = 0.0

    def orders(self, fit: PeakFit) -> PeakFit:
        """Look where the orders of the first peak must be, or that whose second it is: few places, so less is asked."""
        peaks = [(float(h), atom) for atom, h in zip(fit.atoms, fit.heights, strict=True) if atom.is_peak]
        if not peaks:
            return fit
        first = min((atom for _, atom in peaks), key=lambda atom: atom.place)
        low, high = self.data.q[0] + first.fwhm, self.data.q[-1] - first.fwhm
        ratios = [r for r in (0.5, HEXAGONAL[1], 2.0, HEXAGONAL[3], 3.0) if low < r * first.place < high]
        for ratio in ratios:
            place = ratio * first.place
            if any(abs(atom.place - place) < max(atom.fwhm, first.fwhm) for _, atom in peaks):
                continue
            start = self.data.fit((*fit.atoms, Atom(place, first.fwhm)), fit.mix)
            new = self.data.refined(start, (len(fit.atoms),), limits=self.limits)
            atom = new.atoms[-1]
            alike = 0.6 < atom.fwhm / first.fwhm < 2.5
            certain = float(chi_square.isf(FALSE_ALARM / _PLACES, 2))
            doubt = 0.5 * atom.fwhm / math.sqrt(max(self.gain(fit, new, atom), 1.0))
            there = agrees(atom.place, doubt, first.place, 0.0, ratio)
            if alike and there and self.counts(fit, new, threshold=certain):
                fit = new
        return fit

    def gain(self, without: PeakFit, fit: PeakFit, atom: Atom) -> float:
        """χ² saved over the misfit that is left."""
        reach = 6.0 * atom.fwhm if atom.is_peak else 0.0
        return (without.chi2 - fit.chi2) / fit.disturbance(atom.place if atom.is_peak else None, reach)


def search(curve: PreparedCurve) -> SearchResult:
    """Find the peaks: narrow ones; then orders of the first that alone would be too weak; else a broad one."""
    curve = distinct(curve)
    sigma = errors(curve)
    lone = lone_points(curve.q_inv_nm, curve.intensity, sigma)
    offset = offset_of(curve)
    fit, finder = _narrow(curve, sigma, lone, offset)
    on_peak = [k for k in lone if any(_on(atom, curve.q_inv_nm, k) for atom in fit.atoms)]
    if on_peak:
        # Not an outlier, but the top of a peak that is as narrow as the points are apart.
        lone = np.setdiff1d(lone, on_peak)
        fit, finder = _narrow(curve, sigma, lone, offset)
    points = orders_of_one_point(curve, sigma, lone, fit, offset)
    if not points and not any(atom.is_peak for atom in fit.atoms):
        fit = _broad(fit, finder) or fit
    return SearchResult(fit, offset, points, finder.limits)


def _narrow(curve: PreparedCurve, sigma: np.ndarray, lone: np.ndarray, offset: float) -> tuple[PeakFit, _Search]:
    kept = np.setdiff1d(np.arange(len(sigma)), lone)
    q, y, s = curve.q_inv_nm[kept], curve.intensity[kept] + offset, sigma[kept]
    catalogue = Catalogue.of(q)
    finder = _Search(Weighted(q, y, s, catalogue.smooth), catalogue)
    return finder.pruned(finder.orders(finder.run())), finder


def _on(atom: Atom, q: np.ndarray, k: int) -> bool:
    return atom.is_peak and bool(abs(q[k] - atom.place) < max(atom.fwhm, q[k + 1] - q[k], q[k] - q[k - 1]))


def _broad(smooth: PeakFit, finder: _Search) -> PeakFit | None:
    """One broad peak over spheres that dominates the curve, and that no particles can stand in for; or None."""
    q, sigma = smooth.of.q, smooth.of.sigma
    anything, data = (
        Weighted(q, smooth.of.y * sigma, sigma, particles_on(q.tobytes(), shapes)) for shapes in (SHAPES, ("sphere",))
    )
    limits = PeakLimits(finder.limits.spacing, q, BROADEST)
    fringes_there = tuple(atom for atom in smooth.atoms if atom.shape in SHAPES)
    without = anything.fit(fringes_there)
    if without.chi2 - smooth.chi2 < finder.threshold:
        return None
    fits = []
    for place in np.geomspace(q[0], q[-1], 24)[1:-1]:
        for share in (0.3, 0.55, 1.0):
            atom = Atom(float(place), share * float(place))
            if q[0] < place - 0.6 * atom.fwhm and place + 0.5 * atom.fwhm < q[-1]:
                fits.append(data.fit((*fringes_there, atom), 0.2))
    if not fits:
        return None
    best = min(fits, key=lambda f: f.chi2)
    best = data.refined(best, (len(fringes_there),), limits=limits, mix=True)
    atom, height = best.atoms[-1], float(best.heights[-1])
    rest = float(np.interp(atom.place, q, best.model * data.sigma)) - height
    inside = q[0] < atom.place - 0.6 * atom.fwhm and atom.place + 0.5 * atom.fwhm < q[-1]
    dominates = height > _DOMINANT * max(rest, 0.0) and atom.fwhm < 0.99 * limits.widest * atom.place
    describes = best.chi2 / best.freedom < _DESCRIBES
    gain = (without.chi2 - best.chi2) / best.disturbance()
    return best if inside and dominates and describes and gain > finder.threshold else None


def area_at(result: LamellaeResult, place: float, fwhm: float) -> tuple[float, float]:
    """Area, intensity times nm⁻¹, and σ of a peak of this place and width in a curve where none was found."""
    q, sigma = result.q_inv_nm, result.sigma
    shape = profile(q, place, fwhm, START_MIX) / sigma
    near = np.abs(q - place) < 5.0 * fwhm
    if near.sum() < 8:
        near = np.argsort(np.abs(q - place))[:15]
    x = (q - place) / fwhm
    rows = np.vstack([shape, 1.0 / sigma, x / sigma, x**2 / sigma])[:, near]
    y = ((result.intensity - result.background) / sigma)[near]
    coefficients, *_ = np.linalg.lstsq(rows.T, y, rcond=None)
    covariance = np.linalg.pinv(rows @ rows.T, hermitian=True)
    left = y - coefficients @ rows
    scale = max(1.0, float(left @ left) / max(len(y) - 4, 1))
    area = area_of(fwhm, START_MIX)
    return area * float(coefficients[0]), area * math.sqrt(scale * max(float(covariance[0, 0]), 0.0))
