"""Let Tiled find a node by one look-up of its path, not by one for each of its parts."""

from contextlib import suppress
from inspect import signature
from typing import Any

__all__ = ["look_up_at_once"]


def look_up_at_once() -> None:
    """Let Tiled, in this process, look a node up by its whole path; idempotent.

    Tiled 0.2.20 walks down from the root, four queries a step, so that an access policy is asked at each; a store has
    none. What is not found is left to Tiled's own walk, which says so.
    """
    from tiled.server import router
    from tiled.server.core import NoEntry
    from tiled.utils import BrokenLink

    walk = getattr(router.get_entry, "__wrapped__", router.get_entry)

    said = signature(walk)

    async def jump(*args: Any, **named: Any) -> Any:
        asked = said.bind(*args, **named)
        asked.apply_defaults()
        known = asked.arguments
        parts = [part for part in known["path"].split("/") if part]
        if known["access_policy"] is None and len(parts) > 1 and hasattr(known["root_tree"], "lookup_adapter"):
            with suppress(NoEntry, BrokenLink):
                known["root_tree"], known["path"] = await known["root_tree"].lookup_adapter(parts), ""
        return await walk(*asked.args, **asked.kwargs)

    jump.__wrapped__ = walk  # type: ignore[attr-defined]
    router.get_entry = jump
