"""Runs into the catalogue, off the RunEngine's thread, and nothing lost on the way."""

import atexit
import json
import logging
import os
import threading
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .journal import Journal

if TYPE_CHECKING:
    from bluesky_tiled_plugins import TiledWriter
    from bluesky_tiled_plugins.clients.catalog_of_bluesky_runs import CatalogOfBlueskyRuns

__all__ = ["RunWriter"]

logger = logging.getLogger(__name__)

# How a document says which run it is of; the first that is there counts.
_REFERENCES = ("run_start", "descriptor", "stream_resource", "resource")


class _Run:
    """One run on its way: into its journal, then, by the writer's thread, into the catalogue."""

    def __init__(self, writer: "RunWriter", uid: str):
        self.uid = uid
        self.kept_back = False
        self._writer = writer
        self._journal = Journal(writer.backup, uid)
        self._tiled: TiledWriter | None = None

    def __call__(self, name: str, doc: dict[str, Any]) -> None:
        """Take a document from the RunEngine's thread."""
        # The line is also the copy that guards against a document changed after it was emitted.
        line = Journal.line(name, doc)
        try:
            self._journal.append(line)
        except OSError:  # disk full, say: the catalogue may be elsewhere
            logger.exception("run %s: a document can't be journalled; it goes to the catalogue only", self.uid)
        self._writer._enqueue(self, line)

    def store(self, line: str) -> None:
        """Write a document to the catalogue, from the writer's thread."""
        item = json.loads(line)
        if not self.kept_back:
            try:
                if self._tiled is None:
                    self._tiled = self._writer._tiled_writer()
                self._tiled(item["name"], item["doc"])
            except Exception as error:  # noqa: BLE001 - whatever it is, the journal has the run
                self.keep_back(error)
        if item["name"] == "stop":
            self._writer._failing = self.kept_back
            self.close()

    def keep_back(self, why: object) -> None:
        """Leave the run to its journal: a part of it in the catalogue must never look whole."""
        if not self.kept_back:
            self.kept_back = True
            self._writer._report(self, why)

    def close(self) -> None:
        """Let go of the journal; it stays if the run is not whole in the catalogue."""
        self._journal.close(keep=self.kept_back)


class RunWriter:
    """Subscriber that stores runs: ``RE.subscribe(RunWriter(catalog, "store/backup"))``.

    A call journals the document and returns; a thread of the writer's own brings it into the catalogue. When
    the catalogue fails (server dead, or too far behind), the run concerned stays in its journal, whole, a
    warning is logged, and the next run tries the catalogue again. `replay` brings journals in later.
    Runs may overlap, and documents may come from several threads.

    Parameters
    ----------
    catalog : CatalogOfBlueskyRuns
        Where to write, from `open_catalog`.
    backup : str or Path
        Folder of the journals; made where missing.
    backlog : int
        With so many documents waiting, the runs that go on are left to their journals.
    """

    def __init__(self, catalog: "CatalogOfBlueskyRuns", backup: str | Path, backlog: int = 10_000):
        self.backup = Path(backup).expanduser().resolve()
        self.backup.mkdir(parents=True, exist_ok=True)
        self.failed = 0
        """Runs left to their journals so far."""
        self._catalog = catalog
        self._backlog = backlog
        self._queue: deque[tuple[_Run, str]] = deque()
        self._pending = 0
        self._changed = threading.Condition()
        self._closing = False
        self._giving_up = False
        self._failing = False
        self._runs: dict[str, _Run] = {}
        """By the uid of every document that others refer to: start, descriptor, resource."""
        self._routing = threading.Lock()
        self._thread = threading.Thread(target=self._work, name="run-writer", daemon=True)
        self._thread.start()
        atexit.register(self.close)

    @property
    def pending(self) -> int:
        """Documents not yet in the catalogue or given up."""
        return self._pending

    def __call__(self, name: str, doc: dict[str, Any]) -> None:
        """Take a document; never raises."""
        if self._closing:
            logger.error("a %r document came after the writer was closed and is not stored", name)
            return
        try:
            with self._routing:
                self._run_of(name, doc)(name, doc)
        except Exception:
            logger.exception("a %r document can't be stored: %.200r", name, doc)

    def flush(self, timeout: float = 60.0) -> bool:
        """Wait until nothing is pending; False when `timeout` seconds were not enough."""
        with self._changed:
            return self._changed.wait_for(lambda: self._pending == 0, timeout)

    def close(self, timeout: float = 60.0) -> None:
        """Flush, then end the thread; what is not stored after `timeout` seconds stays in the journals."""
        atexit.unregister(self.close)
        self._closing = True
        if not self.flush(timeout):
            self._giving_up = True
        with self._changed:
            self._changed.notify_all()
        self._thread.join()
        for run in self._runs.values():
            run.kept_back = True  # it never stopped: the catalogue can't have the whole of it
            run.close()

    def _run_of(self, name: str, doc: dict[str, Any]) -> _Run:
        if name == "start":
            run = _Run(self, doc["uid"])
        else:
            refers_to = next(key for key in _REFERENCES if key in doc)
            run = self._runs[doc[refers_to]]
        if name == "stop":
            self._runs = {uid: other for uid, other in self._runs.items() if other is not run}
        elif name in ("start", "descriptor", "resource", "stream_resource"):
            self._runs[doc["uid"]] = run
        return run

    def _enqueue(self, run: _Run, line: str) -> None:
        with self._changed:
            self._queue.append((run, line))
            self._pending += 1
            self._changed.notify_all()

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._queue or self._closing)
                if not self._queue:
                    return
                run, line = self._queue.popleft()
                behind = len(self._queue) >= self._backlog
            if self._giving_up:
                run.keep_back("the writer was closed before the run was stored")
            elif behind:
                run.keep_back(f"the catalogue is {self._backlog} documents behind")
            try:
                run.store(line)
            except Exception:  # the thread must outlive any one run
                logger.exception("run %s: its journal can't be closed", run.uid)
            with self._changed:
                self._pending -= 1
                self._changed.notify_all()

    def _tiled_writer(self) -> "TiledWriter":
        from bluesky_tiled_plugins import TiledWriter

        _limit_retries()
        # One a run, so that a run that failed leaves nothing behind in the next; a batch of one shows each
        # event to readers when it happens; short arrays, kept in tables by default, would read back as text.
        return TiledWriter(self._catalog, batch_size=1, max_array_size=0)

    def _report(self, run: _Run, why: object) -> None:
        self.failed += 1
        log = logger.info if self._failing else logger.warning
        self._failing = True
        log(
            "run %s can't be stored in the catalogue and stays in %s (%s: %s); bring it in with replay. "
            "Further runs that fail are not warned of until one is stored",
            run.uid,
            self.backup / f"{run.uid}.jsonl",
            type(why).__name__,
            why,
        )


def _limit_retries() -> None:
    """Let a dead server cost seconds, not Tiled's minutes, where the site set nothing itself."""
    from tiled.client import utils

    # Tiled reads its environment once, at import, which may long have happened.
    if "TILED_RETRY_ATTEMPTS" not in os.environ:
        utils.TILED_RETRY_ATTEMPTS = 3
    if "TILED_RETRY_TIMEOUT" not in os.environ:
        utils.TILED_RETRY_TIMEOUT = 5.0
