"""Suggestions that wait for a person: a small file each, renamed when somebody decides."""

import json
import select
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

__all__ = ["HeldSuggestions", "NotHeldError"]


class NotHeldError(ValueError):
    """There is no such suggestion."""


class HeldSuggestions:
    """The suggestions that are held in a store.

    Parameters
    ----------
    store : Path
        Its folder.
    """

    def __init__(self, store: Path) -> None:
        self._folder = store / "agent"

    def names(self) -> list[str]:
        """Return the trials that wait for a decision."""
        return sorted(one.name.removesuffix(".held.json") for one in self._folder.glob("*.held.json"))

    def hold(self, trial_id: str, told: Mapping[str, Any]) -> None:
        """Hold a suggestion, unless something is decided about it already."""
        if self.decision(trial_id):
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        whole = self._folder / f".{trial_id}.tmp"
        whole.write_text(json.dumps(dict(told), indent=1) + "\n")
        whole.rename(self._path(trial_id, "held"))

    def decide(self, trial_id: str, word: str) -> str:
        """Write down a decision, ``released`` or ``rejected``; returns what was held.

        Raises
        ------
        NotHeldError
            Nothing of that name waits for one.
        """
        try:
            return self._path(trial_id, "held").rename(self._path(trial_id, word)).read_text()
        except FileNotFoundError as error:
            waiting = ", ".join(self.names()) or "none"
            raise NotHeldError(f"no suggestion {trial_id!r} is held in {self._folder}; held are: {waiting}") from error

    def decision(self, trial_id: str) -> str:
        """Return what was decided: ``released``, ``rejected``, or empty."""
        return next((word for word in ("released", "rejected") if self._path(trial_id, word).exists()), "")

    def forget(self, trial_id: str) -> None:
        """Remove all that is known of a suggestion."""
        for word in ("held", "released", "rejected"):
            self._path(trial_id, word).unlink(missing_ok=True)

    def _path(self, trial_id: str, word: str) -> Path:
        return self._folder / f"{trial_id}.{word}.json"


def asked_at_terminal(timeout_s: float) -> str:
    """Return what a person types within a time: ``released`` for Enter, ``rejected`` for n, else empty."""
    if not sys.stdin.isatty():
        select.select([], [], [], timeout_s)
        return ""
    if not select.select([sys.stdin], [], [], timeout_s)[0]:
        return ""
    return {"": "released", "y": "released", "n": "rejected"}.get(sys.stdin.readline().strip(), "")
