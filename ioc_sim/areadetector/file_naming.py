"""How areaDetector puts a file's name together: path, name, number and template, and ``CreateDirectory``."""

from pathlib import Path

from ioc_sim.areadetector.data_root import DataRoot, check_template

__all__ = ["FileNaming"]


class FileNaming:
    """The records of a file's name, and the name they give.

    Parameters
    ----------
    root : DataRoot
        Where files may go.

    Attributes
    ----------
    file_path_exists : str
        ``No`` or ``Yes``, as it was when the path was put; ``No`` too if the last path was refused.
    path_message : str
        Why the folder was not made.
    """

    def __init__(self, root: DataRoot) -> None:
        self._root = root
        self._file_path = f"{root.folder}/"
        self._template = "%s%s_%6.6d.h5"
        self.file_name = "frame"
        self.file_number = 0
        self.auto_increment = "Yes"
        self.create_directory = -5
        self.full_file_name = ""
        self.path_message = ""
        self.file_path_exists = "Yes" if root.folder.is_dir() else "No"

    @property
    def file_path(self) -> str:
        """Folder of the files, with a slash at its end; made if ``CreateDirectory`` allows it."""
        return self._file_path

    @file_path.setter
    def file_path(self, value: str) -> None:
        self.file_path_exists = "No"
        path = self._root.accept(value)
        self._file_path, self.path_message = path, ""
        try:
            self._root.create(path, self.create_directory)
        except ValueError as error:
            # areaDetector takes such a path and says so in FilePathExists_RBV only
            self.path_message = str(error)
        self.file_path_exists = "Yes" if Path(path).is_dir() else "No"

    @property
    def file_template(self) -> str:
        """C format of path, name and number."""
        return self._template

    @file_template.setter
    def file_template(self, value: str) -> None:
        check_template(value)
        self._template = value

    def next_path(self) -> Path:
        """Return the next file's path and count it.

        Raises
        ------
        ValueError
            Its folder does not exist, or it would lie outside the root.
        """
        try:
            path = self._root.file(self._file_path, self.file_name, self.file_number, self._template)
        except ValueError as error:
            raise ValueError(f"{error}; {self.path_message}" if self.path_message else str(error)) from error
        if self.auto_increment == "Yes":
            self.file_number += 1
        self.full_file_name = str(path)
        return path
