"""Sizing curve, extinction and aggregation number against the values of the papers."""

import math
import re
from pathlib import Path

import pytest

from ioc_sim.physics.scenario_file import load_scenario
from msc_plans.families import BUILT_IN, Family, FamilyTable, built_in_families, load_families, parse_families
from msc_plans.kinetics.observation import Observables

CDSE = built_in_families()
MATERIAL = CDSE.material
SIZING = MATERIAL.known_sizing("these tests")
EXTINCTION = MATERIAL.known_extinction("these tests")


@pytest.mark.parametrize(
    ("wavelength_nm", "diameter_nm"), [(382, 1.39), (403, 1.58), (437, 1.85), (465, 2.06), (572, 3.6)]
)
def test_the_curve_gives_the_papers_diameters(wavelength_nm, diameter_nm):
    assert SIZING.diameter_nm(wavelength_nm) == pytest.approx(diameter_nm, abs=0.03)


@pytest.mark.parametrize(("wavelength_nm", "units"), [(382, 25), (403, 37), (437, 60), (465, 82)])
def test_aggregation_numbers_of_the_paper(wavelength_nm, units):
    assert MATERIAL.aggregation_number(SIZING.diameter_nm(wavelength_nm)) == pytest.approx(units, abs=1)


@pytest.mark.parametrize(("wavelength_nm", "extinction"), [(403, 1.97e4), (437, 3.01e4), (465, 3.98e4)])
def test_extinction_of_the_families(wavelength_nm, extinction):
    assert EXTINCTION.l_mol_cm(SIZING.diameter_nm(wavelength_nm)) == pytest.approx(extinction, rel=0.005)


def test_slope_is_the_curves_derivative():
    numeric = (SIZING.diameter_nm(527.5) - SIZING.diameter_nm(526.5)) / 1.0
    assert SIZING.slope(527.0) == pytest.approx(numeric, rel=1e-4)


def test_the_smallest_family_lies_outside_the_checked_range():
    assert [f.name for f in CDSE if not SIZING.is_checked(f.wavelength_nm)] == ["CdSe-382"]


def test_full_conversion_height_is_beer_lambert():
    expected = EXTINCTION.l_mol_cm(3.6) * 0.01 / MATERIAL.aggregation_number(3.6) * 0.1
    assert MATERIAL.full_conversion_height(0.01, 0.1) == pytest.approx(expected)
    assert MATERIAL.full_conversion_height(0.02, 0.1) == pytest.approx(2 * expected)


@pytest.mark.parametrize("wavelength_nm", [299, 761, math.nan, math.inf])
def test_a_meaningless_wavelength_is_refused(wavelength_nm):
    with pytest.raises(ValueError, match="between 300 and 760 nm"):
        SIZING.diameter_nm(wavelength_nm)


@pytest.mark.parametrize("call", [EXTINCTION.l_mol_cm, MATERIAL.aggregation_number])
@pytest.mark.parametrize("value", [0, -1, math.nan])
def test_a_diameter_that_is_none_is_refused(call, value):
    with pytest.raises(ValueError, match="diameter_nm must be positive"):
        call(value)


def test_families_from_a_file(tmp_path):
    path = tmp_path / "families.toml"
    path.write_text(
        "[[family]]\nname='B'\nwavelength_nm=463\ndiameter_nm=2\nfwhm_nm=[10, 20]\n"
        "[[family]]\nname='A'\nwavelength_nm=350\ndiameter_nm=1\n"
    )
    assert load_families(path).families == (Family("A", 350.0, 1.0), Family("B", 463.0, 2.0, fwhm_nm=(10.0, 20.0)))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("name = ", "not a TOML file"),
        ("name = 'x'", r"at least one \[\[family\]\]"),
        ("[[family]]\nname='x'\nwavelength_nm=400", r"missing \['diameter_nm'\]"),
        ("[[family]]\nname='x'\nwavelength_nm=400\ndiameter_nm=1\nwidth=3", r"unknown \['width'\]"),
        ("[[family]]\nname='x'\nwavelength_nm=-4\ndiameter_nm=1", "x: wavelength_nm must be a positive"),
        ("[[family]]\nname='x'\nwavelength_nm=400\ndiameter_nm=1\nfwhm_nm=[20, 10]", "narrowest, widest"),
        ("[[family]]\nname='x'\nwavelength_nm=400\ndiameter_nm=1\nfwhm_nm=12", "two widths"),
        ("[[family]]\nname=''\nwavelength_nm=400\ndiameter_nm=1", "needs a name"),
        ("[[family]]\nname='x'\nwavelength_nm=400\ndiameter_nm=1\n" * 2, "x is there more than once"),
        ("family = [3]", "must be a table"),
    ],
)
def test_a_bad_file_says_what_is_wrong(tmp_path, text, words):
    path = tmp_path / "families.toml"
    path.write_text(text)
    with pytest.raises(ValueError, match=words):
        load_families(path)


def blocks(page):
    text = (Path(__file__).parents[3] / "docs" / page).read_text()
    return re.findall(r"```toml\n(.*?)```", text, re.DOTALL)


def test_the_table_of_the_page_is_one():
    table = parse_families(blocks("howto/family.md")[0])
    assert table.names == ("CdS-350", "CdS-373")
    assert table.material.formula == "CdS"
    assert table["CdS-350"].denominator == "CdS-373"
    assert table["CdS-373"].source == "where it was published"
    assert Observables(table).names[:2] == table.names


def test_the_scenario_of_the_page_is_one(tmp_path):
    (text,) = [one for one in blocks("scenarios.md") if "[material]" in one]
    (tmp_path / "cds.toml").write_text(text)
    scenario = load_scenario(tmp_path / "cds.toml")
    assert float(scenario.sizing.diameter_nm(350.0)) == pytest.approx(2.07, abs=0.01)


def test_the_built_in_table_is_that_of_the_paper():
    assert CDSE.names == ("CdSe-382", "CdSe-403", "CdSe-437", "CdSe-465")
    assert CDSE.campaign_family == "CdSe-437"
    assert [family.denominator for family in CDSE] == ["CdSe-465"] * 3 + [""]
    assert [family.radius_nm for family in CDSE] == [0.695, 0.87, 0.94, 1.02]
    assert CDSE.window == (330.0, 750.0)
    assert load_families(BUILT_IN) == CDSE


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("width = 3\n", r"unknown \['width'\]; the keys are \['family', 'material'"),
        ("campaign_family = 'C'\n", "campaign_family 'C' is not a family of this table"),
        ("window_nm = [360, 750]\n", r"window_nm \(360.0, 750.0\) leaves out A"),
        ("window_nm = [750, 300]\n", "window_nm must be two positive numbers, the smaller first"),
        ("material = 3\n", r"\[material\] must be a table, not 3"),
        ("[material]\ncolour = 'red'\n", r"\[material\]: unknown \['colour'\]"),
        ("[material]\nunit_volume_nm3 = -1\n", "material.unit_volume_nm3 must be a positive number, not -1"),
        ("[material]\ncontrast_inv_cm2 = 0\n", "material.contrast_inv_cm2 must not be 0"),
        ("[material.sizing]\npolynomial = [1]\n", r"\[material.sizing\]: unknown \[\], missing \['range_nm'"),
        ("[material.extinction]\ncoefficient = 1\nexponent = 2\nsource = ''\n", "extinction needs a source"),
        (
            "[material.sizing]\npolynomial = [-1, 500]\nrange_nm = [300, 400]\nchecked_nm = [300, 400]\nsource = 'x'\n",
            "sizing.polynomial must be positive and rise from 300 to 400 nm",
        ),
        (
            "[material.sizing]\npolynomial = [1, 0]\nrange_nm = [300, 400]\nchecked_nm = [200, 400]\nsource = 'x'\n",
            "sizing.checked_nm .* must lie within range_nm",
        ),
    ],
)
def test_what_else_a_table_says_is_checked(text, words):
    rows = "[[family]]\nname = 'A'\nwavelength_nm = 350\ndiameter_nm = 2\n"
    parse_families(rows)
    with pytest.raises(ValueError, match=words):
        parse_families(text + rows, "table")


def test_a_denominator_must_be_another_family_of_the_table():
    with pytest.raises(ValueError, match="A: denominator 'B' is not a family of this table"):
        FamilyTable((Family("A", 350.0, 2.0, denominator="B"),))
    with pytest.raises(ValueError, match="A: denominator must name another family, not 'A'"):
        Family("A", 350.0, 2.0, denominator="A")


def test_a_table_that_says_little_has_defaults_of_its_own():
    table = parse_families("[[family]]\nname = 'A'\nwavelength_nm = 311\ndiameter_nm = 2\n")
    assert (table.campaign_family, table.window, table.nanocrystals_from_nm) == ("A", (281.0, 750.0), 286.0)
    assert math.isnan(table["A"].extinction_l_mol_cm)
    with pytest.raises(ValueError, match="unknown family 'B'; families are A"):
        table.index("B")
