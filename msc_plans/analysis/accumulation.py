"""The word 'accumulated', fixed once for the whole project.

A family is *accumulated* where the height of its band is at least 0.085 of (first-maximum height of the
nanocrystals + height of the family that its table names as denominator + 2 % of the height at full conversion) with
probability 0.95 or more; *absent* where it is at most 0.05 of that sum; *undecided* between the two. In the table of
CdSe the denominator is the band at 465 nm.
"""

from typing import Literal

from scipy.special import ndtr

__all__ = ["ABSENT_RATIO", "ACCUMULATED_RATIO", "FLOOR", "Verdict", "accumulated_probability", "verdict"]

ACCUMULATED_RATIO = 0.085
ABSENT_RATIO = 0.05
FLOOR = 0.02
CERTAIN = 0.95

Verdict = Literal["accumulated", "undecided", "absent"]


def accumulated_probability(
    ratio: float, sigma: float, threshold: float = ACCUMULATED_RATIO, there: float = 1.0
) -> float:
    """Return the probability that the true ratio is at least the threshold.

    ``p Φ((ratio − threshold)/σ)``, with p the probability ``there`` that the family is there at all: where it isn't,
    the ratio is 0, whatever of the rest was read as its height.
    """
    return there * float(ndtr((ratio - threshold) / max(sigma, 1e-12)))


def verdict(ratio: float, sigma: float, threshold: float = ACCUMULATED_RATIO, there: float = 1.0) -> Verdict:
    """Judge a measured ratio of heights.

    Parameters
    ----------
    ratio, sigma : float
        The ratio and its standard uncertainty; infinite where it can't be told.
    threshold : float
        Ratio from which a family counts as accumulated; 'absent' ends at the same share of it.
    there : float
        Probability that the family is there at all.
    """
    probability = accumulated_probability(ratio, sigma, threshold, there)
    if probability >= CERTAIN:
        return "accumulated"
    if ratio <= threshold * ABSENT_RATIO / ACCUMULATED_RATIO and probability <= 1 - CERTAIN:
        return "absent"
    return "undecided"
