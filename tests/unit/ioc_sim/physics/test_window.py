"""What the default scenario must show, from its noise-free truth (windows, not exact values)."""

import pytest

from ioc_sim.bench import noise_free
from ioc_sim.physics.scenario_file import load_scenario

SCENARIO = load_scenario("palencia2020")


def truth(temperature_c: float, residence_s: float) -> dict:
    return noise_free(
        SCENARIO,
        {
            "nucleation_temperature": temperature_c,
            "growth_temperature": temperature_c,
            "residence_time": residence_s,
        },
    )


@pytest.mark.parametrize(
    ("temperature_c", "low", "high"),
    [
        (250.0, 0.0, 0.05),
        (260.0, 0.0, 0.085),
        (270.0, 0.085, 1.0),
        (280.0, 0.085, 1.0),
        (290.0, 0.085, 1.0),
        (300.0, 0.085, 1.0),
        (310.0, 0.0, 0.085),
        (320.0, 0.0, 0.085),
        (340.0, 0.0, 0.05),
        (350.0, 0.0, 0.05),
    ],
)
def test_437_accumulates_from_270_to_300_only(temperature_c, low, high):
    assert low <= truth(temperature_c, 14.0)["ratio_437"] < high


@pytest.mark.parametrize(
    ("temperature_c", "residence_s", "nc_nm"), [(280.0, 4.5, 490.0), (280.0, 14.0, 527.0), (350.0, 7.6, 572.0)]
)
def test_nanocrystal_maxima(temperature_c, residence_s, nc_nm):
    assert truth(temperature_c, residence_s)["nc_wavelength_nm"] == pytest.approx(nc_nm, abs=6.0)


@pytest.mark.parametrize("temperature_c", [260.0, 280.0, 350.0])
def test_optical_density_rises_with_time(temperature_c):
    density = []
    for residence_s in (1.5, 3.0, 4.5, 7.6, 10.0, 14.0):
        result = truth(temperature_c, residence_s)
        density.append(result["absorbance"][result["wavelength_nm"] > 350.0].sum())
    assert density == sorted(density)


@pytest.mark.parametrize("temperature_c", [260.0, 280.0, 350.0])
def test_437_and_another_family_are_there_at_short_time(temperature_c):
    result = truth(temperature_c, 4.5)
    assert result["ratio_437"] > 0.085
    others = [h for name, h in result["heights"].items() if name != "CdSe-437"]
    assert max(others) > 0.005


def test_437_rises_with_growth_temperature():
    heights = [
        noise_free(SCENARIO, {"nucleation_temperature": 280.0, "growth_temperature": t, "residence_time": 14.0})[
            "heights"
        ]["CdSe-437"]
        for t in (230.0, 250.0, 270.0, 280.0)
    ]
    assert heights == sorted(heights)
