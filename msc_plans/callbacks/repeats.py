"""Events that RunEngine sends again are passed on once."""

from collections.abc import Mapping
from typing import Any

from msc_plans.protocols import Documents

__all__ = ["WithoutRepeats"]


class WithoutRepeats:
    """Hand documents to a callback, but none of the events that come a second time.

    After a pause or suspension RunEngine does again what came after the last checkpoint, and sends events that it
    has sent before with the same number, as if in their place; a store would hold both. The first one counts.

    Parameters
    ----------
    callback : callable
        Takes ``(name, document)``.
    """

    def __init__(self, callback: Documents) -> None:
        self._callback = callback
        self._streams: dict[str, list[str]] = {}
        self._last: dict[str, int] = {}
        """Number of the last event passed on, by descriptor."""

    def __call__(self, name: str, document: dict[str, Any]) -> None:
        """Take a document."""
        if name == "event" and self._is_repeat(document):
            return
        if name == "descriptor":
            self._streams.setdefault(document["run_start"], []).append(document["uid"])
        elif name == "stop":
            for stream in self._streams.pop(document["run_start"], ()):
                self._last.pop(stream, None)
        self._callback(name, document)

    def _is_repeat(self, event: Mapping[str, Any]) -> bool:
        stream, number = event["descriptor"], event["seq_num"]
        if number <= self._last.get(stream, 0):
            return True
        self._last[stream] = number
        return False
