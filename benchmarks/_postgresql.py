"""A PostgreSQL server of one's own: loopback, a free port, its files gone at the end."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["Postgresql", "installed", "postgresql"]

_USER = "msc"
_ANSWERS_WITHIN_S = 30.0
# it refuses to work for root
_ACCOUNT = "postgres" if os.geteuid() == 0 else None


def installed() -> bool:
    """Whether PostgreSQL's programs are there."""
    return all(shutil.which(name) for name in ("initdb", "postgres", "psql"))


class Postgresql:
    """A server on the files in a folder; it may be killed and started again.

    Attributes
    ----------
    uri : str
        Of its first database.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        if _ACCOUNT:
            shutil.chown(folder, _ACCOUNT)
        subprocess.run(
            ["initdb", "--pgdata", folder / "data", "--auth", "trust", "--username", _USER, "--no-sync"],
            check=True, cwd=folder, stdout=subprocess.DEVNULL, user=_ACCOUNT,
        )  # fmt: skip
        with socket.create_server(("127.0.0.1", 0)) as free:
            self._port = free.getsockname()[1]
        self.uri = f"postgresql://{_USER}@127.0.0.1:{self._port}/postgres"
        self.start()

    def start(self) -> None:
        """Start it, and return when it answers."""
        settings = ("listen_addresses=127.0.0.1", f"port={self._port}", "unix_socket_directories=")
        log = self._folder / "log"
        with log.open("ab") as file:
            self._process = subprocess.Popen(
                ["postgres", "-D", self._folder / "data", *(part for one in settings for part in ("-c", one))],
                cwd=self._folder, stdout=file, stderr=file, start_new_session=True, user=_ACCOUNT,
            )  # fmt: skip
        deadline = time.monotonic() + _ANSWERS_WITHIN_S
        while subprocess.run(["psql", self.uri, "-c", "select 1"], capture_output=True, check=False).returncode:
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"PostgreSQL does not answer: {log.read_text()}")
            threading.Event().wait(0.1)

    def stop(self) -> None:
        """End it at once, clients or not, without tidying up: what a power cut does to it."""
        self._process.send_signal(signal.SIGQUIT)
        self._process.wait(_ANSWERS_WITHIN_S)

    def create(self, database: str) -> str:
        """Make another database; returns its URI."""
        subprocess.run(["psql", "--quiet", self.uri, "-c", f'create database "{database}"'], check=True)
        return f"{self.uri.rpartition('/')[0]}/{database}"


@contextmanager
def postgresql() -> Iterator[Postgresql]:
    """Run a server for the length of a ``with`` block."""
    with tempfile.TemporaryDirectory(prefix="msc-postgresql-") as name:
        server = Postgresql(Path(name))
        try:
            yield server
        finally:
            server.stop()
