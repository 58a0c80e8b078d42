"""``msc analyze`` on files, as a user calls it: results to expect from how the files were made."""

import json
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from msc_plans.cli import main

MSC = Path(sys.executable).parent / "msc"
Q = np.linspace(0.1, 5.0, 300)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def analyze(capsys, *arguments):
    """Return exit code, JSON objects and stderr."""
    code = main(["analyze", *map(str, arguments), "--json"])
    out, err = capsys.readouterr()
    assert "Traceback" not in err
    return code, [json.loads(line, parse_constant=pytest.fail) for line in out.splitlines()], err


def gaussian(x, at, fwhm):
    return np.exp(-4 * np.log(2) * ((x - at) / fwhm) ** 2)


def absorbance(wavelength, *, at=437.0, crystal=0.15, seed=1):
    clean = 0.2 * gaussian(wavelength, at, 18.0) + crystal * gaussian(wavelength, 540.0, 32.0)
    return clean + 0.02 + np.random.default_rng(seed).normal(0, 5e-4, wavelength.size)


def write_csv(path, header, *columns, separator=","):
    np.savetxt(path, np.column_stack(columns), delimiter=separator, header=header, comments="", fmt="%.8g")


def spheres(radius_nm, seed=1):
    x = Q * radius_nm
    intensity = 2.0 * (3.0 * (np.sin(x) - x * np.cos(x)) / x**3) ** 2 + 0.02
    sigma = 0.01 * intensity
    return intensity + np.random.default_rng(seed).normal(0, sigma), sigma


def test_families_and_nanocrystals_of_each_column_in_order(folder, capsys):
    wavelength = np.linspace(330.0, 720.0, 800)
    noise = np.random.default_rng(3).normal(0, 5e-4, wavelength.size)
    write_csv("b.csv", "Wavelength (nm),first,blank", wavelength, absorbance(wavelength), noise)
    write_csv("a.csv", "Wavelength (nm),Abs", wavelength[::-1], absorbance(wavelength, at=403.0, crystal=0.0)[::-1])
    code, (first, blank, other), err = analyze(capsys, "uvvis", "b.csv", "a.csv", "--path-length", "1")
    assert (code, err) == (0, "")
    assert [(first["file"], first["column"]), blank["column"]] == [("b.csv", "first"), "blank"]
    assert (other["file"], "column" in other) == ("a.csv", False)
    found = {band["family"]: band for band in first["families"] if band["detected"]}
    assert list(found) == ["CdSe-437"]
    assert found["CdSe-437"]["wavelength_nm"] == pytest.approx(437.0, abs=1.0)
    assert found["CdSe-437"]["height"] == pytest.approx(0.2, rel=0.1)
    assert found["CdSe-437"]["sigma"]["wavelength_nm"] > 0
    band = found["CdSe-437"]
    assert band["concentration_mol_l"] == pytest.approx(band["height"] / band["extinction_l_mol_cm"])
    assert "Yu" in band["extinction_source"]
    assert first["nanocrystal"]["wavelength_nm"] == pytest.approx(540.0, abs=3.0)
    assert first["nanocrystal"]["diameter_nm"] == pytest.approx(2.8, abs=0.15)
    assert not any(band["detected"] for band in blank["families"])
    assert blank["nanocrystal"] is None
    assert blank["noise"] == pytest.approx(5e-4, rel=0.3)
    assert [band["family"] for band in other["families"] if band["detected"]] == ["CdSe-403"]


def test_counts_become_absorbance_and_a_table_of_ones_own(folder, capsys):
    wavelength = np.linspace(330.0, 720.0, 800)
    counts = 1000.0 + 40000.0 * 10 ** -absorbance(wavelength, at=420.0, crystal=0.0)
    dark, reference = np.full_like(counts, 1000.0), np.full_like(counts, 41000.0)
    write_csv("c.csv", "wavelength,counts,dark,reference", wavelength, counts, dark, reference)
    Path("mine.toml").write_text('[[family]]\nname = "X-420"\nwavelength_nm = 420.0\ndiameter_nm = 1.7\n')
    code, (found,), _ = analyze(capsys, "uvvis", "c.csv", "--families", "mine.toml")
    assert code == 0
    (band,) = found["families"]
    assert (band["family"], band["detected"]) == ("X-420", True)
    assert band["height"] == pytest.approx(0.2, rel=0.1)


def test_sizes_in_either_unit_and_from_nxcansas(folder, capsys):
    intensity, sigma = spheres(2.0)
    write_csv("a.dat", "# sample 1\nq (1/nm) I (1/cm) sigma", Q, intensity, sigma, separator=" ")
    write_csv("b.csv", "Q [1/A],I,err", Q / 10, intensity, sigma)
    with h5py.File("c.h5", "w") as file:
        data = file.create_group("sasentry01/sasdata01")
        data.attrs.update({"canSAS_class": "SASdata", "signal": "I", "I_axes": "Q", "Q_indices": 0})
        data["Q"], data["I"], data["Idev"] = Q / 10, intensity, sigma
        data["Q"].attrs["units"], data["I"].attrs["units"] = "1/angstrom", "arbitrary"
    code, found, _ = analyze(capsys, "saxs", "a.dat", "b.csv", "c.h5")
    assert code == 0
    for one in found:
        low, high = one["mean_radius_interval_nm"]
        assert one["mean_radius_nm"] == pytest.approx(2.0, rel=0.02)
        assert low < one["mean_radius_nm"] < high
        assert len(one["radius_nm"]) == len(one["volume_weighted"]) == len(one["volume_weighted_sigma"]) > 3
        assert np.trapezoid(one["volume_weighted"], one["radius_nm"]) == pytest.approx(1.0, abs=0.05)
        assert one["verdict"] in ("continuous", "not resolved")
        assert not one["q_unit_inferred"]
    assert found[0]["volume_fraction"] == pytest.approx(found[1]["volume_fraction"], rel=1e-3)
    assert found[2]["volume_fraction"] is None
    assert [one["q_unit"] for one in found] == ["1/nm", "1/A", "1/A"]


def test_no_scatterers_are_null_and_an_inferred_unit_is_said(folder, capsys):
    sigma = np.full_like(Q, 5e-4)
    write_csv("a.dat", "q I sigma", Q, 0.05 + np.random.default_rng(2).normal(0, sigma), sigma, separator=" ")
    code, (found,), err = analyze(capsys, "saxs", "a.dat")
    assert code == 0
    assert found["verdict"] == "no scatterers"
    assert (found["mean_radius_nm"], found["mean_radius_interval_nm"], found["relative_width"]) == (None, None, None)
    assert found["q_unit_inferred"]
    assert "a.dat: warning: the unit of q isn't stated; taken as nm⁻¹" in err
    assert main(["analyze", "saxs", "a.dat", "--unit", "nm"]) == 0
    out, err = capsys.readouterr()
    assert "no scatterers above background" in out
    assert err == ""


def test_lamellae_and_their_melting(folder, capsys):
    def curve(height, seed):
        clean = 0.05 + 0.02 * Q**-1.5 + height * (gaussian(Q, 1.84, 0.09) + 0.25 * gaussian(Q, 3.68, 0.09))
        return clean + np.random.default_rng(seed).normal(0, 0.01 * clean), 0.01 * clean

    for number, height in enumerate([0.5, 0.2, 0.0]):
        write_csv(f"{number}.csv", "q (1/nm),I,sigma", Q, *curve(height, number))
    files = ["0.csv", "1.csv", "2.csv"]
    code, (cold, _, hot), _ = analyze(capsys, "lamellae", *files)
    assert code == 0
    assert [peak["q_inv_nm"] for peak in cold["peaks"]] == pytest.approx([1.84, 3.68], abs=0.01)
    assert [peak["order"] for peak in cold["peaks"]] == [1, 2]
    assert cold["d_spacing_nm"] == pytest.approx(2 * np.pi / 1.84, rel=0.005)
    assert (hot["peaks"], hot["d_spacing_nm"], hot["structure"]) == ([], None, "none")
    assert main(["analyze", "lamellae", *files, "--temperatures", "25", "50", "100"]) == 0
    out = capsys.readouterr().out
    assert "0.csv at 25 °C" in out
    assert "it melts between 50 and 100 °C" in out


def test_a_file_that_can_not_be_read_does_not_stop_the_others(folder, capsys):
    wavelength = np.linspace(330.0, 720.0, 400)
    for name in ("first.csv", "last.csv"):
        write_csv(name, "Wavelength,Abs", wavelength, absorbance(wavelength))
    lines = Path("first.csv").read_text().splitlines()
    Path("broken.csv").write_text("\n".join([*lines[:200], "oops,oops", *lines[201:]]))
    Path("short.csv").write_text("\n".join(lines[:20]))
    Path("table.h5").write_bytes(b"\x89HDF\r\n\x1a\n rubbish")
    files = ["first.csv", "broken.csv", "nowhere.csv", "short.csv", "table.h5", ".", "last.csv"]
    code, found, err = analyze(capsys, "uvvis", *files)
    assert code == 1
    assert [one["file"] for one in found] == ["first.csv", "last.csv"]
    said = err.splitlines()
    assert said[0] == "broken.csv:201: 'oops,oops' isn't a row of 2 numbers like those around it"
    assert said[1] == "nowhere.csv: no such file"
    assert said[2].startswith("short.csv: only ")
    assert said[3].startswith("table.h5: can't be read as HDF5")
    assert said[4] == ".: this is a folder; name the files in it"
    assert len(said) == 5


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nothing", "a.csv"], "invalid choice: 'nothing'"),
        (["uvvis"], "required: FILE"),
        ([], "required: ANALYSIS"),
        (["saxs", "a.csv", "--unit", "mm"], "invalid choice: 'mm'"),
        (["uvvis", "a.csv", "--path-length", "0"], "--path-length must be positive, not 0"),
        (["uvvis", "a.csv", "--families", "nowhere.toml"], "nowhere.toml: No such file"),
        (["saxs", "a.csv", "--contrast", "nan"], "--contrast must be finite"),
        (["lamellae", "a.csv", "b.csv", "--temperatures", "25"], "--temperatures has 1 values for 2 files"),
        (["uvvis", "a.csv", "--folder", "here"], "give --plot too"),
    ],
)
def test_wrong_options_are_refused(folder, capsys, arguments, words):
    try:
        code = main(["analyze", *arguments])
    except SystemExit as stopped:
        code = stopped.code
    assert code == 2
    assert words in capsys.readouterr().err


def test_pictures_beside_the_files_or_in_a_folder(folder, capsys):
    wavelength = np.linspace(330.0, 720.0, 400)
    for name in ("one", "two"):
        Path(name).mkdir()
        write_csv(
            f"{name}/a.csv", "Wavelength,$A$,$B", wavelength, absorbance(wavelength), absorbance(wavelength, seed=4)
        )
    assert main(["analyze", "uvvis", "one/a.csv", "--plot"]) == 0
    assert Path("one/a.csv.uvvis.png").stat().st_size > 20_000
    assert "picture: one/a.csv.uvvis.png" in capsys.readouterr().out
    code, found, _ = analyze(capsys, "uvvis", "one/a.csv", "two/a.csv", "--plot", "--folder", "all")
    assert code == 0
    assert {one["picture"] for one in found} == {"all/a.csv.uvvis.png", "all/a.csv.uvvis.2.png"}
    assert all(Path(one["picture"]).is_file() for one in found)
    Path("file").touch()
    code, found, err = analyze(capsys, "uvvis", "one/a.csv", "--plot", "--folder", "file/below")
    assert (code, len(found)) == (1, 2)
    assert "one/a.csv: no picture:" in err


def test_the_command_reports_to_a_pipe_in_words(folder):
    wavelength = np.linspace(330.0, 720.0, 400)
    write_csv("a.csv", "Wavelength,Abs", wavelength, absorbance(wavelength))
    done = subprocess.run([MSC, "analyze", "uvvis", "a.csv"], capture_output=True, timeout=120, check=True)
    lines = done.stdout.decode().splitlines()
    assert lines[0] == "a.csv"
    assert lines[1].startswith("  CdSe-437   43")
    assert "NC" in lines[2]
    assert "not there: CdSe-382" in lines[3]
    assert done.stderr == b""


def test_help_imports_no_other_command():
    code = (
        "import sys; from msc_plans.cli import main\n"
        "try: main(['analyze', 'uvvis', '--help'])\n"
        "except SystemExit: pass\n"
        "print(sorted({'bluesky', 'tiled', 'matplotlib', 'ophyd', 'caproto'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
