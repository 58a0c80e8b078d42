"""The SAXS station's records over a stand-in for the twin, in a process of its own.

``python -m tests.integration.saxs_ioc PREFIX FOLDER``; EPICS_CA_SERVER_PORT chooses the port.
"""

import asyncio
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from ioc_sim.records.saxs import SaxsStation
from ioc_sim.records.table import Setting, serve

ROWS, COLUMNS = 619, 487
TICK_S, TIME_SCALE = 0.04, 200.0


def counts(number):
    """Return the frame with this number."""
    return ((np.arange(ROWS * COLUMNS, dtype=np.int32) * 7919) % 1000 + number).reshape(ROWS, COLUMNS)


class Twin:
    clock_s = 0.0
    frames = 0

    def __init__(self):
        self.faults = SimpleNamespace(no_file=False, full_disk=False)
        self.beam = SimpleNamespace(
            shutter_open=False, energy_kev=12.0, lost=False, cell_temperature_c=25.0, cell_setpoint_c=0.0,
            i0=lambda clock_s: 1000.0, i1=lambda clock_s: 800.0,
        )  # fmt: skip

    def frame(self, exposure_s):
        self.frames += 1
        return counts(self.frames)


class Faults:
    def __init__(self, faults):
        self._faults = faults

    no_file = property(
        lambda self: int(self._faults.no_file), lambda self, value: setattr(self._faults, "no_file", bool(value))
    )
    full_disk = property(
        lambda self: int(self._faults.full_disk), lambda self, value: setattr(self._faults, "full_disk", bool(value))
    )


async def main(prefix, folder):
    from caproto.asyncio.server import Context

    twin = Twin()
    station = SaxsStation(prefix, twin, folder, (ROWS, COLUMNS))
    table = [Setting(name, name, name, kind=int, readback="") for name in ("no_file", "full_disk")]
    faults = serve(f"{prefix}Fault:", table, Faults(twin.faults), str)

    async def clock(async_lib):
        while True:
            await asyncio.sleep(TICK_S)
            twin.clock_s += TICK_S * TIME_SCALE
            await station.tick()
            for group in station.groups:
                await group.publish()

    server = asyncio.ensure_future(Context(station.pvdb | faults.pvdb, ["127.0.0.1"]).run(startup_hook=clock))
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, server.cancel)
    with suppress(asyncio.CancelledError):
        await server
    await station.shut_down()


if __name__ == "__main__":
    os.environ["EPICS_CAS_AUTO_BEACON_ADDR_LIST"] = "NO"
    os.environ["EPICS_CAS_BEACON_ADDR_LIST"] = ""
    asyncio.run(main(sys.argv[1], Path(sys.argv[2])))
