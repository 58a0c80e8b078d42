"""Long benchmarks in parts: ``--chunk I/N``, and what each part found, kept in a folder until all are there."""

import argparse
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

__all__ = ["add_chunk_arguments", "keep", "kept", "parse_chunk", "run_jobs"]


def parse_chunk(text: str) -> tuple[int, int]:
    """Read ``i/n``."""
    part, _, parts = text.partition("/")
    try:
        found = int(part), int(parts)
    except ValueError:
        found = (0, 0)
    if not 1 <= found[0] <= found[1]:
        raise argparse.ArgumentTypeError(f"{text!r} is not i/n with i from 1 to n")
    return found


def add_chunk_arguments(parser: argparse.ArgumentParser, folder: str) -> None:
    """Add ``--chunk`` and ``--folder``."""
    parser.add_argument("--chunk", type=parse_chunk, metavar="I/N", help="part I of N, from 1")
    parser.add_argument("--folder", type=Path, default=Path(folder), help="of --chunk (default: %(default)s)")


def kept(folder: Path, name: str) -> Any:
    """What was kept under a name; None where nothing was."""
    path = folder / f"{name}.json"
    return json.loads(path.read_text()) if path.exists() else None


def keep(folder: Path, name: str, found: Any) -> None:
    """Keep what was found, whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    partial = folder / f"{name}.json.partial"
    partial.write_text(json.dumps(found))
    partial.replace(folder / f"{name}.json")


def run_jobs(
    jobs: Sequence[str], run: Callable[[str], Any], chunk: tuple[int, int] | None, folder: Path
) -> dict[str, Any]:
    """Run the jobs of a part that the folder does not have yet; returns what is known of all of them.

    Without a chunk all are run, and nothing is kept.
    """
    if chunk is None:
        return {job: run(job) for job in jobs}
    part, parts = chunk
    for job in jobs[part - 1 :: parts]:
        if kept(folder, job) is None:
            keep(folder, job, run(job))
    return {job: found for job in jobs if (found := kept(folder, job)) is not None}
