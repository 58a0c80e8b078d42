"""A fault every few conditions while a campaign runs, and a person who mends it and goes on."""

import json
import os
import random
import signal
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable
from contextlib import closing, redirect_stdout, suppress
from pathlib import Path
from typing import Any

from _reliability_session import Counted, Person, child_of, open_session, simulator, tally, until

from ioc_sim.physics.faults import KINDS
from msc_plans.session.simulator import Simulator

__all__ = ["FAULTS", "chaos"]

SPECTRA, FRAMES = 60, 20
QUICK_SPECTRA, QUICK_FRAMES = 4, 0
_HUNG_S = 400.0

VALUES: dict[str, Any] = {
    "PumpStall": ("Cd", "Se", "Solvent"),
    "EmptySyringe": ("Cd", "Se", "Solvent"),
    "Clogging": (50.0, 1e4),
    "SensorBreak": ("Nucleation", "Growth"),
    "HeaterRunaway": ("Nucleation", "Growth"),
    "SlowIoc": (0.3, 1.0),
    "FrozenIoc": (1.0, 4.0),
}
"""What a fault's record is set to; the others to On."""

PROCESSES = ("IOC killed", "IOC stopped", "Tiled killed", "Tiled stopped", "writer killed")
FAULTS = (*PROCESSES, *KINDS)
ONLY_FRAMES = ("NoFile", "FullDisk", "BeamLost")
OF_FRAMES = (*ONLY_FRAMES, "IOC killed", "IOC stopped", "Tiled killed", "DeadIoc")


class Trouble:
    """A thread that makes a fault every few conditions, mends it after some seconds and resets the interlock.

    Parameters
    ----------
    deck : sequence of str
        Kinds of fault, in the order in which they come; again from the beginning when all have been.
    """

    def __init__(self, session: Any, person: Person, ioc: Simulator, count: Counted, deck: list[str], seed: str):
        from ophyd import EpicsSignal

        self._session, self._person, self._ioc, self._count, self._deck = session, person, ioc, count, deck
        self._draw = random.Random(seed)
        self._over = threading.Event()
        self._calm = threading.Event()
        self._calm.set()
        self.made: list[str] = []
        self.error: BaseException | None = None
        prefix = f"{ioc.prefix}Sim:Fault:"
        self._records = {
            name: EpicsSignal(f"{prefix}{name}", name=name, string=bool(kind.choices)) for name, kind in KINDS.items()
        }
        for record in self._records.values():
            record.wait_for_connection(timeout=20)
        self._thread = threading.Thread(target=self._work, name="trouble", daemon=True)
        self._thread.start()

    def wait_until_mended(self) -> None:
        """Return when nothing is broken."""
        while not self._calm.wait(0.1):
            pass

    def close(self) -> None:
        """Make no more of it."""
        self._over.set()
        self._thread.join()
        for record in self._records.values():
            record.destroy()
        if self.error is not None:
            raise self.error

    def _work(self) -> None:
        next_at = self._count.begun + self._draw.randint(2, 3)
        while not self._over.wait(0.05):
            if time.monotonic() - self._count.last > _HUNG_S:
                # nothing can be trusted to end what hangs
                print(f"no document for {_HUNG_S:g} s after {self.made[-1:]}: the session hangs", flush=True)
                os.kill(os.getpid(), signal.SIGABRT)
            if self._count.begun < next_at:
                continue
            time.sleep(self._draw.uniform(0.0, 0.4))
            kind = self._deck[len(self.made) % len(self._deck)]
            self._calm.clear()
            try:
                self._make(kind)
            except BaseException as error:  # noqa: BLE001  raised by `close`
                self.error = error
                return
            finally:
                self._calm.set()
            next_at = self._count.begun + self._draw.randint(2, 5)

    def _make(self, kind: str) -> None:
        self.made.append(kind)
        seconds = self._draw.uniform(0.5, 4.0)
        print(f"{time.strftime('%H:%M:%S')} trouble {len(self.made)}: {kind} for {seconds:.1f} s", flush=True)
        if kind in KINDS:
            self._by_record(kind, seconds)
        elif kind == "IOC killed":
            os.kill(self._ioc.pid, signal.SIGKILL)
            time.sleep(seconds)
            self._restart()
        elif kind == "IOC stopped":
            self._stopped(self._ioc.pid, 2 * seconds)
        elif kind == "writer killed":
            self._kill("msc_plans.storage.ingest_process")
        elif kind == "Tiled killed":
            self._kill("msc_plans.storage.server_process")
        else:
            server = child_of(os.getpid(), "msc_plans.storage.server_process")
            if server is not None:
                self._stopped(server.pid, 3 * seconds)
        self._look_at_the_interlock()

    def _kill(self, words: str) -> None:
        process = child_of(os.getpid(), words)
        if process is not None:
            process.kill()

    def _stopped(self, pid: int, seconds: float) -> None:
        os.kill(pid, signal.SIGSTOP)
        try:
            time.sleep(seconds)
        finally:
            os.kill(pid, signal.SIGCONT)

    def _by_record(self, name: str, seconds: float) -> None:
        record, kind = self._records[name], KINDS[name]
        value = self._draw.choice(VALUES.get(name, ("On",)))
        with suppress(Exception):
            record.put(value, wait=False)
        time.sleep(seconds)
        if name == "DeadIoc":
            self._restart()
            return

        def healthy() -> bool:
            with suppress(Exception):
                record.put(kind.healthy, wait=False)
                time.sleep(0.1)
                return record.get(use_monitor=False, timeout=5.0) == kind.healthy
            return False

        until(healthy, f"the end of the fault {name}")

    def _restart(self) -> None:
        self._ioc.stop()
        self._ioc.launch().wait_ready()
        until(self._answers, "the IOC's answer")

    def _answers(self) -> bool:
        with suppress(Exception):
            self._session.reactor.interlock.state.get(use_monitor=False, timeout=2.0)
            return True
        return False

    def _look_at_the_interlock(self) -> None:
        """As a person would: see that what tripped it has left the reactor safe, then reset it."""
        time.sleep(0.5)
        if self._person.tripped:
            self._person.see_that_it_is_safe()
            self._person.reset()


def _campaigns(folder: Path, seed: int, spectra: int, frames: int, every: bool) -> dict[str, Any]:
    draw = random.Random(seed)
    with simulator(folder, seed) as ioc:
        count = Counted()
        session = open_session(folder, saxs=frames > 0, listeners=[count])
        session.RE.subscribe(_without_repeats(count))
        person = Person(session)
        with closing(session):
            restarts, made = 0, []
            for saxs, wanted, faults in ((False, spectra, FAULTS), (True, frames, OF_FRAMES)):
                if not wanted:
                    continue
                if every:  # each once, those of frames among frames
                    faults = [one for one in FAULTS if (one in ONLY_FRAMES) == saxs]
                deck = draw.sample(faults, len(faults))
                if not frames:  # a quick run has time for one that nobody need mend
                    deck = ["writer killed"]
                with closing(Trouble(session, person, ioc, count, deck, f"{seed} {saxs}")) as trouble:

                    def over(done: int, wanted: int = wanted, made: Trouble = trouble, all_of: int = len(deck)) -> bool:
                        return done >= wanted and (not every or len(made.made) >= all_of)

                    uid = str(uuid.UUID(int=draw.getrandbits(128)))
                    restarts += person.run(uid, over, saxs=saxs, mended=trouble.wait_until_mended)
                    made += trouble.made
            flushed = session.flush(900.0)
    found = tally(folder)
    measured = sum(found["conditions"].values())
    return {
        "conditions": measured,
        "faults": made,
        "restarts": restarts,
        "lost": abs(count.all - found["documents"]) + len(found["problems"]) + (not flushed),
        "problems": found["problems"],
        "emitted": count.all,
        "stored": found["documents"],
        "frames_taken": count.frames,
        "frames_lost": count.frames - found["frames"],
        "unfinished": max(0, spectra + frames - measured),
        "unsafe": person.unsafe,
        "safe_after_s": person.slowest_s,
    }


def _without_repeats(callback: Callable[..., None]) -> Any:
    from msc_plans.callbacks.repeats import WithoutRepeats

    return WithoutRepeats(callback)


def chaos(seed: int, quick: bool, log: Path, *, every: bool = False) -> dict[str, Any]:
    """Two campaigns, of spectra and of frames, under faults.

    Parameters
    ----------
    log : Path
        Where the session's own output goes.
    every : bool
        Go on, and no longer, until each kind of fault has been made.

    Returns
    -------
    dict
        What was counted; ``lost``, ``frames_lost``, ``unfinished`` and ``unsafe`` should be nothing.
    """
    began = time.monotonic()
    spectra, frames = (1, 1) if every else (QUICK_SPECTRA, QUICK_FRAMES) if quick else (SPECTRA, FRAMES)
    with tempfile.TemporaryDirectory() as folder, log.open("a") as file, redirect_stdout(file):
        found = _campaigns(Path(folder), seed, spectra, frames, every)
    found["seconds"] = time.monotonic() - began
    return found


if __name__ == "__main__":
    # a process of its own: one session a process
    told = chaos(int(sys.argv[1]), sys.argv[2] == "quick", Path(sys.argv[3]), every=sys.argv[2] == "every")
    print(json.dumps(told))
