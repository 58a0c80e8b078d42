"""How much measuring a condition promises, from joint draws of what is true."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["binary_entropy", "bins_of", "expected_improvement", "map_information", "mechanism_information", "precision"]


def binary_entropy(probability: NDArray[np.floating]) -> NDArray[np.floating]:
    """Return the entropy of a yes/no question, bit."""
    p = np.clip(probability, 1e-7, 1 - 1e-7)
    return -(p * np.log2(p) + (1 - p) * np.log2(1 - p))


def bins_of(values: NDArray[np.float64], number: int) -> NDArray[np.intp]:
    """Return the quantile bin of each value along the first axis."""
    ranks = np.argsort(np.argsort(values, axis=0, kind="stable"), axis=0, kind="stable")
    return ranks * number // len(values)


def map_information(
    outcomes: NDArray[np.float64],
    classes: NDArray[np.bool_],
    groups: NDArray[np.intp],
    *,
    bins: int = 6,
) -> NDArray[np.float64]:
    """Return how many bits each outcome tells about the cells, summed over the cells.

    That is the mutual information between the outcome (in quantile bins) and each cell's class, given ``groups``.

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
    weights = classes.astype(np.float32)
    count = len(outcomes)
    total = np.zeros(outcomes.shape[1])
    for group in range(int(groups.max()) + 1):
        mine = groups == group
        if mine.sum() < 2 * bins:
            continue
        here = weights[mine]
        labels = bins_of(outcomes[mine], bins)
        before = float(binary_entropy(here.mean(axis=0)).sum())
        after = np.zeros(outcomes.shape[1])
        for one in range(bins):
            member = (labels == one).astype(np.float32)
            size = member.sum(axis=0)
            shares = (member.T @ here) / np.maximum(size, 1.0)[:, None]
            after += size / len(here) * binary_entropy(shares).sum(axis=1)
        total += mine.sum() / count * (before - after)
    return total


def expected_improvement(values: NDArray[np.float64], best: float) -> NDArray[np.float64]:
    """Return the mean of max(value − best, 0) of each column of draws."""
    return np.maximum(values - best, 0.0).mean(axis=0)


def mechanism_information(
    mechanism: NDArray[np.intp],
    expected: NDArray[np.float64],
    variance: NDArray[np.float64],
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """Return how many bits measuring each candidate is expected to tell about the mechanism.

    The mutual information of mechanism and outcome, ``E ln p(y|m)/p(y)``, with each p(y|m) a normal distribution over
    all quantities, from draws of y.

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
    draws, candidates, quantities = expected.shape
    if len(present) < 2:
        return np.zeros(candidates)
    outcomes = expected + np.sqrt(variance) * rng.standard_normal(expected.shape)
    logs = np.empty((len(present), draws, candidates))
    for k in range(len(present)):
        mine = label == k
        centre = expected[mine].mean(axis=0)
        apart = expected[mine] - centre
        covariance = np.einsum("dci,dcj->cij", apart, apart) / max(int(mine.sum()) - 1, 1)
        covariance += np.einsum("ci,ij->cij", variance[mine].mean(axis=0), np.eye(quantities))
        inverse = np.linalg.inv(covariance)
        off = outcomes - centre
        logs[k] = -0.5 * np.einsum("dci,cij,dcj->dc", off, inverse, off, optimize=True)
        logs[k] -= 0.5 * np.linalg.slogdet(covariance)[1]
    share = counts / draws
    most = logs.max(axis=0)
    mixture = most + np.log(np.einsum("k,kdc->dc", share, np.exp(logs - most)))
    own = logs[label, np.arange(draws)]
    return np.maximum((own - mixture).mean(axis=0) / np.log(2), 0.0)


def precision(expected: NDArray[np.float64], variance: NDArray[np.float64]) -> NDArray[np.float64]:
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
