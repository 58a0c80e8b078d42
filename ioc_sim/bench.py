"""Steady-state measurements without records, for benchmarks and statistical tests.

The same chemistry, optics and noise as the records serve, at once. ``measure`` returns what the instruments
would give; ``noise_free`` returns the truth and is for scoring only.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ioc_sim.physics.beam import Beam
from ioc_sim.physics.composition import Composition
from ioc_sim.physics.fouling import Deposit
from ioc_sim.physics.matter import Matter, matter_of
from ioc_sim.physics.optics import Light, SpectrometerOptics
from ioc_sim.physics.scenario import Scenario

__all__ = ["Measurement", "content_of", "measure", "noise_free", "truth"]

Array = NDArray[np.float64]
_REFERENCE_AGE_S = 1800.0


@dataclass(frozen=True)
class Measurement:
    """Raw data of one condition; absorbance is -log10((counts - dark)/(reference - dark)).

    Attributes
    ----------
    wavelength_nm, counts, dark, reference : ndarray
        One value a pixel of the spectrometer.
    frame : ndarray of int32
        SAXS frame, rows and columns of the detector.
    i0, i1 : float
        Monitor before and diode behind the X-ray cell, counts/s.
    """

    wavelength_nm: Array
    counts: Array
    dark: Array
    reference: Array
    frame: NDArray[np.int32]
    i0: float
    i1: float


def content_of(scenario: Scenario, condition: Mapping[str, float] | None) -> Composition:
    """Truth, for scoring: what is in the cells at steady state; None is solvent."""
    matter = matter_of(scenario)
    if condition is None:
        return matter.solvent
    return matter.steady(
        Deposit(scenario.fouling).narrowed(scenario.plumbing),
        condition["nucleation_temperature"],
        condition["growth_temperature"],
        condition["residence_time"],
    )


def measure(
    scenario: Scenario,
    condition: Mapping[str, float] | None,
    seed: int,
    exposure: float,
    *,
    frame_exposure_s: float = 1.0,
    cell_temperature: float | None = None,
) -> Measurement:
    """Measure a condition (``nucleation_temperature`` and ``growth_temperature`` °C, ``residence_time`` s).

    Parameters
    ----------
    scenario : Scenario
        The reactor.
    condition : mapping or None
        What is set; None measures solvent, the background of the frames.
    seed : int
        Of the noise and of the lamp's drift since the reference.
    exposure : float
        Integration time of the spectrometer, ms.
    frame_exposure_s : float
        Exposure of the SAXS detector.
    cell_temperature : float, optional
        Of the X-ray cell, °C; as the growth oven without one.
    """
    content = content_of(scenario, condition)
    matter = matter_of(scenario)
    optics_rng, frame_rng, beam_rng = (np.random.default_rng(s) for s in np.random.SeedSequence(seed).spawn(3))
    optics, beam = SpectrometerOptics(scenario, optics_rng), Beam(scenario.beam, beam_rng)
    blank = np.zeros_like(optics.wavelength_nm)
    # the reference is older than the deposit
    film = Deposit(scenario.fouling).film(optics.wavelength_nm)
    dark = optics.counts(blank, exposure, Light(on=False), 0.0)
    reference = optics.counts(blank, exposure, Light(), 0.0)
    counts = optics.counts(matter.absorbance(content) + film, exposure, Light(), _REFERENCE_AGE_S)
    if cell_temperature is None:
        cell_temperature = condition["growth_temperature"] if condition else scenario.ambient_c
    beam.shutter_open = True
    x_rays = beam.exposure(0.0, frame_exposure_s)
    frame = matter.detector.frame(matter.intensity_cm(content, cell_temperature), x_rays, frame_rng)
    return Measurement(optics.wavelength_nm, counts, dark, reference, frame, beam.i0(0.0), beam.i1(0.0))


def noise_free(scenario: Scenario, condition: Mapping[str, float]) -> dict[str, Any]:
    """Truth of a condition, for scoring; see :func:`truth`."""
    return truth(matter_of(scenario), content_of(scenario, condition))


def truth(matter: Matter, content: Composition) -> dict[str, Any]:
    """Truth of a composition, for scoring.

    Returns
    -------
    dict
        ``wavelength_nm``, ``absorbance``, ``components`` (absorbance of each family, ``NC``, ``rest``),
        ``heights`` (of each cluster's first band), ``nc_wavelength_nm`` and ``nc_height`` (the nanocrystals'
        first exciton band and their absorbance there; NaN and 0 without any), ``floor``, ``ratio_437`` and
        ``concentrations`` (mol/L of every species and of ``NC``, with the latter's mean ``NC_units``,
        ``NC_diameter_nm`` and ``NC_relative_width``).
    """
    absorption = matter.absorption
    components = absorption.components(content)
    wavelength_nm = absorption.wavelength_nm
    heights = {name: float(np.interp(nm, wavelength_nm, components[name])) for name, nm in absorption.peak_nm.items()}
    nc_nm, nc_height = absorption.first_maximum(content)
    floor = 0.02 * absorption.full_height(matter.scenario.precursor.cd_mol_l)
    rest = nc_height + heights.get("CdSe-465", 0.0) + floor
    return {
        "wavelength_nm": wavelength_nm,
        "absorbance": np.sum(list(components.values()), axis=0),
        "components": components,
        "heights": heights,
        "nc_wavelength_nm": nc_nm,
        "nc_height": nc_height,
        "floor": floor,
        "ratio_437": heights.get("CdSe-437", 0.0) / rest,
        "concentrations": content.species | _nanocrystals(matter, content),
    }


def _nanocrystals(matter: Matter, content: Composition) -> dict[str, float]:
    total = float(content.sizes.sum())
    units = mean = width = 0.0
    if total > 0:
        units = float(content.sizes @ content.grid_units) / total
        mean = float(content.sizes @ content.grid_nm) / total
        variance = float(content.sizes @ (content.grid_nm - mean) ** 2) / total
        intrinsic = matter.scenario.chemistry.nanocrystals.relative_dispersion
        width = float(np.hypot(np.sqrt(max(variance, 0.0)) / mean, intrinsic))
    return {"NC": total, "NC_units": units, "NC_diameter_nm": mean, "NC_relative_width": width}
