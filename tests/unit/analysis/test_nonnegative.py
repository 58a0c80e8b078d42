"""The restarted least squares against SciPy's."""

import numpy as np
import pytest
from scipy.optimize import lsq_linear, nnls

from msc_plans.analysis.nonnegative import solve


def problem(seed, rows=60, columns=40):
    rng = np.random.default_rng(seed)
    matrix = np.abs(rng.normal(size=(rows, columns)))
    return matrix, matrix @ np.maximum(rng.normal(size=columns), 0.0) + 0.1 * rng.normal(size=rows)


@pytest.mark.parametrize("seed", range(5))
def test_it_agrees_with_scipy(seed):
    matrix, y = problem(seed)
    all_, none = np.ones(40, bool), np.zeros(40, bool)
    found = solve(matrix.T @ matrix, matrix.T @ y, free=none, allowed=all_, tolerance=1e-9)
    np.testing.assert_allclose(found, nnls(matrix, y)[0], atol=1e-8)


@pytest.mark.parametrize("seed", range(5))
def test_free_and_forbidden_columns_and_a_start(seed):
    matrix, y = problem(seed)
    free, allowed, start = np.arange(40) < 2, np.arange(40) % 7 != 3, np.arange(40) % 2 == 0
    found = solve(matrix.T @ matrix, matrix.T @ y, free=free, allowed=allowed, start=start, tolerance=1e-9)
    bounds = np.where(free, -np.inf, 0.0)[allowed], np.inf
    expected = lsq_linear(matrix[:, allowed], y, bounds, method="bvls", tol=1e-14).x
    assert not found[~allowed].any()
    np.testing.assert_allclose(found[allowed], expected, atol=1e-6)


def test_columns_that_depend_on_each_other_do_no_harm():
    matrix, y = problem(1)
    matrix = np.hstack([matrix, matrix[:, :10]])
    all_, none = np.ones(50, bool), np.zeros(50, bool)
    found = solve(matrix.T @ matrix, matrix.T @ y, free=none, allowed=all_, tolerance=1e-9)
    assert np.all(found >= 0)
    assert np.linalg.norm(matrix @ found - y) == pytest.approx(nnls(matrix, y)[1], rel=1e-9)
