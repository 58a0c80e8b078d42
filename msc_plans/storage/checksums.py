"""Checksums of detectors' files, beside the journal of the run that took them: ``<uid>.sha256``."""

import hashlib
from pathlib import Path

from msc_plans.storage.journal import Document

__all__ = ["frame_files", "read_checksums", "sha256", "write_checksums"]


def frame_files(documents: list[Document]) -> list[Path]:
    """Return the files of detectors that a run's documents name, one for each resource document, in their order."""
    resources = [doc for name, doc in documents if name == "resource"]
    return [Path(doc["root"], doc["resource_path"]) for doc in resources]


def sha256(path: Path) -> str:
    """Return a file's SHA-256 in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_checksums(journal: Path, documents: list[Document]) -> None:
    """Write the checksums of a run's files beside its journal, in the form that ``sha256sum --check`` reads.

    A file that is not there has no line.
    """
    lines = [f"{sha256(path)}  {path}\n" for path in frame_files(documents) if path.is_file()]
    if lines:
        journal.with_suffix(".sha256").write_text("".join(lines), encoding="utf-8")


def read_checksums(journal: Path) -> dict[Path, str]:
    """Return the checksums beside a journal, by file."""
    path = journal.with_suffix(".sha256")
    if not path.exists():
        return {}
    lines = [line.partition("  ") for line in path.read_text(encoding="utf-8").splitlines()]
    return {Path(file): digits for digits, _, file in lines}
