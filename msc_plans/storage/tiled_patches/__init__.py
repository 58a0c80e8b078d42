"""Patches of Tiled and of what serves it; each module holds one, with the fault upstream that it mends."""

from msc_plans.storage.tiled_patches.confined_files import confine_files
from msc_plans.storage.tiled_patches.fair_server import server_class
from msc_plans.storage.tiled_patches.fastapi_dependants import remember_dependants
from msc_plans.storage.tiled_patches.leftover_arrays import replace_leftovers
from msc_plans.storage.tiled_patches.table_connections import connect_each_request

__all__ = ["patch_tiled", "remember_dependants", "server_class"]


def patch_tiled() -> None:
    """Patch Tiled in this process, before an app is built; calling it twice does no harm.

    Raises
    ------
    PatchError
        The installed Tiled isn't one that the patches were written for.
    """
    confine_files()
    connect_each_request()
    replace_leftovers()
