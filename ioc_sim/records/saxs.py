"""Records of the SAXS station: beam, monitors and cell, the detector's driver and its file plugin.

``Saxs:`` holds what a beamline's own IOCs serve; ``Saxs:cam1:`` and ``Saxs:HDF1:`` are areaDetector's, as ophyd's
``PilatusDetectorCam`` and ``HDF5Plugin`` ask for them. Of the latter only those that live are brought up to date
with every tick; the inert ones never change by themselves.
"""

import asyncio
from pathlib import Path
from typing import Any, Protocol

from caproto import ChannelData

from ioc_sim.areadetector.data_root import DataRoot
from ioc_sim.areadetector.hdf_plugin import FileFaults, HdfModel
from ioc_sim.areadetector.hdf_records import HDF_RECORDS
from ioc_sim.areadetector.inert import serve_inert
from ioc_sim.areadetector.pilatus import CAM_RECORDS, CamModel, PhotonCounter
from ioc_sim.physics.beam import CELL_C, ENERGY_KEV
from ioc_sim.records.table import Reading, RecordGroup, Setting, Spec, serve

__all__ = ["SAXS_RECORDS", "SaxsModel", "SaxsStation", "SaxsSurroundings", "Station"]


class SaxsSurroundings(Protocol):
    """X-rays at the cell, and the cell."""

    shutter_open: bool
    energy_kev: float
    lost: bool
    cell_temperature_c: float
    cell_setpoint_c: float

    def i0(self, clock_s: float) -> float:
        """Monitor before the cell, counts a second."""
        ...

    def i1(self, clock_s: float) -> float:
        """Monitor behind the cell, counts a second."""
        ...


class Station(PhotonCounter, Protocol):
    """What the twin gives."""

    @property
    def beam(self) -> Any:
        """As :class:`SaxsSurroundings`."""
        ...

    @property
    def faults(self) -> FileFaults:
        """Those of the files."""
        ...


class SaxsModel:
    """Beam, monitors and cell by the values of their records.

    Parameters
    ----------
    station : Station
        The twin.
    """

    def __init__(self, station: Station) -> None:
        self._station = station

    @property
    def i0(self) -> float:
        """Monitor before the cell, counts/s."""
        return self._station.beam.i0(self._station.clock_s)

    @property
    def i1(self) -> float:
        """Monitor behind the cell, counts/s."""
        return self._station.beam.i1(self._station.clock_s)

    @property
    def monitor_alarm(self) -> str:
        """Severity of both monitors."""
        return "MAJOR_ALARM" if self._station.beam.lost else "NO_ALARM"

    @property
    def shutter(self) -> str:
        """``Closed`` or ``Open``."""
        return "Open" if self._station.beam.shutter_open else "Closed"

    @shutter.setter
    def shutter(self, value: str) -> None:
        self._station.beam.shutter_open = value == "Open"

    @property
    def energy_kev(self) -> float:
        """Photon energy, keV."""
        return self._station.beam.energy_kev

    @energy_kev.setter
    def energy_kev(self, value: float) -> None:
        self._station.beam.energy_kev = value

    @property
    def cell_c(self) -> float:
        """Temperature of the cell, °C."""
        return self._station.beam.cell_temperature_c

    @property
    def cell_setpoint_c(self) -> float:
        """Its setpoint, °C; 0 follows the growth oven."""
        return self._station.beam.cell_setpoint_c

    @cell_setpoint_c.setter
    def cell_setpoint_c(self, value: float) -> None:
        self._station.beam.cell_setpoint_c = value


SAXS_RECORDS: tuple[Spec, ...] = (
    Reading("I0", "i0", "Monitor before the cell", units="cts/s", alarm="monitor_alarm"),
    Reading("I1", "i1", "Monitor behind the cell", units="cts/s", alarm="monitor_alarm"),
    Setting("Shutter", "shutter", "X-ray shutter", choices=("Closed", "Open")),
    Setting("Energy", "energy_kev", "Photon energy", units="keV", precision=4, limits=ENERGY_KEV),
    Reading("CellTemperature", "cell_c", "Temperature of the cell", units="degC"),
    Setting(
        "CellTemperature:SP", "cell_setpoint_c", "Setpoint, 0 follows the growth oven", units="degC", limits=CELL_C
    ),
)


class SaxsStation:
    """All records of the station, and what drives them.

    Parameters
    ----------
    prefix : str
        Prefix of all records, e.g. ``"MSC:Saxs:"``.
    station : Station
        The twin.
    data_root : Path
        Folder that holds all files; made when it is first needed.
    shape : (rows, columns)
        Of a frame.

    Attributes
    ----------
    pvdb : dict
        All records by name.
    groups : list of RecordGroup
        Those to be published with every tick.
    """

    def __init__(self, prefix: str, station: Station, data_root: Path, shape: tuple[int, int]) -> None:
        self.hdf = HdfModel(DataRoot(data_root), station.faults)
        self.cam = CamModel(station, self.hdf, shape)
        cam, hdf = f"{prefix}cam1:", f"{prefix}HDF1:"
        self._detector = [serve(cam, CAM_RECORDS, self.cam, str), serve(hdf, HDF_RECORDS, self.hdf, str)]
        self.groups: list[RecordGroup] = [serve(prefix, SAXS_RECORDS, SaxsModel(station), str), *self._detector]
        self.pvdb: dict[str, ChannelData] = {}
        for group in (*self.groups, serve_inert(cam, "cam1"), serve_inert(hdf, "HDF1")):
            self.pvdb.update(group.pvdb)
        self.hdf.on_change = self._changed
        self._publishing: set[asyncio.Task[None]] = set()

    async def tick(self) -> None:
        """Follow the twin's clock."""
        await self.cam.tick()

    def _changed(self) -> None:
        self.cam.settle()
        # a tick may be half a second away
        task = asyncio.get_running_loop().create_task(self._publish())
        self._publishing.add(task)
        task.add_done_callback(self._publishing.discard)

    async def _publish(self) -> None:
        for group in self._detector:
            await group.publish()

    async def shut_down(self) -> None:
        """Give up the acquisition, finish and close the file, end the thread that writes."""
        self.cam.acquire = "Done"
        await self.hdf.shut_down()
        if self._publishing:
            await asyncio.wait(self._publishing)
