"""A mechanism as tables for the solver: products, their slopes, and a sparse elimination.

The matrix of a Rosenbrock step, I/(hγ) − ∂f/∂y, has the same few places filled at every step. Which they are, in what
order to eliminate, and every multiplication of the elimination and of the two substitutions is found once for a
mechanism (least degree first: Markowitz, *Manage. Sci.* 1957, 3, 255).
"""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from msc_plans.kinetics.mechanism import MOST_FACTORS, Term

__all__ = ["Network", "network_of"]

Table = NDArray[np.int64]


@dataclass(frozen=True)
class Network:
    """Tables; species in the order of elimination, one more that is always 1 fills unused factors.

    Attributes
    ----------
    order : ndarray, shape (species,)
        Number in the mechanism of each species here.
    constant : ndarray, shape (terms,)
        Rate constant of each term.
    factors : ndarray, shape (terms, 3)
        Species whose product, times the constant, is the term's rate.
    changes, change : ndarray, shape (changes, 2) and (changes,)
        Species, term; and how much of the species the term makes.
    slopes : ndarray, shape (slopes, 4)
        Constant's term, two species (the other factors), place in the matrix.
    slope : ndarray, shape (slopes,)
        Times this.
    diagonal : ndarray, shape (species,)
        Place of each species' diagonal.
    places : int
        Filled places of the matrix.
    elimination : ndarray, shape (operations, 3)
        In order: (a, b, c) is ``m[a] −= m[b] m[c]``, (a, b, −1) ``m[a] *= m[b]``, (a, −1, −1) ``m[a] = 1/m[a]``.
    forward, backward : ndarray, shape (operations, 3)
        (i, place, j) is ``x[i] −= m[place] x[j]``; (i, place, −1) is ``x[i] *= m[place]``.
    """

    order: Table
    constant: Table
    factors: Table
    changes: Table
    change: NDArray[np.float64]
    slopes: Table
    slope: NDArray[np.float64]
    diagonal: Table
    places: int
    elimination: Table
    forward: Table
    backward: Table


@lru_cache(maxsize=32)
def network_of(count: int, terms: tuple[Term, ...]) -> Network:
    """Return the tables of a mechanism with so many integrated species and these terms."""
    filled = {(i, i) for i in range(count)}
    for term in terms:
        filled |= {(i, j) for i, _ in term.changes for j in term.factors}
    order, filled = _eliminated(filled, count)
    rank = {species: number for number, species in enumerate(order)}
    where = {(rank[i], rank[j]): number for number, (i, j) in enumerate(sorted(filled))}

    constant, factors, changes, slopes = [], [], [], []
    for number, term in enumerate(terms):
        own = [rank[j] for j in term.factors]
        constant.append(term.constant)
        factors.append(own + [count] * (MOST_FACTORS - len(own)))
        changes += [(rank[i], number, amount) for i, amount in term.changes]
        for slot, j in enumerate(own):
            others = own[:slot] + own[slot + 1 :]
            others += [count] * (MOST_FACTORS - 1 - len(others))
            slopes += [(number, *others, where[rank[i], j], amount) for i, amount in term.changes]

    elimination, forward, backward = [], [], []
    for p in range(count):
        below = [i for i in range(p + 1, count) if (i, p) in where]
        right = [j for j in range(p + 1, count) if (p, j) in where]
        elimination.append((where[p, p], -1, -1))
        for i in below:
            elimination.append((where[i, p], where[p, p], -1))
            elimination += [(where[i, j], where[i, p], where[p, j]) for j in right]
            forward.append((i, where[i, p], p))
    for p in reversed(range(count)):
        backward += [(p, where[p, j], j) for j in range(p + 1, count) if (p, j) in where]
        backward.append((p, where[p, p], -1))
    return Network(
        np.array(order),
        np.array(constant),
        np.array(factors),
        np.array([row[:2] for row in changes]),
        np.array([row[2] for row in changes]),
        np.array([row[:4] for row in slopes]),
        np.array([row[4] for row in slopes]),
        np.array([where[p, p] for p in range(count)]),
        len(where),
        _table(elimination),
        _table(forward),
        _table(backward),
    )


def _table(rows: list[tuple[int, int, int]]) -> Table:
    return np.array(rows, dtype=np.int64).reshape(-1, 3)


def _eliminated(filled: set[tuple[int, int]], count: int) -> tuple[list[int], set[tuple[int, int]]]:
    """Order of elimination, and the places that are filled after it."""
    filled, left, order = set(filled), set(range(count)), []

    def beside(p: int) -> tuple[list[int], list[int]]:
        return [i for i in left - {p} if (i, p) in filled], [j for j in left - {p} if (p, j) in filled]

    while left:
        pivot = min(sorted(left), key=lambda p: math.prod(map(len, beside(p))))
        rows, columns = beside(pivot)
        left.remove(pivot)
        order.append(pivot)
        filled |= {(i, j) for i in rows for j in columns}
    return order, filled
