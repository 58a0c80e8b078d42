"""A store of 20 000 runs: search, and reprocessing in parallel: ``python benchmarks/scale.py [--quick | --chunk I/N]``.

A few raw runs of the twin (`ioc_sim.bench.measure`: spectrum and frame) and their analyses are written by `RunWriter`;
the others are copies row by row (`_scale_store.py`), whose form is compared with that of written runs. Timed are:

* the newest 20 runs by condition and by family, from a server that has just started with no page of the catalogue in
  memory (cold), and then again (warm);
* ``msc reprocess`` with one worker and with two, spectrum and frame, start-up not counted, and whether both give the
  same numbers: on a store in its folder, and on one in PostgreSQL that two processes serve;
* the most memory that its processes hold together, the server's not counted, over a tenth of the runs and over all of
  them, spectra alone.

``--chunk I/N`` does one part of N and keeps its figures in ``--folder``; the last one sums up those that were done and
removes the folder. With N = 10 a part takes about half an hour, the last one an hour; the store in PostgreSQL is made
for each part. The last lines read ``name value bar ok|short``.
"""

import argparse
import operator
import os
import shutil
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from _chunks import add_chunk_arguments, keep, kept
from _ending import verdict
from _postgresql import postgresql
from _scale_runs import FAMILIES, NAMES, Size, prepare, say, uids

from msc_plans.storage.database import Database, write_database

SHOWN = 20
BARS = {
    "rows_as_written": ("=", 1.0),
    "condition_cold_s": ("<", 1.0),
    "condition_warm_s": ("<", 1.0),
    "family_cold_s": ("<", 1.0),
    "family_warm_s": ("<", 1.0),
    "reprocessed_runs": (">", 5000.0),
    "speed_up_two_workers": (">", 1.7),
    "speed_up_two_workers_postgresql": (">", 1.7),
    "results_identical": ("=", 1.0),
    "memory_ratio": ("<", 1.1),
}


FULL, QUICK = Size(8, 20_000, 5000, 5000), Size(1, 1500, 16, 0, frames=False)


# -- search


@contextmanager
def served(folder: Path) -> Iterator[tuple[Any, Any]]:
    from msc_plans.storage import TiledServer, close_catalog, open_catalog

    with TiledServer(folder) as server:
        catalog = open_catalog(server.uri, server.api_key)
        yield catalog, server
        close_catalog(catalog)


def by_condition(catalog: Any, number: int) -> int:
    from msc_plans.storage.search import find_runs, newest

    low = 205.0 + 5 * number
    asked = {NAMES[0]: (low, low + 40.0), NAMES[1]: (200.0, 250.0), NAMES[2]: (10.0, 15.0)}
    return len(newest(find_runs(catalog, raw=True, condition=asked), SHOWN))


def by_family(catalog: Any, number: int) -> int:
    from msc_plans.storage.search import find_analyses, newest_raw

    return len(newest_raw(catalog, find_analyses(catalog, family=FAMILIES[number % len(FAMILIES)]), SHOWN))


def forget_pages(folder: Path) -> None:
    """Take the catalogue out of the memory in which the system keeps files."""
    for path in folder.glob("catalog.db*"):
        with path.open("rb") as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def search_times(folder: Path, cold: int, warm: int) -> dict[str, float]:
    times: dict[str, list[float]] = {}

    def timed(name: str, search: Callable[[Any, int], int], catalog: Any, number: int) -> None:
        began = time.perf_counter()
        found = search(catalog, number)
        times.setdefault(name, []).append(time.perf_counter() - began)
        if found != SHOWN:
            raise RuntimeError(f"{name}: {found} runs found, not {SHOWN}")

    searches = {"condition": by_condition, "family": by_family}
    for name, search in searches.items():
        for number in range(cold):
            forget_pages(folder)
            with served(folder) as (catalog, _):
                timed(f"{name}_cold_s", search, catalog, number)
                if number + 1 == cold:
                    for k in range(warm):
                        timed(f"{name}_warm_s", search, catalog, k)
    for name, values in times.items():
        say(f"{name}: {' '.join(f'{value:.3f}' for value in values)}")
    return {name: statistics.median(values) for name, values in times.items()}


# -- reprocess


class Memory:
    """The most that this process and the workers it started hold together, MB, sampled."""

    def __init__(self, leave_out: int) -> None:
        self.most = 0.0
        self._leave_out = leave_out
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> "Memory":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        here = psutil.Process()
        while not self._over.wait(0.5):
            total = 0
            for process in [here, *here.children(recursive=True)]:
                if process.pid != self._leave_out:
                    try:
                        total += process.memory_info().rss
                    except psutil.NoSuchProcess:
                        continue
            self.most = max(self.most, total / 1e6)


def job_of(server: Any, label: str) -> Any:
    from msc_plans.reprocess.worker import Job
    from msc_plans.settings import OpticsSettings

    optics = OpticsSettings().model_dump_json()
    return Job(
        uri=server.uri,
        api_key=server.api_key,
        optics=optics,
        spectrometer="spectrometer",
        saxs="saxs",
        version="benchmark",
        label=label,
    )


def reprocessed(folder: Path, campaign: str, workers: int, label: str) -> tuple[int, float, float]:
    """Reprocess a campaign; returns runs, seconds without start-up, and MB."""
    from msc_plans.reprocess.job import cluster, reprocess

    with served(folder) as (catalog, server), cluster(workers, None) as client, Memory(server.pid) as memory:
        # imports, tables and compiled code of every worker
        reprocess(catalog, client, job_of(server, f"{label} warm"), {"campaign": "warm-up"})
        began = time.perf_counter()
        done = reprocess(catalog, client, job_of(server, label), {"campaign": campaign})
        seconds = time.perf_counter() - began
        if done.failed or done.empty:
            raise RuntimeError(f"{done.failed} runs failed, {done.empty} were empty")
        return done.done, seconds, memory.most


def identical(folder: Path, raw_uids: Sequence[str], labels: Sequence[str]) -> bool:
    from msc_plans.storage.runs import read_streams
    from msc_plans.storage.search import analyses_of

    with served(folder) as (catalog, server):
        jobs = [job_of(server, label).uid for label in labels]
        for runs in analyses_of(catalog, raw_uids).values():
            sets = [
                {
                    (run.metadata["start"]["analysis"], key): values
                    for run in runs
                    if run.metadata["start"].get("reprocess_uid") == job
                    for key, values in read_streams(run)["primary"].data.items()
                }
                for job in jobs
            ]
            one, two = sets
            if not one or set(one) != set(two):
                say(f"one worker gave {sorted(one)}, two gave {sorted(two)}")
                return False
            for key, values in one.items():
                if not np.array_equal(values, two[key], equal_nan=values.dtype.kind == "f"):
                    say(f"{key}: {values} with one worker, {two[key]} with two")
                    return False
    return True


def part(folder: Path, size: Size, chunk: int, chunks: int, state: dict[str, Any]) -> None:
    """Reprocess a part's runs by one worker and by two; what it took is added to a store's figures."""
    begun = f"{time.time():.0f}"  # a part that was cut short is done anew
    for workers, label in ((1, "one"), (2, "two")):
        runs, seconds, _ = reprocessed(folder, f"part-{chunk}", workers, f"{label} {begun}")
        say(
            f"part {chunk + 1} of {chunks}, {label} worker{'s' * (workers > 1)}: {runs} runs in {seconds:.1f} s, "
            f"{seconds / runs:.2f} s each"
        )
        state.setdefault(label, []).append([runs, seconds])
    few = uids(10 + chunk, size.reprocessed // chunks)[:16]
    state.setdefault("identical", []).append(identical(folder, few, [f"one {begun}", f"two {begun}"]))


def part_in_postgresql(size: Size, chunks: int, state: dict[str, Any]) -> None:
    """The same on a store in PostgreSQL that two processes serve, made for this part alone."""
    alone = replace(size, templates=2, runs=40, reprocessed=size.reprocessed // chunks, memory=0)
    with tempfile.TemporaryDirectory() as name, postgresql() as server:
        folder = Path(name)
        write_database(folder, Database(server.uri, processes=2))
        prepare(folder, alone, 1)
        say("in PostgreSQL:")
        part(folder, alone, 0, 1, state)


def speed_up(state: dict[str, Any]) -> float:
    one, two = (sum(s for _, s in state[label]) / sum(n for n, _ in state[label]) for label in ("one", "two"))
    return one / two


def memory_ratio(folder: Path) -> float:
    most = {}
    for name in ("tenth", "all"):
        runs, seconds, most[name] = reprocessed(folder, f"memory-{name}", 2, f"memory {name}")
        say(f"memory over {runs} runs: {most[name]:.0f} MB, {seconds:.1f} s")
    return most["all"] / most["tenth"]


def verdicts(figures: dict[str, float]) -> bool:
    judged = [(name, figures[name], sign, bar) for name, (sign, bar) in BARS.items() if name in figures]
    compare = {"<": operator.lt, ">": operator.ge, "=": operator.eq}
    met = [verdict(name, value, bar, compare[sign](value, bar)) for name, value, sign, bar in judged]
    return all(met)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--quick", action="store_true", help="under a minute; speed-up and memory are not judged")
    add_chunk_arguments(parser, "msc-scale")
    options = parser.parse_args()
    if options.quick:
        return quick()
    chunk, chunks = options.chunk or (1, 1)
    folder: Path = options.folder
    state: dict[str, Any] | None = kept(folder, "figures")
    if state is None:
        shutil.rmtree(folder, ignore_errors=True)  # of a part that was cut short before it had any figures
        folder.mkdir(parents=True)
        state = dict[str, Any]({**prepare(folder, FULL, chunks), **search_times(folder, 3, 9)})
    stores = {name: state.setdefault(name, {}) for name in ("embedded", "postgresql")}
    part(folder, FULL, chunk - 1, chunks, stores["embedded"])
    part_in_postgresql(FULL, chunks, stores["postgresql"])
    keep(folder, "figures", state)
    if chunk < chunks:
        return 0
    # by one worker and by two, on either store
    state["reprocessed_runs"] = float(min(sum(runs for runs, _ in store["one"]) for store in stores.values()))
    state["speed_up_two_workers"] = speed_up(stores["embedded"])
    state["speed_up_two_workers_postgresql"] = speed_up(stores["postgresql"])
    state["results_identical"] = float(all(all(store["identical"]) for store in stores.values()))
    state["memory_ratio"] = memory_ratio(folder)
    good = verdicts(state)
    shutil.rmtree(folder)
    return 0 if good else 1


def quick() -> int:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        figures = prepare(folder, QUICK, 1) | search_times(folder, 1, 3)
        state: dict[str, Any] = {}
        part(folder, QUICK, 0, 1, state)
        say(f"speed-up {speed_up(state):.2f} over {QUICK.reprocessed} runs; not judged, nor is memory measured")
        figures["results_identical"] = float(state["identical"] == [True])
    return 0 if verdicts(figures) else 1


if __name__ == "__main__":
    sys.exit(main())
