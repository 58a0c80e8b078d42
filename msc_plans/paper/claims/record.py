"""What a claim is judged by: raw runs with what their analyses found, as they are stored."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from msc_plans.condition import Condition

__all__ = ["AnalysedRun", "Records"]

_SAME_K, _SAME_S = 0.5, 0.01


@dataclass(frozen=True)
class AnalysedRun:
    """One raw run that ended in success, and the latest result of each of its analyses."""

    uid: str
    purpose: str
    time_s: float
    """Time of its start, s since 1970."""
    condition: Condition | None = None
    fraction: str = ""
    """Fraction of the sample loop that was injected, if any."""
    liquid: str = ""
    """Liquid of a mesophase scan."""
    cell_c: float = math.nan
    """Temperature asked for of the SAXS cell in a mesophase scan, °C."""
    results: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """By analysis (``uvvis``, ``saxs``, ``lamellae``, ``joint``): numbers, words and arrays by key."""

    def number(self, analysis: str, key: str) -> float:
        """Return a number of a result; NaN where it isn't there."""
        value = self.results.get(analysis, {}).get(key)
        return math.nan if value is None or isinstance(value, str) else float(value)


class Records:
    """The records of one reproduction; of runs of the same condition the latest that was analysed counts.

    Parameters
    ----------
    records : iterable of AnalysedRun
        In any order.
    """

    def __init__(self, records: Iterable[AnalysedRun]) -> None:
        self.all: Sequence[AnalysedRun] = sorted(records, key=lambda one: (one.time_s, one.uid))

    def at(
        self, nucleation_c: float, growth_c: float, seconds: float, analysis: str = "uvvis", purpose: str = ""
    ) -> AnalysedRun | None:
        """Return the record of a condition, °C and s, with this analysis; None where there is none."""
        found = None
        for one in self.all:
            if one.condition is None or one.fraction or analysis not in one.results:
                continue
            if purpose and one.purpose != purpose:
                continue
            asked = one.condition
            near = abs(asked.nucleation_temperature - nucleation_c) < _SAME_K
            near &= abs(asked.growth_temperature - growth_c) < _SAME_K
            if near and abs(asked.residence_time / seconds - 1.0) < _SAME_S:
                found = one
        return found

    def both(self, celsius: float, seconds: float) -> AnalysedRun | None:
        """Return the record with both ovens equal."""
        return self.at(celsius, celsius, seconds)

    def fractions(self) -> dict[str, AnalysedRun]:
        """Return the records of the sample loop's fractions that were analysed."""
        return {one.fraction: one for one in self.all if one.fraction and "uvvis" in one.results}

    def precursors(self, liquid: str, cell_c: float) -> AnalysedRun | None:
        """Return the record of a liquid of the mesophase scan."""
        found = [
            one
            for one in self.all
            if one.liquid == liquid and abs(one.cell_c - cell_c) < _SAME_K and {"saxs", "lamellae"} & set(one.results)
        ]
        return found[-1] if found else None
