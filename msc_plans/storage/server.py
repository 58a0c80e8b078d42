"""The Tiled server as a process of its own, off the RunEngine's interpreter lock."""

import logging
import os
import socket
import sys
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

from msc_plans.processes import Child, ChildError
from msc_plans.storage.config import prepare_folder, read_api_key
from msc_plans.storage.lock import Holder, StoreBusyError, StoreLock

__all__ = ["HOST", "PortBusyError", "ServerError", "TiledServer", "listen"]

HOST = "127.0.0.1"

logger = logging.getLogger(__name__)

_LOOK_S = 0.2
_RESTART_S = 1.0


class PortBusyError(RuntimeError):
    """Something else listens on the port asked for."""


class ServerError(ChildError):
    """The server ended, or did not answer, at its start."""


def listen(port: int) -> socket.socket:
    """Return a socket that listens on a loopback port; 0 takes a free one.

    Raises
    ------
    PortBusyError
        The port is taken.
    """
    # With the protocol named, or asyncio leaves Nagle's algorithm on: 40 ms more on every answer.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    # Without it a port is refused for a minute after its last server has stopped.
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
        listener.listen(128)
    except OSError as error:
        listener.close()
        raise PortBusyError(
            f"cannot listen on {HOST}:{port}: {error.strerror}. Choose another port, or 0 for a free one"
        ) from error
    return listener


class TiledServer:
    """A Tiled server on a store's folder.

    Lock and socket are taken here and inherited by the process, so that a busy store or port is refused
    before anything starts. The process ends with this one, however this one ends; where it ends by itself, another
    takes its place, at the same port.

    Parameters
    ----------
    folder : str or Path
        The store's folder; made where missing.
    port : int
        TCP port on 127.0.0.1; 0 takes a free one.
    outlive : bool
        Let the server go on when this process ends; whoever asks for it ends it by `pid`.

    Examples
    --------
    >>> with TiledServer("store") as server:
    ...     catalog = open_catalog(server.uri, server.api_key)
    """

    def __init__(self, folder: str | Path, port: int = 0, outlive: bool = False):
        self.folder = prepare_folder(folder)
        self.port = port
        self._parent = 0 if outlive else os.getpid()
        self._child: Child | None = None
        self._stopping = threading.Event()
        self._watch: threading.Thread | None = None

    @property
    def uri(self) -> str:
        """Where the server answers."""
        return f"http://{HOST}:{self.port}"

    @property
    def api_key(self) -> str:
        """The key that clients must show."""
        return read_api_key(self.folder)

    @property
    def pid(self) -> int | None:
        """The process id of the running server, or None."""
        return self._child.pid if self._child and self._child.running else None

    def start(self, timeout: float = 60.0) -> Self:
        """Start the server and return when it answers.

        Raises
        ------
        StoreBusyError
            Another process has the store open.
        PortBusyError
            The port is taken.
        ServerError
            The server ended, or did not answer within `timeout` seconds.
        """
        if self._watch is not None:
            return self
        read_api_key(self.folder)
        try:
            self._launch().wait_for_http(f"{HOST}:{self.port}", "/healthz", timeout)
        except BaseException:
            self.stop()
            raise
        self._stopping.clear()
        self._watch = threading.Thread(target=self._keep_running, name="tiled-watch", daemon=True)
        self._watch.start()
        return self

    def _launch(self) -> Child:
        lock = StoreLock(self.folder)
        try:
            with listen(self.port) as listener:
                self.port = listener.getsockname()[1]
                descriptors = (lock.descriptor, listener.fileno())
                command = [sys.executable, "-m", "msc_plans.storage.server_process", str(self.folder), "--inherited"]
                child = self._child = Child(
                    f"the Tiled server on {self.folder}",
                    [*command, *map(str, (*descriptors, self._parent))],
                    log=self.folder / "tiled.log",
                    descriptors=descriptors,
                    error=ServerError,
                )
            lock.note(Holder(child.pid, self.uri))
            return child
        finally:
            lock.release()

    def _keep_running(self) -> None:
        while not self._stopping.wait(_LOOK_S):
            if self.pid is None:
                code = self._child.returncode if self._child else None
                if self._child is not None:
                    self._child.end()
                logger.warning("the Tiled server on %s has ended (code %s); starting another", self.folder, code)
                try:
                    self._launch()
                except (StoreBusyError, PortBusyError, OSError) as error:
                    logger.warning("that failed: %s", error)
                self._stopping.wait(_RESTART_S)

    def stop(self, timeout: float = 10.0) -> None:
        """End the server: SIGTERM, then SIGKILL after `timeout` seconds. Stopping twice does nothing."""
        self._stopping.set()
        if self._watch is not None:
            self._watch.join()
            self._watch = None
        child, self._child = self._child, None
        if child is not None:
            child.end(timeout)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
