"""Devices without records, for plans that are only looked at message by message."""

from types import SimpleNamespace

from devices.reactor import Geometry, Limits


class Named(SimpleNamespace):
    """A device or signal that plans can name, set and read."""

    parent = None
    hints: dict = {}  # noqa: RUF012

    def __hash__(self):
        return id(self)

    def __repr__(self):
        return self.name


def signal(name):
    return Named(name=name)


class FakeReactor(Named):
    """The parts of a FlowReactor that plans name, with the real limits."""

    def __init__(self):
        from devices.reactor import FlowReactor

        def oven(name):
            def check(value, **_):
                if not 20 <= value <= 350:
                    raise ValueError(f"{name}: {value:g} °C is outside 20 to 350 °C")

            return Named(name=name, setpoint=signal(f"{name}_setpoint"), check_value=check)

        super().__init__(
            name="reactor",
            geometry=Geometry(),
            limits=Limits(),
            nucleation=oven("nucleation"),
            growth=oven("growth"),
            pump_solvent=Named(name="pump_solvent", halt=signal("pump_solvent_halt")),
            solvent=signal("solvent"),
            standby_temperature=signal("standby_temperature"),
            interlock=Named(name="interlock", state=signal("interlock_state")),
        )
        self.check_value = lambda value, **kwargs: FlowReactor.check_value(self, value, **kwargs)  # type: ignore[arg-type]


def fake_spectrometer():
    names = ("spectrum_type", "light", "shutter", "integration_time_ms", "num_spectra")
    calibration = Named(
        name="calibration", dark_available=signal("dark_available"), reference_available=signal("reference_available")
    )
    parts = {name: signal(name) for name in names}
    return Named(name="spectrometer", calibration=calibration, trigger=lambda: None, **parts)
