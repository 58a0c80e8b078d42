"""A mend of caproto's client (1.3.0): an IOC that dies between answer and connection is found again.

Without it the thread that connects ends with ``ConnectionRefusedError``, and from then on the process finds no record
any more, though the IOC is back.
"""

import functools
import logging
from typing import Any

__all__ = ["keep_connecting"]

log = logging.getLogger(__name__)

_AGAIN_AFTER_S = 0.5


@functools.cache
def keep_connecting() -> None:
    """Let each client of this process that is made from now on search again after a refused connection; idempotent."""
    from caproto import CaprotoError
    from caproto.threading.client import Context

    original = Context._process_search_results_loop

    def connecting(context: Any) -> None:
        while not context._close_event.is_set():
            try:
                original(context)
            except (OSError, CaprotoError) as error:
                log.info("an IOC that had answered took no connection (%s); searched for again", error)
                context._close_event.wait(_AGAIN_AFTER_S)
                context.reconnect(_unconnected(context))

    setattr(Context, original.__name__, connecting)


def _unconnected(context: Any) -> list[tuple[str, int]]:
    """Names and priorities of records without a circuit; that some are searched for already does no harm."""
    with context.pv_cache_lock:
        records = list(context.pvs.items())
    return [key for key, pv in records if pv.circuit_manager is None or pv.circuit_manager.dead.is_set()]
