"""Records of the HDF5 file plugin that do something; :mod:`.hdf_plugin` says what, :mod:`.inert` has the others."""

from typing import Any

from ioc_sim.areadetector.data_root import MAX_CHARS
from ioc_sim.records.table import Reading, Setting, Spec

__all__ = ["HDF_RECORDS"]

_NO_YES, _OFF_ON = ("No", "Yes"), ("Off", "On")
_COMPRESSIONS = ("None", "N-bit", "szip", "zlib", "Blosc", "BSLZ4", "LZ4", "JPEG")
_MAX_COUNT = 2_000_000_000


def _rbv(name: str, attribute: str, doc: str, **kwargs: Any) -> Setting:
    return Setting(name, attribute, doc, readback="_RBV", **kwargs)


def _number(name: str, attribute: str, doc: str, low: int = 0, high: int = _MAX_COUNT) -> Setting:
    return _rbv(name, attribute, doc, kind=int, limits=(low, high))


def _text(name: str, attribute: str, doc: str) -> Setting:
    return _rbv(name, attribute, doc, kind=str, chars=MAX_CHARS)


def _count(name: str, attribute: str, doc: str, units: str = "") -> Reading:
    return Reading(name, attribute, doc, kind=int, units=units)


HDF_RECORDS: tuple[Spec, ...] = (
    _rbv("EnableCallbacks", "enable", "Take frames", choices=("Disable", "Enable")),
    _number("ArrayCounter", "array_counter", "Frames taken since it was put"),
    _text("FilePath", "file_path", "Folder of the files"),
    Reading("FilePathExists_RBV", "file_path_exists", "The folder exists", choices=_NO_YES),
    _number("CreateDirectory", "create_directory", "Folders that may be made", -20, 20),
    _text("FileName", "file_name", "Name without number"),
    _number("FileNumber", "file_number", "Number of the next file"),
    Setting(
        "FileNumber_write", "file_number", "Number of the next file", kind=int, limits=(0, _MAX_COUNT), readback=""
    ),
    _rbv("AutoIncrement", "auto_increment", "Count files", choices=_NO_YES),
    _text("FileTemplate", "file_template", "C format: path, name, number"),
    Reading("FullFileName_RBV", "full_file_name", "The last file", kind=str, chars=MAX_CHARS),
    _rbv("FileWriteMode", "file_write_mode", "When files are written", choices=("Single", "Capture", "Stream")),
    _number("NumCapture", "num_capture", "Frames of a capture, 0 = any number"),
    _count("NumCaptured_RBV", "num_captured", "Frames of this capture so far"),
    Setting(
        "Capture", "capture", "Start or end a capture",
        choices=("Done", "Capture"), readback="", completes="captured",
    ),
    Reading("Capture_RBV", "capturing", "A capture is under way", choices=("Done", "Capturing")),
    _rbv("AutoSave", "auto_save", "Write without WriteFile", choices=_NO_YES),
    _rbv("WriteFile", "write_file", "Write what is kept", choices=("Done", "Write"), completes="written"),
    _rbv("LazyOpen", "lazy_open", "The first frame opens the file", choices=_NO_YES),
    _rbv("Compression", "compression", "None or zlib", choices=_COMPRESSIONS),
    _rbv("ZLevel", "z_level", "Level of zlib", kind=int, limits=(0, 9)),
    _rbv("SWMRMode", "swmr_mode", "Others read while it is written", choices=_OFF_ON),
    Reading("SWMRActive_RBV", "swmr_active", "An open file can be read", choices=("Off", "Active")),
    Reading(
        "WriteStatus", "write_status", "Of the last frame or file",
        choices=("Write OK", "Write error"), alarm="write_alarm",
    ),
    Reading("WriteMessage", "write_message", "What went wrong", kind=str, chars=MAX_CHARS),
    _count("QueueUse", "waiting", "Frames not yet written"),
    _count("NDimensions_RBV", "ndimensions", "Of the last frame"),
    Reading("Dimensions_RBV", "dimensions", "Of the last frame, columns first", length=10, precision=0),
    *(_count(f"ArraySize{axis}_RBV", "columns", "Columns of the last frame") for axis in ("0", "X")),
    *(_count(f"ArraySize{axis}_RBV", "rows", "Rows of the last frame") for axis in ("1", "Y")),
    _count("ArraySize_RBV", "frame_bytes", "Size of the last frame", "bytes"),
    *(_count(name, "rows", "Rows in a chunk: always all") for name in ("NumRowChunks", "NumRowChunks_RBV")),
    *(_count(name, "columns", "Columns in a chunk: always all") for name in ("NumColChunks", "NumColChunks_RBV")),
    _count("UniqueId_RBV", "unique_id", "Of the last frame"),
    Reading("TimeStamp_RBV", "time_stamp_s", "Of the last frame, since 1990", units="s"),
    _count("EpicsTSSec_RBV", "epics_seconds", "Of the last frame, since 1990", "s"),
    _count("EpicsTSNsec_RBV", "epics_nanoseconds", "Of the last frame, after EpicsTSSec", "ns"),
)  # fmt: skip
