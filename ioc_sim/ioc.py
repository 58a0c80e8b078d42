"""One process, one twin, all records: the clock that drives them and the file that outlives them."""

import asyncio
import json
import logging
import os
import signal
import socket
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from caproto import ChannelData

from ioc_sim.interlock import Interlock
from ioc_sim.oven import OVEN_RECORDS, OvenModel
from ioc_sim.physics.scenario import Scenario
from ioc_sim.physics.twin import Twin
from ioc_sim.pump import PUMP_RECORDS, PumpModel
from ioc_sim.reactor import REACTOR_RECORDS, SIM_RECORDS, ReactorModel
from ioc_sim.records import RecordGroup, serve
from ioc_sim.spectrometer import SPECTROMETER_RECORDS, SpectrometerModel

__all__ = ["Ioc", "PortInUseError", "check_port", "run"]

log = logging.getLogger(__name__)

_TICKS_PER_S = (2.0, 25.0)
_MAX_TICKS_BEHIND = 4.0
_SAVE_EVERY_S = 5.0


class PortInUseError(RuntimeError):
    """The Channel Access port asked for serves someone else."""


class Ioc:
    """The simulated reactor behind its records.

    Parameters
    ----------
    scenario : Scenario
        The reactor and its chemistry.
    prefix : str
        Prefix of all records.
    time_scale : float
        Twin seconds per wall second.
    seed : int
        Of all noise.
    state_file : Path, optional
        Where temperatures, syringes and the interlock's latch are kept; taken up if it exists.

    Attributes
    ----------
    pvdb : dict
        All records by name.
    lag_s : float
        Twin seconds lost so far because the machine could not keep the time scale.
    """

    def __init__(
        self,
        scenario: Scenario,
        *,
        prefix: str = "MSC:",
        time_scale: float = 1.0,
        seed: int = 0,
        state_file: Path | None = None,
    ) -> None:
        if not 0 < time_scale <= 1e5:
            raise ValueError(f"the time scale must be above 0 and at most 100000, not {time_scale:g}")
        self.twin = Twin(scenario, seed=seed)
        self.interlock = Interlock(self.twin)
        self.time_scale = time_scale
        self.lag_s = 0.0
        self._state_file = state_file
        if state_file is not None and state_file.exists():
            self._restore(state_file)
        self._spectrometer = SpectrometerModel(self.twin)
        self._groups: list[RecordGroup] = []
        for name, pump in self.twin.pumps.items():
            self._add(f"{prefix}Pump:{name}:", PUMP_RECORDS, PumpModel(pump), guarded=True)
        for name, oven in self.twin.ovens.items():
            self._add(f"{prefix}Oven:{name}:", OVEN_RECORDS, OvenModel(oven), guarded=True)
        self._add(f"{prefix}Spec:", SPECTROMETER_RECORDS, self._spectrometer, guarded=False)
        reactor = ReactorModel(self.twin, self.interlock)
        self._add(f"{prefix}Reactor:", REACTOR_RECORDS, reactor, guarded=True)
        self._add(f"{prefix}Sim:", SIM_RECORDS, self, guarded=False)
        self.pvdb: dict[str, ChannelData] = {}
        for group in self._groups:
            self.pvdb.update(group.pvdb)

    def _add(self, prefix: str, table: Any, model: Any, *, guarded: bool) -> None:
        self._groups.append(serve(prefix, table, model, self._refusal if guarded else str))

    def _refusal(self) -> str:
        if not self.interlock.tripped:
            return ""
        return f"the interlock is tripped ({self.interlock.message}); reset it first"

    @property
    def clock_s(self) -> float:
        """The twin's time, s."""
        return self.twin.clock_s

    async def tick(self, wall_seconds: float) -> None:
        """Let the twin go on by ``wall_seconds`` of wall time and bring the records up to date."""
        self.twin.advance(wall_seconds * self.time_scale)
        self.interlock.watch()
        self._spectrometer.tick()
        for group in self._groups:
            await group.publish()

    async def run_clock(self, async_lib: Any) -> None:
        """Drive the twin by the wall clock until cancelled.

        Where the machine can't keep up, twin time is lost (``Lag``): the step is never stretched.
        """
        period = 1.0 / min(max(self.time_scale / 4.0, _TICKS_PER_S[0]), _TICKS_PER_S[1])
        last = saved = time.monotonic()
        while True:
            await async_lib.library.sleep(max(0.001, last + period - time.monotonic()))
            now = time.monotonic()
            elapsed = min(now - last, _MAX_TICKS_BEHIND * period)
            self.lag_s += (now - last - elapsed) * self.time_scale
            last = now
            await self.tick(elapsed)
            if now - saved > _SAVE_EVERY_S:
                self.save()
                saved = now

    def save(self) -> None:
        """Write the state file, whole or not at all; nothing without one."""
        if self._state_file is None:
            return
        text = json.dumps({"twin": self.twin.state(), "interlock": self.interlock.state()})
        partial = self._state_file.with_name(self._state_file.name + ".partial")
        partial.write_text(text)
        partial.replace(self._state_file)

    def _restore(self, path: Path) -> None:
        try:
            state = json.loads(path.read_text())
            self.twin.restore(state["twin"])
            self.interlock.restore(state["interlock"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ValueError(
                f"the state file {path} can't be taken up ({error!r}); move it away to start afresh"
            ) from error


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


async def _end_with(parent: int, server: asyncio.Future[None]) -> None:
    while os.getppid() == parent:
        await asyncio.sleep(0.3)
    server.cancel()


def run(ioc: Ioc, *, interfaces: list[str], parent: int | None = None) -> None:
    """Serve the records until SIGINT, SIGTERM or the end of a parent process; then write the state file.

    ``EPICS_CA_SERVER_PORT`` chooses the port.
    """
    from caproto.asyncio.server import Context

    async def main() -> None:
        loop = asyncio.get_running_loop()
        server = asyncio.ensure_future(Context(ioc.pvdb, interfaces).run(startup_hook=ioc.run_clock))
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, server.cancel)
        watch = asyncio.ensure_future(_end_with(parent, server)) if parent else None
        with suppress(asyncio.CancelledError):
            await server
        if watch:
            watch.cancel()

    if interfaces == ["127.0.0.1"]:
        os.environ["EPICS_CAS_AUTO_BEACON_ADDR_LIST"] = "NO"
        os.environ["EPICS_CAS_BEACON_ADDR_LIST"] = ""
    try:
        asyncio.run(main())
    finally:
        ioc.save()
