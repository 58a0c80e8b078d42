"""Live UV-vis: the raw run's counts in, the families found out, as documents of an analysis run."""

import logging
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import version
from threading import Lock
from typing import Any

import numpy as np

from msc_plans.analysis import uvvis
from msc_plans.callbacks.publish import publish_run
from msc_plans.protocols import AnalysisFailedError, Documents

__all__ = ["UvVisCallback", "UvVisSettings"]

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class UvVisSettings:
    """What the analysis must be told.

    Attributes
    ----------
    spectrometer : str
        Name of the device whose counts are analysed.
    path_length_cm : float
        Of the optical cell.
    full_conversion_height : float
        Absorbance of the first maximum if all Cd of the mixture were in nanocrystals.
    saturation : float, optional
        Counts at which a pixel is saturated.
    """

    spectrometer: str
    path_length_cm: float
    full_conversion_height: float
    saturation: float | None = None


@dataclass
class _Run:
    start: Mapping[str, Any]
    streams: dict[str, str] = field(default_factory=dict)
    counts: list[Any] = field(default_factory=list)
    calibration: Mapping[str, Any] | None = None


class UvVisCallback:
    """Analyse each raw run at its stop document and publish the result.

    The outcome of a raw run is also handed to who asked for it by :meth:`outcome`.

    Parameters
    ----------
    settings : UvVisSettings
        See there.
    listeners : sequence of callables
        Get the documents of the analysis runs.
    """

    def __init__(self, settings: UvVisSettings, listeners: Sequence[Documents]) -> None:
        self._settings = settings
        self._listeners = listeners
        self._runs: dict[str, _Run] = {}
        self._run_of_stream: dict[str, str] = {}
        self._futures: dict[str, Future[dict[str, Any]]] = {}
        self._lock = Lock()

    def outcome(self, raw_uid: str) -> "Future[dict[str, Any]]":
        """Return the future of the outcome of a raw run.

        Its error is :class:`AnalysisFailedError` where the run holds nothing that can be analysed.
        """
        with self._lock:
            return self._futures.setdefault(raw_uid, Future())

    def __call__(self, name: str, document: dict[str, Any]) -> None:
        """Take a document of a raw run."""
        if name == "start":
            if "condition" in document:
                self._runs[document["uid"]] = _Run(document)
        elif name == "descriptor" and document["run_start"] in self._runs:
            self._runs[document["run_start"]].streams[document["uid"]] = document["name"]
            self._run_of_stream[document["uid"]] = document["run_start"]
        elif name == "event":
            self._event(document)
        elif name == "stop" and document["run_start"] in self._runs:
            self._finish(self._runs.pop(document["run_start"]), document)

    def _event(self, document: Mapping[str, Any]) -> None:
        uid = self._run_of_stream.get(document["descriptor"])
        if uid is None:
            return
        run, name = self._runs[uid], self._settings.spectrometer
        stream = run.streams[document["descriptor"]]
        if stream == "primary":
            run.counts.append(document["data"][f"{name}_counts"])
        elif stream == "dark_reference":
            run.calibration = document["data"]

    def _finish(self, run: _Run, stop: Mapping[str, Any]) -> None:
        for stream in run.streams:
            del self._run_of_stream[stream]
        uid = run.start["uid"]
        future = self.outcome(uid)
        if stop["exit_status"] != "success":
            future.set_exception(AnalysisFailedError(f"run {uid} ended as {stop['exit_status']}"))
            return
        metadata = self._metadata(run)
        try:
            outcome, spectra = self._analyse(run)
        except Exception as error:  # noqa: BLE001  whatever it is, someone may wait for the answer
            try:
                publish_run(self._listeners, metadata, {}, exit_status="fail", reason=str(error))
            finally:
                future.set_exception(AnalysisFailedError(f"run {uid}: {error}"))
            return
        try:
            publish_run(self._listeners, metadata, {**outcome, **spectra})
        finally:
            future.set_result(outcome)

    def _metadata(self, run: _Run) -> dict[str, Any]:
        kept = ("campaign_uid", "trial_id", "condition", "sample", "schema_version")
        return {
            "purpose": "analysis",
            "analysis": "uvvis",
            "raw_uid": run.start["uid"],
            "version": version("msc-plans"),
            "settings": {
                "path_length_cm": self._settings.path_length_cm,
                "full_conversion_height": self._settings.full_conversion_height,
                "saturation": self._settings.saturation,
            },
            **{key: run.start[key] for key in kept if key in run.start},
        }

    def _analyse(self, run: _Run) -> tuple[dict[str, float], dict[str, np.ndarray]]:
        if run.calibration is None or not run.counts:
            raise ValueError("the run holds no dark and reference, or no counts")
        prefix = f"{self._settings.spectrometer}_calibration_"
        dark, reference, wavelength_nm = (
            np.asarray(run.calibration[prefix + key], float) for key in ("dark", "reference", "wavelength_nm")
        )
        absorbance = uvvis.absorbance(
            np.mean(run.counts, axis=0), dark, reference, saturation=self._settings.saturation
        )
        result = uvvis.analyse(wavelength_nm, absorbance, path_length_cm=self._settings.path_length_cm)
        outcome = uvvis.outcome(result, full_conversion_height=self._settings.full_conversion_height)
        on_pixels = partial(np.interp, wavelength_nm, result.wavelength_nm, left=np.nan, right=np.nan)
        spectra = {
            "wavelength_nm": wavelength_nm,
            "absorbance": absorbance,
            "fit": on_pixels(result.fit),
            "rest": on_pixels(result.rest),
        }
        return outcome, spectra
