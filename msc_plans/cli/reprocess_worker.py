"""One raw run analysed again, in a worker of ``msc reprocess``: reads the catalogue, writes nothing."""

import json
import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import NAMESPACE_URL, UUID, uuid5

if TYPE_CHECKING:
    from msc_plans.analysis.curve import ScatteringCurve

__all__ = ["Answer", "Job", "analyse_run", "last_uid"]

Document = tuple[str, dict[str, Any]]

_BACKGROUNDS_KEPT = 32


@dataclass(frozen=True)
class Job:
    """What is to be done to each raw run, and where runs are read."""

    uri: str
    """Of the Tiled server."""
    api_key: str | None
    """Of the server; None: from the worker's environment."""
    optics: str
    """The settings of the optical cell, as JSON."""
    spectrometer: str
    saxs: str
    """Names of the devices."""
    version: str
    """Of msc-plans."""
    label: str = ""
    """Tells a job from one that is alike."""

    @property
    def uid(self) -> str:
        """The same for the same version, settings and label, so that a job that was cut short is known again."""
        told = {
            "optics": json.loads(self.optics),
            "devices": [self.spectrometer, self.saxs],
            "version": self.version,
            "label": self.label,
        }
        return str(uuid5(NAMESPACE_URL, f"msc-plans/reprocess/{json.dumps(told, sort_keys=True)}"))


@dataclass(frozen=True)
class Answer:
    """What came of one raw run."""

    raw_uid: str
    documents: Sequence[Document] = ()
    """Of the analysis runs, to be written in this order; the run that is written last has the uid `last_uid`."""
    failures: Sequence[str] = field(default=())
    """Reasons, where analyses failed: those have no documents."""

    @property
    def analyses(self) -> int:
        """Number of analysis runs."""
        return sum(name == "start" for name, _ in self.documents)


def last_uid(job_uid: str, raw_uid: str) -> str:
    """Return the uid of the analysis run of a job that is written last: when it is there, its raw run is done."""
    return str(uuid5(UUID(job_uid), raw_uid))


def analyse_run(job: Job, raw_uid: str) -> Answer:
    """Read a raw run and analyse it as live; what can't be analysed is a failure in the answer."""
    worker = getattr(_local, "worker", None)
    if worker is None or worker.job != job:
        worker = _local.worker = _Worker(job)
    return worker.analyse(raw_uid)


_local = threading.local()  # callbacks serve one thread


class _Worker:
    """Catalogue and callbacks of one thread, kept for many runs: the first frame compiles and makes tables."""

    def __init__(self, job: Job) -> None:
        from msc_plans.callbacks.live import LiveAnalysis
        from msc_plans.callbacks.saxs import SaxsCallback, SaxsSettings
        from msc_plans.cli.analyses import make_analyses
        from msc_plans.settings import OpticsSettings
        from msc_plans.storage import open_catalog

        self.job = job
        self._catalog = open_catalog(job.uri, job.api_key)
        self._published: list[Document] = []
        _, self._callbacks = make_analyses(
            OpticsSettings.model_validate_json(job.optics),
            job.spectrometer,
            job.saxs,
            [lambda name, document: self._published.append((name, document))],
            background=self._background,
        )
        self._live = LiveAnalysis(self._callbacks)
        self._backgrounds: OrderedDict[str, ScatteringCurve] = OrderedDict()
        self._integrate = SaxsCallback(
            SaxsSettings(job.saxs), [], [lambda name, start, curve: self._backgrounds.update({start["uid"]: curve})]
        )

    def analyse(self, raw_uid: str) -> Answer:
        self._published.clear()
        for name, document in self._read(raw_uid):
            self._live(name, document)
        for callback in self._callbacks:
            callback.forget(raw_uid)
        return _answer(self.job.uid, raw_uid, self._published)

    def _read(self, uid: str) -> list[Document]:
        from msc_plans.storage.runs import documents

        return list(documents(self._catalog[uid]))

    def _background(self, uid: str) -> "ScatteringCurve | None":
        if uid not in self._backgrounds and uid in self._catalog:
            self._integrate.replay(self._read(uid))
            self._integrate.forget(uid)
            while len(self._backgrounds) > _BACKGROUNDS_KEPT:
                self._backgrounds.popitem(last=False)
        return self._backgrounds.get(uid)


def _answer(job_uid: str, raw_uid: str, published: Sequence[Document]) -> Answer:
    """Give the analysis runs uids that follow from what they are of: what is written twice is the same run."""
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
    return Answer(raw_uid, documents, list(failed.values()))


def _run_of(name: str, document: Mapping[str, Any], of_stream: dict[str, str]) -> str:
    if name == "start":
        return document["uid"]
    if name == "descriptor":
        of_stream[document["uid"]] = document["run_start"]
    return document["run_start"] if "run_start" in document else of_stream[document["descriptor"]]
