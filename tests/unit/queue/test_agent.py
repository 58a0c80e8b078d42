"""Where an item of the agent is, what a person decides about a suggestion, and bad input."""

import pytest

from msc_plans.cli import main
from msc_plans.queue.client import Manager, ManagerError, NoManagerError
from msc_plans.queue.held import HeldSuggestions, NotHeldError
from msc_plans.queue.items import AgentError, CampaignQueue


class FakeManager:
    """A RE Manager of a few lists; ``statuses`` are given one after the other, the last for ever."""

    def __init__(self, items=(), running=None, history=(), statuses=({"manager_state": "idle"},)):
        self.items, self.running, self.ended = list(items), running, list(history)
        self.statuses = list(statuses)
        self.asked = []

    def status(self):
        return self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]

    def ask(self, method, **params):
        self.asked.append((method, params))
        if method == "queue_get":
            return {"items": self.items, "running_item": self.running or {}}
        if method == "history_get":
            return {"items": self.ended}
        if method == "queue_item_remove":
            self.items = [one for one in self.items if one["item_uid"] != params["uid"]]
        if method == "queue_item_add" and params["item"]["name"] == "refused":
            raise ManagerError("the RE Manager refuses queue_item_add: out of range")
        return {}


def item(trial="t", exit_status="", uid="u", msg=""):
    result = {"result": {"exit_status": exit_status, "msg": msg}} if exit_status else {}
    return {"name": "measure_condition", "kwargs": {"trial_id": trial}, "item_uid": uid, **result}


def mine(one):
    return one["kwargs"]["trial_id"] == "t"


def queue_of(said=None, **kwargs):
    manager = FakeManager(**kwargs)
    return CampaignQueue(manager, "operator", (said if said is not None else []).append), manager


@pytest.mark.parametrize(
    ("kwargs", "state"),
    [
        ({}, ""),
        ({"items": [item("other")]}, ""),
        ({"items": [item()]}, "queued"),
        ({"running": item()}, "running"),
        ({"running": item("other"), "items": [item()]}, "queued"),
        ({"history": [item(exit_status="completed")]}, "completed"),
        ({"history": [item(exit_status="stopped")]}, "stopped"),
        ({"history": [item(exit_status="aborted")]}, "gone"),
        ({"history": [item(exit_status="aborted"), item(exit_status="completed")]}, "completed"),
        ({"items": [item(exit_status="aborted")], "history": [item(exit_status="aborted")]}, "back"),
        ({"items": [item(exit_status="failed")], "history": [item(exit_status="failed")]}, "failed"),
        ({"running": item(), "history": [item(exit_status="failed")]}, "running"),
    ],
)
def test_it_is_known_where_an_item_is(kwargs, state):
    assert queue_of(**kwargs)[0].state_of(mine) == state


def test_what_has_come_back_is_taken_out_of_the_queue_and_nothing_else():
    failed, aborted, new, other = (
        item(exit_status="failed", uid="1"),
        item(exit_status="aborted", uid="2"),
        item(uid="3"),
        item("o", "failed"),
    )
    queue, manager = queue_of(items=[failed, aborted, new, other])
    queue.remove_ended(mine)
    assert manager.items == [new, other]


def test_what_has_come_back_but_is_whole_is_not_waited_for(monkeypatch):
    monkeypatch.setattr("msc_plans.queue.items._POLL_S", 0.0)
    queue, _ = queue_of(items=[item(exit_status="aborted")])
    stored = iter([False, True])
    assert queue.follow(mine, already_done=lambda: next(stored)) == "completed"


def test_why_it_failed_is_what_the_history_says_last():
    queue, _ = queue_of(history=[item(exit_status="failed", msg="first"), item(exit_status="failed", msg="then")])
    assert queue.why_failed(mine) == "then"


def test_it_says_once_what_it_waits_for(monkeypatch):
    monkeypatch.setattr("msc_plans.queue.items._POLL_S", 0.0)
    open_, said = {"worker_environment_exists": True, "queue_autostart_enabled": False}, []
    statuses = [
        {},
        {},
        {"worker_environment_exists": False},
        open_ | {"manager_state": "idle"},
        open_ | {"manager_state": "idle", "plan_queue_uid": "another"},
        open_ | {"manager_state": "executing_queue"},
    ]
    queue, manager = queue_of(said, items=[item()], statuses=statuses)
    done = iter([0, 0, 0, 1])

    def get(method, **params):
        if method == "queue_get" and next(done):
            manager.items, manager.ended = [], [item(exit_status="completed")]
        return FakeManager.ask(manager, method, **params)

    manager.ask = get
    assert queue.follow(mine) == "completed"
    assert [line.split(":")[0] for line in said] == [
        "the RE Manager does not answer; waiting for it",
        "the environment is closed",
        "the queue was stopped",
    ]


def test_what_the_manager_refuses_is_an_error_of_the_agent():
    with pytest.raises(AgentError, match="refuses queue_item_add: out of range"):
        queue_of()[0].add("refused", {}, {})


def test_a_suggestion_is_held_until_one_decision(tmp_path):
    held = HeldSuggestions(tmp_path)
    held.hold("c-001", {"nucleation_temperature": 280.0})
    assert (held.names(), held.decision("c-001")) == (["c-001"], "")
    with pytest.raises(NotHeldError, match=r"no suggestion 'c-002' is held in .*; held are: c-001"):
        held.decide("c-002", "released")
    assert "280.0" in held.decide("c-001", "released")
    held.hold("c-001", {})  # by an agent that was restarted
    assert (held.names(), held.decision("c-001")) == ([], "released")
    with pytest.raises(NotHeldError):
        held.decide("c-001", "rejected")
    held.forget("c-001")
    assert held.decision("c-001") == ""
    assert list((tmp_path / "agent").iterdir()) == []


def test_a_manager_that_is_not_there_is_said_to_be_so():
    manager = Manager("tcp://127.0.0.1:9", timeout_s=0.1)
    try:
        assert manager.status() == {}
        with pytest.raises(NoManagerError, match=r"the RE Manager at tcp://127.0.0.1:9 does not answer"):
            manager.ask("queue_get")
    finally:
        manager.close()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["agent", "--max-conditions", "0"], "--max-conditions must be 1 or more"),
        (["agent", "--release", "nosuch"], "no suggestion 'nosuch' is held"),
        (["agent", "--family", "nosuch"], "unknown family 'nosuch'"),
        (["agent", "--residence-times", "1e9"], "no condition is left"),
        (["agent", "--address", "nonsense"], "the RE Manager does not answer"),
        (["queue", "--profile", "nosuch"], "there is no startup code in nosuch"),
        (["queue", "--port", "70000"], "port 70000 is not between 0 and 65535"),
        (["queue", "--simulate", "nosuch"], "nosuch"),
        (["queue", "--simulate", "fast", "--prefix", "X:"], "choose one"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(arguments, words, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    said = capsys.readouterr().err
    assert words in said
    assert len(said.splitlines()) == 1
