"""``msc queue`` as a child, a client of its RE Manager, and one of its records."""

import os
import re
import signal
import subprocess
import sys
from contextlib import contextmanager, suppress
from pathlib import Path
from types import SimpleNamespace

import psutil

from msc_plans.queue.client import Manager
from tests.conftest import wait_until
from tests.integration.channel_access import client

MSC = Path(sys.executable).parent / "msc"
DEVICES = {"reactor": "reactor", "spectrometer": "spectrometer"}
CONDITION = {"nucleation_temperature": 130.0, "growth_temperature": 120.0, "residence_time": 14.0}


class Queue:
    """What a test does with a RE Manager."""

    def __init__(self, manager, records, environment, folder, pid):
        self.ask, self.status = manager.ask, manager.status
        self.records, self.environment, self.folder, self.pid = records, environment, folder, pid

    @property
    def said(self):
        """What ``msc queue`` has said."""
        return (self.folder / "out.txt").read_text()

    def wait(self, true, what, seconds=120.0):
        wait_until(lambda: true(self.status()), seconds=seconds, what=f"{what} (logs in {self.folder})")

    def open(self):
        self.ask("environment_open")
        self.wait(lambda now: now["manager_state"] == "idle", "the opening of the environment")
        assert self.status()["worker_environment_exists"], (self.folder / "queue.log").read_text()[-3000:]

    def close(self):
        self.ask("environment_close")
        self.wait(lambda now: not now["worker_environment_exists"], "the closing of the environment")

    def add(self, name, group="primary", **kwargs):
        item = {"item_type": "plan", "name": name, "kwargs": kwargs}
        return self.ask("queue_item_add", item=item, user="test", user_group=group)["item"]["item_uid"]

    def start(self, name, **kwargs):
        uid = self.add(name, **kwargs)
        self.ask("queue_start")
        return uid

    def run(self, *items):
        """Run items, each (name, arguments), to their end; returns what the history says of each."""
        uids = [self.add(name, **kwargs) for name, kwargs in items]
        self.ask("queue_start")
        self.wait(lambda now: now["manager_state"] == "idle", "the end of the queue")
        ended = {one["item_uid"]: one for one in self.history()}
        assert all(ended[uid]["result"]["exit_status"] == "completed" for uid in uids if uid in ended), ended
        return [ended[uid] for uid in uids]

    def history(self):
        return self.ask("history_get")["items"]

    def pause(self):
        """Pause the plan once it has opened its run."""
        self.wait(lambda now: self.ask("re_runs", option="open")["run_list"], "the start of the run")
        self.ask("re_pause", option="immediate")
        self.wait(lambda now: now["manager_state"] == "paused", "the pause")

    def end(self, how):
        """End a paused plan; returns what the history says of it."""
        self.ask(f"re_{how}")
        self.wait(lambda now: now["manager_state"] == "idle", "the end of the plan")
        return self.history()[-1]

    def clear(self):
        self.ask("queue_clear")

    def assert_solvent(self):
        records = self.records
        wait_until(lambda: records.text("Reactor:Valve") == "Solvent", what="the valve at solvent")
        for pump in ("Cd", "Se"):
            wait_until(
                lambda pump=pump: records.text(f"Pump:{pump}:STATUS") == "Idle", what=f"the end of the flow of {pump}"
            )

    def assert_safe(self):
        self.assert_solvent()
        standby = self.records.get("Reactor:StandbyTemperature")
        for oven in ("Nucleation", "Growth"):
            assert self.records.get(f"Oven:{oven}:LOOP1:SP") == standby
        assert self.records.text("Reactor:Interlock") == "Ok"


@contextmanager
def served(folder, *arguments, opened=True, ended_by=signal.SIGINT):
    """Start ``msc queue`` on a simulated reactor and open its environment; afterwards nothing of it is left."""
    folder.mkdir(exist_ok=True)
    out = folder / "out.txt"
    with out.open("w") as log:
        process = subprocess.Popen(
            [MSC, "queue", "--simulate", "fast", "--time-scale", "200", "--store", folder, *arguments],
            stdout=log, stderr=log, cwd=folder, stdin=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
    try:
        wait_until(lambda: "Ctrl-C ends it" in out.read_text(), seconds=90, what="the start of msc queue")
        environment = dict(re.findall(r"export (\w+)='(.*)'", out.read_text()))
        address = environment["QSERVER_ZMQ_CONTROL_ADDRESS"]
        port = int(environment["EPICS_CA_SERVER_PORT"])
        manager = Manager(address, timeout_s=20)
        with client(SimpleNamespace(port=port, prefix="MSC:")) as records:
            # as small as this reactor: at this time scale the usual flow empties a syringe within half a minute
            records.put("Reactor:StandbyFlow", 2.0)
            queue = Queue(manager, records, environment, folder, process.pid)
            if opened:
                queue.open()
            yield queue
        manager.close()
    finally:
        children = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(ended_by)
        try:
            code = process.wait(90)
        except subprocess.TimeoutExpired:
            for one in (psutil.Process(process.pid), *children):
                with suppress(psutil.NoSuchProcess):
                    one.kill()
            raise
        _, alive = psutil.wait_procs(children, timeout=10)
        # the children of who was killed are taken over by init, which buries them when it likes
        alive = [one for one in alive if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]
        assert not alive, alive
    assert code == 0, out.read_text()


class Agent:
    """``msc agent`` as a child beside a queue."""

    def __init__(self, queue, *arguments):
        self.out = queue.folder / f"agent-{len(list(queue.folder.glob('agent-*.txt')))}.txt"
        with self.out.open("w") as log:
            self.process = subprocess.Popen(
                [MSC, "agent", "--particles", "50", *arguments], env=os.environ | queue.environment, cwd=queue.folder,
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip

    @property
    def said(self):
        return self.out.read_text()

    def wait_for(self, words, seconds=90.0):
        """Wait until it says something that matches; returns the first group of the last match."""
        wait_until(
            lambda: re.search(words, self.said) or self.process.poll() is not None, seconds=seconds, what=f"{words!r}"
        )
        assert re.search(words, self.said), self.said
        return re.findall(words, self.said)[-1]

    def kill(self):
        self.process.kill()
        self.process.wait()

    def wait(self, seconds=150.0):
        code = self.process.wait(seconds)
        assert code == 0, self.said


def msc(queue, *arguments):
    """Run another ``msc`` command beside a queue to its end."""
    return subprocess.run(
        [MSC, *arguments], env=os.environ | queue.environment, cwd=queue.folder, capture_output=True, text=True,
        timeout=90, check=False,
    )  # fmt: skip
