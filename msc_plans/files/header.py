"""The names of a table's columns, from the lines above it."""

import re
from dataclasses import dataclass
from itertools import pairwise

__all__ = ["HeaderRows", "header_rows"]

_LOOK_BACK = 6
_AXIS = re.compile(
    r"^[<\[( \"']*(q\b|q[_ (\[]|s\b|scattering vector|momentum|x\b|"
    r"wave|wellen|longueur|longitud|lambda|λ|wl\b|nm\b|energy)",
    re.I,
)
_UNIT = re.compile(r"^([\[(].*[\])]|nm|a\.?u\.?|%|counts?|cm-1|ev|1/nm|1/a|1/cm|)$", re.I)
_SPACED = re.compile(r"\t+|\s{2,}")


@dataclass(frozen=True)
class HeaderRows:
    """What the header rows say of each column; each tuple has an entry a column."""

    names: tuple[str, ...]
    labels: tuple[str, ...]
    units: tuple[str, ...]
    line: int | None


def header_rows(header: list[str], width: int, delimiter: str | None, comments: tuple[str, ...]) -> HeaderRows:
    """Find the rows of names among the lines above a table.

    The row of names is the nearest of the last six lines that has a cell for each column and names a spectral axis or
    q; without one, the last line, where it has a cell for each column.

    Parameters
    ----------
    header : list of str
        The lines above the table.
    width : int
        Number of columns.
    delimiter : str or None
        What separates the table's cells; None for spaces.
    comments : tuple of str
        What a comment starts with.
    """
    rows: list[tuple[int, tuple[str, ...]]] = []
    seen = 0
    for number in range(len(header), 0, -1):
        line = header[number - 1].strip()
        if not line:
            continue
        seen += 1
        cells = _cells(line, width, delimiter, comments)
        if cells is not None:
            rows.append((number, cells))
        elif seen == 1:
            rows.append((number, ()))
        if seen == _LOOK_BACK:
            break
    named = [index for index, (_, cells) in enumerate(rows) if any(_AXIS.match(cell) for cell in cells)]
    worded = [index for index in named if not all(_UNIT.match(cell) for cell in rows[index][1])]
    index = (worded or named or [0])[0]
    if not rows or not rows[index][1]:
        return HeaderRows(("",) * width, ("",) * width, ("",) * width, None)
    line, names = rows[index]
    if not named and names[0] and not any(character.isalpha() for cell in names for character in cell):
        return HeaderRows(("",) * width, ("",) * width, ("",) * width, None)
    labels = names
    above = rows[index + 1][1] if index + 1 < len(rows) else ()
    values = [name for name in names if name and not _AXIS.match(name)]
    pairs = sum(bool(_AXIS.match(name)) for name in names) > 1
    alike = len(values) > 1 and len(set(values)) == 1
    if above and (pairs or alike) and len({cell for cell in above if cell}) > 1:
        # A label may stand above the axis of its pair only.
        labels = tuple(next(filter(None, reversed(above[: k + 1])), name) for k, name in enumerate(names))
    below = [cells for _, cells in rows[:index] if cells]
    units = tuple(" ".join(column) for column in zip(names, *below, strict=True))
    return HeaderRows(names, labels, units, line)


def _cells(line: str, width: int, delimiter: str | None, comments: tuple[str, ...]) -> tuple[str, ...] | None:
    """Return a line's cells where there is one a column."""
    bare = line
    for comment in comments:
        if bare.startswith(comment) and not (comment == ";" and delimiter == ";"):
            bare = bare.lstrip("".join(comments)).strip()
            break
    tries = [] if delimiter is None else [bare.split(delimiter)]
    tries += [_SPACED.split(bare), _words(bare), bare.split(","), bare.split(";")]
    for number, parts in enumerate(tries):
        cells = [cell.strip().strip("\"'").strip() for cell in parts]
        while len(cells) > width and not cells[-1]:
            cells.pop()
        if number == 0 and delimiter is not None and 1 < len(cells) < width and _AXIS.match(cells[0]):
            cells += [""] * (width - len(cells))
        if len(cells) == width and any(cells):
            return tuple(cells)
    return None


def _words(line: str) -> list[str]:
    """Split at spaces, but keep a unit in brackets with its name."""
    words = line.split()
    joined: list[str] = []
    depth = 0
    for previous, word in pairwise(["", *words]):
        if joined and (depth > 0 or (word[0] in "([" and previous)):
            joined[-1] += f" {word}"
        else:
            joined.append(word)
        depth += sum(word.count(mark) for mark in "([{") - sum(word.count(mark) for mark in ")]}")
    return joined
