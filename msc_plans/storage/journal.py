"""Journals: what a run said, on disk before anything else happens to it.

A run's journal is ``<uid>.jsonl``, one ``{"name": …, "doc": …}`` a line, from its start document on. It is
locked while its writer lives and goes when the catalogue has the whole run. A journal that stays is a run the
catalogue may lack, in whole or in part: `replay` brings it in.
"""

import fcntl
import json
import logging
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from bluesky_tiled_plugins.clients.catalog_of_bluesky_runs import CatalogOfBlueskyRuns

__all__ = ["Journal", "read_journal", "replay"]

logger = logging.getLogger(__name__)

Document = tuple[str, dict[str, Any]]


def _plain(value: Any) -> Any:
    # Arrays and scalars of numpy become lists and numbers. Better a path or a date as text than a run without
    # its documents.
    return value.tolist() if hasattr(value, "tolist") else str(value)


class Journal:
    """The journal of one run, locked until `close`."""

    def __init__(self, backup: Path, uid: str):
        self.path = backup / f"{uid}.jsonl"
        self._file: TextIO | None = None

    @staticmethod
    def line(name: str, doc: dict[str, Any]) -> str:
        """Return a document as the journal keeps it; arrays become lists, NaN stays NaN."""
        return json.dumps({"name": name, "doc": doc}, default=_plain)

    def append(self, line: str) -> None:
        """Hand a line to the operating system: it survives this process, though not a power cut."""
        if self._file is None:
            self._file = self.path.open("a", encoding="utf-8")
            fcntl.flock(self._file, fcntl.LOCK_EX)  # waits for no more than a replay that looks at it
        self._file.write(line + "\n")
        self._file.flush()

    def close(self, *, keep: bool) -> None:
        """Unlock, and remove unless `keep`."""
        if self._file is not None:
            if not keep:
                self.path.unlink(missing_ok=True)
            self._file.close()
            self._file = None


def read_journal(path: Path) -> list[Document]:
    """Return a journal's documents; a last line cut short by a crash is left out.

    Raises
    ------
    ValueError
        A line is no document, or the first document is no start.
    """
    documents: list[Document] = []
    lines = path.read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines, start=1):
        try:
            item = json.loads(line)
            documents.append((item["name"], item["doc"]))
        except (ValueError, KeyError, TypeError) as error:
            if number == len(lines):
                logger.warning("%s: the last line (%d) is cut short and left out", path, number)
                break
            raise ValueError(f"{path}, line {number}, is no document: {line[:80]!r}. Mend or remove it") from error
    if not documents or documents[0][0] != "start":
        raise ValueError(f"{path} does not begin with a start document; it can't be replayed")
    return documents


def replay(catalog: "CatalogOfBlueskyRuns", backup: str | Path) -> int:
    """Write the journalled runs that the catalogue lacks, and return how many.

    A run that the catalogue has in part (no stop document) is deleted there and written anew from its
    journal; files of detectors are not touched. A run that never got its stop document is written as far as
    it went. A journal that is done is renamed to ``….jsonl.replayed``; one whose writer is alive is left
    alone. The catalogue orders by time of writing, so a replayed run comes last: sort by ``start.time`` where
    it matters.

    Parameters
    ----------
    catalog : CatalogOfBlueskyRuns
        Where to write, from `open_catalog`.
    backup : str or Path
        The folder of the journals, ``<store>/backup``.

    Raises
    ------
    ValueError
        A journal can't be read; the others are written first.
    """
    unreadable: list[str] = []
    runs: list[tuple[float, Path, list[Document]]] = []
    written = 0
    with ExitStack() as claims:
        for path in sorted(Path(backup).glob("*.jsonl")):
            if not _claim(path, claims):
                logger.info("%s belongs to a run still being written; left alone", path)
                continue
            try:
                documents = read_journal(path)
            except ValueError as error:
                unreadable.append(str(error))
            else:
                runs.append((documents[0][1].get("time", 0.0), path, documents))
        for _, path, documents in sorted(runs, key=lambda run: run[0]):
            written += _write(catalog, documents)
            path.rename(path.with_name(path.name + ".replayed"))
    if unreadable:
        raise ValueError("; ".join(unreadable))
    return written


def _claim(path: Path, claims: ExitStack) -> bool:
    """Lock a journal until `claims` closes; False where its writer, or another replay, has it or had it."""
    try:
        file = claims.enter_context(path.open("rb"))
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (FileNotFoundError, BlockingIOError):
        return False
    return path.exists()


def _write(catalog: "CatalogOfBlueskyRuns", documents: list[Document]) -> bool:
    from bluesky_tiled_plugins import TiledWriter

    uid = documents[0][1]["uid"]
    if uid in catalog:
        run: Any = catalog[uid]
        if run.metadata.get("stop"):
            return False
        catalog.delete_contents(uid, recursive=True, external_only=False)
    write = TiledWriter(catalog, max_array_size=0)
    for name, doc in documents:
        write(name, doc)
    return True
