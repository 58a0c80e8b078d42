"""Does the reactor answer, and are its records what the devices take them for?"""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from msc_plans.checkup import Finding
from msc_plans.settings import Settings

__all__ = ["RecordFacts", "channel_access", "check_records", "compare", "records_wanted"]

_MOST_NAMED = 4
_AHEAD_S = 5.0
_SAME_UNIT = {"°c": "degc", "c": "degc", "deg c": "degc", "celsius": "degc", "µl": "ul", "μl": "ul"}


@dataclass(frozen=True)
class RecordFacts:
    """What is expected of a record, or what it answered: its unit, its choices and its drive limits."""

    units: str = ""
    choices: tuple[str, ...] = ()
    limits: tuple[float, float] = (0.0, 0.0)


def records_wanted(prefix: str, *, saxs: bool) -> dict[str, RecordFacts]:
    """Return the records that the devices ask for, as the simulated reactor has them."""
    from devices import FlowReactor, SaxsDetector, Spectrometer
    from devices.core.record_names import record_names
    from ioc_sim.ioc import Ioc
    from ioc_sim.physics.scenario_file import load_scenario

    names = record_names(FlowReactor, prefix) + record_names(Spectrometer, f"{prefix}Spec:")
    if saxs:
        names += record_names(SaxsDetector, f"{prefix}Saxs:")
    served: Mapping[str, Any] = Ioc(load_scenario("palencia2020"), prefix=prefix).pvdb
    return {name: _expected(served[name]) for name in names}


def _expected(channel: Any) -> RecordFacts:
    return RecordFacts(getattr(channel, "units", ""), tuple(getattr(channel, "enum_strings", ())))


def check_records(settings: Settings, *, timeout_s: float, named: bool) -> list[Finding]:
    """Ask the reactor for every record of the devices.

    Parameters
    ----------
    settings : Settings
        With prefix and limits.
    timeout_s : float
        For all records to be found.
    named : bool
        Somebody has said which prefix it is, so that no answer is a defect.
    """
    wanted = records_wanted(settings.prefix, saxs=settings.saxs.use)
    answers, stamp = _ask(list(wanted), timeout_s)
    about = f"reactor {settings.prefix}"
    if not answers:
        return [
            Finding(
                about,
                "broken" if named else "note",
                f"none of its {len(wanted)} records answers",
                "is its IOC running, and do prefix and EPICS_CA_ADDR_LIST fit it? A simulated one: msc ioc",
            )
        ]
    silent = [name for name in wanted if name not in answers]
    findings = [Finding(about, "fine", f"{len(answers)} of {len(wanted)} records answer")]
    if silent:
        why = "; if there is no SAXS station: [saxs] use = false in msc.toml" if _all_saxs(silent) else ""
        findings[0] = Finding(
            about, "broken", f"{len(silent)} of {len(wanted)} records do not answer: {_some(silent)}",
            f"add them to the IOC (docs/howto/beamline.md lists what each is for){why}",
        )  # fmt: skip
    findings += compare(wanted, answers, settings)
    ahead = stamp - time.time()
    if ahead > _AHEAD_S:
        findings.append(
            Finding("time stamps", "broken", f"the IOC's clock is {ahead:.0f} s ahead", "set both clocks by NTP")
        )
    return findings


def _ask(names: list[str], timeout_s: float) -> tuple[dict[str, RecordFacts], float]:
    """Return what answers, and the time stamp of the first of them."""
    from caproto import CaprotoError

    deadline = time.monotonic() + timeout_s
    answers: dict[str, RecordFacts] = {}
    stamp = 0.0
    with channel_access() as context:
        for name, pv in zip(names, context.get_pvs(*names), strict=True):
            try:
                # those that come later have had the same time to answer already
                pv.wait_for_connection(timeout=max(deadline - time.monotonic(), 0.001))
                answers[name] = _record(pv, timeout_s)
                if not stamp:
                    stamp = float(pv.read(data_type="time", data_count=1, timeout=timeout_s).metadata.timestamp)
            except (TimeoutError, CaprotoError):
                continue
    return answers, stamp


@contextmanager
def channel_access() -> Iterator[Any]:
    """Yield a caproto client `Context` that is gone, with its threads, at the end.

    Caproto's own ``disconnect`` closes the socket under a thread that may be sending a search through it,
    whose traceback would then be the last thing on the screen: that thread is ended first.
    """
    from caproto.threading.client import Context

    context = Context()
    try:
        yield context
    finally:
        searching: Any = context.broadcaster
        searching._close_event.set()
        searching._search_now.set()
        searching._retry_unanswered_searches_thread.join()
        context.disconnect()


def _record(pv: Any, timeout_s: float) -> RecordFacts:
    from caproto import ChannelType

    kind = pv.channel.native_data_type
    told = pv.read(data_type="control", data_count=1, timeout=timeout_s).metadata
    if kind == ChannelType.ENUM:
        return RecordFacts(choices=tuple(map(_text, told.enum_strings)))
    if kind in (ChannelType.STRING, ChannelType.CHAR):
        return RecordFacts()
    return RecordFacts(_text(told.units), limits=(float(told.lower_ctrl_limit), float(told.upper_ctrl_limit)))


def _text(raw: Any) -> str:
    return raw.decode("latin-1") if isinstance(raw, bytes) else str(raw)


def compare(wanted: Mapping[str, RecordFacts], answers: Mapping[str, RecordFacts], settings: Settings) -> list[Finding]:
    """Return what differs between the records that are wanted and those that answered."""
    both = [name for name in wanted if name in answers]
    other = [name for name in both if _differ(wanted[name].units, answers[name].units)]
    without = [name for name in both if wanted[name].units and not answers[name].units]
    choices = [name for name in both if set(wanted[name].choices) - set(answers[name].choices)]
    findings = []
    if other:
        said = [f"{name} {answers[name].units} instead of {wanted[name].units}" for name in other]
        findings.append(
            Finding("units", "broken", _some(said), "set EGU and the controller to that unit: values are not converted")
        )
    if without:
        todo = f"make sure that they are in {', '.join(sorted({wanted[name].units for name in without}))}, and set EGU"
        findings.append(Finding("units", "note", f"no unit on {_some(without)}", todo))
    if choices:
        lacking = [
            f"{name} lacks {', '.join(sorted(set(wanted[name].choices) - set(answers[name].choices)))}"
            for name in choices
        ]
        findings.append(Finding("choices", "broken", _some(lacking), "name the record's states so"))
    findings += _narrow(answers, settings)
    if both and not findings:
        findings.append(Finding("units, limits", "fine", f"as expected on {len(both)} records"))
    return findings


def _narrow(answers: Mapping[str, RecordFacts], settings: Settings) -> Iterator[Finding]:
    """Find setpoints that the IOC would clamp though the settings allow them."""
    limits = settings.limits
    asked = {
        f"{settings.prefix}Oven:Nucleation:LOOP1:SP": ("nucleation_temperature", limits.nucleation_temperature),
        f"{settings.prefix}Oven:Growth:LOOP1:SP": ("growth_temperature", limits.growth_temperature),
    }
    for name, (setting, (low, high)) in asked.items():
        if name not in answers:
            continue
        lowest, highest = answers[name].limits
        if lowest < highest and not (lowest <= low and high <= highest):
            yield Finding(
                "limits", "broken", f"{name} takes {lowest:g} to {highest:g}, settings allow {low:g} to {high:g}",
                f"narrow limits.{setting} in msc.toml, or widen DRVL and DRVH of the record",
            )  # fmt: skip


def _differ(wanted: str, found: str) -> bool:
    return bool(wanted and found) and _plain(wanted) != _plain(found)


def _plain(unit: str) -> str:
    unit = unit.strip().lower()
    for name, plain in _SAME_UNIT.items():
        if unit == name or unit.startswith(f"{name}/"):
            return plain + unit[len(name) :]
    return unit


def _all_saxs(names: list[str]) -> bool:
    return all(":Saxs:" in name for name in names)


def _some(names: list[str]) -> str:
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return ", ".join(names[:_MOST_NAMED]) + more
