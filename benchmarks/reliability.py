"""Nothing lost: ``python benchmarks/reliability.py [--quick | --chunk I/N] [--only PART …]``.

Parts, each on a real Tiled server and in processes of their own:

``point``    What storing takes of the caller's thread for each event of a spectrum (1044 counts), and how long after
             that the event can be read in Tiled by another client. Beside it: TiledWriter as the callback, and with its
             default batch.
``outage``   Runs go on while the server is frozen (SIGSTOP: no answer, no refusal); how long the caller's thread was
             held in all, and how long after the end of the outage the catalogue has every run.
``chaos``    Campaigns of real sessions on the simulated reactor (scenario ``fast`` at 200×), spectra and frames, with a
             fault every few conditions: processes killed and frozen, faults of the twin. Five seeds.
``kill``     A process that emits runs, the process that stores them, or the server is killed (SIGKILL) at random
             moments; afterwards every document whose call had returned must be in journal and catalogue, once. Then the
             same under a campaign: session, IOC, Tiled, storing process.
``queue``    The same under the queue and its agent: Redis, RE Manager, worker, agent.
``soak``     5000 conditions in one session: memory, time a condition.

With ``--chunk I/N`` a part of the jobs is done (a seed, a kind of process …) and kept in ``--folder``: what is there is
not done again. Once all jobs are there, the figures are summed up; no job takes more than 40 minutes.

The last lines read ``name value bar ok|short``; the exit status is 1 if any is short.
"""

import argparse
import functools
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
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from _chunks import add_chunk_arguments, run_jobs
from _ending import conclude
from _reliability_kill import VICTIMS
from _reliability_queue import QUEUE_VICTIMS
from _reliability_session import until
from event_model import compose_run

from msc_plans.storage import RunWriter, TiledServer, close_catalog, open_catalog, verify
from msc_plans.storage.journal import journals, read_journal, stored_journals

PIXELS = 1044
TIMES = 50
Figures = dict[str, float]


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


# -- what a point costs


def point(quick: bool) -> Figures:
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
    return {
        "point_ms": 1e3 * float(np.quantile(took, 0.99)),
        "readable_s": float(np.quantile(readable, 0.95)),
    }


def _events(catalog: Any, uid: str) -> int:
    try:
        return int(catalog[uid]["primary"]["counts"].shape[0])
    except KeyError:
        return 0


# -- an outage


def outage(quick: bool) -> Figures:
    """Freeze the server while runs go on."""
    seconds = 4.0 if quick else 60.0
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
    return {"outage_held_s": sum(held), "catch_up_s": caught_up, "outage_lost": lost}


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


def kill(victim: str, times: int) -> Figures:
    """Kill a process of those that emit and store runs, at random moments."""
    draw = random.Random(victim)
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
            while left := len(journals(folder / "journal")):
                # some tenths of a second each, at the lowest priority: hundreds take minutes
                until(lambda: len(journals(folder / "journal")) < left, "the storing of another run")
        kept = sum(len(read_journal(path)) for path in stored_journals(folder / "journal"))
        bad = check(folder)
        catalog = open_catalog(folder)
        twice = len(catalog) - len(list(stored_journals(folder / "journal")))
        close_catalog(catalog)
    print(f"{victim}: {times} kills, {returned} documents returned, {kept} journalled, {bad} runs differ", flush=True)
    return {f"{victim}_kills": times, "killed_lost": max(0, returned - kept) + bad, "killed_twice": twice}


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


# -- sessions: one a process


def _in_a_process(script: str, *arguments: Any) -> dict[str, Any]:
    command = [sys.executable, Path(__file__).with_name(script), *map(str, arguments)]
    with tempfile.TemporaryFile("w+") as noise:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=noise, text=True, check=False)
        if done.returncode:
            noise.seek(0)
            raise RuntimeError(f"{script} ended with code {done.returncode}: {noise.read()[-3000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def chaos(seed: int, quick: bool) -> Figures:
    """Campaigns of one seed under faults."""
    with tempfile.NamedTemporaryFile("r", suffix=".log") as log:
        found = _in_a_process("_reliability_chaos.py", seed, "quick" if quick else "full", log.name)
    print(
        f"seed {seed}: {found['conditions']} conditions, {len(found['faults'])} faults, {found['restarts']} times gone "
        f"on; {found['emitted']} documents emitted, {found['stored']} stored; {found['frames_taken']} frames taken; "
        f"safe after {found['safe_after_s']:.1f} s at most; {found['seconds']:.0f} s",
        flush=True,
    )
    for problem in (*found["problems"], *found["unsafe"]):
        print(f"  {problem}")
    return {
        "chaos_conditions": found["conditions"],
        "chaos_faults": len(found["faults"]),
        "chaos_lost": found["lost"],
        "chaos_frames": found["frames_taken"],
        "chaos_frames_lost": found["frames_lost"],
        "chaos_unfinished": found["unfinished"],
        "chaos_unsafe": len(found["unsafe"]),
    }


def killed_campaign(victim: str, times: int) -> Figures:
    """Kill a process under a campaign."""
    from _reliability_kill import kill_under_a_campaign

    return kill_under_a_campaign(victim, times, seconds=2100.0)


def killed_queue(victim: str, times: int) -> Figures:
    """Kill a process under the queue."""
    from _reliability_queue import kill_under_the_queue

    return kill_under_the_queue(victim, times, seconds=2100.0)


def soak(quick: bool) -> Figures:
    """Thousands of conditions in one session."""
    with tempfile.NamedTemporaryFile("r", suffix=".log") as log:
        found = _in_a_process("_reliability_soak.py", 8 if quick else 5000, log.name, 2100.0)
    print(
        f"a condition: {found['soak_first_s']:.3f} s, {found['soak_first_mb']:.0f} MB after the warm-up, "
        f"{found['soak_last_s']:.3f} s, {found['soak_last_mb']:.0f} MB at the end"
    )
    judged = {"soak_conditions": found["soak_conditions"], "soak_lost": found["soak_lost"]}
    if not quick:
        judged |= {name: found[name] for name in ("soak_growth_percent", "soak_slower_percent")}
    return judged


# -- all


def all_jobs(quick: bool, times: int) -> dict[str, dict[str, Callable[[], Figures]]]:
    """Jobs by part; each does its own."""
    kills = 1 if quick else times
    return {
        "point": {"point": lambda: point(quick)},
        "outage": {"outage": lambda: outage(quick)},
        "chaos": {f"chaos-{seed}": functools.partial(chaos, seed, quick) for seed in range(5)},
        "kill": {
            **{f"kill-{one}": functools.partial(kill, one, kills) for one in ("emitter", "writer", "server")},
            **{f"kill-{one}": functools.partial(killed_campaign, one, kills) for one in VICTIMS},
        },
        "queue": {f"queue-{one}": functools.partial(killed_queue, one, kills) for one in QUEUE_VICTIMS},
        "soak": {"soak": lambda: soak(quick)},
    }


PARTS = tuple(all_jobs(quick=True, times=1))
QUICK_JOBS = ("point", "chaos-0", "outage", "kill-emitter", "soak")
"""So that ``--quick`` takes less than a minute: in its chaos the storing process is killed under a campaign."""

AT_MOST = {
    "point_ms": 1.0, "readable_s": 0.5, "outage_held_s": 0.2, "catch_up_s": 30.0, "outage_lost": 0,
    "chaos_lost": 0, "chaos_frames_lost": 0, "chaos_unfinished": 0, "chaos_unsafe": 0,
    "killed_lost": 0, "killed_twice": 0, "killed_unsafe": 0,
    "soak_growth_percent": 5.0, "soak_slower_percent": 10.0, "soak_lost": 0,
}  # fmt: skip
AT_LEAST = {"chaos_conditions": 300, "chaos_faults": 50, "chaos_frames": 60, "soak_conditions": 5000} | {
    f"{one}_kills": TIMES for one in ("emitter", "writer", "server", *VICTIMS, *QUEUE_VICTIMS)
}


def verdicts(figures: Figures, quick: bool) -> bool:
    """Print each figure against its bar; a quick run is not judged by how much it did. Whether all are met."""
    rows = [
        (name, value, AT_MOST[name], False) if name in AT_MOST else (name, value, 0 if quick else AT_LEAST[name], True)
        for name, value in figures.items()
    ]
    return conclude(rows) == 0


def _quickly(jobs: dict[str, Callable[[], Figures]]) -> dict[str, Figures]:
    """Run a sample of each, two at a time, but for the first, which takes times."""
    names = list(jobs)
    found = {names[0]: jobs[names[0]]()}
    with ThreadPoolExecutor(2) as pool:
        running = {name: pool.submit(jobs[name]) for name in names[1:]}
        return found | {name: job.result() for name, job in running.items()}


def main() -> int:
    """Run and print; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a small sample of the jobs, in under a minute")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS, help="these parts")
    parser.add_argument("--times", type=int, default=TIMES, help="kills of each process (default: %(default)s)")
    parser.add_argument("--emit", type=Path, help=argparse.SUPPRESS)
    add_chunk_arguments(parser, "msc-reliability")
    args = parser.parse_args()
    if args.emit:
        emit(args.emit)
        return 0
    parts = all_jobs(args.quick, args.times)
    jobs = {name: job for part in args.only for name, job in parts[part].items()}
    if args.quick:
        found = _quickly({name: jobs[name] for name in QUICK_JOBS if name in jobs} or dict(list(jobs.items())[:1]))
    else:
        found = run_jobs(list(jobs), lambda name: jobs[name](), args.chunk, args.folder)
    missing = set() if args.quick else jobs.keys() - found.keys()
    if missing:
        print(f"still to be done: {', '.join(sorted(missing))}")
        return 0
    figures: Figures = {}
    for told in found.values():
        for name, value in told.items():
            figures[name] = figures.get(name, 0) + value
    return 0 if verdicts(figures, args.quick) else 1


if __name__ == "__main__":
    sys.exit(main())
