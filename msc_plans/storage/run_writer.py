"""Runs into journals on the caller's thread, and from there into the catalogue by a process of its own."""

import atexit
import json
import logging
import os
import sys
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from msc_plans.processes import Child
from msc_plans.storage.journal import Journal, is_written, journals

__all__ = ["JournalError", "RunWriter"]

logger = logging.getLogger(__name__)

# How a document says which run it is of; the first that is there counts.
_REFERENCES = ("run_start", "descriptor", "stream_resource", "resource")
_SYNC_S = 1.0
_LOOK_S = 0.05
_RESTART_S = 1.0
_END_S = 60.0
_LOOKED_AT = 100


class JournalError(OSError):
    """The journal can't be written, so that nothing would be kept of a run that starts now."""


class _OpenRun:
    """One run: its journal, what could not be written to it yet, and how much of it is in the catalogue."""

    # after a long outage there are thousands
    __slots__ = ("done", "emitted", "journal", "stopped", "stored", "uid", "waiting")

    def __init__(self, folder: Path, uid: str) -> None:
        self.uid = uid
        self.waiting: list[bytes] = []
        self.emitted = self.stored = 0
        self.stopped = self.done = False
        self.journal = Journal(folder, uid)

    def append(self, line: bytes) -> None:
        """Journal a line, after those that had to wait."""
        self.waiting.append(line)
        self.emitted += 1
        self.catch_up()

    def catch_up(self) -> None:
        """Journal what had to wait."""
        while self.waiting:
            self.journal.append(self.waiting[0])
            del self.waiting[0]

    @property
    def is_over(self) -> bool:
        """Whether all of it is in a journal that is still open."""
        return self.stopped and not self.waiting and not self.journal.closed

    @property
    def pending(self) -> int:
        """Documents that are not in the catalogue, as far as is known."""
        # another process may store for us (see ``write``): it tells its own parent, and moves the journal
        if not self.done and self.stopped and not self.waiting and not self.journal.path.exists():
            self.done = True
        return 0 if self.done else self.emitted - self.stored


class RunWriter:
    """Subscriber that stores runs: ``RE.subscribe(RunWriter("store", "store/journal"))``.

    A call hands the document to the operating system and returns: it survives the end of this process, however it
    ends. Another thread puts it on the disk itself, at every stop document and at least once a second, so that a
    power cut costs at most the last second. A process of the writer's own (see ``write``), of lower priority, brings
    the journals into the catalogue. While the catalogue does not answer, runs wait in their journals, a warning is
    logged once, and they are stored when it is back; so are those that an earlier process has left.

    Runs may overlap, and documents may come from several threads.

    Parameters
    ----------
    where : str or Path
        The catalogue: URI of a Tiled server, or folder of a store that one serves.
    journal : str or Path
        Folder of the journals; made where missing.
    api_key : str, optional
        The key to show the server; taken from the folder, the URI or ``TILED_API_KEY`` where not given.
    """

    def __init__(self, where: str | Path, journal: str | Path, api_key: str | None = None) -> None:
        self.folder = Path(journal).expanduser().resolve()
        self.folder.mkdir(parents=True, exist_ok=True)
        self.trouble = ""
        """Why runs wait in their journals; empty while they do not."""
        self._where = str(where)
        self._api_key = api_key
        self._changed = threading.Condition()
        self._closing = False
        self._refused: set[str] = set()
        self._runs: dict[str, _OpenRun] = {}
        """By the uid of every document that others refer to: start, descriptor, resource."""
        self._open: list[_OpenRun] = []
        """Whose journal may grow, or is not on the disk yet: few, however many wait for the catalogue."""
        self._unstored: dict[str, _OpenRun] = {}
        """By uid: not in the catalogue, as far as is known."""
        self._look_at = _LOOKED_AT
        self._journal_full = False
        self._child = self._spawn()
        self._threads = [
            threading.Thread(target=target, name=f"run-writer {target.__name__[1:]}", daemon=True)
            for target in (self._sync, self._listen)
        ]
        for thread in self._threads:
            thread.start()
        atexit.register(self.close)

    @property
    def pending(self) -> int:
        """Documents not yet in the catalogue."""
        with self._changed:
            self._forget_stored()
            return sum(run.pending for run in self._unstored.values())

    def __call__(self, name: str, doc: dict[str, Any]) -> None:
        """Take a document.

        Raises
        ------
        JournalError
            A run starts, and its journal can't be written (disk full, say). The documents of a run that has begun are
            kept in memory until they can.
        """
        if self._closing:
            logger.error("a %r document came after the writer was closed and is not stored", name)
            return
        # the line is also the copy that guards against a document changed after it was emitted
        line = Journal.line(name, doc)
        with self._changed:
            if name == "start":
                self._start(doc["uid"], line)
                return
            run = self._run_of(name, doc)
            if run is None:
                return
            try:
                run.append(line)
            except OSError as error:
                self._say_full(error)
            if name == "stop":
                run.stopped = True
                self._changed.notify_all()

    @property
    def waiting(self) -> int:
        """Runs that are not, or not wholly, in the catalogue yet."""
        with self._changed:
            self._forget_stored()
            return sum(run.pending > 0 for run in self._unstored.values())

    def flush(self, timeout: float = 60.0) -> bool:
        """Wait until all documents are in the catalogue; False when `timeout` seconds were not enough."""
        deadline = time.monotonic() + timeout
        while self.pending:
            with self._changed:
                self._changed.wait(_LOOK_S)
            if time.monotonic() > deadline:
                return False
        return True

    def settle(self, stalled_s: float = 60.0) -> bool:
        """Wait until the catalogue has all of this writer's runs and all that processes which have died left behind.

        Returns
        -------
        bool
            False when for ``stalled_s`` seconds nothing more was stored.
        """
        before, deadline = -1, 0.0
        # what others left is looked for in the file system
        while now := self.pending or self._left_behind():
            if now != before:
                before, deadline = now, time.monotonic() + stalled_s
            elif time.monotonic() > deadline:
                return False
            with self._changed:
                self._changed.wait(_LOOK_S)
        return True

    def _left_behind(self) -> int:
        with self._changed:
            own = {run.journal.path for run in (*self._open, *self._unstored.values())}
        left = 0
        for path in journals(self.folder):
            with suppress(FileNotFoundError):  # stored meanwhile
                left += path not in own and not is_written(path)
        return left

    def close(self, timeout: float = 60.0) -> None:
        """Flush, then end threads and process; what is not stored after `timeout` seconds stays in the journals."""
        atexit.unregister(self.close)
        with self._changed:
            if self._closing:
                return
            self._closing = True
            self._changed.notify_all()
        sync, listen = self._threads
        sync.join()
        child = self._child
        child.stdin.close()
        child.wait(timeout)
        listen.join()
        child.end()
        left = self.waiting
        if left:
            logger.warning(
                "%d runs are not in the catalogue yet and stay in %s; the next session, or msc replay, brings them in",
                left, self.folder,
            )  # fmt: skip

    # -- the caller's side

    def _start(self, uid: str, line: bytes) -> None:
        try:
            for run in self._open:
                run.catch_up()
            run = _OpenRun(self.folder, uid)
            run.append(line)
        except OSError as error:
            self._refused.add(uid)
            raise JournalError(
                f"the journal in {self.folder} can't be written ({error.strerror or error}), and nothing would be kept "
                "of this run. Make room, then go on"
            ) from error
        self._runs[uid] = run
        self._open.append(run)
        self._unstored[uid] = run
        if len(self._unstored) > self._look_at:
            self._forget_stored()
            self._look_at = 2 * len(self._unstored) + _LOOKED_AT

    def _forget_stored(self) -> None:
        """Forget the runs that another process has stored: it tells its own parent."""
        self._unstored = {uid: run for uid, run in self._unstored.items() if run.pending or not run.stopped}

    def _run_of(self, name: str, doc: dict[str, Any]) -> _OpenRun | None:
        refers_to = next((doc[key] for key in _REFERENCES if key in doc), "")
        run = self._runs.get(refers_to)
        if run is None:
            if refers_to in self._refused:
                if name == "descriptor":
                    self._refused.add(doc["uid"])
            else:
                logger.error("a %r document of no run that began here is not stored: %.200r", name, doc)
        elif name == "stop":
            self._runs = {uid: other for uid, other in self._runs.items() if other is not run}
        elif name in ("descriptor", "resource", "stream_resource"):
            self._runs[doc["uid"]] = run
        return run

    def _say_full(self, error: OSError) -> None:
        if not self._journal_full:
            logger.error(
                "the journal in %s can't be written (%s): what is measured is kept in memory; make room",
                self.folder, error.strerror or error,
            )  # fmt: skip
        self._journal_full = True

    def _rescue(self, run: _OpenRun) -> None:
        """Write what a full disk has kept in memory, elsewhere if need be."""
        try:
            run.catch_up()
        except OSError:
            try:
                descriptor, path = tempfile.mkstemp(prefix=f"{run.journal.path.stem}-", suffix=".jsonl.part")
                with os.fdopen(descriptor, "wb") as file:
                    file.writelines(run.waiting)
            except OSError as error:
                path = f"no file, and lost: {error}"
            logger.error("the last %d documents of run %s are in %s", len(run.waiting), run.uid, path)

    # -- threads

    def _sync(self) -> None:
        """Put journals on the disk: at once when a run stops, else once a second."""
        closing = False
        while not closing:
            with self._changed:
                self._changed.wait_for(lambda: self._closing or any(run.is_over for run in self._open), _SYNC_S)
                closing = self._closing
                self._open = [run for run in self._open if not run.journal.closed]
                runs = list(self._open)
                self._catch_up(runs)
            for run in runs:
                if closing:
                    self._rescue(run)
                # looked at first: what comes while it is put on the disk is for the next time
                over = run.is_over or closing
                try:
                    run.journal.sync()
                except OSError as error:
                    logger.error("the journal of run %s is not on the disk yet: %s", run.uid, error)
                # of a run that never got its stop document, too, when we close: nobody should wait for more of it
                if over:
                    run.journal.close()

    def _catch_up(self, runs: list[_OpenRun]) -> None:
        with suppress(OSError):
            for run in runs:
                run.catch_up()
            self._journal_full = False

    def _listen(self) -> None:
        """Take what the process says, and start another where it ends by itself."""
        while True:
            for line in self._child.stdout:
                self._take(line)
            with self._changed:
                if self._closing:
                    return
                self._child.wait(_END_S)
                logger.warning(
                    "the process that stores runs has ended (code %s); another one goes on", self._child.returncode
                )
                self._changed.wait_for(lambda: self._closing, _RESTART_S)
                if self._closing:
                    return
                self._child.end()
                self._child = self._spawn()

    def _take(self, line: bytes) -> None:
        try:
            said = json.loads(line)
        except ValueError:
            logger.warning("the process that stores runs said %r", line)
            return
        with self._changed:
            if "run" in said:
                run = self._unstored.get(said["run"])
                if run is not None:
                    run.stored, run.done = said["stored"], said["done"]
                if said["done"]:
                    self._unstored.pop(said["run"], None)
                self._changed.notify_all()
                return
            self.trouble = said.get("trouble", "")
        if self.trouble:
            logger.warning("%s; runs wait in %s and are stored when it is over", self.trouble, self.folder)
        elif "fine" in said:
            logger.info("%s", said["fine"])

    def _spawn(self) -> Child:
        return Child(
            "the process that stores runs",
            [sys.executable, "-m", "msc_plans.storage.ingest_process", str(self.folder), self._where],
            log=self.folder / "writer.log",
            environment={"TILED_API_KEY": self._api_key} if self._api_key else {},
            pipes=True,
        )
