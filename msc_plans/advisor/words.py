"""Reasons in a chemist's words."""

from collections.abc import Mapping

from msc_plans.advisor.cost import Cost
from msc_plans.advisor.goals import Goal, MaximiseGoal
from msc_plans.condition import Condition

__all__ = ["reason"]


def reason(
    goal: Goal, condition: Condition, share: float, around: Mapping[Condition, float], begun: bool, cost: Cost
) -> str:
    """Return one sentence saying why a condition is suggested.

    Parameters
    ----------
    goal : Goal
        What the campaign is after.
    condition : Condition
        The suggested condition.
    share : float
        P(accumulated) there.
    around : mapping
        P(accumulated) at other conditions.
    begun : bool
        Whether anything was measured yet.
    cost : Cost
        What it costs.
    """
    family, where = goal.family, f"{condition.growth_temperature:g} °C"
    if condition.nucleation_temperature != condition.growth_temperature:
        where = f"{condition.nucleation_temperature:g} → {where}"
    if isinstance(goal, MaximiseGoal):
        start = "is expected to give" if begun else "is the model's first guess for"
        return f"{where}, {condition.residence_time:g} s {start} the most {family}, or to rule it out; {cost}"
    if not begun:
        return (
            f"nothing is measured yet, and {where} tells most about where {family} accumulates "
            f"(P = {share:.2f}); {cost}"
        )
    edge = _edge(condition, share, around)
    if edge is not None:
        low, high = edge
        return (
            f"the edge of the {family} window between {low:g} and {high:g} °C is the least certain "
            f"(P = {share:.2f}); {cost}"
        )
    if 0.2 <= share <= 0.8:
        return f"whether {family} accumulates at {where} is open (P = {share:.2f}); {cost}"
    expected = "accumulated" if share > 0.5 else "absent"
    return (
        f"{family} is expected to be {expected} at {where} (P = {share:.2f}), which this tests "
        f"for its neighbours too; {cost}"
    )


def _edge(
    condition: Condition, share: float, around: Mapping[Condition, float]
) -> tuple[float, float] | None:
    """Return the growth temperatures between which the window's edge lies, if next to the condition."""
    offset = condition.growth_temperature - condition.nucleation_temperature
    row = {
        other.growth_temperature: p
        for other, p in around.items()
        if other.residence_time == condition.residence_time
        and other.growth_temperature - other.nucleation_temperature == offset
        and other != condition
    }
    here = condition.growth_temperature
    below = max((one for one in row if one < here), default=None)
    above = min((one for one in row if one > here), default=None)
    edges = [
        (abs(row[one] - share), min(one, here), max(one, here))
        for one in (below, above)
        if one is not None and (row[one] >= 0.5) != (share >= 0.5)
    ]
    return max(edges)[1:] if edges else None
