"""What ``msc doctor`` looks at; each check returns what it found, and what to do."""

from dataclasses import dataclass
from typing import Literal

__all__ = ["Finding", "State"]

State = Literal["fine", "note", "broken"]


@dataclass(frozen=True)
class Finding:
    """What one check found.

    Attributes
    ----------
    about : str
        What was looked at.
    state : str
        ``fine``; ``note``: nothing is wrong, but something may be missed; ``broken``: it will fail.
    found : str
        In one sentence.
    todo : str
        What to do; empty where nothing is.
    """

    about: str
    state: State
    found: str
    todo: str = ""
