"""The records that design and devices ask for are the records that the soft IOC serves."""

import pytest

from devices.core.record_names import record_names
from ioc_sim.ioc import Ioc
from ioc_sim.physics.faults import KINDS
from ioc_sim.physics.scenario_file import load_scenario

PUMPS = [f"Pump:{name}:" for name in ("Cd", "Se", "Solvent")]
PUMP_PLAIN = "STATUS IRUN WRUN STOP IRATE IRATEUNITS WRATE TVOLUME CLEARINFUSED CLEARWITHDRAWN DIAMETER FORCE DISABLE"
OVENS = [f"Oven:{name}:" for name in ("Nucleation", "Growth")]
OVEN = "PV:RBV SP SP:RBV WSP:RBV RR RR:RBV RR:UNIT O O:RBV P I D MAN AUTOTUNE OUTPHI OUTPLO"
SPEC_PAIRS = (
    "INTEGRATION_TIME COLLECT COLLECT_MODE SPECTRUM_TYPE CORRECTION SHUTTER LIGHT_SOURCE LIGHT_SOURCE_INTENSITY "
    "NUM_SPECTRA TRIGGER_MODE EDC NLC TEC TEC_TEMP BUFF_CAPACITY"
)
SPEC_PLAIN = (
    "CONNECTED STATUS STATUS_MSG CURR_TEC_TEMP SPECTRA_COLLECTED DARK_AVAILABLE REF_AVAILABLE "
    "OUTPUT SAMPLE X_AXIS REFERENCE DARK"
)
REACTOR = (
    "Pressure Interlock InterlockReset InterlockMessage Valve SampleLoop RingCurrent FrontEnd StandbyFlow "
    "StandbyTemperature Heartbeat HeartbeatTimeout"
)
DESIGNED = [
    *(f"{pump}{name}{end}" for pump in PUMPS for name in PUMP_PLAIN.split() for end in ("", ":RBV")),
    *(f"{pump}{name}" for pump in PUMPS for name in ("IVOLUME:RBV", "WVOLUME:RBV")),
    *(f"{oven}LOOP1:{name}" for oven in OVENS for name in OVEN.split()),
    *(f"{oven}DISABLE" for oven in OVENS),
    *(f"Spec:{name}{end}" for name in SPEC_PAIRS.split() for end in ("", "_RBV")),
    *(f"Spec:{name}" for name in SPEC_PLAIN.split()),
    *(f"Reactor:{name}" for name in REACTOR.split()),
    "Sim:Clock",
    "Sim:Lag",
]


@pytest.fixture(scope="module")
def pvdb():
    return Ioc(load_scenario("fast"), prefix="X:").pvdb


def test_every_designed_record_is_served(pvdb):
    assert [name for name in DESIGNED if f"X:{name}" not in pvdb] == []


def test_every_record_a_device_uses_is_served(pvdb):
    from devices import FlowReactor, SaxsDetector, Spectrometer

    kinds = {FlowReactor: "X:", Spectrometer: "X:Spec:", SaxsDetector: "X:Saxs:"}
    asked = [name for device, prefix in kinds.items() for name in record_names(device, prefix)]
    assert len(asked) > 100
    assert [name for name in asked if name not in pvdb] == []


def test_record_names_are_those_that_ophyd_asks_for():
    """ophyd's own names, of devices that are made but not connected to anything."""
    from devices import FlowReactor, SaxsDetector, Spectrometer

    for device, prefix, arguments in (
        (FlowReactor, "X:", {}),
        (Spectrometer, "X:Spec:", {}),
        (SaxsDetector, "X:Saxs:", {"write_path": "/"}),
    ):
        made = device(prefix, name="device", **arguments)
        signals = [walk.item for walk in made.walk_signals(include_lazy=True) if hasattr(walk.item, "pvname")]
        asked = {
            name for signal in signals for name in (signal.pvname, getattr(signal, "setpoint_pvname", None)) if name
        }
        assert set(record_names(device, prefix)) == asked
        made.destroy()


def test_waveforms_have_the_spectrometers_length(pvdb):
    for name in ("OUTPUT", "SAMPLE", "X_AXIS", "REFERENCE", "DARK"):
        assert pvdb[f"X:Spec:{name}"].max_length == 1044


def test_no_record_serves_the_twins_true_values(pvdb):
    served = {name for name in pvdb if name.startswith("X:Sim:")}
    assert served == {"X:Sim:Clock", "X:Sim:Lag", "X:Sim:TimeScale", *(f"X:Sim:Fault:{name}" for name in KINDS)}


@pytest.mark.parametrize(
    ("name", "units"),
    [
        ("Oven:Growth:LOOP1:PV:RBV", "degC"),
        ("Pump:Cd:IVOLUME:RBV", "uL"),
        ("Spec:X_AXIS", "nm"),
        ("Reactor:Pressure", "bar"),
    ],
)
def test_records_carry_their_units(pvdb, name, units):
    assert pvdb[f"X:{name}"].units == units
