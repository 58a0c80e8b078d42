"""The process that reads HDF5 files for `msc_plans.files.isolated`: each in a fork of its own.

A request is a line of JSON on stdin: path, wanted, seconds. The answer on stdout is `ANSWER`, then what the fork wrote:
a line of JSON (refusal, and of each table title, names, units and rows), then the tables' values, by row as doubles.
"""

import json
import os
import resource
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

import numpy as np
import psutil

from msc_plans.files.errors import ReadError
from msc_plans.files.isolated import ANSWER
from msc_plans.files.nexus import read_nexus
from msc_plans.files.table import Table

__all__ = ["serve"]

_MEMORY = 4 << 30


def serve() -> None:
    """Answer requests until stdin ends."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    most = psutil.Process().memory_info().vms + _MEMORY
    for line in sys.stdin.buffer:
        code, answer = _in_a_fork(json.loads(line), most)
        sys.stdout.buffer.write(ANSWER.pack(code, len(answer)))
        sys.stdout.buffer.write(answer)
        sys.stdout.buffer.flush()


def _in_a_fork(request: dict[str, Any], most: int) -> tuple[int, bytes]:
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            _confine(request["seconds"], most)
            with os.fdopen(writing, "wb") as out:
                _answer(Path(request["path"]), request["wanted"], out)
            os._exit(0)
        finally:
            os._exit(1)
    os.close(writing)
    with os.fdopen(reading, "rb") as answer:
        found = answer.read()
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    return code, b"" if code else found


def _confine(seconds: float, most: int) -> None:
    """Say nothing, end after a time (an alarm ends C code, too), take only so many bytes of memory."""
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):  # what a dying C library prints is no answer, and nothing for users
        os.dup2(nothing, stream)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    if soft == resource.RLIM_INFINITY or soft > most:
        with suppress(ValueError, OSError):  # macOS has no such limit
            resource.setrlimit(resource.RLIMIT_AS, (most, hard))


def _answer(path: Path, wanted: Any, out: IO[bytes]) -> None:
    refusal = ""
    tables: tuple[Table, ...] = ()
    try:
        tables = read_nexus(path, wanted)
    except ReadError as error:
        refusal = error.reason
    except MemoryError:
        refusal = f"is damaged, or no spectrum or curve: reading it takes more than {_MEMORY >> 30} GiB"
    except Exception as error:  # noqa: BLE001  a file's defect, or the reader's, must not pass for the library's
        refusal = f"can't be read: {type(error).__name__}: {error}; please report this file to the authors"
    told = [
        {"title": table.title, "names": table.names, "units": table.units, "rows": len(table.values)}
        for table in tables
    ]
    out.write(json.dumps({"refusal": refusal, "tables": told}).encode() + b"\n")
    for table in tables:
        out.write(np.ascontiguousarray(table.values, dtype=float).data)
