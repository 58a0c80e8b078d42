"""Rehearse a plan without a reactor: what it would do, how long it takes, what it uses, or why it can't be done."""

import argparse
import inspect
import json
from collections import Counter
from collections.abc import Callable
from typing import Any

from msc_plans.cli import CommandError

__all__ = ["add_arguments", "run"]

_DEVICES = ("reactor", "spectrometer", "saxs")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``msc plan``."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    actions.add_parser("list", help="the plans and what they are for")
    check = actions.add_parser(
        "check", help="rehearse one: msc plan check residence_time_scan residence_times=[4.5,14]"
    )
    check.add_argument("plan", help="its name; see msc plan list")
    check.add_argument(
        "arguments", nargs="*", metavar="NAME=VALUE", help="numbers, text, or JSON: [270, 280]; saxs=true"
    )
    check.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    """Run ``msc plan``; returns the exit code."""
    from msc_plans import plans
    from msc_plans.plans.preflight import number_of

    known = {
        name: getattr(plans, name) for name in plans.__all__ if name not in ("CampaignFailedError", "msc_campaign")
    }
    if args.action == "list":
        for name, function in known.items():
            print(f"{name:30} {(inspect.getdoc(function) or '').splitlines()[0]}")
        return 0
    if args.plan not in known:
        raise CommandError(f"there is no plan {args.plan!r} to rehearse; there are {', '.join(known)}")
    told = rehearse(known[args.plan], _parsed(args.arguments))
    if args.json:
        print(json.dumps(told))
    else:
        counted = ", ".join(number_of(told[f"{one}s"], one) for one in ("run", "move", "exposure"))
        print(f"{args.plan}: can be done, {counted}")
        if "forecast" in told:
            print(f"  {told['forecast']}")
    return 0


def _parsed(arguments: list[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for one in arguments:
        name, equals, text = one.partition("=")
        if not equals:
            raise CommandError(f"{one!r} is no NAME=VALUE")
        try:
            found[name] = json.loads(text)
        except ValueError:
            found[name] = text
    return found


def rehearse(plan: Callable[..., Any], arguments: dict[str, Any]) -> dict[str, Any]:
    """Run a plan on unconnected devices, message by message.

    Returns
    -------
    dict
        Numbers of ``runs``, ``moves`` and ``exposures``; ``forecast`` (text), ``seconds`` and ``used_ml`` where the
        runs have conditions.

    Raises
    ------
    CommandError
        The plan refuses its arguments.
    """
    from contextlib import redirect_stdout
    from io import StringIO

    from bluesky.simulators import RunEngineSimulator

    from devices import SaxsDetector, Spectrometer
    from devices.unconnected import unconnected
    from msc_plans.cli.configuration import read_settings
    from msc_plans.cli.wiring import reactor_of
    from msc_plans.condition import Condition
    from msc_plans.plans.preflight import forecast
    from msc_plans.plans.schedule import Pace

    settings = read_settings()
    devices = {
        "reactor": reactor_of(settings, unconnected),
        "spectrometer": unconnected(Spectrometer, "", name="spectrometer"),
        "saxs": unconnected(SaxsDetector, "", name="saxs", write_path="/"),
    }
    parameters = inspect.signature(plan).parameters
    unknown = [name for name in arguments if name not in parameters]
    if unknown:
        raise CommandError(f"there is no argument {', '.join(unknown)}; there are {', '.join(parameters)}")
    given = {name: devices[name] for name in _DEVICES if name in parameters and (name != "saxs" or arguments.get(name))}
    if "saxs" in parameters and parameters["saxs"].default is inspect.Parameter.empty:
        given["saxs"] = devices["saxs"]
    rest = {name: value for name, value in arguments.items() if name not in _DEVICES}
    missing = [
        name for name, one in parameters.items()
        if one.default is inspect.Parameter.empty and name not in given | rest
    ]  # fmt: skip
    if missing:
        raise CommandError(f"the plan needs {', '.join(missing)}")
    simulator = _answering(RunEngineSimulator(), settings)
    try:
        with redirect_stdout(StringIO()):
            messages = simulator.simulate_plan(plan(**given, **rest))
    except (ValueError, TypeError) as error:
        raise CommandError(str(error)) from error
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
