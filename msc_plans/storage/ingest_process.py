"""The process that brings journals into the catalogue: ``python -m msc_plans.storage.ingest_process JOURNAL WHERE``.

One at a time works on a journal folder; others wait until it ends. It ends when its standard input does, as it does
when the process that started it ends in whatever way, once all that can be stored is. What it has to say are lines of
JSON on standard output (see `Ingest`).
"""

import argparse
import fcntl
import json
import logging
import os
import sys
import threading
from pathlib import Path
from typing import Any

from msc_plans.storage.client import limit_retries, open_server
from msc_plans.storage.ingest import Ingest

_NICE = 10
_LOOK_S = 0.05


def _tell(what: dict[str, Any]) -> None:
    try:
        print(json.dumps(what), flush=True)
    except BrokenPipeError:
        # nobody listens any more; what is stored is stored
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115


def _wait_for_turn(folder: Path, ending: threading.Event) -> Any:
    """Return the lock; None where another has it, and stores what is there, and this process is to end."""
    lock = (folder / "writer.lock").open("w")
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if ending.is_set():
                lock.close()
                return None
            ending.wait(4 * _LOOK_S)
        else:
            return lock


def work(folder: Path, where: str, ending: threading.Event) -> None:
    """Store until `ending` is set, and then what is left, unless that fails."""
    lock = _wait_for_turn(folder, ending)
    if lock is None:
        return

    def connect() -> Any:
        catalog = open_server(where)
        limit_retries()
        return catalog

    ingest = Ingest(folder, connect, _tell)
    while True:
        over = ending.is_set()
        worked = ingest.step()
        if over and not worked and (ingest.troubled or not ingest.left):
            break
        if not worked:
            ending.wait(_LOOK_S)
            if over:
                threading.Event().wait(_LOOK_S)
    ingest.close()
    lock.close()


def main() -> None:
    """Read the command line and work."""
    parser = argparse.ArgumentParser(prog="python -m msc_plans.storage.ingest_process", description=__doc__)
    parser.add_argument("journal", type=Path, help="folder of the journals")
    parser.add_argument("where", help="the store's folder or the URI of its server; TILED_API_KEY may hold its key")
    options = parser.parse_args()
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    # what is measured goes before what is stored
    os.nice(_NICE)
    ending = threading.Event()

    def watch() -> None:
        while sys.stdin.buffer.read(4096):
            pass
        ending.set()

    threading.Thread(target=watch, name="end-watch", daemon=True).start()
    work(options.journal, options.where, ending)


if __name__ == "__main__":
    main()
