"""What areaDetector's HDF5 file plugin does with the frames it is given; its records are in :mod:`.hdf_records`.

Three modes. ``Stream``: a file from ``Capture`` = 1 until ``NumCapture`` frames (0: any number) or ``Capture`` = 0,
each frame in it, flushed and readable, before the driver's acquisition ends. ``Capture``: frames are kept in memory
and written at the end, or by ``WriteFile`` without ``AutoSave``. ``Single``: a file for each frame with ``AutoSave``,
or by ``WriteFile``. ``Capture_RBV`` falls, and the put of ``Capture`` is answered, after the file has been closed.

As in areaDetector a stream needs one frame before it, unless ``LazyOpen`` leaves the opening to its first frame; and
the first file of a name has the number that ``FileNumber`` held before, for ``AutoIncrement`` has raised it since.
Unlike areaDetector nothing is written over, and paths end at :class:`~ioc_sim.areadetector.data_root.DataRoot`.

Compression and writing happen in one thread, in order; all state changes in the event loop. Once something could
not be written the capture ends: ``WriteStatus`` and ``WriteMessage`` say why, the frames before are kept.
"""

import asyncio
import errno
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

from ioc_sim.areadetector.data_root import MAX_CHARS, DataRoot
from ioc_sim.areadetector.file_naming import FileNaming
from ioc_sim.areadetector.frame_info import FrameInfo
from ioc_sim.areadetector.hdf_file import COMPRESSIONS, Frame, FrameFile

__all__ = ["MAX_KEPT", "FileFaults", "HdfModel"]

# frames that Capture mode keeps in memory
MAX_KEPT = 200


class FileFaults(Protocol):
    """Faults of the file system."""

    no_file: bool
    full_disk: bool


class HdfModel(FileNaming, FrameInfo):
    """The file plugin.

    Parameters
    ----------
    root : DataRoot
        Where files may go.
    faults : FileFaults
        ``no_file``: everything goes on, but nothing is written and nothing complains. ``full_disk``: nothing more
        can be written.

    Attributes
    ----------
    on_change : callable
        Called whenever a frame or a file has been dealt with.
    """

    def __init__(self, root: DataRoot, faults: FileFaults) -> None:
        FileNaming.__init__(self, root)
        FrameInfo.__init__(self)
        self._faults = faults
        self.on_change: Callable[[], None] = lambda: None
        self.enable = "Disable"
        self.file_write_mode = "Single"
        self.auto_save = "No"
        self.lazy_open = "No"
        self.swmr_mode = "On"
        self.z_level = 1
        self.num_capture = 1
        self.num_captured = 0
        self.array_counter = 0
        self.write_status, self.write_message = "Write OK", ""
        self._compression = "zlib"
        self._kept: list[Frame] = []
        self._file: FrameFile | None = None
        # idle, opening, capturing, closing
        self._phase = "idle"
        self._streaming = False
        self._accepted = 0
        self._not_opened = ""
        self._saving = False
        self._idle = asyncio.Event()
        self._idle.set()
        self._jobs: set[asyncio.Future[Any]] = set()
        self._thread: ThreadPoolExecutor | None = None

    @property
    def compression(self) -> str:
        """``None`` or ``zlib``; areaDetector's others are refused."""
        return self._compression

    @compression.setter
    def compression(self, value: str) -> None:
        if value not in COMPRESSIONS:
            raise ValueError(f"compression {value} is not simulated; there are {', '.join(COMPRESSIONS)}")
        self._compression = value

    @property
    def waiting(self) -> int:
        """Frames not yet written and files not yet opened or closed."""
        return len(self._jobs)

    @property
    def swmr_active(self) -> str:
        """``Off`` or ``Active``: an open stream can be read."""
        return "Active" if self._streaming and self._phase != "idle" and self.swmr_mode == "On" else "Off"

    @property
    def capture(self) -> str:
        """``Done`` or ``Capture``; putting them starts and ends a capture. A second start is ignored."""
        return "Capture" if self._phase in ("capturing", "closing") else "Done"

    @capture.setter
    def capture(self, value: str) -> None:
        self._not_opened = ""
        if value == "Done":
            self._end_capture()
        elif self._phase in ("idle", "closing"):
            try:
                self._start_capture()
            except ValueError as error:
                self._report(str(error))
                raise

    @property
    def capturing(self) -> str:
        """``Done`` or ``Capturing``."""
        return "Capturing" if self.capture == "Capture" else "Done"

    async def captured(self) -> None:
        """Return when no capture is under way and its file is closed; ValueError if it could not be opened."""
        await self._idle.wait()
        if self._not_opened:
            raise ValueError(self._not_opened)

    def _start_capture(self) -> None:
        mode = self.file_write_mode
        if self._phase == "closing" or self._saving:
            raise ValueError("the last file is still being written")
        if mode == "Single":
            raise ValueError("there is nothing to capture in FileWriteMode Single; choose Capture or Stream")
        if mode == "Capture" and not 0 < self.num_capture <= MAX_KEPT:
            raise ValueError(f"NumCapture must be 1 to {MAX_KEPT} in FileWriteMode Capture, not {self.num_capture}")
        self._streaming = mode == "Stream"
        self.num_captured = self._accepted = 0
        self._kept = []
        self._file = None
        if self._streaming and self.lazy_open == "No":
            self._file = self._next_file()
        self._idle.clear()
        if self._file is None or self._faults.no_file:
            self._phase = "capturing"
            return
        self._phase = "opening"
        self._submit(self._open, self._file, self._faults.full_disk, then=self._opened)

    def _opened(self, error: BaseException | None, _: Any) -> None:
        if error is not None:
            self._not_opened = self._report(str(error))
            self._end()
        elif self._phase == "opening":
            self._phase = "capturing"

    def _end_capture(self) -> None:
        if self._phase not in ("opening", "capturing"):
            return
        self._phase = "closing"
        if self._streaming:
            self._close(self._file, self._end)
        elif self.auto_save == "Yes" and self._kept:
            self._save(self._kept, self._end)
        else:
            self._end()

    def _end(self) -> None:
        self._phase, self._file = "idle", None
        self._idle.set()

    def push(self, frame: Frame) -> None:
        """Take a frame from the driver, if the plugin is enabled."""
        if self.enable == "Disable":
            return
        self.array_counter += 1
        self.last = frame
        try:
            if self._phase in ("opening", "capturing"):
                self._capture(frame)
            elif self._phase == "idle" and self.file_write_mode == "Single" and self.auto_save == "Yes":
                self._save([frame], lambda: None)
        except ValueError as error:
            self._report(str(error))
            self._end_capture()

    def _capture(self, frame: Frame) -> None:
        if self._streaming:
            if self._faults.no_file:
                return
            if self._file is None:
                self._file = self._next_file()
            self._write(self._file, frame)
        else:
            self._kept.append(frame)
            self.num_captured += 1
        self._accepted += 1
        if self._accepted == self.num_capture:
            self._end_capture()

    @property
    def write_file(self) -> str:
        """``Done`` or ``Write``; putting ``Write`` writes what Capture mode has kept, or the last frame."""
        return "Write" if self._saving else "Done"

    @write_file.setter
    def write_file(self, value: str) -> None:
        if value == "Done":
            return
        if self._phase != "idle" or self._saving or self.file_write_mode == "Stream":
            raise ValueError("WriteFile is for FileWriteMode Single and Capture, between captures")
        frames = self._kept if self.file_write_mode == "Capture" else [] if self.last is None else [self.last]
        if not frames:
            raise ValueError("there is no frame to write")
        self._saving = True
        try:
            self._save(frames, self._saved)
        except ValueError as error:
            self._saving = False
            self._report(str(error))
            raise

    def _saved(self) -> None:
        self._saving = False

    async def written(self) -> None:
        """Return when nothing is being written."""
        while self._jobs:
            await asyncio.wait(self._jobs)

    def _save(self, frames: Sequence[Frame], then: Callable[[], None]) -> None:
        file = self._next_file()
        if not self._faults.no_file:
            for frame in frames:
                self._write(file, frame)
        self._kept = []
        self._close(file, then)

    def _next_file(self) -> FrameFile:
        if self.last is None:
            raise ValueError("no frame has come yet, so its size is unknown: acquire one first, or set LazyOpen")
        return FrameFile(
            self.next_path(), (self.rows, self.columns), compression=self._compression, level=self.z_level,
            swmr=self.swmr_mode == "On",
        )  # fmt: skip

    def _write(self, file: FrameFile, frame: Frame) -> None:
        def done(error: BaseException | None, written: bool) -> None:
            if error is not None:
                self._report(str(error))
                if file is self._file:
                    self._end_capture()
            elif written:
                self.write_status, self.write_message = "Write OK", ""
                if file is self._file:
                    self.num_captured += 1

        self._submit(self._write_now, file, frame, self._faults.full_disk, then=done)

    def _close(self, file: FrameFile | None, then: Callable[[], None]) -> None:
        def done(error: BaseException | None, _: Any) -> None:
            if error is not None:
                self._report(str(error))
            then()

        if file is None:
            then()
        else:
            self._submit(file.close, then=done)

    def _report(self, message: str) -> str:
        self.write_status = "Write error"
        self.write_message = message.encode()[: MAX_CHARS - 1].decode(errors="ignore")
        return message

    @property
    def write_alarm(self) -> str:
        """Severity of ``WriteStatus``."""
        return "NO_ALARM" if self.write_status == "Write OK" else "MAJOR_ALARM"

    @staticmethod
    def _open(file: FrameFile, full: bool) -> None:
        _check_disk(full, file)
        file.open()

    @staticmethod
    def _write_now(file: FrameFile, frame: Frame, full: bool) -> bool:
        if not file.failed:
            _check_disk(full, file)
        return file.write(frame)

    def _submit(self, job: Callable[..., Any], *args: Any, then: Callable[[BaseException | None, Any], None]) -> None:
        if self._thread is None:
            self._thread = ThreadPoolExecutor(1, thread_name_prefix="hdf")
        future = asyncio.get_running_loop().run_in_executor(self._thread, job, *args)
        self._jobs.add(future)

        def done(future: asyncio.Future[Any]) -> None:
            self._jobs.discard(future)
            if future.cancelled():
                return
            error = future.exception()
            then(error, None if error else future.result())
            self.on_change()

        future.add_done_callback(done)

    async def shut_down(self) -> None:
        """End the capture, close the file and end the thread."""
        self._end_capture()
        await self.written()
        if self._thread is not None:
            self._thread.shutdown()
            self._thread = None


def _check_disk(full: bool, file: FrameFile) -> None:
    if full:
        file.failed = True
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(file.path))
