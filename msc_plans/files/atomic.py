"""Files that are there whole, or not at all, and that replace nothing by accident."""

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["whole_file"]


@contextmanager
def whole_file(path: str | Path, *, force: bool = False) -> Iterator[Path]:
    """Give a path to write to, in the same folder; what is there becomes ``path`` at the end of the block.

    If the block raises, or the process dies, ``path`` is as it was.

    Parameters
    ----------
    path : str or Path
        The file to be made; its folder is there.
    force : bool
        Replace a file that is there already.

    Raises
    ------
    FileExistsError
        It is there already; before anything is written, or after it if another program has just made it.
    """
    path = Path(path)
    if path.exists() and not force:
        raise FileExistsError(errno.EEXIST, "is there already", str(path))
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    os.close(descriptor)
    unfinished = Path(name)
    try:
        yield unfinished
        with unfinished.open("rb") as file:
            os.fsync(file.fileno())
        # mkstemp lets nobody else read; a file of the user's follows the user's mask.
        mask = os.umask(0)
        os.umask(mask)
        unfinished.chmod(0o666 & ~mask)
        if force:
            unfinished.replace(path)
        else:
            try:
                os.link(unfinished, path)
            except FileExistsError as error:
                raise FileExistsError(errno.EEXIST, "is there already", str(path)) from error
    finally:
        unfinished.unlink(missing_ok=True)
