"""A status that runs the steps of a move on a thread; its timeouts name what did not happen."""

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from ophyd import Signal
from ophyd.status import DeviceStatus

__all__ = [
    "Asked",
    "Clock",
    "ClockStoppedError",
    "DidNotHappenError",
    "GivenUpError",
    "Move",
    "Progress",
    "SetpointRefusedError",
    "number",
    "put_checked",
    "wall_clock",
]

Clock = Callable[[], float]
"""Seconds on the clock that dwell, timeouts and progress run on."""


def wall_clock() -> float:
    """Return seconds of wall time that never step: the default clock of all moves."""
    return time.monotonic()


_POLL_S = 0.005
_CLOCK_STOPPED_AFTER_S = 20.0
_LEAST_WALL_TIMEOUT_S = 10.0
_LAST_STEP_S = 5.0
_READBACK_S = 2.0


class GivenUpError(RuntimeError):
    """The move was stopped before it was done, by someone who does not count that as success."""


class DidNotHappenError(TimeoutError):
    """What a move waited for did not happen in time."""


class ClockStoppedError(TimeoutError):
    """The clock that a move runs on stands still: the IOC that serves it does not answer."""


class SetpointRefusedError(RuntimeError):
    """A controller did not take the setpoint that was asked for."""


@dataclass
class Progress:
    """Where a move is: what a progress bar shows."""

    name: str
    initial: float
    current: float
    target: float
    unit: str = ""
    seconds_left: float | None = None

    @property
    def fraction_left(self) -> float:
        """Between 1 (just begun) and 0 (done)."""
        span = abs(self.target - self.initial)
        return 0.0 if span == 0 else min(1.0, max(0.0, abs(self.target - self.current) / span))


class Move(DeviceStatus):
    """Status of a move whose steps run on a thread.

    Parameters
    ----------
    device : ophyd device
        What moves.
    steps : callable
        Called with this object; it puts setpoints and calls :meth:`until`. What it raises fails the status.
    clock : callable
        Seconds; see :data:`Clock`.
    check : callable
        Called at each look at the world; what it raises ends the move.
    """

    def __init__(
        self,
        device: Any,
        steps: Callable[["Move"], None],
        *,
        clock: Clock,
        check: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__(device)
        self._clock = clock
        self._check = check
        self._steps = steps
        self._given_up = threading.Event()
        self._pardoned = False
        self._watchers: list[Callable[..., None]] = []
        self._started = time.monotonic()
        self._thread = threading.Thread(target=self._run_steps, name=f"move {device.name}", daemon=True)
        self._thread.start()

    def watch(self, func: Callable[..., None]) -> None:
        """Call ``func`` with progress, as bluesky's progress bars ask for."""
        self._watchers.append(func)

    def give_up(self, *, success: bool = False) -> None:
        """End the move at its next look at the world; harmless once it is done.

        With ``success`` its status does not fail: RunEngine stops devices so at a pause, and sets them again
        when it resumes.
        """
        self._pardoned = success
        self._given_up.set()

    def end(self, *, success: bool = False) -> None:
        """Give up, and wait until no step is under way: what is put from now on stays. Takes a few round trips."""
        self.give_up(success=success)
        if self._thread is not threading.current_thread():
            self._thread.join(_LAST_STEP_S)

    def until(
        self,
        true: Callable[[], bool],
        *,
        timeout_s: float,
        what: str,
        progress: Callable[[], Progress] | None = None,
    ) -> None:
        """Wait until ``true()``.

        Raises
        ------
        DidNotHappenError
            After ``timeout_s`` seconds on the clock and 10 s of wall time (a fast twin's clock may outrun the
            delivery of its readings); the message names ``what``.
        ClockStoppedError
            The clock has stood still for 20 s of wall time.
        GivenUpError
            After :meth:`give_up`.
        """
        begun = seen = self._clock()
        wall_begun = moved_at = time.monotonic()
        self._go_on(what)
        while not true():
            self._given_up.wait(_POLL_S)
            self._go_on(what)
            now = self._clock()
            if now != seen:
                seen, moved_at = now, time.monotonic()
            elif time.monotonic() - moved_at > _CLOCK_STOPPED_AFTER_S:
                raise ClockStoppedError(
                    f"{self.device.name}: the clock stood still for {_CLOCK_STOPPED_AFTER_S:g} s "
                    f"while waiting for {what}; does the IOC still run?"
                )
            if now - begun > timeout_s and time.monotonic() - wall_begun > _LEAST_WALL_TIMEOUT_S:
                raise DidNotHappenError(f"{self.device.name}: {what} did not happen within {timeout_s:g} s")
            if progress is not None:
                self._tell(progress())

    def _go_on(self, what: str) -> None:
        if self._given_up.is_set():
            raise GivenUpError(f"{self.device.name}: given up while waiting for {what}")
        self._check()

    def _settled(self) -> None:
        """Tell watchers nothing more: a bar that shows no number is of no use."""

    def _handle_failure(self) -> None:
        """Stop the device; not after a give-up, as it has been stopped, or goes elsewhere already."""
        if not self._given_up.is_set():
            super()._handle_failure()

    def _run_steps(self) -> None:
        try:
            self._steps(self)
        except Exception as error:  # noqa: BLE001  the status carries it to whoever waits
            # what fails in a move that was given up fails because of that
            if self._given_up.is_set() and self._pardoned:
                self.set_finished()
                return
            if self._given_up.is_set() and not isinstance(error, GivenUpError):
                error = GivenUpError(f"{self.device.name}: given up, after which: {error}")
            self.set_exception(error)
        else:
            self.set_finished()

    def _tell(self, at: Progress) -> None:
        for watcher in self._watchers:
            watcher(
                name=at.name,
                current=at.current,
                initial=at.initial,
                target=at.target,
                unit=at.unit,
                precision=1,
                fraction=at.fraction_left,
                time_elapsed=time.monotonic() - self._started,
                time_remaining=at.seconds_left,
            )


def number(signal: Signal, **kwargs: Any) -> float:
    """Return a signal's value as a float; ``use_monitor=False`` asks the record itself."""
    return float(signal.get(**kwargs))  # type: ignore[arg-type]


@dataclass(frozen=True)
class Asked:
    """A setpoint, what it is to be, and the readback that shows what the controller took."""

    setpoint: Signal
    value: float
    readback: Signal
    tolerance: float


def put_checked(*asked: Asked) -> None:
    """Put setpoints, all at once, and compare what the controllers took with what was asked for.

    Raises
    ------
    SetpointRefusedError
        A controller refused the put, or reads back something else, and has its old setpoint again; both values are
        named.
    """
    before = [number(one.setpoint) for one in asked]
    for one in asked:
        # the readback tells more than an answer, and is one round trip less
        one.setpoint.put(one.value, wait=False)
    for one, old in zip(asked, before, strict=True):
        _check_taken(one, old)


def _check_taken(one: Asked, before: float) -> None:
    deadline = time.monotonic() + _READBACK_S
    # turned round, so that nothing is taken for NaN
    while not abs((taken := number(one.readback, use_monitor=False)) - one.value) <= one.tolerance:
        # a controller behind a slow line shows it a scan later
        if time.monotonic() < deadline:
            time.sleep(_POLL_S)
            continue
        try:
            one.setpoint.put(one.value, wait=True)
        except Exception as error:
            raise SetpointRefusedError(f"{one.setpoint.name}: {one.value!r} was refused ({error})") from error
        with suppress(Exception):
            one.setpoint.put(before, wait=True)
        raise SetpointRefusedError(
            f"{one.setpoint.name}: asked for {one.value:g}, the controller took {taken:g}; check its limits"
        )
