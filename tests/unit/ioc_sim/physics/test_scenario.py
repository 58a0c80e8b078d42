"""Scenario files: merging, and errors that name what is wrong."""

import re
from pathlib import Path

import pytest

from ioc_sim.physics.faults import KINDS
from ioc_sim.physics.scenario_file import load_scenario, scenario_names

STEP = """[chemistry.steps.odd]
reactants = {{ {} }}
products = {{ {} }}
log10_k0 = 0
energy_kj_mol = 1
"""


def test_built_in_scenarios_load_under_their_names():
    assert {"palencia2020", "ideal", "fast"} <= set(scenario_names())
    for name in scenario_names():
        assert load_scenario(name).name == name


def test_base_is_merged_key_by_key(tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text('base = "palencia2020"\nname = "mine"\n[plumbing]\npeclet = 30.0\n')
    mine, base = load_scenario(file), load_scenario("palencia2020")
    assert (mine.name, mine.plumbing.peclet) == ("mine", 30.0)
    assert mine.plumbing.coil_ul == base.plumbing.coil_ul
    assert mine.chemistry == base.chemistry
    assert load_scenario("fast").chemistry == load_scenario("ideal").chemistry == base.chemistry


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[plumbing]\ncoil_ul = -1.0\n", ["plumbing.coil_ul", "-1.0", "greater than 0"]),
        ("[plumbing]\ncoil_ml = 1.0\n", ["plumbing.coil_ml", "1.0", "Extra inputs"]),
        ('[plumbing]\nrtd = "laminar"\n', ["plumbing.rtd", "laminar"]),
        ("[oven]\nheater_w = 'hot'\n", ["oven.heater_w", "hot"]),
        ("this is not toml", ["not TOML"]),
        (STEP.format("M = 25", "CdSe-403 = 1"), ["step odd", "loses -12 CdSe units"]),
        (STEP.format("X = 1", "M = 1"), ["step odd", "unknown species X"]),
        (
            "[spectra.clusters]\nCdSe-500 = { wavelength_nm = 500, fwhm_nm = 20 }\n",
            ["spectra.clusters", "CdSe-500"],
        ),
    ],
)  # fmt: skip
def test_a_bad_file_is_refused_by_name_key_and_value(tmp_path, text, words):
    file = tmp_path / "bad.toml"
    file.write_text(f'base = "palencia2020"\n{text}')
    with pytest.raises(ValueError, match=r"bad\.toml") as error:
        load_scenario(file)
    for word in words:
        assert word in str(error.value)


def test_a_step_of_the_base_can_be_taken_out(tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text('base = "palencia2020"\nname = "mine"\n[chemistry.steps.birth]\noff = true\n')
    base, mine = load_scenario("palencia2020").chemistry, load_scenario(file).chemistry
    assert len(mine.running) == len(base.running) - 1
    assert not any("NC" in step.products for step in mine.running)


def test_fractions_are_the_six_of_the_record(tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text('base = "palencia2020"\n[loop.fractions]\nF6 = { yield_share = 0.1 }\n')
    with pytest.raises(ValueError, match=r"fractions must be Fi, F1, F2, F3, F4, F5 in this order, not Fi.*F6"):
        load_scenario(file)


def test_what_the_documentation_shows_can_be_used(tmp_path):
    page = (Path(__file__).parents[4] / "docs" / "scenarios.md").read_text()
    whole, step, material = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    (tmp_path / "leaky.toml").write_text(whole)
    assert load_scenario(tmp_path / "leaky.toml").faults[0].name == "LampOff"
    (tmp_path / "gated.toml").write_text(f'base = "palencia2020"\n{step}')
    assert load_scenario(tmp_path / "gated.toml").chemistry.steps["403-437"].gate is not None
    (tmp_path / "cds.toml").write_text(material)
    assert "CdS" in load_scenario(tmp_path / "cds.toml").title
    for name in scenario_names():
        assert f"| `{name}` |" in page
    for name in KINDS:
        assert f"`{name}`" in page


def test_unknown_name_lists_the_known_ones():
    with pytest.raises(ValueError, match=r"no scenario 'palencia'.*dead_end, direct, fast, .*palencia2020"):
        load_scenario("palencia")


def test_a_base_that_goes_in_a_circle_is_refused(tmp_path):
    (tmp_path / "a.toml").write_text('base = "b"\n')
    (tmp_path / "b.toml").write_text('base = "a"\n')
    with pytest.raises(ValueError, match="circle"):
        load_scenario(tmp_path / "a.toml")
