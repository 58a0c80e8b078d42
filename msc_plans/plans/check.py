"""Refusals of arguments before anything moves; the words name the argument, its value and what it may be."""

from collections.abc import Collection, Mapping, Sequence
from numbers import Real
from typing import Any

from msc_plans.condition import is_finite

__all__ = [
    "MOST_CONDITIONS",
    "as_numbers",
    "check_choice",
    "check_count",
    "check_flag",
    "check_number",
    "check_texts",
    "check_words",
]

MOST_CONDITIONS = 10_000


def check_number(name: str, value: Any, above: float, most: float, unit: str) -> None:
    """Raise ValueError unless a value is a number above one limit and not above the other."""
    if not _is_number(value) or not above < value <= most:
        raise ValueError(f"{name} must be above {above:g} and at most {most:g} {unit}, not {value!r}")


def check_count(name: str, value: Any, least: int = 1) -> None:
    """Raise ValueError unless a value is a whole number, not below a limit, and not absurdly high."""
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ValueError(f"{name} must be {least} or more, not {value!r}")
    if value > MOST_CONDITIONS:
        raise ValueError(f"{name} must be at most {MOST_CONDITIONS}")


def check_flag(name: str, value: Any) -> None:
    """Raise ValueError unless a value is true or false."""
    if not isinstance(value, bool):
        raise ValueError(f"{name} must be True or False, not {value!r}")


def check_choice(name: str, value: Any, choices: Sequence[str]) -> None:
    """Raise ValueError unless a value is one of a few words."""
    if not isinstance(value, str) or value not in choices:
        raise ValueError(f"{name} must be {' or '.join(map(repr, choices))}, not {value!r}")


def check_words(name: str, value: Any, known: Collection[str]) -> None:
    """Raise ValueError unless a value is a list of words that are known."""
    _check_list(name, value)
    for one in value:
        if not isinstance(one, str) or one not in known:
            raise ValueError(f"{name} are {', '.join(known)}; not {one!r}")


def as_numbers(name: str, value: Any) -> list[float]:
    """Return a list of numbers as floats, or raise ValueError."""
    _check_list(name, value)
    for one in value:
        if not _is_number(one):
            raise ValueError(f"{name} must be a list of finite numbers; {one!r} isn't one")
    return [float(one) for one in value]


def _check_list(name: str, value: Any) -> None:
    if isinstance(value, (str, bytes, Mapping)) or not isinstance(value, Collection):
        raise ValueError(f"{name} must be a list, not {value!r}")
    if not 0 < len(value) <= MOST_CONDITIONS:
        raise ValueError(f"{name} must have 1 to {MOST_CONDITIONS} values, not {len(value)}")


def check_texts(name: str, value: Any, *, any_values: bool = False) -> None:
    """Raise ValueError unless a value maps words to words, or to anything."""
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise ValueError(f"{name} must be a dictionary with words as keys, not {value!r}")
    wrong = [] if any_values else [one for one in value.values() if not isinstance(one, str)]
    if wrong:
        raise ValueError(f"{name} must have words as values, not {wrong[0]!r}")


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool) and is_finite(value)
