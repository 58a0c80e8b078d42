"""Claims judged on records made by hand, of which the answer is known."""

import math
from dataclasses import replace

import numpy as np
import pytest

from msc_plans.condition import Condition
from msc_plans.paper.claims.check import Bound, judge, trend
from msc_plans.paper.claims.claims import CLAIMS, AnalysedRun, Records, find
from msc_plans.paper.claims.xray import peak_height

FULL = 0.9


def uvvis(ratio: float = 0.0, ratio_sigma: float = 0.005, **more: float) -> dict[str, float]:
    record: dict[str, float] = {"full_conversion_height": FULL, "nc_height": 0.2, "nc_height_sigma": 0.002}
    record |= {"nc_wavelength_nm": 527.0, "nc_wavelength_nm_sigma": 0.5}
    record |= {"integrated_absorbance_nm": 10.0, "integrated_absorbance_nm_sigma": 0.05}
    for family, nm in (("CdSe-382", 382.0), ("CdSe-403", 403.0), ("CdSe-437", 437.5), ("CdSe-465", 465.0)):
        record |= {f"{family}_probability": 0.0, f"{family}_height": 0.0, f"{family}_height_sigma": 2e-3}
        record |= {f"{family}_wavelength_nm": nm, f"{family}_wavelength_nm_sigma": 0.5}
    record["CdSe-437_probability"] = float(ratio > 0)
    return record | {"CdSe-437_ratio": ratio, "CdSe-437_ratio_sigma": ratio_sigma, **more}


def at(nucleation: float, growth: float, seconds: float, **results: dict) -> AnalysedRun:
    name = f"{nucleation:g}-{growth:g}-{seconds:g}"
    return AnalysedRun(name, "scan", 0.0, Condition(nucleation, growth, seconds), results=results)


def verdict(name: str, *records: AnalysedRun) -> str:
    (found,) = find(Records(records), [name])
    assert found.claim == name
    return found.verdict


WINDOW = {260: 0.03, 270: 0.12, 280: 0.13, 290: 0.14, 300: 0.12} | dict.fromkeys(range(310, 360, 10), 0.0)


def window(sigma: float = 0.005, **other: float) -> list[AnalysedRun]:
    ratios = WINDOW | {int(key[1:]): value for key, value in other.items()}
    return [at(t, t, 14.0, uvvis=uvvis(ratio, sigma)) for t, ratio in ratios.items()]


def test_a_check_is_the_probability_of_its_range() -> None:
    assert Bound("x", 1.0, 1.0, low=1.0).probability == pytest.approx(0.5)
    assert Bound("x", 0.0, 1.0, low=-1.959964, high=1.959964).probability == pytest.approx(0.95)
    assert Bound("x", 1.0, 0.0, low=0.5).probability == 1.0
    assert Bound("x", 1.0, math.inf, low=2.0).probability == 0.5
    assert math.isnan(Bound("x", math.nan, 1.0, low=0.0).probability)


@pytest.mark.parametrize(
    ("check", "words"),
    [
        (
            Bound("x", 0.070541, 0.0102, low=0.085, unit="nm"),
            "x: 0.071 ± 0.010 nm (asked ≥ 0.085, probability 0.078)",
        ),
        (Bound("x", 1234.4, 25.0, high=1000.0), "x: 1234 ± 25 (asked ≤ 1e+03, probability 0.000)"),
        (Bound("x", 3.0, 0.0, low=0.5), "x: 3 (asked ≥ 0.5, probability 1.000)"),
        (Bound("x", 1.0, 0.0, low=0.5, note="detected"), "x: detected"),
        (Bound("x", 0.1, math.inf, low=0.5, note="not detected"), "x: open (not detected)"),
    ],
)
def test_a_check_is_said_in_words_with_as_many_digits_as_its_error_has(check: Bound, words: str) -> None:
    assert str(check) == words


def test_what_may_not_be_there_at_all_is_zero_as_far_as_it_is_not() -> None:
    assert Bound("x", 0.1, 0.0, low=0.05, there=0.3).probability == pytest.approx(0.3)
    assert Bound("x", 0.1, 0.0, high=0.05, there=0.3).probability == pytest.approx(0.7)
    assert verdict("F1-window", *window(sigma=0.2)) == "not resolvable"
    hardly = [at(t, t, 14.0, uvvis=uvvis(0.03, 0.05, **{"CdSe-437_probability": 0.02})) for t in range(310, 360, 10)]
    assert verdict("F1-window", *window()[:5], *hardly) == "shown"


def test_one_check_beyond_doubt_refuses_and_many_are_given_more_doubt() -> None:
    against = Bound("x", -2.0, 1.0, low=0.0)  # probability 0.023
    holds = Bound("x", 5.0, 1.0, low=0.0)
    assert judge([against]) == "not shown"
    assert judge([against, *[holds] * 9]) == "not resolvable"
    assert judge([holds] * 10) == "shown"
    assert judge([replace(against, value=-9.0), *[holds] * 9]) == "not shown"


def test_what_was_not_measured_is_no_verdict() -> None:
    assert {found.verdict for found in find(Records([]))} == {"not measured"}
    assert [found.claim for found in find(Records([]))] == [claim.name for claim in CLAIMS]


def test_a_check_that_only_refuses_need_not_hold() -> None:
    slope, *steps = trend("x", [0, 1, 2, 3], [0, 1, 0.9, 2], [0.3] * 4, list("abcd"))
    assert slope.value == pytest.approx(0.59, abs=0.01)
    assert judge([slope, *steps]) == "shown"
    assert judge(trend("x", [0, 1, 2, 3], [0, 3, 1, 3], [0.1] * 4, list("abcd"))) == "not shown"
    assert trend("x", [0, 1], [0, 1], [1, 1], list("ab")) == []


def test_the_slope_is_as_sure_as_its_values_whatever_the_shape_of_the_rise() -> None:
    straight = trend("x", [0, 1, 2, 3], [0, 1, 2, 3], [0.01] * 4, list("abcd"))[0]
    bent = trend("x", [0, 1, 2, 3], [0, 0, 0, 3], [0.01] * 4, list("abcd"))[0]
    assert straight.sigma == pytest.approx(0.01 / math.sqrt(5))
    assert bent.sigma == straight.sigma
    assert (straight.value, bent.value) == pytest.approx((1.0, 0.9))


def test_the_slope_is_no_surer_than_a_rising_curve_fits() -> None:
    jitter = trend("x", [0, 1, 2, 3], [0, 2, 1, 3], [0.01] * 4, list("abcd"))[0]
    # the nearest rising curve has 1.5 at both: 50 σ off twice, over three degrees of freedom
    assert jitter.sigma == pytest.approx(0.01 / math.sqrt(5) * math.sqrt(2 * 50**2 / 3))


def test_a_slow_fall_refuses_what_its_steps_leave_open() -> None:
    values = [20.0, 19.0, 18.0, 17.0, 16.0, 30.0, 40.0, 50.0]
    checks = trend("x", range(8), values, [0.4] * 8, list("abcdefgh"))
    assert checks[0].probability > 0.999
    steps = [one for one in checks[1:] if one.what.endswith(("0 → 1", "1 → 2", "2 → 3", "3 → 4"))]
    assert all(one.probability > 0.05 / len(checks) for one in steps)
    (pairs,) = [one for one in checks if one.what == "x, 0 to 1 → 2 to 3"]
    assert (pairs.value, pairs.sigma) == pytest.approx((-2.0, 0.4))
    assert judge(checks) == "not shown"


def test_a_flat_series_is_called_rising_no_more_often_than_it_says() -> None:
    rng = np.random.default_rng(3)
    sigmas = np.array([0.1, 0.1, 0.3, 1.0, 2.0])
    shown = 0
    for _ in range(2000):
        slope = trend("x", range(5), rng.normal(0.0, sigmas).tolist(), sigmas.tolist(), list("abcde"))[0]
        shown += slope.probability >= 0.95
    assert shown / 2000 <= 0.055


def test_the_window_is_shown_refused_and_open() -> None:
    assert verdict("F1-window", *window()) == "shown"
    assert verdict("F1-window", *window(t310=0.12)) == "not shown"
    assert verdict("F1-window", *window(t300=0.02)) == "not shown"
    assert verdict("F1-window", *window(t260=0.08)) == "not resolvable"
    assert verdict("F1-window", *window(sigma=0.2)) == "not resolvable"
    assert verdict("F1-window", *window()[:5]) == "not resolvable"


def test_an_open_check_says_what_it_would_take() -> None:
    (found,) = find(Records(window(t260=0.08)), ["F1-window"])
    (decisive,) = found.decisive
    assert "260 °C: 0.0800 ± 0.0050" in str(decisive)
    assert decisive.uids == ("260-260-14",)
    assert found.as_dict()["decisive"] == [decisive.what]
    (missing,) = find(Records(window()[1:]), ["F1-window"])[0].decisive
    assert "not measured" in str(missing)


def row(nucleation: int, ratio: float) -> list[AnalysedRun]:
    return [
        at(nucleation, nucleation - step, 14.0, uvvis=uvvis(ratio if step == 50 else 0.0)) for step in range(0, 100, 10)
    ]


def test_a_row_is_judged_by_its_best_condition() -> None:
    rows = [one for n in range(260, 360, 10) for one in row(n, 0.12 if n in (270, 280, 290, 300) else 0.02)]
    assert verdict("F1-rows", *rows) == "shown"
    assert verdict("F1-rows", *rows, *row(330, 0.12)) == "not shown"
    # that none of a row accumulates is not shown by a part of it
    assert verdict("F1-rows", *rows[:-1]) == "not resolvable"


def growing(start_nm: float = 437.5, step: float = 0.01, nc_step: float = 4.0) -> list[AnalysedRun]:
    return [
        at(n, n - 90 + 10 * k, 14.0, uvvis=uvvis(
            0.12 if k > 6 else 0.0,
            **{"CdSe-437_wavelength_nm": start_nm, "CdSe-437_height": step * k, "nc_wavelength_nm": 480 + nc_step * k},
        ))
        for n in range(260, 360, 10) for k in range(10)
    ]  # fmt: skip


def test_the_maximum_is_static_while_the_nanocrystals_move() -> None:
    assert verdict("F1-static", *growing()) == "shown"
    assert verdict("F1-static", *growing(start_nm=442.0)) == "not shown"
    assert verdict("F1-static", *growing(start_nm=438.8)) == "not resolvable"
    assert verdict("F1-static", *growing(step=-0.01)) == "not shown"
    assert verdict("F1-grow", *growing()) == "shown"
    assert verdict("F1-grow", *growing(nc_step=-4.0)) == "not shown"
    assert verdict("F1-grow", *growing(nc_step=0.0)) == "not resolvable"


def test_437_that_accumulates_nowhere_is_not_static() -> None:
    bare = [replace(one, results={"uvvis": one.results["uvvis"] | {"CdSe-437_ratio": 0.0}}) for one in growing()]
    assert verdict("F1-static", *bare) == "not shown"


def short(probability: float, height: float, sigma: float, other: float = 1.0) -> list[AnalysedRun]:
    told = {"CdSe-437_probability": probability, "CdSe-437_height": height, "CdSe-437_height_sigma": sigma}
    told |= {"CdSe-403_probability": other, "CdSe-403_height": 0.01}
    return [at(t, t, 4.5, uvvis=uvvis(**told)) for t in (260, 280, 350)]


def test_what_is_not_detected_contradicts_only_below_what_a_figure_shows() -> None:
    assert verdict("S2-short", *short(0.99, 0.02, 1e-3)) == "shown"
    assert verdict("S2-short", *short(0.5, 2e-3, 1e-3)) == "not resolvable"
    assert verdict("S2-short", *short(0.0, 1e-4, 1e-4)) == "not shown"
    assert verdict("S2-short", *short(0.99, 0.02, 1e-3, other=0.3)) == "not resolvable"
    (found,) = find(Records(short(0.5, 2e-3, 1e-3)), ["S2-short"])
    assert "3 σ limit 0.0050 absorbance" in str(found.decisive[0])


def densities(areas: list[float], sigma: float) -> list[AnalysedRun]:
    return [
        at(t, t, s, uvvis=uvvis(integrated_absorbance_nm=area, integrated_absorbance_nm_sigma=sigma))
        for t in (260, 280, 350)
        for s, area in zip((1.5, 3.0, 4.5, 7.6, 10.0, 14.0), areas, strict=True)
    ]


def test_optical_density_rises_at_every_step() -> None:
    assert verdict("S3-density", *densities([1, 2, 3, 4, 5, 6], 0.1)) == "shown"
    assert verdict("S3-density", *densities([1, 2, 3, 4, 5, 5.1], 0.1)) == "not resolvable"
    assert verdict("S3-density", *densities([1, 2, 3, 4, 5, 4], 0.1)) == "not shown"


def test_coexistence_and_disappearance() -> None:
    there = [at(280, 280, 4.5, uvvis=uvvis(0.3)), at(280, 280, 14.0, uvvis=uvvis(0.12))]
    hot = at(350, 350, 4.5, uvvis=uvvis(0.2))
    assert verdict("K-persist", *there, hot, at(350, 350, 14.0, uvvis=uvvis(0.0))) == "shown"
    assert verdict("K-persist", *there, hot, at(350, 350, 14.0, uvvis=uvvis(0.07))) == "not shown"
    bare = at(280, 280, 14.0, uvvis=uvvis(0.12, nc_height=0.0))
    assert verdict("K-persist", there[0], bare, hot, at(350, 350, 14.0, uvvis=uvvis(0.0))) == "not shown"


def test_places_of_the_nanocrystals() -> None:
    def shifted(first: float, second: float, sigma: float = 0.5) -> list[AnalysedRun]:
        return [
            at(280, 280, s, uvvis=uvvis(nc_wavelength_nm=nm, nc_wavelength_nm_sigma=sigma))
            for s, nm in ((4.5, first), (14.0, second))
        ]

    assert verdict("K-shift", *shifted(490, 525)) == "shown"
    assert verdict("K-shift", *shifted(490, 505)) == "not shown"
    assert verdict("K-shift", *shifted(490, 525, sigma=10)) == "not resolvable"
    final = [at(350, 350, 7.6, uvvis=uvvis(nc_wavelength_nm=nm)) for nm in (573.0, 560.0)]
    assert [verdict("K-final", one) for one in final] == ["shown", "not shown"]
    slow = [at(260, 260, 4.5, uvvis=uvvis(nc_height=0.0)), at(260, 260, 14.0, uvvis=uvvis(0.02))]
    assert verdict("K-slow", *slow) == "shown"
    assert verdict("K-slow", slow[0], at(260, 260, 14.0, uvvis=uvvis(0.07))) == "not shown"


def radii(by_temperature: dict[int, float], sigma: float = 0.005) -> list[AnalysedRun]:
    ends = {"low": -2 * sigma, "high": 2 * sigma}
    return [
        at(t, 230, 1.5, saxs={"mean_radius_nm": r, **{f"mean_radius_nm_{end}": r + by for end, by in ends.items()}})
        for t, r in by_temperature.items()
    ]


STEPS = {190: 0.87} | dict.fromkeys((200, 210, 220, 230), 0.94) | {240: 1.02, 250: 1.1, 260: 1.2, 270: 1.3, 280: 1.4}


def test_steps_of_the_radius() -> None:
    assert verdict("F2-steps", *radii(STEPS)) == "shown"
    assert verdict("F2-steps", *radii(dict.fromkeys(STEPS, 0.83))) == "not shown"
    assert verdict("F2-steps", *radii(STEPS, sigma=0.2)) == "not resolvable"
    assert verdict("F2-steps", *radii({**STEPS, 190: math.nan})) == "not resolvable"


def curve(peak: float, hump: float = 0.0, noise: float = 0.002) -> dict[str, np.ndarray]:
    q = np.linspace(0.12, 5.0, 300)
    y = 0.1 + hump * np.exp(-0.5 * (np.log(q / 0.25) / 0.35) ** 2)
    for place, height in ((1.84, peak), (3.68, 0.3 * peak)):
        y = y + height * np.exp(-4 * math.log(2) * ((q - place) / 0.08) ** 2)
    y = y + np.random.default_rng(1).normal(0.0, noise, len(q))
    found = {"q_inv_nm": q, "intensity": y, "intensity_sigma": np.full(len(q), noise)}
    if peak > 0:
        found |= {"peak_q_inv_nm": np.array([1.84, 3.68]), "peak_q_inv_nm_sigma": np.array([1e-3, 3e-3])}
        found |= {"peak_fwhm_inv_nm": np.array([0.08, 0.08])}
    return found


def precursor(liquid: str, celsius: float, peak: float, hump: float = 0.0, noise: float = 0.002) -> AnalysedRun:
    results = {"lamellae": curve(peak, hump, noise)}
    return AnalysedRun(f"{liquid}-{celsius:g}", "mesophase_scan", 0.0, liquid=liquid, cell_c=celsius, results=results)


def mixture(cold: float, warm: float, hot: float, noise: float = 0.002) -> list[AnalysedRun]:
    heights = ((25.0, cold), (50.0, warm), (100.0, hot))
    return [precursor("Mixture", t, height, noise=noise) for t, height in heights]


def test_a_peak_that_is_not_there_has_no_height() -> None:
    height, sigma = peak_height(precursor("Mixture", 25.0, 0.0), 1.84, 0.08)
    assert abs(height) < 4 * sigma
    height, sigma = peak_height(precursor("Mixture", 25.0, 1.0), 1.84, 0.08)
    assert height == pytest.approx(1.0, abs=5 * sigma)


def test_lamellae_melt_and_are_of_cadmium() -> None:
    assert verdict("F3-lamellae", *mixture(1.0, 0.6, 0.0)) == "shown"
    assert verdict("F3-lamellae", *mixture(1.0, 1.0, 1.0)) == "not shown"
    assert verdict("F3-lamellae", *mixture(1.0, 0.6, 0.0, noise=0.5)) == "not resolvable"
    cd, se = precursor("Cd only", 25.0, 2.0, hump=0.5), precursor("Se only", 25.0, 0.0)
    assert verdict("F3-origin", cd, se) == "shown"
    assert verdict("F3-origin", cd, precursor("Se only", 25.0, 1.0)) == "not shown"
    assert verdict("F3-origin", precursor("Cd only", 25.0, 2.0), se) in ("not shown", "not resolvable")


def fractions(missing: str = "", place: float = 403.0) -> list[AnalysedRun]:
    found = []
    for name, family in (("F4", "CdSe-403"), ("F3", "CdSe-437"), ("F2", "CdSe-465"), ("F1", "NC")):
        numbers = uvvis(nc_height=0.3 if family == "NC" else 0.0)
        if family != "NC":
            numbers["nc_wavelength_nm"] = math.nan
            if family != missing:
                numbers |= {f"{family}_probability": 1.0, f"{family}_height": 0.1}
        found.append(
            AnalysedRun(
                name, "fractions", 0.0, fraction=name, results={"uvvis": numbers | {"CdSe-403_wavelength_nm": place}}
            )
        )
    return found  # fmt: skip


def test_a_band_within_its_own_error_is_not_detected() -> None:
    def short(sigma: float) -> list[AnalysedRun]:
        bands = {
            f"{family}_{key}": value
            for family in ("CdSe-437", "CdSe-465")
            for key, value in (("probability", 0.99), ("height", 0.05), ("height_sigma", sigma))
        }
        return [at(t, t, 4.5, uvvis=uvvis(**bands)) for t in (260, 280, 350)]

    assert verdict("S2-short", *short(0.01)) == "shown"
    assert verdict("S2-short", *short(0.05)) == "not resolvable"


def test_fractions_show_a_family_each() -> None:
    assert verdict("F4-sizes", *fractions()) == "shown"
    assert verdict("F4-sizes", *fractions(place=409.0)) == "not shown"
    assert verdict("F4-sizes", *fractions(missing="CdSe-465")) == "not resolvable"
    (found,) = find(Records(fractions()), ["F4-sizes"])
    places = [one.what[:8] for one in found.checks if "maximum" in one.what]
    assert places == sorted(places), "the table must be the same whenever it is made"


def test_saxs_sizes_of_a_family_need_a_stream_that_is_mostly_it() -> None:
    def stream(family: str, share: float, radius: float) -> AnalysedRun:
        x_ray = {"mean_radius_nm": radius, "mean_radius_nm_low": radius - 0.004, "mean_radius_nm_high": radius + 0.004}
        joint = {f"{family}_joint_fraction": share, f"{family}_joint_fraction_sigma": 0.02}
        return replace(at(230, 230, 1.0 + radius, saxs=x_ray, joint=joint), uid=family)

    radii_nm = {"CdSe-403": 0.87, "CdSe-437": 0.94, "CdSe-465": 1.02}
    pure = [stream(family, 0.97, radius) for family, radius in radii_nm.items()]
    assert verdict("X-agree", *fractions(), *pure) == "shown"
    mixed = [stream(family, 0.5, radius) for family, radius in radii_nm.items()]
    assert verdict("X-agree", *fractions(), *mixed) == "not resolvable"
    wrong = [stream(family, 0.97, 1.2 * radius) for family, radius in radii_nm.items()]
    assert verdict("X-agree", *fractions(), *wrong) == "not shown"


def test_of_runs_of_one_condition_the_latest_counts() -> None:
    old, new = (replace(at(280, 280, 14.0, uvvis=uvvis(r)), uid=f"{r}", time_s=r) for r in (0.1, 0.2))
    assert Records([new, old]).both(280, 14.0) is new
    assert Records([new, replace(old, time_s=9.0, results={})]).both(280, 14.0) is new
