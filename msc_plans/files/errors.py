"""What is raised for a file that isn't what it should be."""

from pathlib import Path

__all__ = ["ReadError"]


class ReadError(ValueError):
    """A file can't be read as what it should be.

    Parameters
    ----------
    path : str or Path
        The file.
    line : int, optional
        The line at fault, counted from 1; None where the whole file is, or it has no lines.
    reason : str
        What is wrong and what to do.
    """

    def __init__(self, path: str | Path, line: int | None, reason: str) -> None:
        super().__init__(f"{path}:{line}: {reason}" if line else f"{path}: {reason}")
        self.path = Path(path)
        self.line = line
        self.reason = reason
