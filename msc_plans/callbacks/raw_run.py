"""What live analyses share: collect a raw run, analyse it at its stop document, publish, answer who waits."""

import logging
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.metadata import version
from threading import Lock
from typing import Any

import numpy as np

from msc_plans.callbacks.publish import publish_run
from msc_plans.protocols import AnalysisFailedError, Documents

__all__ = ["Analysis", "Observer", "RawRun", "RawRunCallback"]

log = logging.getLogger(__name__)

Observer = Callable[[str, Mapping[str, Any], Any], Any]
"""Takes the name of an analysis, the start document of the raw run and the result itself."""

_COPIED = ("campaign_uid", "trial_id", "condition", "sample", "schema_version")
_ANSWERS_KEPT = 1000


@dataclass
class RawRun:
    """Documents of one raw run."""

    start: Mapping[str, Any]
    descriptors: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    events: dict[str, list[Mapping[str, Any]]] = field(default_factory=dict)
    """By the descriptor's uid."""

    @property
    def uid(self) -> str:
        """Uid of the run."""
        return str(self.start["uid"])

    def stream_with(self, stream: str, key: str) -> tuple[Mapping[str, Any], list[Mapping[str, Any]]] | None:
        """Return the descriptor and the data of the events of a stream, if it holds the key; the last one counts."""
        for uid, descriptor in reversed(self.descriptors.items()):
            if descriptor["name"] == stream and key in descriptor["data_keys"]:
                return descriptor, [event["data"] for event in self.events.get(uid, ())]
        return None


@dataclass(frozen=True)
class Analysis:
    """What one analysis of a raw run gave."""

    name: str
    result: Any
    """Handed to observers."""
    outcome: Mapping[str, Any]
    """Numbers and strings by key: published, and the answer to who waits."""
    arrays: Mapping[str, np.ndarray] = field(default_factory=dict)
    """Published too."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """What it was told beside the callback's own settings, such as ``background_uid``."""
    families: Sequence[str] | None = None
    """Names of the families found; None where the analysis does not look for them."""


class RawRunCallback:
    """Analyse each raw run at its stop document and publish the results.

    Subclasses say which runs concern them and analyse one. A failure is published as a failed analysis with its
    reason, and is the error of :meth:`outcome`.

    Parameters
    ----------
    settings : mapping
        Published with every result.
    listeners : sequence of callables
        Get the documents of the analysis runs.
    observers : sequence of callables
        Get each result itself; what they raise is logged.
    """

    name = "analysis"

    def __init__(
        self, settings: Mapping[str, Any], listeners: Sequence[Documents], observers: Sequence[Observer] = ()
    ) -> None:
        self._published_settings = settings
        self._listeners = listeners
        self._observers = observers
        self._runs: dict[str, RawRun] = {}
        self._run_of_stream: dict[str, str] = {}
        self._futures: OrderedDict[str, Future[dict[str, Any]]] = OrderedDict()
        self._lock = Lock()

    def outcome(self, raw_uid: str) -> "Future[dict[str, Any]]":
        """Return the future of the outcome of a raw run.

        Its error is :class:`AnalysisFailedError` where the run holds nothing that can be analysed.
        """
        with self._lock:
            return self._futures.setdefault(raw_uid, Future())

    def forget(self, raw_uid: str) -> None:
        """Drop the outcome of a raw run that nobody will ask for."""
        with self._lock:
            self._futures.pop(raw_uid, None)

    def __call__(self, name: str, document: Mapping[str, Any]) -> None:
        """Take a document of a raw run."""
        if name == "start":
            if document.get("purpose") not in ("analysis", "suggestion"):
                self._runs[document["uid"]] = RawRun(document)
        elif name == "descriptor" and document["run_start"] in self._runs:
            self._runs[document["run_start"]].descriptors[document["uid"]] = document
            self._run_of_stream[document["uid"]] = document["run_start"]
        elif name == "event" and document["descriptor"] in self._run_of_stream:
            run = self._runs[self._run_of_stream[document["descriptor"]]]
            run.events.setdefault(document["descriptor"], []).append(document)
        elif name == "stop" and document["run_start"] in self._runs:
            self._finish(self._runs.pop(document["run_start"]), document)

    def replay(self, documents: Sequence[tuple[str, Mapping[str, Any]]]) -> None:
        """Analyse a stored raw run, from its documents; its outcome is waited for as that of any.

        One that was analysed live has its outcome already, though the store may lack it yet: it is left alone.
        """
        if documents and self.outcome(documents[0][1]["uid"]).done():
            return
        for name, document in documents:
            self(name, document)

    def _concerns(self, run: RawRun) -> bool:
        """Return whether a run holds what this analysis works on."""
        raise NotImplementedError

    def _analyse(self, run: RawRun) -> Sequence[Analysis]:
        """Analyse a run; whatever is raised fails the analysis."""
        raise NotImplementedError

    def _finish(self, run: RawRun, stop: Mapping[str, Any]) -> None:
        for stream in run.descriptors:
            del self._run_of_stream[stream]
        future = self.outcome(run.uid)
        self._forget_old_answers()
        if stop["exit_status"] != "success":
            _fail(future, f"run {run.uid} ended as {stop['exit_status']}")
            return
        if not self._concerns(run):
            _fail(future, f"run {run.uid} holds nothing for {self.name}")
            return
        try:
            analyses = self._analyse(run)
        except Exception as error:  # noqa: BLE001  whatever it is, someone may wait for the answer
            try:
                self._publish(run, Analysis(self.name, None, {}), exit_status="fail", reason=str(error))
            finally:
                _fail(future, f"run {run.uid}: {error}")
            return
        try:
            for analysis in analyses:
                self._publish(run, analysis)
        finally:
            # done already where it was replayed while its live analysis ran
            with suppress(InvalidStateError):
                future.set_result({key: value for analysis in analyses for key, value in analysis.outcome.items()})
            self._tell(run, analyses)

    def _publish(self, run: RawRun, analysis: Analysis, **stop: str) -> None:
        metadata = {
            "purpose": "analysis",
            "analysis": analysis.name,
            "raw_uid": run.uid,
            "raw_time": run.start["time"],
            "version": version("msc-plans"),
            "settings": {**self._published_settings, **analysis.settings},
            **{key: run.start[key] for key in _COPIED if key in run.start},
        }
        if analysis.families is not None:
            # the catalogue searches start documents, not events
            metadata["families"] = list(analysis.families)
        data = {**analysis.outcome, **analysis.arrays}
        plain = {key: value.item() if isinstance(value, np.generic) else value for key, value in data.items()}
        publish_run(self._listeners, metadata, plain, units=units_of(data), **stop)

    def _tell(self, run: RawRun, analyses: Sequence[Analysis]) -> None:
        for analysis in analyses:
            for observer in self._observers:
                try:
                    observer(analysis.name, run.start, analysis.result)
                except Exception:
                    log.exception("an observer of %s failed on run %s", analysis.name, run.uid)

    def _forget_old_answers(self) -> None:
        with self._lock:
            while len(self._futures) > _ANSWERS_KEPT and next(iter(self._futures.values())).done():
                self._futures.popitem(last=False)


def _fail(future: "Future[dict[str, Any]]", why: str) -> None:
    with suppress(InvalidStateError):
        future.set_exception(AnalysisFailedError(why))


# Longest first: the first that fits counts.
_UNITS = {"_inv_nm": "1/nm", "_mol_l": "mol/L", "_inv_cm": "1/cm", "_cm": "cm", "_nm": "nm", "_s": "s"}


def units_of(keys: Mapping[str, Any]) -> dict[str, str]:
    """Units that the names of data keys carry."""
    bare = {key: key.removesuffix("_sigma").removesuffix("_low").removesuffix("_high") for key in keys}
    return {
        key: next(unit for suffix, unit in _UNITS.items() if name.endswith(suffix))
        for key, name in bare.items()
        if name.endswith(tuple(_UNITS))
    }
