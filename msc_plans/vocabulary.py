"""Names and ranges that several rooms share, stated once."""

from typing import Final, Literal, get_args

__all__ = ["FRACTIONS", "GOAL_NAMES", "RESIDENCE_TIME_RANGE_S", "TEMPERATURE_RANGE_C", "GoalName"]

GoalName = Literal["map", "maximise", "discriminate", "learn"]
"""What a campaign is after, see `msc_plans.advisor.goals`."""
GOAL_NAMES: Final[tuple[str, ...]] = get_args(GoalName)

FRACTIONS: Final = ("Fi", "F1", "F2", "F3", "F4", "F5")
"""Contents of the sample loop: the initial sample, and five fractions selected by size."""

TEMPERATURE_RANGE_C: Final = (0.0, 500.0)
"""Oven temperatures that any such reactor could have, °C: what lies outside is a mistake, such as kelvins."""
RESIDENCE_TIME_RANGE_S: Final = (0.01, 1e5)
"""Residence times that any such reactor could have, s."""
