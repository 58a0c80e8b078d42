"""Bring journalled runs that a catalogue lacks into it: after an outage, or all of them into a new one."""

import argparse

from msc_plans.cli.arguments.store import add_store_folder_argument, store_folder
from msc_plans.errors import InputError

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``msc replay``."""
    add_store_folder_argument(parser)
    parser.add_argument(
        "--catalog", default="", help="folder or URI of the catalogue to fill (default: the store's own)"
    )


def run(args: argparse.Namespace) -> int:
    """Replay; returns 1 where a journal can't be read."""
    from tqdm import tqdm

    from msc_plans.storage import StoreBusyError, opened, replay
    from msc_plans.storage.journal import archive, is_written, journals, read_journal, stored_journals

    store = store_folder(args)
    folder = store / "journal"
    if not folder.is_dir():
        raise InputError(f"{store} holds no journals (there is no {folder})")
    waiting = [path for path in journals(folder) if not is_written(path)]
    written, unreadable = 0, []
    try:
        with opened(args.catalog or store, create=bool(args.catalog)) as catalog:
            for path in tqdm([*stored_journals(folder), *waiting], unit="run", disable=None, leave=False):
                try:
                    written += replay(catalog, path)
                    if path in waiting and not args.catalog:
                        archive(path, read_journal(path)[0][1].get("time", 0.0))
                except FileNotFoundError:
                    continue  # a session has stored it meanwhile
                except ValueError as error:
                    unreadable.append(str(error))
    except (StoreBusyError, ConnectionError, OSError) as error:
        raise InputError(str(error)) from error
    print(f"{written} runs written to {args.catalog or store}")
    for problem in unreadable:
        print(problem)
    return bool(unreadable)
