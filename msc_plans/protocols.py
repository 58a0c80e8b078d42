"""What plans and callbacks need of devices, of the store and of each other: structural types."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from typing import Any, Protocol, runtime_checkable

__all__ = [
    "AnalysisFailedError",
    "Documents",
    "History",
    "Publish",
    "Reactor",
    "Results",
    "SaxsLike",
    "SpectrometerLike",
]

Documents = Callable[[str, dict[str, Any]], Any]
"""A callback: takes the name of a document and the document."""

Publish = Callable[[Mapping[str, Any], Mapping[str, Any]], str]
"""Publishes a run of one event: start metadata and data in, uid out."""


class AnalysisFailedError(RuntimeError):
    """The live analysis of a run found no usable data; the message says what was wrong."""


class _Device(Protocol):
    """What bluesky asks of any device that is read; ophyd's own types are looser than bluesky's."""

    @property
    def name(self) -> str:
        """Its name in documents."""
        ...

    def read(self) -> Any:
        """Return its readings."""
        ...

    def describe(self) -> Any:
        """Describe its readings."""
        ...


@runtime_checkable
class Reactor(_Device, Protocol):
    """A flow reactor: takes a condition, lets one liquid flow, has two ovens, three syringes and a standby.

    ``geometry`` has volumes in µL (``heated_ul``, ``behind_ul``, ``swept_ul``) and ``flow_ul_min(residence_time)``;
    ``flush_volumes`` is how many swept volumes a condition takes. The rates say how fast its ovens go.
    """

    geometry: Any
    heating_k_min: float
    cooling_s: float
    flush_flow_ul_min: float
    nucleation: Any
    growth: Any
    pump_cd: Any
    pump_se: Any
    pump_solvent: Any
    solvent: Any
    mixture: Any
    cd_only: Any
    se_only: Any
    loop: Any
    standby_flow: Any
    standby_temperature: Any
    interlock: Any

    @property
    def flush_volumes(self) -> float:
        """Swept volumes that a condition takes."""
        ...

    def set(self, condition: Any) -> Any:
        """Go to a condition; the status is done when its mixture fills the cells."""
        ...

    def stop(self, *, success: bool = False) -> None:
        """Give up a move and stop spending precursor; mild and idempotent."""
        ...

    def check_value(self, value: Any, **kwargs: Any) -> None:
        """Raise ValueError for a condition it can't do."""
        ...


@runtime_checkable
class SpectrometerLike(_Device, Protocol):
    """A spectrometer with light, shutter, and the dark and reference it keeps."""

    calibration: Any
    spectrum_type: Any
    light: Any
    shutter: Any
    integration_time_ms: Any
    num_spectra: Any

    def trigger(self) -> Any:
        """Collect a spectrum."""
        ...


@runtime_checkable
class SaxsLike(_Device, Protocol):
    """A SAXS detector with its shutter and a cell that can be heated; staged once a scan."""

    camera: Any
    shutter: Any
    cell: Any

    def trigger(self) -> Any:
        """Take a frame."""
        ...


class Results(Protocol):
    """Where the outcome of a run's live analysis turns up."""

    def outcome(self, raw_uid: str) -> "Future[dict[str, Any]]":
        """Return the future of the outcome of a raw run."""
        ...

    def replay(self, documents: "Sequence[tuple[str, dict[str, Any]]]") -> None:
        """Analyse a stored raw run again, from its documents."""
        ...


@runtime_checkable
class History(Protocol):
    """What has been stored of a campaign."""

    def done_trials(self, campaign_uid: str) -> set[str]:
        """Trials whose raw run ended in success."""
        ...

    def outcomes(self, campaign_uid: str) -> Sequence[Mapping[str, Any]]:
        """Results of the analyses, with ``_id`` and condition."""
        ...

    def suggestions(self, campaign_uid: str) -> Sequence[Mapping[str, Any]]:
        """Start documents of the suggestions, oldest first."""
        ...

    def failures(self, campaign_uid: str) -> Mapping[str, Mapping[str, float]]:
        """Conditions of the trials that failed, by trial id."""
        ...

    def raw_documents(self, campaign_uid: str, trial_id: str) -> Sequence[tuple[str, dict[str, Any]]]:
        """Documents of a trial's raw run that ended in success, as they were emitted."""
        ...
