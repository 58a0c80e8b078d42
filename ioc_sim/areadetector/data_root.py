"""Where the file plugin may write: one folder, and nothing outside it.

A path is refused when it isn't absolute, has a ``..``, or leads out of the folder, through a symbolic link too.
Checked when the path is put and again when a file is opened. It guards against mistakes, not against another
program that changes folders between the check and the writing.
"""

import os
import re
from pathlib import Path

__all__ = ["MAX_CHARS", "DataRoot", "check_template"]

# areaDetector's, with the NUL
MAX_CHARS = 256
_CONVERSION = re.compile(r"%%|%-?\d{0,2}(?:\.\d{1,2})?([sd])")


class DataRoot:
    """A folder that holds all files; it need not exist yet.

    Parameters
    ----------
    folder : Path
        Absolute, or below the current directory.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = Path(os.path.abspath(folder))  # noqa: PTH100 - resolve() would follow links

    def accept(self, text: str) -> str:
        """Return a folder as areaDetector writes it, with one slash at its end.

        Raises
        ------
        ValueError
            The path is not absolute, too long, or not inside the root.
        """
        if "\0" in text or not text.startswith("/"):
            raise ValueError(f"{text!r} is not an absolute path; files go below {self.folder}")
        path = os.path.normpath("/" + text.lstrip("/")).rstrip("/") + "/"
        if len(path.encode()) >= MAX_CHARS:
            raise ValueError(f"a path has at most {MAX_CHARS - 1} characters, not {len(path)}")
        self._check_inside(Path(text))
        return path

    def create(self, path: str, depth: int) -> None:
        """Make the folders that a path lacks, as areaDetector's ``CreateDirectory`` allows.

        Parameters
        ----------
        path : str
            As :meth:`accept` returns it.
        depth : int
            0: none; -n: at most the last n; n: where at least the first n exist, ``/`` being the first.

        Raises
        ------
        ValueError
            ``depth`` does not allow it, or the folder can't be made.
        """
        folder = Path(path)
        missing = [part for part in (folder, *folder.parents) if not part.exists()]
        if not missing:
            return
        existing = len(folder.parts) - len(missing)
        if not (len(missing) <= -depth or 0 < depth <= existing):
            raise ValueError(f"{missing[-1]} does not exist; CreateDirectory is {depth}, which does not let it be made")
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ValueError(f"{folder} can't be made: {error.strerror}") from error

    def file(self, path: str, name: str, number: int, template: str) -> Path:
        """Put a file's name together.

        Raises
        ------
        ValueError
            The folder does not exist, the name is too long, or the file would lie outside the root.
        """
        parts = (path, name, number)[: check_template(template)]
        full = template % parts
        if len(full.encode()) >= MAX_CHARS or "\0" in full:
            raise ValueError(f"{full!r} is no file name of at most {MAX_CHARS - 1} characters")
        file = Path(full)
        self._check_inside(file)
        self._check_inside(file.parent)  # or the root itself could be made as a file
        if not file.parent.is_dir():
            raise ValueError(f"the folder {file.parent} does not exist")
        return file

    def _check_inside(self, path: Path) -> None:
        root = self.folder.resolve()
        if ".." in path.parts or not path.resolve().is_relative_to(root):
            raise ValueError(f"{path} is outside {self.folder}, where all files go")


def check_template(template: str) -> int:
    """Return how many of path, name and number a C format takes, in this order.

    Raises
    ------
    ValueError
        It is no such format, or does not take the path.
    """
    kinds = "".join(match.group(1) or "" for match in _CONVERSION.finditer(template))
    if "%" in _CONVERSION.sub("", template) or not kinds or not "ssd".startswith(kinds):
        raise ValueError(f"{template!r} is no template for path, name and number, as %s%s_%6.6d.h5 is")
    return len(kinds)
