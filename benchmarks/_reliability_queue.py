"""SIGKILL of what the queue consists of, at random moments of an agent's campaign: Redis, RE Manager, worker, agent."""

import os
import random
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
from _reliability_session import child_of, tally, until

from msc_plans.queue.client import Manager, ManagerError

__all__ = ["QUEUE_VICTIMS", "kill_under_the_queue"]

QUEUE_VICTIMS = ("redis", "manager", "worker", "agent")
MSC = Path(sys.executable).parent / "msc"
_GOES_ON_S = 300.0
_READS_S = 3.0
"""Before a person acts. A start of the queue that meets a dead worker, and an opening within two seconds of it, make
RE Manager 0.0.25 forget that it is opening: a second opening gives it two workers on one pipe."""


class Served:
    """``msc queue`` and ``msc agent`` as children, and the person who opens the environment and resumes the agent."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        out = folder / "queue.txt"
        command = [MSC, "queue", "--simulate", "fast", "--time-scale", "200", "--store", folder, "--open"]
        with out.open("w") as log:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=folder, start_new_session=True
            )
        until(lambda: "environment is open" in out.read_text() or self.process.poll() is not None, "msc queue", 180.0)
        told = dict(re.findall(r"export (\w+)='(.*)'", out.read_text()))
        self.environment = os.environ | told
        os.environ |= {name: value for name, value in told.items() if name.startswith("EPICS_CA_")}
        self.manager = Manager(told["QSERVER_ZMQ_CONTROL_ADDRESS"], timeout_s=5.0)
        self.agent: subprocess.Popen[bytes] | None = None
        self._seen = 0
        self._acted = 0.0
        self._put("StandbyFlow", 2.0)

    def start_agent(self) -> None:
        """Start the agent, or go on with its campaign if it is not over."""
        path = self.folder / "agent.txt"
        said = path.read_text() if path.exists() else ""
        last = re.findall(r"Campaign ([0-9a-f-]{36}):", said)
        over = "the reactor is safe" in said.rpartition("Campaign ")[2]
        resume = ["--resume", last[-1]] if last and not over else []
        with path.open("a") as log:
            command = [MSC, "agent", "--particles", "50", "--refills", "draw", "--max-conditions", "12", *resume]
            self.agent = subprocess.Popen(
                command, env=self.environment, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    def victim(self, name: str) -> psutil.Process | None:
        """The process of a name."""
        if name == "agent":
            return psutil.Process(self.agent.pid) if self.agent and self.agent.poll() is None else None
        if name == "redis":
            return child_of(self.process.pid, "redis-server")
        main = child_of(self.process.pid, "start_manager()")
        if main is None:
            return None
        children = [one for one in main.children() if "start_manager()" in " ".join(one.cmdline())]
        workers = [one for one in children if child_of(one.pid, "msc_plans.storage.ingest_process") is not None]
        found = workers if name == "worker" else [one for one in children if one not in workers]
        return found[0] if found else None

    def completed(self) -> int:
        """Conditions that the history says are measured; -1 where nobody answers."""
        try:
            items = self.manager.ask("history_get")["items"]
        except ManagerError:
            return -1
        return sum(one["name"] == "measure_condition" and one["result"]["exit_status"] == "completed" for one in items)

    def wait_for_another(self, what: str) -> None:
        """Wait until a condition more than ever before is measured."""

        def done() -> bool:
            self.look_after()
            time.sleep(0.5)
            return self.completed() > self._seen

        until(done, what, _GOES_ON_S)
        self._seen = self.completed()

    def look_after(self) -> None:
        """Do what a person would: start the agent again, open the environment, let the queue go on."""
        if self.agent is None or self.agent.poll() is not None:
            self.start_agent()
        status = self.manager.status()
        with suppress(ManagerError):
            if status.get("manager_state") != "idle" or time.monotonic() - self._acted < _READS_S:
                return
            self._acted = time.monotonic()
            if not status["worker_environment_exists"]:
                self._put("InterlockReset", 1)
                self.manager.ask("environment_open")
                until(lambda: self.manager.status().get("manager_state") == "idle", "the environment", 180.0)
            elif status["items_in_queue"]:
                self._put("InterlockReset", 1)
                self.manager.ask("queue_start")

    def _put(self, record: str, value: float) -> None:
        from caproto.sync.client import write

        with suppress(Exception):  # a reset is refused where its cause is still there
            write(f"MSC:Reactor:{record}", value, notify=False, timeout=3, repeater=False)

    def close(self) -> None:
        """End all; the queue makes the reactor safe."""
        if self.agent is not None and self.agent.poll() is None:
            self.agent.kill()
            self.agent.wait()
        self.process.terminate()
        self.process.wait(300.0)
        self.manager.close()


@contextmanager
def _served() -> Iterator[Served]:
    with tempfile.TemporaryDirectory() as folder:
        served = Served(Path(folder))
        try:
            yield served
        finally:
            served.close()


def kill_under_the_queue(victim: str, times: int, seed: int = 0, seconds: float = 1e9) -> dict[str, Any]:
    """Kill one kind of process again and again; after each, a condition more must be measured.

    Returns
    -------
    dict
        As of ``kill_under_a_campaign``; ``twice`` counts trials, and conditions within a campaign.
    """
    draw = random.Random(f"{victim} {seed}")
    began, kills = time.monotonic(), 0
    with _served() as served:
        served.start_agent()
        while kills < times and time.monotonic() - began < seconds:
            served.wait_for_another(f"a condition after {kills} kills of {victim}")
            time.sleep(draw.uniform(0.0, 4.0))
            process = served.victim(victim)
            if process is not None:
                process.kill()
                kills += 1
        served.wait_for_another(f"a condition after {kills} kills of {victim}")
        assert served.agent is not None
        served.agent.kill()
        served.agent.wait()
        served.manager.ask("queue_clear")
        until(lambda: served.manager.status().get("manager_state") == "idle", "the end of the plan", 120.0)
        # what is still analysed is published before the worker ends, and stored after that
        with suppress(ManagerError):  # it was killed, and there is none
            served.manager.ask("environment_close")
        until(lambda: not served.manager.status().get("worker_environment_exists", True), "the worker's end", 120.0)
        journal = served.folder / "journal"
        until(lambda: not list(journal.glob("*.jsonl")), "the storing of what was left", 300.0)
        found = tally(served.folder)
        trials = Counter(found["trials"])
    twice = sum(count - 1 for count in trials.values())
    print(
        f"{victim}: {kills} kills, {sum(trials.values())} conditions, {found['documents']} documents stored, "
        f"{len(found['problems'])} runs differ, {time.monotonic() - began:.0f} s",
        flush=True,
    )
    for problem in found["problems"][:5]:
        print(f"  {problem}")
    return {f"{victim}_kills": kills, "killed_lost": len(found["problems"]), "killed_twice": twice}
