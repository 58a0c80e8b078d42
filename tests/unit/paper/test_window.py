"""Edges of a window from ratios of which the crossings are known."""

import math

import numpy as np
import pytest

from msc_plans.paper.claims.window import Edge, window_edges


def test_a_straight_rise_and_fall_cross_where_they_do() -> None:
    points = [(celsius, 0.2 - abs(celsius - 285.0) * 0.005, 0.001) for celsius in range(250, 330, 10)]
    begins, ends = window_edges(points, threshold=0.1)
    assert (begins.begins, ends.begins) == (True, False)
    assert begins.celsius == pytest.approx(265.0)
    assert ends.celsius == pytest.approx(305.0)
    assert (begins.low, begins.high, ends.low, ends.high) == (260, 270, 300, 310)


def test_the_error_is_that_of_many_noisy_series() -> None:
    rng = np.random.default_rng(1)
    crossings = []
    for _ in range(4000):
        a, b = rng.normal([0.06, 0.12], [0.003, 0.006])
        (edge,) = window_edges([(260.0, a, 0.003), (270.0, b, 0.006)])
        crossings.append(edge.celsius)
    (edge,) = window_edges([(260.0, 0.06, 0.003), (270.0, 0.12, 0.006)])
    assert edge.sigma == pytest.approx(np.std(crossings), rel=0.05)
    assert edge.celsius == pytest.approx(np.mean(crossings), abs=0.1)


def test_no_window_has_no_edges_and_two_have_four() -> None:
    assert window_edges([]) == []
    assert window_edges([(260.0, 0.2, 0.01), (270.0, 0.2, 0.01)]) == []
    ratios = (0.0, 0.2, 0.0, 0.2, 0.0)
    assert [one.begins for one in window_edges((260 + 10 * k, r, 0.01) for k, r in enumerate(ratios))] == [
        True, False, True, False,
    ]  # fmt: skip


def test_what_is_not_known_is_bridged_and_of_a_repeat_the_last_counts() -> None:
    points = [
        (260.0, 0.0, 0.01),
        (270.0, math.nan, 0.01),
        (280.0, 0.1, math.inf),
        (290.0, 0.5, 0.1),
        (290.0, 0.17, 0.1),
    ]
    (edge,) = window_edges(points)
    assert (edge.low, edge.high, edge.celsius) == (260.0, 290.0, pytest.approx(275.0))


def test_edges_agree_by_their_errors_in_one_bracket_and_by_overlap_in_others() -> None:
    edge = Edge(True, 265.0, 1.0, 260.0, 270.0)
    assert edge.agrees(Edge(True, 267.0, 1.0, 260.0, 270.0))
    assert not edge.agrees(Edge(True, 269.0, 1.0, 260.0, 270.0))
    # the wider bracket holds the narrower
    assert edge.agrees(Edge(True, 275.0, 1.0, 260.0, 280.0))
    assert not edge.agrees(Edge(True, 285.0, 1.0, 280.0, 290.0))
    # beside one another, and the crossings are the same within their errors
    assert Edge(True, 269.0, 1.0, 260.0, 270.0).agrees(Edge(True, 271.0, 1.0, 270.0, 280.0))
