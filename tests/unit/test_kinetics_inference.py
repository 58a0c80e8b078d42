import numpy as np
import pytest

from msc_plans.condition import Condition
from msc_plans.kinetics.inference import Posterior
from msc_plans.kinetics.observation import Observation
from msc_plans.kinetics.palencia import palencia_2020
from msc_plans.kinetics.synthetic import outcome_record

MECHANISM = palencia_2020()
CONDITIONS = [Condition(t, t, 14) for t in (290, 250, 330, 270)]


def observe(truth, conditions=CONDITIONS, seed=3, relative_noise=0.1):
    rng = np.random.default_rng(seed)
    records = [outcome_record(MECHANISM, truth, one, rng, relative_noise=relative_noise) for one in conditions]
    return [Observation.from_record(one) for one in records]


def drawn_truth(seed):
    return Posterior(MECHANISM, particles=50, seed=seed).parameters[0]


@pytest.mark.long
def test_well_specified_truth_lies_in_the_intervals():
    """The truth is a draw of the prior: 95 % of its parameters lie in their 95 % intervals, up to chance."""
    inside = []
    for seed in (11, 12, 13):
        truth = drawn_truth(seed)
        posterior = Posterior(MECHANISM, particles=200, effort=40, seed=1)
        posterior.update(CONDITIONS, observe(truth))
        low, high = posterior.interval()
        inside.append((low <= truth) & (truth <= high))
    # 96 comparisons that are not independent: three quarters would be a failure of the sampler.
    assert np.mean(inside) > 0.86


def test_the_data_are_learnt_and_their_prediction_narrows():
    truth = drawn_truth(11)
    posterior = Posterior(MECHANISM, particles=200, seed=1)
    before = np.log(posterior.predict(CONDITIONS).ratio("CdSe-437") + 0.005).std(axis=0)
    for one, seen in zip(CONDITIONS, observe(truth), strict=True):
        posterior.update([one], [seen])
    after = np.log(posterior.predict(CONDITIONS).ratio("CdSe-437") + 0.005).std(axis=0)
    assert (after < 0.6 * before).all()


@pytest.mark.long
def test_data_that_no_parameter_explains_do_not_collapse_the_particles():
    truth = drawn_truth(11)
    posterior = Posterior(MECHANISM, particles=200, seed=1)
    rng = np.random.default_rng(0)
    for one in CONDITIONS:
        record = outcome_record(MECHANISM, truth, one, rng)
        # Bands that contradict one another: nanocrystals of 430 nm, all families at full conversion.
        record |= {f"CdSe-{n}_height": 2.0 for n in (382, 403, 437, 465)} | {"nc_wavelength_nm": 430.0}
        posterior.update([one], [Observation.from_record(record)])
    assert np.isfinite(posterior.z).all()
    assert len(np.unique(posterior.z[:, 0])) > 50
    assert posterior.z.std(axis=0).min() > 0.05


def test_the_same_seed_gives_the_same_particles_and_another_does_not():
    seen = observe(drawn_truth(11))[:2]

    def particles(seed):
        posterior = Posterior(MECHANISM, particles=60, seed=seed)
        posterior.update(CONDITIONS[:2], seen)
        return posterior.z

    assert np.array_equal(particles(1), particles(1))
    assert not np.array_equal(particles(1), particles(2))


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match="even number of at least 50, not 7"):
        Posterior(MECHANISM, particles=7)
    with pytest.raises(ValueError, match="4 conditions but 0 observations"):
        Posterior(MECHANISM, particles=50).update(CONDITIONS, [])
    with pytest.raises(ValueError, match="particles must have the shape"):
        Posterior(MECHANISM, particles=50).restore(np.zeros((2, 2)), [], [])
