"""Hot and dead pixels of one frame, told from what the sample does.

A pixel is suspected when it differs from the median of its ring (pixels of nearly the same q) by six deviations of
Poisson numbers, on Anscombe's scale 2√(n + 3/8), and by a factor of 1.5. It is condemned only when its eight neighbours
differ from it as much: rings of texture and arcs of oriented lamellae are real.

Anscombe, *Biometrika* 1948, 35, 246.
"""

import numpy as np

__all__ = ["Outliers"]

_RING_PIXELS = 256
_DEVIATIONS = 6.0
_FACTOR = 1.5


class Outliers:
    """Rings of pixels of nearly the same q.

    Parameters
    ----------
    q_inv_nm : ndarray, shape (rows, columns)
        Of each pixel.
    mask : ndarray of bool, shape (rows, columns)
        True where a pixel is never used.
    """

    def __init__(self, q_inv_nm: np.ndarray, mask: np.ndarray) -> None:
        self._shape = mask.shape
        free = np.flatnonzero(~mask)
        order = free[np.argsort(q_inv_nm.ravel()[free], kind="stable")]
        rings = max(len(order) // _RING_PIXELS, 1)
        # the last pixels join the last full ring, which then holds some of them twice
        padded = np.concatenate([order[: rings * _RING_PIXELS], order[-_RING_PIXELS:]])
        self._rings = padded.reshape(-1, min(_RING_PIXELS, len(order)))

    def find(self, counts: np.ndarray, good: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return flat indices of hot and of dead pixels of a frame.

        Parameters
        ----------
        counts : ndarray of float, shape (rows, columns)
            The frame.
        good : ndarray of bool, shape (rows, columns)
            Pixels that hold a count.
        """
        scaled = _scale(counts)
        on_rings = scaled.ravel()[self._rings]
        usual = np.median(on_rings, axis=1, keepdims=True)
        suspect = self._rings[_apart(on_rings, usual)]
        suspect = np.unique(suspect[good.ravel()[suspect]])
        around = _median(self._neighbours(scaled, good, suspect))
        own = scaled.ravel()[suspect]
        condemned = _apart(own, around)
        return suspect[condemned & (own > around)], suspect[condemned & (own < around)]

    def _neighbours(self, scaled: np.ndarray, good: np.ndarray, places: np.ndarray) -> np.ndarray:
        rows, columns = np.divmod(places, self._shape[1])
        step_rows, step_columns = (s.ravel() for s in np.mgrid[-1:2, -1:2])
        others = (step_rows != 0) | (step_columns != 0)
        at_row = rows[:, None] + step_rows[others]
        at_column = columns[:, None] + step_columns[others]
        inside = (at_row >= 0) & (at_row < self._shape[0]) & (at_column >= 0) & (at_column < self._shape[1])
        at = np.clip(at_row, 0, self._shape[0] - 1), np.clip(at_column, 0, self._shape[1] - 1)
        return np.where(inside & good[at], scaled[at], np.nan)


def _scale(counts: np.ndarray) -> np.ndarray:
    return 2.0 * np.sqrt(np.maximum(counts, 0.0) + 0.375)


def _median(values: np.ndarray) -> np.ndarray:
    """Median of each row without its NaN; NaN where a row holds nothing else."""
    values = np.sort(values, axis=1)
    known = np.count_nonzero(np.isfinite(values), axis=1)
    row = np.arange(len(values))
    return 0.5 * (values[row, (known - 1) // 2] + values[row, known // 2])


def _apart(value: np.ndarray, usual: np.ndarray) -> np.ndarray:
    """Where two scaled counts differ by more than noise and by the factor; nowhere against NaN."""
    ratio = np.sqrt(_FACTOR)
    return ((value > usual * ratio) | (value * ratio < usual)) & (np.abs(value - usual) > _DEVIATIONS)
