"""areaDetector's records that do nothing here: read from ``inert_records.csv``, served as they are.

Clients written for areaDetector expect hundreds of records; most of them matter neither to the simulated detector
nor to its files. Each row of the table is one record or a record and its ``_RBV``:

``pair``, ``set``
    takes any value and keeps it.
``fixed``
    a pair whose put is refused unless it is the value that holds: what it asks for can't be had.
``momentary``
    takes any value and falls back at once.
``read``
    read-only; the name is complete.
"""

import csv
from collections.abc import Callable
from importlib.resources import files
from typing import Any

from ioc_sim.areadetector.data_root import MAX_CHARS
from ioc_sim.records.table import Reading, RecordGroup, Setting, Spec, serve

__all__ = ["InertModel", "serve_inert"]

_KINDS: dict[str, tuple[type, Callable[[str], Any]]] = {
    "int": (int, int),
    "float": (float, float),
    "string": (str, str),
    "text": (str, str),
    "enum": (str, str),
    "array": (float, lambda text: [float(text)] * 10),
}


class InertModel:
    """A value for each record; only pairs and sets change.

    Parameters
    ----------
    rows : list of dict
        Rows of the table.
    """

    _forms: dict[str, str]

    def __init__(self, rows: list[dict[str, str]]) -> None:
        forms = {row["name"]: row["form"] for row in rows}
        object.__setattr__(self, "_forms", forms)
        for row in rows:
            object.__setattr__(self, row["name"], _KINDS[row["type"]][1](row["value"]))

    def __setattr__(self, name: str, value: Any) -> None:
        form, held = self._forms[name], getattr(self, name)
        if form == "fixed" and value != held:
            raise ValueError(f"it is {held!r} and can't be changed in the simulation")
        if form in ("pair", "set"):
            object.__setattr__(self, name, value)


def _spec(row: dict[str, str]) -> Spec:
    common: dict[str, Any] = {
        "kind": _KINDS[row["type"]][0],
        "choices": tuple(row["choices"].split("|")) if row["choices"] else (),
        "units": row["units"],
        "chars": MAX_CHARS if row["type"] == "text" else 0,
    }
    if row["form"] == "read":
        return Reading(row["name"], row["name"], row["doc"], length=10 if row["type"] == "array" else 0, **common)
    readback = "_RBV" if row["form"] in ("pair", "fixed") else ""
    return Setting(row["name"], row["name"], row["doc"], readback=readback, **common)


def serve_inert(prefix: str, group: str) -> RecordGroup:
    """Make the records of one group of the table; they need no publishing.

    Parameters
    ----------
    prefix : str
        Prefix of all records.
    group : str
        ``cam1`` or ``HDF1``.
    """
    table = (files("ioc_sim.areadetector") / "inert_records.csv").read_text(encoding="utf-8")
    rows = [row for row in csv.DictReader(table.splitlines()) if row["group"] == group]
    return serve(prefix, [_spec(row) for row in rows], InertModel(rows), str)
