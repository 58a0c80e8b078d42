"""Fake devices, and a RunEngine that only looks at messages."""

import pytest

from tests.unit.plans.fakes import answering_simulator, fake_reactor, fake_saxs, fake_spectrometer


@pytest.fixture(scope="session")
def reactor():
    return fake_reactor()


@pytest.fixture(scope="session")
def spectrometer():
    return fake_spectrometer()


@pytest.fixture(scope="session")
def saxs():
    return fake_saxs()


@pytest.fixture
def simulator():
    return answering_simulator()
