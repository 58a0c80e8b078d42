"""What a person at a terminal is spared: tracebacks of what they have asked for, and a catalogue that lags behind."""

import logging
from collections.abc import Callable
from typing import Any

from bluesky.utils import RunEngineInterrupted

__all__ = ["catch_up_after_cells", "spare_tracebacks"]

_LOGGERS = ("bluesky", "bluesky.RE")
_OF_NO_USE = "No open traces left to close!"
_LONGEST_WAIT_S = 10.0


def spare_tracebacks() -> None:
    """Log the end of a plan in one line, and in IPython say in words, not by a traceback, that a plan is paused."""
    for name in _LOGGERS:
        logging.getLogger(name).addFilter(_without_traceback)
    shell = _ipython()
    if shell is not None:
        shell.set_custom_exc((RunEngineInterrupted,), _say)


def catch_up_after_cells(flush: Callable[[float], bool]) -> None:
    """In IPython, let the catalogue have what a cell has measured before the next one is asked for.

    Parameters
    ----------
    flush : callable
        Takes the longest time to wait, s.
    """
    shell = _ipython()
    if shell is not None:
        shell.events.register("post_run_cell", lambda result: flush(_LONGEST_WAIT_S))


def _ipython() -> Any:
    try:
        from IPython import get_ipython  # type: ignore[import-not-found]
    except ImportError:
        return None
    return get_ipython()


def _without_traceback(record: logging.LogRecord) -> bool:
    # what went wrong is raised, too, and shown by whoever called the RunEngine
    record.exc_info = None
    return record.getMessage() != _OF_NO_USE


def _say(shell: Any, kind: type[BaseException], error: BaseException, trace: Any, tb_offset: int | None = None) -> None:
    print(error)
