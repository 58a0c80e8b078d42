"""Journal against catalogue: every document, every frame; and from the journals back into a catalogue.

Compared exactly, NaN equal to NaN: start and stop documents, what descriptors say of keys and configuration, data,
timestamps and numbers of events. Event uids are made anew by Tiled. For each image that events refer to, the file must
have the SHA-256 that it had when the run was stored, and the frames read from the catalogue must be those of the file.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from msc_plans.storage.checksums import frame_files, read_checksums, sha256
from msc_plans.storage.complete_runs import make_room, tiled_writer
from msc_plans.storage.journal import Document, read_journal
from msc_plans.storage.runs import in_order

__all__ = ["RunReport", "replay", "verify"]


@dataclass
class RunReport:
    """What is wrong with one run; nothing is when `problems` is empty."""

    uid: str
    documents: int = 0
    frames: int = 0
    problems: list[str] = field(default_factory=list)


def verify(catalog: Any, journal: Path) -> RunReport:
    """Compare a run's journal with what the catalogue has of it.

    Parameters
    ----------
    catalog : CatalogOfBlueskyRuns
        From `open_catalog`.
    journal : Path
        One of `stored_journals` or `journals`.

    Raises
    ------
    ValueError
        The journal can't be read.
    """
    documents = read_journal(journal)
    report = RunReport(documents[0][1]["uid"], len(documents))
    if report.uid not in catalog:
        report.problems.append("not in the catalogue")
        return report
    run = catalog[report.uid]
    expected, found = _parts(documents), _parts(in_order(run.documents()))
    if not run.metadata.get("stop"):
        found.pop("stop", None)  # Tiled makes one up for a run that has none
    for part in expected:
        report.problems += _differences(expected[part], found.get(part), part)
    report.problems += [f"{part} is in the catalogue only" for part in found.keys() - expected.keys()]
    if not report.problems:
        report.problems += _frame_problems(run, documents, journal, report)
    return report


def replay(catalog: Any, journal: Path) -> bool:
    """Write a journalled run that the catalogue lacks, or has in part; False where it has it whole.

    Raises
    ------
    ValueError
        The journal can't be read.
    """
    documents = read_journal(journal)
    uid = documents[0][1]["uid"]
    over = documents[-1][0] == "stop"
    # of a run that is not over the catalogue may have as much as the journal
    if make_room(catalog, [uid]) if over else uid in catalog:
        return False
    write = tiled_writer(catalog, live=not over)
    for name, doc in documents:
        write(name, doc)
    return True


def _parts(documents: list[Document]) -> dict[str, Any]:
    """Return what is compared, by a name that a person understands."""
    parts: dict[str, Any] = {}
    streams: dict[str, dict[str, Any]] = {}
    for name, doc in documents:
        if name in ("start", "stop"):
            parts[name] = doc
        elif name == "descriptor":
            streams[doc["uid"]] = doc
            keys = {key: _without(told, "dtype_numpy", "external") for key, told in doc["data_keys"].items()}
            configuration = {device: told.get("data", {}) for device, told in doc.get("configuration", {}).items()}
            parts[f"stream {doc['name']}"] = {"data_keys": keys, "configuration": configuration}
        elif name == "event":
            stream = streams[doc["descriptor"]]
            inside = [key for key, told in stream["data_keys"].items() if not told.get("external")]
            parts[f"event {doc['seq_num']} of {stream['name']}"] = {
                "time": doc["time"],
                "data": {key: doc["data"].get(key) for key in inside},
                "timestamps": {key: doc["timestamps"].get(key) for key in inside},
            }
    return parts


def _without(told: dict[str, Any], *names: str) -> dict[str, Any]:
    return {key: value for key, value in told.items() if key not in names}


def _differences(expected: Any, found: Any, where: str) -> Iterator[str]:
    if hasattr(found, "tolist"):
        found = found.tolist()
    if isinstance(expected, dict) and isinstance(found, dict):
        for key in expected.keys() | found.keys():
            yield from _differences(expected.get(key), found.get(key), f"{where}, {key}")
    elif isinstance(expected, list) and isinstance(found, list | tuple):
        if len(expected) != len(found):
            yield f"{where}: {len(expected)} values in the journal, {len(found)} in the catalogue"
        for number, (one, other) in enumerate(zip(expected, found, strict=False)):
            yield from _differences(one, other, f"{where}[{number}]")
    elif expected != found and not (expected != expected and found != found):
        yield f"{where}: {expected!r:.60} in the journal, {found!r:.60} in the catalogue"


def _frame_problems(run: Any, documents: list[Document], journal: Path, report: RunReport) -> Iterator[str]:
    import h5py
    import numpy as np

    sums = read_checksums(journal)
    files: dict[tuple[str, str], list[Path]] = {}
    paths = frame_files(documents)
    resources = {doc["uid"]: path for doc, path in zip(_named(documents, "resource"), paths, strict=True)}
    streams = {doc["uid"]: doc for doc in _named(documents, "descriptor")}
    for event in _named(documents, "event"):
        stream = streams[event["descriptor"]]
        for key in (key for key, told in stream["data_keys"].items() if told.get("external")):
            files.setdefault((stream["name"], key), []).append(resources[event["data"][key].partition("/")[0]])
    for (stream, key), paths in files.items():
        stored = run[stream][key]
        for number, path in enumerate(paths):
            report.frames += 1
            try:
                if sums.get(path) not in (None, sha256(path)):
                    yield f"{path} is not what it was when it was stored (SHA-256)"
                    continue  # a damaged file can crash the HDF5 library
                with h5py.File(path) as file:
                    frame = np.asarray(file["entry/data/data"])
                if not np.array_equal(np.squeeze(stored[number]), np.squeeze(frame)):
                    yield f"frame {number} of {key} in the catalogue is not that of {path}"
            except Exception as error:  # noqa: BLE001  whatever file or server raise, it is a finding
                yield f"{path} can't be read ({error})"


def _named(documents: list[Document], wanted: str) -> list[dict[str, Any]]:
    return [doc for name, doc in documents if name == wanted]
