"""Records of an Ocean Optics QEPro spectrometer (areaDetector-style driver names)."""

from math import inf

import numpy as np

from ioc_sim.physics.twin import Twin
from ioc_sim.records.table import Reading, Setting, Spec

__all__ = ["PIXELS", "SPECTROMETER_RECORDS", "SpectrometerModel"]

PIXELS = 1044
_TYPES = ("Dark", "Reference", "Corrected Sample", "Absorbtion")
_OFF_ON = ("Off", "On")


class SpectrometerModel:
    """The spectrometer's controller: what is collected, when it is done, and where it goes.

    ``SAMPLE`` always holds raw counts. ``OUTPUT`` holds what ``SPECTRUM_TYPE`` asks for: the dark or
    reference counts just taken, the sample with ``CORRECTION`` applied, or its absorbance
    −log₁₀((sample − dark)/(reference − dark)), NaN where either difference is not positive.

    Parameters
    ----------
    twin : Twin
        Gives the counts.
    """

    def __init__(self, twin: Twin) -> None:
        self._twin = twin
        self._end_s = inf
        self.connected = "Connected"
        self.status = "Ready"
        self.status_message = "ready"
        self.integration_time_ms = 100.0
        self.collect_mode = "Single"
        self.spectrum_type = "Corrected Sample"
        self.correction = "None"
        self.num_spectra = 1
        self.trigger_mode = "Normal"
        self.edc = "On"
        self.nlc = "On"
        self.tec = "On"
        self.tec_temp_c = -10.0
        self.buff_capacity = 1
        self.spectra_collected = 0
        self.dark_available = "No"
        self.ref_available = "No"
        self.x_axis = twin.wavelength_nm
        self.output = self.sample = self.reference = self.dark = np.zeros(PIXELS)

    @property
    def current_tec_temp_c(self) -> float:
        """Detector temperature, °C; it follows the cooler's setpoint at once."""
        return self.tec_temp_c if self.tec == "On" else 25.0

    @property
    def shutter(self) -> str:
        """``Closed`` or ``Open``."""
        return "Open" if self._twin.shutter_open else "Closed"

    @shutter.setter
    def shutter(self, value: str) -> None:
        self._twin.shutter_open = value == "Open"

    @property
    def light_source(self) -> str:
        """``Off`` or ``On``."""
        return _OFF_ON[self._twin.light_on]

    @light_source.setter
    def light_source(self, value: str) -> None:
        self._twin.light_on = value == "On"

    @property
    def light_source_percent(self) -> float:
        """Lamp intensity, % of full."""
        return 100.0 * self._twin.light_intensity

    @light_source_percent.setter
    def light_source_percent(self, value: float) -> None:
        self._twin.light_intensity = value / 100.0

    @property
    def collect(self) -> str:
        """``Idle`` or ``Collecting``; putting ``Collecting`` starts, ``Idle`` gives up."""
        return "Idle" if self._end_s == inf else "Collecting"

    @collect.setter
    def collect(self, value: str) -> None:
        if value == "Idle":
            self._end_s = inf
            self.status, self.status_message = "Ready", "ready"
            return
        if self._end_s != inf:
            raise ValueError("a collection is under way; put Idle to give it up")
        if self.spectrum_type == "Absorbtion" and "No" in (self.dark_available, self.ref_available):
            raise ValueError("absorbance needs a dark and a reference; collect those first")
        self._end_s = self._twin.clock_s + self.num_spectra * self.integration_time_ms / 1e3
        self.status, self.status_message = "Busy", "collecting"

    def tick(self) -> None:
        """Finish the collection once the twin's clock has passed its end."""
        if self._twin.clock_s < self._end_s or self._twin.faults.hung_collection:
            return
        counts = self._twin.spectrum_counts(self.integration_time_ms, self.num_spectra)
        if self.spectrum_type == "Dark":
            self.dark, self.dark_available, self.output = counts, "Yes", counts
        elif self.spectrum_type == "Reference":
            self.reference, self.ref_available, self.output = counts, "Yes", counts
        else:
            self.sample = counts
            self.output = self._absorbance() if self.spectrum_type == "Absorbtion" else self._corrected()
        self.spectra_collected += self.num_spectra
        self._end_s = inf
        self.status, self.status_message = "Ready", "ready"
        if self.collect_mode == "Continuous":
            self.collect = "Collecting"

    def _corrected(self) -> np.ndarray:
        return self.sample if self.correction == "None" else self.sample - self.dark

    def _absorbance(self) -> np.ndarray:
        sample, reference = self.sample - self.dark, self.reference - self.dark
        good = (sample > 0) & (reference > 0)
        ratio = np.divide(sample, reference, out=np.full(PIXELS, np.nan), where=good)
        return -np.log10(ratio)


def _rbv(name: str, attribute: str, doc: str, **kwargs) -> Setting:
    return Setting(name, attribute, doc, readback="_RBV", **kwargs)


def _available(name: str, attribute: str, doc: str) -> tuple[Reading, Reading]:
    return tuple(Reading(n, attribute, doc, choices=("No", "Yes")) for n in (name, f"{name}_RBV"))  # type: ignore[return-value]


def _spectrum(name: str, attribute: str, doc: str, units: str = "counts") -> Reading:
    return Reading(name, attribute, doc, length=PIXELS, units=units)


SPECTROMETER_RECORDS: tuple[Spec, ...] = (
    Reading("CONNECTED", "connected", "Spectrometer answers", choices=("Disconnected", "Connected")),
    Reading("STATUS", "status", "State", choices=("Ready", "Busy", "Fault")),
    Reading("STATUS_MSG", "status_message", "State in words", kind=str),
    _rbv(
        "INTEGRATION_TIME", "integration_time_ms", "Integration time of a spectrum",
        units="ms", limits=(8.0, 3.6e6),
    ),
    _rbv("COLLECT", "collect", "Start or give up a collection", choices=("Idle", "Collecting")),
    _rbv("COLLECT_MODE", "collect_mode", "One collection or many", choices=("Single", "Continuous")),
    _rbv("SPECTRUM_TYPE", "spectrum_type", "What is collected", choices=_TYPES),
    _rbv("CORRECTION", "correction", "Applied to Corrected Sample", choices=("None", "Dark", "Reference")),
    _rbv("SHUTTER", "shutter", "Shutter of the light source", choices=("Closed", "Open")),
    _rbv("LIGHT_SOURCE", "light_source", "Light source", choices=_OFF_ON),
    _rbv(
        "LIGHT_SOURCE_INTENSITY", "light_source_percent", "Lamp intensity", units="%", limits=(0.0, 100.0)
    ),
    _rbv("NUM_SPECTRA", "num_spectra", "Spectra averaged in a collection", kind=int, limits=(1, 10000)),
    _rbv("TRIGGER_MODE", "trigger_mode", "Trigger", choices=("Normal", "External")),
    _rbv("EDC", "edc", "Electric dark correction", choices=_OFF_ON),
    _rbv("NLC", "nlc", "Nonlinearity correction", choices=_OFF_ON),
    _rbv("TEC", "tec", "Detector cooler", choices=_OFF_ON),
    _rbv("TEC_TEMP", "tec_temp_c", "Detector cooler setpoint", units="degC", limits=(-40.0, 25.0)),
    Reading("CURR_TEC_TEMP", "current_tec_temp_c", "Detector temperature", units="degC"),
    _rbv("BUFF_CAPACITY", "buff_capacity", "Spectra kept in the buffer", kind=int, limits=(1, 1000)),
    Reading("SPECTRA_COLLECTED", "spectra_collected", "Spectra since start", kind=int),
    *_available("DARK_AVAILABLE", "dark_available", "A dark has been collected"),
    *_available("REF_AVAILABLE", "ref_available", "A reference has been collected"),
    _spectrum("OUTPUT", "output", "As SPECTRUM_TYPE asks"),
    _spectrum("SAMPLE", "sample", "Raw counts of the sample"),
    _spectrum("X_AXIS", "x_axis", "Wavelength", "nm"),
    _spectrum("REFERENCE", "reference", "Raw counts of the reference"),
    _spectrum("DARK", "dark", "Raw counts in the dark"),
)  # fmt: skip
