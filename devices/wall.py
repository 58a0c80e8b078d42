"""The default clock of all moves."""

import time

__all__ = ["wall_clock"]


def wall_clock() -> float:
    """Seconds of wall time that never step."""
    return time.monotonic()
