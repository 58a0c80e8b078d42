"""Frames of a run, from the files that its documents name."""

import re
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlparse

import numpy as np

if TYPE_CHECKING:
    import h5py

__all__ = ["Frames", "read_frames"]

_DATASET = "/entry/data/data"
_FILES_KEPT = 10_000
_WRITTEN = re.compile("open for write|lock", re.I)
"""In HDF5's refusal of a file that somebody writes, or did when it ended."""


def read_frames(path: str | Path, dataset: str = _DATASET, rows: slice = slice(None)) -> np.ndarray:
    """Read frames, shape (frames, rows, columns), from an HDF5 file, whether or not it is still being written.

    Raises
    ------
    OSError
        The file is not there or can't be opened; the message names it.
    ValueError
        It does not hold the frames that are asked for.
    """
    if not Path(path).exists():
        raise FileNotFoundError(f"{path} is not there; is the detector's disk mounted here?")
    try:
        with _opened(path) as file:
            if dataset not in file:
                raise ValueError(f"{path} holds no {dataset}")
            data: Any = file[dataset]
            stop = len(data) if rows.stop is None else rows.stop
            if stop > len(data):
                raise ValueError(f"{path} holds {len(data)} frames in {dataset}, not {stop}")
            return np.asarray(data[rows])
    except (OSError, KeyError, RuntimeError) as error:  # what h5py raises on a damaged file
        raise OSError(f"{path} can't be read as HDF5; is it whole? {error}") from error


def _opened(path: str | Path) -> "h5py.File":
    import h5py

    try:
        return h5py.File(path, "r")
    except OSError as error:
        if not _WRITTEN.search(str(error)):
            raise
        # only then: with swmr HDF5 tries a damaged file, which may be half written, again and again for minutes
        return h5py.File(path, "r", swmr=True)


class Frames:
    """Where frames are, by the documents that say so (resource and datum, stream_resource and stream_datum)."""

    def __init__(self) -> None:
        self._files: OrderedDict[str, tuple[Path, str, int]] = OrderedDict()
        self._datums: OrderedDict[str, tuple[str, int]] = OrderedDict()
        self._streamed: OrderedDict[str, list[tuple[str, slice]]] = OrderedDict()

    def __call__(self, name: str, document: Mapping[str, Any]) -> None:
        """Take a document; those of other names are nothing to it.

        Resources outlive their run: a detector that is staged once for several names its file only in the first.
        """
        if name == "descriptor":
            # of a run that is read once more: its frames are promised once more
            self._streamed.pop(document["uid"], None)
        elif name == "resource":
            path = Path(document["root"]) / document["resource_path"]
            options = document["resource_kwargs"]
            self._keep(document["uid"], path, options.get("dataset", _DATASET), options.get("frame_per_point", 1))
        elif name == "stream_resource":
            path = Path(unquote(urlparse(document["uri"]).path))
            options = document["parameters"]
            dataset = "/" + options.get("dataset", _DATASET).lstrip("/")
            self._keep(document["uid"], path, dataset, options.get("multiplier", 1))
        elif name == "datum":
            self._datums[document["datum_id"]] = (document["resource"], document["datum_kwargs"].get("point_number", 0))
            _shorten(self._datums)
        elif name == "stream_datum":
            rows = slice(document["indices"]["start"], document["indices"]["stop"])
            self._streamed.setdefault(document["descriptor"], []).append((document["stream_resource"], rows))
            _shorten(self._streamed)

    def _keep(self, uid: str, path: Path, dataset: str, frames_per_point: int) -> None:
        self._files[uid] = (path, dataset, frames_per_point)
        _shorten(self._files)

    def of_datum(self, datum_id: str) -> np.ndarray:
        """Read the frames of a datum, shape (frames, rows, columns).

        Raises
        ------
        ValueError
            No document says where it is; else as :func:`read_frames`.
        """
        if datum_id not in self._datums:
            raise ValueError(f"no datum document came for {datum_id!r}")
        resource, point = self._datums[datum_id]
        return self._read(resource, slice(point, point + 1))

    def of_stream(self, descriptor_uid: str) -> list[np.ndarray]:
        """Read all frames that stream_datum documents promised for a descriptor, one array an event or more."""
        return [self._read(resource, rows) for resource, rows in self._streamed.get(descriptor_uid, ())]

    def _read(self, resource: str, points: slice) -> np.ndarray:
        if resource not in self._files:
            raise ValueError(f"no resource document came for {resource!r}")
        path, dataset, frames = self._files[resource]
        return read_frames(path, dataset, slice(points.start * frames, points.stop * frames))


def _shorten(kept: OrderedDict[str, Any]) -> None:
    while len(kept) > _FILES_KEPT:
        kept.popitem(last=False)
