"""What a campaign is after."""

from dataclasses import dataclass, fields, replace
from typing import ClassVar, Literal

from msc_plans.analysis.accumulation import ACCUMULATED_RATIO
from msc_plans.condition import Condition
from msc_plans.families import FamilyTable, built_in_families

__all__ = [
    "GOALS",
    "DiscriminateGoal",
    "Goal",
    "LearnGoal",
    "MapGoal",
    "MaximiseGoal",
    "family_of",
    "goal_of",
    "make_goal",
    "with_family",
]


@dataclass(frozen=True)
class MapGoal:
    """Find out at which conditions a family accumulates.

    Parameters
    ----------
    family : str
        The family; empty: the one that campaigns are about by the family table.
    residence_time : float, optional
        The map is over the candidates at this residence time, s; over all of them without one.
    threshold : float
        Accumulated means: height of at least this share of (NC first maximum + height of the family that the table
        names as denominator + 2 % of the height at full conversion).
    confirm_edges : bool
        Whether the cells at both sides of each edge must be measured before the map counts as decided, so
        that a wrong model cannot misplace an edge unseen.
    """

    name: ClassVar[str] = "map"
    family: str = ""
    residence_time: float | None = 14.0
    threshold: float = ACCUMULATED_RATIO
    confirm_edges: bool = True

    def __post_init__(self) -> None:
        if not self.threshold > 0:
            raise ValueError(f"threshold must be above 0, not {self.threshold!r}")
        if self.residence_time is not None and not self.residence_time > 0:
            raise ValueError(f"residence_time must be above 0 s, or None for all, not {self.residence_time!r}")

    def targets(self, candidates: list[Condition]) -> list[Condition]:
        """Return the cells of the map.

        Raises
        ------
        ValueError
            No candidate has the goal's residence time.
        """
        if self.residence_time is None:
            return candidates
        cells = [one for one in candidates if abs(one.residence_time / self.residence_time - 1) < 0.02]
        if not cells:
            times = ", ".join(f"{one:g}" for one in sorted({c.residence_time for c in candidates}))
            raise ValueError(f"no candidate has a residence time of {self.residence_time:g} s; they have {times} s")
        return cells

    def __str__(self) -> str:
        where = "" if self.residence_time is None else f" at {self.residence_time:g} s"
        return f"map where {self.family} accumulates{where}"


@dataclass(frozen=True)
class MaximiseGoal:
    """Find the condition with the most of a family, or with the purest.

    Parameters
    ----------
    family : str
        The family; empty: the one that campaigns are about by the family table.
    by : str
        ``"amount"``: the height of its band; ``"purity"``: the ratio that decides 'accumulated'.
    """

    name: ClassVar[str] = "maximise"
    family: str = ""
    by: Literal["amount", "purity"] = "amount"

    def __post_init__(self) -> None:
        if self.by not in ("amount", "purity"):
            raise ValueError(f"by must be 'amount' or 'purity', not {self.by!r}")

    def targets(self, candidates: list[Condition]) -> list[Condition]:
        """Return all candidates: each may be the best."""
        return candidates

    def __str__(self) -> str:
        return f"find the {'most' if self.by == 'amount' else 'purest'} {self.family}"


@dataclass(frozen=True)
class DiscriminateGoal:
    """Find out which mechanism it is.

    Parameters
    ----------
    certainty : float
        Probability of one mechanism at which the question is settled.
    """

    name: ClassVar[str] = "discriminate"
    certainty: float = 0.95

    def __post_init__(self) -> None:
        if not 0.5 < self.certainty < 1:
            raise ValueError(f"certainty must be between 0.5 and 1, not {self.certainty!r}")

    def targets(self, candidates: list[Condition]) -> list[Condition]:
        """Return all candidates."""
        return candidates

    def __str__(self) -> str:
        return "find out which mechanism it is"


@dataclass(frozen=True)
class LearnGoal:
    """Learn the rate constants."""

    name: ClassVar[str] = "learn"

    def targets(self, candidates: list[Condition]) -> list[Condition]:
        """Return all candidates."""
        return candidates

    def __str__(self) -> str:
        return "learn the rate constants"


Goal = MapGoal | MaximiseGoal | DiscriminateGoal | LearnGoal
GOALS: dict[str, type[Goal]] = {one.name: one for one in (MapGoal, MaximiseGoal, DiscriminateGoal, LearnGoal)}


def make_goal(name: str, *, families: FamilyTable | None = None, **settings: object) -> Goal:
    """Return a goal by its name, with its settings; a family must be one of `families` (default: the built-in ones).

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
        raise ValueError(f"goal {name!r} has no setting {', '.join(unknown)}; it has {', '.join(known) or 'none'}")
    goal = GOALS[name](**settings)  # type: ignore[arg-type]
    family_of(goal, built_in_families() if families is None else families)
    return goal


def family_of(goal: Goal, families: FamilyTable) -> str:
    """Return the family that a goal is about, or that its predictions are given for: by default the table's.

    Raises
    ------
    ValueError
        The table has no such family; the message lists those it has.
    """
    family = getattr(goal, "family", "") or families.campaign_family
    families.index(family)
    return family


def with_family(goal: Goal, families: FamilyTable) -> Goal:
    """Return a goal with its family filled in where it is about one.

    Raises
    ------
    ValueError
        As :func:`family_of`.
    """
    family = family_of(goal, families)
    return replace(goal, family=family) if isinstance(goal, (MapGoal, MaximiseGoal)) else goal


def goal_of(name: str, family: str = "", families: FamilyTable | None = None) -> Goal:
    """Return a goal by its name, of this family of the table where it is about a family.

    Parameters
    ----------
    name : str
        One of `GOALS`.
    family : str
        Empty: the one that campaigns are about by the table.
    families : FamilyTable, optional
        Default: the built-in table.

    Raises
    ------
    ValueError
        The goal or the family is unknown; the message lists the valid ones.
    """
    families = built_in_families() if families is None else families
    families.index(family or families.campaign_family)
    about = name in GOALS and any(one.name == "family" for one in fields(GOALS[name]))
    goal = make_goal(name, families=families, family=family) if about else make_goal(name, families=families)
    return with_family(goal, families)
