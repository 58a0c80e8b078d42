"""How well Bragg peaks are found in curves: ``python benchmarks/lamellae.py [--quick]``.

Synthetic curves (`_lamellae_synthetic.py`), with a plain search as peer on the same curves: local maxima of
prominence in the logarithm of the smoothed intensity, as ``scipy.signal.find_peaks`` is commonly used, indexed by
the same ratios. The last lines read ``name value bar ok|short``; the exit status is 1 if any is short.
"""

import argparse
import math
import sys
import time
from dataclasses import dataclass, field

import numpy as np
from _ending import conclude
from _lamellae_synthetic import Curve, draw
from scipy.signal import find_peaks, savgol_filter

from msc_plans.analysis.lamellae.analyse import analyse
from msc_plans.analysis.lamellae.order import structure_of

_AGAIN = 40


@dataclass
class Score:
    """What one method found."""

    curves: int = 0
    visible: int = 0
    found: int = 0
    false: int = 0
    without: int = 0
    claims: int = 0
    structures: int = 0
    lamellar: int = 0
    close: int = 0
    pulls: list[float] = field(default_factory=list)

    def add(self, truth: Curve, places: list[float], structure: str, d_nm: float) -> bool:
        """Count one curve; whether all was right."""
        self.curves += 1
        near = [
            [abs(q - place) < max(width, 0.02 * place) for place, width in zip(truth.places, truth.widths, strict=True)]
            for q in places
        ]
        hits = [any(row[k] for row in near) for k in range(len(truth.places))]
        wanted = [k for k, seen in enumerate(truth.visible) if seen]
        self.visible += len(wanted)
        self.found += sum(hits[k] for k in wanted)
        extra = len(places) - sum(hits)
        self.false += extra
        if not truth.places:
            self.without += 1
            self.claims += bool(places)
        # Peaks at the limit may be found or not: the structure is that of either.
        q = truth.q_inv_nm
        also = Curve(q, q, q, truth.kind, truth.places, truth.widths, hits)
        right = structure in (truth.structure, also.structure)
        self.structures += right
        if truth.structure == "lamellar" == truth.kind:
            self.lamellar += 1
            self.close += bool(abs(d_nm / truth.d_spacing_nm - 1) < 0.005)
        return right and not extra and all(hits[k] for k in wanted)


def peer(curve: Curve) -> tuple[list[float], str, float]:
    """Maxima of prominence in the smoothed logarithm."""
    order = np.argsort(curve.q_inv_nm)
    q, y = curve.q_inv_nm[order], curve.intensity[order]
    logarithm = np.log(np.maximum(y, 1e-9 * y.max()))
    smooth = np.asarray(savgol_filter(logarithm, 7, 2))
    noise = float(np.median(np.abs(logarithm - smooth))) / 0.6745
    at, _ = find_peaks(smooth, prominence=max(5 * noise, 0.02))
    places = [float(q[k]) for k in at]
    structure, _ = structure_of([(place, 0.005 * place) for place in places])
    return places, structure, 2 * math.pi / places[0] if structure == "lamellar" else math.nan


def main() -> int:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer curves: under a minute")
    parser.add_argument("--seed", type=int, default=4100)
    parser.add_argument("--count", type=int)
    parser.add_argument("--show", action="store_true", help="print the curves that went wrong")
    options = parser.parse_args()
    count = options.count or (160 if options.quick else 1500)
    ours, plain = Score(), Score()
    times: list[float] = []
    again: list[float] = []
    for k in range(count):
        curve = draw(np.random.default_rng([options.seed, k]))
        began = time.process_time()
        result = analyse(curve.q_inv_nm, curve.intensity, curve.sigma)
        times.append(time.process_time() - began)
        if k < _AGAIN:
            began = time.process_time()
            analyse(curve.q_inv_nm, curve.intensity, curve.sigma)
            again.append(time.process_time() - began)
        good = ours.add(curve, [peak.q_inv_nm for peak in result.peaks], result.structure, result.d_spacing_nm)
        if curve.kind == "lamellar" and result.structure == "lamellar":
            ours.pulls.append((result.d_spacing_nm - curve.d_spacing_nm) / result.d_spacing_sigma_nm)
        if not good and options.show:
            known = zip(curve.places, curve.widths, curve.visible, strict=True)
            truth = [f"{p:.3f}/{w:.3f}{'' if v else '?'}" for p, w, v in known]
            found = [
                f"{p.q_inv_nm:.3f}/{p.fwhm_inv_nm:.3f}/{p.height:.2g}±{p.sigma['height']:.1g}" for p in result.peaks
            ]
            print(
                k,
                curve.kind,
                truth,
                result.structure,
                found,
                f"chi2 {result.chi2_reduced:.2f}",
                curve.sigma is not None,
            )
        plain.add(curve, *peer(curve))
    for name, score in (("analysis", ours), ("find_peaks", plain)):
        print(
            f"  {name}: recall {score.found / score.visible:.3f} of {score.visible}, false per curve "
            f"{score.false / count:.3f}, peaks claimed in {score.claims} of {score.without} without, "
            f"structure right {score.structures / count:.3f}, spacing within 0.5 % "
            f"{score.close / score.lamellar:.3f} of {score.lamellar}"
        )
    pulls = np.abs(ours.pulls)
    print(f"  spacings within 1 sigma {np.mean(pulls < 1):.2f}, within 2 sigma {np.mean(pulls < 2):.2f}")
    figures = [
        ("recall", ours.found / ours.visible, 0.97, True),
        ("false_peaks_per_curve", ours.false / count, 0.03, False),
        ("claims_without_peaks", ours.claims / ours.without, 0.03, False),
        ("structure_right", ours.structures / count, 0.95, True),
        ("spacing_within_half_percent", ours.close / ours.lamellar, 0.95, True),
        ("cpu_milliseconds_new_grid", 1e3 * float(np.median(times)), 250.0, False),
        ("cpu_milliseconds_known_grid", 1e3 * float(np.median(again)), 120.0, False),
    ]
    return conclude(figures)


if __name__ == "__main__":
    sys.exit(main())
