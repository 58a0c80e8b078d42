"""Find runs by what their documents say: ordinary Tiled queries, answered by the server.

Why there is no index of our own, and how families became searchable: docs/decisions/2026-11-23-search.md.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bluesky_tiled_plugins.clients.catalog_of_bluesky_runs import CatalogOfBlueskyRuns

__all__ = ["analyses_of", "find_analyses", "find_runs", "newest", "newest_raw", "runs_by_uid", "suggestions_of"]

_PAGE = 100
"""Runs asked for at once: as many uids fit in a URL."""
_UID_LENGTH = 36


def find_runs(
    catalog: "CatalogOfBlueskyRuns",
    *,
    raw: bool = False,
    purpose: str = "",
    campaign: str = "",
    condition: Mapping[str, tuple[float, float]] | None = None,
    since: float | None = None,
    exit_status: str = "",
) -> "CatalogOfBlueskyRuns":
    """Return the part of a catalogue that fulfils all that is given.

    Parameters
    ----------
    catalog : CatalogOfBlueskyRuns
        From `open_catalog`, or a part of it.
    raw : bool
        Neither analyses nor suggestions.
    purpose, exit_status : str
        As in the start and stop documents.
    campaign : str
        Its uid, or how that begins.
    condition : mapping, optional
        Lowest and highest value (both included) by ``nucleation_temperature`` and ``growth_temperature`` (°C) and
        ``residence_time`` (s).
    since : float, optional
        Earliest start, s since 1970.
    """
    from tiled.queries import Key, KeyPresent

    found: Any = catalog
    if raw:
        # Not by purpose: a run without one must stay, and SQLite would not say that it is another one.
        for only_in_derived in ("raw_uid", "decision"):
            found = found.search(KeyPresent(only_in_derived, exists=False))
    if purpose:
        found = found.search(Key("purpose") == purpose)
    if exit_status:
        found = found.search(Key("stop.exit_status") == exit_status)
    if since is not None:
        found = found.search(Key("time") >= float(since))
    return _described(found, campaign, condition)


def find_analyses(
    catalog: "CatalogOfBlueskyRuns",
    *,
    analysis: str = "",
    family: str = "",
    campaign: str = "",
    condition: Mapping[str, tuple[float, float]] | None = None,
    since: float | None = None,
) -> "CatalogOfBlueskyRuns":
    """Return the analysis runs that fulfil all that is given, of any version.

    Parameters
    ----------
    analysis : str
        ``uvvis``, ``saxs``, ``lamellae``, ``joint`` or ``background``.
    family : str
        Name of a family that an analysis found in the spectrum.
    campaign, condition
        As for `find_runs`.
    since : float, optional
        Earliest start of the raw run, s since 1970.
    """
    from tiled.queries import Contains, Key

    found: Any = catalog.search(Key("purpose") == "analysis")
    if analysis:
        found = found.search(Key("analysis") == analysis)
    if family:
        # A list is text to the database: with its quotes the name is that of one whole item.
        found = found.search(Contains("families", f'"{family}"'))
    if since is not None:
        found = found.search(Key("raw_time") >= float(since))
    return _described(found, campaign, condition)


def _described(found: Any, campaign: str, condition: Mapping[str, tuple[float, float]] | None) -> Any:
    from tiled.queries import Key, Like

    if campaign:
        whole = len(campaign) == _UID_LENGTH  # for this PostgreSQL has an index
        found = found.search(Key("campaign_uid") == campaign if whole else Like("campaign_uid", f"{campaign}%"))
    for name, (low, high) in (condition or {}).items():
        # As floats: SQLite compares as the type it is given.
        key = Key(f"condition.{name}")
        found = found.search(key >= float(low)).search(key <= float(high))
    return found


def newest(found: "CatalogOfBlueskyRuns", limit: int, by: str = "start.time") -> list[Any]:
    """Return the latest runs by the time they name, oldest of them first."""
    return found.sort((by, -1)).values().page_size(_PAGE)[:limit][::-1]


def newest_raw(
    catalog: "CatalogOfBlueskyRuns", analyses: "CatalogOfBlueskyRuns", limit: int, purpose: str = ""
) -> list[Any]:
    """Return the latest raw runs that any of these analyses is of, oldest of them first."""
    found: dict[str, Any] = {}
    known: set[str] = set()
    latest = analyses.sort(("start.raw_time", -1)).values()
    first, size = 0, min(limit, _PAGE)
    while len(found) < limit and (page := latest.page_size(size)[first : first + size]):
        uids = [uid for run in page if (uid := run.metadata["start"]["raw_uid"]) not in known]
        known.update(uids)
        found |= {
            uid: run
            for uid, run in runs_by_uid(catalog, uids).items()
            if not purpose or run.metadata["start"].get("purpose") == purpose
        }
        # each page costs a search, and of runs analysed many times it takes many analyses
        first, size = first + size, min(2 * size, _PAGE)
    ordered = sorted(found.values(), key=lambda run: run.metadata["start"]["time"])
    return ordered[-limit:]


def runs_by_uid(catalog: "CatalogOfBlueskyRuns", uids: Sequence[str]) -> dict[str, Any]:
    """Return the runs of these uids that there are; quick in a catalogue of any size."""
    from tiled.queries import KeysFilter

    return {
        uid: run
        for part in _parts(list(dict.fromkeys(uids)))
        for uid, run in catalog.search(KeysFilter(part)).items()[: len(part)]
    }


def analyses_of(catalog: "CatalogOfBlueskyRuns", raw_uids: Sequence[str]) -> dict[str, list[Any]]:
    """Return the analysis runs of raw runs, oldest first, by the uid of the raw run."""
    from tiled.queries import In

    found: dict[str, list[Any]] = {uid: [] for uid in raw_uids}
    for part in _parts(list(found)):
        for run in catalog.search(In("raw_uid", part)).values().page_size(_PAGE):
            found[run.metadata["start"]["raw_uid"]].append(run)
    return {uid: sorted(runs, key=lambda run: run.metadata["start"]["time"]) for uid, runs in found.items()}


def suggestions_of(catalog: "CatalogOfBlueskyRuns", trial_id: str) -> list[Any]:
    """Return the suggestion runs of a trial, oldest first."""
    from tiled.queries import Key

    found = catalog.search(Key("trial_id") == trial_id).search(Key("purpose") == "suggestion")
    return sorted(found.values(), key=lambda run: run.metadata["start"]["time"])


def _parts(uids: Sequence[str]) -> Iterator[list[str]]:
    for first in range(0, len(uids), _PAGE):
        yield list(uids[first : first + _PAGE])
