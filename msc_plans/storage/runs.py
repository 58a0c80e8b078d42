"""What stored runs say of themselves: one line each, or all of one run."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from msc_plans.storage.search import analyses_of

if TYPE_CHECKING:
    from bluesky_tiled_plugins.clients.catalog_of_bluesky_runs import CatalogOfBlueskyRuns

__all__ = ["RunSummary", "Stream", "documents", "in_order", "read_streams", "summaries"]


@dataclass(frozen=True)
class RunSummary:
    """A run in one line."""

    uid: str
    time: float
    """Time of its start, s since 1970."""
    scan_id: int | None
    purpose: str
    condition: Mapping[str, float] | None
    families: tuple[str, ...] | None
    """Found by the latest analysis; None where none has looked for families."""
    campaign_uid: str
    trial_id: str
    exit_status: str
    """Exit status of the stop document; ``unfinished`` without one."""


@dataclass(frozen=True)
class Stream:
    """The events of a stream."""

    data_keys: Mapping[str, Mapping[str, Any]]
    """As descriptors have them."""
    configuration: Mapping[str, Mapping[str, Any]]
    """Values by device and key, of the last descriptor."""
    data: Mapping[str, np.ndarray]
    """By key: shape (events, …). What lies in detectors' files is not among it."""
    external: Mapping[str, tuple[str, ...]]
    """Files by key, as URIs, of what a detector wrote itself."""


def summaries(catalog: "CatalogOfBlueskyRuns", runs: Sequence[Any]) -> list[RunSummary]:
    """Return one line for each run; the families that their analyses found are asked for once for all.

    Parameters
    ----------
    catalog : CatalogOfBlueskyRuns
        Where the analyses are looked for.
    runs : sequence of runs
        Of the catalogue.
    """
    starts = [run.metadata["start"] for run in runs]
    analyses = analyses_of(catalog, [start["uid"] for start in starts if "raw_uid" not in start])
    return [_summary(run, analyses.get(start["uid"], [])) for run, start in zip(runs, starts, strict=True)]


def _summary(run: Any, analyses: Sequence[Any]) -> RunSummary:
    start, stop = run.metadata["start"], run.metadata.get("stop") or {}
    told = [one["families"] for one in [start, *(a.metadata["start"] for a in analyses)] if "families" in one]
    return RunSummary(
        uid=start["uid"],
        time=start["time"],
        scan_id=start.get("scan_id"),
        purpose=start.get("purpose") or "",
        condition=start.get("condition"),
        families=tuple(told[-1]) if told else None,
        campaign_uid=start.get("campaign_uid") or "",
        trial_id=start.get("trial_id") or "",
        exit_status=stop.get("exit_status", "unfinished"),
    )


_ORDER = {"start": 0, "descriptor": 1, "stream_resource": 2, "stop": 4}


def in_order(documents: Iterable[tuple[str, dict[str, Any]]]) -> list[tuple[str, dict[str, Any]]]:
    """Return documents so that each comes after those it refers to, and events by their number.

    Tiled gives them by their time, which a clock that was set back in mid-run does not keep.
    """
    return sorted(documents, key=lambda item: (_ORDER.get(item[0], 3), item[1].get("seq_num", 0)))


def documents(run: Any) -> "Iterator[tuple[str, dict[str, Any]]]":
    """Give the documents of a stored run, a stream_resource and stream_datum for every file of a detector.

    Tiled's own export names the files of a detector that has written several by a template, or the first of them alone.

    Parameters
    ----------
    run : BlueskyRun
        Of the catalogue.

    Raises
    ------
    ValueError
        The frames can't be shared out among the files.
    """
    streams: dict[str, str] = {}
    resources: dict[str, dict[str, Any]] = {}
    for name, document in in_order(run.documents()):
        if name == "stream_resource":
            resources[document["uid"]] = document
        elif name == "stream_datum":
            resource = resources[document["stream_resource"]]
            files = _files(run[f"{streams[document['descriptor']]}/{resource['data_key']}"])
            yield from _by_file(resource, document, files)
        else:
            if name == "descriptor":
                streams[document["uid"]] = document["name"]
            yield name, document


def _files(client: Any) -> list[str]:
    assets = [asset for source in client.data_sources() for asset in source.assets]
    held = [asset for asset in assets if asset.parameter in ("data_uri", "data_uris")]
    return [asset.data_uri for asset in sorted(held, key=lambda asset: asset.num or 0)]


def _by_file(
    resource: Mapping[str, Any], datum: Mapping[str, Any], files: Sequence[str]
) -> "Iterator[tuple[str, dict[str, Any]]]":
    frames = datum["indices"]["stop"] - datum["indices"]["start"]
    each, left = divmod(frames, len(files)) if files else (0, 1)
    if left:
        raise ValueError(f"{resource['data_key']}: {frames} frames can't be shared out among {len(files)} files")
    parameters = {key: value for key, value in resource["parameters"].items() if key not in ("template", "chunk_shape")}
    for number, uri in enumerate(files):
        uid = f"{resource['uid']}-{number}"
        seen = {"start": number * each + 1, "stop": (number + 1) * each + 1}
        yield "stream_resource", {**resource, "uid": uid, "uri": uri, "parameters": parameters}
        yield (
            "stream_datum",
            {
                **datum,
                "uid": f"{datum['uid']}-{number}",
                "stream_resource": uid,
                "indices": {"start": 0, "stop": each},
                "seq_nums": seen,
            },
        )


def read_streams(run: Any) -> dict[str, Stream]:
    """Read all events of a run, by one request.

    Parameters
    ----------
    run : BlueskyRun
        Of the catalogue.
    """
    descriptors: dict[str, Any] = {}
    events: dict[str, list[Mapping[str, Any]]] = {}
    files: dict[str, dict[str, list[str]]] = {}
    resources: dict[str, Mapping[str, Any]] = {}
    for name, document in documents(run):
        if name == "descriptor":
            descriptors[document["uid"]] = document
        elif name == "event":
            events.setdefault(document["descriptor"], []).append(document["data"])
        elif name == "stream_resource":
            resources[document["uid"]] = document
        elif name == "stream_datum":
            resource = resources[document["stream_resource"]]
            of_key = files.setdefault(document["descriptor"], {}).setdefault(resource["data_key"], [])
            of_key.append(resource["uri"])
    streams: dict[str, Stream] = {}
    for uid, descriptor in descriptors.items():
        held = events.get(uid, [])
        streams[descriptor["name"]] = Stream(
            descriptor["data_keys"],
            {name: known["data"] for name, known in descriptor.get("configuration", {}).items()},
            {key: _array([data[key] for data in held]) for key in (held[0] if held else ())},
            {key: tuple(uris) for key, uris in files.get(uid, {}).items()},
        )
    return streams


def _array(values: list[Any]) -> np.ndarray:
    try:
        return np.asarray(values)
    except ValueError:  # arrays of several lengths
        found = np.empty(len(values), dtype=object)
        found[:] = values
        return found
