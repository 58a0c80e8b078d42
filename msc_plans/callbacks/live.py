"""All live analyses of a raw run, one after the other: UV-vis, SAXS, and both signals together."""

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

__all__ = ["LiveAnalysis"]

log = logging.getLogger(__name__)


class LiveAnalysis:
    """A callback that hands each document to callbacks in order; what one raises does not keep it from the others.

    Put it behind one :class:`~msc_plans.callbacks.threaded.Threaded`: the joint analysis then finds the results of
    those before it.

    Parameters
    ----------
    callbacks : sequence of callables
        Take ``(name, document)``.
    """

    def __init__(self, callbacks: Sequence[Callable[[str, dict[str, Any]], Any]]) -> None:
        self._callbacks = callbacks

    def __call__(self, name: str, document: Mapping[str, Any]) -> None:
        """Take a document of a raw run."""
        for callback in self._callbacks:
            try:
                callback(name, dict(document))
            except Exception:
                log.exception("%s failed on a %s document", type(callback).__name__, name)
