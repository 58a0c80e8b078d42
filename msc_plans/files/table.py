"""The table of numbers in a text file: where it starts and ends, what separates its cells, what its columns are called.

A row is a line of at least two cells of which the first is a number and the others are numbers or missing (an empty
cell, ``NaN``, ``-``, ``N/A``, ``OVER``, ``****`` …). The separator (tab, ``;``, ``,``, ``|`` or spaces) and the decimal
mark (point, comma) are those with which most lines are rows. The table is the longest block of rows with one number of
cells; blank and comment lines don't end it. Lines above it are its header. A row that breaks a column of ascending or
descending numbers is an error, not an end: half a spectrum must not pass for a whole one.
"""

import math
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from msc_plans.files.errors import ReadError
from msc_plans.files.header import header_rows
from msc_plans.files.text import read_lines, shown

__all__ = ["Table", "read_table"]

COMMENTS = ("#", "%", "!", "//", ";", "'", "$")
_FORMATS = (("\t", "."), ("\t", ","), (";", "."), (";", ","), (",", "."), ("|", "."), (None, "."), (None, ","))
_MISSING = frozenset(
    ["", "-", "--", "---", "n/a", "na", "#n/a", "null", "none", "missing", "?", "over", "ovrflw", "overflow", "ovf",
     "sat", "saturated", "inf", "+inf", "-inf", "nan", "+nan", "-nan", "-nan(ind)", "nan(ind)", "1.#qnan", "-1.#ind",
     "1.#inf", "-1.#inf", "#div/0!", "#value!", "#num!", "∞", "-∞"]
)  # fmt: skip
_SAMPLE = 120
_FEWEST_ROWS = 3
_ANOTHER = 0.2
_STEPS_APART = 3.5
_LINES_APART = 3


@dataclass(frozen=True)
class Table:
    """Columns of numbers and the text above them."""

    path: Path
    values: np.ndarray = field(repr=False)
    """Shape (rows, columns); NaN where a cell is missing."""
    lines: np.ndarray = field(repr=False)
    """Shape (rows,): the line of each row, from 1; empty where the file has no lines."""
    names: tuple[str, ...]
    """Name of each column as its header says; empty where there is none."""
    labels: tuple[str, ...]
    """What tells columns apart: `names`, or the line above them where `names` are all alike."""
    units: tuple[str, ...]
    """All that the header rows say of each column."""
    header: tuple[str, ...] = ()
    """Lines above the table."""
    header_line: int | None = None
    warnings: tuple[str, ...] = ()
    title: str = ""
    """What tells it from other tables of the file."""

    def row_error(self, row: int, reason: str) -> ReadError:
        """Return an error at a row."""
        return ReadError(self.path, int(self.lines[row]) if len(self.lines) else None, reason)


@dataclass
class _Segment:
    """Rows of one number of cells that follow one another."""

    lines: list[int]
    rows: list[list[float]]
    text_before: int | None
    """Line of text that ended the segment before; None where the number of cells did."""

    @property
    def width(self) -> int:
        return len(self.rows[0])


def read_table(path: str | Path) -> Table:
    """Read the table in a text file.

    Raises
    ------
    ReadError
        The file can't be opened, isn't text, holds no table, or a row within the table is broken.
    """
    path = Path(path)
    lines = read_lines(path)
    delimiter, decimal = _format(path, lines)
    segments = _segments(lines, delimiter, decimal)
    chosen = max(range(len(segments)), key=lambda number: len(segments[number].rows))
    main = segments[chosen]
    if len(main.rows) < _FEWEST_ROWS:
        _refuse(path, lines, main)
    ragged = delimiter is not None
    first, last = chosen, chosen
    while first > 0 and _joins(path, lines, main, segments[first - 1], segments[first], ragged=ragged):
        first -= 1
    _check_start(path, lines, segments[max(first - _LINES_APART, 0) : first], segments[first], main)
    while last + 1 < len(segments) and _joins(path, lines, main, segments[last], segments[last + 1], ragged=ragged):
        last += 1
    _check_end(path, lines, segments[last], main.rows[-1][0] - main.rows[-2][0], (delimiter, decimal))
    rows = [row for segment in segments[first : last + 1] for row in segment.rows]
    numbers = [line for segment in segments[first : last + 1] for line in segment.lines]
    values = np.array([row + [math.nan] * (main.width - len(row)) for row in rows])
    header = [line.strip() for line in lines[: numbers[0] - 1]]
    found = header_rows(header, main.width, delimiter, COMMENTS)
    filled = np.flatnonzero(np.isfinite(values).any(axis=0))
    warnings = tuple(
        f"another table of {len(other.rows)} rows, lines {other.lines[0]}–{other.lines[-1]}, is left out"
        for number, other in enumerate(segments)
        if not first <= number <= last and len(other.rows) >= max(_FEWEST_ROWS, _ANOTHER * len(rows))
    )
    return Table(
        path,
        values[:, filled],
        np.array(numbers),
        tuple(found.names[k] for k in filled),
        tuple(found.labels[k] for k in filled),
        tuple(found.units[k] for k in filled),
        tuple(header),
        found.line,
        warnings,
    )


def _format(path: Path, lines: list[str]) -> tuple[str | None, str]:
    sample = lines if len(lines) <= _SAMPLE else lines[:: len(lines) // _SAMPLE]
    for some in (sample, lines):
        best, most = _FORMATS[0], 0
        for form in _FORMATS:
            if form[0] is not None and not any(form[0] in line for line in some):
                continue
            rows = sum(_row(line, *form) is not None for line in some)
            if rows > most:
                best, most = form, rows
        if most:
            return best
    for number, line in enumerate(lines, start=1):
        words = line.replace(",", " ").replace(";", " ").split()
        if words and _number(words[0], ".") is not None:
            if len(words) == 1:
                raise ReadError(path, number, f"{shown(line)} is one number; at least two columns are needed")
            raise ReadError(path, number, f"{shown(line)} is not a row of numbers, and no other line is")
    raise ReadError(path, 1, "no line of this file is a row of at least two numbers")


def _row(line: str, delimiter: str | None, decimal: str) -> list[float] | None:
    """Return the numbers of a row, None for any other line."""
    cells = line.split(delimiter)
    if len(cells) < 2:
        return None
    if decimal == "." and "_" not in line:
        try:
            values = [float(cell) for cell in cells]
        except ValueError:
            pass
        else:
            if math.isfinite(values[0]):
                return [value if math.isfinite(value) else math.nan for value in values]
    first = _number(cells[0], decimal)
    if first is None or not math.isfinite(first):
        return None
    values = [first]
    for cell in cells[1:]:
        value = _number(cell, decimal)
        if value is None:
            return None
        values.append(value)
    return values if any(cell.strip() for cell in cells[1:]) or len(cells) == 2 else None


def _number(cell: str, decimal: str) -> float | None:
    """Return a cell's number, NaN where it is missing, None where it is neither."""
    cell = cell.strip().strip("\"'").strip()
    if cell.lower() in _MISSING or (cell and not cell.strip("*")):
        return math.nan
    if "_" in cell:
        return None
    if decimal == ",":
        if "." in cell or cell.endswith(",") or cell.startswith(","):
            return None
        cell = cell.replace(",", ".")
    try:
        value = float(cell)
    except ValueError:
        try:
            value = float(cell.upper().replace("D", "E", 1))  # Fortran's double precision
        except ValueError:
            return None
    return value if math.isfinite(value) else math.nan


def _is_comment(line: str, delimiter: str | None) -> bool:
    stripped = line.strip()
    if stripped.startswith(";") and delimiter == ";":
        return not stripped.strip(";").strip()
    return stripped.startswith(COMMENTS) or not stripped.strip(delimiter).strip()


def _segments(lines: list[str], delimiter: str | None, decimal: str) -> list[_Segment]:
    segments: list[_Segment] = []
    text: int | None = None
    width = 0  # of the segment that a row may go on; 0 behind text
    for number, line in enumerate(lines, start=1):
        row = _row(line, delimiter, decimal)
        if row is None:
            if not _is_comment(line, delimiter):
                text, width = text or number, 0
        elif len(row) != width:
            segments.append(_Segment([number], [row], text))
            text, width = None, len(row)
        else:
            segments[-1].lines.append(number)
            segments[-1].rows.append(row)
    return segments


def _joins(path: Path, lines: list[str], main: _Segment, before: _Segment, after: _Segment, *, ragged: bool) -> bool:
    """Return whether two segments are one table; raises where they would be but for a broken line between them."""
    above = after.lines[0] <= main.lines[0]
    other = before if above else after
    ends = main.rows[:2] if above else main.rows[-2:]
    step = ends[1][0] - ends[0][0]
    gap = after.rows[0][0] - before.rows[-1][0]
    if not 0 < gap * step <= _STEPS_APART * step * step or after.lines[0] - before.lines[-1] > _LINES_APART:
        return False
    broken = after.text_before
    if broken is None and ragged and other.width < main.width:
        return True
    if broken is not None and other.width == main.width:
        raise ReadError(
            path, broken, f"{shown(lines[broken - 1])} isn't a row of {main.width} numbers like those around it"
        )
    if broken is not None or above:
        return False
    raise ReadError(path, other.lines[0], f"{other.width} numbers, where the rows above have {main.width}")


def _check_start(path: Path, lines: list[str], above: list[_Segment], first: _Segment, main: _Segment) -> None:
    """Raise where rows like the table's stand above it, beyond rows that broke."""
    step = main.rows[1][0] - main.rows[0][0]
    for other in above:
        between = first.lines[0] - other.lines[-1]
        gap = first.rows[0][0] - other.rows[-1][0]
        near = 0 < gap * step <= _STEPS_APART * between * step * step
        if other.width == main.width and len(other.rows) > 1 and between <= _LINES_APART and near:
            number = other.lines[-1] + 1
            raise ReadError(
                path, number, f"{shown(lines[number - 1])} isn't a row of {main.width} numbers like those around it"
            )


def _check_end(path: Path, lines: list[str], last: _Segment, step: float, form: tuple[str | None, str]) -> None:
    """Raise where the line below the table is a row of it that broke."""
    number = last.lines[-1] + 1
    cells = lines[number - 1].split(form[0]) if number <= len(lines) else []
    x = _number(cells[0], form[1]) if len(cells) == last.width else None
    if x is not None and 0 < (x - last.rows[-1][0]) * step <= _STEPS_APART * step * step:
        raise ReadError(
            path, number, f"{shown(lines[number - 1])} isn't a row of {last.width} numbers like those above"
        )


def _refuse(path: Path, lines: list[str], main: _Segment) -> None:
    count = len(main.rows)
    raise ReadError(
        path, main.lines[0], f"only {count} row{'s' * (count > 1)} of numbers, from {shown(lines[main.lines[0] - 1])}"
    )
