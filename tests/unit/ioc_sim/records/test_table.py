import asyncio

import pytest
from caproto import AlarmSeverity, CaprotoRuntimeError, CaprotoValueError, ChannelType

from ioc_sim.records.table import Command, Reading, Setting, serve


class Model:
    temperature = 20.0
    colour = "red"
    reading = 1.5
    alarm = "NO_ALARM"
    text = "fine"
    calls = 0

    def go(self):
        self.calls += 1

    def refuse(self):
        raise ValueError("not now")


TABLE = (
    Setting("SP", "temperature", "A setpoint", units="degC", precision=1, limits=(0.0, 400.0)),
    Setting("COLOUR", "colour", "A choice", choices=("red", "blue")),
    Setting("BEAT", "temperature", "Taken even when tripped", readback="", always=True),
    Reading("PV", "reading", "A reading", units="degC", alarm="alarm"),
    Reading("MSG", "text", "A text", kind=str),
    Command("GO", "go", "An action"),
    Command("NO", "refuse", "An action that is refused"),
)


@pytest.fixture
def model():
    return Model()


@pytest.fixture
def pvs(model):
    reasons = [""]
    group = serve("T:", TABLE, model, lambda: reasons[0])
    return group, reasons


def put(channel, value, data_type=ChannelType.DOUBLE):
    asyncio.run(channel.write_from_dbr(value, data_type, None))


def test_each_setting_has_its_readback_and_fields(pvs):
    pvdb = pvs[0].pvdb
    assert {"T:SP", "T:SP:RBV", "T:COLOUR", "T:COLOUR:RBV", "T:BEAT", "T:PV", "T:MSG", "T:GO", "T:GO:RBV"} <= set(pvdb)
    assert "T:BEAT:RBV" not in pvdb
    fields = {name: pvdb["T:SP"].get_field(name).value for name in ("EGU", "PREC", "DRVL", "DRVH")}
    assert fields == {"EGU": "degC", "PREC": 1, "DRVL": 0.0, "DRVH": 400.0}


@pytest.mark.parametrize(("asked", "taken"), [(280.0, 280.0), (500.0, 400.0), (-5.0, 0.0)])
def test_a_number_outside_the_limits_is_clamped_as_epics_does(pvs, model, asked, taken):
    pvdb = pvs[0].pvdb
    put(pvdb["T:SP"], [asked])
    assert (model.temperature, pvdb["T:SP"].value, pvdb["T:SP:RBV"].value) == (taken, taken, taken)


def test_nan_is_refused_by_name(pvs, model):
    with pytest.raises(CaprotoValueError, match="T:SP: nan is not a finite number"):
        put(pvs[0].pvdb["T:SP"], [float("nan")])
    assert model.temperature == 20.0


def test_a_tripped_interlock_refuses_all_but_what_is_always_taken(pvs, model):
    group, reasons = pvs
    reasons[0] = "the interlock is tripped"
    with pytest.raises(CaprotoRuntimeError, match="T:SP: put refused, the interlock is tripped"):
        put(group.pvdb["T:SP"], [280.0])
    with pytest.raises(CaprotoRuntimeError, match="T:GO: put refused"):
        put(group.pvdb["T:GO"], [1], ChannelType.LONG)
    put(group.pvdb["T:BEAT"], [7.0])
    assert (model.temperature, model.calls) == (7.0, 0)


def test_commands_call_on_anything_but_zero_and_fall_back(pvs, model):
    pvdb = pvs[0].pvdb
    put(pvdb["T:GO"], [0], ChannelType.LONG)
    assert model.calls == 0
    put(pvdb["T:GO"], [1], ChannelType.LONG)
    assert (model.calls, pvdb["T:GO"].value) == (1, 0)
    with pytest.raises(CaprotoValueError, match="T:NO: not now"):
        put(pvdb["T:NO"], [1], ChannelType.LONG)


def test_an_unknown_choice_is_refused_with_the_known_ones(pvs, model):
    with pytest.raises(CaprotoValueError, match=r"green.* is none of red, blue"):
        put(pvs[0].pvdb["T:COLOUR"], ["green"], ChannelType.STRING)
    with pytest.raises(CaprotoValueError, match=r"7.* is none of red, blue"):
        put(pvs[0].pvdb["T:COLOUR"], [7], ChannelType.ENUM)
    put(pvs[0].pvdb["T:COLOUR"], [1], ChannelType.ENUM)
    assert model.colour == "blue"


def test_publish_follows_the_model_with_its_alarm(pvs, model):
    group = pvs[0]
    model.reading, model.alarm, model.text = 2.5, "MAJOR_ALARM", "broken"
    asyncio.run(group.publish())
    assert group.pvdb["T:PV"].value == 2.5
    assert group.pvdb["T:PV"].alarm.severity == AlarmSeverity.MAJOR_ALARM
    assert group.pvdb["T:MSG"].value == "broken"
    model.temperature = 55.0
    asyncio.run(group.publish())
    assert (group.pvdb["T:SP"].value, group.pvdb["T:SP:RBV"].value) == (55.0, 55.0)
