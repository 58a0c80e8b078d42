"""Inference on worlds of its own equations: this proves the algebra, not the chemistry (`well_specified`)."""

from dataclasses import replace

import numpy as np
import pytest

from msc_plans.condition import Condition
from msc_plans.kinetics.belief import ALARM, OPTICS_ALARM, Belief
from msc_plans.kinetics.discrepancy import Discrepancy
from msc_plans.kinetics.inference import Posterior
from msc_plans.kinetics.mechanism_file import mechanisms
from msc_plans.kinetics.observation import Observables, Observation, heights_of
from msc_plans.kinetics.synthetic import outcome_record

OBSERVABLES = Observables()
MECHANISM = mechanisms()["sequential"]
CONDITIONS = [Condition(t, t, 14) for t in (290, 250, 330, 270)]


def observe(truth, conditions=CONDITIONS, seed=3, relative_noise=0.1, mechanism=MECHANISM):
    rng = np.random.default_rng(seed)
    records = [outcome_record(mechanism, truth, one, rng, relative_noise=relative_noise) for one in conditions]
    return [OBSERVABLES.observation(one) for one in records]


def drawn_truth(seed, mechanism=MECHANISM):
    return Posterior(mechanism, particles=50, seed=seed).parameters[0]


@pytest.mark.long
def test_well_specified_truth_lies_in_the_intervals():
    """The truth is a draw of the prior: 95 % of its parameters lie in their 95 % intervals, up to chance."""
    inside = []
    for seed in (11, 12, 13):
        truth = drawn_truth(seed)
        posterior = Posterior(MECHANISM, particles=400, sweeps=8, seed=1)
        posterior.update(CONDITIONS, observe(truth))
        low, high = np.percentile(posterior.parameters, [2.5, 97.5], axis=0)
        inside.append((low <= truth) & (truth <= high))
    # 96 comparisons that are not independent: three quarters would be a failure of the sampler.
    assert np.mean(inside) > 0.86


def test_the_data_are_learnt_and_their_prediction_narrows():
    truth = drawn_truth(11)
    posterior = Posterior(MECHANISM, particles=200, seed=1)
    before = np.log(OBSERVABLES.ratio(heights_of(posterior.predict(CONDITIONS)), "CdSe-437") + 0.005).std(axis=0)
    for one, seen in zip(CONDITIONS, observe(truth), strict=True):
        posterior.update([one], [seen])
    after = np.log(OBSERVABLES.ratio(heights_of(posterior.predict(CONDITIONS)), "CdSe-437") + 0.005).std(axis=0)
    assert (after < 0.7 * before).all()


def test_the_evidence_is_the_mean_likelihood_under_the_prior():
    (seen,) = observe(drawn_truth(11), CONDITIONS[:1])
    # two quantities only: so few that draws of the prior meet them
    number = [OBSERVABLES.index(name) for name in ("CdSe-437", "NC maximum")]
    values = np.full(len(OBSERVABLES.names), np.nan)
    values[number] = seen.values[number]
    part = Observation(values, seen.sigmas, seen.full_height)
    many = Posterior(MECHANISM, particles=20000, seed=5)
    logs = Discrepancy((CONDITIONS[0],), (part,), OBSERVABLES.names).log_likelihood(many.predict(CONDITIONS[:1]))
    found = []
    for seed in range(4):
        posterior = Posterior(MECHANISM, particles=400, seed=seed)
        posterior.update(CONDITIONS[:1], [part])
        found.append(posterior.log_evidence)
    assert np.mean(found) == pytest.approx(np.log(np.exp(logs).mean()), abs=0.15)


@pytest.mark.long
def test_data_that_no_parameter_explains_do_not_collapse_the_particles():
    truth = drawn_truth(11)
    posterior = Posterior(MECHANISM, particles=200, seed=1)
    rng = np.random.default_rng(0)
    for one in CONDITIONS:
        record = outcome_record(MECHANISM, truth, one, rng)
        # Bands that contradict one another: nanocrystals of 430 nm, all families at full conversion.
        record |= {f"CdSe-{n}_height": 2.0 for n in (382, 403, 437, 465)} | {"nc_wavelength_nm": 430.0}
        posterior.update([one], [OBSERVABLES.observation(record)])
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
        Posterior(MECHANISM, particles=50).restore(np.zeros((2, 2)), 0.0, [], [])
    with pytest.raises(ValueError, match="at least one mechanism"):
        Belief({})


def small_belief(**settings):
    return Belief({name: mechanisms()[name] for name in ("sequential", "dead_end")}, particles=100, **settings)


def test_probabilities_start_equal_and_sum_to_one():
    belief = small_belief()
    assert belief.probabilities == {"sequential": 0.5, "dead_end": 0.5}
    belief.update(CONDITIONS[:2], observe(drawn_truth(11))[:2])
    assert sum(belief.probabilities.values()) == pytest.approx(1.0)
    assert len(belief) == 200
    particles = belief.particles(CONDITIONS, most=100)
    assert particles.predicted.shape == (100, 4, len(OBSERVABLES.names))
    assert np.exp(particles.log_weight).sum() == pytest.approx(1.0)


def test_an_alarm_is_raised_by_what_no_mechanism_predicts():
    belief, truth = small_belief(), drawn_truth(11)
    for one, seen in zip(CONDITIONS, observe(truth), strict=True):
        belief.update([one], [seen])
    assert belief.alarm is None
    near = Condition(292, 292, 14)
    (seen,) = observe(truth, [near])
    values = seen.values.copy()
    values[OBSERVABLES.index("NC maximum")] += 90.0
    belief.update([near], [Observation(values, seen.sigmas, seen.full_height)])
    assert belief.alarm.startswith(f"{ALARM}: NC maximum at {near} is off by")


def test_absorbance_where_nothing_absorbs_is_an_alarm_of_its_own():
    belief, truth = small_belief(), drawn_truth(11)
    (seen,) = observe(truth, CONDITIONS[:1])
    belief.update(CONDITIONS[:1], [replace(seen, baseline=0.014)])
    assert belief.alarm is None
    belief.update(CONDITIONS[1:2], [replace(seen, baseline=0.031)])
    assert belief.alarm.startswith(f"{OPTICS_ALARM}: absorbance of 0.031 at the red end")
