"""Let every run name the background and the calibrations that were last measured before it."""

from collections.abc import Mapping, MutableMapping
from typing import Any

__all__ = ["LatestCalibrations"]

_KEPT = {"background": "background_uid", "calibration": "calibration_uids"}


class LatestCalibrations:
    """A callback that writes the uids of background and calibration runs into a RunEngine's metadata.

    Start documents carry that metadata, unless a plan gives its own: ``background_uid``, and ``calibration_uids``
    by the name of the standard.

    Parameters
    ----------
    md : mutable mapping
        ``RE.md``.
    """

    def __init__(self, md: MutableMapping[str, Any]) -> None:
        self._md = md
        self._running: dict[str, Mapping[str, Any]] = {}

    def __call__(self, name: str, document: Mapping[str, Any]) -> None:
        """Take a document of a raw run."""
        if name == "start" and document.get("purpose") in _KEPT:
            self._running[document["uid"]] = document
        elif name == "stop" and document["run_start"] in self._running:
            start = self._running.pop(document["run_start"])
            if document["exit_status"] != "success" or not document.get("num_events", {}).get("primary"):
                return
            key = _KEPT[start["purpose"]]
            if start["purpose"] == "background":
                self._md[key] = start["uid"]
            else:
                self._md[key] = {**self._md.get(key, {}), start.get("standard", "unknown"): start["uid"]}
