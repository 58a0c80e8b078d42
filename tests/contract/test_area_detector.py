"""Every record that ophyd's areaDetector classes name is served, with what the inert table says of it."""

import csv
from importlib.resources import files
from types import SimpleNamespace

import pytest

from ioc_sim.records.saxs import SaxsStation

PREFIX = "X:Saxs:"


@pytest.fixture(scope="module")
def pvdb(tmp_path_factory):
    beam = SimpleNamespace(
        shutter_open=False, energy_kev=12.0, lost=False, cell_temperature_c=25.0, cell_setpoint_c=0.0,
        i0=float, i1=float,
    )  # fmt: skip
    faults = SimpleNamespace(no_file=False, full_disk=False)
    twin = SimpleNamespace(clock_s=0.0, beam=beam, faults=faults, frame=None)
    return SaxsStation(PREFIX, twin, tmp_path_factory.mktemp("data"), (619, 487)).pvdb


def named(cls):
    """Names of all records that a class asks for, below its prefix, by its components alone: nothing connects."""
    from ophyd import DynamicDeviceComponent
    from ophyd.areadetector.base import EpicsSignalWithRBV
    from ophyd.areadetector.paths import EpicsPathSignal
    from ophyd.signal import EpicsSignalBase

    def of(kind, suffix):
        if not issubclass(kind, EpicsSignalBase):
            return set()
        if issubclass(kind, (EpicsSignalWithRBV, EpicsPathSignal)):
            return {suffix, f"{suffix}_RBV"}
        return {suffix}

    names = set()
    for component in cls._sig_attrs.values():
        if isinstance(component, DynamicDeviceComponent):
            for kind, suffix, _ in component.defn.values():
                names |= of(kind, suffix)
        else:
            names |= of(component.cls, component.suffix)
    return names


def classes():
    from ophyd.areadetector import cam, plugins

    return [
        pytest.param("cam1:", cam.PilatusDetectorCam, 130, id="PilatusDetectorCam"),
        *(
            pytest.param("HDF1:", getattr(plugins, name), 100, id=name)
            for name in ("HDF5Plugin", "HDF5Plugin_V22", "HDF5Plugin_V34", "HDF5Plugin_V35")
        ),
    ]


@pytest.mark.parametrize(("group", "cls", "at_least"), classes())
def test_every_record_that_ophyd_names_is_served(pvdb, group, cls, at_least):
    names = named(cls)
    assert len(names) >= at_least
    missing = []
    for name in sorted(names):
        record, _, field = name.partition(".")
        channel = pvdb.get(f"{PREFIX}{group}{record}")
        try:
            assert channel.get_field(field) is not None
        except (AttributeError, KeyError):
            missing.append(name)
    assert missing == []


def test_station_records_are_served(pvdb):
    names = "I0 I1 Shutter Shutter:RBV Energy Energy:RBV CellTemperature CellTemperature:SP CellTemperature:SP:RBV"
    assert [name for name in names.split() if PREFIX + name not in pvdb] == []


def test_records_carry_units_and_a_description_that_fits(pvdb):
    assert pvdb[f"{PREFIX}cam1:AcquireTime"].units == "s"
    assert pvdb[f"{PREFIX}Energy"].units == "keV"
    assert pvdb[f"{PREFIX}cam1:AcquireTime"].get_field("DESC").value == "Exposure time"
    # Channel Access holds 7 characters and a NUL
    assert [name for name, channel in pvdb.items() if len(getattr(channel, "units", "")) > 7] == []
    # EPICS holds 40 characters
    assert [name for name, channel in pvdb.items() if len(channel.get_field("DESC").value) > 40] == []
    assert [name for name, channel in pvdb.items() if not channel.get_field("DESC").value] == []


def test_a_record_stands_in_one_table_only():
    from ioc_sim.areadetector.hdf_records import HDF_RECORDS
    from ioc_sim.areadetector.pilatus import CAM_RECORDS

    table = (files("ioc_sim.areadetector") / "inert_records.csv").read_text(encoding="utf-8")
    rows = list(csv.DictReader(table.splitlines()))
    for group, live in (("cam1", CAM_RECORDS), ("HDF1", HDF_RECORDS)):
        names = [(row["name"], row["form"] in ("pair", "fixed")) for row in rows if row["group"] == group]
        names += [(spec.name, getattr(spec, "readback", "") == "_RBV") for spec in live]
        served = [name for name, _ in names] + [f"{name}_RBV" for name, pair in names if pair]
        assert sorted(served) == sorted(set(served))


@pytest.mark.parametrize("form", ["pair", "set", "fixed", "momentary"])
def test_inert_records_keep_refuse_or_let_go_what_is_put(form):
    from ioc_sim.areadetector.inert import InertModel

    row = {"name": "Name", "form": form, "type": "float", "value": "1"}
    model = InertModel([row])
    model.Name = 1.0
    if form == "fixed":
        with pytest.raises(ValueError, match=r"1\.0 and can't be changed"):
            model.Name = 2.0
    else:
        model.Name = 2.0
    assert model.Name == (2.0 if form in ("pair", "set") else 1.0)
