"""The column along which a table is read: ascending, each value once."""

from collections.abc import Callable

import numpy as np

from msc_plans.files.table import Table

__all__ = ["FEWEST_POINTS", "ascending", "axis_column", "is_count"]

FEWEST_POINTS = 5
_REPEATED = 0.3


def axis_column(table: Table, named: list[int]) -> int:
    """Return the axis's column: the first of those so named, else the first that isn't a count of the rows."""
    if named:
        return named[0]
    if is_count(table.values[:, 0]) and table.values.shape[1] > 2 and np.all(np.diff(table.values[:, 1]) != 0):
        steps = np.sign(np.diff(table.values[:, 1]))
        if np.all(steps == steps[0]):
            return 1
    return 0


def is_count(values: np.ndarray) -> bool:
    """Return whether a column counts the rows, from 0 or 1."""
    return len(values) > 2 and values[0] in (0.0, 1.0) and np.array_equal(values, values[0] + np.arange(len(values)))


def ascending(table: Table, column: int) -> tuple[np.ndarray, Callable[[np.ndarray], np.ndarray]]:
    """Sort a table by a column.

    Rows without a positive value there are left out; rows with the same value are averaged.

    Returns
    -------
    x : ndarray, shape (points,)
        Ascending and distinct.
    onto : callable
        Takes a column, shape (rows,), to the mean of its finite values at each point, shape (points,).

    Raises
    ------
    ReadError
        Fewer than five points are left, or the column starts again from values it has been through.
    """
    x = table.values[:, column]
    kept = np.flatnonzero(np.isfinite(x) & (x > 0))
    points, first, place = np.unique(x[kept], return_index=True, return_inverse=True)
    repeats = len(kept) - len(points)
    if repeats > _REPEATED * len(points):
        again = next(row for number, row in enumerate(kept) if first[place[number]] < number)
        begun = kept[first[place[np.searchsorted(kept, again)]]]
        if again - begun > 1:
            raise table.row_error(
                int(again),
                f"{x[again]:g} is here again after line {table.lines[begun]}: give each table a file of its own"
                if len(table.lines)
                else f"the axis goes through {x[again]:g} more than once: give each table a file of its own",
            )
    if len(points) < FEWEST_POINTS:
        name = table.names[column] or f"column {column + 1}"
        raise table.row_error(
            0, f"{name!r} has {len(points)} different values above 0; at least {FEWEST_POINTS} points are needed"
        )

    def onto(values: np.ndarray) -> np.ndarray:
        some = values[kept]
        if not repeats:
            return some[first]
        finite = np.isfinite(some)
        count = np.bincount(place, finite, len(points))
        total = np.bincount(place, np.where(finite, some, 0.0), len(points))
        return np.divide(total, count, out=np.full(len(points), np.nan), where=count > 0)

    return points, onto
