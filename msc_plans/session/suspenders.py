"""Suspenders as the settings say: plans wait while the ring is empty, the pressure high, the interlock tripped."""

from typing import Any

import bluesky.preprocessors as bpp
from bluesky.suspenders import SuspendCeil, SuspenderBase, SuspendFloor
from bluesky.utils import Msg, MsgGenerator, ensure_generator
from ophyd import EpicsSignalRO

from msc_plans.plan_stubs import UNSUSPENDED
from msc_plans.settings import Settings, Suspender

__all__ = ["Suspending"]

NEVER_SUSPENDED = ("make_safe", "flush", "standby", "refill")
"""Plans that make the reactor safer, beam or not; what comes after a message ``UNSUSPENDED`` is not either."""


class Suspending:
    """A preprocessor of a RunEngine: lets its plans run under suspenders, but those that make the reactor safe.

    Parameters
    ----------
    settings : Settings
        With the suspenders.

    Raises
    ------
    ConnectionError
        One of the records does not answer; the message names it.
    """

    def __init__(self, settings: Settings) -> None:
        self.suspenders = [_suspender(told, settings) for told in settings.suspenders]

    def __call__(self, plan: Any) -> MsgGenerator[Any]:
        """Wrap a plan."""
        if not self.suspenders or getattr(plan, "__name__", "") in NEVER_SUSPENDED:
            return plan
        return bpp.suspend_wrapper(self._releasing(ensure_generator(plan)), self.suspenders)

    def _releasing(self, plan: MsgGenerator[Any]) -> MsgGenerator[Any]:
        """Pass the messages of a plan on, and take the suspenders away where it asks for it.

        Not `plan_mutator`: that keeps every message until the plan's end, 39 for each condition of a campaign.
        """
        answer: Any = None
        raised: Exception | None = None
        while True:
            try:
                msg = plan.send(answer) if raised is None else plan.throw(raised)
            except StopIteration as end:
                return end.value
            answer = raised = None
            try:
                if msg.command == "null" and msg.args == (UNSUSPENDED,):
                    yield from self._release()
                else:
                    answer = yield msg
            except Exception as error:  # noqa: BLE001  it is the plan's to deal with
                raised = error

    def _release(self) -> MsgGenerator[None]:
        for suspender in self.suspenders:
            yield Msg("remove_suspender", None, suspender)
        # an abort while the plan was suspended leaves it so that a pause would lose what it interrupts
        yield Msg("rewindable", None, True)


def _suspender(told: Suspender, settings: Settings) -> SuspenderBase:
    name = settings.prefix.rstrip(":") + told.pv if told.pv.startswith(":") else told.pv
    signal = EpicsSignalRO(name, name=name, auto_monitor=True)
    try:
        signal.wait_for_connection(timeout=settings.connect_timeout_s)
    except TimeoutError as error:
        raise ConnectionError(
            f"the suspender on {name} gets no answer; correct or remove it under [[suspenders]] in the settings"
        ) from error
    common: dict[str, Any] = {"resume_thresh": told.resume, "sleep": told.wait_s, "tripped_message": told.why}
    if told.below is not None:
        return SuspendFloor(signal, told.below, **common)
    return SuspendCeil(signal, told.above, **common)
