"""Several processes on one listening socket, of which an idle one takes the next connection."""

import asyncio
import socket
from contextlib import suppress
from typing import Any

import uvicorn

from msc_plans.patches import Patch, applies

__all__ = ["PATCH", "FairServer", "server_class"]

PATCH = Patch(
    name="uvicorn: idle processes",
    package="uvicorn",
    versions=">=0.30,<1",
    targets=(
        "uvicorn:Server.startup", "uvicorn:Server.shutdown", "uvicorn.server:ServerState",
        "uvicorn:Config.load", "uvicorn.lifespan.on:LifespanOn",
    ),
    kind="speed",
    test="tests/unit/storage/tiled_patches/test_fair_server.py::"
    "test_while_one_works_the_other_takes_what_comes_and_nobody_waits_when_both_do",
    fault=(
        "Several processes that accept on one listening socket take connections in whatever order their event loops "
        "wake up. A process that is already serving a request wakes up often and takes the next one as well, while "
        "another process is idle: two clients met at the same one of two processes for 28 % of their time. A busy "
        "process should leave a new connection to the others for a moment."
),
)  # fmt: skip

_COURTESY_S = 0.002
_FULL_S = 0.1


class FairServer(uvicorn.Server):
    """Leaves connections to other processes while it has one of its own, for 2 ms.

    Whoever looks first gets a connection, and one that works looks often: without this two clients met at the same
    process, the other one idle, for 28 % of their time.
    """

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to serve; takes one socket, that listens."""
        assert sockets is not None
        await super().startup(sockets=[])
        self._accepting = asyncio.create_task(self._accept(sockets[0]))

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End what `startup` began."""
        self._accepting.cancel()
        with suppress(asyncio.CancelledError):
            await self._accepting
        await super().shutdown(sockets)

    async def _accept(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        listener.setblocking(False)
        while True:
            await _readable(loop, listener)
            if self.server_state.connections:
                await asyncio.sleep(_COURTESY_S)
            try:
                connection, _ = listener.accept()
            except BlockingIOError:
                continue  # another process has it
            except OSError:
                await asyncio.sleep(_FULL_S)  # as with no file descriptor left
                continue
            with suppress(OSError):  # the client has gone
                await loop.connect_accepted_socket(self._protocol, connection)

    def _protocol(self) -> asyncio.Protocol:
        make: Any = self.config.http_protocol_class
        return make(config=self.config, server_state=self.server_state, app_state=self.lifespan.state)


def server_class() -> type[uvicorn.Server]:
    """Return the class of a server that shares its socket with other processes: `FairServer` where uvicorn fits it."""
    return FairServer if applies(PATCH) else uvicorn.Server


async def _readable(loop: asyncio.AbstractEventLoop, listener: socket.socket) -> None:
    pending = asyncio.Event()
    loop.add_reader(listener, pending.set)
    try:
        await pending.wait()
    finally:
        loop.remove_reader(listener)
