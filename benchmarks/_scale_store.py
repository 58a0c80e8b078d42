"""A catalogue of many runs within a minute: copies of runs that `RunWriter` wrote, row by row in SQLite.

A copy has its own nodes, metadata and data sources and reads the arrays of the run it was made of. ``row_form`` says
of a run what a copy must share with it; ``benchmarks/scale.py`` compares.
"""

import json
import sqlite3
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

__all__ = ["clone_runs", "row_form"]


def clone_runs(folder: Path, template: str, starts: Iterable[Mapping[str, Any]]) -> None:
    """Copy a run of a store that nobody has open.

    Parameters
    ----------
    folder : Path
        Of the store.
    template : str
        Uid of the run to copy.
    starts : iterable of mappings
        What the start document of each copy says otherwise; ``uid`` among it. The stop document comes 1 s later.
    """
    connection = sqlite3.connect(folder / "catalog.db")
    try:
        nodes, sources, links = _rows(connection, template)
        first = nodes[0][0]
        next_node = connection.execute("SELECT max(id) + 1 FROM nodes").fetchone()[0]
        next_source = connection.execute("SELECT coalesce(max(id), 0) + 1 FROM data_sources").fetchone()[0]
        span = max(row[0] for row in nodes) + 1 - first
        for start in starts:
            shift = next_node - first
            copies = [
                (node + shift, parent + shift if parent else 0, key, family, metadata, specs)
                for node, parent, key, family, metadata, specs in nodes
            ]
            number, parent, _, family, metadata, specs = copies[0]
            copies[0] = (number, parent, start["uid"], family, _metadata(metadata, start), specs)
            connection.executemany(
                "INSERT INTO nodes (id, parent, key, structure_family, metadata, specs) VALUES (?, ?, ?, ?, ?, ?)",
                copies,
            )
            numbers = {row[0]: next_source + count for count, row in enumerate(sources)}
            connection.executemany(
                "INSERT INTO data_sources (id, node_id, structure_id, mimetype, parameters, properties, management, "
                "structure_family) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                [(numbers[row[0]], row[1] + shift, *row[2:]) for row in sources],
            )
            connection.executemany(
                "INSERT INTO data_source_asset_association (data_source_id, asset_id, parameter, num) "
                "VALUES (?, ?, ?, ?)",
                [(numbers[source], *rest) for source, *rest in links],
            )
            next_node += span
            next_source += len(sources)
        connection.commit()
    finally:
        connection.close()


def row_form(folder: Path, uid: str) -> list[Any]:
    """Return what rows of a run look like: of each node its key, kind, specs, keys of metadata, and where data are."""
    connection = sqlite3.connect(folder / "catalog.db")
    try:
        nodes, sources, links = _rows(connection, uid)
        first = nodes[0][0]
        places = {row[0]: (row[1] - first, row[2], row[3], sorted(json.loads(row[4])), *row[5:]) for row in sources}
        start, *rest = nodes
        known = json.loads(start[4])
        columns = [
            [(name, kind, hidden) for _, name, kind, *_, hidden in connection.execute(f"PRAGMA table_xinfo({table})")]
            for table in ("nodes", "data_sources", "data_source_asset_association")
        ]
        depth = connection.execute(
            "SELECT descendant - ?, depth FROM nodes_closure WHERE ancestor = ? ORDER BY descendant", (first, first)
        ).fetchall()
        found = connection.execute(
            "SELECT count(*) FROM metadata_fts5 WHERE rowid BETWEEN ? AND ?", (first, rest[-1][0])
        ).fetchone()
    finally:
        connection.close()
    return [
        (start[3], start[5], sorted(known), sorted(known["start"]), sorted(known["stop"])),
        [
            (node - first, parent - first, key, kind, sorted(json.loads(metadata)), specs)
            for node, parent, key, kind, metadata, specs in rest
        ],
        sorted(places.values(), key=str),
        sorted((places[source][0], *parts) for source, _, *parts in links),
        depth,
        found,
        columns,
    ]


def _metadata(text: str, start: Mapping[str, Any]) -> str:
    known = json.loads(text)
    known["start"] |= start
    known["stop"] |= {"run_start": start["uid"], "time": known["start"]["time"] + 1.0}
    return json.dumps(known, separators=(",", ":"))


def _rows(connection: sqlite3.Connection, uid: str) -> tuple[list[Any], list[Any], list[Any]]:
    inside = (
        "SELECT descendant FROM nodes_closure JOIN nodes ON nodes.id = ancestor "
        "WHERE nodes.key = ? AND nodes.parent = 0"
    )
    nodes = connection.execute(
        f"SELECT id, parent, key, structure_family, metadata, specs FROM nodes WHERE id IN ({inside}) ORDER BY id",
        (uid,),
    ).fetchall()
    if not nodes:
        raise KeyError(f"there is no run {uid} to copy")
    sources = connection.execute(
        "SELECT id, node_id, structure_id, mimetype, parameters, properties, management, structure_family "
        f"FROM data_sources WHERE node_id IN ({inside}) ORDER BY id",
        (uid,),
    ).fetchall()
    links = connection.execute(
        "SELECT data_source_id, asset_id, parameter, num FROM data_source_asset_association WHERE data_source_id IN "
        f"(SELECT id FROM data_sources WHERE node_id IN ({inside})) ORDER BY 1, 2",
        (uid,),
    ).fetchall()
    return nodes, sources, links
