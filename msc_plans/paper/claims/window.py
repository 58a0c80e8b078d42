"""Where a series of ratios over temperature crosses the threshold of 'accumulated': the edges of a window."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

from msc_plans.analysis.accumulation import ACCUMULATED_RATIO

__all__ = ["Edge", "window_edges"]

_SIGMAS = 2.0


@dataclass(frozen=True)
class Edge:
    """One edge.

    Parameters
    ----------
    begins : bool
        Whether what lies above it in temperature is accumulated.
    celsius, sigma : float
        Where a straight line between the two measured ratios crosses the threshold, °C, and what their errors leave
        open. How the ratio runs between the two is not measured: the edge may be anywhere in the bracket.
    low, high : float
        The measured temperatures beside it, °C.
    """

    begins: bool
    celsius: float
    sigma: float
    low: float
    high: float

    def agrees(self, other: "Edge") -> bool:
        """Return whether two edges can be the same.

        Brackets that differ but overlap can hold the same edge; else the crossings must be within two σ of both.
        """
        same = (self.low, self.high) == (other.low, other.high)
        if not same and self.low < other.high and other.low < self.high:
            return True
        return abs(self.celsius - other.celsius) <= _SIGMAS * math.hypot(self.sigma, other.sigma)


def window_edges(points: Iterable[tuple[float, float, float]], threshold: float = ACCUMULATED_RATIO) -> list[Edge]:
    """Return the edges of all windows, by ascending temperature.

    Parameters
    ----------
    points : iterable of (float, float, float)
        Temperature, °C, ratio and its σ; in any order, of a temperature the last counts, and what is not finite is
        left out.
    threshold : float
        From which ratio a family counts as accumulated.
    """
    known = {celsius: (ratio, sigma) for celsius, ratio, sigma in points if math.isfinite(ratio + sigma)}
    edges = []
    for (a, (ra, sa)), (b, (rb, sb)) in pairwise(sorted(known.items())):
        if (ra >= threshold) == (rb >= threshold):
            continue
        rise = rb - ra
        crossing = a + (b - a) * (threshold - ra) / rise
        sigma = (b - a) * math.hypot((rb - threshold) * sa, (threshold - ra) * sb) / rise**2
        edges.append(Edge(rb >= threshold, crossing, sigma, a, b))
    return edges
