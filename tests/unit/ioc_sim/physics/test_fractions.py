"""Size-selected fractions of the sample loop."""

import numpy as np
import pytest

from ioc_sim.physics.composition import Composition
from ioc_sim.physics.fractions import cluster_diameters_nm, split
from ioc_sim.physics.scenario import Fraction
from ioc_sim.physics.scenario_file import load_scenario
from ioc_sim.physics.shares import check_shares, share
from ioc_sim.physics.sizing import sphere_diameter_nm


@pytest.fixture(scope="module")
def scenario():
    return load_scenario("palencia2020")


@pytest.fixture(scope="module")
def product(scenario):
    units = scenario.chemistry.species
    grid_units = np.geomspace(40.0, 4000.0, 180)
    grid_nm = sphere_diameter_nm(grid_units, scenario.chemistry.unit_volume_nm3)
    sizes = 1e-6 * np.exp(-0.5 * ((grid_nm - 3.3) / 0.3) ** 2)
    return Composition(dict.fromkeys(units, 1e-5), units, sizes, grid_units, grid_nm, 1e-3, 2e-2)


def test_clusters_have_the_papers_diameters(scenario):
    found = cluster_diameters_nm(scenario)
    papers = {"CdSe-382": 1.39, "CdSe-403": 1.58, "CdSe-437": 1.85, "CdSe-465": 2.06}
    assert found == pytest.approx(papers, abs=0.01)


def test_the_initial_sample_is_the_whole_product(scenario, product):
    whole = split(product, scenario.loop.fractions["Fi"], cluster_diameters_nm(scenario))
    assert whole.species == product.species
    np.testing.assert_array_equal(whole.sizes, product.sizes)
    assert (whole.cd_excess, whole.se_excess) == (product.cd_excess, product.se_excess)


@pytest.mark.parametrize(
    ("name", "richest"), [("F2", "CdSe-465"), ("F3", "CdSe-437"), ("F4", "CdSe-403"), ("F5", "CdSe-382")]
)
def test_each_fraction_is_rich_in_one_family_but_not_pure(scenario, product, name, richest):
    part = split(product, scenario.loop.fractions[name], cluster_diameters_nm(scenario))
    clusters = {family: part.species[family] for family in scenario.spectra.clusters}
    assert max(clusters, key=clusters.__getitem__) == richest
    assert clusters[richest] > 0.75 * product.species[richest]
    assert sorted(clusters.values())[-2] > 1e-3 * clusters[richest]


def test_the_first_fraction_is_the_nanocrystals(scenario, product):
    part = split(product, scenario.loop.fractions["F1"], cluster_diameters_nm(scenario))
    assert part.sizes.sum() > 0.5 * product.sizes.sum()
    mean = part.sizes @ part.grid_nm / part.sizes.sum()
    assert mean == pytest.approx(3.3, abs=0.05)
    assert max(part.species.values()) < 0.02 * 1e-5


def test_washing_leaves_nothing_dissolved(scenario, product):
    for name in ("F1", "F2", "F3", "F4", "F5"):
        part = split(product, scenario.loop.fractions[name], cluster_diameters_nm(scenario))
        assert part.species["P"] == part.species["M"] == part.cd_excess == part.se_excess == 0.0
        assert part.cd_precursor == 0.0


def test_no_size_is_handed_out_twice(scenario, product):
    diameters = cluster_diameters_nm(scenario)
    parts = [split(product, scenario.loop.fractions[name], diameters) for name in ("F1", "F2", "F3", "F4", "F5")]
    assert (sum(part.sizes for part in parts) <= product.sizes).all()
    for family in diameters:
        assert 0.8 * 1e-5 < sum(part.species[family] for part in parts) <= 1e-5


def test_share_is_a_bell_and_flat_without_diameter():
    fraction = Fraction(yield_share=0.5, diameter_nm=2.0, width_nm=0.1)
    np.testing.assert_allclose(share(fraction, [2.0, 2.1, 3.0]), [0.5, 0.5 * np.exp(-0.5), 0.0], atol=1e-9)
    np.testing.assert_array_equal(share(Fraction(yield_share=0.25), [1.0, 9.0]), [0.25, 0.25])


def test_shares_of_more_than_everything_are_refused():
    twice = {name: Fraction(yield_share=0.8, diameter_nm=d) for name, d in (("F1", 2.0), ("F2", 2.05), ("F3", 4.0))}
    with pytest.raises(ValueError, match=r"fractions F1, F2 together hold 1\.5\d of what is 2\.0"):
        check_shares(twice)
    check_shares({"Fi": Fraction(yield_share=1.0)})
    check_shares({"Fi": Fraction(yield_share=1.0), "F1": Fraction(yield_share=1.0, diameter_nm=2.0)})


def test_a_scenario_with_such_shares_is_refused(tmp_path):
    file = tmp_path / "greedy.toml"
    file.write_text('base = "palencia2020"\n[loop.fractions]\nF5 = { yield_share = 0.8, diameter_nm = 1.58 }\n')
    with pytest.raises(ValueError, match="fractions F4, F5 together hold"):
        load_scenario(file)
