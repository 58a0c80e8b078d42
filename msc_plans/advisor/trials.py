"""What was suggested, measured and failed."""

from collections.abc import Mapping
from dataclasses import dataclass

from msc_plans.advisor.cost import Cost, CostModel
from msc_plans.advisor.space import SearchSpace
from msc_plans.advisor.suggestion import Suggestion
from msc_plans.condition import Condition

__all__ = ["Point", "Trials"]


@dataclass(frozen=True)
class Point:
    """One measured point.

    Parameters
    ----------
    trial_id : str
        The suggestion's id, or one made up for an outside point.
    nominal : Condition
        The condition that was asked for.
    condition : Condition
        The condition that was reported; the model learns from this one.
    outcome : dict
        The flat outcome record.
    """

    trial_id: str
    nominal: Condition
    condition: Condition
    outcome: dict[str, float]


class Trials:
    """The books of a campaign."""

    def __init__(self) -> None:
        self.suggestions: dict[str, Suggestion] = {}
        self.points: list[Point] = []
        self.failed: dict[str, Condition] = {}
        self.spent = Cost(0.0, 0.0)

    @property
    def measured_count(self) -> int:
        """Number of measured points."""
        return len(self.points)

    def next_id(self) -> str:
        """Return an id not used yet."""
        return f"trial-{len(self.suggestions) + 1:04d}"

    def suggest(self, suggestion: Suggestion) -> None:
        """Note a suggestion."""
        self.suggestions[suggestion.trial_id] = suggestion

    def suggestion(self, trial_id: str) -> Suggestion:
        """Return a suggestion by its id, or raise ValueError naming it."""
        if trial_id not in self.suggestions:
            raise ValueError(f"{trial_id!r} was never suggested; suggested so far: {len(self.suggestions)}")
        return self.suggestions[trial_id]

    def condition_of(self, point: Mapping[str, object]) -> Condition:
        """Return a point's condition: its own three values, or else those of the suggestion it names."""
        known = self.suggestions.get(str(point.get("_id")))
        has_own = any(name in point for name in Condition.__dataclass_fields__)
        return known.condition if known is not None and not has_own else Condition.from_mapping(point)

    def add(self, trial_id: str | None, condition: Condition, outcome: dict[str, float], cost: CostModel) -> None:
        """Note a measured point."""
        known = self.suggestions.get(trial_id) if trial_id is not None else None
        nominal = condition if known is None else known.condition
        self.spent += cost.cost(self.last_condition(), nominal)
        self.points.append(Point(trial_id or f"outside-{len(self.points) + 1:04d}", nominal, condition, outcome))

    def fail(self, suggestion: Mapping[str, object]) -> None:
        """Note a failed suggestion."""
        if "_id" not in suggestion:
            raise ValueError(f"a failed suggestion needs its '_id'; got {sorted(suggestion)}")
        self.failed[str(suggestion["_id"])] = self.condition_of(suggestion)

    def last_condition(self) -> Condition | None:
        """Return where the reactor was last, as far as known."""
        return self.points[-1].nominal if self.points else None

    def is_measured_id(self, trial_id: str) -> bool:
        """Return whether a point with this id was taken."""
        return any(one.trial_id == trial_id for one in self.points)

    def was_measured(self, condition: Condition) -> bool:
        """Return whether the condition was measured."""
        return any(SearchSpace.same(one.nominal, condition) for one in self.points)

    def was_failed(self, condition: Condition) -> bool:
        """Return whether the condition failed."""
        return any(SearchSpace.same(one, condition) for one in self.failed.values())

    def pending(self) -> list[Condition]:
        """Return the conditions suggested, but neither measured nor failed yet."""
        ended = {one.trial_id for one in self.points} | set(self.failed)
        return [one.condition for name, one in self.suggestions.items() if name not in ended]

    def is_pending(self, condition: Condition) -> bool:
        """Return whether the condition is under way."""
        return any(SearchSpace.same(one, condition) for one in self.pending())
