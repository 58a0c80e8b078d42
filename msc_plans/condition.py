"""The condition of one measurement: two oven temperatures and a residence time."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from numbers import Real

from msc_plans.vocabulary import RESIDENCE_TIME_RANGE_S, TEMPERATURE_RANGE_C

__all__ = ["Condition"]


@dataclass(frozen=True, order=True)
class Condition:
    """One point of the experiment; either oven may be the hotter.

    Parameters
    ----------
    nucleation_temperature : float
        Temperature of the nucleation chamber's oven, °C.
    growth_temperature : float
        Temperature of the growth oven, °C.
    residence_time : float
        Seconds the stream spends in chamber and coil together: their volume at 25 °C over the total flow.

    Raises
    ------
    ValueError
        A value is not a finite number, or the residence time is not positive.
    """

    nucleation_temperature: float
    growth_temperature: float
    residence_time: float

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if isinstance(value, bool) or not isinstance(value, Real) or not is_finite(value):
                raise ValueError(f"{name} must be a finite number, not {value!r}")
            object.__setattr__(self, name, float(value))
        if self.residence_time <= 0:
            raise ValueError(f"residence_time must be above 0 s, not {self.residence_time:g} s")

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, object]) -> "Condition":
        """Take the three values out of a mapping that may hold more keys.

        Raises
        ------
        ValueError
            A key is missing, or a value is refused.
        """
        missing = [name for name in cls.__dataclass_fields__ if name not in mapping]
        if missing:
            raise ValueError(f"a condition needs {', '.join(missing)}; got {sorted(mapping)}")
        return cls(**{name: mapping[name] for name in cls.__dataclass_fields__})  # type: ignore[arg-type]

    def check_plausible(self) -> None:
        """Refuse what no such reactor does, such as kelvins or minutes in the wrong place.

        Raises
        ------
        ValueError
            A value is out of range; the message names it.
        """
        for name, value in asdict(self).items():
            low, high = RESIDENCE_TIME_RANGE_S if name == "residence_time" else TEMPERATURE_RANGE_C
            unit = "s" if name == "residence_time" else "°C"
            if not low <= value <= high:
                raise ValueError(f"{name} {value:g} is outside {low:g} to {high:g} {unit}")

    def as_dict(self) -> dict[str, float]:
        """Return the three values by name, as documents and devices take them."""
        return asdict(self)

    def __str__(self) -> str:
        return f"{self.nucleation_temperature:g} °C → {self.growth_temperature:g} °C, {self.residence_time:g} s"


def is_finite(value: Real) -> bool:
    """Return whether a number is one that a float can be; a whole number may be too large."""
    try:
        return math.isfinite(value)
    except OverflowError:
        return False
