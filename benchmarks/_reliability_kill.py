"""SIGKILL of each process under a campaign, at random moments: the session, the IOC, Tiled, the storing process."""

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from _reliability_session import child_of, simulator, tally, until

from msc_plans.session.simulator import Simulator
from msc_plans.storage.journal import stored_journals

__all__ = ["VICTIMS", "kill_under_a_campaign"]

VICTIMS = ("session", "ioc", "tiled", "storing")
_HANGS_S = 300.0
_WORDS = {"tiled": "msc_plans.storage.server_process", "storing": "msc_plans.storage.ingest_process"}


class Campaign:
    """``_reliability_session.py`` as a child: a session that runs a campaign and can be started again."""

    def __init__(self, store: Path) -> None:
        self.store = store
        self.uid = str(uuid.uuid4())
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Of the session."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Start it, or start it again, and wait until it works."""
        ready = self.store / "ready"
        ready.unlink(missing_ok=True)
        script = Path(__file__).with_name("_reliability_session.py")
        with (self.store / "session.log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, script, self.store, self.uid], stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        until(lambda: ready.exists() or self.ended, "the start of the session", 180.0)
        self.check()

    @property
    def ended(self) -> bool:
        """Whether the process is over."""
        return self._process is None or self._process.poll() is not None

    def check(self) -> None:
        """Raise if it ended by itself."""
        if self.ended:
            raise RuntimeError(f"the session ended by itself: {(self.store / 'session.log').read_text()[-2000:]}")

    def wait_for_work(self) -> None:
        """Wait until a condition is begun from now on; a session that resumes stores what is left of before first."""
        path = self.store / "returned.jsonl"

        def begun() -> int:
            return path.read_bytes().count(b'"campaign"') if path.exists() else 0

        before = begun()
        self._wait(lambda: begun() > before or self.ended, "the next condition")
        self.check()

    def _wait(self, true: Callable[[], bool], what: str) -> None:
        """Wait for something, at least as long as another run is stored now and then."""

        def stored() -> int:
            return len(list(stored_journals(self.store / "journal")))

        while not true():
            before = stored()
            try:
                until(lambda before=before: true() or stored() > before, f"{what}, or the storing of a run", _HANGS_S)
            except TimeoutError as error:
                log = (self.store / "session.log").read_text()[-4000:]
                raise RuntimeError(f"{error}; the session: {log}") from error

    def kill(self) -> None:
        """End it without a word."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def finish(self) -> dict[str, Any]:
        """Let it end by itself after the condition under way; returns what it tells."""
        assert self._process is not None
        (self.store / "over").touch()
        self._wait(lambda: self.ended, "the end of the session")
        if self._process.returncode:
            self.check()
        return json.loads((self.store / "told.json").read_text())


@contextmanager
def _campaign(seed: int) -> Iterator[tuple[Campaign, Simulator]]:
    with tempfile.TemporaryDirectory() as folder, simulator(Path(folder), seed) as ioc:
        campaign = Campaign(Path(folder))
        campaign.start()
        try:
            yield campaign, ioc
        finally:
            if not campaign.ended:
                campaign.kill()


def kill_under_a_campaign(victim: str, times: int, seed: int = 0, seconds: float = 1e9) -> dict[str, float]:
    """Kill one kind of process again and again while a campaign runs, then let the campaign end.

    Every other kill comes while conditions are measured, some a second; those between at any moment, mostly of the
    recovery.

    Parameters
    ----------
    victim : str
        One of `VICTIMS`.
    times : int
        How often.
    seconds : float
        After which no more is killed.

    Returns
    -------
    dict
        ``kills``, ``lost`` (documents whose call had returned and that are not journalled, and runs that differ
        between journal and catalogue), ``twice`` (conditions measured twice) and ``unsafe``.
    """
    draw = random.Random(f"{victim} {seed}")
    began = time.monotonic()
    kills = 0
    with _campaign(seed) as (campaign, ioc):
        while kills < times and time.monotonic() - began < seconds:
            if kills % 2 == 0:
                campaign.wait_for_work()
            time.sleep(draw.uniform(0.0, 2.0 if kills % 2 == 0 else 6.0))
            campaign.check()
            kills += _strike(victim, campaign, ioc)
        told = campaign.finish()
        found = tally(campaign.store)
        returned = len((campaign.store / "returned.jsonl").read_bytes().splitlines())
    counts = found["conditions"].values()
    lost = max(0, returned - found["documents"]) + len(found["problems"]) + (not told["flushed"])
    print(
        f"{victim}: {kills} kills, {sum(counts)} conditions, {returned} documents returned, {found['documents']} "
        f"stored, {len(found['problems'])} runs differ, {told['times']} ends, {time.monotonic() - began:.0f} s",
        flush=True,
    )
    for problem in (*found["problems"][:5], *told["unsafe"]):
        print(f"  {problem}")
    twice = sum(count - 1 for count in counts)
    return {
        f"{victim}_kills": kills,
        "killed_lost": lost,
        "killed_twice": twice,
        "killed_unsafe": len(told["unsafe"]),
    }


def _strike(victim: str, campaign: Campaign, ioc: Simulator) -> int:
    """Kill once and start again what does not start by itself; returns whether there was anything to kill."""
    if victim == "session":
        campaign.kill()
        campaign.start()
    elif victim == "ioc":
        os.kill(ioc.pid, signal.SIGKILL)
        ioc.stop()
        ioc.launch().wait_ready()
    else:
        process = child_of(campaign.pid, _WORDS[victim])
        if process is None:
            return 0
        process.kill()
        until(lambda: (now := child_of(campaign.pid, _WORDS[victim])) is not None and now.pid != process.pid, "another")
    return 1
