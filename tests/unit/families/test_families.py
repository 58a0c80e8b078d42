"""Sizing curve, extinction and aggregation number against the values of the papers."""

import math

import pytest

from msc_plans.families import Family, built_in_families, load_families

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
