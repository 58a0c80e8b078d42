"""Live UV-vis: the raw run's counts in, the families found out, as documents of an analysis run."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from msc_plans.analysis import uvvis
from msc_plans.callbacks.raw_run import Analysis, Observer, RawRun, RawRunCallback
from msc_plans.families import FamilyTable, built_in_families
from msc_plans.protocols import Documents

__all__ = ["UvVisCallback", "UvVisSettings"]


@dataclass(frozen=True, kw_only=True)
class UvVisSettings:
    """What the analysis must be told.

    Attributes
    ----------
    spectrometer : str
        Name of the device whose counts are analysed.
    path_length_cm : float
        Of the optical cell.
    full_conversion_height : float
        Absorbance of the first maximum if all Cd of the mixture were in nanocrystals.
    saturation : float, optional
        Counts at which a pixel is saturated.
    families : FamilyTable
        What is looked for. Default: the built-in table.
    """

    spectrometer: str
    path_length_cm: float
    full_conversion_height: float
    saturation: float | None = None
    families: FamilyTable = field(default_factory=built_in_families)


class UvVisCallback(RawRunCallback):
    """Analyse the spectrum of each raw run; see :class:`RawRunCallback`.

    Parameters
    ----------
    settings : UvVisSettings
        See there.
    listeners, observers : sequence of callables
        Get documents and results.
    """

    name = "uvvis"

    def __init__(
        self, settings: UvVisSettings, listeners: Sequence[Documents], observers: Sequence[Observer] = ()
    ) -> None:
        told = {
            "path_length_cm": settings.path_length_cm,
            "full_conversion_height": settings.full_conversion_height,
            "saturation": settings.saturation,
            "family_table": settings.families.as_document(),
        }
        super().__init__(told, listeners, observers)
        self._settings = settings

    def _concerns(self, run: RawRun) -> bool:
        return "condition" in run.start and self._counts(run) is not None

    def _counts(self, run: RawRun) -> list[np.ndarray] | None:
        key = f"{self._settings.spectrometer}_counts"
        stream = run.stream_with("primary", key)
        return stream and [data[key] for data in stream[1]]

    def _analyse(self, run: RawRun) -> Sequence[Analysis]:
        prefix = f"{self._settings.spectrometer}_calibration_"
        calibration = run.stream_with("dark_reference", f"{prefix}dark")
        counts = self._counts(run)
        if not calibration or not calibration[1] or not counts:
            raise ValueError("the run holds no dark and reference, or no counts")
        dark, reference, wavelength_nm = (
            np.asarray(calibration[1][-1][prefix + key], float) for key in ("dark", "reference", "wavelength_nm")
        )
        settings = self._settings
        absorbance = uvvis.absorbance(np.mean(counts, axis=0), dark, reference, saturation=settings.saturation)
        result = uvvis.analyse(
            wavelength_nm, absorbance, families=settings.families, path_length_cm=settings.path_length_cm
        )
        outcome = uvvis.outcome(result, full_conversion_height=settings.full_conversion_height)
        on_pixels = partial(np.interp, wavelength_nm, result.wavelength_nm, left=np.nan, right=np.nan)
        arrays = {
            "wavelength_nm": wavelength_nm,
            "absorbance": absorbance,
            "fit": on_pixels(result.fit),
            "rest": on_pixels(result.rest),
        }
        found = [band.family for band in result.families if band.detected]
        return [Analysis(self.name, result, outcome, arrays, families=found)]
