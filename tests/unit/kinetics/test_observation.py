import math

import numpy as np
import pytest

from msc_plans.condition import Condition
from msc_plans.families import built_in_families
from msc_plans.kinetics.mechanism_file import mechanisms
from msc_plans.kinetics.observation import HEIGHT_SOFT, Observables, heights_of
from msc_plans.kinetics.synthetic import outcome_record

MECHANISM = mechanisms()["sequential"]
CDSE = built_in_families()
OBSERVABLES = Observables(CDSE)
QUANTITIES, FAMILIES = OBSERVABLES.names, CDSE.names


def record(**changes):
    parameters = np.array([*(prior.mean for prior in MECHANISM.priors), 0.0, 0.0])
    return {**outcome_record(MECHANISM, parameters, Condition(290, 290, 14), np.random.default_rng(0)), **changes}


def concentrations(**amounts):
    """Of one set at one condition, mmol/L; ``nc`` is (number, units of each)."""
    found = np.zeros((1, 1, len(MECHANISM.names)))
    number, units = amounts.pop("nc", (0.0, 1.0))
    for j in range(4):
        found[..., MECHANISM.index[f"NC x{j}"]] = number * units ** (j / 3)
    for name, amount in amounts.items():
        found[..., MECHANISM.index[name.replace("_", "-")]] = amount
    return found


def test_the_sizing_curve_gives_the_papers_sizes_and_inverts():
    curve = CDSE.material.known_sizing("this test")
    wavelengths, diameters = curve.inverse
    assert [curve.diameter_nm(at) for at in (403, 437, 465, 572)] == pytest.approx([1.58, 1.85, 2.06, 3.6], abs=0.05)
    assert wavelengths[[0, -1]] == pytest.approx([360, 690])
    assert (np.diff(diameters) > 0).all()
    sizes = [curve.diameter_nm(at) for at in (480.0, 527.0, 572.0)]
    assert curve.maximum_nm(sizes) == pytest.approx([480, 527, 572], abs=0.05)


def test_full_conversion_height_follows_yu():
    units = math.pi / 6 * 3.6**3 / 0.0562
    height = CDSE.material.full_conversion_height(0.01, 0.2)
    assert height == pytest.approx(5857 * 3.6**2.65 * 0.01 / units * 0.2)


def test_full_conversion_to_one_size_has_height_maximum_width_and_size_by_saxs():
    units = math.pi / 6 * 3.6**3 / 0.0562
    found = OBSERVABLES.predict(MECHANISM, concentrations(nc=(10.0 / units, units)), np.zeros((1, 2)), 10.0)[0, 0]
    by_name = dict(zip(QUANTITIES, found, strict=True))
    assert heights_of(found)[-1] == pytest.approx(1.0, rel=1e-6)
    assert by_name["NC maximum"] == pytest.approx(572.0, abs=1.0)
    # 0.12 eV at 572 nm
    assert math.exp(by_name["NC width"]) == pytest.approx(0.12 * by_name["NC maximum"] ** 2 / 1239.84, rel=1e-5)
    assert math.exp(by_name["SAXS radius"]) == pytest.approx(1.8, rel=1e-6)
    # 10 mmol/L of units of 0.0562 nm³
    assert math.exp(by_name["SAXS volume fraction"]) == pytest.approx(0.01 * 0.602214 * 0.0562, rel=5e-3)


def test_sizes_that_differ_make_a_broader_and_lower_band():
    number, small, large = 0.01, 200.0, 400.0
    mixed = concentrations(nc=(number, small)) + concentrations(nc=(number, large))
    single = concentrations(nc=(2 * number, 300.0))
    a, b = (OBSERVABLES.predict(MECHANISM, one, np.zeros((1, 2)), 10.0)[0, 0] for one in (mixed, single))
    width, height = QUANTITIES.index("NC width"), len(FAMILIES)
    assert a[width] > b[width] + 0.05
    assert a[height] < b[height]


def test_a_family_alone_has_a_ratio_to_the_floor():
    amount = 0.02 * 10.0 / 60
    found = OBSERVABLES.predict(MECHANISM, concentrations(CdSe_437=amount), np.zeros((1, 2)), 10.0)[0, 0]
    height = 0.02 * (1.85 / 3.6) ** -0.35
    assert heights_of(found)[FAMILIES.index("CdSe-437")] == pytest.approx(height, rel=0.01)
    assert OBSERVABLES.ratio(heights_of(found), "CdSe-437") == pytest.approx(height / 0.02, rel=0.01)
    assert OBSERVABLES.ratio(heights_of(found), "CdSe-465") == pytest.approx(0.0, abs=1e-9)


def test_a_set_that_cannot_be_integrated_predicts_nothing():
    assert np.isnan(OBSERVABLES.predict(MECHANISM, concentrations(M=np.nan), np.zeros((1, 2)), 10.0)).all()


def test_a_record_makes_an_observation_and_a_missing_key_is_named():
    observed = OBSERVABLES.observation(record())
    assert observed.full_height == 2.0
    assert observed.values.shape == observed.sigmas.shape == (len(QUANTITIES),)
    assert np.isnan(observed.values[QUANTITIES.index("SAXS radius")])
    for key in OBSERVABLES.outcome_keys:
        with pytest.raises(ValueError, match=f"the point lacks the outcome {key}"):
            OBSERVABLES.observation({name: value for name, value in record().items() if name != key})
    with pytest.raises(ValueError, match="the outcome noise must be a number, not 'low'"):
        OBSERVABLES.observation(record(noise="low"))
    with pytest.raises(ValueError, match="full_conversion_height must be above 0, not 0"):
        OBSERVABLES.observation(record(full_conversion_height=0.0))


def test_a_family_that_is_not_seen_is_known_to_the_limit_of_detection():
    blank = OBSERVABLES.observation(record(**{"CdSe-437_height": math.nan, "CdSe-437_height_sigma": math.nan}))
    number = FAMILIES.index("CdSe-437")
    assert blank.values[number] == pytest.approx(math.log(HEIGHT_SOFT))
    # five times the noise of 0.002, of a full height of 2, over the softening
    assert blank.sigmas[number] == pytest.approx(0.005 / HEIGHT_SOFT)


def test_saxs_is_used_where_there_is_any():
    more = {"mean_radius_nm": 1.5, "mean_radius_nm_sigma": 0.03, "volume_fraction": 1e-4, "volume_fraction_sigma": 1e-5}
    observed = OBSERVABLES.observation(record(**more))
    radius, volume = (QUANTITIES.index(name) for name in ("SAXS radius", "SAXS volume fraction"))
    assert observed.values[[radius, volume]] == pytest.approx([math.log(1.5), math.log(1.01e-4)])
    assert observed.sigmas[[radius, volume]] == pytest.approx([0.02, 1e-5 / 1.01e-4])


def test_moments_that_ran_away_without_crystals_are_clipped_without_a_warning():
    found = concentrations(M=5.0)
    found[..., MECHANISM.index["NC x1"]] = found[..., MECHANISM.index["NC x2"]] = 1e300
    assert np.isfinite(OBSERVABLES.predict(MECHANISM, found, np.zeros((1, 2)), 10.0)).all()
