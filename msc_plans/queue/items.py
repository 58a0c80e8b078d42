"""What the agent asks of the RE Manager: add an item, and where it is now."""

import time
from collections.abc import Callable, Mapping
from typing import Any

from msc_plans.queue.client import Manager, ManagerError

__all__ = ["AgentError", "CampaignQueue", "Item", "Matches"]

Item = Mapping[str, Any]
Matches = Callable[[Item], bool]

_POLL_S = 0.5
_CHANGES = (
    "plan_queue_uid",
    "plan_history_uid",
    "running_item_uid",
    "re_state",
    "manager_state",
    "worker_environment_exists",
    "queue_autostart_enabled",
)
"""What of the status to look at, so that queue and history are asked for only when they have changed."""


class AgentError(RuntimeError):
    """The campaign can't go on; the message says why."""


class CampaignQueue:
    """The items of one campaign in the queue, in the history, or running.

    What was added is known by its ``trial_id``, or by what its metadata say, never by its uid: an item that fails or is
    aborted comes back to the front of the queue with another one.

    Parameters
    ----------
    manager : Manager
        Its RE Manager.
    group : str
        User group under which items are added.
    say : callable
        Takes what a person should know.
    """

    def __init__(self, manager: Manager, group: str, say: Callable[[str], None]) -> None:
        self._manager = manager
        self._group = group
        self._say = say
        self._said = ""

    def go_on(self) -> None:
        """Let the RE Manager run what is queued, now and whenever something is added."""
        self._ask("queue_autostart", enable=True)

    def add(self, name: str, kwargs: Mapping[str, Any], meta: Mapping[str, Any]) -> None:
        """Add a plan at the back.

        Raises
        ------
        AgentError
            The RE Manager refuses it, or does not answer.
        """
        item = {"item_type": "plan", "name": name, "kwargs": dict(kwargs), "meta": dict(meta)}
        self._ask("queue_item_add", item=item, user="msc agent", user_group=self._group)

    def state_of(self, mine: Matches) -> str:
        """Return where an item is.

        Returns
        -------
        str
            ``running``, ``queued``, ``back`` (queued again after it was aborted or its worker died), ``completed``,
            ``stopped``, ``failed``, ``gone`` (a person has ended it, and taken it out of the queue), or empty: it was
            never there.
        """
        # in this order an item that moves on meanwhile is still found
        queue = self._ask("queue_get")
        if queue["running_item"] and mine(queue["running_item"]):
            return "running"
        for item in filter(mine, queue["items"]):
            ended = _ended(item)
            return "failed" if ended == "failed" else "back" if ended else "queued"
        past = [_ended(item) for item in self._ask("history_get")["items"] if mine(item)]
        if not past:
            return ""
        return past[-1] if past[-1] in ("completed", "stopped", "failed") else "gone"

    def why_failed(self, mine: Matches) -> str:
        """Return what the history says of an item's failure."""
        items = [one for one in self._ask("history_get")["items"] if mine(one) and _ended(one) == "failed"]
        return str(items[-1]["result"].get("msg", "")) if items else ""

    def remove_ended(self, mine: Matches) -> None:
        """Take items out of the queue that have ended and come back."""
        for item in self._ask("queue_get")["items"]:
            if mine(item) and _ended(item):
                self._ask("queue_item_remove", uid=item["item_uid"])

    def follow(
        self,
        mine: Matches,
        meanwhile: Callable[[], None] = lambda: None,
        already_done: Callable[[], bool] = lambda: False,
    ) -> str:
        """Wait until an item has ended; returns how, see :meth:`state_of`.

        ``meanwhile`` is called once, when the item is on its way. An item that has come back to the queue has ended
        as ``completed`` when ``already_done`` finds its run whole.
        """
        meanwhile()
        seen: object = None
        state = ""
        while True:
            status = self._manager.status()
            if not status:
                self._say_once("the RE Manager does not answer; waiting for it")
            elif (now := [status.get(key) for key in _CHANGES]) != seen:
                state, seen = self.state_of(mine), now
                if state not in ("running", "queued", "back"):
                    return state
                self._say_why_it_waits(state, status)
            if state == "back" and already_done():
                return "completed"
            time.sleep(_POLL_S)

    def _say_why_it_waits(self, state: str, status: Mapping[str, Any]) -> None:
        if state == "running":
            paused = status.get("re_state") == "paused"
            self._say_once("the plan is paused: qserver re resume, or qserver re abort" if paused else "")
        elif not status.get("worker_environment_exists", True):
            self._say_once("the environment is closed: qserver environment open")
        elif status.get("manager_state") == "idle" and not status.get("queue_autostart_enabled", True):
            self._say_once("the queue was stopped: qserver queue start, or take the agent's item out of it")
        else:
            self._say_once("")

    def _say_once(self, what: str) -> None:
        if what and what != self._said:
            self._say(what)
        self._said = what

    def _ask(self, method: str, **params: Any) -> Mapping[str, Any]:
        try:
            return self._manager.ask(method, **params)
        except ManagerError as error:
            raise AgentError(str(error)) from error


def _ended(item: Item) -> str:
    return str(item.get("result", {}).get("exit_status", ""))
