"""Whole runs into a catalogue, each once: what writes a run, and what is there of it already."""

import threading
import time
import warnings
from collections.abc import Sequence
from functools import cache
from typing import Any

from msc_plans.patches import Patch, applies
from msc_plans.storage.search import runs_by_uid

__all__ = ["PATCH", "make_room", "tiled_writer"]

PATCH = Patch(
    name="bluesky-tiled-plugins: rows twice",
    package="bluesky-tiled-plugins",
    versions=">=2.0.12,<3",
    targets=(
        "bluesky_tiled_plugins:TiledWriter._factory",
        "bluesky_tiled_plugins.writing.tiled_writer:RunNormalizer",
        "bluesky_tiled_plugins.writing.tiled_writer:_RunWriter._append_with_retry",
    ),
    kind="correctness",
    test="tests/integration/test_whole.py::test_rows_that_a_dying_server_took_already_are_there_once",
    fault=(
        "_RunWriter._append_with_retry appends the same rows again when the first attempt fails. A server that dies "
        "after committing the rows and before answering has them already, so that they are in the table twice. "
        "Append with an expected row number that the server checks, or fail and let the caller write the run anew."
    ),
)

_LOOK_AGAIN_S = 0.2


def tiled_writer(catalog: Any, *, live: bool = False) -> Any:
    """Return the callback that writes a run's documents to a catalogue.

    What it raises leaves a part of the run in the catalogue, and the callback of no more use: `make_room`, then write
    the run anew by another one.

    Parameters
    ----------
    catalog : CatalogOfBlueskyRuns
        Of a server, or of an app in this process.
    live : bool
        The run is not over: each event is there for readers when it happens, not all of them when the run ends.
    """
    # event_model, beside raising what the store says to a start document, warns with a guess at the reason
    warnings.filterwarnings("ignore", message="The callback <bluesky_tiled_plugins", category=UserWarning)
    # Short arrays, kept in tables by default, would be text in xarray (`run["primary"].read()`), and an empty one would
    # not be taken.
    return _once_writer()(catalog, batch_size=1 if live else 10_000, max_array_size=0)


@cache
def _once_writer() -> Any:
    """TiledWriter that appends no row twice; made when it is needed, for Tiled takes a second to import."""
    from bluesky_tiled_plugins import TiledWriter
    from bluesky_tiled_plugins.writing.tiled_writer import RunNormalizer, _RunWriter

    if not applies(PATCH):
        return TiledWriter

    class OnceRunWriter(_RunWriter):
        def _append_with_retry(self, df_client: Any, table: Any, desc_name: str) -> None:
            # a server that dies may have taken the rows already, and would take them again
            df_client.append_partition(0, table)

    class OnceWriter(TiledWriter):
        def _factory(self, name: str, doc: dict[str, Any]) -> tuple[list[Any], list[Any]]:
            writer = OnceRunWriter(self.client, batch_size=self._batch_size, max_array_size=self._max_array_size)
            normalizer = RunNormalizer()
            normalizer.subscribe(writer)
            return [normalizer], []

    return OnceWriter


def make_room(catalog: Any, uids: Sequence[str], patience_s: float = 0.0) -> set[str]:
    """Delete the runs that a catalogue has in part, so that they can be written anew; detectors' files stay.

    Parameters
    ----------
    catalog : CatalogOfBlueskyRuns
        Of a server, or of an app in this process.
    uids : sequence of str
        Of the runs to be written.
    patience_s : float
        How long a run that another may be writing just now is given to become whole.

    Returns
    -------
    set of str
        Uids of those that are there whole, which are left alone.
    """
    given_up = time.monotonic() + patience_s
    while True:
        there = runs_by_uid(catalog, uids)
        parts = {uid for uid, run in there.items() if not run.metadata.get("stop")}
        if not parts or time.monotonic() >= given_up:
            break
        threading.Event().wait(_LOOK_AGAIN_S)
    for uid in parts:
        catalog.delete_contents(uid, recursive=True, external_only=False)
    return there.keys() - parts
