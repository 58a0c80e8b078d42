"""Thousands of conditions in one session: does it grow, does it slow down."""

import gc
import json
import sys
import tempfile
import time
import uuid
from contextlib import closing, redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from _reliability_session import Counted, Person, open_session, simulator

__all__ = ["soak"]

CONDITIONS = 5000
_SHARE = 0.1


class Watch:
    """A subscriber that notes time and memory at the end of each condition.

    Attributes
    ----------
    seconds : list of float
        Wall time when a condition's run ended, s.
    megabytes : list of float
        Resident memory of this process then, MB.
    """

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self.megabytes: list[float] = []
        self._open = ""
        self._process = psutil.Process()

    def __call__(self, name: str, doc: dict[str, Any]) -> None:
        if name == "start" and doc.get("purpose") == "campaign":
            self._open = doc["uid"]
        elif name == "stop" and doc["run_start"] == self._open:
            self.seconds.append(time.monotonic())
            self.megabytes.append(self._process.memory_info().rss / 1e6)


def soak(conditions: int, log: Path, limit_s: float = 1e9) -> dict[str, float]:
    """Measure conditions in one session, until a time is over at the latest.

    Returns
    -------
    dict
        ``soak_conditions``; ``soak_growth_percent``: median memory of the last tenth over that after the first tenth,
        which warms up; ``soak_slower_percent``: the same of the time a condition takes; ``soak_lost``.
    """
    watch, count = Watch(), Counted()
    with tempfile.TemporaryDirectory() as name, log.open("a") as file, redirect_stdout(file):
        folder = Path(name)
        with simulator(folder):
            session = open_session(folder, saxs=False, listeners=[count])
            for callback in (count, watch):
                session.RE.subscribe(callback)
            with closing(session):
                began = time.monotonic()
                gc.collect()
                person = Person(session)
                person.run(str(uuid.uuid4()), lambda done: done >= conditions or time.monotonic() - began > limit_s)
            journalled = _journalled(folder / "journal")
    # of neighbours on the machine the median takes no notice
    took = np.diff(watch.seconds)
    part = max(1, int(len(took) * _SHARE))
    early, late = took[part : 2 * part], took[-part:]
    early_mb, late_mb = watch.megabytes[part : 2 * part], watch.megabytes[-part:]
    return {
        "soak_conditions": len(watch.seconds),
        "soak_growth_percent": 100.0 * (float(np.median(late_mb) / np.median(early_mb)) - 1.0),
        "soak_slower_percent": 100.0 * (float(np.median(late) / np.median(early)) - 1.0),
        "soak_lost": abs(count.all - journalled),
        "soak_first_s": float(np.median(early)),
        "soak_last_s": float(np.median(late)),
        "soak_first_mb": float(np.median(early_mb)),
        "soak_last_mb": float(np.median(late_mb)),
    }


def _journalled(folder: Path) -> int:
    """Documents in journals, without those that only say where a frame is.

    The catalogue, which stores a run in some tenths of a second, is behind at this time scale: it is looked at by the
    other parts.
    """
    from msc_plans.storage.journal import journals, read_journal, stored_journals

    paths = [*journals(folder), *stored_journals(folder)]
    return sum(name not in ("resource", "datum") for path in paths for name, _ in read_journal(path))


if __name__ == "__main__":
    # a process of its own: one session a process
    print(json.dumps(soak(int(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3]))))
