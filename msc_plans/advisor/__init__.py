"""Which condition next, and why."""

from msc_plans.advisor.advisor import Advisor
from msc_plans.advisor.cost import Budget, Cost, CostModel
from msc_plans.advisor.goals import DiscriminateGoal, Goal, LearnGoal, MapGoal, MaximiseGoal, make_goal
from msc_plans.advisor.space import SearchSpace
from msc_plans.advisor.suggestion import Cell, Interval, Prediction, Suggestion

__all__ = [
    "Advisor",
    "Budget",
    "Cell",
    "Cost",
    "CostModel",
    "DiscriminateGoal",
    "Goal",
    "Interval",
    "LearnGoal",
    "MapGoal",
    "MaximiseGoal",
    "Prediction",
    "SearchSpace",
    "Suggestion",
    "make_goal",
]
