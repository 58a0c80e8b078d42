import numpy as np
import pytest

from msc_plans.kinetics.mechanism import Mechanism, Prior, Species, Step
from msc_plans.kinetics.palencia import FAMILIES, palencia_2020

GUESS = Prior(0.0, 1.0, "test")


def one_step(stoichiometry, orders=None):
    species = (Species("precursor", 1), Species("monomer", 1), Species("CdSe-403", 37))
    step = Step("growth", stoichiometry, orders or {"monomer": 1.0}, GUESS, GUESS)
    return Mechanism("test", species, (step,))


def test_an_unbalanced_step_is_refused_by_name():
    with pytest.raises(ValueError, match="step 'growth' is not balanced: it makes 1 CdSe units per event"):
        one_step({"monomer": -36.0, "CdSe-403": 1.0})


def test_an_unknown_species_is_refused_by_name():
    with pytest.raises(ValueError, match="step 'growth': unknown species CdSe-500; known are precursor"):
        one_step({"monomer": -1.0, "CdSe-500": 1.0})
    with pytest.raises(ValueError, match="unknown species ghost"):
        one_step({"monomer": -37.0, "CdSe-403": 1.0}, {"ghost": 1.0})


def test_bad_priors_orders_and_doubles_are_refused():
    with pytest.raises(ValueError, match=r"sigma above 0, not 0\.0"):
        Prior(1.0, 0.0, "no reason")
    with pytest.raises(ValueError, match="the order in 'monomer' must be above 0, not 0"):
        one_step({"monomer": -37.0, "CdSe-403": 1.0}, {"monomer": 0})
    with pytest.raises(ValueError, match="species A given more than once"):
        Mechanism("twice", (Species("A", 1), Species("A", 2)), ())


def test_the_papers_mechanism_keeps_the_units_exactly():
    mechanism = palencia_2020()
    assert np.array_equal(mechanism.stoichiometry @ mechanism.contents, np.zeros(15))
    assert set(FAMILIES) < set(mechanism.index)
    assert len(mechanism) == 30


def test_every_prior_has_a_reason_and_every_step_an_energy_of_its_own():
    for step in palencia_2020().steps:
        assert len(step.log10_k.reason) > 20
        assert len(step.activation_energy.reason) > 20
        assert step.activation_energy.sigma >= 20
