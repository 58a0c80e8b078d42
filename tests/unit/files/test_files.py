"""Readers of files, against the numbers that were written to them."""

from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from msc_plans.files import ReadError, read_curves, read_spectra
from msc_plans.files.units import intensity_unit, q_unit, stated_q_unit

WAVELENGTH = np.arange(350.0, 700.0, 2.5)
ABSORBANCE = np.round(0.3 * np.exp(-(((WAVELENGTH - 437.0) / 11.0) ** 2)) + 0.01, 6)
Q = np.round(np.geomspace(0.05, 4.0, 80), 6)
INTENSITY = np.round(2.0 / (1.0 + Q**4) + 0.01, 6)
SIGMA = np.round(0.01 * INTENSITY, 8)
DATA = Path(__file__).resolve().parents[3].parent / "shared" / "data"


def rows(*columns, separator=",", decimal="."):
    lines = (separator.join(f"{value:.8g}" for value in row) for row in zip(*columns, strict=True))
    return [line.replace(".", decimal) if decimal != "." else line for line in lines]


def write(folder, lines, *, end="\n", encoding="utf-8", name="data.csv"):
    path = folder / name
    path.write_bytes(end.join([*lines, ""]).encode(encoding))
    return path


def one(spectra):
    (only,) = spectra
    return only


@pytest.mark.parametrize(
    ("separator", "decimal"),
    [
        (",", "."),
        (";", "."),
        (";", ","),
        ("\t", "."),
        ("\t", ","),
        ("  ", "."),
        (" ", ","),
        (", ", "."),
        (" ; ", ","),
        ("|", "."),
    ],
)
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_separators_decimal_marks_and_line_ends(tmp_path, separator, decimal, end):
    header = separator.join(["Wavelength (nm)", "Absorbance"]) if separator.strip() else "Wavelength(nm)  Absorbance"
    lines = [header, *rows(WAVELENGTH[::-1], ABSORBANCE[::-1], separator=separator, decimal=decimal)]
    spectrum = one(read_spectra(write(tmp_path, lines, end=end)))
    assert spectrum.wavelength_nm == pytest.approx(WAVELENGTH)
    assert spectrum.absorbance == pytest.approx(ABSORBANCE)
    assert spectrum.column is None


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "latin-1"])
def test_encodings(tmp_path, encoding):
    lines = ["Wellenlänge (nm);Extinktion, Küvette 1 mm", *rows(WAVELENGTH, ABSORBANCE, separator=";", decimal=",")]
    spectrum = one(read_spectra(write(tmp_path, lines, encoding=encoding)))
    assert spectrum.absorbance == pytest.approx(ABSORBANCE)


def test_comments_headers_footers_blank_lines_and_gaps(tmp_path):
    table = rows(WAVELENGTH, ABSORBANCE)
    table[10], table[11], table[12] = "375.0,", "377.5,NaN", "380.0,OVER"
    lines = [
        "# made by hand",
        "",
        "Instrument: spectrometer, no. 3",
        "Integration time, 100",
        "! note",
        "Wavelength,Abs",
    ]
    lines += [*table[:20], "", "# lamp changed", *table[20:], "", "Method: scan", "End of data, 3"]
    spectrum = one(read_spectra(write(tmp_path, lines)))
    assert len(spectrum.wavelength_nm) == len(WAVELENGTH)
    assert np.flatnonzero(np.isnan(spectrum.absorbance)).tolist() == [10, 11, 12]
    there = np.isfinite(spectrum.absorbance)
    assert spectrum.absorbance[there] == pytest.approx(ABSORBANCE[there])


def test_columns_keep_their_headers(tmp_path):
    two = [WAVELENGTH, ABSORBANCE, 2 * ABSORBANCE, 3 * ABSORBANCE]
    named = read_spectra(write(tmp_path, ["Wavelength (nm),30,60 s,60 s", *rows(*two)]))
    assert [spectrum.column for spectrum in named] == ["30", "60 s", "60 s"]
    assert named[2].absorbance == pytest.approx(3 * ABSORBANCE)
    bare = read_spectra(write(tmp_path, rows(*two)))
    assert [spectrum.column for spectrum in bare] == ["column 2", "column 3", "column 4"]


def test_pairs_of_columns_are_named_by_the_line_above(tmp_path):
    lines = ["first,,second,,", "Wavelength (nm),Abs,Wavelength (nm),Abs,"]
    lines += [f"{row}," for row in rows(WAVELENGTH, ABSORBANCE, WAVELENGTH + 1, 2 * ABSORBANCE)]
    first, second = read_spectra(write(tmp_path, lines))
    assert (first.column, second.column) == ("first", "second")
    assert second.wavelength_nm == pytest.approx(WAVELENGTH + 1)
    assert second.absorbance == pytest.approx(2 * ABSORBANCE)


@pytest.mark.parametrize(
    ("header", "x", "y"),
    [
        ("Wavelength (µm),Abs", 1e-3 * WAVELENGTH, ABSORBANCE),
        ("Wavelength [Å],A", 10 * WAVELENGTH, ABSORBANCE),
        ("Energy (eV),Absorbance", 1239.841984 / WAVELENGTH, ABSORBANCE),
        ("Wavenumber (cm-1),Absorbance", 1e7 / WAVELENGTH, ABSORBANCE),
        ("wavelength,Absorbance (mAU)", WAVELENGTH, 1e3 * ABSORBANCE),
        ("wavelength_nm,%T", WAVELENGTH, 100 * 10**-ABSORBANCE),
        ("nm,Transmittance", WAVELENGTH, 10**-ABSORBANCE),
        ("<X>,<Y>", WAVELENGTH, ABSORBANCE),
        ("lambda,Abs", WAVELENGTH, ABSORBANCE),
    ],
)
def test_units_said_in_the_header_are_converted(tmp_path, header, x, y):
    spectrum = one(read_spectra(write(tmp_path, [header, *rows(x, y)])))
    assert spectrum.wavelength_nm == pytest.approx(WAVELENGTH, rel=1e-6)
    assert spectrum.absorbance == pytest.approx(ABSORBANCE, abs=1e-6)


def test_counts_with_dark_and_reference(tmp_path):
    dark, reference = np.full_like(WAVELENGTH, 1500.0), 40000 + 10 * WAVELENGTH
    counts = dark + (reference - dark) * 10**-ABSORBANCE
    lines = ["Wave;Sample;Dark;Reference", "[nm];[counts];[counts];[counts]"]
    lines += rows(WAVELENGTH, counts, dark, reference, separator=";")
    spectrum = one(read_spectra(write(tmp_path, lines)))
    assert spectrum.absorbance is None
    assert spectrum.counts == pytest.approx(counts, rel=1e-6)
    assert spectrum.dark == pytest.approx(dark)
    assert spectrum.reference == pytest.approx(reference, rel=1e-6)


def test_counts_alone_are_refused_and_so_is_an_unlikely_axis(tmp_path):
    with pytest.raises(ReadError, match=r"data\.csv:1: .*counts.*dark and reference"):
        read_spectra(write(tmp_path, ["Wavelength,Intensity (counts)", *rows(WAVELENGTH, ABSORBANCE)]))
    with pytest.raises(ReadError, match=r"can't be wavelengths in nm; state its unit"):
        read_spectra(write(tmp_path, ["x,Abs", *rows(1e-3 * WAVELENGTH, ABSORBANCE)]))
    with pytest.raises(ReadError, match="'time_s' isn't a column of wavelengths"):
        read_spectra(write(tmp_path, ["time_s,Abs", *rows(WAVELENGTH, ABSORBANCE)]))


def broken(at, text):
    lines = ["Wavelength,Abs", *rows(WAVELENGTH, ABSORBANCE)]
    lines[at] = text
    return lines


@pytest.mark.parametrize(
    ("lines", "line", "words"),
    [
        (broken(30, "422.5,abc"), 31, "'422.5,abc' isn't a row of 2 numbers"),
        (broken(2, "352.5,abc"), 3, "isn't a row"),
        (broken(139, "695.0,abc"), 140, "isn't a row"),
        (broken(30, "422.5,0.1,0.2"), 31, "'422.5,0.1,0.2' isn't a row of 2 numbers"),
        (broken(110, "622.5,0.1,0.2"), 111, "3 numbers, where the rows above have 2"),
        (["Wavelength,Abs", *rows(WAVELENGTH, ABSORBANCE), *rows(WAVELENGTH, ABSORBANCE)], 142, "350 is here again"),
        (["Abs", *(f"{value:g}" for value in ABSORBANCE)], 2, "at least two columns"),
        (["a b c", "1 x", "2 y"], 2, "not a row of numbers"),
        (["some words", "and more"], 1, "no line of this file"),
        (["Wavelength,Abs", "400,0.1", "401,0.2"], 2, "only 2 rows"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(tmp_path, lines, line, words):
    with pytest.raises(ReadError) as caught:
        read_spectra(write(tmp_path, lines))
    assert caught.value.line == line
    assert words in str(caught.value)
    assert str(caught.value).startswith(f"{tmp_path / 'data.csv'}:{line}: ")


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "empty"),
        (b" \r\n", "empty"),
        (b"PK\x03\x04abc", "spreadsheet"),
        (b"\x00\x01\x02\x03" * 9, "binary"),
    ],
)
def test_what_is_no_text_is_refused(tmp_path, data, words):
    path = tmp_path / "data"
    path.write_bytes(data)
    for read in (read_spectra, read_curves):
        with pytest.raises(ReadError, match=words):
            read(path)
    with pytest.raises(ReadError, match="no such file"):
        read_curves(tmp_path / "nowhere")
    with pytest.raises(ReadError, match="folder"):
        read_curves(tmp_path)


@pytest.mark.parametrize(
    ("header", "factor"),
    [
        ("q (1/A)  I (1/cm)  sigma", 10.0),
        ("Q [nm^-1]  I  err", 1.0),
        ("Q(A-1)  I(Q)  dI", 10.0),
        ("# q_nm^-1  I  sigma", 1.0),
        ("# q_A^-1  I  sigma", 10.0),
        ("q/nm⁻¹  I/cm⁻¹  sigma", 1.0),
        ("q/Å⁻¹  I/cm⁻¹  sigma", 10.0),
        ("s [1/Angstrom]  I  Error", 10.0),
        ("Q ($\\mathrm{nm}^{-1}$)  I  Idev", 1.0),
    ],
)
def test_the_unit_of_q_in_a_column_header(tmp_path, header, factor):
    lines = ["a title", header, *rows(Q / factor, INTENSITY, SIGMA, separator="  ")]
    curve = one(read_curves(write(tmp_path, lines)))
    assert curve.q_inv_nm == pytest.approx(Q, rel=1e-6)
    assert curve.sigma == pytest.approx(SIGMA)
    assert not curve.unit_inferred
    assert not curve.warnings
    forced = one(read_curves(write(tmp_path, lines), "1/A"))
    assert forced.q_inv_nm == pytest.approx(Q * 10 / factor, rel=1e-6)


def test_the_unit_of_q_in_the_lines_above(tmp_path):
    lines = ["sample 4", "q (1/nm)", "Intensity", "     80", *rows(Q, INTENSITY, separator="  ")]
    curve = one(read_curves(write(tmp_path, lines)))
    assert (curve.unit, curve.unit_inferred, curve.sigma) == ("1/nm", False, None)
    assert stated_q_unit(["units: inverse angstrom"]) == "1/A"
    assert stated_q_unit(["converted from 1/nm to 1/Å"]) is None
    assert stated_q_unit(["sample A-1, wavelength 1.54 A"]) is None
    assert q_unit("1/m") == "1/m"
    assert q_unit("q") is None
    assert [intensity_unit(text) for text in ("I (1/cm)", "I [1/m]", "I (a.u.)", "I")] == [1.0, 0.01, "arbitrary", None]


@pytest.mark.parametrize(
    ("header", "factor", "unit"),
    [(["q I"], 1.0, "1/nm"), (["q I"], 10.0, "1/A"), (["LOQ Tue 20-FEB-2001", "q I"], 1.0, "1/A")],
)
def test_a_unit_of_q_that_is_nowhere_stated_is_inferred_and_said(tmp_path, header, factor, unit):
    lines = [*header, *rows(Q / factor, INTENSITY, SIGMA, separator=" ")]
    curve = one(read_curves(write(tmp_path, lines)))
    assert curve.unit_inferred
    assert curve.unit == unit
    assert "isn't stated" in curve.warnings[0]


def test_columns_of_a_curve_in_any_order_and_number(tmp_path):
    dq = 0.02 * Q
    lines = ["q (1/nm),dq,I (1/cm),sigma_I,fit", *rows(Q, dq, INTENSITY, SIGMA, INTENSITY)]
    curve = one(read_curves(write(tmp_path, lines)))
    assert curve.intensity == pytest.approx(INTENSITY)
    assert curve.sigma == pytest.approx(SIGMA)
    bare = one(read_curves(write(tmp_path, ["0 0 0 0", *rows(Q, INTENSITY, SIGMA, dq, separator=" ")])))
    assert bare.sigma == pytest.approx(SIGMA)
    several = read_curves(write(tmp_path, ["q (1/nm),25 °C,50 °C", *rows(Q, INTENSITY, 2 * INTENSITY)]))
    assert [curve.column for curve in several] == ["25 °C", "50 °C"]
    assert several[1].intensity == pytest.approx(2 * INTENSITY)
    counts = one(read_curves(write(tmp_path, ["q (1/nm),I (counts)", *rows(Q, INTENSITY)])))
    assert not counts.absolute


def test_an_angle_is_no_momentum_transfer(tmp_path):
    with pytest.raises(ReadError, match="'2theta' is an angle"):
        read_curves(write(tmp_path, ["2theta,I", *rows(Q, INTENSITY)]))


def nxcansas(path, *, q_unit="1/angstrom", factor=10.0, text=str, entries=1, **intensity):
    with h5py.File(path, "w") as file:
        for number in range(1, entries + 1):
            entry = file.create_group(f"sasentry{number:02d}")
            entry.attrs.update({"NX_class": text("NXentry"), "canSAS_class": text("SASentry"), "version": text("1.1")})
            data = entry.create_group("sasdata01")
            data.attrs.update({"NX_class": text("NXdata"), "canSAS_class": text("SASdata"), "signal": text("I")})
            data.attrs.update({"I_axes": text("Q"), "Q_indices": np.array([0])})
            data["Q"], data["I"], data["Idev"] = Q / factor, number * INTENSITY, SIGMA
            data["Q"].attrs["units"] = text(q_unit)
            data["I"].attrs.update({"units": text("1/cm"), "uncertainties": text("Idev"), **intensity})
    return path


@pytest.mark.parametrize("text", [str, np.bytes_, lambda word: np.array([word.encode()])])
@pytest.mark.parametrize(("q_unit", "factor"), [("1/angstrom", 10.0), ("1/nm", 1.0), ("1/m", 1e-9)])
def test_nxcansas(tmp_path, text, q_unit, factor):
    curve = one(read_curves(nxcansas(tmp_path / "a.h5", q_unit=q_unit, factor=factor, text=text)))
    assert curve.q_inv_nm == pytest.approx(Q)
    assert curve.intensity == pytest.approx(INTENSITY)
    assert curve.sigma == pytest.approx(SIGMA)
    assert (curve.unit_inferred, curve.absolute, curve.column) == (False, True, None)


def test_nxcansas_of_several_entries_and_other_units(tmp_path):
    curves = read_curves(nxcansas(tmp_path / "a.h5", entries=2, units="arbitrary"))
    assert [curve.column for curve in curves] == ["sasentry01/sasdata01", "sasentry02/sasdata01"]
    assert curves[1].intensity == pytest.approx(2 * INTENSITY)
    assert not curves[0].absolute


def test_nxcansas_images_and_stumps_are_refused(tmp_path):
    path = nxcansas(tmp_path / "a.h5")
    with h5py.File(path, "a") as file:
        data = file["sasentry01/sasdata01"]
        del data["Q"]
        data["Q"] = np.ones((4, 5))
    with pytest.raises(ReadError, match="integrate the image first"):
        read_curves(path)
    with h5py.File(path, "a") as file:
        del file["sasentry01/sasdata01/Q"]
    with pytest.raises(ReadError, match="without its data set 'Q'"):
        read_curves(path)
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(ReadError, match="HDF5"):
        read_curves(path)


def test_nexus_spectra_by_default_path_by_axis_and_by_name(tmp_path):
    path = tmp_path / "a.nxs"
    with h5py.File(path, "w") as file:
        file.attrs["default"] = "entry"
        entry = file.create_group("entry")
        entry.attrs.update({"NX_class": "NXentry", "default": "plot"})
        data = entry.create_group("plot")
        data.attrs.update({"NX_class": "NXdata", "signal": "y", "axes": ["x"], "auxiliary_signals": ["z"]})
        data["x"], data["y"], data["z"] = WAVELENGTH[::-1], ABSORBANCE[::-1], 2 * ABSORBANCE[::-1]
        data["x"].attrs["units"] = "nm"
    first, second = read_spectra(path)
    assert first.absorbance == pytest.approx(ABSORBANCE)
    assert (first.column, second.column) == ("y", "z")
    with h5py.File(path, "w") as file:
        file["lab/wavelength_nm"], file["lab/absorbance"] = WAVELENGTH, np.stack([ABSORBANCE, 2 * ABSORBANCE])
        file["lab/temperature"] = 25.0
    assert [spectrum.column for spectrum in read_spectra(path)] == ["absorbance[0]", "absorbance[1]"]
    with h5py.File(path, "w") as file:
        file["lab/pressure"] = WAVELENGTH
    for read in (read_spectra, read_curves):
        with pytest.raises(ReadError, match="no NXdata"):
            read(path)


if DATA.is_dir():

    def test_loq_files_of_isis(tmp_path):
        curve = one(read_curves(DATA / "saxs" / "ISIS_83404.TXT"))
        assert curve.q_inv_nm[[0, -1]] == pytest.approx([0.09, 2.49])
        assert (curve.intensity[0], curve.sigma[0]) == (38.43649, 0.8087308)
        assert len(curve.q_inv_nm) == 121

    def test_the_curves_of_other_programs():
        sphere = one(read_curves(DATA / "saxs" / "sphere_80.txt"))
        assert (sphere.q_inv_nm[0], sphere.sigma) == (pytest.approx(0.010101), None)
        many = one(read_curves(DATA / "saxs" / "PolySpheres.txt"))
        assert (many.q_inv_nm[0], many.intensity[0]) == (pytest.approx(0.03), 5.58459588740281)
        tutorial = one(read_curves(DATA / "saxs" / "quickstartdemo1.csv"))
        assert (tutorial.unit, tutorial.q_inv_nm[-1], tutorial.sigma[-1]) == ("1/nm", 1.0, 45.4)

    @pytest.mark.parametrize(("run", "columns", "first_nm"), [(1, 14, 350.0107), (3, 18, 350.0107), (5, 18, 350.0012)])
    def test_growth_runs_without_the_rubbish_below_them(run, columns, first_nm):
        spectra = read_spectra(DATA / "uvvis_cdse_growth" / f"run{run}_uvvis.csv")
        assert len(spectra) == columns
        assert spectra[0].wavelength_nm[0] == pytest.approx(first_nm, abs=1e-4)
        assert all(np.isfinite(spectrum.absorbance).all() for spectrum in spectra)


def check_any(path):
    for read in (read_spectra, read_curves):
        try:
            made = read(path)
        except ReadError:
            continue
        assert made


PIECES = st.sampled_from(
    ["1", "2.5", "-3e4", "0", "nan", "q", "Wavelength (nm)", "abs", "I", ",", ";", "\t", " ", "\n", "\r\n", "\r", "#",
     "1,5", "%T", "dark", "reference", "(", "[", "\0", "é", "1/A", "nm^-1", "1e999", "1_0", "****", "-", '"', "\x85",
     "inf", "𝟙"]
)  # fmt: skip


@pytest.fixture(scope="module")
def scratch(tmp_path_factory):
    return tmp_path_factory.mktemp("fuzz") / "data"


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.one_of(st.binary(max_size=300), st.lists(PIECES, max_size=120).map(lambda p: "".join(p).encode())))
def test_any_bytes_are_read_or_refused(scratch, data):
    scratch.write_bytes(data)
    check_any(scratch)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes=st.lists(st.tuples(st.integers(0, 40_000), st.integers(0, 255)), max_size=30), cut=st.integers(0, 9000))
def test_a_damaged_hdf5_file_is_read_or_refused(scratch, changes, cut):
    whole = bytearray(nxcansas(scratch).read_bytes())
    for place, value in changes:
        whole[place % len(whole)] = value
    scratch.write_bytes(bytes(whole[: len(whole) - cut]))
    check_any(scratch)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    separator=st.sampled_from([",", ";", "\t", " "]),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
    values=st.lists(st.floats(-1e6, 1e6), min_size=6, max_size=40),
    step=st.floats(0.05, 5.0),
)
def test_what_is_written_is_read_back(scratch, separator, end, values, step):
    x = 300.0 + step * np.arange(len(values))
    lines = [f"{a!r}{separator}{b!r}" for a, b in zip(x.tolist(), values, strict=True)]
    scratch.write_bytes(end.join(lines).encode())
    spectrum = one(read_spectra(scratch))
    assert spectrum.wavelength_nm.tolist() == x.tolist()
    assert spectrum.absorbance.tolist() == values
