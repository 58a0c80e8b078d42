"""One job of reprocessing: hand raw runs to Dask workers, count what comes back, go on where an earlier one ended."""

import logging
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit, urlunsplit

from msc_plans.errors import InputError
from msc_plans.reprocess.worker import Answer, Job, in_words, last_uid, reprocess_run
from msc_plans.storage.client import is_uri

__all__ = ["JobProgress", "cluster", "reprocess", "served"]

_AHEAD = 2
"""Runs in flight a worker."""
_PAGE = 100
_SHOWN = 10


@dataclass
class JobProgress:
    """What has been done of a job."""

    done: int = 0
    """Raw runs analysed now."""
    analyses: int = 0
    """Analysis runs stored now."""
    before: int = 0
    """Raw runs that were done before."""
    empty: int = 0
    """Raw runs that hold nothing to analyse."""
    failed: int = 0
    """Raw runs of which an analysis failed."""

    @property
    def runs(self) -> int:
        """All raw runs looked at."""
        return self.done + self.before + self.empty + self.failed


def reprocess(
    catalog: Any, client: Any, job: Job, search: dict[str, Any], progress: JobProgress | None = None
) -> JobProgress:
    """Let workers analyse the raw runs that a job lacks and store what comes of them.

    Memory does not grow with their number.

    Parameters
    ----------
    catalog : CatalogOfBlueskyRuns
        Where raw runs are looked for.
    client : dask.distributed.Client
        Workers read from the same catalogue, and write to it.
    job : Job
        What is done.
    search : dict
        Which raw runs, as `find_runs` takes it.
    progress : JobProgress, optional
        Kept up to date.

    Raises
    ------
    InputError
        The store can't be reached any more.
    """
    from dask.distributed import as_completed
    from tqdm import tqdm

    from msc_plans.storage.search import find_runs

    progress = JobProgress() if progress is None else progress
    raw = find_runs(catalog, raw=True, exit_status="success", **search)
    begun = _any_of(catalog, job.uid)
    missing = _missing(catalog, raw, job.uid, progress) if begun else iter(raw.keys().page_size(_PAGE))

    uid_of: dict[str, str] = {}

    def submitted(number: int) -> Iterator[Any]:
        for uid in islice(missing, number):
            future = client.submit(reprocess_run, job, uid, pure=False)
            uid_of[future.key] = uid
            yield future

    in_flight = _AHEAD * max(1, len(client.scheduler_info(n_workers=-1)["workers"]))
    with tqdm(total=len(raw), unit="run", desc="reprocess", disable=None, file=sys.stderr) as bar:
        running = as_completed(list(submitted(in_flight)))
        for future in running:
            answer = _answer(future, uid_of.pop(future.key))
            future.release()
            if answer.away:
                raise InputError(
                    f"the store is not reached any more ({answer.away}); when it is, the same command goes on"
                )
            _count(answer, progress)
            for following in submitted(1):
                running.add(following)
            bar.update(progress.runs - bar.n)
        bar.update(progress.runs - bar.n)
    return progress


def _answer(future: Any, raw_uid: str) -> Answer:
    try:
        return future.result()
    except Exception as error:  # noqa: BLE001 - of Dask, where workers die of this run
        return Answer(raw_uid, failures=(in_words(error),))


def _count(answer: Answer, progress: JobProgress) -> None:
    progress.analyses += answer.analyses
    if answer.failures:
        progress.failed += 1
        if progress.failed <= _SHOWN:
            _note(f"{answer.raw_uid}: {'; '.join(answer.failures)}")
    else:
        progress.done += not answer.empty
        progress.empty += answer.empty


def _note(text: str) -> None:
    from tqdm import tqdm

    tqdm.write(f"msc reprocess: {text}", file=sys.stderr)


def _any_of(catalog: Any, job_uid: str) -> bool:
    from tiled.queries import Key

    return bool(catalog.search(Key("reprocess_uid") == job_uid).keys()[:1])


def _missing(catalog: Any, raw: Any, job_uid: str, progress: JobProgress) -> Iterator[str]:
    """Give the uids of the raw runs of which a job is not done, a page at a time."""
    from tiled.queries import KeyPresent, KeysFilter

    uids = iter(raw.keys().page_size(_PAGE))
    while page := list(islice(uids, _PAGE)):
        last = {last_uid(job_uid, uid): uid for uid in page}
        whole = catalog.search(KeysFilter(list(last))).search(KeyPresent("stop.exit_status"))
        done = {last[uid] for uid in whole.keys()[: len(last)]}
        progress.before += len(done)
        yield from (uid for uid in page if uid not in done)


@contextmanager
def served(where: str) -> Iterator[tuple[str, str | None]]:
    """Give URI and key of the server on a store; one is started on a folder that has none."""
    if is_uri(where):
        parts = urlsplit(where)
        (key,) = parse_qs(parts.query).get("api_key", [None])
        yield urlunsplit(parts._replace(query="")), key
        return
    from msc_plans.storage import PortBusyError, ServerError, StoreBusyError, TiledServer, read_api_key
    from msc_plans.storage.database import holds_store
    from msc_plans.storage.lock import read_holder

    folder = Path(where).expanduser().resolve()
    if not holds_store(folder):
        raise InputError(f"{where}: is a folder without a store (no catalog.db in it)")
    server = TiledServer(folder)
    try:
        server.start()
    except StoreBusyError as error:
        holder = read_holder(folder)
        if holder is None or holder.uri is None:
            raise InputError(f"{where}: {error}") from error
        yield holder.uri, read_api_key(folder)
        return
    except (ServerError, PortBusyError) as error:
        raise InputError(f"{where}: {error}") from error
    with server:
        yield server.uri, server.api_key


@contextmanager
def cluster(workers: int | None, scheduler: str | None) -> Iterator[Any]:
    """Give a Dask client, of processes on this machine or of a cluster."""
    try:
        from dask import config
        from dask.distributed import Client, LocalCluster
    except ImportError as error:
        raise InputError("Dask is not installed: pip install 'msc-plans[scale]'") from error
    # It tells of each connection, and of workers that end when they are told to.
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    if scheduler:
        try:
            client = Client(scheduler, timeout=10)
        except (OSError, ValueError, TimeoutError) as error:
            raise InputError(f"--scheduler {scheduler}: no Dask scheduler answers there ({error})") from error
        with client:
            if not client.scheduler_info(n_workers=-1)["workers"]:
                raise InputError(f"--scheduler {scheduler} has no workers")
            yield client
        return
    one_thread = dict.fromkeys(("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    settings = {
        "distributed.nanny.pre-spawn-environ": one_thread,
        # what each worker did in each of the last 3600 s: up to a third of a megabyte a run, that nobody asks for
        "distributed.worker.profile.enabled": False,
    }
    with (
        config.set(settings),
        _uninterrupted(),
    ):
        local = LocalCluster(
            n_workers=workers or os.cpu_count() or 1,
            threads_per_worker=1,
            host="127.0.0.1",
            dashboard_address="127.0.0.1:0",
            memory_limit=0,
            silence_logs=logging.CRITICAL,
        )
    with local, Client(local) as client:
        yield client


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Let processes that start here ignore Ctrl-C, which is for the one that feeds them."""
    before = None
    with suppress(ValueError):  # not the main thread: no Ctrl-C to come
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        if before is not None:
            signal.signal(signal.SIGINT, before)
