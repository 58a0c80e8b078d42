"""Let Tiled write an array where a server that died has left a part of one."""

from functools import partial
from typing import Any

from msc_plans.patches import Patch, applies

__all__ = ["PATCH", "replace_leftovers"]

PATCH = Patch(
    name="tiled: leftover arrays",
    package="tiled",
    versions=">=0.2.20,<0.3",
    targets=("tiled.adapters.zarr:create_array",),
    kind="correctness",
    test="tests/integration/test_whole.py::test_an_array_of_which_a_dying_server_has_left_a_part_is_written_anew",
    fault=(
        "ZarrArrayAdapter.init_storage creates an array's files before its node is committed to the catalogue, and a "
        "deletion removes the node before the files. If the server is killed in between, files without a node stay "
        "behind, and every later attempt to create an array of that key fails with HTTP 500 (ContainsArrayError). "
        "Pass overwrite=True to zarr.create_array: the catalogue refuses a second node of the same key before that."
    ),
)


def replace_leftovers() -> None:
    """Let Tiled, in this process, write arrays over files that belong to no array; idempotent.

    Tiled 0.2.20 makes an array's files before it commits the array to the catalogue, and deletes them after it has
    deleted it there. Where it dies between, the files stay, and it would answer 500 to whoever writes that array, and
    so that run, again. Files of an array in the catalogue are safe: a second one of that name is refused before.
    """
    from tiled.adapters import zarr

    create: Any = zarr.create_array
    if applies(PATCH) and not isinstance(create, partial):
        zarr.create_array = partial(create, overwrite=True)
