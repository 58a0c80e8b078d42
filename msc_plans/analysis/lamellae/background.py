"""What a scattering curve without Bragg peaks can look like, as columns of non-negative least squares.

Columns have shape (points, columns), each is 1 at its greatest, and the first is the constant. None may be negative:
with a constant below 0 sums of smooth columns make peaks as narrow as one likes.

`stiff` columns are curves of particles: powers of q (q⁻¹ … q⁻⁴: rods, sheets, rough and smooth surfaces), spheres
and thin shells of every radius with 15 % width, humps of Teubner and Strey (*J. Chem. Phys.* 1987, 87, 3195), a
constant. `soft` columns are powers and humps that are Gaussian in ln q with FWHM 0.7 of their position: any curve
that bends no faster than they do.

`fringe` is the curve of particles of nearly one size, whose form factor has maxima between minima: spheres (Rayleigh
1914), thin shells, slabs and long cylinders (Guinier & Fournet 1955). They are no Bragg peaks, however sharp.
"""

from typing import Final

import numpy as np
from scipy.special import j1

from msc_plans.analysis.saxs.form import sphere_table

__all__ = ["SHAPES", "fringe", "fringes", "hump", "particles", "soft", "stiff"]

SHAPES: Final = ("sphere", "shell", "slab", "cylinder")
_WIDTH = 0.15
_HUMP = 0.3
_PER_NEPER = 7
_POWERS = (1.0, 2.0, 3.0, 4.0)
_STANDARD = np.linspace(-2.5, 2.5, 13)
_MASS_POWER = {"sphere": 6, "shell": 4, "slab": 2, "cylinder": 4}


def fringe(q_inv_nm: np.ndarray, shape: str, size_nm: np.ndarray, width: float) -> np.ndarray:
    """Curves of particles of one size, up to a factor.

    Parameters
    ----------
    q_inv_nm : ndarray, shape (points,)
        Ascending.
    shape : str
        One of `SHAPES`.
    size_nm : ndarray, shape (sizes,)
        Mean radius; of a slab half its thickness.
    width : float
        Relative standard deviation of a lognormal distribution of sizes, by number.

    Returns
    -------
    ndarray, shape (points, sizes)
    """
    if not width:
        return _form(q_inv_nm, size_nm, shape)
    relative = np.exp(width * _STANDARD)
    weight = np.exp(-0.5 * _STANDARD**2) * relative ** _MASS_POWER[shape]
    sizes = np.multiply.outer(relative, size_nm)
    curves = _form(q_inv_nm, sizes.ravel(), shape).reshape(len(q_inv_nm), *sizes.shape)
    return np.einsum("w,qws->qs", weight / weight.sum(), curves)


def fringes(q_inv_nm: np.ndarray, shape: str, size_nm: np.ndarray, widths: tuple[float, ...]) -> list[np.ndarray]:
    """`fringe` for each width, of sizes with equal steps of their logarithm no longer than a third of a width."""
    step = float(np.log(size_nm[1] / size_nm[0]))
    more = int(np.ceil(_STANDARD[-1] * max(widths) / step))
    wide = size_nm[0] * np.exp(step * np.arange(-more, len(size_nm) + more))
    curves = _form(q_inv_nm, wide, shape)
    out = []
    for width in widths:
        reach = np.arange(-more, more + 1)
        z = reach * step / width if width else np.where(reach == 0, 0.0, np.inf)
        weight = np.exp(-0.5 * z**2) * np.exp(reach * step * _MASS_POWER[shape])
        weight /= weight.sum()
        total = np.zeros((len(q_inv_nm), len(size_nm)))
        for k in np.flatnonzero(weight > 1e-4 * weight.max()):
            total += weight[k] * curves[:, k : k + len(size_nm)]
        out.append(total)
    return out


def _form(q_inv_nm: np.ndarray, size_nm: np.ndarray, shape: str) -> np.ndarray:
    if shape == "sphere":
        return (sphere_table(q_inv_nm, size_nm) / (4.0 / 3.0 * np.pi * size_nm[:, None] ** 3)).T
    x = np.multiply.outer(q_inv_nm, size_nm)
    if shape == "cylinder":
        return (2.0 * j1(x) / x) ** 2 * (q_inv_nm[0] / q_inv_nm)[:, None]
    square = (np.sin(x) / x) ** 2
    return square if shape == "shell" else square * ((q_inv_nm[0] / q_inv_nm) ** 2)[:, None]


def hump(q_inv_nm: np.ndarray, place_inv_nm: np.ndarray, sharpness: float) -> np.ndarray:
    """Hump of Teubner and Strey, 1 at its maximum, shape (points, places).

    1/(1 + ((q² − q_m²) ξ/2k)²), k² = q_m² + ξ⁻²; `sharpness` is ξ q_m; FWHM/q_m is 0.76 for 3 and 0.56 for 4.
    """
    square = (q_inv_nm[:, None] / place_inv_nm) ** 2 - 1.0
    return 1.0 / (1.0 + (square * sharpness) ** 2 / (4.0 * (1.0 + sharpness**-2)))


def stiff(q_inv_nm: np.ndarray) -> np.ndarray:
    """Curves of particles that are not of one size."""
    low, high = float(q_inv_nm[0]), float(q_inv_nm[-1])
    place = np.exp(np.arange(np.log(low), np.log(1.3 * high), 1.5 / _PER_NEPER))
    humps = [hump(q_inv_nm, place, sharp) for sharp in (1.0, 2.0)]
    curves = [fringe(q_inv_nm, shape, _radii(q_inv_nm), _WIDTH) for shape in ("sphere", "shell")]
    return _scaled(np.hstack([_powers(q_inv_nm), *curves, *humps]))


def particles(q_inv_nm: np.ndarray, shapes: tuple[str, ...] = SHAPES) -> np.ndarray:
    """Curves of particles over powers of q, without humps: what a single broad peak is weighed against."""
    return _scaled(np.hstack([_powers(q_inv_nm), *(fringe(q_inv_nm, s, _radii(q_inv_nm), _WIDTH) for s in shapes)]))


def _radii(q_inv_nm: np.ndarray) -> np.ndarray:
    return np.exp(np.arange(np.log(1.0 / q_inv_nm[-1]), np.log(6.0 / q_inv_nm[0]), 1.0 / _PER_NEPER))


def soft(q_inv_nm: np.ndarray) -> np.ndarray:
    """Any curve without sharp features."""
    low, high = np.log(q_inv_nm[0]), np.log(q_inv_nm[-1])
    place = np.arange(low - 2 * _HUMP, high + 2 * _HUMP, 0.7 * _HUMP)
    humps = np.exp(-0.5 * ((np.log(q_inv_nm)[:, None] - place) / _HUMP) ** 2)
    return _scaled(np.hstack([_powers(q_inv_nm), humps]))


def _powers(q_inv_nm: np.ndarray) -> np.ndarray:
    relative = (q_inv_nm[0] / q_inv_nm)[:, None]
    return np.hstack([relative**0, *(relative**power for power in _POWERS)])


def _scaled(values: np.ndarray) -> np.ndarray:
    return values / values.max(axis=0)
