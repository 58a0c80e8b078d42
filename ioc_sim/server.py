"""The IOC's process: its Channel Access server, its port, and its end."""

import asyncio
import os
import signal
import socket
from contextlib import suppress
from typing import Any

from caproto.asyncio.server import Context, VirtualCircuit

from ioc_sim.ioc import Ioc
from ioc_sim.physics.faults import Faults

__all__ = ["PortInUseError", "check_port", "run"]


class PortInUseError(RuntimeError):
    """The Channel Access port asked for serves someone else."""


def check_port(port: int) -> None:
    """Raise :class:`PortInUseError` if another program holds the Channel Access port on loopback.

    The UDP side of Channel Access is shared between servers, so a second one would start and then
    answer only some of the searches.
    """
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(socket.AF_INET, kind) as probe:
            if kind == socket.SOCK_STREAM:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError as error:
                raise PortInUseError(
                    f"port {port} is in use ({error.strerror}); stop what runs there, or choose another with --port"
                ) from error


class _Circuit(VirtualCircuit):
    """A client's connection; the fault ``SlowIoc`` delays every request on it."""

    def __init__(self, circuit: Any, client: Any, context: Any) -> None:
        super().__init__(circuit, client, context)
        # As EPICS' own server does. asyncio leaves Nagle's algorithm on for sockets made without their protocol's
        # number, as caproto's are: 40 ms more on every other answer.
        client.writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    async def _command_queue_iteration(self, command: Any) -> Any:
        delay_s = self.context.faults.slow_s  # type: ignore[attr-defined]
        if delay_s:
            await asyncio.sleep(delay_s)
        return await super()._command_queue_iteration(command)


class _Context(Context):
    CircuitClass = _Circuit
    faults: Faults


async def _end_with(parent: int, server: asyncio.Future[None]) -> None:
    while os.getppid() == parent:
        await asyncio.sleep(0.3)
    server.cancel()


def run(ioc: Ioc, *, interfaces: list[str], parent: int | None = None) -> None:
    """Serve the records until SIGINT, SIGTERM or the end of a parent process; then write the state file.

    ``EPICS_CA_SERVER_PORT`` chooses the port.
    """

    async def main() -> None:
        loop = asyncio.get_running_loop()
        context = _Context(ioc.pvdb, interfaces)
        context.faults = ioc.twin.faults
        server = asyncio.ensure_future(context.run(startup_hook=ioc.run_clock))
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, server.cancel)
        watch = asyncio.ensure_future(_end_with(parent, server)) if parent else None
        with suppress(asyncio.CancelledError):
            await server
        await ioc.shut_down()
        if watch:
            watch.cancel()

    if interfaces == ["127.0.0.1"]:
        os.environ["EPICS_CAS_AUTO_BEACON_ADDR_LIST"] = "NO"
        os.environ["EPICS_CAS_BEACON_ADDR_LIST"] = ""
    try:
        asyncio.run(main())
    finally:
        ioc.save()
