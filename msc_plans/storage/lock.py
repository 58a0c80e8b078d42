"""One process at a time may have a store open: DuckDB allows one writer.

The lock is the kernel's (``flock`` on ``store.lock``), so that it goes when its holder dies, however it dies.
The file's content only says who holds it: process id, and the URI where the holder serves.
"""

import fcntl
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

__all__ = ["Holder", "StoreBusyError", "StoreLock", "read_holder"]


class StoreBusyError(RuntimeError):
    """Another process, or another app in this one, has the store open."""


@dataclass(frozen=True)
class Holder:
    """Who has a store open: `pid`, and the `uri` of its server or None where nothing listens."""

    pid: int
    uri: str | None = None

    def __str__(self) -> str:
        what = f"a Tiled server at {self.uri}" if self.uri else "an app without a server"
        return f"process {self.pid}{' (this one)' if self.pid == os.getpid() else ''}, {what}"


def read_holder(folder: Path) -> Holder | None:
    """Return who last said to hold the store; only a held lock makes it true."""
    try:
        return Holder(**json.loads((folder / "store.lock").read_text()))
    except (FileNotFoundError, ValueError, TypeError):
        return None


class StoreLock:
    """The right to open the store in `folder`, until `release`.

    Parameters
    ----------
    folder : Path
        The store's folder.
    descriptor : int, optional
        A lock already taken, inherited from the process that started this one.

    Raises
    ------
    StoreBusyError
        Someone else has it.
    """

    def __init__(self, folder: Path, descriptor: int | None = None):
        self.folder = folder
        if descriptor is None:
            descriptor = os.open(folder / "store.lock", os.O_RDWR | os.O_CREAT, 0o644)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(descriptor)
                raise StoreBusyError(
                    f"the store {folder} is open already, by "
                    f"{read_holder(folder) or 'a process just starting'}. "
                    "Only one process at a time can write to its tables: connect to that one with "
                    "open_catalog, or stop it"
                ) from None
        self.descriptor = descriptor

    def note(self, holder: Holder) -> None:
        """Write who holds the lock."""
        os.ftruncate(self.descriptor, 0)
        os.pwrite(self.descriptor, json.dumps(asdict(holder)).encode(), 0)

    def release(self) -> None:
        """Give the lock up, or leave it to the process that inherited it."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1
