"""Journals: what a run said, on disk before anything else happens to it.

::

    journal/<uid>.jsonl                    runs on their way to the catalogue
    journal/stored/<year>-<month>/…        runs that the catalogue has whole, kept for `verify`

A journal holds one ``{"name": …, "doc": …}`` a line, from the start document on. It is locked by the process that
writes it for as long as it may grow, and moved when the catalogue has the run (see ``ingest``).
"""

import fcntl
import json
import logging
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

__all__ = ["Document", "Journal", "archive", "is_written", "journals", "parse_line", "read_journal", "stored_journals"]

logger = logging.getLogger(__name__)

Document = tuple[str, dict[str, Any]]
"""A document's name and the document."""


def _plain(value: Any) -> Any:
    # Arrays and scalars of numpy become lists and numbers. Better a path or a date as text than a run without
    # its documents.
    return value.tolist() if hasattr(value, "tolist") else str(value)


class Journal:
    """The journal of one run, locked until `close`.

    Parameters
    ----------
    folder : Path
        Where the journals are.
    uid : str
        The run's.

    Raises
    ------
    OSError
        The file can't be made: disk full, or no right to write.
    """

    __slots__ = ("_descriptor", "_dirty", "_end", "_folder", "_name")

    def __init__(self, folder: Path, uid: str):
        self._folder, self._name = folder, f"{quote(uid, safe='')}.jsonl"
        self._dirty = False
        # Locked before it has its name, so that nobody takes it for one whose writer has died.
        unfinished = folder / f"{self._name}.new"
        self._descriptor = os.open(unfinished, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        fcntl.flock(self._descriptor, fcntl.LOCK_EX)
        unfinished.rename(self.path)
        self._end = 0

    @property
    def path(self) -> Path:
        """Path of the file; made when asked for, as after a long outage thousands of journals wait."""
        return self._folder / self._name

    @staticmethod
    def line(name: str, doc: dict[str, Any]) -> bytes:
        """Return a document as the journal keeps it; arrays become lists, NaN stays NaN."""
        return json.dumps({"name": name, "doc": doc}, default=_plain).encode() + b"\n"

    def append(self, line: bytes) -> None:
        """Hand a line to the operating system: it survives this process, though not a power cut before `sync`.

        Raises
        ------
        OSError
            It could not be written; the journal is as it was.
        """
        written = 0
        try:
            while written < len(line):
                written += os.write(self._descriptor, line[written:])
        except OSError:
            os.ftruncate(self._descriptor, self._end)
            raise
        self._end += len(line)
        self._dirty = True

    def sync(self) -> None:
        """Put what was appended since the last time on the disk itself."""
        if self._dirty and not self.closed:
            self._dirty = False
            os.fdatasync(self._descriptor)

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._descriptor < 0

    def close(self) -> None:
        """Let go of it; closing twice does nothing."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def is_written(path: Path) -> bool:
    """Return whether the process that writes a journal still has it open."""
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def journals(folder: Path) -> list[Path]:
    """Return the journals of runs that the catalogue lacks, in whole or in part."""
    with os.scandir(folder) as entries:
        return [Path(entry.path) for entry in entries if entry.name.endswith(".jsonl")]


def stored_journals(folder: Path) -> Iterator[Path]:
    """Yield the journals of runs that the catalogue has, oldest month first."""
    for month in sorted((folder / "stored").glob("*")):
        yield from sorted(month.glob("*.jsonl"))


def archive(path: Path, started: float) -> Path:
    """Move the journal of a run that is stored; returns where it is now."""
    month = path.parent / "stored" / time.strftime("%Y-%m", time.gmtime(started))
    month.mkdir(parents=True, exist_ok=True)
    return path.replace(month / path.name)


def read_journal(path: Path) -> list[Document]:
    """Return a journal's documents; a last line cut short by a crash is left out.

    Raises
    ------
    ValueError
        A line isn't a document, or the first document isn't a start document.
    """
    documents: list[Document] = []
    lines = path.read_bytes().split(b"\n")
    cut_short = lines.pop()
    if cut_short:
        logger.warning("%s: the last line (%d) is cut short and left out", path, len(lines) + 1)
    for number, line in enumerate(lines, start=1):
        documents.append(parse_line(line, f"{path}, line {number},"))
    if not documents or documents[0][0] != "start":
        raise ValueError(f"{path} does not begin with a start document; it can't be replayed")
    return documents


def parse_line(line: bytes, where: str) -> Document:
    """Return the document of a journal's line.

    Raises
    ------
    ValueError
        It isn't a document; the message begins with `where`.
    """
    why: Exception | None = None
    try:
        item = json.loads(line)
        name, doc = item["name"], item["doc"]
        if isinstance(name, str) and isinstance(doc, dict):
            return name, doc
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        why = error
    raise ValueError(
        f"{where} isn't a document: {line[:80].decode(errors='replace')!r}. Correct or remove that line"
    ) from why
