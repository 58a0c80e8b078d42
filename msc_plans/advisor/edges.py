"""Where the map changes from one class to the other."""

from collections.abc import Mapping
from itertools import pairwise

from msc_plans.condition import Condition

__all__ = ["edges_of"]


def edges_of(probabilities: Mapping[Condition, float]) -> list[tuple[Condition, Condition]]:
    """Return neighbours, the colder first, of which one has P(accumulated) ≥ 0.5 and the other not.

    Neighbours follow each other in temperature within a row of equal residence time and equal difference of
    the two ovens.
    """
    rows: dict[tuple[float, float], list[Condition]] = {}
    for one in sorted(probabilities):
        offset = round(one.growth_temperature - one.nucleation_temperature, 6)
        rows.setdefault((one.residence_time, offset), []).append(one)
    return [
        pair
        for row in rows.values()
        for pair in pairwise(row)
        if (probabilities[pair[0]] >= 0.5) != (probabilities[pair[1]] >= 0.5)
    ]
