"""Every plan on a real RE Manager with a real Redis and the simulated reactor: run, interrupted, refused."""

import re
import signal
import time
from contextlib import suppress

import psutil
import pytest
import yaml

from msc_plans.queue.client import ManagerError
from tests.conftest import wait_until
from tests.system.queue_server import CONDITION, DEVICES, Agent, msc, served
from tests.unit.queue.test_profile import BAD, GOOD, LISTS, MEASURING, SAFE

REACTOR = {"reactor": "reactor"}
SHORT = {"nucleation_temperature": 130.0, "growth_temperature": 130.0}
LONG_RUN = DEVICES | CONDITION | {"num": 2000}


@pytest.fixture(scope="module")
def served_queue(tmp_path_factory):
    with served(tmp_path_factory.mktemp("queue") / "store") as queue:
        queue.run(("bring_up", DEVICES | SHORT))
        yield queue


@pytest.fixture
def queue(served_queue):
    """The queue, empty, with its environment open, the interlock reset and syringes that are full."""
    served_queue.clear()
    served_queue.ask("queue_autostart", enable=False)  # an agent has switched it on
    served_queue.wait(lambda now: now["manager_state"] == "idle", "the end of what the last test has queued")
    # on a busy machine the mixture flows longer: at 200× a second is 3 minutes of it
    served_queue.run(("refill", REACTOR | {"how": "draw"}))
    served_queue.ask("history_clear")
    yield served_queue
    if served_queue.status()["manager_state"] == "paused":
        served_queue.end("abort")


# -- forms and groups


def test_each_group_is_offered_its_plans(queue):
    offered = {}
    for group in ("observer", "operator", "expert", "primary"):
        answer = queue.ask("plans_allowed", user_group=group)
        offered[group] = set(answer["plans_allowed"])
    every = MEASURING | SAFE | {"saxs_calibrate"}
    assert offered == {"observer": set(), "operator": MEASURING | SAFE, "expert": every, "primary": every}


def test_the_worker_finds_what_the_lists_say_but_the_bounds_of_another_reactor(queue):
    stored = yaml.safe_load(LISTS.read_text())
    found = queue.ask("plans_existing")["plans_existing"]
    assert _without_times(found) == _without_times(stored["existing_plans"])
    assert queue.ask("devices_existing")["devices_existing"] == stored["existing_devices"]


def _without_times(plans):
    for plan in plans.values():
        for parameter in plan["parameters"]:
            if parameter["name"].startswith("residence_time"):
                parameter.pop("min"), parameter.pop("max")
    return plans


@pytest.mark.parametrize(
    ("name", "kwargs", "says"),
    [
        ("bring_up", DEVICES | SHORT | {"growth_temperature": 351.0}, "351.0 is out of range"),
        ("flush", REACTOR | {"volumes": -1}, "out of range"),
        ("measure_condition", DEVICES | CONDITION | {"residence_time": 1e6}, "out of range"),
        ("measure_fractions", DEVICES | {"fractions": ["F6"]}, "fractions"),
        ("refill", REACTOR | {"how": "magic"}, "how"),
        ("standby", {"reactor": "saxs"}, "reactor"),
    ],
)
def test_bad_parameters_are_refused_when_they_are_added(queue, name, kwargs, says):
    with pytest.raises(ManagerError, match=says):
        queue.add(name, **kwargs)
    with pytest.raises(ManagerError, match="not in the list of allowed plans"):
        queue.add(name, group="observer", **kwargs)


def test_bad_parameters_of_every_plan_are_refused_and_nothing_is_queued(queue):
    assert {name for name, *_ in BAD} >= MEASURING | SAFE | {"saxs_calibrate"}
    for name, bad, says in BAD:
        if "residence_time" in bad:  # the bounds of another reactor
            bad = {"residence_time": 1e6} if bad["residence_time"] else bad
        with pytest.raises(ManagerError, match=says):
            queue.add(name, **(REACTOR | GOOD[name] | bad))
    assert queue.ask("queue_get")["items"] == []


def test_what_no_form_can_refuse_fails_before_anything_moves(queue):
    before = queue.records.get("Oven:Nucleation:LOOP1:SP")
    queue.start("growth_temperature_scan", **DEVICES, nucleation_temperatures=[340.0], growth_offsets=[50.0])
    queue.wait(lambda now: now["manager_state"] == "idle", "the end of the plan")
    (failed,) = queue.history()
    assert failed["result"]["exit_status"] == "failed"
    assert "growth_temperature 390 °C is outside 20 to 350 °C" in failed["result"]["msg"]
    assert failed["result"]["run_uids"] == []
    assert queue.records.get("Oven:Nucleation:LOOP1:SP") == before
    assert queue.records.text("Pump:Cd:STATUS") == "Idle"


# -- every plan


def test_plans_of_spectra_run(queue):
    lots = {"Cd": "A1"}
    scan = DEVICES | {"residence_time": 14.0, "refills": "draw"}
    measured, scanned, *rest = queue.run(
        ("measure_condition", DEVICES | CONDITION | {"trial_id": "t-1", "campaign_uid": "c-1", "lots": lots}),
        ("growth_temperature_scan", scan | {"nucleation_temperatures": [130.0], "growth_offsets": [0.0, -5.0]}),
        ("nucleation_temperature_scan", scan | {"nucleation_temperatures": [130.0], "growth_temperature": None}),
        (
            "residence_time_scan",
            DEVICES | {"residence_times": [10.0], "nucleation_temperature": 130.0, "refills": "draw"},
        ),
        ("measure_fractions", DEVICES | {"fractions": ["F1"]}),
        ("take_dark_and_reference", DEVICES),
        ("refill", REACTOR | {"how": "draw"}),
    )
    assert [len(one["result"]["run_uids"]) for one in (measured, scanned, *rest)] == [1, 2, 1, 1, 1, 0, 0]
    assert measured["user_group"] == "primary"
    start = _stored(queue, measured["result"]["run_uids"][0])
    assert (start["trial_id"], start["campaign_uid"], start["lots"]) == ("t-1", "c-1", lots)
    queue.assert_solvent()


def test_plans_that_make_the_reactor_safe_run(queue):
    queue.run(("flush", REACTOR | {"volumes": 0.5}), ("standby", REACTOR))
    queue.assert_safe()
    queue.run(("make_safe", DEVICES | {"saxs": "saxs"}))
    queue.assert_safe()
    assert queue.records.text("Pump:Solvent:STATUS") == "Idle"


@pytest.mark.long
@pytest.mark.timeout(300)
def test_plans_of_frames_and_the_campaign_run(queue):
    saxs = REACTOR | {"saxs": "saxs", "frame_exposure_s": 1.0, "num": 1}
    mesophase = {"liquids": ["Mixture"], "cell_temperatures": [50.0], "oven_temperature": 100.0}
    campaign = {"max_conditions": 1, "particles": 50, "refills": "draw"}
    ended = queue.run(
        ("saxs_calibrate", saxs),
        ("mesophase_scan", saxs | mesophase),
        ("measure_condition", DEVICES | CONDITION | {"saxs": "saxs", "frame_exposure_s": 1.0}),
        ("msc_campaign", DEVICES | campaign),
    )
    assert [len(one["result"]["run_uids"]) for one in ended] == [1, 1, 1, 1]
    queue.assert_safe()


def _stored(queue, uid):
    from msc_plans.storage import opened

    with opened(queue.folder) as catalog:
        wait_until(lambda: uid in catalog, what=f"run {uid} in the store")
        return dict(catalog[uid].metadata["start"])


# -- interruptions


@pytest.mark.long
@pytest.mark.timeout(300)
def test_a_plan_is_paused_and_resumed_and_measures_all_it_should(queue):
    queue.start("measure_condition", **DEVICES, **CONDITION, num=8, trial_id="paused")
    queue.pause()
    queue.assert_solvent()
    assert queue.records.get("Oven:Nucleation:LOOP1:SP") == CONDITION["nucleation_temperature"], "ovens hold"
    ended = queue.end("resume")
    assert ended["result"]["exit_status"] == "completed"
    assert _events(queue, ended["result"]["run_uids"][0]) == 8


@pytest.mark.parametrize(("how", "exit_status"), [("stop", "stopped"), ("abort", "aborted")])
def test_a_plan_that_is_ended_leaves_the_reactor_safe(queue, how, exit_status):
    queue.start("measure_condition", **LONG_RUN, trial_id=how)
    queue.pause()
    ended = queue.end(how)
    assert ended["result"]["exit_status"] == exit_status
    assert ended["kwargs"]["trial_id"] == how
    queue.assert_safe()
    assert not queue.status()["queue_autostart_enabled"]
    back = [one["kwargs"]["trial_id"] for one in queue.ask("queue_get")["items"]]
    assert back == ([] if how == "stop" else ["abort"]), "what was aborted is again first in the queue"


def test_a_refill_by_hand_waits_for_a_person(queue):
    queue.start("refill", **REACTOR, liquids=["Cd"])
    queue.wait(lambda now: now["manager_state"] == "paused", "the prompt")
    assert queue.end("resume")["result"]["exit_status"] == "completed"


@pytest.mark.long
@pytest.mark.timeout(300)
def test_a_destroyed_environment_leaves_the_reactor_to_its_ioc_and_can_be_opened_again(queue):
    queue.start("measure_condition", **LONG_RUN, trial_id="destroyed")
    queue.wait(lambda now: queue.ask("re_runs", option="open")["run_list"], "the start of the run")
    queue.ask("environment_destroy")
    queue.wait(lambda now: not now["worker_environment_exists"], "the end of the worker")
    # no heartbeat any more: the IOC's interlock
    wait_until(lambda: queue.records.text("Reactor:Interlock") == "Tripped", seconds=120, what="the interlock")
    queue.assert_solvent()
    queue.clear()
    queue.records.put("Reactor:HeartbeatTimeout", 0.0)
    queue.records.put("Reactor:InterlockReset", 1)
    queue.open()
    # the mixture has flowed on until the heartbeat lapsed: how much is left depends on the machine
    (ended,) = queue.run(("measure_condition", DEVICES | CONDITION | {"refills": "draw"}))
    assert re.fullmatch(r"[0-9a-f-]{36}", ended["result"]["run_uids"][0])


@pytest.mark.long
@pytest.mark.timeout(300)
@pytest.mark.parametrize("victim", ["Redis", "worker"])
def test_what_dies_under_the_queue_loses_neither_queue_nor_plan(queue, victim):
    queue.start("measure_condition", **LONG_RUN, trial_id=f"{victim} dies")
    queue.wait(lambda now: queue.ask("re_runs", option="open")["run_list"], "the start of the run")
    waiting = queue.add("flush", **REACTOR, volumes=0.5)
    psutil.Process(_process(queue, victim)).kill()
    if victim == "Redis":
        wait_until(lambda: "Redis has ended (code -9); it was started again" in queue.said, seconds=60, what="another")
        wait_until(lambda: "manager_state" in queue.status(), seconds=60, what="another RE Manager")
        queue.pause()
        queue.end("abort")
        queue.assert_safe()
    else:
        queue.wait(lambda now: not now.get("worker_environment_exists", True), "the end of the environment")
        assert "The worker has died. Open the environment again" in queue.said
        assert queue.history()[-1]["result"]["exit_status"] == "failed"
        queue.ask("environment_open")
        wait_until(lambda: _pids(queue, "worker"), seconds=60, what="the next worker")
        assert queue.status()["manager_state"] == "creating_environment", "it dies while it opens"
        psutil.Process(_process(queue, "worker")).kill()
        queue.wait(lambda now: now.get("manager_state") == "idle", "the end of the opening")
        assert queue.said.count("The worker has died") == 2
        queue.open()
        queue.assert_safe()
        # a RE Manager that was told to destroy the one before takes this one for it, and forgets it after 10 s
        late = time.monotonic() + 12.0
        queue.wait(lambda now: time.monotonic() > late or not now["worker_environment_exists"], "12 s")
        assert queue.status()["worker_environment_exists"]
    again, rest = queue.ask("queue_get")["items"]
    assert again["kwargs"]["trial_id"] == f"{victim} dies", "first in the queue again"
    assert rest["item_uid"] == waiting


def _process(queue, name):
    (pid,) = _pids(queue, name)
    return pid


def _pids(queue, name):
    """Pids of Redis or of the worker, which is the one that stores runs."""
    called = {"Redis": "redis-server", "worker": "msc_plans.storage.ingest_process"}[name]
    found = []
    for one in psutil.Process(queue.pid).children(recursive=True):
        # one that has ended meanwhile has no command line
        with suppress(psutil.Error):
            found += [one] if called in " ".join(one.cmdline()) else []
    return [one.pid if name == "Redis" else one.ppid() for one in found]


@pytest.mark.long
@pytest.mark.timeout(400)
def test_a_queue_that_is_ended_aborts_its_plan_and_is_there_again_when_it_is_served_anew(tmp_path):
    with served(tmp_path / "store", ended_by=signal.SIGTERM) as queue:
        queue.run(("bring_up", DEVICES | SHORT))
        queue.start("measure_condition", **LONG_RUN, trial_id="ended")
        queue.wait(lambda now: queue.ask("re_runs", option="open")["run_list"], "the start of the run")
    with served(tmp_path / "store", opened=False) as queue:
        assert [one["result"]["exit_status"] for one in queue.history()] == ["completed", "aborted"]
        (again,) = queue.ask("queue_get")["items"]
        assert again["kwargs"]["trial_id"] == "ended"
        with pytest.raises(ManagerError, match="out of range"):
            queue.add("flush", **REACTOR, volumes=0)
        assert msc(queue, "agent", "--resume", "nosuch").returncode == 2


def _events(queue, uid):
    from msc_plans.storage import opened

    with opened(queue.folder) as catalog:
        wait_until(
            lambda: uid in catalog and catalog[uid].metadata.get("stop"), seconds=60, what=f"run {uid} in the store"
        )
        return catalog[uid].metadata["stop"]["num_events"]["primary"]


# -- the agent


def _trials(queue):
    """Return the trials that the queue has measured, in this order."""
    measured = [one for one in queue.history() if one["name"] == "measure_condition"]
    assert {one["result"]["exit_status"] for one in measured} <= {"completed"}
    return [one["kwargs"]["trial_id"] for one in measured]


def _done(queue, uid):
    from msc_plans.storage import CatalogHistory, opened

    with opened(queue.folder) as catalog:
        history = CatalogHistory(catalog)
        return history.done_trials(uid), [one["trial_id"] for one in history.suggestions(uid)]


@pytest.mark.long
@pytest.mark.timeout(500)
def test_an_agent_that_is_killed_again_and_again_measures_each_condition_once(queue):
    agent = Agent(queue, "--max-conditions", "3")
    uid = agent.wait_for(r"Campaign ([0-9a-f-]{36}):")
    agent.wait_for("-001: ")  # suggested, maybe not queued
    agent.kill()
    go_on = ("--max-conditions", "3", "--resume", uid)
    agent = Agent(queue, *go_on)
    queue.wait(lambda now: _running(queue, "-002"), "the second condition", 150)
    agent.kill()
    agent = Agent(queue, *go_on)
    agent.wait_for("Campaign ")
    # it keeps its campaign, and can't end it before the other one has tried
    agent.process.send_signal(signal.SIGSTOP)
    second = msc(queue, "agent", *go_on)
    agent.process.send_signal(signal.SIGCONT)
    assert (second.returncode, "another agent keeps campaign" in second.stderr) == (2, True)
    agent.wait()
    trials = [f"{uid[:8]}-{number:03d}" for number in (1, 2, 3)]
    assert _trials(queue) == trials
    assert _done(queue, uid) == (set(trials), trials)
    conditions = [one["kwargs"]["nucleation_temperature"] for one in queue.history() if "trial_id" in one["kwargs"]]
    assert len(set(conditions)) == 3
    names = [one["name"] for one in queue.history()]
    assert (names[0], names.count("bring_up"), names[-1]) == ("bring_up", 1, "make_safe")
    queue.assert_safe()


def _running(queue, end):
    item = queue.ask("queue_get")["running_item"]
    return item and item["kwargs"].get("trial_id", "").endswith(end)


@pytest.mark.long
@pytest.mark.timeout(300)
def test_an_agent_holds_its_suggestions_until_they_are_released(queue):
    agent = Agent(queue, "--max-conditions", "1", "--hold")
    first = agent.wait_for(r"held: msc agent --release (\S+)")
    uid = agent.wait_for(r"Campaign ([0-9a-f-]{36}):")
    refused = msc(queue, "agent", "--release", "nosuch")
    assert (refused.returncode, f"held are: {first}" in refused.stderr) == (2, True)
    assert msc(queue, "agent", "--reject", first).returncode == 0
    second = agent.wait_for(r"held: msc agent --release (\S+-003)")
    assert queue.history() == queue.ask("queue_get")["items"] == [], "nothing is queued that was not released"
    agent.kill()
    assert msc(queue, "agent", "--release", second).returncode == 0
    agent = Agent(queue, "--max-conditions", "1", "--hold", "--resume", uid)
    agent.wait()
    assert _trials(queue) == [second]
    assert list((queue.folder / "agent").glob("*.json")) == []


@pytest.mark.long
@pytest.mark.timeout(300)
def test_an_agent_waits_for_who_has_aborted_its_plan_and_goes_on_after_a_failure(queue):
    agent = Agent(queue, "--max-conditions", "3")
    uid = agent.wait_for(r"Campaign ([0-9a-f-]{36}):")
    queue.wait(lambda now: _running(queue, "-001"), "the first condition", 150)
    # so that it can't be done before it is aborted
    queue.records.put("Sim:Fault:HungCollection", "On")
    queue.pause()
    assert queue.end("abort")["result"]["exit_status"] == "aborted"
    agent.wait_for("the queue was stopped")
    queue.assert_safe()
    queue.ask("queue_start")
    agent.wait_for("failed: ")
    queue.records.put("Sim:Fault:HungCollection", "Off")
    agent.wait()
    done, suggested = _done(queue, uid)
    assert suggested == [f"{uid[:8]}-{number:03d}" for number in (1, 2, 3)]
    assert suggested[0] not in done, agent.said
    assert suggested[2] in done, agent.said
    assert queue.ask("queue_get")["items"] == []
    assert "ALARM" not in agent.said, "the shutter, closed after the failure, was opened for what came next"
    queue.assert_safe()
