"""Absorption spectra from a file: wavelength in nm with absorbance, or with counts, dark and reference."""

import re
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from msc_plans.files.axis import ascending, axis_column, is_count
from msc_plans.files.errors import ReadError
from msc_plans.files.isolated import is_hdf5, read_isolated
from msc_plans.files.table import Table, read_table
from msc_plans.files.units import plain, wavelength_unit

__all__ = ["Spectrum", "read_spectra"]

_EV_NM = 1239.841984
_TO_NM = {
    "nm": lambda x: x,
    "um": lambda x: 1e3 * x,
    "A": lambda x: 0.1 * x,
    "eV": lambda x: _EV_NM / x,
    "1/cm": lambda x: 1e7 / x,
}
_PLAUSIBLE_NM = (150.0, 3500.0)
_AXIS = re.compile(r"^\W*(wave|wellen|longueur d|lambda|λ|wl\b|nm\b|x\W|x$|energy|photon energy|e ?\(ev)")
_NO_AXIS = re.compile(r"^\W*(time|temperature|date|theta|2.?theta|angle|q\b)")
_DARK = re.compile(r"\bdark|_dark")
_REFERENCE = re.compile(r"\bref\b|reference|\bref_|_ref\b|\bi0\b|\bi_0\b|\bi₀")
_BLANK = re.compile(r"\bblank\b|\bsolvent\b")
_ABSORBANCE = re.compile(r"absorb|\babs\b|_abs\b|\bod\b|optical density|extinction|\bm?au\b|\ba\b\s*($|[\[(])")
_MILLI = re.compile(r"\bm(au|od|abs|absorbance)\b|milli-? ?abs")
_TRANSMITTANCE = re.compile(r"%\s*t\b|\bt\s*[(\[]?\s*%|transmi")
_COUNTS = re.compile(r"\bcounts?\b|\bcts\b")
_OTHER = re.compile(
    r"^\W*(sigma|σ|std|stdev|err|error|uncertainty|index|pixel|point|baseline|smooth|fit\b|residual|time\b)|_sigma\b|_err"
)


@dataclass(frozen=True)
class Spectrum:
    """One spectrum of a file: absorbance, or the counts it comes of."""

    wavelength_nm: np.ndarray = field(repr=False)
    """Shape (points,), ascending."""
    absorbance: np.ndarray | None = field(repr=False)
    """Shape (points,); NaN where it is missing. None where the file holds counts."""
    column: str | None = None
    """Header of its column where the file has several spectra."""
    counts: np.ndarray | None = field(default=None, repr=False)
    dark: np.ndarray | None = field(default=None, repr=False)
    reference: np.ndarray | None = field(default=None, repr=False)
    warnings: tuple[str, ...] = ()


def read_spectra(path: str | Path) -> tuple[Spectrum, ...]:
    """Read the spectra of a text table (`msc_plans.files.table`) or of an HDF5 or NeXus file.

    The axis is the column named as wavelength, energy or wavenumber, else the first. It is in nm unless its header
    says µm, Å, eV or cm⁻¹. Every other column is a spectrum: absorbance, or what its header says (mAU,
    transmittance as %T or a fraction). Columns of counts become one spectrum each with the columns named as dark and
    reference. Tables of pairs (wavelength, absorbance, wavelength, absorbance …) are read as such. σ, pixel and fit
    columns are left out.

    Raises
    ------
    ReadError
        The file can't be read as spectra; with the line and the reason.
    """
    path = Path(path)
    tables = read_isolated(path, "spectra") if is_hdf5(path) else (read_table(path),)
    found = [spectrum for table in tables for spectrum in _spectra(table)]
    if len(found) == 1:
        return (_renamed(found[0], None),)
    return tuple(found)


def _spectra(table: Table) -> list[Spectrum]:
    said = [plain(text) for text in table.units]
    axes = [number for number, name in enumerate(table.names) if _AXIS.match(plain(name))]
    start = axis_column(table, axes)
    numbered = {k for k in range(start) if not table.names[k] and is_count(table.values[:, k])}
    if _NO_AXIS.match(said[start]):
        raise ReadError(table.path, table.header_line, f"column {table.names[start]!r} isn't a column of wavelengths")
    if len(axes) < 2:
        columns = [k for k in range(len(said)) if (k > start or axes) and k not in numbered]
        return _of_axis(table, said, start, columns)
    bounds = [*axes, len(said)]
    return [
        spectrum
        for number, axis in enumerate(axes)
        for spectrum in _of_axis(table, said, axis, list(range(axis + 1, bounds[number + 1])))
    ]


def _of_axis(table: Table, said: list[str], axis: int, columns: list[int]) -> list[Spectrum]:
    columns = [number for number in columns if number != axis and not _OTHER.search(said[number])]
    if not columns:
        raise ReadError(table.path, table.header_line, f"no column of absorbance beside {table.names[axis]!r}")
    x, onto = ascending(table, axis)
    wavelength = _wavelength_nm(table, axis, x)
    order = np.argsort(wavelength)
    dark = [number for number in columns if _DARK.search(said[number])]
    reference = [number for number in columns if _REFERENCE.search(said[number])]
    if dark and not reference:
        reference = [number for number in columns if _BLANK.search(said[number])]
    counted = bool(reference) and (bool(dark) or any(_COUNTS.search(said[number]) for number in columns))
    made = []
    if counted:
        absorbing = [
            number for number in columns if _ABSORBANCE.search(said[number]) and number not in reference + dark
        ]
        if not absorbing:
            return _counted(table, wavelength[order], lambda v: onto(v)[order], columns, dark, reference)
        columns = absorbing
    for number in columns:
        values = _absorbance(table, said[number], number, onto(table.values[:, number])[order])
        made.append(Spectrum(wavelength[order], values, _label(table, number), warnings=table.warnings))
    return made


def _counted(table, wavelength, onto, columns, dark, reference) -> list[Spectrum]:
    samples = [number for number in columns if number not in dark + reference]
    if not samples:
        raise ReadError(table.path, table.header_line, "dark and reference, but no column of the sample's counts")
    warnings = table.warnings if dark else (*table.warnings, "no dark spectrum; it is taken as 0")
    made = []
    for number in samples:
        lit = onto(table.values[:, reference[0]])
        unlit = onto(table.values[:, dark[0]]) if dark else np.zeros_like(lit)
        counts = onto(table.values[:, number])
        use = np.isfinite(counts) & np.isfinite(lit) & np.isfinite(unlit)
        label = _label(table, number)
        made.append(Spectrum(wavelength[use], None, label, counts[use], unlit[use], lit[use], warnings))
    return made


def _absorbance(table: Table, said: str, number: int, values: np.ndarray) -> np.ndarray:
    told = said
    if not _ABSORBANCE.search(told) and not re.search(r"[^\W\d_]", told.strip("<>y ")):
        # An unnamed column: what the lines above say of the ordinate.
        above = plain(
            " ".join(line for line in table.header if re.search(r"ordinate|y.?(unit|axis|label)|mode", line, re.I))
        )
        told = above if not _ABSORBANCE.search(above) or _MILLI.search(above) else ""
    if _TRANSMITTANCE.search(told) and not _ABSORBANCE.search(told):
        finite = values[np.isfinite(values)]
        whole = 100.0 if "%" in told or (finite.size and np.median(finite) > 1.5) else 1.0
        return -np.log10(np.where(values > 0, values / whole, np.nan))
    if _COUNTS.search(told):
        raise ReadError(
            table.path,
            table.header_line,
            f"column {table.names[number]!r} holds counts; absorbance or columns named dark and reference are needed",
        )
    return 1e-3 * values if _MILLI.search(told) else values


def _wavelength_nm(table: Table, axis: int, x: np.ndarray) -> np.ndarray:
    name = table.names[axis] or f"column {axis + 1}"
    unit = wavelength_unit(table.units[axis])
    if unit is None and re.search(r"energy", plain(table.units[axis])):
        unit = "eV"
    wavelength = _TO_NM[unit or "nm"](x)
    low, high = float(np.min(wavelength)), float(np.max(wavelength))
    if high < _PLAUSIBLE_NM[0] or low > _PLAUSIBLE_NM[1]:
        raise table.row_error(
            0,
            f"{name!r} runs from {x[0]:g} to {x[-1]:g}, which can't be wavelengths in {unit or 'nm'}; "
            "state its unit in the header: nm, µm, Å, eV or 1/cm",
        )
    return wavelength


def _label(table: Table, number: int) -> str:
    label = table.labels[number] or f"column {number + 1}"
    return f"{table.title}: {label}" if table.title else label


def _renamed(spectrum: Spectrum, column: str | None) -> Spectrum:
    return Spectrum(**{**vars(spectrum), "column": column})
