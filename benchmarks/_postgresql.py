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

__all__ = ["database_of", "installed", "postgresql"]

_USER = "msc"
_ANSWERS_WITHIN_S = 30.0


def installed() -> bool:
    """Whether PostgreSQL's programs are there."""
    return all(shutil.which(name) for name in ("initdb", "postgres", "psql"))


@contextmanager
def postgresql() -> Iterator[str]:
    """Run a server for the length of a ``with`` block; gives the URI of its first database."""
    # it refuses to work for root
    account = "postgres" if os.geteuid() == 0 else None
    with tempfile.TemporaryDirectory(prefix="msc-postgresql-") as name:
        folder = Path(name)
        if account:
            shutil.chown(folder, account)
        data = folder / "data"
        subprocess.run(
            ["initdb", "--pgdata", data, "--auth", "trust", "--username", _USER, "--no-sync", "--encoding", "UTF8"],
            check=True, cwd=folder, stdout=subprocess.DEVNULL, user=account,
        )  # fmt: skip
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        settings = ("listen_addresses=127.0.0.1", f"port={port}", "unix_socket_directories=")
        with (folder / "log").open("wb") as log:
            server = subprocess.Popen(
                ["postgres", "-D", data, *(part for setting in settings for part in ("-c", setting))],
                cwd=folder, stdout=log, stderr=log, start_new_session=True, user=account,
            )  # fmt: skip
        try:
            uri = f"postgresql://{_USER}@127.0.0.1:{port}/postgres"
            began = time.monotonic()
            while subprocess.run(["psql", uri, "-c", "select 1"], capture_output=True, check=False).returncode:
                if server.poll() is not None or time.monotonic() > began + _ANSWERS_WITHIN_S:
                    raise RuntimeError(f"PostgreSQL does not answer: {(folder / 'log').read_text()}")
                threading.Event().wait(0.1)
            yield uri
        finally:
            server.send_signal(signal.SIGINT)  # its word for: end now, clients or not
            server.wait(_ANSWERS_WITHIN_S)


def database_of(uri: str, name: str) -> str:
    """Make another database on a server; gives its URI."""
    subprocess.run(["psql", "--quiet", uri, "-c", f'create database "{name}"'], check=True)
    return f"{uri.rpartition('/')[0]}/{name}"
