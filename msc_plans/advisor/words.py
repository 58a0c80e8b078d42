"""Reasons in a chemist's words."""

from msc_plans.advisor.cost import Cost
from msc_plans.advisor.goals import Goal, MaximiseGoal
from msc_plans.condition import Condition

__all__ = ["reason"]


def reason(
    goal: Goal,
    condition: Condition,
    share: float,
    edge: tuple[Condition, Condition] | None,
    begun: bool,
    cost: Cost,
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
    edge : pair of Condition, optional
        The edge of the window the condition lies at.
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
    if edge is not None:
        low, high = (f"{one.growth_temperature:g}" for one in edge)
        between = f"the edge of the {family} window between {low} and {high} °C"
        if 0.05 < share < 0.95:
            return f"{between} is the least certain (P = {share:.2f}); {cost}"
        return f"{between} is so far the model's word only, and {where} confirms it (P = {share:.2f}); {cost}"
    if 0.2 <= share <= 0.8:
        return f"whether {family} accumulates at {where} is open (P = {share:.2f}); {cost}"
    expected = "accumulated" if share > 0.5 else "absent"
    return (
        f"{family} is expected to be {expected} at {where} (P = {share:.2f}), which this tests "
        f"for its neighbours too; {cost}"
    )
