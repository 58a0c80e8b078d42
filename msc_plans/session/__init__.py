"""Join settings, devices, store and live analysis into a session.

`open_session` is loaded when it is first asked for: it imports bluesky, ophyd and Tiled, which takes a second or two.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from msc_plans.session.session import Session, open_session

__all__ = ["Session", "open_session"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from msc_plans.session import session

    return getattr(session, name)
