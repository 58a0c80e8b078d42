"""Rehearse a plan without a reactor, message by message."""

import inspect
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import redirect_stdout
from io import StringIO
from typing import Any

from bluesky.simulators import RunEngineSimulator

from devices import SaxsDetector, Spectrometer
from devices.unconnected import unconnected
from msc_plans.condition import Condition
from msc_plans.errors import InputError
from msc_plans.plans.preflight import forecast
from msc_plans.plans.schedule import Pace
from msc_plans.session.session import reactor_of
from msc_plans.settings import Settings

__all__ = ["rehearse"]

_DEVICES = ("reactor", "spectrometer", "saxs")


def rehearse(plan: Callable[..., Any], arguments: Mapping[str, Any], settings: Settings) -> dict[str, Any]:
    """Run a plan on unconnected devices, message by message.

    Returns
    -------
    dict
        Numbers of ``runs``, ``moves`` and ``exposures``; ``forecast`` (text), ``seconds`` and ``used_ml`` where the
        runs have conditions.

    Raises
    ------
    InputError
        The plan refuses its arguments.
    """
    devices = {
        "reactor": reactor_of(settings, unconnected),
        "spectrometer": unconnected(Spectrometer, "", name="spectrometer"),
        "saxs": unconnected(SaxsDetector, "", name="saxs", write_path="/"),
    }
    parameters = inspect.signature(plan).parameters
    unknown = [name for name in arguments if name not in parameters]
    if unknown:
        raise InputError(f"there is no argument {', '.join(unknown)}; there are {', '.join(parameters)}")
    given = {name: devices[name] for name in _DEVICES if name in parameters and (name != "saxs" or arguments.get(name))}
    if "saxs" in parameters and parameters["saxs"].default is inspect.Parameter.empty:
        given["saxs"] = devices["saxs"]
    rest = {name: value for name, value in arguments.items() if name not in _DEVICES}
    missing = [
        name for name, one in parameters.items()
        if one.default is inspect.Parameter.empty and name not in given | rest
    ]  # fmt: skip
    if missing:
        raise InputError(f"the plan needs {', '.join(missing)}")
    simulator = _answering(RunEngineSimulator(), settings)
    try:
        with redirect_stdout(StringIO()):
            messages = simulator.simulate_plan(plan(**given, **rest))
    except (ValueError, TypeError) as error:
        raise InputError(str(error)) from error
    count = Counter(message.command for message in messages)
    exposures = sum(m.command == "trigger" and m.obj.name != "reactor" for m in messages)
    told: dict[str, Any] = {"runs": count["open_run"], "moves": count["set"], "exposures": exposures}
    found = [m.kwargs["condition"] for m in messages if m.command == "open_run" and "condition" in m.kwargs]
    if found and "fraction" not in next(m.kwargs for m in messages if m.command == "open_run"):
        exposure_s = rest.get("frame_exposure_s", 10.0) if "saxs" in given else 0.5
        reckoned = forecast(
            [Condition.from_mapping(one) for one in found],
            Pace.of(devices["reactor"]),
            exposure_s=exposure_s * rest.get("num", 1),
            capacity_ul=settings.syringe_ul,
        )
        used = {name: round(volume / 1e3, 3) for name, volume in reckoned.used_ul.items()}
        told |= {"forecast": f"{reckoned}, from cold", "seconds": round(reckoned.seconds), "used_ml": used}
    return told


def _answering(simulator: Any, settings: Any) -> Any:
    """Let a simulator answer as a reactor that is ready and cold."""
    answers = {
        "spectrometer_calibration_dark_available": "Yes",
        "spectrometer_calibration_reference_available": "Yes",
        "spectrometer_integration_time_ms": 100.0,
        "spectrometer_num_spectra": 5,
        "reactor_interlock_state": "Ok",
        "reactor_standby_temperature": 100.0,
        "reactor_standby_flow": 100.0,
        "reactor_nucleation_reading": 25.0,
        "reactor_growth_reading": 25.0,
        **{f"reactor_pump_{name}_content_ul": settings.syringe_ul for name in ("cd", "se", "solvent")},
    }

    def read(message: Any) -> dict[str, Any]:
        return {message.obj.name: {"value": answers.get(message.obj.name, 0.0), "timestamp": 0.0}}

    simulator.add_handler("locate", lambda message: {"readback": answers[message.obj.name], "setpoint": 0.0})
    simulator.add_handler("read", read)
    return simulator
