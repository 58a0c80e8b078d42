"""How much measuring a condition promises, from joint draws of what is true."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["bins_of", "class_entropy", "expected_improvement", "map_information", "mechanism_information", "precision"]


_CLOSED = 1e-3
"""Bits below which a cell is passed over."""
_UNEXPLAINED = 1e-4
"""Likelihood of an outcome, over that by the draw it came from, which any mechanism is given."""


def class_entropy(first: NDArray[np.floating], second: NDArray[np.floating]) -> NDArray[np.floating]:
    """Return how open it is which of two classes holds, bit, where neither may hold too.

    ``(p + q) h(p / (p + q))`` of their probabilities, with h the entropy of a yes/no question: what is in neither class
    is no question. It is concave, so that no outcome can make it larger in the mean.
    """
    p, q = np.maximum(first, 1e-7), np.maximum(second, 1e-7)
    return -(p * np.log2(p / (p + q)) + q * np.log2(q / (p + q)))


def bins_of(values: NDArray[np.floating], number: int) -> NDArray[np.intp]:
    """Return the quantile bin of each value along the first axis."""
    bins = np.empty(values.shape, dtype=np.intp)
    ranks = np.arange(len(values)).reshape(-1, *(1,) * (values.ndim - 1))
    np.put_along_axis(bins, np.argsort(values, axis=0, kind="stable"), ranks * number // len(values), axis=0)
    return bins


def map_information(
    outcomes: NDArray[np.floating],
    first: NDArray[np.bool_],
    second: NDArray[np.bool_],
    groups: NDArray[np.intp],
    *,
    bins: int = 6,
) -> NDArray[np.floating]:
    """Return how many bits each outcome tells about the cells, summed over the cells.

    That is by how much the outcome (in quantile bins) lowers :func:`class_entropy` of each cell, given ``groups``.

    Parameters
    ----------
    outcomes : array, shape (draws, candidates)
        What would be measured.
    first, second : array, shape (draws, cells)
        Whether each cell is in the one class or in the other.
    groups : array, shape (draws,)
        Label of what will be known anyway (conditions already under way); zeros if nothing.
    bins : int
        Number of bins.
    """
    weights = np.concatenate([first, second], axis=1).astype(np.float32)
    open_cells = class_entropy(first.mean(axis=0), second.mean(axis=0)) > _CLOSED
    weights = weights[:, np.tile(open_cells, 2)]
    cells = int(open_cells.sum())
    count = len(outcomes)
    total = np.zeros(outcomes.shape[1])
    for group in range(int(groups.max()) + 1):
        mine = groups == group
        if mine.sum() < 2 * bins:
            continue
        here = weights[mine]
        labels = bins_of(outcomes[mine], bins)
        shares = here.mean(axis=0)
        before = float(class_entropy(shares[:cells], shares[cells:]).sum())
        after = np.zeros(outcomes.shape[1])
        for one in range(bins):
            member = (labels == one).astype(np.float32)
            size = member.sum(axis=0)
            shares = (member.T @ here) / np.maximum(size, 1.0)[:, None]
            after += size / len(here) * class_entropy(shares[:, :cells], shares[:, cells:]).sum(axis=1)
        total += mine.sum() / count * (before - after)
    return total


def expected_improvement(values: NDArray[np.floating], best: float) -> NDArray[np.floating]:
    """Return the mean of max(value − best, 0) of each column of draws."""
    return np.maximum(values - best, 0.0).mean(axis=0)


def mechanism_information(
    mechanism: NDArray[np.intp],
    expected: NDArray[np.floating],
    variance: NDArray[np.floating],
    rng: np.random.Generator,
) -> NDArray[np.floating]:
    """Return how many bits measuring each candidate is expected to tell about the mechanism.

    The mutual information of mechanism and outcome, ``E ln p(y|m)/p(y)``, with y drawn from each draw and p(y|m) the
    mixture of normal distributions about the *other* draws of m: what only a draw itself would explain tells nothing.

    Parameters
    ----------
    mechanism : array, shape (draws,)
        Number of each draw's mechanism.
    expected, variance : array, shape (draws, candidates, quantities)
        Expectation given each draw, and variance about it, errors of the measurement included.
    rng : Generator
        Source of the outcomes.
    """
    present, label, counts = np.unique(mechanism, return_inverse=True, return_counts=True)
    draws, candidates, _ = expected.shape
    if len(present) < 2:
        return np.zeros(candidates)
    centred = expected - expected.mean(axis=0)
    outcomes = centred + np.sqrt(variance) * rng.standard_normal(expected.shape)
    # -2 ln N(y; m, v) = Σ y²/v - 2 y m/v + m²/v + ln v, as one product for all pairs of draws at a candidate
    inverse = (1 / variance).transpose(1, 2, 0)
    middle = centred.transpose(1, 2, 0) * inverse
    constant = (centred.transpose(1, 2, 0) * middle + np.log(variance).transpose(1, 2, 0)).sum(axis=1)
    y = outcomes.transpose(1, 0, 2)
    left = np.concatenate([y**2, -2 * y], axis=2).astype(np.float32)
    right = np.concatenate([inverse, middle], axis=1).astype(np.float32)
    logs = -0.5 * (left @ right + constant[:, None, :].astype(np.float32))
    logs -= logs.max(axis=2, keepdims=True)
    density = np.exp(logs)
    density[:, np.arange(draws), np.arange(draws)] = 0.0
    members = (label[:, None] == np.arange(len(present))).astype(np.float32)
    others = counts[None, :] - members  # of each mechanism, less the draw itself
    likelihood = (density @ members) / np.maximum(others, 1.0) + _UNEXPLAINED
    mixture = likelihood @ (counts / draws).astype(np.float32)
    own = likelihood[:, np.arange(draws), label]
    return np.maximum(np.log2(own / mixture).mean(axis=1), 0.0)


def precision(expected: NDArray[np.floating], variance: NDArray[np.floating]) -> NDArray[np.floating]:
    """Return how many bits measuring each candidate is expected to tell about the rate constants.

    ``½ log₂ det(I + V⁻¹ C)``, with C the covariance of the expectations over the draws and V the variance about them:
    the mutual information of parameters and outcome, were both normal (Chaloner & Verdinelli, *Stat. Sci.* 1995, 10,
    273). Shapes as in :func:`mechanism_information`.
    """
    apart = expected - expected.mean(axis=0)
    covariance = np.einsum("dci,dcj->cij", apart, apart) / max(len(expected) - 1, 1)
    scale = 1 / np.sqrt(variance.mean(axis=0))
    whitened = covariance * scale[:, :, None] * scale[:, None, :]
    return 0.5 * np.linalg.slogdet(np.eye(expected.shape[2]) + whitened)[1] / np.log(2)
