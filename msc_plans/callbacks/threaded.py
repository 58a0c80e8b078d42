"""A callback on a thread of its own, so that the RunEngine never waits for it."""

import copy
import logging
import queue
import threading
from typing import Any

from msc_plans.protocols import Documents

__all__ = ["Threaded"]

log = logging.getLogger(__name__)


class Threaded:
    """Hand documents to a callback on another thread, in order.

    Parameters
    ----------
    callback : callable
        Takes ``(name, document)``. What it raises is logged and does not stop those after it.
    name : str
        Of the thread.
    """

    def __init__(self, callback: Documents, *, name: str) -> None:
        self._callback = callback
        self._queue: queue.SimpleQueue[tuple[str, dict[str, Any]] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    def __call__(self, name: str, document: dict[str, Any]) -> None:
        """Take a document; returns at once."""
        self._queue.put((name, copy.copy(document)))

    def close(self, timeout_s: float = 30.0) -> None:
        """Let the callback finish what it has been given, then end the thread; idempotent.

        Raises
        ------
        TimeoutError
            It has not finished within ``timeout_s``.
        """
        self._queue.put(None)
        self._thread.join(timeout_s)
        if self._thread.is_alive():
            raise TimeoutError(f"{self._thread.name} has not finished its documents within {timeout_s:g} s")

    def _work(self) -> None:
        while (item := self._queue.get()) is not None:
            try:
                self._callback(*item)
            except Exception:
                log.exception("%s failed on a %s document", self._thread.name, item[0])
