"""Keep Tiled to the folders it may read: 0.2.20 compares names, so that ``..`` and links lead out of them."""

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from msc_plans.patches import Patch, applies

__all__ = ["PATCH", "confine_files"]

PATCH = Patch(
    name="tiled: files outside the store",
    package="tiled",
    versions=">=0.2.20,<0.3",
    targets=("tiled.catalog.adapter:CatalogNodeAdapter._ensure_uri_within_readable_storage",),
    kind="security",
    test="tests/integration/test_doors.py::test_the_store_serves_no_file_from_outside_its_folder",
    fault=(
        "CatalogNodeAdapter._ensure_uri_within_readable_storage compares the text of an asset's URI with the "
        "prefixes of readable_storage. A URI such as file://localhost/store/frames/../../etc/passwd, or one that "
        "leads through a symbolic link inside the storage, passes, and the adapter reads the file. Resolve the path "
        "(Path.resolve) before comparing, and compare path components rather than text."
    ),
)


def confine_files() -> None:
    """Let Tiled, in this process, serve only files that lie within its storage after ``..`` and links; idempotent."""
    from tiled.catalog.adapter import CatalogNodeAdapter

    if applies(PATCH):
        CatalogNodeAdapter._ensure_uri_within_readable_storage = _ensure_inside


def _ensure_inside(self: Any, data_uri: str) -> None:
    from tiled.storage import FileStorage
    from tiled.utils import path_from_uri

    scheme = urlsplit(data_uri).scheme
    if scheme in ("duckdb", "postgresql", "sqlite"):
        return  # tables: Tiled writes them itself, and looks their storage up by its name
    if scheme == "file":
        path = path_from_uri(data_uri).resolve()
        folders = [Path(one.path) for one in self.context.readable_storage.values() if isinstance(one, FileStorage)]
        if any(path.is_relative_to(folder.resolve()) for folder in folders):
            return
    raise RuntimeError(f"Refusing to serve {data_uri} because it is outside the readable storage area for this server.")
