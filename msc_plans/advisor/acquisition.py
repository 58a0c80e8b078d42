"""How much measuring a condition promises, from joint draws of what would be measured."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["binary_entropy", "bins_of", "expected_improvement", "information"]


def binary_entropy(probability: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the entropy of a yes/no question, bit."""
    p = np.clip(probability, 1e-12, 1 - 1e-12)
    return -(p * np.log2(p) + (1 - p) * np.log2(1 - p))


def bins_of(values: NDArray[np.float64], number: int) -> NDArray[np.intp]:
    """Return the quantile bin of each value."""
    ranks = np.argsort(np.argsort(values, kind="stable"), kind="stable")
    return ranks * number // len(values)


def _remaining(labels: NDArray[np.intp], classes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return each cell's expected entropy (bit) once the label is known."""
    member = np.zeros((int(labels.max()) + 1, len(labels)))
    member[labels, np.arange(len(labels))] = 1.0
    counts = member.sum(axis=1)
    kept = counts > 0
    shares = (member[kept] @ classes) / counts[kept, None]
    return (counts[kept] / len(labels)) @ binary_entropy(shares)


def information(
    outcomes: NDArray[np.float64],
    classes: NDArray[np.bool_],
    groups: NDArray[np.intp],
    *,
    bins: int = 8,
) -> NDArray[np.float64]:
    """Return how many bits each outcome tells about the cells, summed over the cells.

    That is the mutual information between the outcome (in quantile bins) and each cell's class, given
    ``groups``.

    Parameters
    ----------
    outcomes : array, shape (draws, candidates)
        What would be measured.
    classes : array, shape (draws, cells)
        Whether each cell is in the class.
    groups : array, shape (draws,)
        Label of what will be known anyway (conditions already under way); zeros if nothing.
    bins : int
        Number of bins.
    """
    weights = classes.astype(float)
    before = _remaining(groups, weights)
    return np.array([(before - _remaining(groups * bins + bins_of(one, bins), weights)).sum() for one in outcomes.T])


def expected_improvement(heights: NDArray[np.float64], best: float) -> NDArray[np.float64]:
    """Return the mean of max(height − best, 0) of each column of draws."""
    return np.maximum(heights - best, 0.0).mean(axis=0)
