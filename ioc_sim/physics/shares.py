"""The share of each particle that a size-selected fraction holds, by the particle's diameter.

share(D) = yield × exp(-½ ((D - D_f)/w_f)²): of every particle's amount; D_f and w_f of the fraction

Units: nm. Source: Palencia 2020, Fig. 4 (see :mod:`~ioc_sim.physics.fractions`).
"""

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["SizeSelection", "check_shares", "share"]

Array = NDArray[np.float64]


class SizeSelection(Protocol):
    """A fraction: ``yield_share`` times a Gaussian in diameter; without a diameter, of every size alike."""

    @property
    def yield_share(self) -> float:
        """Yield, above 0 and at most 1."""
        ...

    @property
    def diameter_nm(self) -> float | None:
        """Centre, nm."""
        ...

    @property
    def width_nm(self) -> float:
        """Standard deviation, nm."""
        ...


def share(fraction: SizeSelection, particle_nm: ArrayLike) -> Array:
    """Share of the particles of diameter ``particle_nm`` that is in the fraction, same shape, 0 to 1."""
    size = np.asarray(particle_nm, float)
    if fraction.diameter_nm is None:
        return np.full(size.shape, fraction.yield_share)
    return fraction.yield_share * np.exp(-0.5 * ((size - fraction.diameter_nm) / fraction.width_nm) ** 2)


def check_shares(fractions: Mapping[Any, SizeSelection]) -> None:
    """Refuse fractions that hold more of a size than there was; those without a diameter are not counted.

    Raises
    ------
    ValueError
        Names the diameter, the sum of shares there and the fractions that make it.
    """
    sized = {name: f for name, f in fractions.items() if f.diameter_nm is not None}
    if not sized:
        return
    # the sum is largest close to a centre or between two
    centres = np.array([f.diameter_nm for f in sized.values()])
    reach, step = max(f.width_nm for f in sized.values()), min(f.width_nm for f in sized.values()) / 20.0
    sizes = np.arange(centres.min() - reach, centres.max() + reach, step)
    shares = {name: share(f, sizes) for name, f in sized.items()}
    total = np.sum(list(shares.values()), axis=0)
    worst = int(np.argmax(total))
    if total[worst] > 1.0 + 1e-9:
        guilty = ", ".join(name for name, s in shares.items() if s[worst] > 0.01)
        raise ValueError(f"fractions {guilty} together hold {total[worst]:.2f} of what is {sizes[worst]:.2f} nm wide")
