"""Birth cohorts of nanocrystals: closing, merging, vanishing and their share on a grid of sizes, compiled.

A cohort is all nanocrystals born in an interval of time. While it is open its moments m_j = Σ ξ^j, ξ = n/n0 - 1, grow
(:mod:`.balance`). Closed, it is two nodes (number w, size n each) with its number, mean, variance and third moment:
the Gauss quadrature of its births, an error of fourth order in its width, wherever the nodes go after that (quadrature
method of moments, McGraw, Aerosol Sci. Technol. 1997, 27, 255). So units Q = Σ w n and S = N var(n) = Σ w (n - n̄)² of
a cohort follow dQ = N (g(n̄) + ½ g''(n̄) S/N + ...), dS = 2 g'(n̄) S + ... to third order without a closure.

When all places are taken, the two neighbours whose merging adds least variance become one, with the moments 0 to 3 of
both. On the grid a cohort is uniform between n̄ ± √3 σ, as steady births are: neighbours join without a gap.

``y``, ``w``, ``law`` are those of :mod:`.balance`, with room for all nodes; places ``2 i`` and ``2 i + 1`` are one
cohort, the oldest (largest) first. Units are kept to rounding by all that is here.
"""

import numpy as np

from ioc_sim.physics.balance import MOMENTS, compiled, compiled_entry

__all__ = ["NOTHING", "close", "deposit", "record", "vanish"]

NOTHING = 1e-13
"""Share of all CdSe units below which nanocrystals are taken for monomer."""
_WIDE = 0.25


@compiled
def close(law, y, w, nodes, total, width):
    """Make two nodes of the open cohort and empty it; return the number of nodes. ``total``: all CdSe units."""
    count, seed = len(law.units), law.seed
    at = count + MOMENTS
    m = y[count:at]
    number = m[0]
    mean = m[1] / number if number > 0.0 else 0.0
    if seed * number > NOTHING * total and seed * (1.0 + mean) > law.vanishing:
        nodes = _merge(y, w, at, nodes, width)
        variance = m[2] / number - mean**2
        third = m[3] / number - 3.0 * mean * m[2] / number + 2.0 * mean**3
        n = seed * (1.0 + mean)
        _place(y, w, at, nodes, number, n, seed**2 * variance, seed**3 * third)
        if y[at + nodes + 1] <= law.vanishing:
            _place(y, w, at, nodes, number, n, 0.0, 0.0)
        nodes += 2
    else:
        y[law.monomer] += seed * (number + m[1])
    m[:] = 0.0
    return nodes


@compiled
def _place(y, w, at, j, number, mean, variance, third):
    """Put two nodes with these central moments, the larger first, at ``j``."""
    half, root, sd = 0.0, 1.0, 0.0
    if variance > 1e-14 * mean**2:
        sd = np.sqrt(variance)
        # rounding in an all but empty cohort may leave any skewness
        half = min(max(0.5 * third / sd**3, -2.0), 2.0)
        root = np.sqrt(1.0 + half**2)
    y[at + j] = mean + sd * (half + root)
    y[at + j + 1] = mean + sd * (half - root)
    w[j] = 0.5 * number * (1.0 - half / root)
    w[j + 1] = number - w[j]


@compiled
def _remove(y, w, at, j, nodes):
    for i in range(j, nodes - 2):
        y[at + i], w[i] = y[at + i + 2], w[i + 2]
    return nodes - 2


@compiled
def _moments(y, w, at, j, end):
    """Return number, mean and central second and third moments of nodes ``j`` to ``end``."""
    number, mean, variance, third = 0.0, 0.0, 0.0, 0.0
    for i in range(j, end):
        number += w[i]
        mean += w[i] * y[at + i]
    mean /= number
    for i in range(j, end):
        variance += w[i] / number * (y[at + i] - mean) ** 2
        third += w[i] / number * (y[at + i] - mean) ** 3
    return number, mean, variance, third


@compiled
def _merge(y, w, at, nodes, width):
    """Merge the two neighbours that make the narrowest cohort, if it is narrow or all places are taken."""
    best, least = 0, width**2 / 12.0 if nodes < len(w) else np.inf
    for j in range(0, nodes - 2, 2):
        _, mean, variance, _ = _moments(y, w, at, j, j + 4)
        if variance < least * mean**2:
            best, least = j, variance / mean**2
    if nodes == len(w) or least < width**2 / 12.0:
        _place(y, w, at, best, *_moments(y, w, at, best, best + 4))
        nodes = _remove(y, w, at, best + 2, nodes)
    return nodes


@compiled
def vanish(law, y, w, nodes, total):
    """Take out nodes that have fallen apart; return the number of nodes."""
    at = len(law.units) + MOMENTS
    for j in range(nodes - 2, -1, -2):
        for i in range(j, j + 2):
            if y[at + i] < law.vanishing and w[i] * y[at + i] < NOTHING * total:
                y[law.monomer] += w[i] * y[at + i]
                w[i] = 0.0
        if w[j] == 0.0 and w[j + 1] == 0.0:
            nodes = _remove(y, w, at, j, nodes)
        elif w[j] == 0.0:
            y[at + j] = y[at + j + 1]
        elif w[j + 1] == 0.0:
            y[at + j + 1] = y[at + j]
    return nodes


@compiled
def record(law, y, w, nodes, rows):
    """Write number, mean and standard deviation of each cohort's sizes to ``rows`` (nodes + 2, 3).

    Nodes far apart have a row each. The last row but one is the open cohort. In the last, as if of the vanishing
    size, are the units of what is falling apart.
    """
    count = len(law.units)
    at = count + MOMENTS
    rows[:, :] = 0.0
    falling = 0.0
    for j in range(0, nodes, 2):
        for i in range(j, j + 2):
            if y[at + i] < law.vanishing:
                falling += w[i] * y[at + i]
            else:
                rows[i, 0], rows[i, 1] = w[i], y[at + i]
        number = rows[j, 0] + rows[j + 1, 0]
        if rows[j, 0] > 0.0 and rows[j + 1, 0] > 0.0:
            mean = (w[j] * y[at + j] + w[j + 1] * y[at + j + 1]) / number
            sd = np.sqrt(w[j] * w[j + 1]) / number * abs(y[at + j] - y[at + j + 1])
            if sd < _WIDE * mean:
                rows[j, 0], rows[j, 1], rows[j, 2], rows[j + 1, 0] = number, mean, sd, 0.0
    if y[count] > 0.0:
        mean = y[count + 1] / y[count]
        variance = max(y[count + 2] / y[count] - mean**2, 0.0)
        rows[-2, 0], rows[-2, 1], rows[-2, 2] = y[count], law.seed * (1.0 + mean), law.seed * np.sqrt(variance)
    rows[-1, 0], rows[-1, 1] = falling / law.vanishing, law.vanishing


@compiled
def _share(number, n, grid, out):
    i = min(max(np.searchsorted(grid, n) - 1, 0), len(grid) - 2)
    if n <= grid[0]:
        out[0] += number * n / grid[0]
    elif n >= grid[-1]:
        out[-1] += number * n / grid[-1]
    else:
        upper = (n - grid[i]) / (grid[i + 1] - grid[i])
        out[i] += number * (1.0 - upper)
        out[i + 1] += number * upper


@compiled_entry
def deposit(rows, grid, out):
    """Add cohorts to ``out`` (times, sizes), their numbers on the sizes ``grid``.

    Parameters
    ----------
    rows : ndarray
        Number, mean and standard deviation of sizes, (times, cohorts, 3), as :func:`record` writes them.
    grid : ndarray
        Increasing sizes. What is between two is shared so that number and units are both kept, what is beyond
        the ends is put on them with its units kept.
    out : ndarray
        Numbers at each size.
    """
    for time in range(len(rows)):
        for j in range(rows.shape[1]):
            number, mean, half = rows[time, j, 0], rows[time, j, 1], np.sqrt(3.0) * rows[time, j, 2]
            if number == 0.0:
                continue
            low, high = mean - half, mean + half
            if half < 1e-9 * mean:
                _share(number, mean, grid, out[time])
                continue
            edge = low
            for i in range(np.searchsorted(grid, low, "right"), len(grid) + 1):
                upper = min(high, grid[i]) if i < len(grid) else high
                _share(number * (upper - edge) / (high - low), 0.5 * (upper + edge), grid, out[time])
                edge = upper
                if edge >= high:
                    break
