"""What a store's folder holds, and the Tiled server configuration on it.

::

    catalog.db      SQLite: metadata of every run         tables.duckdb  event tables
    data/           arrays (zarr)                         frames/        detector files, only read
    journal/        what each run said, written first (see ``journal``)
    api_key         the server's key, mode 0600           store.lock     who has it open (see ``lock``)
    tiled.log       what the server said

With PostgreSQL (see ``database``) ``store.toml`` says where catalogue and tables are; the rest is the same.
"""

import os
import secrets
from pathlib import Path
from typing import Any

from msc_plans.storage.database import read_database

__all__ = ["catalog_config", "prepare_folder", "read_api_key"]


def prepare_folder(folder: str | Path) -> Path:
    """Make the folder and what is in it where missing, and return its resolved path."""
    folder = Path(folder).expanduser().resolve()
    for name in ("data", "frames", "journal"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    return folder


def read_api_key(folder: str | Path) -> str:
    """Return the key of the folder's server; make it, readable by this user alone, where there is none."""
    path = Path(folder).expanduser() / "api_key"
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        key = path.read_text().strip()
        if not key.isalnum():
            raise ValueError(f"{path} holds no alphanumeric key; delete it, and the next start makes one") from None
        return key
    key = secrets.token_hex(32)
    with os.fdopen(descriptor, "w") as file:
        file.write(key)
    return key


def catalog_config(folder: Path, api_key: str | None = None, *, public: bool = False) -> dict[str, Any]:
    """Return the Tiled configuration of the store in `folder`.

    Parameters
    ----------
    folder : Path
        The store's folder, made by `prepare_folder`.
    api_key : str, optional
        The key that clients must show. Without one Tiled invents it at each start.
    public : bool
        Let clients read without a key; who writes must show it all the same.
    """
    folder = Path(folder).resolve()
    postgresql = read_database(folder).postgresql
    return {
        "trees": [
            {
                "path": "/",
                "tree": "catalog",
                "args": {
                    "uri": postgresql or f"sqlite:///{folder / 'catalog.db'}",
                    "writable_storage": [
                        (folder / "data").as_uri(),
                        postgresql or f"duckdb:///{folder / 'tables.duckdb'}",
                    ],
                    "readable_storage": [(folder / "frames").as_uri()],
                    # Beside `tree` Tiled would ignore it, and the client would know no `catalog[-1]`.
                    "specs": [{"name": "CatalogOfBlueskyRuns", "version": "3.0"}],
                },
            }
        ],
        "media_types": {"BlueskyRun": {"application/json-seq": "bluesky_tiled_plugins.exporters:json_seq_exporter"}},
        "routers": ["bluesky_tiled_plugins.routers.validator:router"],
        # said either way, or the environment (TILED_ALLOW_ANONYMOUS_ACCESS) could open it
        "authentication": {"allow_anonymous_access": public} | ({"single_user_api_key": api_key} if api_key else {}),
    }
