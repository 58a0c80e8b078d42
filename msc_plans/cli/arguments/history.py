"""What was measured before, from a file of JSON lines, stdin or a store: for ``msc suggest`` and ``msc fit``."""

import argparse
import json
import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from msc_plans.cli.arguments.store import reach
from msc_plans.condition import Condition
from msc_plans.errors import InputError
from msc_plans.kinetics.observation import OPTIONAL_KEYS, Observables, Observation
from msc_plans.storage.client import is_uri

__all__ = ["HistoryPoint", "MeasuredHistory", "add_history_arguments", "is_folder", "read_history"]

_KEEP = 40
"""Characters of a broken line that are shown."""


@dataclass(frozen=True)
class HistoryPoint:
    """One measured condition: where, what was seen, and the outcome's numbers by key."""

    condition: Condition
    observation: Observation
    outcome: dict[str, float]


@dataclass
class MeasuredHistory:
    """What was measured, in its order, and the conditions that failed."""

    observables: Observables
    """What each record tells of."""
    points: list[HistoryPoint] = field(default_factory=list)
    failed: list[Condition] = field(default_factory=list)

    def __str__(self) -> str:
        number = len(self.points)
        measured = f"{number} condition{'' if number == 1 else 's'} measured" if number else "nothing measured yet"
        return measured + (f", {len(self.failed)} failed" if self.failed else "")

    def add(self, record: Mapping[str, Any], where: str) -> None:
        """Take in one record; ``where`` it stands goes into the error."""
        failed = record.get("failed", False)
        if not isinstance(failed, bool):
            raise InputError(f"{where}: failed must be true or false, not {failed!r}")
        try:
            condition = Condition.from_mapping(record)
            condition.check_plausible()
        except (ValueError, OverflowError) as error:
            raise InputError(f"{where}: {error}; a condition is two temperatures in °C and a time in s") from error
        if failed:
            self.failed.append(condition)
            return
        try:
            seen = self.observables.observation(record)
        except (ValueError, OverflowError) as error:
            raise InputError(f"{where}: {error}; the keys are listed in docs/advisor.md") from error
        keys = (*self.observables.outcome_keys, *OPTIONAL_KEYS)
        _check_sigmas(record, keys, where)
        numbers = {key: _number(record[key]) for key in keys if key in record}
        self.points.append(HistoryPoint(condition, seen, numbers))


def add_history_arguments(parser: argparse.ArgumentParser) -> None:
    """Add where the history comes from."""
    parser.add_argument(
        "history",
        metavar="HISTORY",
        help="file of JSON lines (one condition and its outcome each), - for stdin, or folder or URI of a store",
    )
    parser.add_argument(
        "--campaign",
        metavar="UID",
        help="uid of the campaign to read from a store, or how it begins (default: the latest)",
    )


def read_history(args: argparse.Namespace, observables: Observables) -> MeasuredHistory:
    """Read what ``HISTORY`` names: of each condition what `observables` tells of.

    Raises
    ------
    InputError
        It can't be read, or a record isn't as it should be; the message says where.
    """
    source: str = args.history
    if is_uri(source) or (source != "-" and is_folder(source)):
        return _from_store(source, args.campaign, observables)
    if args.campaign is not None:
        raise InputError(f"--campaign is for a store; {source} is {'stdin' if source == '-' else 'a file'}")
    if source == "-":
        return _from_lines(sys.stdin.buffer.read(), "stdin", observables)
    try:
        return _from_lines(Path(source).read_bytes(), source, observables)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"{source}: {reason}; give a file of JSON lines, a store's folder, or - for stdin") from error


def is_folder(path: str | Path) -> bool:
    """Return whether there is such a folder; False for a name that is too long."""
    try:
        return Path(path).is_dir()
    except OSError:
        return False


def _number(value: Any) -> float:
    return math.nan if value is None else float(value)


def _check_sigmas(record: Mapping[str, Any], keys: Sequence[str], where: str) -> None:
    for key in keys:
        if key.endswith("_sigma") and key in record:
            value = _number(record[key])
            # A height below what can be seen is 0 ± 0 at times; no maximum is exact.
            if value < 0 or (value == 0 and key == "nc_wavelength_nm_sigma"):
                raise InputError(f"{where}: {key} must be above 0, not {value:g}; give null where it isn't known")


def _from_lines(content: bytes, name: str, observables: Observables) -> MeasuredHistory:
    history = MeasuredHistory(observables)
    for number, raw in enumerate(content.removeprefix(b"\xef\xbb\xbf").splitlines(), 1):
        where = f"{name}:{number}"
        if not raw.strip():
            continue
        try:
            record = json.loads(raw.decode())
        except UnicodeDecodeError as error:
            raise InputError(f"{where}: byte {raw[error.start]:#x} is no UTF-8; save the file as UTF-8") from error
        except (ValueError, RecursionError) as error:
            why = f"{error.msg} at column {error.colno}" if isinstance(error, json.JSONDecodeError) else str(error)
            shown = raw.strip().decode()
            shown = shown if len(shown) <= _KEEP else f"{shown[:_KEEP]}…"
            raise InputError(f"{where}: {shown!r} is no JSON ({why}); give one whole object a line") from error
        if not isinstance(record, dict):
            raise InputError(f"{where}: is a {type(record).__name__}, not an object; give one object a line")
        history.add(record, where)
    return history


def _from_store(where: str, campaign: str | None, observables: Observables) -> MeasuredHistory:
    from msc_plans.storage import CatalogHistory, opened

    try:
        if is_uri(where):
            reach(where)
        with opened(where) as catalog:
            stored = CatalogHistory(catalog)
            uid = _campaign(stored.campaigns(), campaign, where)
            return MeasuredHistory(observables) if uid is None else _of_campaign(stored, uid, where, observables)
    except InputError:
        raise
    except FileNotFoundError as error:
        raise InputError(
            f"{where}: is a folder without a store (no catalog.db in it); give the one that runs are stored in"
        ) from error
    except Exception as error:  # Tiled, its database and the network each raise their own
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InputError(f"{where}: the store can't be read: {reason}") from error


def _campaign(known: list[str], wanted: str | None, where: str) -> str | None:
    if wanted is None:
        return known[-1] if known else None
    found = [uid for uid in known if uid.startswith(wanted)]
    if len(found) == 1 or wanted in found:
        return wanted if wanted in found else found[0]
    shown = [uid[:8] for uid in (found or known)[-8:]]
    said = "begins the uid of more than one campaign" if found else "isn't a campaign of this store"
    raise InputError(f"{where}: --campaign {wanted!r} {said}; there are {', '.join(shown) or 'none'}")


def _of_campaign(stored: Any, uid: str, where: str, observables: Observables) -> MeasuredHistory:
    history = MeasuredHistory(observables)
    failures = stored.failures(uid)
    measured = set()
    for record in stored.outcomes(uid):
        trial = record["_id"]
        if trial in failures and not set(observables.outcome_keys) <= set(record):
            continue
        history.add({key: value for key, value in record.items() if key != "failed"}, f"{where}: {trial}")
        measured.add(trial)
    for trial, condition in failures.items():
        if trial not in measured:
            history.add({**condition, "failed": True}, f"{where}: {trial}")
    return history
