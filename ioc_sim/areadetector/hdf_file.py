"""A file of frames as areaDetector's NDFileHDF5 lays it out by default (NeXus).

``/entry/data/data`` (also ``/entry/instrument/detector/data``) holds the frames, int32, (n, rows, columns), one
chunk each, plain or deflated. ``/entry/instrument/NDAttributes`` holds a number per frame: ``NDArrayUniqueId``,
``NDArrayTimeStamp`` and ``NDArrayEpicsTSSec``/``NDArrayEpicsTSnSec`` (wall time, s since 1990) and ``TwinClock``
(time of the simulation at the end of the exposure, s).

With single-writer-multiple-reader access every frame can be read as soon as it is written, by
``h5py.File(path, "r", swmr=True)``; any other access has to wait until the file is closed. If the writer is killed,
the file keeps its frames but plain readers need ``h5clear -s`` first.

A file is never written over. No XML layouts, no extra dimensions, no attributes beyond those above.
"""

import zlib
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np
from numpy.typing import NDArray

__all__ = ["COMPRESSIONS", "EPICS_EPOCH_S", "Frame", "FrameFile"]

COMPRESSIONS = ("None", "zlib")
# 1990 as s since 1970
EPICS_EPOCH_S = 631152000
# the oldest format that has SWMR: "latest" would shut out readers with an older HDF5
_FORMAT = ("v110", "v110")
_ATTRIBUTE_CHUNK = 64


class Frame(NamedTuple):
    """One exposure.

    Attributes
    ----------
    counts : ndarray
        (rows, columns), int32.
    unique_id : int
        Number of the frame since start.
    time_s : float
        Wall time at its end, s since 1970.
    clock_s : float
        The twin's time at its end, s.
    """

    counts: NDArray[np.int32]
    unique_id: int
    time_s: float
    clock_s: float


def _numbers(frame: Frame) -> dict[str, float]:
    epics_s = frame.time_s - EPICS_EPOCH_S
    return {
        "NDArrayUniqueId": frame.unique_id,
        "NDArrayTimeStamp": epics_s,
        "NDArrayEpicsTSSec": int(epics_s),
        "NDArrayEpicsTSnSec": int(epics_s % 1.0 * 1e9),
        "TwinClock": frame.clock_s,
    }


_TYPES = {"NDArrayTimeStamp": "<f8", "TwinClock": "<f8"}


class FrameFile:
    """A file to be written, opened by its first frame at the latest. Not for two threads at a time.

    Parameters
    ----------
    path : Path
        Must not exist.
    shape : (rows, columns)
        Of each frame.
    compression : str
        One of :data:`COMPRESSIONS`.
    level : int
        Of zlib, 0 to 9.
    swmr : bool
        Let others read while it is written.

    Attributes
    ----------
    written : int
        Frames in the file.
    failed : bool
        Something could not be written; further frames are let go.
    """

    def __init__(self, path: Path, shape: tuple[int, int], *, compression: str, level: int, swmr: bool) -> None:
        self.path = path
        self.written = 0
        self.failed = False
        self._shape = shape
        self._deflate = level if compression == "zlib" else None
        self._swmr = swmr
        self._file: Any = None
        self._data: Any = None
        self._numbers: dict[str, Any] = {}

    def open(self) -> None:
        """Create the file with its empty datasets.

        Raises
        ------
        OSError
            It exists or can't be made.
        """
        if self._file is not None:
            return
        try:
            self._file = h5py.File(self.path, "x", libver=_FORMAT)
        except OSError:
            self.failed = True
            raise
        try:
            self._lay_out(self._file)
            if self._swmr:
                self._file.swmr_mode = True
        except (OSError, RuntimeError):
            self.failed = True
            with suppress(OSError, RuntimeError):
                self._file.close()
            self._file = None
            # nothing is in it, and it was made just now
            self.path.unlink(missing_ok=True)
            raise

    def _lay_out(self, file: Any) -> None:
        def group(path: str, kind: str) -> Any:
            made = file.create_group(path)
            made.attrs["NX_class"] = kind
            return made

        group("entry", "NXentry").attrs["default"] = "data"
        group("entry/instrument", "NXinstrument")
        detector = group("entry/instrument/detector", "NXdetector")
        attributes = group("entry/instrument/NDAttributes", "NXcollection")
        plot = group("entry/data", "NXdata")
        plot.attrs["signal"] = "data"
        self._data = detector.create_dataset(
            "data", shape=(0, *self._shape), maxshape=(None, *self._shape), dtype="<i4", chunks=(1, *self._shape),
            compression=None if self._deflate is None else "gzip", compression_opts=self._deflate,
        )  # fmt: skip
        self._data.attrs["signal"] = 1
        plot["data"] = self._data
        for name in _numbers(Frame(np.zeros((0, 0), np.int32), 0, 0.0, 0.0)):
            self._numbers[name] = attributes.create_dataset(
                name, shape=(0,), maxshape=(None,), dtype=_TYPES.get(name, "<i4"), chunks=(_ATTRIBUTE_CHUNK,)
            )
            self._numbers[name].attrs["NDAttrName"] = name

    def write(self, frame: Frame) -> bool:
        """Append a frame and flush it; False if an earlier one failed.

        Raises
        ------
        OSError, RuntimeError
            It could not be written; the frames before it are kept.
        ValueError
            Its shape is not the file's.
        """
        if self.failed:
            return False
        if frame.counts.shape != self._shape:
            raise ValueError(f"a frame of {frame.counts.shape} in a file of {self._shape}")
        raw = np.ascontiguousarray(frame.counts, dtype="<i4")
        # compressed here and not by HDF5, which would hold Python's lock all the while
        chunk = raw.tobytes() if self._deflate is None else zlib.compress(raw.data, self._deflate)
        self.open()
        try:
            for name, number in _numbers(frame).items():
                self._numbers[name].resize(self.written + 1, axis=0)
                self._numbers[name][self.written] = number
                self._numbers[name].flush()
            # last, so that a reader who sees a frame sees its numbers too
            self._data.resize(self.written + 1, axis=0)
            self._data.id.write_direct_chunk((self.written, 0, 0), chunk)
            self._data.flush()
        except (OSError, RuntimeError):
            self.failed = True
            with suppress(OSError, RuntimeError):
                for dataset in (self._data, *self._numbers.values()):
                    dataset.resize(self.written, axis=0)
            raise
        self.written += 1
        return True

    def close(self) -> None:
        """Close the file, if it is open.

        Raises
        ------
        OSError, RuntimeError
            What was left could not be written.
        """
        file, self._file = self._file, None
        if file is not None:
            file.close()
