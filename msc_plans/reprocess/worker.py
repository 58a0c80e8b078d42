"""One raw run analysed again, in a worker of ``msc reprocess``: read, analysed, stored."""

import json
import threading
import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import NAMESPACE_URL, UUID, uuid5

from msc_plans.storage.complete_runs import make_room, tiled_writer
from msc_plans.storage.ingest import Wait

if TYPE_CHECKING:
    from msc_plans.analysis.curve import ScatteringCurve

__all__ = ["Answer", "Job", "in_words", "last_uid", "reprocess_run"]

Document = tuple[str, dict[str, Any]]

_BACKGROUNDS_KEPT = 32
_TRIES = 3
_AWAY_S = 60.0
_ANOTHERS_S = 3.0


@dataclass(frozen=True, kw_only=True)
class Job:
    """What is to be done to each raw run, and where runs are read."""

    uri: str
    """URI of the Tiled server."""
    api_key: str | None = field(repr=False)  # Dask logs what a task that fails was given
    """Key of the server; None: from the worker's environment."""
    optics: str
    """The settings of the optical cell, as JSON."""
    spectrometer: str
    saxs: str
    """Names of the devices."""
    version: str
    """Version of msc-plans."""
    label: str = ""
    """Tells a job from one that is alike."""
    families: str = ""
    """Text of the family table, TOML; empty: the built-in one."""

    @property
    def uid(self) -> str:
        """The same for the same version, settings and label, so that a job that was cut short is known again."""
        told = {
            "optics": json.loads(self.optics),
            "devices": [self.spectrometer, self.saxs],
            "version": self.version,
            "label": self.label,
            "families": self.families,
        }
        return str(uuid5(NAMESPACE_URL, f"msc-plans/reprocess/{json.dumps(told, sort_keys=True)}"))


@dataclass(frozen=True)
class Answer:
    """What came of one raw run."""

    raw_uid: str
    analyses: int = 0
    """Analysis runs stored now."""
    failures: tuple[str, ...] = ()
    """Reasons, where analyses failed or were refused by the store: of those nothing is kept."""
    empty: bool = False
    """Whether the raw run holds nothing to analyse."""
    away: str = ""
    """Why the store was not reached for a minute; empty: it was."""


def last_uid(job_uid: str, raw_uid: str) -> str:
    """Return the uid of the analysis run of a job that is written last: when it is there, its raw run is done."""
    return str(uuid5(UUID(job_uid), raw_uid))


def reprocess_run(job: Job, raw_uid: str) -> Answer:
    """Read a raw run, analyse it as live and store what comes of it; what can't be analysed is a failure in the answer.

    What is stored already stays. While the store's server is away, as when it is started anew, or can't reach its
    database, it is tried again for a minute.
    """
    began, wait, tries = time.monotonic(), Wait(), 0
    while True:
        try:
            return _worker(job).reprocess(raw_uid)
        except Exception as error:  # noqa: BLE001  of the store or a file; a server that dies gives many kinds
            if not _is_away(error):
                tries += 1
            elif time.monotonic() - began > _AWAY_S:
                if _stays_away(job):
                    return Answer(raw_uid, away=in_words(error))
                tries = _TRIES  # it is this run alone
            if tries == _TRIES:
                return Answer(raw_uid, failures=(in_words(error),))
        wait.longer()
        threading.Event().wait(wait.seconds)


def _is_away(error: Exception) -> bool:
    """Return whether a server is not there, or is there without its database or a disk that it can write to."""
    import httpx

    failed = (
        isinstance(error, httpx.HTTPStatusError) and error.response.status_code >= httpx.codes.INTERNAL_SERVER_ERROR
    )
    return failed or isinstance(error, httpx.TransportError)


def _stays_away(job: Job) -> bool:
    """Return whether the store can't be asked, or written to: what it does to one run it will do to all."""
    try:
        return not _worker(job).may_go_on()
    except Exception as error:
        if not _is_away(error):
            raise
        return True


def _worker(job: Job) -> "_Worker":
    worker = getattr(_local, "worker", None)
    if worker is not None and worker.job != job:
        worker.close()
        worker = None
    if worker is None:
        worker = _local.worker = _Worker(job)
    return worker


def in_words(error: Exception) -> str:
    """Return an error's kind and message in one line."""
    return f"{type(error).__name__}: {' '.join(str(error).split())}"


_local = threading.local()  # callbacks serve one thread


class _Worker:
    """Catalogue and callbacks of one thread, kept for many runs: the first frame compiles and makes tables."""

    def __init__(self, job: Job) -> None:
        from msc_plans.callbacks.live import LiveAnalysis
        from msc_plans.callbacks.saxs import SaxsAnalysisSettings, SaxsCallback
        from msc_plans.families import built_in_families, parse_families
        from msc_plans.session.analyses import make_analyses
        from msc_plans.settings import OpticsSettings
        from msc_plans.storage import open_catalog
        from msc_plans.storage.client import limit_retries

        self.job = job
        self._catalog = open_catalog(job.uri, job.api_key)
        limit_retries()
        self._writer = tiled_writer(self._catalog)
        self._published: list[Document] = []
        _, self._callbacks = make_analyses(
            OpticsSettings.model_validate_json(job.optics),
            parse_families(job.families) if job.families else built_in_families(),
            job.spectrometer,
            job.saxs,
            [lambda name, document: self._published.append((name, document))],
            background=self._background,
        )
        self._live = LiveAnalysis(self._callbacks)
        self._unread: Exception | None = None
        self._storing = False
        self._backgrounds: OrderedDict[str, ScatteringCurve] = OrderedDict()
        self._integrate = SaxsCallback(
            SaxsAnalysisSettings(job.saxs),
            [],
            [lambda name, start, curve: self._backgrounds.update({start["uid"]: curve})],
        )

    def close(self) -> None:
        from msc_plans.storage import close_catalog

        close_catalog(self._catalog)

    def reprocess(self, raw_uid: str) -> Answer:
        self._published.clear()
        self._unread, self._storing = None, False
        for name, document in self._read(raw_uid):
            self._live(name, document)
        for callback in self._callbacks:
            callback.forget(raw_uid)
        if self._unread is not None:
            raise self._unread
        documents, failures = _of_job(self.job.uid, raw_uid, self._published)
        return Answer(raw_uid, self._store(documents), failures, empty=not documents and not failures)

    def _store(self, documents: Sequence[Document]) -> int:
        if not documents:
            return 0
        self._storing = True
        uids = [document["uid"] for name, document in documents if name == "start"]
        whole = make_room(self._catalog, uids, _ANOTHERS_S)
        stored, current = 0, ""
        try:
            for name, document in documents:
                current = document["uid"] if name == "start" else current
                if current not in whole:
                    self._writer(name, document)
                    stored += name == "start"
        except BaseException:
            self._writer = tiled_writer(self._catalog)
            raise
        return stored

    def _read(self, uid: str) -> list[Document]:
        from msc_plans.storage.runs import documents

        return list(documents(self._catalog[uid]))

    def _background(self, uid: str) -> "ScatteringCurve | None":
        try:
            if uid not in self._backgrounds and uid in self._catalog:
                self._integrate.replay(self._read(uid))
                self._integrate.forget(uid)
        except Exception as error:
            self._unread = error  # the callback takes it for a failure of the analysis
            raise
        while len(self._backgrounds) > _BACKGROUNDS_KEPT:
            self._backgrounds.popitem(last=False)
        return self._backgrounds.get(uid)

    def may_go_on(self) -> bool:
        """Return whether what failed last was reading; raises where the store can't be asked at all."""
        self._catalog.keys()[:1]
        return not self._storing


def _of_job(job_uid: str, raw_uid: str, published: Sequence[Document]) -> tuple[list[Document], tuple[str, ...]]:
    """Give the analysis runs uids that follow from what they are of: what is written twice is the same run.

    Returns
    -------
    documents : list of (str, dict)
        In the order in which they are to be written: the run that is written last has the uid `last_uid`.
    failures : tuple of str
        Reasons of the analyses that failed, whose documents are left out.
    """
    starts = {document["uid"]: document for name, document in published if name == "start"}
    failed = {
        document["run_start"]: f"{starts[document['run_start']]['analysis']}: {document['reason']}"
        for name, document in published
        if name == "stop" and document["exit_status"] != "success"
    }
    kept = [uid for uid in starts if uid not in failed]
    named = {uid: str(uuid5(UUID(job_uid), f"{raw_uid}/{starts[uid]['analysis']}")) for uid in kept}
    if kept and not failed:
        named[kept[-1]] = last_uid(job_uid, raw_uid)
    documents: list[Document] = []
    of_stream: dict[str, str] = {}
    for name, document in published:
        run = _run_of(name, document, of_stream)
        if run not in named:
            continue
        if name == "start":
            document = {**document, "uid": named[run], "reprocess_uid": job_uid}
        elif "run_start" in document:
            document = {**document, "run_start": named[run]}
        documents.append((name, document))
    return documents, tuple(failed.values())


def _run_of(name: str, document: Mapping[str, Any], of_stream: dict[str, str]) -> str:
    if name == "start":
        return document["uid"]
    if name == "descriptor":
        of_stream[document["uid"]] = document["run_start"]
    return document["run_start"] if "run_start" in document else of_stream[document["descriptor"]]
