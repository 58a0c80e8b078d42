"""Let FastAPI work out once, and not for every request, what a handler of Tiled depends on."""

from functools import wraps
from typing import Any

from msc_plans.patches import Patch, applies

__all__ = ["PATCH", "remember_dependants"]

PATCH = Patch(
    name="fastapi: dependants",
    package="fastapi",
    versions=">=0.115,<1",
    targets=("fastapi.dependencies.utils:get_dependant",),
    kind="speed",
    test="tests/unit/storage/tiled_patches/test_fastapi_dependants.py",
    fault=(
        "solve_dependencies calls get_dependant for every dependency of every request as soon as the app has any "
        "entry in dependency_overrides, and so inspects all signatures again: 3 ms of a short request in FastAPI "
        "0.165. Cache the Dependant by its arguments, or look it up only for the dependency that is overridden."
    ),
)


def remember_dependants() -> None:
    """Remember, in this process, what each dependency of a request needs; call it once the app is built; idempotent.

    Where an app overrides any dependency, as Tiled's does that of its settings, FastAPI 0.165 inspects the signatures
    of all dependencies again for every request: 3 ms, a third of the time of a short one.
    """
    from fastapi.dependencies import utils

    if not applies(PATCH):
        return

    get_dependant = getattr(utils.get_dependant, "__wrapped__", utils.get_dependant)
    known: dict[Any, Any] = {}

    @wraps(get_dependant)  # so that the next call finds what this one wraps
    def remembered(*rest: Any, **asked: Any) -> Any:
        if rest:
            return get_dependant(*rest, **asked)
        key = tuple((name, tuple(value) if isinstance(value, list) else value) for name, value in asked.items())
        if key not in known:
            known[key] = get_dependant(**asked)
        return known[key]

    utils.get_dependant = remembered
