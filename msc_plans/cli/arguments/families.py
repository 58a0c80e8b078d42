"""The family table of a command: that of ``--families``, or else of the settings."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from msc_plans.errors import InputError

if TYPE_CHECKING:
    from msc_plans.families import FamilyTable

__all__ = ["add_families_argument", "families_of"]


def add_families_argument(parser: argparse._ActionsContainer) -> None:
    """Add ``--families``."""
    parser.add_argument(
        "--families",
        type=Path,
        metavar="TOML",
        help="table of families and their material (default: MSC_FAMILIES, msc.toml or the built-in one of CdSe)",
    )


def families_of(args: argparse.Namespace) -> "FamilyTable":
    """Return the table.

    Raises
    ------
    InputError
        It can't be read; the message names the file.
    """
    from msc_plans.families import load_families
    from msc_plans.settings import read_settings

    if args.families is None:
        return read_settings().family_table
    try:
        return load_families(args.families)
    except OSError as error:
        raise InputError(f"--families {args.families}: {error.strerror}") from error
    except ValueError as error:
        raise InputError(f"--families {error}") from error
