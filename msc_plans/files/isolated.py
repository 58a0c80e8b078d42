"""Read HDF5 files of unknown origin in a separate process: a damaged one can crash the HDF5 library and its reader.

A server process (`msc_plans.files.isolated_server`) loads h5py once and forks for each file. So a crash, a hang or
memory that was spoilt stays with the fork that met it, and costs neither the caller nor the files after it. What comes
back is JSON and bare numbers, never pickles: who answers has read what may be hostile. The server starts with the first
file and ends with the program.
"""

import atexit
import json
import os
import signal
import struct
import sys
import threading
from pathlib import Path
from typing import IO, Literal

import numpy as np

from msc_plans.files.errors import ReadError
from msc_plans.files.table import Table
from msc_plans.processes import Child

__all__ = ["ANSWER", "close", "is_hdf5", "read_isolated"]

ANSWER = struct.Struct("<iQ")
"""What comes before each answer: the fork's exit code (negative: its signal) and the number of bytes that follow."""
_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_SERVE = "import sys; sys.path[:] = sys.argv[1:]; from msc_plans.files.isolated_server import serve; serve()"
_SECONDS = 60.0
_DO = "copy it again from where it was measured, or open it in the instrument's own program and export it anew"

_lock = threading.Lock()
_server: Child | None = None


def is_hdf5(path: Path) -> bool:
    """Return whether this is a file, and HDF5 by its signature; what can't be looked at is neither."""
    try:
        if not path.is_file():
            return False
        with path.open("rb") as file:
            start, size = 0, path.stat().st_size
            while start < size:  # at 0, 512, 1024, 2048 …: HDF5 allows for a block of the user's before it
                file.seek(start)
                if file.read(len(_SIGNATURE)) == _SIGNATURE:
                    return True
                start = 2 * start or 512
    except (OSError, ValueError):  # no right to look, a name too long, or with a NUL
        pass
    return False


def read_isolated(path: Path, wanted: Literal["spectra", "curves"]) -> tuple[Table, ...]:
    """Read the tables of an HDF5 file as `msc_plans.files.nexus.read_nexus` does, but in a separate process.

    Threads may call it; files are read one after the other.

    Raises
    ------
    ReadError
        As `read_nexus`; and where the HDF5 library crashed, or reading took more than 60 s or 4 GiB.
    """
    request = {"path": os.path.abspath(path), "wanted": wanted, "seconds": _SECONDS}  # noqa: PTH100  links stay
    try:
        code, answer = _ask(json.dumps(request).encode() + b"\n")
    except (OSError, EOFError) as error:
        raise ReadError(path, None, f"can't be read: the process that reads HDF5 files has ended ({error})") from error
    if code == -signal.SIGALRM:
        raise ReadError(path, None, f"is damaged, or its disk hangs: reading took more than {_SECONDS:g} s; {_DO}")
    if code == -signal.SIGKILL:
        raise ReadError(path, None, "can't be read: the system ended the process that read it; is memory short?")
    if code:
        how = f"signal {-code}" if code < 0 else f"exit code {code}"
        raise ReadError(path, None, f"is damaged: reading it crashed the HDF5 library ({how}); {_DO}")
    try:
        refusal, tables = _parsed(path, answer)
    except (KeyError, TypeError, ValueError) as error:
        raise ReadError(path, None, f"is damaged: it spoilt the memory of the HDF5 library ({error}); {_DO}") from error
    if refusal:
        raise ReadError(path, None, refusal)
    return tables


def _parsed(path: Path, answer: bytes) -> tuple[str, tuple[Table, ...]]:
    head, _, numbers = answer.partition(b"\n")
    told = json.loads(head)
    tables, start = [], 0
    for one in told["tables"]:
        names, rows = tuple(map(str, one["names"])), int(one["rows"])
        values = np.frombuffer(numbers, float, rows * len(names), start).reshape(rows, len(names)).copy()
        start += values.nbytes
        units, lines = tuple(map(str, one["units"])), np.zeros(0, dtype=int)
        tables.append(Table(path, values, lines, names, names, units, title=str(one["title"])))
    return str(told["refusal"]), tuple(tables)


def _ask(request: bytes) -> tuple[int, bytes]:
    """Return the exit code of the fork that read the file, and its answer."""
    with _lock:
        try:
            return _asked_once(request)
        except (BrokenPipeError, EOFError):  # somebody may have ended the server while it was idle; the next is new
            return _asked_once(request)


def _asked_once(request: bytes) -> tuple[int, bytes]:
    server = _started()
    try:
        server.stdin.write(request)
        code, size = ANSWER.unpack(_exactly(server.stdout, ANSWER.size))
        return code, _exactly(server.stdout, size)
    except BaseException:  # Ctrl-C, too: what the server says later would answer the next request
        _end()
        raise


def _exactly(stream: IO[bytes], size: int) -> bytes:
    found = bytearray()
    while len(found) < size:
        piece = stream.read(min(size - len(found), 1 << 20))
        if not piece:
            raise EOFError(f"{len(found)} of {size} bytes came")
        found += piece
    return bytes(found)


def _started() -> Child:
    global _server
    if _server is None:
        # modules of the parent's, but none from the folder of the files: -P, and no "" (which means just that)
        modules = [*filter(None, sys.path), str(Path(__file__).parents[2])]
        _server = Child(
            "the process that reads HDF5 files",
            [sys.executable, "-P", "-c", _SERVE, *modules],
            environment={"OPENBLAS_NUM_THREADS": "1"},  # a process that forks must have one thread
            pipes=True,
            buffering=0,
        )
    return _server


def _end() -> None:
    global _server
    server, _server = _server, None
    if server is not None:
        server.end(by=signal.SIGKILL)


def close() -> None:
    """End the server, where there is one; the next file starts another."""
    with _lock:
        _end()


def _forget() -> None:
    """In a forked child: the server is the parent's, and the lock may be held for ever."""
    global _lock, _server
    _lock = threading.Lock()
    server, _server = _server, None
    if server is not None:
        server.disown()


atexit.register(close)
os.register_at_fork(after_in_child=_forget)
