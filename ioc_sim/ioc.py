"""One process, one twin, all records: the clock that drives them and the file that outlives them."""

import json
import logging
import os
import signal
import time
from pathlib import Path
from typing import Any

from caproto import ChannelData

from ioc_sim.interlock import InterlockLogic
from ioc_sim.physics.scenario import Scenario
from ioc_sim.physics.twin import Twin
from ioc_sim.records.faults import FAULT_RECORDS, FaultModel
from ioc_sim.records.oven import OVEN_RECORDS, OvenController
from ioc_sim.records.pump import PUMP_RECORDS, PumpController
from ioc_sim.records.reactor import REACTOR_RECORDS, SIM_RECORDS, ReactorModel
from ioc_sim.records.saxs import SaxsStation
from ioc_sim.records.spectrometer import SPECTROMETER_RECORDS, SpectrometerModel
from ioc_sim.records.table import RecordGroup, serve

__all__ = ["Ioc"]

log = logging.getLogger(__name__)

_TICKS_PER_S = (2.0, 50.0)
_MAX_TICKS_BEHIND = 4.0
_STEPS_AT_ONCE = 40
_SAVE_EVERY_S = 5.0


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
    data_root : Path
        Folder that holds all files of the SAXS detector; made when the first is written.

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
        data_root: Path = Path("saxs"),
    ) -> None:
        self.twin = Twin(scenario, seed=seed)
        self.interlock = InterlockLogic(self.twin)
        self.time_scale = time_scale
        self.lag_s = 0.0
        self._state_file = state_file
        if state_file is not None and state_file.exists():
            self._restore(state_file)
        self._spectrometer = SpectrometerModel(self.twin)
        self._groups: list[RecordGroup] = []
        for name, pump in self.twin.pumps.items():
            self._add(f"{prefix}Pump:{name}:", PUMP_RECORDS, PumpController(pump), guarded=True)
        for name, oven in self.twin.ovens.items():
            self._add(f"{prefix}Oven:{name}:", OVEN_RECORDS, OvenController(oven), guarded=True)
        self._add(f"{prefix}Spec:", SPECTROMETER_RECORDS, self._spectrometer, guarded=False)
        reactor = ReactorModel(self.twin, self.interlock)
        self._add(f"{prefix}Reactor:", REACTOR_RECORDS, reactor, guarded=True)
        self._add(f"{prefix}Sim:", SIM_RECORDS, self, guarded=False)
        self._add(f"{prefix}Sim:Fault:", FAULT_RECORDS, FaultModel(self.twin.faults), guarded=False)
        frame = scenario.frame
        self._saxs = SaxsStation(f"{prefix}Saxs:", self.twin, data_root, (frame.rows, frame.columns))
        self._groups += self._saxs.groups
        self.pvdb: dict[str, ChannelData] = dict(self._saxs.pvdb)
        for group in self._groups:
            self.pvdb.update(group.pvdb)

    def _add(self, prefix: str, table: Any, model: Any, *, guarded: bool) -> None:
        self._groups.append(serve(prefix, table, model, self._refusal if guarded else str))

    def _refusal(self) -> str:
        if not self.interlock.tripped:
            return ""
        return f"the interlock is tripped ({self.interlock.message}); reset it first"

    @property
    def time_scale(self) -> float:
        """Twin seconds per wall second; ValueError unless above 0 and at most 100000."""
        return self._time_scale

    @time_scale.setter
    def time_scale(self, value: float) -> None:
        if not 0 < value <= 1e5:
            raise ValueError(f"the time scale must be above 0 and at most 100000, not {value:g}")
        self._time_scale = value
        # a twin that is just faster: what it tells is no older, in its own time, for as long as a machine can do that
        self._period_s = 1.0 / min(max(value, _TICKS_PER_S[0]), _TICKS_PER_S[1])

    @property
    def clock_s(self) -> float:
        """The twin's time, s."""
        return self.twin.clock_s

    async def tick(self, wall_seconds: float) -> None:
        """Let the twin go on by ``wall_seconds`` of wall time and bring the records up to date.

        It may take half of a tick's wall time; what it can't do in that is lost as ``Lag``, and clients are answered.
        """
        left_s, deadline = wall_seconds * self.time_scale, time.monotonic() + self._period_s / 2
        chunk_s = _STEPS_AT_ONCE * self.twin.scenario.step_s
        while left_s > 0 and time.monotonic() < deadline:
            self.twin.advance(min(left_s, chunk_s), self.interlock.watch)
            left_s -= chunk_s
        self.lag_s += max(left_s, 0.0)
        self._freeze_or_end()
        self._spectrometer.tick()
        await self._saxs.tick()
        for group in self._groups:
            await group.publish()

    def _freeze_or_end(self) -> None:
        faults = self.twin.faults
        if faults.dead_ioc:
            log.warning("fault DeadIoc: ending at once, without writing the state file")
            os.kill(os.getpid(), signal.SIGKILL)
        if faults.frozen_s:
            seconds, faults.frozen_s = faults.frozen_s, 0.0
            log.warning("fault FrozenIoc: standing still for %g s", seconds)
            # the whole process, event loop and all
            time.sleep(seconds)

    async def run_clock(self, async_lib: Any) -> None:
        """Drive the twin by the wall clock until cancelled.

        Where the machine can't keep up, twin time is lost (``Lag``): the step is never stretched.
        """
        last = saved = time.monotonic()
        watched = self.interlock.heartbeat_timeout_s
        while True:
            await async_lib.library.sleep(max(0.001, last + self._period_s - time.monotonic()))
            now = time.monotonic()
            elapsed = min(now - last, _MAX_TICKS_BEHIND * self._period_s)
            self.lag_s += (now - last - elapsed) * self.time_scale
            last = now
            await self.tick(elapsed)
            # at once when a session begins or ends: a restart must know whether it stops somebody's work
            if now - saved > _SAVE_EVERY_S or watched != self.interlock.heartbeat_timeout_s:
                self.save()
                saved, watched = now, self.interlock.heartbeat_timeout_s

    async def shut_down(self) -> None:
        """Close the SAXS detector's file and end the thread that writes it."""
        await self._saxs.shut_down()

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
        except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
            raise ValueError(
                f"the state file {path} can't be taken up ({error!r}); move it away to start afresh"
            ) from error
