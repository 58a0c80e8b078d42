"""The steps that plans are made of: reach a condition, take spectra, make the reactor safe."""

import asyncio
import logging
from collections.abc import Callable, Generator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import Any, TypeVar

import bluesky.plan_stubs as bps
import bluesky.preprocessors as bpp
from bluesky.utils import IllegalMessageSequence, Msg, MsgGenerator, RunEngineControlException, plan, short_uid

from msc_plans.condition import Condition
from msc_plans.protocols import Reactor, SaxsLike, SpectrometerLike

__all__ = [
    "UNSUSPENDED",
    "ask_person",
    "begin_reach",
    "collect",
    "compute",
    "dark_and_reference",
    "drop_event",
    "flush",
    "is_tripped",
    "make_safe",
    "reach",
    "read_stream",
    "safely",
    "standby",
    "take_dark_and_reference",
    "trigger_and_read",
    "wait_for_future",
]

log = logging.getLogger(__name__)

T = TypeVar("T")

UNSUSPENDED = "unsuspended"
"""``Msg("null", None, UNSUSPENDED)``: from here on no suspender may hold up the plan."""

FLUSH_VOLUMES = 3.0
SAFE_FLUSH_VOLUMES = 2.0


def begin_reach(
    reactor: Reactor,
    condition: Condition,
    *,
    group: str,
    then: Condition | None = None,
    exposure_s: float = 0.0,
) -> MsgGenerator[None]:
    """Start on the way to a condition, in a group to be waited for.

    Parameters
    ----------
    then : Condition, optional
        The one after it: the ovens may leave for it when nothing that will be measured depends on them any more.
    exposure_s : float
        For how long the cells will be looked at, s.

    Raises
    ------
    ValueError
        The reactor can't do it; nothing has moved.
    """
    asked: dict[str, Any] = condition.as_dict()
    reactor.check_value(asked)
    if then is not None:
        asked |= {"then": (then.nucleation_temperature, then.growth_temperature), "exposure_s": exposure_s}
    yield from bps.abs_set(reactor, asked, group=group)


@plan
def reach(reactor: Reactor, condition: Condition) -> MsgGenerator[None]:
    """Bring the reactor to a condition and wait until its mixture fills the cells.

    Raises
    ------
    ValueError
        The reactor can't do it; nothing has moved.
    """
    yield from begin_reach(reactor, condition, group="reach")
    yield from bps.wait("reach")


@plan
def collect(spectrometer: SpectrometerLike, spectrum_type: str) -> MsgGenerator[None]:
    """Collect one dark, reference or sample; the spectrometer keeps it."""
    yield from bps.abs_set(spectrometer.spectrum_type, spectrum_type, wait=True)
    yield from bps.trigger(spectrometer, wait=True)


@plan
def take_dark_and_reference(reactor: Reactor, spectrometer: SpectrometerLike) -> MsgGenerator[None]:
    """Fill the cell with solvent, take its spectrum as reference, and a dark with the shutter closed.

    Parameters
    ----------
    reactor, spectrometer
        The devices.
    """
    yield from safely(dark_and_reference(reactor, spectrometer), reactor, spectrometer)


def dark_and_reference(reactor: Reactor, spectrometer: SpectrometerLike) -> MsgGenerator[None]:
    """Steps of :func:`take_dark_and_reference`, for plans that make the reactor safe themselves."""
    yield from bps.checkpoint()
    yield from bps.abs_set(spectrometer.light, "On", group="reference")
    yield from bps.abs_set(reactor.solvent, FLUSH_VOLUMES, group="reference")
    yield from bps.abs_set(spectrometer.shutter, "Closed", wait=True)
    yield from collect(spectrometer, "Dark")
    yield from bps.abs_set(spectrometer.shutter, "Open", wait=True)
    yield from bps.wait("reference")
    yield from collect(spectrometer, "Reference")
    yield from bps.abs_set(spectrometer.spectrum_type, "Corrected Sample", wait=True)


@plan
def flush(reactor: Reactor, volumes: float = FLUSH_VOLUMES) -> MsgGenerator[None]:
    """Flush the reactor with solvent; standby flow afterwards, ovens as they are.

    Parameters
    ----------
    reactor
        The reactor.
    volumes : float
        Swept volumes of solvent, above 0 and up to 100.

    Raises
    ------
    ValueError
        A number of volumes that can't be flushed; nothing has moved.
    """
    reactor.solvent.check_value(volumes)
    yield from safely(_flush(reactor, volumes), reactor)


def _flush(reactor: Reactor, volumes: float) -> MsgGenerator[None]:
    yield from bps.checkpoint()
    yield from bps.abs_set(reactor.solvent, volumes, wait=True)


def _ovens_to_standby(reactor: Reactor) -> MsgGenerator[None]:
    standby = yield from bps.rd(reactor.standby_temperature)
    yield from bps.abs_set(reactor.nucleation.setpoint, standby, group="standby")
    yield from bps.abs_set(reactor.growth.setpoint, standby, group="standby")
    yield from bps.wait("standby")


@plan
def standby(reactor: Reactor) -> MsgGenerator[None]:
    """Flush, then leave solvent at standby flow and send the ovens to standby temperature: ready for more today.

    Parameters
    ----------
    reactor
        The reactor.
    """

    def steps() -> MsgGenerator[None]:
        yield from bps.checkpoint()
        yield from _ovens_to_standby(reactor)
        yield from _flush(reactor, SAFE_FLUSH_VOLUMES)

    yield from safely(steps(), reactor)


def is_tripped(reactor: Reactor) -> MsgGenerator[bool]:
    """Return whether the reactor's interlock is tripped."""
    return (yield from bps.rd(reactor.interlock.state)) == "Tripped"


@plan
def make_safe(
    reactor: Reactor, spectrometer: SpectrometerLike | None = None, saxs: SaxsLike | None = None
) -> MsgGenerator[None]:
    """Send the ovens to standby, flush with solvent, stop the pumps, close the shutters.

    Under a tripped interlock the IOC has made the reactor safe already: then only the shutters are closed. A step
    that fails does not keep those after it from being done.

    Parameters
    ----------
    reactor, spectrometer, saxs
        The devices; the last two may be left out.

    Raises
    ------
    Exception
        What the last step that failed has raised; each failure is logged.
    """
    yield Msg("null", None, UNSUSPENDED)
    yield from bps.checkpoint()
    steps = [_closed(device) for device in (saxs, spectrometer) if device is not None]
    if not (yield from is_tripped(reactor)):
        steps += [
            # begun first as it ends the move under way, which might still send the ovens elsewhere
            lambda: bps.abs_set(reactor.solvent, SAFE_FLUSH_VOLUMES, group="flush"),
            lambda: _ovens_to_standby(reactor),
            lambda: bps.abs_set(reactor.solvent, SAFE_FLUSH_VOLUMES, wait=True),
            lambda: bps.abs_set(reactor.pump_solvent.halt, 1, wait=True),
        ]
    failed = None
    for step in steps:
        failed = (yield from _outcome_of(step)) or failed
    if failed is not None:
        raise failed


def _closed(device: Any) -> Callable[[], MsgGenerator[Any]]:
    return lambda: bps.abs_set(device.shutter, "Closed", wait=True)


def _outcome_of(step: Callable[[], MsgGenerator[Any]]) -> MsgGenerator[Exception | None]:
    """Do a step, twice if need be: RunEngine tells of the failure of something set before in the middle of it."""
    failed = None
    for _ in range(2):
        try:
            yield from step()
        except RunEngineControlException:
            raise
        except Exception as error:  # noqa: BLE001  whatever it is, the other steps must be done
            log.warning("while making the reactor safe: %s", error.__cause__ or error)
            failed = error
        else:
            return None
    return failed


def safely(
    plan: Generator[Msg, Any, T],
    reactor: Reactor,
    spectrometer: SpectrometerLike | None = None,
    saxs: SaxsLike | None = None,
) -> MsgGenerator[T]:
    """Run a plan; on stop, abort or an exception make the reactor safe, on success leave it as it is."""

    def unsafe(error: Exception) -> MsgGenerator[None]:
        try:
            yield from make_safe(reactor, spectrometer, saxs)
        except RunEngineControlException:
            raise
        except Exception:  # noqa: BLE001  logged with each step; what is raised is the error that led here
            log.error("the reactor may not be safe: look at pumps and ovens")

    return (yield from bpp.contingency_wrapper(plan, except_plan=unsafe))


def read_stream(name: str, devices: Sequence[Any]) -> MsgGenerator[Mapping[str, Any]]:
    """Read devices into one event of a stream; returns the last one's readings."""

    def read() -> MsgGenerator[Mapping[str, Any]]:
        reading: Mapping[str, Any] = {}
        for device in devices:
            reading = yield from bps.read(device)
        return reading

    def drop(error: Exception) -> MsgGenerator[None]:
        # an interruption has dropped it already, if the error came while the steps before it were done again
        yield from drop_event()

    yield from bps.create(name)
    return (yield from bpp.contingency_wrapper(read(), except_plan=drop, else_plan=bps.save))


def trigger_and_read(devices: Sequence[Any], name: str = "primary") -> MsgGenerator[None]:
    """Trigger devices and read them into one event; an error after an interruption is raised, not hidden by another."""
    group = short_uid("trigger")
    for device in devices:
        yield from bps.trigger(device, group=group)
    yield from bps.wait(group)
    yield from read_stream(name, devices)


def drop_event() -> MsgGenerator[None]:
    """Drop the event that an interruption, between its beginning and end, has left open; nothing where none is."""
    with suppress(IllegalMessageSequence):
        yield from bps.drop()


def ask_person(what: str) -> MsgGenerator[None]:
    """Pause until a person has done something by hand and resumes: ``RE.resume()``, or the queue's resume button."""
    yield from bps.checkpoint()
    print(f"\n*** {what}; then resume (RE.resume(), or the queue's resume) ***\n", flush=True)
    yield from bps.pause()


def wait_for_future(future: "Future[T]", timeout_s: float | None = None) -> MsgGenerator[T]:
    """Wait for a future of another thread without blocking the RunEngine; returns its result.

    Raises
    ------
    TimeoutError
        It is not done within ``timeout_s`` of wall time.
    """
    yield from bps.wait_for([lambda: asyncio.wait([asyncio.wrap_future(future)], timeout=timeout_s)])
    if not future.done():
        raise TimeoutError(f"no answer within {timeout_s:g} s")
    return future.result()


def compute(worker: ThreadPoolExecutor, function: Callable[[], T]) -> MsgGenerator[T]:
    """Run a function on a worker thread while the plan waits; returns its result or raises its error."""
    return (yield from wait_for_future(worker.submit(function)))
