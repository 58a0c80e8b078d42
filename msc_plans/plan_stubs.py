"""The steps that plans are made of: reach a condition, take spectra, make the reactor safe."""

import asyncio
from collections.abc import Callable, Generator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

import bluesky.plan_stubs as bps
import bluesky.preprocessors as bpp
from bluesky.utils import Msg, MsgGenerator, plan

from msc_plans.condition import Condition
from msc_plans.protocols import Reactor, SpectrometerLike

__all__ = ["collect", "compute", "make_safe", "reach", "safely", "take_dark_and_reference", "wait_for_future"]

T = TypeVar("T")

FLUSH_VOLUMES = 3.0
SAFE_FLUSH_VOLUMES = 2.0


@plan
def reach(reactor: Reactor, condition: Condition) -> MsgGenerator[None]:
    """Bring the reactor to a condition and wait until its mixture fills the cells.

    Raises
    ------
    ValueError
        The reactor can't do it; nothing has moved.
    """
    reactor.check_value(condition.as_dict())
    yield from bps.abs_set(reactor, condition.as_dict(), group="reach", wait=True)


@plan
def collect(spectrometer: SpectrometerLike, spectrum_type: str) -> MsgGenerator[None]:
    """Collect one dark, reference or sample; the spectrometer keeps it."""
    yield from bps.abs_set(spectrometer.spectrum_type, spectrum_type, wait=True)
    yield from bps.trigger(spectrometer, wait=True)


@plan
def take_dark_and_reference(reactor: Reactor, spectrometer: SpectrometerLike) -> MsgGenerator[None]:
    """Fill the cell with solvent, take its spectrum as reference, and a dark with the shutter closed."""
    yield from bps.abs_set(spectrometer.light, "On", wait=True)
    yield from bps.abs_set(reactor.solvent, FLUSH_VOLUMES, wait=True)
    yield from bps.abs_set(spectrometer.shutter, "Closed", wait=True)
    yield from collect(spectrometer, "Dark")
    yield from bps.abs_set(spectrometer.shutter, "Open", wait=True)
    yield from collect(spectrometer, "Reference")
    yield from bps.abs_set(spectrometer.spectrum_type, "Corrected Sample", wait=True)


@plan
def make_safe(reactor: Reactor, spectrometer: SpectrometerLike | None = None) -> MsgGenerator[None]:
    """Send the ovens to standby, flush with solvent, stop the pumps, close the shutter.

    Under a tripped interlock the IOC has made the reactor safe already: then only the shutter is closed.
    """
    if spectrometer is not None:
        yield from bps.abs_set(spectrometer.shutter, "Closed", wait=True)
    if (yield from bps.rd(reactor.interlock.state)) == "Tripped":
        return
    standby = yield from bps.rd(reactor.standby_temperature)
    yield from bps.abs_set(reactor.nucleation.setpoint, standby, group="standby")
    yield from bps.abs_set(reactor.growth.setpoint, standby, group="standby")
    yield from bps.wait("standby")
    yield from bps.abs_set(reactor.solvent, SAFE_FLUSH_VOLUMES, wait=True)
    yield from bps.abs_set(reactor.pump_solvent.halt, 1, wait=True)


def safely(
    plan: Generator[Msg, Any, T], reactor: Reactor, spectrometer: SpectrometerLike | None = None
) -> MsgGenerator[T]:
    """Run a plan; on stop, abort or an exception make the reactor safe, on success leave it as it is."""

    def unsafe(error: Exception) -> MsgGenerator[None]:
        yield from make_safe(reactor, spectrometer)

    return (yield from bpp.contingency_wrapper(plan, except_plan=unsafe))


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
