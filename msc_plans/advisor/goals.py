"""What a campaign is after."""

from dataclasses import dataclass, fields
from typing import ClassVar

from msc_plans.analysis.accumulation import ACCUMULATED_RATIO
from msc_plans.condition import Condition
from msc_plans.kinetics.palencia import FAMILIES

__all__ = ["GOALS", "Goal", "MapGoal", "MaximiseGoal", "make_goal"]


def _check_family(family: str) -> None:
    if family not in FAMILIES:
        raise ValueError(f"unknown family {family!r}; families are {', '.join(FAMILIES)}")


@dataclass(frozen=True)
class MapGoal:
    """Find out at which conditions a family accumulates.

    Parameters
    ----------
    family : str
        The family.
    residence_time : float
        The map is over the candidates at this residence time, s.
    threshold : float
        Accumulated means: height of at least this share of (NC first maximum + 465 nm band + 2 % of the
        height at full conversion).
    confirm_edges : bool
        Whether the cells at both sides of each edge must be measured before the map counts as decided, so
        that a wrong model cannot misplace an edge unseen.
    """

    name: ClassVar[str] = "map"
    family: str = "CdSe-437"
    residence_time: float = 14.0
    threshold: float = ACCUMULATED_RATIO
    confirm_edges: bool = True

    def __post_init__(self) -> None:
        _check_family(self.family)
        if not self.threshold > 0:
            raise ValueError(f"threshold must be above 0, not {self.threshold!r}")

    def targets(self, candidates: list[Condition]) -> list[Condition]:
        """Return the cells of the map.

        Raises
        ------
        ValueError
            No candidate has the goal's residence time.
        """
        cells = [one for one in candidates if abs(one.residence_time / self.residence_time - 1) < 0.02]
        if not cells:
            times = ", ".join(f"{one:g}" for one in sorted({c.residence_time for c in candidates}))
            raise ValueError(f"no candidate has a residence time of {self.residence_time:g} s; they have {times} s")
        return cells

    def __str__(self) -> str:
        return f"map where {self.family} accumulates at {self.residence_time:g} s"


@dataclass(frozen=True)
class MaximiseGoal:
    """Find the condition with the most of a family (largest band height).

    Parameters
    ----------
    family : str
        The family.
    threshold : float
        Ratio from which the family counts as accumulated in predictions.
    """

    name: ClassVar[str] = "maximise"
    family: str = "CdSe-437"
    threshold: float = ACCUMULATED_RATIO

    def __post_init__(self) -> None:
        _check_family(self.family)

    def targets(self, candidates: list[Condition]) -> list[Condition]:
        """Return all candidates: each may be the best."""
        return candidates

    def __str__(self) -> str:
        return f"find the most {self.family}"


Goal = MapGoal | MaximiseGoal
GOALS: dict[str, type[Goal]] = {one.name: one for one in (MapGoal, MaximiseGoal)}


def make_goal(name: str, **settings: object) -> Goal:
    """Return a goal by its name, with its settings.

    Raises
    ------
    ValueError
        The goal, the family or a setting is unknown; the message lists the valid ones.
    """
    if name not in GOALS:
        raise ValueError(f"unknown goal {name!r}; goals are {', '.join(GOALS)}")
    known = [one.name for one in fields(GOALS[name])]
    unknown = sorted(set(settings) - set(known))
    if unknown:
        raise ValueError(f"goal {name!r} has no setting {', '.join(unknown)}; it has {', '.join(known)}")
    return GOALS[name](**settings)  # type: ignore[arg-type]
