"""What a condition costs in time and mixture, and what may be spent."""

import math
from dataclasses import dataclass
from typing import Final

from msc_plans.condition import Condition

__all__ = ["REACTOR_VOLUME_UL", "Budget", "Cost", "CostModel"]

REACTOR_VOLUME_UL: Final = 1029.0
"""Chamber and coil where nothing else is said: 5 m of 0.5 mm tube and a chamber of 4.57 % of the whole, µL."""


@dataclass(frozen=True)
class Cost:
    """Seconds and microlitres of mixture."""

    seconds: float
    microlitres: float

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(self.seconds + other.seconds, self.microlitres + other.microlitres)

    def __str__(self) -> str:
        minutes = self.seconds / 60
        time = f"{minutes:.0f} min" if minutes >= 1.5 else f"{self.seconds:.0f} s"
        return f"about {time} and {self.microlitres / 1000:.1f} mL"


@dataclass(frozen=True)
class CostModel:
    """Seconds = slower oven's travel + dwell + flushing + acquisition; the mixture flows in the last two.

    Parameters
    ----------
    reactor_volume_ul : float
        Chamber and coil, µL.
    flush_volumes : float
        Reactor volumes to pass before the measurement.
    acquisition_seconds : float
        Exposures, s.
    heating_k_min, cooling_k_min : float
        Oven rates, K/min.
    dwell_seconds : float
        Time in band before an oven counts as settled, s.
    start_temperature : float
        Temperature of the ovens before the first condition, °C.
    """

    reactor_volume_ul: float = REACTOR_VOLUME_UL
    flush_volumes: float = 3.0
    acquisition_seconds: float = 5.0
    heating_k_min: float = 40.0
    cooling_k_min: float = 30.0
    dwell_seconds: float = 60.0
    start_temperature: float = 25.0

    def __post_init__(self) -> None:
        for name in ("reactor_volume_ul", "heating_k_min", "cooling_k_min"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be above 0, not {getattr(self, name)!r}")

    def cost(self, now: Condition | None, then: Condition) -> Cost:
        """Return what going from ``now`` (``None``: the start) to ``then`` and measuring there costs."""

        def travel(start: float, end: float) -> float:
            rate = self.heating_k_min if end > start else self.cooling_k_min
            return 60 * abs(end - start) / rate

        start = self.start_temperature
        ovens = max(
            travel(now.nucleation_temperature if now else start, then.nucleation_temperature),
            travel(now.growth_temperature if now else start, then.growth_temperature),
        )
        flowing = self.flush_volumes * then.residence_time + self.acquisition_seconds
        flow_ul_s = self.reactor_volume_ul / then.residence_time
        return Cost(ovens + self.dwell_seconds + flowing, flow_ul_s * flowing)


@dataclass(frozen=True)
class Budget:
    """What a campaign may use; ``None`` is without limit.

    Parameters
    ----------
    conditions : int, optional
        Number of measured conditions.
    seconds, microlitres : float, optional
        By the cost model; the second is what the syringes hold.
    """

    conditions: int | None = None
    seconds: float | None = None
    microlitres: float | None = None

    def affords(self, spent: Cost) -> bool:
        """Return whether so much may be spent."""
        seconds, microlitres = (math.inf if one is None else one for one in (self.seconds, self.microlitres))
        return spent.seconds <= seconds and spent.microlitres <= microlitres

    def exceeded(self, conditions: int, spent: Cost) -> str | None:
        """Return what is used up, or ``None``."""
        for name, used, most in (
            ("conditions", conditions, self.conditions),
            ("seconds", spent.seconds, self.seconds),
            ("µL", spent.microlitres, self.microlitres),
        ):
            if most is not None and used >= most:
                return f"the budget of {most:g} {name} is used up"
        return None
