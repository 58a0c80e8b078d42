"""What makes each built-in scenario another one, from its truth; and what all of them keep."""

import pytest

from ioc_sim.bench import content_of, measure, noise_free
from ioc_sim.physics.scenario_file import load_scenario, scenario_names


def at(temperature_c, seconds, growth_c=None):
    return {
        "nucleation_temperature": temperature_c,
        "growth_temperature": temperature_c if growth_c is None else growth_c,
        "residence_time": seconds,
    }


def ratio(name, temperature_c, seconds=14.0):
    return noise_free(load_scenario(name), at(temperature_c, seconds))["ratio_437"]


@pytest.mark.parametrize("name", [name for name in scenario_names() if name != "fouled"])
@pytest.mark.parametrize("condition", [at(240.0, 4.5), at(280.0, 14.0), at(350.0, 14.0), at(350.0, 2.0, 230.0)])
def test_cadmium_and_selenium_are_balanced(name, condition):
    scenario = load_scenario(name)
    content = content_of(scenario, condition)
    assert content.cd == pytest.approx(scenario.precursor.cd_mol_l, rel=1e-8)
    assert content.se == pytest.approx(scenario.precursor.se_mol_l, rel=1e-8)
    assert min(*content.species.values(), content.sizes.min()) >= 0.0


def test_a_fouled_reactor_keeps_material_and_films_its_window():
    scenario = load_scenario("fouled")
    content = content_of(scenario, at(280.0, 14.0))
    assert 0.5 < content.cd / scenario.precursor.cd_mol_l < 0.99
    # the excess of Se does not foul: what is lost is lost in pairs
    lost = scenario.precursor.cd_mol_l - content.cd
    assert scenario.precursor.se_mol_l - content.se == pytest.approx(lost, rel=1e-6)
    blank = measure(scenario, None, 1, 100.0)
    red = (blank.counts - blank.dark)[800] / (blank.reference - blank.dark)[800]
    blue = (blank.counts - blank.dark)[300] / (blank.reference - blank.dark)[300]
    assert blue < red < 0.98


def test_another_precursor_has_its_window_elsewhere():
    assert ratio("palencia2020", 290.0) > 0.085 > ratio("palencia2020", 250.0)
    assert ratio("shifted", 250.0) > 0.085 > ratio("shifted", 290.0)


def test_the_chain_without_382_has_none_and_still_the_window():
    heights = noise_free(load_scenario("sequential"), at(350.0, 4.5))["heights"]
    assert heights["CdSe-382"] == 0.0
    assert ratio("sequential", 280.0) > 0.085 > ratio("sequential", 330.0)


def test_the_direct_route_makes_more_and_smaller_nanocrystals_when_hot():
    plain, direct = (noise_free(load_scenario(name), at(350.0, 4.5)) for name in ("palencia2020", "direct"))
    assert direct["concentrations"]["NC"] > 2 * plain["concentrations"]["NC"]
    assert direct["nc_wavelength_nm"] < plain["nc_wavelength_nm"] - 20


def test_a_dead_end_keeps_its_465_beside_the_nanocrystals():
    chemistry = load_scenario("dead_end").chemistry
    assert not any("CdSe-465" in step.reactants and "NC" in step.products for step in chemistry.running)
    plain, dead_end = (noise_free(load_scenario(name), at(270.0, 14.0)) for name in ("palencia2020", "dead_end"))
    assert dead_end["heights"]["CdSe-465"] / dead_end["heights"]["CdSe-437"] > 2.0
    assert plain["heights"]["CdSe-465"] / plain["heights"]["CdSe-437"] < 1.2
    assert dead_end["nc_height"] > dead_end["floor"]


def test_switched_routes_hand_over_with_temperature():
    """Where the mild route rules it is the chain's; hot, the window closes 20 degrees earlier."""
    assert ratio("switched", 270.0) == pytest.approx(ratio("sequential", 270.0), rel=0.05)
    assert ratio("switched", 300.0) < 0.3 * ratio("sequential", 300.0)
