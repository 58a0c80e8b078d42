"""Spectra to CSV: what was counted and what follows, under lines that say of what."""

import csv
import io
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from msc_plans.files.atomic import whole_file

__all__ = ["write_csv"]


def write_csv(
    path: str | Path, columns: Mapping[str, np.ndarray], described: Mapping[str, Any], *, force: bool = False
) -> None:
    """Write columns of numbers as CSV.

    Lines ``# key: value`` come first, nested mappings as ``# key.inner: value``, then the columns' names, then one row
    a pixel. Numbers have all their figures: what is read back is what was written. NaN is written as ``nan``.

    Parameters
    ----------
    path : str or Path
        File to be made.
    columns : mapping
        Arrays of one length, shape (points,), by name; units belong into the names.
    described : mapping
        What is said above.
    force : bool
        Replace a file that is there already.

    Raises
    ------
    ValueError
        The columns differ in length.
    FileExistsError
        The file is there already.
    """
    lengths = {name: len(values) for name, values in columns.items()}
    if len(set(lengths.values())) != 1:
        raise ValueError(f"columns must be of one length, not {lengths}")
    text = io.StringIO(newline="")
    for key, value in _flat(described):
        text.write(f"# {key}: {value}\n")
    table = csv.writer(text, lineterminator="\n")
    table.writerow(columns)
    table.writerows(
        [repr(value) for value in row] for row in zip(*(np.asarray(v).tolist() for v in columns.values()), strict=True)
    )
    with whole_file(path, force=force) as unfinished:
        unfinished.write_text(text.getvalue(), encoding="utf-8")


def _flat(described: Mapping[str, Any], before: str = "") -> list[tuple[str, str]]:
    found = []
    for key, value in described.items():
        if isinstance(value, Mapping):
            found += _flat(value, f"{before}{key}.")
        elif isinstance(value, str):
            found.append((f"{before}{key}", " ".join(value.split())))
        elif isinstance(value, float) and math.isnan(value):
            found.append((f"{before}{key}", "nan"))
        else:
            found.append((f"{before}{key}", json.dumps(value, default=str, ensure_ascii=False)))
    return found
