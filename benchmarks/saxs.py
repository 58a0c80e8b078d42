"""How well sizes are found in scattering curves: ``python benchmarks/saxs.py [--quick]``.

Synthetic curves (`_saxs_synthetic.py`) with plain Tikhonov and non-negative least squares as peer on the same curves;
form factors against sasmodels; Monte Carlo against McSAS3 with the same contributions, repetitions, limits and stopping
χ²; shares of held families. The last lines read ``name value bar ok|short``; the exit status is 1 if any is short.

A quick run gives McSAS3 one repetition at narrow limits, on one core, and takes five times that as the time of ten on
two cores; the full run lets it do all ten on two cores, at narrow and at its default limits, and takes many minutes.
"""

import argparse
import os
import sys
import time
from dataclasses import dataclass, field

import numpy as np
from _ending import conclude
from _saxs_mcsas3 import Peer, mcsas3
from _saxs_synthetic import CONTRAST_INV_CM2, KINDS, Scene, draw, sphere, tikhonov

from msc_plans.analysis.saxs.analyse import analyse, fit_families, two_modes
from msc_plans.analysis.saxs.form import scattering, sphere_table
from msc_plans.analysis.saxs.montecarlo import MonteCarlo, monte_carlo

NARROW_NM = (0.4, 3.0)
CONTRIBUTIONS, REPETITIONS = 300, 10

Figure = tuple[str, float, float, bool]


@dataclass
class Score:
    """What one method found."""

    mean: list[bool] = field(default_factory=list)
    width: list[bool] = field(default_factory=list)
    covered: list[bool] = field(default_factory=list)
    width_ratio: list[float] = field(default_factory=list)
    missed: int = 0
    blanks: int = 0
    blanks_recognised: int = 0
    seconds: list[float] = field(default_factory=list)

    def add(self, truth: Scene, found: tuple[float, float, tuple[float, float]] | None) -> None:
        """Count one curve; `found` is mean, relative width and interval."""
        if truth.kind == "blank":
            self.blanks += 1
            self.blanks_recognised += found is None
            return
        self.missed += found is None
        mean, width, (low, high) = found or (np.nan, np.nan, (np.nan, np.nan))
        self.mean.append(abs(mean / truth.mean_radius_nm - 1.0) <= 0.02)
        self.width.append(abs(width - truth.relative_width) <= 0.03)
        self.covered.append(low <= truth.mean_radius_nm <= high)
        if found:
            self.width_ratio.append(width / truth.relative_width)

    def words(self) -> str:
        """One line."""
        return (
            f"mean within 2 % {np.mean(self.mean):.3f}, width within 0.03 {np.mean(self.width):.3f} "
            f"of {len(self.mean)}, missed {self.missed}, blanks {self.blanks_recognised} of {self.blanks}, "
            f"{1e3 * np.median(self.seconds):.1f} ms"
        )


def synthetic(count: int, seed: int) -> list[Figure]:
    """Both methods on the same curves."""
    rng = np.random.default_rng(seed)
    ours, peer = Score(), Score()
    kinds = {kind: Score() for kind in KINDS}
    warm = draw(rng, "one")
    analyse(warm.q_inv_nm, warm.intensity, warm.sigma)
    for _ in range(count):
        scene = draw(rng)
        began = time.perf_counter()
        result = analyse(scene.q_inv_nm, scene.intensity, scene.sigma, contrast_inv_cm2=CONTRAST_INV_CM2)
        spent = time.perf_counter() - began
        found = None
        if result.verdict != "no scatterers":
            found = (result.mean_radius_nm, result.relative_width, result.mean_radius_interval_nm)
        for score in (ours, kinds[scene.kind]):
            score.add(scene, found)
            score.seconds.append(spent)
        began = time.perf_counter()
        plain = tikhonov(scene)
        peer.seconds.append(time.perf_counter() - began)
        peer.add(scene, plain and (*plain, (np.nan, np.nan)))
    print(f"{count} synthetic curves")
    for name, score in (("analysis", ours), ("Tikhonov and NNLS", peer)):
        print(f"  {name}: {score.words()}")
    for name, score in kinds.items():
        if score.mean:
            print(f"    {name}: {score.words()}, covered {np.mean(score.covered):.3f}")
    covered = float(np.mean(ours.covered))
    print(f"  95 % interval of the mean covers the truth in {covered:.3f}")
    return [
        ("mean_within_2_percent", float(np.mean(ours.mean)), 0.95, True),
        ("width_within_0.03", float(np.mean(ours.width)), 0.85, True),
        ("blanks_recognised", ours.blanks_recognised / ours.blanks, 1.0, True),
        ("interval_coverage_at_least", covered, 0.88, True),
        ("interval_coverage_at_most", covered, 0.99, False),
        ("width_bias", abs(float(np.mean(ours.width_ratio)) - 1.0), 0.1, False),
        ("milliseconds_per_curve", 1e3 * float(np.median(ours.seconds)), 150.0, False),
    ]


def form_factors() -> list[Figure]:
    """Largest relative difference to sasmodels: equal, lognormal and Gaussian spheres."""
    os.environ["SAS_OPENCL"] = "none"
    from sasmodels.core import load_model
    from sasmodels.direct_model import call_kernel

    q = np.geomspace(0.05, 7.0, 200)
    # sasmodels counts in Å and cm⁻¹.
    kernel = load_model("sphere", dtype="double", platform="dll").make_kernel([q / 10.0])
    scale = CONTRAST_INV_CM2**2 * 1e-24

    def peer(radius_nm: float, **more: float | str) -> np.ndarray:
        parameters = {"radius": 10.0 * radius_nm, "sld": 39.7, "sld_solvent": 6.2, "scale": 1e-3, "background": 0.0}
        return np.asarray(call_kernel(kernel, parameters | more))

    worst = 0.0
    for radius in (0.5, 0.94, 2.0, 3.0):
        pairs = [(peer(radius), scattering(q, radius, contrast_inv_cm2=CONTRAST_INV_CM2, volume_fraction=1e-3))]
        for width in (0.03, 0.1, 0.2):
            spread = {"radius_pd": width, "radius_pd_n": 4000, "radius_pd_nsigma": 20.0, "radius_pd_type": "lognormal"}
            # By number the median is the radius, by volume the mean is larger.
            mean, relative = radius * np.exp(3.5 * width**2), float(np.sqrt(np.expm1(width**2)))
            ours = scattering(q, mean, relative, contrast_inv_cm2=CONTRAST_INV_CM2, volume_fraction=1e-3)
            pairs.append((peer(radius, **spread), ours))
            spread |= {"radius_pd_type": "gaussian", "radius_pd_n": 801, "radius_pd_nsigma": 4.0}
            radii = radius * (1.0 + width * np.linspace(-4.0, 4.0, 801))
            number = np.exp(-0.5 * ((radii / radius - 1.0) / width) ** 2) * radii**3
            pairs.append((peer(radius, **spread), scale * number @ sphere_table(q, radii) / number.sum()))
        worst = max(worst, *(float(np.max(np.abs(ours / theirs - 1.0))) for theirs, ours in pairs))
    return [("form_factor_difference", worst, 1e-6, False)]


def _curve(low: float, mean: float, width: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Particles and a constant, 1 % noise that has a mean square of exactly that, so that χ² = 1 can be reached."""
    q = np.geomspace(low, 5.0, 100)
    clean = scattering(q, mean, width, contrast_inv_cm2=CONTRAST_INV_CM2, volume_fraction=1e-3) + 0.02
    noise = np.random.default_rng(3).normal(size=len(q))
    sigma = 0.01 * clean
    return q, clean + sigma * noise / np.sqrt(np.mean(noise**2)), sigma


def _disagreement(ours: MonteCarlo, theirs: Peer) -> float:
    """Mean square difference of the bins that hold something, over both spreads."""
    both = np.concatenate([ours.radius_nm.ravel(), theirs.radius_nm.ravel()])
    edges = np.geomspace(both.min() * 0.999, both.max() * 1.001, 26)
    a, b = (np.array([np.histogram(one, edges)[0] for one in sets]) for sets in (ours.radius_nm, theirs.radius_nm))
    spread = a.std(axis=0, ddof=1) if len(b) < 3 else np.hypot(a.std(axis=0, ddof=1), b.std(axis=0, ddof=1))
    held = (a.mean(axis=0) > 1.5) & (spread > 0)
    return float(np.mean(((a.mean(axis=0) - b.mean(axis=0))[held] / spread[held]) ** 2))


def _timed(
    curve: tuple[np.ndarray, np.ndarray, np.ndarray], limits: tuple[float, float] | None
) -> tuple[MonteCarlo, float]:
    began = time.perf_counter()
    found = monte_carlo(*curve, radius_limits_nm=limits, contributions=CONTRIBUTIONS, repetitions=REPETITIONS)
    return found, time.perf_counter() - began


def against_mcsas3(quick: bool) -> list[Figure]:
    """Speed and agreement at narrow limits and, in full, at McSAS3's default limits."""
    figures: list[Figure] = []
    cases: list[tuple[str, tuple[float, float] | None, tuple[np.ndarray, np.ndarray, np.ndarray], float]] = []
    cases.append(("narrow", NARROW_NM, _curve(0.3, 1.8, 0.15), 300.0))
    if not quick:
        cases.append(("default", None, _curve(0.3, 1.8, 0.15), 1000.0))
    for name, limits, curve, bar in cases:
        runs = [_timed(curve, limits) for _ in range(6)]
        ours = runs[-1][0]
        # The first call compiles.
        times = [spent for _, spent in runs[1:]]
        repetitions = 1 if quick else REPETITIONS
        theirs = mcsas3(
            *curve,
            radius_limits_nm=limits,
            contributions=CONTRIBUTIONS,
            repetitions=repetitions,
            cores=1 if quick else 2,
        )
        seconds = theirs.seconds * (0.5 * REPETITIONS if quick else 1.0)
        spent = float(np.median(times))
        disagreement = _disagreement(ours, theirs)
        print(
            f"Monte Carlo, {name} limits: ours {1e3 * spent:.1f} ms, {np.mean(ours.steps):.0f} steps, "
            f"{1e9 * spent / ours.steps.sum():.0f} ns a step; McSAS3 {seconds:.1f} s"
            f"{' (from one repetition)' * quick}, {np.mean(theirs.steps):.0f} steps"
        )
        for label, sets in (("ours", ours.radius_nm), ("McSAS3", theirs.radius_nm)):
            widths = sets.std(axis=1) / sets.mean(axis=1)
            spread = sets.mean(axis=1).std()
            print(f"  {label}: mean radius {sets.mean():.4f} ± {spread:.4f} nm, width {widths.mean():.3f}")
        result = analyse(*curve)
        print(
            f"  reported: mean radius {result.mean_radius_nm:.4f} nm, width {result.relative_width:.3f}; true 1.8, 0.15"
        )
        # Over the spread of single repetitions, which either program gives as the uncertainty of a bin; a single
        # repetition of the peer differs by its own spread, too.
        figures += [
            (f"mcsas3_{name}_times_faster", seconds / spent, bar, True),
            (f"mcsas3_{name}_disagreement", disagreement, 3.0 if quick else 1.0, False),
            (f"monte_carlo_{name}_converged", float(np.mean(ours.converged)), 1.0, True),
        ]
    return figures


def families(count: int) -> list[Figure]:
    """Shares of 0.94 and 1.02 nm at 1 % noise with all else held, and the refusal of free ones."""
    rng = np.random.default_rng(11)
    q = np.linspace(0.1, 5.0, 200)
    radius = np.linspace(0.5, 1.6, 1500)

    def one(mean: float) -> np.ndarray:
        spread = np.log1p(0.05**2)
        density = np.exp(-((np.log(radius / mean) + 0.5 * spread) ** 2) / (2.0 * spread)) / radius
        return sphere(q, radius) @ density / density.sum()

    first, second = one(0.94), one(1.02)
    errors, pulls, conditions = [], [], ""
    for _ in range(count):
        share = rng.uniform(0.1, 0.9)
        clean = 1e-3 * CONTRAST_INV_CM2**2 * 1e-21 * (share * first + (1.0 - share) * second) + 0.01
        clean = clean + 10 ** rng.uniform(-3.0, -1.5) * (q / 0.1) ** -rng.uniform(2.0, 4.0)
        noisy = clean * (1.0 + 0.01 * rng.normal(size=len(q)))
        found = fit_families(q, noisy, 0.01 * clean, radii_nm=(0.94, 1.02), relative_widths=0.05)
        conditions = found.conditional_on
        errors.append(found.fractions[0] - share)
        pulls.append(errors[-1] / found.fraction_sigmas[0])
    clean = 1e-3 * CONTRAST_INV_CM2**2 * 1e-21 * (0.7 * first + 0.3 * second) + 0.01
    modes = two_modes(q, clean, 0.01 * clean, radii_nm=(0.94, 1.02), fraction=0.7)
    print(f"families: error of the share {np.std(errors):.4f}, largest {np.max(np.abs(errors)):.4f}; {conditions}")
    print(f"  {modes.words}; pulls {np.std(pulls):.2f}")
    return [
        ("family_share_within_0.01", float(np.mean(np.abs(errors) <= 0.01)), 0.95, True),
        ("two_free_modes_refused", float(not modes.resolvable), 1.0, True),
        ("two_free_modes_sigma", modes.fraction_sigma_free, 0.5, True),
    ]


def main() -> int:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer curves, one repetition of the peer: under a minute")
    quick = parser.parse_args().quick
    figures = form_factors()
    figures += synthetic(250 if quick else 1500, seed=2024)
    figures += families(60 if quick else 400)
    figures += against_mcsas3(quick)
    return conclude(figures)


if __name__ == "__main__":
    sys.exit(main())
