"""Journals into the catalogue, run by run; what fails is tried again until it is in."""

import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from msc_plans.storage.checksums import write_checksums
from msc_plans.storage.client import close_catalog
from msc_plans.storage.complete_runs import make_room, tiled_writer
from msc_plans.storage.journal import Document, archive, is_written, journals, parse_line

__all__ = ["Ingest", "Wait"]

_CHUNK = 4_000_000
_ABANDONED_AFTER_S = 1.0
_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.5, 5.0


@dataclass
class Wait:
    """When something that failed is tried again: after 0.5 s, and twice as long after each failure, up to 5 s."""

    seconds: float = 0.0
    until: float = 0.0

    def longer(self) -> None:
        """Note a failure."""
        self.seconds = min(max(2 * self.seconds, _FIRST_WAIT_S), _LONGEST_WAIT_S)
        self.until = time.monotonic() + self.seconds

    @property
    def over(self) -> bool:
        """Whether it may be tried again."""
        return time.monotonic() >= self.until


@dataclass
class _StoredRun:
    """A journal on its way, and how far it has come."""

    path: Path
    first_try: bool
    uid: str = ""
    started: float = 0.0
    offset: int = 0
    stored: int = 0
    stopped: bool = False
    quiet_since: float = field(default_factory=time.monotonic)
    wait: Wait = field(default_factory=Wait)
    tiled: Any = None
    resources: list[Document] = field(default_factory=list)

    def again(self) -> None:
        """Begin anew."""
        self.offset, self.stored, self.stopped, self.tiled, self.first_try = 0, 0, False, None, False
        self.resources.clear()

    def lines(self) -> list[bytes]:
        """Return the whole lines that have been added, at most some 4 MB of them or a single one."""
        with self.path.open("rb") as file:
            file.seek(self.offset)
            new = file.read(_CHUNK)
            end = new.rfind(b"\n") + 1
            if not end and len(new) == _CHUNK:
                new += file.readline()
                end = len(new) if new.endswith(b"\n") else 0
        self.offset += end
        return new[:end].splitlines()

    @property
    def start_time(self) -> float:
        """When the run began, by the first line, s since 1970; 0 where that is not there or no document."""
        with self.path.open("rb") as file:
            try:
                return float(parse_line(file.readline(), "")[1].get("time", 0.0))
            except (ValueError, TypeError):
                return 0.0

    @property
    def ended(self) -> bool:
        """Whether the journal ends with a stop document, as that of a run that is over does."""
        with self.path.open("rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - _CHUNK))
            last = file.read().rstrip(b"\n").rpartition(b"\n")[2]
        return last.startswith(b'{"name": "stop"')


class Ingest:
    """Stores the runs of a journal folder in a catalogue; call `step` again and again.

    Runs that a process still writes are stored as they grow. One whose writer died without a stop document is stored
    as far as it went. One that the catalogue has in part, as this process or the server was killed, is deleted there
    and written anew; files of detectors are not touched. The catalogue orders by time of writing, so a run that had
    to wait comes late: sort by ``start.time`` where it matters.

    Parameters
    ----------
    folder : Path
        The journals.
    connect : callable
        Returns the catalogue, or raises.
    tell : callable
        Gets dicts: ``{"run": uid, "stored": number of documents, "done": bool}``, ``{"trouble": text}``,
        ``{"fine": text}``.
    """

    def __init__(self, folder: Path, connect: Callable[[], Any], tell: Callable[[dict[str, Any]], None]) -> None:
        self.folder = folder
        self.troubled = False
        self._connect = connect
        self._tell = tell
        self._catalog: Any = None
        self._wait = Wait()
        self._runs: dict[Path, _StoredRun] = {}
        self._first_look = True

    @property
    def left(self) -> int:
        """Journals not yet stored."""
        return len(self._runs)

    def step(self) -> bool:
        """Store what has come; False where there was nothing, or nothing could be done."""
        self._look()
        if not self._runs or not self._wait.over or not self._connected():
            return False
        worked = False
        for run in sorted(self._runs.values(), key=lambda run: run.started):
            if not run.wait.over:
                continue
            try:
                worked = self._store(run) or worked
            except Exception as error:  # noqa: BLE001  whatever it is, the journal has the run
                self._failed(run, error)
                return worked
        return worked

    def close(self) -> None:
        """Disconnect."""
        if self._catalog is not None:
            close_catalog(self._catalog)
            self._catalog = None

    def _look(self) -> None:
        for path in journals(self.folder):
            if path not in self._runs:
                run = _StoredRun(path, first_try=not self._first_look)
                # those that wait are stored in the order in which they were taken
                run.started = run.start_time
                self._runs[path] = run
        self._first_look = False

    def _connected(self) -> bool:
        if self._catalog is None:
            try:
                self._catalog = self._connect()
            except Exception as error:  # noqa: BLE001  whatever it is, it may be over at the next try
                self._trouble(f"the catalogue does not answer ({_in_words(error)})")
                self._wait.longer()
        return self._catalog is not None

    def _store(self, run: _StoredRun) -> bool:
        lines = run.lines()
        for line in lines:
            name, doc = parse_line(line, f"{run.path}, after {run.stored} documents,")
            if name == "start":
                run.uid = doc["uid"]
                if not self._begin(run):
                    break
            run.tiled(name, doc)
            run.stored += 1
            if name == "resource":
                run.resources.append((name, doc))
            run.stopped = name == "stop"
        if lines:
            run.quiet_since = time.monotonic()
        abandoned = not lines and not run.stopped and self._is_abandoned(run)
        if run.stopped or abandoned:
            write_checksums(archive(run.path, run.started), run.resources)
            del self._runs[run.path]
            self._fine()
        if lines or abandoned:
            self._tell({"run": run.uid, "stored": run.stored, "done": run.stopped or abandoned})
        return bool(lines)

    def _begin(self, run: _StoredRun) -> bool:
        """Make ready for a run's documents; False where the catalogue has it whole."""
        if not run.first_try and make_room(self._catalog, [run.uid]):
            run.stopped = True
            return False
        run.tiled = tiled_writer(self._catalog, live=not run.ended)
        return True

    def _is_abandoned(self, run: _StoredRun) -> bool:
        if time.monotonic() - run.quiet_since < _ABANDONED_AFTER_S:
            return False
        run.quiet_since = time.monotonic()
        return not is_written(run.path) and not run.lines()

    def _failed(self, run: _StoredRun, error: Exception) -> None:
        self._trouble(f"run {run.uid or run.path.name} can't be stored ({_in_words(error)})")
        run.again()
        run.wait.longer()
        self.close()
        self._wait = Wait()

    def _trouble(self, text: str) -> None:
        if not self.troubled:
            self._tell({"trouble": text})
        self.troubled = True

    def _fine(self) -> None:
        if self.troubled and not any(run.wait.seconds for run in self._runs.values()):
            self.troubled = False
            self._wait = Wait()
            self._tell({"fine": "all runs are in the catalogue again"})


def _in_words(error: BaseException) -> str:
    return json.dumps(f"{type(error).__name__}: {error}", ensure_ascii=False)[1:301].removesuffix('"')
