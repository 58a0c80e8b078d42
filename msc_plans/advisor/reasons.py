"""Reasons in a chemist's words."""

from collections.abc import Mapping

from msc_plans.advisor.cost import Cost
from msc_plans.advisor.goals import DiscriminateGoal, Goal, LearnGoal, MaximiseGoal
from msc_plans.condition import Condition

__all__ = ["reason"]


def reason(
    goal: Goal,
    condition: Condition,
    share: float,
    edge: tuple[Condition, Condition] | None,
    gain: float,
    rivals: Mapping[str, float],
    cost: Cost,
    *,
    begun: bool,
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
    gain : float
        What it promises in the goal's own measure.
    rivals : mapping
        Probability of what is to be told apart, for the goal discriminate.
    cost : Cost
        What it costs.
    begun : bool
        Whether anything was measured yet.
    """
    where = f"{condition.growth_temperature:g} °C"
    if condition.nucleation_temperature != condition.growth_temperature:
        where = f"{condition.nucleation_temperature:g} → {where}"
    timed = f"{where}, {condition.residence_time:g} s"
    if isinstance(goal, MaximiseGoal):
        start = "probably gives" if begun else "is the model's first guess for"
        most = "most" if goal.by == "amount" else "purest"
        return f"{timed} {start} the {most} {goal.family}; measuring it shows whether it does; {cost}"
    if isinstance(goal, DiscriminateGoal):
        first, *others = sorted(rivals, key=lambda name: -rivals[name])
        other = "".join(f" from {name} ({rivals[name]:.2f})" for name in others[:1])
        return f"{timed} is best to tell {first} ({rivals[first]:.2f}){other}, {gain:.2f} bit; {cost}"
    if isinstance(goal, LearnGoal):
        return f"{timed} tells most about the rate constants, {gain:.1f} bit; {cost}"
    family = goal.family
    if not begun:
        return (
            f"nothing is measured yet, and {timed} tells most about where {family} accumulates "
            f"(P = {share:.2f}); {cost}"
        )
    if edge is not None:
        low, high = (f"{one.growth_temperature:g}" for one in edge)
        between = f"the edge of the {family} window between {low} and {high} °C"
        if goal.residence_time is None:
            between += f" at {condition.residence_time:g} s"
        if 0.05 < share < 0.95:
            return f"{between} is the least certain (P = {share:.2f}); {cost}"
        return f"{between} is so far the model's word only, and {where} confirms it (P = {share:.2f}); {cost}"
    if 0.2 <= share <= 0.8:
        return f"whether {family} accumulates at {timed} is open (P = {share:.2f}); {cost}"
    expected = "accumulated" if share > 0.5 else "absent"
    return (
        f"{family} is expected to be {expected} at {timed} (P = {share:.2f}), which this tests "
        f"for its neighbours too; {cost}"
    )
