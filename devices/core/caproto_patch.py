"""Patch caproto's client (1.3.0) so that an IOC that dies between its answer and the connection is found again.

Without it the thread that connects ends with ``ConnectionRefusedError``, and from then on the process finds no record
any more, though the IOC is back.
"""

import functools
import logging
from importlib.metadata import version
from typing import Any

from packaging.specifiers import SpecifierSet

__all__ = ["FAULT", "TEST", "VERSIONS", "CaprotoVersionError", "keep_connecting"]

log = logging.getLogger(__name__)

VERSIONS = ">=1.3,<2"
TEST = "tests/integration/test_caproto_client.py"
FAULT = (
    "In caproto.threading.client.Context the thread _process_search_results_loop ends with ConnectionRefusedError "
    "where an IOC answers a search and refuses the TCP connection, as one does that dies in between. From then on "
    "the context finds no record any more, also when the IOC is back. Catch OSError in the loop and search again for "
    "the records without a circuit."
)
_AGAIN_AFTER_S = 0.5


class CaprotoVersionError(RuntimeError):
    """The installed caproto isn't one that the patch was written for."""


def _check() -> None:
    # msc_plans.patches does the same for the library, which devices must not import
    from caproto.threading.client import Context

    found = version("caproto")
    fits = SpecifierSet(VERSIONS).contains(found, prereleases=True)
    if not fits or not hasattr(Context, "_process_search_results_loop"):
        raise CaprotoVersionError(
            f"caproto {found} is installed, and its client can't be kept from losing an IOC that restarts; install "
            f"caproto{VERSIONS}, or take pyepics (OPHYD_CONTROL_LAYER=pyepics)"
        )


@functools.cache
def keep_connecting() -> None:
    """Let each client of this process that is made from now on search again after a refused connection; idempotent."""
    from caproto import CaprotoError
    from caproto.threading.client import Context

    _check()
    original = Context._process_search_results_loop

    def connecting(context: Any) -> None:
        while not context._close_event.is_set():
            try:
                original(context)
            except (OSError, CaprotoError) as error:
                log.info("an IOC that had answered refused the connection (%s); searching again", error)
                context._close_event.wait(_AGAIN_AFTER_S)
                context.reconnect(_unconnected(context))

    setattr(Context, original.__name__, connecting)


def _unconnected(context: Any) -> list[tuple[str, int]]:
    """Names and priorities of records without a circuit; that some are searched for already does no harm."""
    with context.pv_cache_lock:
        records = list(context.pvs.items())
    return [key for key, pv in records if pv.circuit_manager is None or pv.circuit_manager.dead.is_set()]
