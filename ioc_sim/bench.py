"""Steady-state measurements without records, for benchmarks and statistical tests.

The same chemistry, optics and noise as the records serve, at once. ``measure`` returns what an instrument
would give; ``noise_free`` returns the truth and is for scoring only.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ioc_sim.physics.effluent import Chemist
from ioc_sim.physics.flow import steady_journey
from ioc_sim.physics.optics import Optics, wavelength_axis_nm
from ioc_sim.physics.scenario import Scenario

__all__ = ["Measurement", "measure", "noise_free"]

Array = NDArray[np.float64]
_REFERENCE_AGE_S = 1800.0


@dataclass(frozen=True)
class Measurement:
    """Raw data of one condition; absorbance is -log10((counts - dark)/(reference - dark)).

    Attributes
    ----------
    wavelength_nm, counts, dark, reference : ndarray
        One value a pixel.
    frame : ndarray or None
        SAXS frame; None as there is no detector yet.
    """

    wavelength_nm: Array
    counts: Array
    dark: Array
    reference: Array
    frame: Array | None = None


@dataclass
class _Path:
    light_on: bool = True
    light_intensity: float = 1.0
    shutter_open: bool = True


@lru_cache(maxsize=8)
def _chemist(text: str) -> Chemist:
    scenario = Scenario.model_validate_json(text)
    return Chemist(scenario, wavelength_axis_nm(scenario))


def _components(scenario: Scenario, condition: Mapping[str, float]) -> tuple[Chemist, Any, dict[str, Array]]:
    chemist = _chemist(scenario.model_dump_json())
    journey = steady_journey(
        scenario.plumbing,
        condition["nucleation_temperature"],
        condition["growth_temperature"],
        condition["residence_time"],
        len(chemist.theta),
    )
    effluent = chemist.effluent(journey)
    return chemist, effluent, chemist.components(effluent)


def measure(scenario: Scenario, condition: Mapping[str, float], seed: int, exposure: float) -> Measurement:
    """Measure a condition (``nucleation_temperature`` and ``growth_temperature`` °C, ``residence_time`` s).

    Parameters
    ----------
    scenario : Scenario
        The reactor.
    condition : mapping
        What is set.
    seed : int
        Of the noise and of the lamp's drift since the reference.
    exposure : float
        Integration time, ms.
    """
    _, _, components = _components(scenario, condition)
    optics = Optics(scenario, np.random.default_rng(seed))
    blank = np.zeros_like(optics.wavelength_nm)
    dark = optics.counts(blank, exposure, _Path(shutter_open=False), 0.0)
    reference = optics.counts(blank, exposure, _Path(), 0.0)
    absorbance = np.sum(list(components.values()), axis=0)
    counts = optics.counts(absorbance, exposure, _Path(), _REFERENCE_AGE_S)
    return Measurement(optics.wavelength_nm, counts, dark, reference)


def noise_free(scenario: Scenario, condition: Mapping[str, float]) -> dict[str, Any]:
    """Truth of a condition, for scoring.

    Returns
    -------
    dict
        ``wavelength_nm``, ``absorbance``, ``components`` (absorbance of each family, ``NC``, ``rest``),
        ``heights`` (of each cluster's first band), ``nc_wavelength_nm`` and ``nc_height`` (the nanocrystals'
        first exciton band and their absorbance there; NaN and 0 without any), ``floor``, ``ratio_437`` and
        ``concentrations`` (mol/L).
    """
    chemist, effluent, components = _components(scenario, condition)
    wavelength_nm = chemist.absorption.wavelength_nm
    heights = {
        name: float(np.interp(nm, wavelength_nm, components[name])) for name, nm in chemist.absorption.peak_nm.items()
    }
    nc_nm, nc_height = chemist.first_maximum(effluent)
    floor = 0.02 * chemist.full_height()
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
        "concentrations": chemist.concentrations(effluent),
    }
