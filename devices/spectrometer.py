"""A UV-vis spectrometer with its light source (Ocean Optics QEPro records)."""

from typing import Any

from ophyd import Component as Cpt
from ophyd import Device, EpicsSignalRO, Kind

from devices.core.move import Clock, Move, number, wall_clock
from devices.core.signals import CommandSignal, Setpoint

__all__ = ["Spectrometer"]


class Calibration(Device):
    """The last dark and reference, with the wavelength axis; read only, never triggered."""

    dark = Cpt(EpicsSignalRO, "DARK", kind=Kind.normal)
    reference = Cpt(EpicsSignalRO, "REFERENCE", kind=Kind.normal)
    wavelength_nm = Cpt(EpicsSignalRO, "X_AXIS", kind=Kind.normal)
    dark_available = Cpt(EpicsSignalRO, "DARK_AVAILABLE", string=True, kind=Kind.omitted, auto_monitor=True)
    reference_available = Cpt(EpicsSignalRO, "REF_AVAILABLE", string=True, kind=Kind.omitted, auto_monitor=True)


class Spectrometer(Device):
    """Raw counts of the sample, and the dark and reference that belong to them.

    ``trigger()`` collects the kind of spectrum that :attr:`spectrum_type` holds; a reading holds ``counts``. Dark,
    reference and wavelengths are read from :attr:`calibration` into a stream of their own.
    """

    counts = Cpt(EpicsSignalRO, "SAMPLE", kind=Kind.normal)
    integration_time_ms = Cpt(
        Setpoint, "INTEGRATION_TIME_RBV", write_pv="INTEGRATION_TIME", kind=Kind.config, auto_monitor=True
    )
    num_spectra = Cpt(Setpoint, "NUM_SPECTRA_RBV", write_pv="NUM_SPECTRA", kind=Kind.config, auto_monitor=True)
    lamp_percent = Cpt(
        Setpoint, "LIGHT_SOURCE_INTENSITY_RBV", write_pv="LIGHT_SOURCE_INTENSITY", kind=Kind.config, auto_monitor=True
    )
    detector_temperature = Cpt(EpicsSignalRO, "CURR_TEC_TEMP", kind=Kind.config, auto_monitor=True)

    spectrum_type = Cpt(Setpoint, "SPECTRUM_TYPE_RBV", write_pv="SPECTRUM_TYPE", string=True, kind=Kind.omitted)
    light = Cpt(Setpoint, "LIGHT_SOURCE_RBV", write_pv="LIGHT_SOURCE", string=True, kind=Kind.omitted)
    shutter = Cpt(Setpoint, "SHUTTER_RBV", write_pv="SHUTTER", string=True, kind=Kind.omitted)
    start = Cpt(CommandSignal, "COLLECT", string=True, kind=Kind.omitted)
    collected = Cpt(EpicsSignalRO, "SPECTRA_COLLECTED", kind=Kind.omitted, auto_monitor=True)
    status_message = Cpt(EpicsSignalRO, "STATUS_MSG", string=True, kind=Kind.omitted)

    calibration = Cpt(Calibration, "", kind=Kind.omitted)

    clock: Clock = staticmethod(wall_clock)

    def __init__(self, prefix: str, *, name: str, **kwargs: Any) -> None:
        super().__init__(prefix, name=name, **kwargs)
        self._move: Move | None = None

    def trigger(self) -> Move:
        """Collect spectra; done when the spectrometer has counted as many as requested."""
        if self._move is not None:
            self._move.end(success=True)
        self._move = Move(self, self._collect, clock=self.clock)
        return self._move

    def _collect(self, move: Move) -> None:
        spectra = number(self.num_spectra)
        seconds = spectra * number(self.integration_time_ms) / 1e3
        before = number(self.collected, use_monitor=False)
        self.start.put("Collecting", wait=True)
        # Wait for the counter: COLLECT_RBV reads idle before the collection starts, too.
        move.until(
            lambda: number(self.collected) >= before + spectra,
            timeout_s=2 * seconds + 60.0,
            what=f"the end of a collection of {seconds:g} s",
        )

    def stop(self, *, success: bool = False) -> None:
        """Give up a collection that is under way; do nothing otherwise. Light and shutter stay as they are."""
        move, self._move = self._move, None
        if move is not None and not move.done:
            move.end(success=success)
            self.start.put("Idle", wait=False)

    def pause(self) -> None:
        """Stop the collection; RunEngine triggers it again when it resumes."""
        self.stop(success=True)

    def resume(self) -> None:
        """Do nothing; RunEngine pauses only devices that have this method."""
