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
    """A flow reactor: takes a condition, can be flushed with solvent, has two ovens and a standby."""

    nucleation: Any
    growth: Any
    pump_solvent: Any
    solvent: Any
    standby_temperature: Any
    interlock: Any

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


class Results(Protocol):
    """Where the outcome of a run's live analysis turns up."""

    def outcome(self, raw_uid: str) -> "Future[dict[str, Any]]":
        """Return the future of the outcome of a raw run."""
        ...


@runtime_checkable
class History(Protocol):
    """What has been stored of a campaign."""

    def done_trials(self, campaign_uid: str) -> set[str]:
        """Trials whose raw run ended in success."""
        ...

    def outcomes(self, campaign_uid: str) -> Sequence[Mapping[str, Any]]:
        """Results of the analyses, with their conditions."""
        ...
