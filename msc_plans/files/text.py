"""A file's bytes as lines of text, whatever its encoding and line ends."""

import re
from pathlib import Path

from msc_plans.files.errors import ReadError

__all__ = ["read_bytes", "read_lines", "shown"]

_LINE_END = re.compile(r"\r+\n|\n|\r")
_BINARY = {
    b"PK\x03\x04": "a spreadsheet or zip archive",
    b"\xd0\xcf\x11\xe0": "an old spreadsheet",
    b"\x89PNG": "a picture",
    b"%PDF": "a PDF",
    b"\x1f\x8b": "gzip-compressed",
}
_NULS_OF_UTF16 = 0.6
_SHOWN = 40


def read_bytes(path: Path) -> bytes:
    """Read a whole file.

    Raises
    ------
    ReadError
        There is no such file, it is a folder, or it can't be opened.
    """
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise ReadError(path, None, "no such file") from None
    except IsADirectoryError:
        raise ReadError(path, None, "this is a folder; name the files in it") from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise ReadError(path, None, f"can't be opened: {getattr(error, 'strerror', None) or error}") from error


def read_lines(path: Path) -> list[str]:
    """Read a text file as lines without their ends: UTF-8 or UTF-16 with or without a byte order mark, else Latin-1.

    Raises
    ------
    ReadError
        It can't be opened, is empty or isn't text.
    """
    data = read_bytes(path)
    for magic, what in _BINARY.items():
        if data.startswith(magic):
            raise ReadError(path, None, f"this is {what}, not a table; export it as CSV")
    text = _decode(data)
    if "\0" in text:
        raise ReadError(path, None, "this is binary, neither a text table nor HDF5; export it as CSV")
    if not text.strip():
        raise ReadError(path, None, "the file is empty")
    return _LINE_END.split(text)


def _decode(data: bytes) -> str:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", errors="replace")
    half = len(data) // 2
    if half and data[1::2].count(0) > _NULS_OF_UTF16 * half:
        return data.decode("utf-16-le", errors="replace")
    if half and data[::2].count(0) > _NULS_OF_UTF16 * half:
        return data.decode("utf-16-be", errors="replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def shown(text: str) -> str:
    """Return text quoted and cut to what fits in an error."""
    text = " ".join(text.split())
    return repr(text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…")
