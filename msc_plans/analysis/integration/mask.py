"""Pixels that are never used: gaps between modules, beam stop, a person's mask."""

from pathlib import Path

import numpy as np

from msc_plans.analysis.integration.geometry import PoniGeometry

__all__ = ["beam_stop_mask", "detector_mask", "load_mask"]


def detector_mask(name: str, shape: tuple[int, int]) -> np.ndarray:
    """Return the gaps between a detector's modules as pyFAI knows them, shape (rows, columns), True in a gap.

    Raises
    ------
    ValueError
        pyFAI knows no such detector, or it has another shape.
    """
    from pyFAI.detectors import detector_factory

    try:
        detector = detector_factory(name)
    except RuntimeError as error:
        raise ValueError(f"pyFAI knows no detector {name!r} ({error})") from error
    if detector.shape is None or tuple(detector.shape) != tuple(shape):
        raise ValueError(f"{name} has {detector.shape} pixels (rows, columns), the frame {tuple(shape)}")
    return np.zeros(shape, bool) if detector.mask is None else np.asarray(detector.mask, bool)


def beam_stop_mask(geometry: PoniGeometry, radius_m: float) -> np.ndarray:
    """Return the shadow of a beam stop of this radius close to the detector, shape (rows, columns), True in it."""
    angle = np.asarray(geometry.pyfai().array_from_unit(geometry.shape, unit="2th_rad"))
    return np.asarray(geometry.distance_m * np.tan(angle) < radius_m)


def load_mask(path: str | Path, shape: tuple[int, int]) -> np.ndarray:
    """Read a mask, NumPy's ``.npy`` or any image that fabio reads (EDF, TIFF, CBF, …); other than 0 is left out.

    Raises
    ------
    OSError
        It can't be read.
    ValueError
        It has another shape.
    """
    if Path(path).suffix == ".npy":
        mask = np.load(path, allow_pickle=False)
    else:
        import fabio

        with fabio.open(path) as image:
            mask = np.array(image.data)
    if mask.shape != tuple(shape):
        raise ValueError(f"{path}: the mask has {mask.shape} pixels (rows, columns), the frame {tuple(shape)}")
    return mask != 0
