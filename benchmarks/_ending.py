"""How every benchmark ends: lines of ``name value bar ok|short``, and exit status 1 where any is short."""

from collections.abc import Iterable

__all__ = ["conclude", "verdict"]


def verdict(name: str, value: float, bar: float, met: bool) -> bool:
    """Print a figure with its bar; return whether it is met."""
    print(f"{name} {value:.4g} {bar:g} {'ok' if met else 'short'}", flush=True)
    return met


def conclude(figures: Iterable[tuple[str, float, float, bool]]) -> int:
    """Print each figure with its bar; return the exit status.

    Parameters
    ----------
    figures : iterable of (str, float, float, bool)
        Name, value, bar, and whether the bar is the least value wanted (True) or the greatest (False).
    """
    met = [verdict(name, value, bar, value >= bar if least else value <= bar) for name, value, bar, least in figures]
    return int(not all(met))
