"""Nothing lost: ``python benchmarks/reliability.py [--quick] [--only PART …]``.

Parts, each on a real Tiled server and in processes of their own:

``point``    What storing takes of the caller's thread for each event of a spectrum (1044 counts), and how long after
             that the event can be read in Tiled by another client. Beside it: TiledWriter as the callback, and with its
             default batch.
``outage``   Runs go on while the server is frozen (SIGSTOP: no answer, no refusal); how long the caller's thread was
             held in all, and how long after the end of the outage the catalogue has every run.
``kill``     A process that emits runs, the process that stores them, or the server is killed (SIGKILL) at random
             moments; afterwards every document whose call had returned must be in journal and catalogue, once.

The last lines read ``name value bar ok|short``; the exit status is 1 if any is short.
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from event_model import compose_run

from msc_plans.storage import RunWriter, TiledServer, close_catalog, open_catalog, verify
from msc_plans.storage.journal import journals, read_journal, stored_journals

PIXELS = 1044
Figure = tuple[str, float, float]


def run_documents(events: int, seed: int = 0) -> Iterator[tuple[str, dict[str, Any]]]:
    """The documents of a run of spectra."""
    random_counts = np.random.default_rng(seed)
    run = compose_run(metadata={"purpose": "benchmark", "sample": f"seed {seed}"})
    yield "start", dict(run.start_doc)
    keys = {
        "counts": {"dtype": "array", "shape": [PIXELS], "dtype_numpy": "<f8", "source": "benchmark"},
        "temperature": {"dtype": "number", "shape": [], "source": "benchmark"},
    }
    stream = run.compose_descriptor(name="primary", data_keys=keys)
    yield "descriptor", dict(stream.descriptor_doc)
    for _ in range(events):
        data = {"counts": random_counts.poisson(30_000, PIXELS).astype(float), "temperature": 280.0}
        yield "event", dict(stream.compose_event(data=data, timestamps=dict.fromkeys(keys, time.time())))
    yield "stop", dict(run.compose_stop())


@contextmanager
def store() -> Iterator[tuple[TiledServer, Path]]:
    """A server on an empty store."""
    with tempfile.TemporaryDirectory() as folder, TiledServer(folder) as server:
        yield server, Path(folder)


def until(true: Callable[[], bool], what: str, seconds: float = 120.0) -> float:
    """Wait; returns how long."""
    began = time.perf_counter()
    while not true():
        if time.perf_counter() - began > seconds:
            raise TimeoutError(f"{what} did not happen within {seconds:g} s")
        time.sleep(0.01)
    return time.perf_counter() - began


# -- what a point costs


def point(quick: bool) -> list[Figure]:
    """Time on the caller's thread, and until another client can read."""
    from bluesky_tiled_plugins import TiledWriter

    events = 20 if quick else 200
    with store() as (server, folder), closing(RunWriter(folder, folder / "journal")) as writer:
        catalog = open_catalog(server.uri, server.api_key)
        took, readable = [], []
        for name, doc in run_documents(3):
            writer(name, doc)
        writer.flush()
        stored = 0
        for name, doc in run_documents(events):
            began = time.perf_counter()
            writer(name, doc)
            if name == "start":
                uid = doc["uid"]
            if name == "event":
                took.append(time.perf_counter() - began)
                stored += 1
                until(lambda: _events(catalog, uid) >= stored, "the reading of an event")  # noqa: B023  asked at once
                readable.append(time.perf_counter() - began)
        for peer, batch in (("as callback, batch of 1", 1), ("as callback, its default", 10_000)):
            tiled, peers = TiledWriter(catalog, batch_size=batch, max_array_size=0), []
            for name, doc in run_documents(10):
                began = time.perf_counter()
                tiled(name, doc)
                if name == "event":
                    peers.append(time.perf_counter() - began)
            print(f"TiledWriter {peer}: {1e3 * np.median(peers):.2f} ms a point")
        close_catalog(catalog)
    print(f"journal: {1e3 * np.median(took):.2f} ms a point, 99 % within {1e3 * np.quantile(took, 0.99):.2f} ms")
    print(f"readable after {np.median(readable):.3f} s, 95 % within {np.quantile(readable, 0.95):.3f} s")
    return [
        ("point_ms", 1e3 * float(np.quantile(took, 0.99)), 1.0),
        ("readable_s", float(np.quantile(readable, 0.95)), 0.5),
    ]


def _events(catalog: Any, uid: str) -> int:
    try:
        return int(catalog[uid]["primary"]["counts"].shape[0])
    except KeyError:
        return 0


# -- an outage


def outage(quick: bool) -> list[Figure]:
    """Freeze the server while runs go on."""
    seconds = 6.0 if quick else 60.0
    with store() as (server, folder), closing(RunWriter(folder, folder / "journal")) as writer:
        feed(writer, run_documents(2))
        writer.flush()
        pid, held, runs = server.pid, [], 0
        assert pid is not None
        os.kill(pid, signal.SIGSTOP)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for name, doc in run_documents(1, seed=runs):
                began = time.perf_counter()
                writer(name, doc)
                held.append(time.perf_counter() - began)
            runs += 1
            # a condition a second, as at high time scale
            time.sleep(1.0)
        os.kill(pid, signal.SIGCONT)
        caught_up = until(lambda: not writer.pending, "the catch-up")
        lost = check(folder)
    print(
        f"{seconds:g} s of outage, {runs} runs: the caller was held {sum(held):.3f} s in all, at most {max(held):.3f} s"
    )
    return [("outage_held_s", sum(held), 0.2), ("catch_up_s", caught_up, 30.0), ("outage_lost", lost, 0)]


# -- kills


def emit(folder: Path) -> None:
    """Emit runs until killed, telling each call that has returned (the child of `kill`)."""
    with closing(RunWriter(folder, folder / "journal")) as writer:
        for number in range(10_000):
            for name, doc in run_documents(3, seed=number):
                writer(name, doc)
                uid = doc["uid"] if name == "start" else doc.get("run_start", "")
                print(json.dumps({"name": name, "uid": uid}), flush=True)
                time.sleep(0.01)


def kill(quick: bool, times: int = 50) -> list[Figure]:
    """Kill each kind of process at random moments."""
    times = 2 if quick else times
    lost = double = 0
    draw = random.Random(1)
    for victim in ("emitter", "writer", "server"):
        with store() as (server, folder):
            returned = 0
            for _ in range(times):
                child = subprocess.Popen(
                    [sys.executable, __file__, "--emit", str(folder)], stdout=subprocess.PIPE, text=True
                )
                assert child.stdout is not None
                said: list[str] = [child.stdout.readline()]
                reader = threading.Thread(target=lambda c=child, s=said: s.extend(c.stdout), daemon=True)
                reader.start()
                time.sleep(draw.uniform(0.0, 2.0))
                if victim == "writer":
                    os.kill(int(_children(child.pid)[0]), signal.SIGKILL)
                elif victim == "server" and server.pid is not None:
                    os.kill(server.pid, signal.SIGKILL)
                if victim != "emitter":
                    time.sleep(0.5)
                child.kill()
                child.wait()
                reader.join()
                returned += len(said)
            with closing(RunWriter(folder, folder / "journal")):
                until(lambda: not journals(folder / "journal"), "the storing of what was left", 300)
            kept = sum(len(read_journal(path)) for path in stored_journals(folder / "journal"))
            bad = check(folder)
            lost += max(0, returned - kept) + bad
            catalog = open_catalog(folder)
            double += len(catalog) - len(list(stored_journals(folder / "journal")))
            close_catalog(catalog)
            print(f"{victim}: {times} kills, {returned} documents returned, {kept} journalled, {bad} runs differ")
    return [("kill_lost", lost, 0), ("kill_double", double, 0)]


def _children(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


def feed(writer: RunWriter, documents: Iterator[tuple[str, dict[str, Any]]]) -> None:
    """Hand over documents."""
    for name, doc in documents:
        writer(name, doc)


def check(folder: Path) -> int:
    """Compare journals and catalogue; returns how many runs differ, or are in no catalogue."""
    catalog = open_catalog(folder)
    bad = 0
    for path in stored_journals(folder / "journal"):
        report = verify(catalog, path)
        bad += bool(report.problems)
        if report.problems:
            print(f"  {report.uid}: {report.problems[0]}")
    close_catalog(catalog)
    return bad + len(journals(folder / "journal"))


PARTS = {"point": point, "outage": outage, "kill": kill}


def main() -> int:
    """Run and print; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a small sample of each part")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS), help="these parts")
    parser.add_argument("--emit", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.emit:
        emit(args.emit)
        return 0
    figures = [figure for part in args.only for figure in PARTS[part](args.quick)]
    for name, value, bar in figures:
        print(f"{name} {value:.3g} {bar:g} {'ok' if value <= bar else 'short'}")
    return int(any(value > bar for _, value, bar in figures))


if __name__ == "__main__":
    sys.exit(main())
