"""Analyse stored raw runs again with this version and settings, in parallel; results are stored beside earlier ones.

Ended early, by Ctrl-C or otherwise, the same command goes on where it was: what is stored already is not done again.
"""

import argparse
import json
from contextlib import ExitStack
from importlib.metadata import version

from msc_plans.cli.arguments.store import add_store_argument, opened_store, store_of
from msc_plans.cli.runs import add_search_arguments, wanted
from msc_plans.errors import InputError
from msc_plans.reprocess.job import JobProgress, cluster, reprocess, served
from msc_plans.reprocess.worker import Job

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``msc reprocess``."""
    add_store_argument(parser)
    add_search_arguments(parser)
    parser.add_argument(
        "--workers", type=int, metavar="N", help="number of processes on this machine (default: one a core)"
    )
    parser.add_argument(
        "--scheduler", metavar="URI", help="URI of a Dask scheduler whose workers see store and frames: tcp://…"
    )
    parser.add_argument("--label", default="", help="name under which to do it once more")
    parser.add_argument(
        "--spectrometer", default="spectrometer", help="name of the device of the spectra (default: %(default)s)"
    )
    parser.add_argument("--saxs", default="saxs", help="name of the device of the frames (default: %(default)s)")
    parser.add_argument("--json", action="store_true", help="print what was done as one JSON object")


def run(args: argparse.Namespace) -> int:
    """Reprocess; returns the exit code."""
    from msc_plans.settings import read_settings

    if args.workers is not None and (args.workers < 1 or args.scheduler):
        why = (
            "belongs to a cluster of its own; leave it out with --scheduler" if args.scheduler else "must be 1 or more"
        )
        raise InputError(f"--workers {args.workers} {why}")
    if args.purpose in ("analysis", "suggestion"):
        raise InputError(f"--purpose {args.purpose}: only raw runs are analysed")
    search = wanted(args) | {"purpose": args.purpose}
    settings = read_settings()
    where = store_of(args)
    progress = JobProgress()
    with ExitStack() as stack:
        uri, key = stack.enter_context(served(where))
        catalog = stack.enter_context(opened_store(where))
        job = Job(
            uri=uri,
            api_key=key,
            optics=settings.optics.model_dump_json(),
            spectrometer=args.spectrometer,
            saxs=args.saxs,
            version=version("msc-plans"),
            label=args.label,
            families=settings.families.read_text(encoding="utf-8") if settings.families else "",
        )
        client = stack.enter_context(cluster(args.workers, args.scheduler))
        try:
            reprocess(catalog, client, job, search, progress)
        finally:
            _say(job, progress, as_json=args.json)
    return 1 if progress.failed else 0


def _say(job: Job, progress: JobProgress, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps({"reprocess_uid": job.uid, **vars(progress)}))
        return
    said = [f"{progress.done} runs analysed, {progress.analyses} analyses stored"]
    for number, what in (
        (progress.before, "done before"),
        (progress.empty, "hold nothing to analyse"),
        (progress.failed, "failed; the same command tries them again"),
    ):
        if number:
            said.append(f"{number} {what}")
    print(f"reprocess {job.uid[:8]}: {'; '.join(said)}")
