import math

import numpy as np
import pytest

from msc_plans.condition import Condition
from msc_plans.kinetics.observation import (
    OUTCOME_KEYS,
    Discrepancy,
    Observation,
    Optics,
    Predicted,
    diameter_nm,
    log_likelihood,
    wavelength_nm,
)
from msc_plans.kinetics.palencia import palencia_2020
from msc_plans.kinetics.synthetic import outcome_record


def record(**changes):
    mechanism = palencia_2020()
    parameters = np.concatenate([mechanism.prior_mean, [0.0, 0.0]])
    made = outcome_record(mechanism, parameters, Condition(290, 290, 14), np.random.default_rng(0))
    return {**made, **changes}


def signals(height_437, nc_height=0.5, nc_wavelength=530.0):
    heights = np.zeros((len(height_437), 1, 4))
    heights[:, 0, 2] = height_437
    shape = (len(height_437), 1)
    return Predicted(heights, np.full(shape, nc_height), np.full(shape, nc_wavelength))


def test_the_sizing_curve_gives_the_papers_sizes_and_inverts():
    assert diameter_nm([403, 437, 465, 572]) == pytest.approx([1.58, 1.85, 2.06, 3.6], abs=0.05)
    assert (np.diff(diameter_nm(np.linspace(360, 690, 200))) > 0).all()
    assert wavelength_nm(diameter_nm([480.0, 527.0, 572.0])) == pytest.approx([480, 527, 572], abs=0.05)


def test_full_conversion_height_follows_yu():
    units = math.pi / 6 * 3.6**3 / 0.0562
    assert Optics(0.2).full_conversion_height(10.0) == pytest.approx(5857 * 3.6**2.65 * 0.01 / units * 0.2)


def test_a_record_makes_an_observation_and_a_missing_key_is_named():
    observed = Observation.from_record(record())
    assert observed.full_height == 2.0
    assert observed.heights.shape == (4,)
    for key in ("CdSe-437_ratio", "nc_height", "noise"):
        with pytest.raises(ValueError, match=f"the point lacks the outcome {key}"):
            Observation.from_record({name: value for name, value in record().items() if name != key})
    with pytest.raises(ValueError, match="the outcome noise must be a number, not 'low'"):
        Observation.from_record(record(noise="low"))
    with pytest.raises(ValueError, match="full_conversion_height must be above 0, not 0"):
        Observation.from_record(record(full_conversion_height=0.0))
    assert set(OUTCOME_KEYS) == set(record())


def test_a_family_that_is_not_seen_speaks_against_much_of_it():
    blank = {f"CdSe-{n}_{end}": math.nan for n in (382, 403, 437, 465) for end in ("height", "height_sigma")}
    observed = Observation.from_record(record(**blank, nc_height=1.0, nc_wavelength_nm=530.0))
    none, some, much = log_likelihood(signals([0.0, 0.02, 0.2]), observed, 0, Discrepancy())
    assert none > some > much


def test_the_likelihood_peaks_at_the_measured_height_and_is_never_nan():
    seen = {f"CdSe-{n}_height": 0.0 for n in (382, 403, 465)}
    observed = Observation.from_record(record(**seen, **{"CdSe-437_height": 0.2}, nc_wavelength_nm=530.0))
    grid = np.linspace(0.0, 0.3, 61)
    values = log_likelihood(signals(grid), observed, 0, Discrepancy())
    assert grid[np.argmax(values)] == pytest.approx(0.1, abs=0.006)
    broken = log_likelihood(signals(np.array([np.nan, np.inf])), observed, 0, Discrepancy())
    assert np.isfinite(broken).all()
    assert (broken < values.min()).all()
