"""Residence-time distributions against their analytic moments and against ideal reactors."""

import numpy as np
import pytest

from ioc_sim.physics import rtd


@pytest.mark.parametrize("peclet", [20.0, 60.0, 300.0])
def test_dispersion_has_mean_1_and_variance_2_over_peclet(peclet):
    theta, weight = rtd.dispersion(peclet)
    assert weight.sum() == pytest.approx(1, abs=1e-12)
    assert weight @ theta == pytest.approx(1, abs=1e-8)
    assert weight @ (theta - 1) ** 2 == pytest.approx(2 / peclet, rel=2e-6)


@pytest.mark.parametrize("number", [1.0, 3.0, 30.0])
def test_tanks_have_mean_1_and_variance_1_over_n(number):
    theta, weight = rtd.tanks(number)
    assert weight @ theta == pytest.approx(1, abs=1e-10)
    assert weight @ (theta - 1) ** 2 == pytest.approx(1 / number, rel=1e-9)


@pytest.mark.parametrize("number", [1, 2, 5])
@pytest.mark.parametrize("k_tau", [0.3, 1.0])
def test_first_order_decay_in_stirred_tanks(number, k_tau):
    theta, weight = rtd.tanks(float(number))
    assert weight @ np.exp(-k_tau * theta) == pytest.approx((1 + k_tau / number) ** -number, rel=1e-9)


@pytest.mark.parametrize("k_tau", [0.3, 2.0])
def test_first_order_decay_with_dispersion(k_tau):
    """The Laplace transform of the first-passage density is known (Wehner-Wilhelm, open outlet)."""
    peclet = 60.0
    theta, weight = rtd.dispersion(peclet)
    exact = np.exp(peclet / 2 * (1 - np.sqrt(1 + 4 * k_tau / peclet)))
    assert weight @ np.exp(-k_tau * theta) == pytest.approx(exact, rel=1e-7)


def test_plug_flow_is_one_time():
    theta, weight = rtd.plug()
    assert (theta.tolist(), weight.tolist()) == ([1.0], [1.0])
