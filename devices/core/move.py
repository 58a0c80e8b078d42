"""A status that runs the steps of a move on a thread and names, when it times out, what did not happen."""

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from ophyd import Signal
from ophyd.status import DeviceStatus

__all__ = [
    "Clock",
    "ClockStoppedError",
    "DidNotHappenError",
    "GivenUpError",
    "Move",
    "Progress",
    "SetpointRefusedError",
    "SetpointRequest",
    "number",
    "put_checked",
    "wall_clock",
]

Clock = Callable[[], float]
"""Returns seconds on the clock by which dwells, timeouts and progress are measured."""


def wall_clock() -> float:
    """Return monotonic wall time, s: the default clock of all moves."""
    return time.monotonic()


_POLL_S = 0.005
_CLOCK_STOPPED_AFTER_S = 20.0
_LEAST_WALL_TIMEOUT_S = 10.0
_LAST_STEP_S = 5.0
_READBACK_S = 2.0


class GivenUpError(RuntimeError):
    """The move was stopped before it was done, and the stop does not count as success."""


class DidNotHappenError(TimeoutError):
    """A move timed out: what it waited for did not happen."""


class ClockStoppedError(TimeoutError):
    """The clock that a move runs on has stopped: the IOC that serves it does not answer."""


class SetpointRefusedError(RuntimeError):
    """A controller did not take the requested setpoint."""


@dataclass
class Progress:
    """Progress of a move, as a progress bar shows it."""

    name: str
    initial: float
    current: float
    target: float
    unit: str = ""
    seconds_left: float | None = None

    @property
    def fraction_left(self) -> float:
        """Fraction still to go, from 1 (just started) to 0 (done)."""
        span = abs(self.target - self.initial)
        return 0.0 if span == 0 else min(1.0, max(0.0, abs(self.target - self.current) / span))


class Move(DeviceStatus):
    """Status of a move whose steps run on a thread.

    Parameters
    ----------
    device : ophyd device
        The device that moves.
    steps : callable
        Called with this object; it puts setpoints and calls :meth:`until`. An exception it raises fails the status.
    clock : callable
        Returns seconds; see :data:`Clock`.
    check : callable
        Called each time :meth:`until` looks; an exception it raises ends the move.
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
        self._success_when_given_up = False
        self._watchers: list[Callable[..., None]] = []
        self._started = time.monotonic()
        self._thread = threading.Thread(target=self._run_steps, name=f"move {device.name}", daemon=True)
        self._thread.start()

    def watch(self, func: Callable[..., None]) -> None:
        """Call ``func`` with progress, as bluesky's progress bars expect."""
        self._watchers.append(func)

    def give_up(self, *, success: bool = False) -> None:
        """End the move the next time :meth:`until` looks; no effect once it is done.

        With ``success`` the status does not fail. RunEngine stops devices this way at a pause, and sets them again
        when it resumes.
        """
        self._success_when_given_up = success
        self._given_up.set()

    def end(self, *, success: bool = False) -> None:
        """Give up and wait until the steps have ended, so that they overwrite nothing put later; a few round trips."""
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
        """Wait until ``true()`` returns True.

        Raises
        ------
        DidNotHappenError
            It did not within ``timeout_s`` on the clock and 10 s of wall time (the clock of a fast simulation may
            outrun the delivery of its readings); the message names ``what``.
        ClockStoppedError
            The clock has not advanced for 20 s of wall time.
        GivenUpError
            :meth:`give_up` was called.
        """
        begun = seen = self._clock()
        wall_begun = moved_at = time.monotonic()
        self._raise_if_ended(what)
        while not true():
            self._given_up.wait(_POLL_S)
            self._raise_if_ended(what)
            now = self._clock()
            if now != seen:
                seen, moved_at = now, time.monotonic()
            elif time.monotonic() - moved_at > _CLOCK_STOPPED_AFTER_S:
                raise ClockStoppedError(
                    f"{self.device.name}: the clock did not advance for {_CLOCK_STOPPED_AFTER_S:g} s "
                    f"while waiting for {what}; check that the IOC is running"
                )
            if now - begun > timeout_s and time.monotonic() - wall_begun > _LEAST_WALL_TIMEOUT_S:
                raise DidNotHappenError(f"{self.device.name}: {what} did not happen within {timeout_s:g} s")
            if progress is not None:
                self._notify_watchers(progress())

    def _raise_if_ended(self, what: str) -> None:
        if self._given_up.is_set():
            raise GivenUpError(f"{self.device.name}: given up while waiting for {what}")
        self._check()

    def _settled(self) -> None:
        """Override ophyd's last call of the watchers, which passes no numbers and would blank the progress bar."""

    def _handle_failure(self) -> None:
        """Stop the device, unless the move was given up: then it is stopped, or on its way elsewhere, already."""
        if not self._given_up.is_set():
            super()._handle_failure()

    def _run_steps(self) -> None:
        try:
            self._steps(self)
        except Exception as error:  # noqa: BLE001  the status carries it to whoever waits
            # a failure after a give-up is a consequence of it
            if self._given_up.is_set() and self._success_when_given_up:
                self.set_finished()
                return
            if self._given_up.is_set() and not isinstance(error, GivenUpError):
                error = GivenUpError(f"{self.device.name}: given up, then: {error}")
            self.set_exception(error)
        else:
            self.set_finished()

    def _notify_watchers(self, at: Progress) -> None:
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
    """Return a signal's value as a float; ``use_monitor=False`` reads the record instead of the last update."""
    return float(signal.get(**kwargs))  # type: ignore[arg-type]


@dataclass(frozen=True)
class SetpointRequest:
    """A value for a setpoint, and the readback that shows what the controller took."""

    setpoint: Signal
    value: float
    readback: Signal
    tolerance: float


def put_checked(*requests: SetpointRequest) -> None:
    """Put several setpoints at once and check by their readbacks that the controllers took them.

    Raises
    ------
    SetpointRefusedError
        A controller refused the put or reads back another value. Its old setpoint has been restored; the message
        names both values.
    """
    before = [number(request.setpoint) for request in requests]
    for request in requests:
        # the readback says more than the answer to a put, and saves a round trip
        request.setpoint.put(request.value, wait=False)
    for request, old in zip(requests, before, strict=True):
        _check_taken(request, old)


def _check_taken(request: SetpointRequest, before: float) -> None:
    deadline = time.monotonic() + _READBACK_S
    # written with "not", so that a NaN counts as not taken
    while not abs((taken := number(request.readback, use_monitor=False)) - request.value) <= request.tolerance:
        # a controller on a slow line shows the new value one scan later
        if time.monotonic() < deadline:
            time.sleep(_POLL_S)
            continue
        try:
            request.setpoint.put(request.value, wait=True)
        except Exception as error:
            raise SetpointRefusedError(f"{request.setpoint.name}: {request.value!r} was refused ({error})") from error
        with suppress(Exception):
            request.setpoint.put(before, wait=True)
        raise SetpointRefusedError(
            f"{request.setpoint.name}: requested {request.value:g}, but the controller took {taken:g}; check its limits"
        )
