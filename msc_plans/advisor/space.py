"""Which conditions may be suggested."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from itertools import product

from msc_plans.advisor.cost import REACTOR_VOLUME_UL
from msc_plans.condition import Condition

__all__ = ["SearchSpace"]

AXES = tuple(one.name for one in fields(Condition))
SAME_KELVIN = 0.5
SAME_TIME = 0.02

Region = Mapping[str, tuple[float, float]]


@dataclass(frozen=True)
class SearchSpace:
    """A grid of conditions, less what limits and forbidden regions take away.

    Parameters
    ----------
    nucleation_temperatures : sequence of float
        °C.
    residence_times : sequence of float
        Seconds.
    growth_offsets : sequence of float, optional
        Growth temperatures relative to the nucleation temperature, K. Default: both ovens equal.
    growth_temperatures : sequence of float, optional
        Growth temperatures, °C; instead of ``growth_offsets``.
    limits : mapping
        Lowest and highest value allowed, by the name of a condition's value.
    flow_limits : (float, float), optional
        Least and greatest flow of mixture, µL/min: what the pumps can do.
    reactor_volume_ul : float
        Chamber and coil, µL; the flow is this over the residence time.
    forbidden : sequence of mappings
        Regions never to enter: boxes ``{name: (low, high)}``, edges included, over some or all of the values.

    Raises
    ------
    ValueError
        Both ways of giving the growth temperature are used, a name or a pair is wrong, or nothing is left.
    """

    nucleation_temperatures: Sequence[float]
    residence_times: Sequence[float]
    growth_offsets: Sequence[float] | None = None
    growth_temperatures: Sequence[float] | None = None
    limits: Region = field(default_factory=dict)
    forbidden: Sequence[Region] = ()
    flow_limits: tuple[float, float] | None = None
    reactor_volume_ul: float = REACTOR_VOLUME_UL

    def __post_init__(self) -> None:
        if self.growth_offsets is not None and self.growth_temperatures is not None:
            raise ValueError("give growth_offsets or growth_temperatures, not both")
        for region in (self.limits, *self.forbidden):
            for name, pair in region.items():
                if name not in AXES:
                    raise ValueError(f"a region names {name!r}; a condition has {', '.join(AXES)}")
                if len(pair) != 2 or not pair[0] <= pair[1]:
                    raise ValueError(f"the region for {name} must be (low, high), not {pair!r}")
        if any(not region for region in self.forbidden):
            raise ValueError("a forbidden region without values would forbid everything")
        if self.flow_limits is not None and not 0 <= self.flow_limits[0] <= self.flow_limits[1]:
            raise ValueError(f"flow_limits must be (low, high) of at least 0, not {self.flow_limits!r}")
        if not self.reactor_volume_ul > 0:
            raise ValueError(f"reactor_volume_ul must be above 0, not {self.reactor_volume_ul!r}")
        if not self.candidates():
            raise ValueError("no condition is left in the search space")

    @classmethod
    def equal_ovens(cls) -> "SearchSpace":
        """Return 240…350 °C in steps of 10 °C with both ovens equal, at 14 s."""
        return cls([float(one) for one in range(240, 351, 10)], [14.0])

    def allows(self, condition: Condition) -> bool:
        """Return whether limits, flow and forbidden regions permit the condition, on the grid or not."""
        flow = 60 * self.reactor_volume_ul / condition.residence_time
        if self.flow_limits is not None and not self.flow_limits[0] <= flow <= self.flow_limits[1]:
            return False
        values = condition.as_dict()
        if any(not low <= values[name] <= high for name, (low, high) in self.limits.items()):
            return False
        return not any(
            all(low <= values[name] <= high for name, (low, high) in region.items()) for region in self.forbidden
        )

    def candidates(self) -> list[Condition]:
        """Return the permitted conditions in ascending order."""
        found = set()
        for nucleation, time in product(self.nucleation_temperatures, self.residence_times):
            growths = self.growth_temperatures
            if growths is None:
                offsets = (0.0,) if self.growth_offsets is None else self.growth_offsets
                growths = [nucleation + offset for offset in offsets]
            found |= {Condition(nucleation, growth, time) for growth in growths}
        return sorted(one for one in found if self.allows(one))

    def as_dict(self) -> dict[str, object]:
        """Return the arguments, as a checkpoint keeps them."""
        return asdict(self)

    @staticmethod
    def same(one: Condition, other: Condition) -> bool:
        """Return whether two conditions are one for the planner: within 0.5 K each and 2 % in time."""
        return (
            abs(one.nucleation_temperature - other.nucleation_temperature) <= SAME_KELVIN
            and abs(one.growth_temperature - other.growth_temperature) <= SAME_KELVIN
            and abs(one.residence_time / other.residence_time - 1) <= SAME_TIME
        )
