"""Exported files, read back by readers that are not ours: pandas for CSV, SasView's loader for NXcanSAS."""

from dataclasses import replace

import h5py
import numpy as np
import pandas
import pytest

from msc_plans.files.atomic import whole_file
from msc_plans.files.curves import read_curves
from msc_plans.files.nxcansas import SasEntry, write_nxcansas
from msc_plans.files.spectra import read_spectra
from msc_plans.files.spectrum_csv import write_csv

WAVELENGTH = np.linspace(300.0, 800.0, 7)
COLUMNS = {
    "wavelength_nm": WAVELENGTH,
    "counts": WAVELENGTH**2 / 3,
    "dark": np.full(7, 1000.0),
    "reference": np.full(7, 1.5e5),
    "absorbance": np.array([0.1, np.nan, 0.3, 1 / 3, 0.0, -1e-17, 2.0]),
}
DESCRIBED = {"uid": "1-2", "condition": {"residence_time [s]": 14.0}, "warnings": "not\nresolvable", "x": float("nan")}
Q = np.geomspace(0.2, 4.0, 50)
INTENSITY = np.where(np.arange(50) == 7, np.nan, 0.4 / (1 + Q**4))


def test_csv_is_read_back_by_pandas_to_the_last_figure(tmp_path):
    write_csv(tmp_path / "a.csv", COLUMNS, DESCRIBED)
    table = pandas.read_csv(tmp_path / "a.csv", comment="#")
    assert list(table) == list(COLUMNS)
    for name, values in COLUMNS.items():
        np.testing.assert_allclose(table[name], values, rtol=1e-15)
    lines = (tmp_path / "a.csv").read_text().splitlines()
    assert lines[:4] == ["# uid: 1-2", "# condition.residence_time [s]: 14.0", "# warnings: not resolvable", "# x: nan"]
    (spectrum,) = read_spectra(tmp_path / "a.csv")
    assert spectrum.absorbance is not None
    np.testing.assert_array_equal(spectrum.absorbance, COLUMNS["absorbance"])


def test_columns_of_two_lengths_are_refused(tmp_path):
    with pytest.raises(ValueError, match="one length"):
        write_csv(tmp_path / "a.csv", {"a": np.zeros(2), "b": np.zeros(3)}, {})
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def entry():
    return SasEntry(
        "saxs of run 1-2",
        "1-2",
        1.79e9,
        Q,
        INTENSITY,
        0.01 * INTENSITY,
        curves={"fit": INTENSITY},
        sample={"name": "CdSe", "thickness_cm": 0.15, "transmission": 0.85, "temperature_c": 25.0},
        instrument={"name": "saxs", "wavelength_nm": 0.1, "distance_m": 0.35, "detector": "Pilatus 300k"},
        process={"name": "saxs", "version": "0.1.0", "settings": {"points": 50}},
        results={"mean_radius_nm": float("nan"), "verdict": "not resolved", "radius_nm": Q, "absolute": True},
        units={"mean_radius_nm": "nm"},
        notes={"condition": {"residence_time": 14.0}, "lots": ["a", "b"]},
    )


def test_nxcansas_is_read_back_by_sasview_s_loader(tmp_path, entry):
    from sasdata.dataloader.loader import Loader

    write_nxcansas(tmp_path / "a.h5", entry)
    (curve,) = Loader().load(str(tmp_path / "a.h5"))
    known = np.isfinite(INTENSITY)
    assert (curve.title, curve.run, curve.errors) == (entry.title, ["1-2"], [])
    at = np.searchsorted(curve.x, 0.1 * Q[known] - 1e-9)  # it converts to Å⁻¹, and may leave out what is NaN
    np.testing.assert_allclose(curve.x[at], 0.1 * Q[known], rtol=1e-6)
    np.testing.assert_allclose(curve.y[at], INTENSITY[known], rtol=1e-6)
    np.testing.assert_allclose(curve.dy[at], 0.01 * INTENSITY[known], rtol=1e-6)
    assert (curve._xunit, curve._yunit) == ("A^{-1}", "cm^{-1}")
    assert (curve.sample.thickness, curve.sample.transmission) == (0.15, 0.85)
    assert curve.detector[0].distance == pytest.approx(0.35)
    (ours,) = read_curves(tmp_path / "a.h5")
    assert (ours.unit, ours.absolute) == ("1/nm", True)


def test_nxcansas_has_what_the_definition_requires_and_keeps_what_is_unknown(tmp_path, entry):
    write_nxcansas(tmp_path / "a.h5", entry)
    with h5py.File(tmp_path / "a.h5") as file:
        top = file["sasentry01"]
        assert (top.attrs["NX_class"], top.attrs["canSAS_class"], top.attrs["version"]) == (
            "NXentry",
            "SASentry",
            "1.1",
        )
        assert top["definition"][()] == b"NXcanSAS"
        assert (top["title"][()], top["run"][()]) == (b"saxs of run 1-2", b"1-2")
        data = top["sasdata01"]
        assert (data.attrs["NX_class"], data.attrs["canSAS_class"]) == ("NXdata", "SASdata")
        assert (data.attrs["signal"], data.attrs["I_axes"], list(data.attrs["Q_indices"])) == ("I", "Q", [0])
        assert (data["Q"].attrs["units"], data["I"].attrs["units"]) == ("1/nm", "1/cm")
        assert data["I"].attrs["uncertainties"] == "Idev"
        np.testing.assert_array_equal(data["Q"], Q)
        np.testing.assert_array_equal(data["I"], INTENSITY)
        assert file[f"{file.attrs['default']}/{top.attrs['default']}"] == data
        results = top["results"]
        assert np.isnan(results["mean_radius_nm"][()])
        assert results["mean_radius_nm"].attrs["units"] == "nm"
        assert results["verdict"][()] == b"not resolved"
        assert list(top["sasnote01/lots"].asstr()) == ["a", "b"]


def test_a_curve_that_is_not_absolute_says_so(tmp_path, entry):
    write_nxcansas(tmp_path / "a.h5", replace(entry, absolute=False))
    with h5py.File(tmp_path / "a.h5") as file:
        assert file["sasentry01/sasdata01/I"].attrs["units"] == "arbitrary"


def test_a_file_is_whole_or_as_it_was_and_replaced_only_when_told(tmp_path):
    path = tmp_path / "a.txt"

    def write(text, *, force=False, fails=False):
        with whole_file(path, force=force) as unfinished:
            unfinished.write_text(text)
            assert not fails, "oops"

    with pytest.raises(AssertionError, match="oops"):
        write("half", fails=True)
    assert list(tmp_path.iterdir()) == []
    write("one")
    with pytest.raises(FileExistsError, match="is there already"):
        write("two")
    with pytest.raises(AssertionError, match="oops"):
        write("half", force=True, fails=True)
    assert path.read_text() == "one"
    write("two", force=True)
    assert (path.read_text(), list(tmp_path.iterdir())) == ("two", [path])


def test_of_two_that_write_one_file_the_first_wins(tmp_path):
    path = tmp_path / "a.txt"

    def write_second():
        with whole_file(path) as unfinished:
            unfinished.write_text("second")
            path.write_text("first")

    with pytest.raises(FileExistsError, match=r"a\.txt"):
        write_second()
    assert (path.read_text(), list(tmp_path.iterdir())) == ("first", [path])
