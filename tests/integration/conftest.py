"""A simulated reactor in a process of its own, and the devices on it."""

import os

import pytest
from ophyd.signal import EpicsSignalBase

from benchmarks._postgresql import installed, postgresql
from msc_plans.storage.database import Database, write_database
from tests.conftest import wait_until

# On a busy machine the simulated detector's first frame keeps the IOC from answering for seconds.
EpicsSignalBase.set_defaults(timeout=20.0)

TIME_SCALE = 200.0


@pytest.fixture(scope="session")
def postgresql_server():
    """A PostgreSQL server of these tests' own."""
    if not installed():
        pytest.skip("PostgreSQL is not installed")
    with postgresql() as server:
        yield server


@pytest.fixture(scope="module", params=["embedded", pytest.param("postgresql", marks=pytest.mark.long)])
def store_folder(request, tmp_path_factory):
    """The folder of a store to be: with SQLite and DuckDB in it, or in PostgreSQL, for two processes to serve."""
    folder = tmp_path_factory.mktemp("store")
    if request.param == "postgresql":
        uri = request.getfixturevalue("postgresql_server").create(folder.name)
        write_database(folder, Database(uri, processes=2))
    return folder


@pytest.fixture(scope="session")
def ioc(tmp_path_factory):
    """The soft IOC of this test process: scenario ``fast`` at 200 times the speed of a clock."""
    from msc_plans.session.simulator import Simulator

    port = int(os.environ["EPICS_CA_SERVER_PORT"])
    folder = tmp_path_factory.mktemp("ioc")
    files = {"log": folder / "ioc.log", "data_root": folder / "saxs"}
    with Simulator(scenario="fast", time_scale=TIME_SCALE, port=port, **files) as simulator:
        yield simulator


@pytest.fixture(scope="session")
def devices(ioc):
    """Reactor and spectrometer, connected, on the twin's clock; the heartbeat is not watched."""
    from devices import FlowReactor, ReactorGeometry, Spectrometer, connect, disconnect, use_clock
    from devices.core.connect import find_clock
    from ioc_sim.physics.scenario_file import load_scenario

    volumes = load_scenario("fast").plumbing
    geometry = ReactorGeometry(
        chamber_ul=volumes.chamber_ul, coil_ul=volumes.coil_ul, dead_ul=volumes.dead_ul, cell_ul=volumes.cell_ul
    )
    reactor = FlowReactor("MSC:", name="reactor", geometry=geometry, flush_flow_ul_min=200.0, syringe_ul=10_000.0)
    spectrometer = Spectrometer("MSC:Spec:", name="spectrometer")
    for device in (reactor, spectrometer):
        connect(device, timeout_s=20)
    clock, time_scale = find_clock("MSC:")
    assert time_scale == TIME_SCALE
    for device in (reactor, spectrometer):
        use_clock(device, clock)
    yield reactor, spectrometer
    disconnect()


def _reset(reactor):
    reactor.interlock.heartbeat_timeout.put(0.0, wait=True)
    reactor.interlock.reset.put(1, wait=True)
    wait_until(lambda: not reactor.interlock.tripped, what="the reset of the interlock")


@pytest.fixture
def reactor(devices):
    """The reactor at rest: interlock reset, all pumps off, ovens as the last test left them."""
    reactor, _ = devices
    _reset(reactor)
    # as small as this reactor: at this time scale 100 µL/min empty a syringe within seconds
    reactor.standby_flow.put(5.0, wait=True)
    yield reactor
    reactor.interlock.stop_heartbeat()
    _reset(reactor)
    reactor.stop()
    for pump in (reactor.pump_cd, reactor.pump_se, reactor.pump_solvent):
        pump.halt.put(1, wait=True)


@pytest.fixture
def spectrometer(devices):
    """The spectrometer, as the last test left it."""
    return devices[1]


@pytest.fixture
def RE(reactor):
    """A RunEngine whose loop ends with the test."""
    from bluesky.run_engine import RunEngine

    engine = RunEngine({})
    yield engine
    if engine.state != "idle":
        engine.halt()
    engine.loop.call_soon_threadsafe(engine.loop.stop)
    wait_until(lambda: not engine.loop.is_running(), what="the end of the RunEngine's loop")
    engine.loop.close()
