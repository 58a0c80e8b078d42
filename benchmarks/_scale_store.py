"""A catalogue of many runs within a minute: copies of runs that `RunWriter` wrote, row by row.

A copy has its own nodes, metadata and data sources and reads the arrays of the run it was made of. ``row_form`` says
of a run what a copy must share with it; ``benchmarks/scale.py`` compares.
"""

import asyncio
import json
import sqlite3
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import sqlalchemy
from sqlalchemy.ext.asyncio import create_async_engine

from msc_plans.storage.database import read_database

__all__ = ["clone_runs", "row_form"]


_NODES = """
    INSERT INTO nodes (id, parent, key, structure_family, metadata, specs)
    SELECT id + :shift, CASE parent WHEN 0 THEN 0 ELSE parent + :shift END, CASE parent WHEN 0 THEN :uid ELSE key END,
           structure_family, CASE parent WHEN 0 THEN {metadata} ELSE metadata END, specs
    FROM nodes WHERE id IN (SELECT descendant FROM nodes_closure WHERE ancestor = :root) ORDER BY id
"""
_SOURCES = """
    INSERT INTO data_sources
        (id, node_id, structure_id, mimetype, parameters, properties, management, structure_family)
    SELECT id + :source_shift, node_id + :shift, structure_id, mimetype, parameters, properties, management,
           structure_family
    FROM data_sources WHERE node_id IN (SELECT descendant FROM nodes_closure WHERE ancestor = :root)
"""
_LINKS = """
    INSERT INTO data_source_asset_association (data_source_id, asset_id, parameter, num)
    SELECT data_source_id + :source_shift, asset_id, parameter, num
    FROM data_source_asset_association JOIN data_sources ON data_sources.id = data_source_id
    WHERE node_id IN (SELECT descendant FROM nodes_closure WHERE ancestor = :root)
"""


def clone_runs(folder: Path, template: str, starts: Iterable[Mapping[str, Any]]) -> None:
    """Copy a run of a store that nobody has open.

    Parameters
    ----------
    folder : Path
        Of the store, in SQLite or PostgreSQL.
    template : str
        Uid of the run to copy.
    starts : iterable of mappings
        What the start document of each copy says otherwise; ``uid`` among it. The stop document comes 1 s later.
    """
    copy = partial(_clone, template=template, starts=starts)
    uri = read_database(folder).postgresql
    if uri:
        asyncio.run(_in_postgresql(uri, copy))
        return
    engine = sqlalchemy.create_engine(f"sqlite:///{folder / 'catalog.db'}")
    with engine.begin() as connection:
        copy(connection)
    engine.dispose()


async def _in_postgresql(uri: str, copy: Callable[[sqlalchemy.Connection], None]) -> None:
    engine = create_async_engine(uri.replace("postgresql:", "postgresql+asyncpg:"))
    async with engine.begin() as connection:
        await connection.run_sync(copy)
    await engine.dispose()


def _clone(connection: sqlalchemy.Connection, template: str, starts: Iterable[Mapping[str, Any]]) -> None:
    def one(query: str, **values: Any) -> Any:
        return connection.execute(sqlalchemy.text(query), values).one()

    root, text = one("SELECT id, CAST(metadata AS TEXT) FROM nodes WHERE key = :key AND parent = 0", key=template)
    inside = "(SELECT descendant FROM nodes_closure WHERE ancestor = :root)"
    first, last = one(f"SELECT min(id), max(id) FROM nodes WHERE id IN {inside}", root=root)
    first_source, last_source = one(f"SELECT min(id), max(id) FROM data_sources WHERE node_id IN {inside}", root=root)
    shift = one("SELECT max(id) FROM nodes")[0] + 1 - first
    source_shift = one("SELECT max(id) FROM data_sources")[0] + 1 - first_source
    copies = [
        {
            "root": root,
            "uid": start["uid"],
            "metadata": _metadata(text, start),
            "shift": shift + number * (last + 1 - first),
            "source_shift": source_shift + number * (last_source + 1 - first_source),
        }
        for number, start in enumerate(starts)
    ]
    if not copies:
        return
    postgresql = connection.dialect.name == "postgresql"
    nodes = _NODES.format(metadata="CAST(:metadata AS JSONB)" if postgresql else ":metadata")
    for query in (nodes, _SOURCES, _LINKS):
        connection.execute(sqlalchemy.text(query), copies)
    if postgresql:
        for table in ("nodes", "data_sources"):
            one(f"SELECT setval('{table}_id_seq', (SELECT max(id) FROM {table}))")


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
