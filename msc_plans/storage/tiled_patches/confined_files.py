"""Keep Tiled to the folders it may read: 0.2.20 compares names, so that ``..`` and links lead out of them."""

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

__all__ = ["confine_files"]


def confine_files() -> None:
    """Let Tiled, in this process, serve only files that lie within its storage after ``..`` and links; idempotent."""
    from tiled.catalog.adapter import CatalogNodeAdapter

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
