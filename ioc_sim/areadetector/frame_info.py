"""What a plugin's records say of the last frame."""

from ioc_sim.areadetector.hdf_file import EPICS_EPOCH_S, Frame

__all__ = ["FrameInfo"]


class FrameInfo:
    """Size, number and time of the last frame; zeros before the first.

    Attributes
    ----------
    last : Frame, optional
        The frame.
    """

    def __init__(self) -> None:
        self.last: Frame | None = None

    @property
    def columns(self) -> int:
        """Columns of the last frame; 0 before the first."""
        return 0 if self.last is None else self.last.counts.shape[1]

    @property
    def rows(self) -> int:
        """Rows of the last frame; 0 before the first."""
        return 0 if self.last is None else self.last.counts.shape[0]

    @property
    def ndimensions(self) -> int:
        """Number of dimensions of the last frame; 0 before the first."""
        return 0 if self.last is None else 2

    @property
    def dimensions(self) -> list[float]:
        """Dimensions of the last frame, columns first, filled up with zeros."""
        return [float(self.columns), float(self.rows), *[0.0] * 8]

    @property
    def frame_bytes(self) -> int:
        """Size of the last frame, bytes."""
        return 4 * self.rows * self.columns

    @property
    def unique_id(self) -> int:
        """Number of the last frame."""
        return 0 if self.last is None else self.last.unique_id

    @property
    def time_stamp_s(self) -> float:
        """Time of the last frame, s since 1990."""
        return 0.0 if self.last is None else self.last.time_s - EPICS_EPOCH_S

    @property
    def epics_seconds(self) -> int:
        """Whole seconds of the last frame's time stamp."""
        return int(self.time_stamp_s)

    @property
    def epics_nanoseconds(self) -> int:
        """What is left of the last frame's time stamp."""
        return int(self.time_stamp_s % 1.0 * 1e9)
