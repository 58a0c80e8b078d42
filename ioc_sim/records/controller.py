"""What the controllers of pumps and ovens have in common: a part of the twin, and whether it is talked to."""

from typing import Any, ClassVar

__all__ = ["Controller"]


class Controller:
    """A part of the twin as its controller shows it; attributes that are not the controller's are the part's.

    Parameters
    ----------
    part : object
        The twin's pump or oven.

    Attributes
    ----------
    disable : str
        ``Enabled`` or ``Disabled``.
    """

    own: ClassVar[frozenset[str]]
    """What is set on the controller itself, by subclass; all else is set on the part."""

    def __init__(self, part: Any) -> None:
        object.__setattr__(self, "_part", part)
        object.__setattr__(self, "disable", "Enabled")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._part, name)

    def __setattr__(self, name: str, value: Any) -> None:
        object.__setattr__(self if name == "disable" or name in self.own else self._part, name, value)

    @property
    def comms(self) -> str:
        """Alarm severity of the readings: a disabled record set has none that can be trusted."""
        return "INVALID_ALARM" if self.disable == "Disabled" else "NO_ALARM"
