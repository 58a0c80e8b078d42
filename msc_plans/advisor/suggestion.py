"""What the advisor says: predictions and suggestions."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from msc_plans.advisor.cost import Cost
from msc_plans.condition import Condition
from msc_plans.kinetics.observation import Observables, heights_of

__all__ = ["Cell", "Interval", "Prediction", "Suggestion"]


@dataclass(frozen=True)
class Interval:
    """A median with the ends of the central 95 % interval."""

    median: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """Predicted outcome at each of some conditions; every array has one entry a condition.

    Parameters
    ----------
    conditions : sequence of Condition
        Where.
    height, height_low, height_high : array
        Height of the goal's family, absorbance: median and 95 % interval, here as below.
    ratio, ratio_low, ratio_high : array
        The ratio that decides 'accumulated'.
    probability : array
        P(accumulated).
    nc_wavelength_nm, nc_wavelength_nm_low, nc_wavelength_nm_high : array
        Nanocrystals' first maximum, nm.
    nc_height : array
        Its height, absorbance; where this is near 0 the wavelength says nothing.
    """

    conditions: Sequence[Condition]
    height: NDArray[np.floating]
    height_low: NDArray[np.floating]
    height_high: NDArray[np.floating]
    ratio: NDArray[np.floating]
    ratio_low: NDArray[np.floating]
    ratio_high: NDArray[np.floating]
    probability: NDArray[np.floating]
    nc_wavelength_nm: NDArray[np.floating]
    nc_wavelength_nm_low: NDArray[np.floating]
    nc_wavelength_nm_high: NDArray[np.floating]
    nc_height: NDArray[np.floating]

    @classmethod
    def of(
        cls,
        draws: NDArray[np.floating],
        conditions: Sequence[Condition],
        family: str,
        threshold: float,
        full_height: float,
        observables: Observables,
    ) -> "Prediction":
        """Summarise draws of shape (draws, conditions, quantities); ``full_height`` in absorbance."""

        def middle(name: str, values: NDArray[np.floating]) -> dict[str, NDArray[np.floating]]:
            low, median, high = np.percentile(values, [2.5, 50.0, 97.5], axis=0)
            return {name: median, f"{name}_low": low, f"{name}_high": high}

        shares = heights_of(draws)
        heights, ratio = shares * full_height, observables.ratio(shares, family)
        return cls(
            conditions=tuple(conditions),
            **middle("height", heights[..., observables.index(family)]),
            **middle("ratio", ratio),
            **middle("nc_wavelength_nm", draws[..., observables.index("NC maximum")]),
            probability=(ratio >= threshold).mean(axis=0),
            nc_height=heights[..., observables.index("NC height")].mean(axis=0),
        )

    def interval(self, name: str, number: int) -> Interval:
        """Return the interval of ``height``, ``ratio`` or ``nc_wavelength_nm`` at one condition."""
        low, high = getattr(self, f"{name}_low"), getattr(self, f"{name}_high")
        return Interval(float(getattr(self, name)[number]), float(low[number]), float(high[number]))


@dataclass(frozen=True)
class Cell:
    """One condition of the map and what is believed of it.

    Parameters
    ----------
    condition : Condition
        The condition.
    probability, absent : float
        P(accumulated) and P(absent); what is left is that it is neither.
    ratio : float
        Median of the ratio that decides it.
    measured : bool
        Whether it was measured.
    """

    condition: Condition
    probability: float
    absent: float
    ratio: float
    measured: bool

    @property
    def accumulated(self) -> bool:
        """Whether it is rather accumulated than absent."""
        return self.probability > self.absent

    @property
    def decided(self) -> bool:
        """Whether nothing more is to be gained: measured, or one of the two is excluded to 2.5 %."""
        return self.measured or min(self.probability, self.absent) < 0.025


@dataclass(frozen=True)
class Suggestion:
    """One suggested condition, why, and what is expected there.

    Parameters
    ----------
    trial_id : str
        Its id.
    condition : Condition
        The condition.
    goal : str
        What the campaign is after.
    reason : str
        One sentence for a chemist.
    height, ratio, nc_wavelength_nm : Interval
        Predicted height (absorbance) and ratio of the goal's family, and NC first maximum (nm).
    probability : float
        P(accumulated) before the measurement.
    runner_up : Condition or None
        The next best condition.
    cost : Cost
        Seconds and µL of mixture.
    """

    trial_id: str
    condition: Condition
    goal: str
    reason: str
    height: Interval
    ratio: Interval
    nc_wavelength_nm: Interval
    probability: float
    runner_up: Condition | None
    cost: Cost

    def as_document(self) -> dict[str, float | str]:
        """Return the suggestion flat, as the data of an event: numbers and strings only."""
        flat: dict[str, float | str] = {
            "goal": self.goal,
            "reason": self.reason,
            "probability": self.probability,
            "runner_up": "" if self.runner_up is None else str(self.runner_up),
            "cost_seconds": self.cost.seconds,
            "cost_ul": self.cost.microlitres,
        }
        for name in ("height", "ratio", "nc_wavelength_nm"):
            interval: Interval = getattr(self, name)
            flat |= {f"{name}": interval.median, f"{name}_low": interval.low, f"{name}_high": interval.high}
        return flat
