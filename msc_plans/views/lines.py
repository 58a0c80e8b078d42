"""A line for each condition: what was found, what comes next and why."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from msc_plans.analysis.uvvis import DETECTED
from msc_plans.condition import Condition

__all__ = ["CampaignLines", "describe_outcome"]


def describe_outcome(outcome: Mapping[str, Any], family: str) -> str:
    """Say in one line which families were found, how much of one has accumulated, and where the NCs are."""
    found = [
        key.removesuffix("_probability")
        for key, value in outcome.items()
        if key.endswith("_probability") and value >= DETECTED
    ]
    families = _in_short(found) if found else "no family"
    ratio, sigma = outcome[f"{family}_ratio"], outcome[f"{family}_ratio_sigma"]
    nc = outcome["nc_wavelength_nm"]
    at = f"NC {nc:.0f} nm" if nc == nc else "no NC"
    return f"{families:<21} {at:<10} {family} {ratio:.3f} ± {sigma:.3f}"


def _in_short(families: Sequence[str]) -> str:
    """Return names in a row, the material said once: ``X-400 -420 Y-500``."""
    said, material = [], ""
    for name in families:
        said.append(name.removeprefix(material) if material else name)
        material = name.rpartition("-")[0]
    return " ".join(said)


class CampaignLines:
    """A callback on suggestion and analysis runs that writes a line each.

    Parameters
    ----------
    family : str
        Whose amount is shown.
    write : callable
        Takes a line.
    """

    def __init__(self, family: str, write: Callable[[str], Any] = print) -> None:
        self._write = write
        self._family = family
        self._starts: dict[str, Mapping[str, Any]] = {}
        self._streams: dict[str, str] = {}
        self._number = 0

    def __call__(self, name: str, document: Mapping[str, Any]) -> None:
        """Take a document."""
        if name == "start":
            if document.get("purpose") == "suggestion" or document.get("analysis") == "uvvis":
                self._starts[document["uid"]] = document
        elif name == "descriptor" and document["run_start"] in self._starts:
            self._streams[document["uid"]] = document["run_start"]
        elif name == "event" and document["descriptor"] in self._streams:
            self._show(self._starts[self._streams.pop(document["descriptor"])], document["data"])
        elif name == "stop":
            start = self._starts.pop(document["run_start"], None)
            if start is not None and document["exit_status"] != "success":
                self._write(f"   failed: {document['reason']}")

    def _show(self, start: Mapping[str, Any], data: Mapping[str, Any]) -> None:
        condition = Condition.from_mapping(start["condition"])
        if start["purpose"] == "analysis":
            self._number += 1
            self._write(f"{self._number:2d}  {condition!s:<22} {describe_outcome(data, self._family)}")
        else:
            self._write(f"    next {condition}: {data['reason']}")
