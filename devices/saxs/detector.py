"""A SAXS station: area detector with its HDF5 files, shutter, beam monitors and cell (areaDetector Pilatus records)."""

import time
import uuid
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import PurePath, PurePosixPath
from typing import Any

from ophyd import Component as Cpt
from ophyd import Device, EpicsSignalRO, Kind, Signal
from ophyd.areadetector.filestore_mixins import resource_factory
from ophyd.status import Status

from devices.core.move import Clock, DidNotHappenError, Move, Progress, number, wall_clock
from devices.core.signals import PUT_TIMEOUT_S, CommandSignal, Setpoint
from devices.saxs.cell import SaxsCell

__all__ = ["FrameNotWrittenError", "NoBeamError", "SaxsDetector"]

_SHUTTER_S = 10.0
_WRITE_S = 30.0


class NoBeamError(RuntimeError):
    """The beam monitor counted nothing during an exposure."""


class FrameNotWrittenError(RuntimeError):
    """The detector was exposed, but the frame is not in its file."""


class EnteredValue(Signal):
    """A value that a person enters, as no record serves it; event documents carry it with its unit."""

    def __init__(self, *args: Any, units: str = "", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._units = units

    def describe(self) -> Any:
        """Describe the signal as ophyd does, with its unit added."""
        description = super().describe()
        if self._units:
            description[self.name]["units"] = self._units
        return description


class PilatusCamera(Device):
    """The records used of an areaDetector driver (ophyd's ``PilatusDetectorCam`` has the others)."""

    exposure_s = Cpt(Setpoint, "AcquireTime_RBV", write_pv="AcquireTime", kind=Kind.config)
    period_s = Cpt(Setpoint, "AcquirePeriod_RBV", write_pv="AcquirePeriod", kind=Kind.omitted)
    image_mode = Cpt(Setpoint, "ImageMode_RBV", write_pv="ImageMode", string=True, kind=Kind.omitted)
    trigger_mode = Cpt(Setpoint, "TriggerMode_RBV", write_pv="TriggerMode", string=True, kind=Kind.omitted)
    array_callbacks = Cpt(Setpoint, "ArrayCallbacks_RBV", write_pv="ArrayCallbacks", string=True, kind=Kind.omitted)
    acquire = Cpt(CommandSignal, "Acquire", kind=Kind.omitted)
    state = Cpt(EpicsSignalRO, "DetectorState_RBV", string=True, kind=Kind.omitted)
    message = Cpt(EpicsSignalRO, "StatusMessage_RBV", string=True, kind=Kind.omitted)
    rows = Cpt(EpicsSignalRO, "MaxSizeY_RBV", kind=Kind.config)
    columns = Cpt(EpicsSignalRO, "MaxSizeX_RBV", kind=Kind.config)


class Files(Device):
    """The records used of the HDF5 plugin (ophyd's ``HDF5Plugin`` has the others)."""

    enable = Cpt(Setpoint, "EnableCallbacks_RBV", write_pv="EnableCallbacks", string=True, kind=Kind.omitted)
    path = Cpt(Setpoint, "FilePath_RBV", write_pv="FilePath", string=True, kind=Kind.omitted)
    path_exists = Cpt(EpicsSignalRO, "FilePathExists_RBV", kind=Kind.omitted)
    file_name = Cpt(Setpoint, "FileName_RBV", write_pv="FileName", string=True, kind=Kind.omitted)
    template = Cpt(Setpoint, "FileTemplate_RBV", write_pv="FileTemplate", string=True, kind=Kind.omitted)
    create_directory = Cpt(Setpoint, "CreateDirectory_RBV", write_pv="CreateDirectory", kind=Kind.omitted)
    mode = Cpt(Setpoint, "FileWriteMode_RBV", write_pv="FileWriteMode", string=True, kind=Kind.omitted)
    lazy_open = Cpt(Setpoint, "LazyOpen_RBV", write_pv="LazyOpen", string=True, kind=Kind.omitted)
    wanted = Cpt(Setpoint, "NumCapture_RBV", write_pv="NumCapture", kind=Kind.omitted)
    written = Cpt(EpicsSignalRO, "NumCaptured_RBV", kind=Kind.omitted)
    capture = Cpt(CommandSignal, "Capture", kind=Kind.omitted)
    capturing = Cpt(EpicsSignalRO, "Capture_RBV", kind=Kind.omitted)
    write_status = Cpt(EpicsSignalRO, "WriteStatus", string=True, kind=Kind.omitted)
    write_message = Cpt(EpicsSignalRO, "WriteMessage", string=True, kind=Kind.omitted)


class DetectorGeometry(Device):
    """Position of the detector in pyFAI's convention, and pixels to mask; set it with ``configure``."""

    distance_m = Cpt(EnteredValue, value=1.0, units="m", kind=Kind.config)
    poni1_m = Cpt(EnteredValue, value=0.0, units="m", kind=Kind.config, doc="PONI along the rows")
    poni2_m = Cpt(EnteredValue, value=0.0, units="m", kind=Kind.config, doc="PONI along the columns")
    rot1_rad = Cpt(EnteredValue, value=0.0, units="rad", kind=Kind.config)
    rot2_rad = Cpt(EnteredValue, value=0.0, units="rad", kind=Kind.config)
    rot3_rad = Cpt(EnteredValue, value=0.0, units="rad", kind=Kind.config)
    pixel1_m = Cpt(EnteredValue, value=172e-6, units="m", kind=Kind.config)
    pixel2_m = Cpt(EnteredValue, value=172e-6, units="m", kind=Kind.config)
    detector = Cpt(EnteredValue, value="", kind=Kind.config, doc="pyFAI's name for it, to mask module gaps")
    beam_stop_radius_m = Cpt(EnteredValue, value=0.0, units="m", kind=Kind.config)
    mask_file = Cpt(EnteredValue, value="", kind=Kind.config, doc="image, 1 where a pixel is masked; optional")
    saturation = Cpt(
        EnteredValue,
        value=0.0,
        units="counts",
        kind=Kind.config,
        doc="0: no limit",
    )


class Corrections(Device):
    """Values that convert counts to cm⁻¹; set them with ``configure``."""

    thickness_cm = Cpt(EnteredValue, value=0.1, units="cm", kind=Kind.config)
    calibration_factor = Cpt(
        EnteredValue, value=0.0, kind=Kind.config, doc="monitor counts for each photon detected; 0: not calibrated"
    )
    empty_beam_ratio = Cpt(EnteredValue, value=1.0, kind=Kind.config, doc="I1/I0 without cell")
    transmission = Cpt(EnteredValue, value=0.0, kind=Kind.config, doc="0: by the diode")
    polarization = Cpt(
        EnteredValue,
        value=0.98,
        kind=Kind.config,
        doc="horizontal minus vertical share; 0: not corrected",
    )


class ExposureStatus(Move):
    """Status of one exposure."""

    def _handle_failure(self) -> None:
        """Don't stop the device: the steps have closed the shutter, and a late stop would end the next exposure."""


class SaxsDetector(Device):
    """SAXS frames: ``trigger()`` opens the shutter, exposes, and closes the shutter.

    Each exposure has a file of its own, closed when the status is done, and documents (resource and datum) that
    name it: Tiled can't read a file that holds frames of several runs. Stage the device once per campaign or scan.

    Parameters
    ----------
    prefix : str
        Prefix of the station's records, such as ``"MSC:Saxs:"``.
    write_path : str
        Folder of the files as the IOC sees it; ``strftime`` codes such as ``%Y/%m/%d`` are filled in.
    read_path : str, optional
        The same folder as readers of the files see it, if that differs.
    """

    camera = Cpt(PilatusCamera, "cam1:", kind=Kind.normal)
    files = Cpt(Files, "HDF1:", kind=Kind.omitted)
    shutter = Cpt(Setpoint, "Shutter:RBV", write_pv="Shutter", string=True, kind=Kind.omitted)
    monitor = Cpt(EpicsSignalRO, "I0", kind=Kind.omitted)
    diode = Cpt(EpicsSignalRO, "I1", kind=Kind.omitted)
    energy_kev = Cpt(Setpoint, "Energy:RBV", write_pv="Energy", kind=Kind.config)
    cell = Cpt(SaxsCell, "", kind=Kind.normal)
    i0 = Cpt(
        EnteredValue,
        value=0.0,
        units="counts/s",
        kind=Kind.normal,
        doc="mean before the cell",
    )
    i1 = Cpt(
        EnteredValue,
        value=0.0,
        units="counts/s",
        kind=Kind.normal,
        doc="mean behind the cell",
    )
    geometry = Cpt(DetectorGeometry, "", kind=Kind.normal)
    corrections = Cpt(Corrections, "", kind=Kind.normal)

    clock: Clock = staticmethod(wall_clock)

    def __init__(self, prefix: str, *, name: str, write_path: str, read_path: str | None = None, **kwargs: Any) -> None:
        super().__init__(prefix, name=name, **kwargs)
        self.write_path, self.read_path = write_path, read_path or write_path
        self._move: ExposureStatus | None = None
        self._paused = False
        self._ready = False
        self._read_folder = PurePath(self.read_path)
        self._documents: deque[tuple[str, dict[str, Any]]] = deque()
        self._image: dict[str, Any] | None = None

    # -- bluesky protocol

    def stage(self) -> list[object]:
        """Set camera and file plugin to single exposures with a file each.

        Raises
        ------
        FrameNotWrittenError
            The IOC does not accept the folder of the files.
        """
        now = datetime.now()
        write_folder = now.strftime(self.write_path).rstrip("/") + "/"
        self._read_folder = PurePosixPath(now.strftime(self.read_path))
        self._stop_camera()
        settings: list[tuple[Setpoint, Any]] = [
            (self.camera.image_mode, "Single"),
            (self.camera.trigger_mode, "Internal"),
            (self.camera.array_callbacks, "Enable"),
            (self.files.enable, "Enable"),
            (self.files.create_directory, -5),
            (self.files.template, "%s%s.h5"),
            (self.files.mode, "Stream"),
            # otherwise the plugin must have received a frame before
            (self.files.lazy_open, "Yes"),
            (self.files.wanted, 1),
        ]
        for signal, value in settings:
            _set(signal, value)
        try:
            _set(self.files.path, write_folder)
        except DidNotHappenError as error:
            raise FrameNotWrittenError(f"{error}; check that the IOC may write to this folder") from error
        if not self.files.path_exists.get():
            raise FrameNotWrittenError(f"{self.name}: the IOC can't create the folder {write_folder}")
        self._documents.clear()
        self._ready = True
        return super().stage()

    def unstage(self) -> list[object]:
        """Give up an exposure that is under way, close the shutter; idempotent."""
        # nothing waits for it any more, and its failure would disturb the steps that make the reactor safe
        try:
            self.stop(success=True)
        finally:
            # the puts fail if the IOC is down, but a device left staged would refuse the next campaign
            self._ready = False
            unstaged = super().unstage()
        return unstaged

    def trigger(self) -> ExposureStatus:
        """Expose once; the status is done when the frame is in its file.

        The status fails with :class:`NoBeamError`, :class:`FrameNotWrittenError` or ``DidNotHappenError``.
        """
        if not self._ready:
            raise RuntimeError(f"{self.name} is not staged: stage it (once per campaign or scan) before triggering it")
        before = self._move
        if before is not None and not before.done and not self._paused:
            raise RuntimeError(f"{self.name}: an exposure is under way; wait for its status")
        self._image, self._paused = None, False
        self._move = ExposureStatus(self, lambda move: self._expose(move, before), clock=self.clock)
        return self._move

    def describe(self) -> Any:
        """Describe the device as ophyd does, with the image added."""
        description: Any = super().describe()
        description[f"{self.name}_image"] = {
            "source": f"PV:{self.prefix}",
            "dtype": "array",
            "dtype_numpy": "<i4",
            "shape": [1, int(number(self.camera.rows)), int(number(self.camera.columns))],
            "external": "FILESTORE:",
            "units": "counts",
        }
        return description

    def read(self) -> Any:
        """Read the device as ophyd does, with the datum of the image added.

        Raises
        ------
        RuntimeError
            There is no frame: there was no exposure yet, or the last one failed.
        """
        if self._image is None:
            raise RuntimeError(f"{self.name} has no frame: it was not triggered, or its last exposure failed")
        return {**super().read(), f"{self.name}_image": self._image}

    def collect_asset_docs(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield the resource and datum documents of the frames."""
        while self._documents:
            yield self._documents.popleft()

    def stop(self, *, success: bool = False) -> None:
        """Close the shutter and give up an exposure that is under way; immediate and idempotent."""
        move = self._move if self._move is not None and not self._move.done else None
        if move is not None:
            # before the shutter closes, or the exposure would report a lost beam
            self._paused = success
            move.give_up(success=success)
        try:
            self.shutter.put("Closed", wait=False)
        finally:
            if move is not None:
                self._stop_camera()

    def pause(self) -> None:
        """Stop the exposure; RunEngine triggers it again when it resumes."""
        self.stop(success=True)

    def resume(self) -> None:
        """Do nothing; RunEngine pauses only devices that have this method."""

    # -- an exposure

    def _expose(self, move: Move, before: Move | None) -> None:
        if before is not None:
            move.until(lambda: bool(before.done), timeout_s=_WRITE_S, what="the end of the paused exposure")
        name = uuid.uuid4().hex
        seconds = number(self.camera.exposure_s)
        _set(self.files.file_name, name)
        self._documents.clear()
        # the put is answered when the file is closed
        self.files.capture.put(1, wait=False)
        try:
            self._await(move, lambda: bool(self.files.capturing.get()), _WRITE_S, "the opening of a capture")
            self.i0.put(0.0)
            self.i1.put(0.0)
            self._open_shutter(move)
            self._acquire(move, seconds)
            self.shutter.put("Closed", wait=True)
            self._await_frame(move, name)
        except BaseException:
            self.shutter.put("Closed", wait=False)
            # finish only when camera and plugin are ready for another exposure
            with suppress(Exception):
                self._stop_camera(wait=True)
            raise
        self._declare(f"{name}.h5")

    def _open_shutter(self, move: Move) -> None:
        self.shutter.put("Open", wait=True)
        diode_counts = not number(self.corrections.transmission)

        def beam() -> bool:
            return number(self.monitor) > 0 and (not diode_counts or number(self.diode) > 0)

        try:
            move.until(beam, timeout_s=_SHUTTER_S, what="beam on the monitors after the shutter opened")
        except DidNotHappenError as error:
            raise NoBeamError(
                f"{error}: {self.monitor.pvname} {number(self.monitor):g}, {self.diode.pvname} {number(self.diode):g}"
            ) from error

    def _acquire(self, move: Move, seconds: float) -> None:
        begun = self.clock()
        samples = [(number(self.monitor), number(self.diode))]
        status: Status = self.camera.acquire.set(1, timeout=None)

        def over() -> bool:
            if not status.done:
                samples.append((number(self.monitor), number(self.diode)))
            return bool(status.done)

        move.until(
            over,
            timeout_s=2 * seconds + 60.0,
            what=f"the end of an exposure of {seconds:g} s",
            progress=lambda: Progress(f"{self.name} exposure", 0.0, self.clock() - begun, seconds, "s"),
        )
        before, behind = (sum(column) / len(samples) for column in zip(*samples, strict=True))
        if min(sample[0] for sample in samples) <= 0:
            raise NoBeamError(f"{self.name}: {self.monitor.pvname} fell to 0 during the exposure: beam lost")
        self.i0.put(before)
        self.i1.put(behind)

    def _await_frame(self, move: Move, name: str) -> None:
        written = self.files.written
        # the capture ends with the last frame requested, or with an error
        with suppress(DidNotHappenError):
            move.until(lambda: not self.files.capturing.get(), timeout_s=_WRITE_S, what="the end of the capture")
        if number(written) < 1:
            raise FrameNotWrittenError(
                f"{self.name}: the detector was exposed, but {self.files.path.get()}{name}.h5 holds no frame: "
                f"{written.pvname} stayed at 0, {self._messages()}"
            )

    def _await(self, move: Move, true: Any, timeout_s: float, what: str) -> None:
        try:
            move.until(true, timeout_s=timeout_s, what=what)
        except DidNotHappenError as error:
            raise FrameNotWrittenError(f"{error}: {self._messages()}") from error

    def _messages(self) -> str:
        camera, status, message = (
            signal.get() for signal in (self.camera.message, self.files.write_status, self.files.write_message)
        )
        return f"camera: {camera!r}, plugin: {status}{f', {message!r}' if message else ''}"

    def _declare(self, file: str) -> None:
        path = self._read_folder / file
        resource, new_datum = resource_factory(
            "AD_HDF5", path.anchor, path.relative_to(path.anchor), {"frame_per_point": 1}, "posix"
        )
        datum = new_datum({"point_number": 0})
        self._documents.extend([("resource", resource), ("datum", datum)])
        self._image = {"value": datum["datum_id"], "timestamp": time.time()}

    def _stop_camera(self, *, wait: bool = False) -> None:
        self.camera.acquire.put(0, wait=wait)
        self.files.capture.put(0, wait=wait)


def _set(signal: Setpoint, value: Any) -> None:
    try:
        signal.set(value, timeout=PUT_TIMEOUT_S).wait(2 * PUT_TIMEOUT_S)
    except Exception as error:
        raise DidNotHappenError(f"{signal.pvname} did not take {value!r} within {PUT_TIMEOUT_S:g} s") from error
