"""Bounds and choices of the plans' parameters, for the queueserver's forms and its check of what is queued.

Descriptions with their units come from the plans' docstrings, types and defaults from their signatures. What is refused
here is refused when it is added to the queue; the plans check again before anything moves.
"""

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from msc_plans.plans.saxs import STANDARDS
from msc_plans.settings import Settings

__all__ = ["with_forms"]

Parameters = dict[str, dict[str, Any]]

_LONGEST_EXPOSURE_S = 3600.0
_MOST_VOLUMES = 100.0
_UNHEATED_C = 120.0
_HOTTEST_CELL_C = 400.0
_LEAST = 0.001
"""Of what must be above 0: a bound of a form is among what it allows."""


def with_forms(
    plans: Mapping[str, Callable[..., Any]], settings: Settings, *, saxs: bool = True
) -> dict[str, Callable[..., Any]]:
    """Return plans that the queueserver has bounds and choices of; the plans as they are where there is none.

    Parameters
    ----------
    plans : mapping
        By name.
    settings : Settings
        With the limits.
    saxs : bool
        Whether there is a SAXS station; without one its plans are left out.
    """
    if not saxs:
        plans = {name: one for name, one in plans.items() if not _needs(one, "saxs")}
    try:
        from bluesky_queueserver import parameter_annotation_decorator
    except ImportError:
        return dict(plans)
    common = _common(settings, saxs)
    found = {}
    for name, one in plans.items():
        parameters = inspect.signature(one).parameters
        known = common | _SPECIAL.get(name, {})
        told = {key: known[key] for key in parameters if key in known}
        if "devices" in told.get("saxs", {}) and parameters["saxs"].default is inspect.Parameter.empty:
            told["saxs"] = _device("saxs")
        found[name] = parameter_annotation_decorator({"parameters": told})(one)
    return found


def _needs(plan: Callable[..., Any], device: str) -> bool:
    parameter = inspect.signature(plan).parameters.get(device)
    return parameter is not None and parameter.default is inspect.Parameter.empty


def _common(settings: Settings, saxs: bool) -> Parameters:
    """Return what is known of parameters by their name, whichever plan has them."""
    limits, geometry = settings.limits, settings.geometry
    nucleation, growth = limits.nucleation_temperature, limits.growth_temperature
    heated_ul = geometry.chamber_ul + geometry.coil_ul
    slow, fast = limits.flow_ul_min
    time = _bounds(60.0 * heated_ul / fast, 60.0 * heated_ul / slow)
    return {
        "reactor": _device("reactor"),
        "spectrometer": _device("spectrometer"),
        "saxs": _device("saxs", optional=True) if saxs else {"annotation": "None"},
        "nucleation_temperature": _bounds(*nucleation),
        "nucleation_temperatures": _bounds(*nucleation),
        "growth_temperature": _bounds(*growth),
        "growth_temperatures": _bounds(*growth),
        "growth_offsets": _bounds(growth[0] - nucleation[1], growth[1] - nucleation[0]),
        "oven_temperature": _bounds(max(nucleation[0], growth[0]), _UNHEATED_C),
        "cell_temperatures": _bounds(_LEAST, _HOTTEST_CELL_C),
        "residence_time": time,
        "residence_times": time,
        "frame_exposure_s": _bounds(_LEAST, _LONGEST_EXPOSURE_S),
        "integration_time_ms": _bounds(_LEAST),
        "num": _bounds(1),
        "num_spectra": _bounds(1),
        "prime_volumes": _bounds(0.0, _MOST_VOLUMES),
        "volumes": _bounds(_LEAST, _MOST_VOLUMES),
        "failures_allowed": _bounds(0),
        "max_conditions": _bounds(1),
        "max_hours": _bounds(_LEAST),
        "max_ml": _bounds(_LEAST),
        "seed": _bounds(0),
        "particles": _bounds(1),
        "confirm": {"annotation": "typing.Literal[False]"},  # nobody sits at the worker's terminal
        "family": _choice("Family", settings.family_table.names),
        "fractions": _choices("Fraction", ("Fi", "F1", "F2", "F3", "F4", "F5")),
        "standards": _choices("Standard", STANDARDS),
    }


def _bounds(low: float, high: float | None = None) -> dict[str, Any]:
    return {"min": low} if high is None else {"min": low, "max": high}


def _device(name: str, *, optional: bool = False) -> dict[str, Any]:
    kind = f"{name.capitalize()}Device"
    return {"annotation": f"typing.Optional[{kind}]" if optional else kind, "devices": {kind: [name]}}


def _choice(kind: str, names: tuple[str, ...]) -> dict[str, Any]:
    return {"annotation": kind, "enums": {kind: names}}


def _choices(kind: str, names: tuple[str, ...]) -> dict[str, Any]:
    return {"annotation": f"typing.List[{kind}]", "enums": {kind: names}}


_SPECIAL: dict[str, Parameters] = {
    "mesophase_scan": {"liquids": _choices("Stream", ("Mixture", "Cd only", "Se only"))},
    "refill": {"liquids": _choices("Liquid", ("Cd", "Se", "Solvent"))},
}
