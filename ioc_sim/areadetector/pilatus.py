"""Records of a Pilatus detector as areaDetector's driver serves them, and what they do.

Exposures run on the twin's clock: image k starts ``AcquirePeriod`` after image k-1, or when that one has ended, and
shows what the twin counts in ``NumExposures`` times ``AcquireTime`` up to its end. Where the wall clock can't follow
(a high time scale, a slow disk), later images start later; none is left out. Images take at most half of the wall
time, and the server answers between two of them.

``Acquire`` is a busy record: its put is answered, and ``Acquire_RBV`` falls, when the last image has been handed to
the plugin *and* the plugin has written it. areaDetector does that only with ``WaitForPlugins`` or blocking
callbacks; here it is always so. It stays up for two ticks and a tenth of a second of wall time at least: ophyd's
``warmup`` waits until it *sees* the readback at 1, forever.

Not simulated: external triggers (an acquisition that asks for them waits until it is given up), the driver's own
files, its shutter, threshold and flat field.
"""

import asyncio
import time
from collections.abc import Callable
from math import inf
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ioc_sim.areadetector.hdf_file import Frame
from ioc_sim.records.table import Reading, Setting, Spec

__all__ = ["CAM_RECORDS", "CamModel", "FrameSink", "PhotonCounter"]

_STATES = (
    "Idle", "Acquire", "Readout", "Correct", "Saving", "Aborting", "Error", "Waiting", "Initializing",
    "Disconnected", "Aborted",
)  # fmt: skip
_TRIGGERS = ("Internal", "Ext. Enable", "Ext. Trigger", "Mult. Trigger", "Alignment")
_MIN_BUSY_S, _MIN_BUSY_TICKS = 0.1, 2
_SHARE_OF_TIME = 0.5
_MAX_WAITING = 32


class PhotonCounter(Protocol):
    """What counts photons: the twin."""

    @property
    def clock_s(self) -> float:
        """Its time, s."""
        ...

    def frame(self, exposure_s: float) -> NDArray[np.int32]:
        """Counts, (rows, columns), of an exposure that ends now."""
        ...


class FrameSink(Protocol):
    """What takes the frames."""

    @property
    def waiting(self) -> int:
        """Frames not yet dealt with, and files not yet closed."""
        ...

    def push(self, frame: Frame) -> None:
        """Take a frame."""
        ...


class CamModel:
    """The driver: what is exposed, when it is done, and where it goes.

    Parameters
    ----------
    camera : PhotonCounter
        Gives the counts.
    sink : FrameSink
        Takes them.
    shape : (rows, columns)
        Of an image.
    monotonic, now : callable
        Wall time: any origin, and since 1970, s.
    """

    def __init__(
        self,
        camera: PhotonCounter,
        sink: FrameSink,
        shape: tuple[int, int],
        *,
        monotonic: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._camera, self._sink = camera, sink
        self._monotonic, self._now = monotonic, now
        self.rows, self.columns = shape
        self.image_bytes = 4 * self.rows * self.columns
        self.acquire_time_s = self.acquire_period_s = 1.0
        self.num_images = self.num_exposures = 1
        self.image_mode = "Single"
        self.trigger_mode = "Internal"
        self.array_callbacks = "Enable"
        self.wait_for_plugins = "Yes"
        self.array_counter = 0
        self.images_done = self.exposures_done = 0
        self.detector_state = "Idle"
        self.status_message = "Waiting for acquire command"
        self._unique_id = 0
        self._exposing = False
        self._images_left = inf
        self._start_s = self._end_s = inf
        self._busy_since, self._ticks = 0.0, 0
        self._last_tick = monotonic()
        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def acquire(self) -> str:
        """``Done`` or ``Acquire``; putting ``Acquire`` starts, ``Done`` gives up. A second start is ignored."""
        return "Done" if self._idle.is_set() else "Acquire"

    @acquire.setter
    def acquire(self, value: str) -> None:
        if value == "Acquire" and self._idle.is_set():
            self._start()
        elif value == "Done" and self._exposing:
            self._exposing = False
            self.detector_state, self.status_message = "Aborted", "Acquisition aborted"
            self.settle()

    def _start(self) -> None:
        self._idle.clear()
        self._busy_since, self._ticks = self._monotonic(), 0
        self.images_done = self.exposures_done = 0
        endless = self.image_mode == "Continuous" or self.trigger_mode == "Alignment"
        self._images_left = inf if endless else self.num_images if self.image_mode == "Multiple" else 1
        self._exposing = True
        if self.trigger_mode.startswith(("Ext", "Mult")):
            self._start_s = self._end_s = inf
            self.detector_state, self.status_message = "Waiting", "Waiting for a trigger that never comes"
            return
        self.detector_state, self.status_message = "Acquire", "Acquiring"
        self._expose_from(self._camera.clock_s)

    def _expose_from(self, clock_s: float) -> None:
        self._start_s = clock_s
        self._end_s = clock_s + self.acquire_time_s * self.num_exposures

    @property
    def acquiring(self) -> str:
        """``Done`` or ``Acquiring``."""
        return "Done" if self._idle.is_set() else "Acquiring"

    @property
    def size_x(self) -> int:
        """Columns read out; all is all that can be put."""
        return self.columns

    @size_x.setter
    def size_x(self, value: int) -> None:
        if value != self.columns:
            raise ValueError(f"all {self.columns} columns are read out, always")

    @property
    def size_y(self) -> int:
        """Rows read out; all is all that can be put."""
        return self.rows

    @size_y.setter
    def size_y(self, value: int) -> None:
        if value != self.rows:
            raise ValueError(f"all {self.rows} rows are read out, always")

    @property
    def armed(self) -> str:
        """``Unarmed`` or ``Armed``: waits for an external trigger."""
        return "Armed" if self.detector_state == "Waiting" else "Unarmed"

    @property
    def time_remaining_s(self) -> float:
        """Time left of the exposure under way, s of the twin."""
        return max(0.0, self._end_s - self._camera.clock_s) if self._exposing and self._end_s < inf else 0.0

    async def acquired(self) -> None:
        """Return when nothing is being acquired or still written."""
        await self._idle.wait()

    async def tick(self) -> None:
        """Take the images whose exposure has ended; call it whenever the twin's clock has gone on."""
        self._ticks += 1
        now = self._monotonic()
        until, self._last_tick = now + _SHARE_OF_TIME * (now - self._last_tick), now
        while self._due() and self._sink.waiting < _MAX_WAITING:
            self._take()
            if self._monotonic() >= until:
                break
            await asyncio.sleep(0)
        if self._due():
            self._expose_from(self._camera.clock_s)
        self.settle()

    def _due(self) -> bool:
        return self._exposing and self._camera.clock_s >= self._end_s

    def _take(self) -> None:
        counts = self._camera.frame(self.acquire_time_s * self.num_exposures)
        self._unique_id += 1
        self.array_counter += 1
        self.images_done += 1
        self.exposures_done = self.num_exposures
        if self.array_callbacks == "Enable":
            self._sink.push(Frame(counts, self._unique_id, self._now(), self._camera.clock_s))
        self._images_left -= 1
        if self._images_left > 0:
            self._expose_from(max(self._start_s + self.acquire_period_s, self._end_s))
            return
        self._exposing = False
        self.detector_state, self.status_message = "Saving", "Waiting for the plugins"

    def settle(self) -> None:
        """End the acquisition once the plugin has written everything; call it when that may have happened."""
        if self._exposing or self._idle.is_set() or self._sink.waiting:
            return
        if self._ticks < _MIN_BUSY_TICKS or self._monotonic() - self._busy_since < _MIN_BUSY_S:
            return
        if self.detector_state == "Saving":
            self.detector_state, self.status_message = "Idle", "Waiting for acquire command"
        self._idle.set()


def _rbv(name: str, attribute: str, doc: str, **kwargs: Any) -> Setting:
    return Setting(name, attribute, doc, readback="_RBV", **kwargs)


def _count(name: str, attribute: str, doc: str, **kwargs: Any) -> Reading:
    return Reading(name, attribute, doc, kind=int, **kwargs)


CAM_RECORDS: tuple[Spec, ...] = (
    Setting(
        "Acquire", "acquire", "Start or give up an acquisition",
        choices=("Done", "Acquire"), readback="", completes="acquired",
    ),
    Reading("Acquire_RBV", "acquiring", "An acquisition is under way", choices=("Done", "Acquiring")),
    _rbv("AcquireTime", "acquire_time_s", "Exposure time", units="s", precision=3, limits=(1e-6, 1e6)),
    _rbv("AcquirePeriod", "acquire_period_s", "From start to start", units="s", precision=3, limits=(0.0, 1e6)),
    Reading("TimeRemaining_RBV", "time_remaining_s", "Of the exposure under way", units="s"),
    _rbv("NumImages", "num_images", "Images of an acquisition (Multiple)", kind=int, limits=(1, 1_000_000)),
    _rbv("NumExposures", "num_exposures", "Exposures added up in an image", kind=int, limits=(1, 10_000)),
    _count("NumImagesCounter_RBV", "images_done", "Images of this acquisition"),
    _count("NumExposuresCounter_RBV", "exposures_done", "Exposures of the last image"),
    _rbv("ImageMode", "image_mode", "How many images", choices=("Single", "Multiple", "Continuous")),
    _rbv("TriggerMode", "trigger_mode", "What starts an exposure", choices=_TRIGGERS),
    Reading("Armed", "armed", "Waits for an external trigger", choices=("Unarmed", "Armed")),
    Reading("DetectorState_RBV", "detector_state", "State", choices=_STATES),
    Reading("StatusMessage_RBV", "status_message", "State in words", kind=str, chars=256),
    _rbv("ArrayCallbacks", "array_callbacks", "Hand images to plugins", choices=("Disable", "Enable")),
    Reading("WaitForPlugins", "wait_for_plugins", "Acquire ends when plugins have", choices=("No", "Yes")),
    _rbv("ArrayCounter", "array_counter", "Images since it was put", kind=int, limits=(0, 2_000_000_000)),
    *(_count(f"{name}X_RBV", "columns", "Columns of an image") for name in ("ArraySize", "MaxSize")),
    *(_count(f"{name}Y_RBV", "rows", "Rows of an image") for name in ("ArraySize", "MaxSize")),
    _rbv("SizeX", "size_x", "Columns read out: always all", kind=int),
    _rbv("SizeY", "size_y", "Rows read out: always all", kind=int),
    _count("ArraySize_RBV", "image_bytes", "Size of an image", units="bytes"),
)  # fmt: skip
