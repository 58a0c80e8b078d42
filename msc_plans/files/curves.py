"""Scattering curves from a file: momentum transfer in nm⁻¹, intensity and its σ."""

import re
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from msc_plans.files.axis import FEWEST_POINTS, ascending, axis_column
from msc_plans.files.errors import ReadError
from msc_plans.files.isolated import is_hdf5, read_isolated
from msc_plans.files.table import Table, read_table
from msc_plans.files.units import QUnit, intensity_unit, plain, q_unit, stated_q_unit

__all__ = ["Curve", "read_curves"]

_TO_INV_NM: dict[QUnit, float] = {"1/nm": 1.0, "1/A": 10.0, "1/m": 1e-9, "1/um": 1e-3}
_SHOWN: dict[QUnit, str] = {"1/nm": "nm⁻¹", "1/A": "Å⁻¹"}
_LARGEST_Q_INV_A = 0.8
_NEUTRONS = re.compile(r"\b(LOQ|SANS2D|ISIS|ZOOM|LARMOR|ILL|D11|D22|D33|NIST|NCNR|EQ-?SANS|QUOKKA|SasView)\b")
_AXIS = re.compile(r"^\W*(q\b|q[_ (\[]|x\W|x$|s\b|scattering vector|momentum)")
_ANGLE = re.compile(r"^\W*(2?[ -]?(theta|θ)|two ?theta|angle)")
_DQ = re.compile(r"^\W*(d_?q|qdev|dqw|dql|q_?err|q_?sig|sigma_?q|σ_?q|δ_?q|q_?res|resolution)")
_SIGMA = re.compile(r"sig|err|std|stdev|\bdev|dev\b|unc|^\W*d_?i\b|^\W*di\(|^\W*e$|^\W*[σδ±]|\besd|^\W*dy\b")
_OTHER = re.compile(r"fit\b|model|calc|resid|weight|mask|flag|pixels?|^\W*n\W*$|theta|backgr|bkg|smooth")
_NAMELESS = re.compile(r"^\W*(y|z|w|dx|dy|col(umn)?\W*\d*|[a-d]|\d+)?\W*$")


@dataclass(frozen=True)
class Curve:
    """One scattering curve of a file."""

    q_inv_nm: np.ndarray = field(repr=False)
    """Shape (points,), ascending."""
    intensity: np.ndarray = field(repr=False)
    """cm⁻¹ where `absolute`."""
    sigma: np.ndarray | None = field(repr=False)
    """Shape (points,), positive; None where the file has none."""
    unit: QUnit
    """Unit of q in the file."""
    unit_inferred: bool
    """Whether nothing in the file states it."""
    absolute: bool
    """False where the file says that the intensity is in other units than cm⁻¹, or in none."""
    column: str | None = None
    """Where it comes from in a file of several curves."""
    warnings: tuple[str, ...] = ()


def read_curves(path: str | Path, unit: QUnit | None = None) -> tuple[Curve, ...]:
    """Read the scattering curves of a text table (`msc_plans.files.table`) or of an HDF5, NeXus or NXcanSAS file.

    The first column, or that named q, is momentum transfer; then come intensity, σ and Δq in this order unless the
    header says otherwise. A table whose header names several intensities is several curves, and so is an NXcanSAS file
    of several ``SASdata``.

    The unit of q is what its column's header, its ``units`` attribute or a line above the table states. Where none
    does, it is Å⁻¹ for a file of an instrument at a neutron source (which use it throughout), else Å⁻¹ where the
    largest q is at most 0.8, else nm⁻¹: a camera seldom reaches beyond 0.8 Å⁻¹, and in nm⁻¹ seldom ends below 0.8.
    A curve whose unit was inferred so says so, in `Curve.unit_inferred` and in a warning.

    Parameters
    ----------
    path : str or Path
        The file.
    unit : str, optional
        Unit of q, whatever the file says.

    Raises
    ------
    ReadError
        The file can't be read as curves; with the line and the reason.
    """
    path = Path(path)
    tables = read_isolated(path, "curves") if is_hdf5(path) else (read_table(path),)
    found = [curve for table in tables for curve in _curves(table, unit)]
    if len(found) == 1:
        return (replace(found[0], column=None),)
    return tuple(found)


def _curves(table: Table, unit: QUnit | None) -> list[Curve]:
    names = [plain(name) for name in table.names]
    axis = axis_column(table, [number for number, name in enumerate(names) if _AXIS.match(name)])
    if _ANGLE.match(names[axis]):
        raise ReadError(
            table.path,
            table.header_line,
            f"column {table.names[axis]!r} is an angle; momentum transfer q = 4π sin(θ)/λ is needed",
        )
    q, onto = ascending(table, axis)
    stated = unit or q_unit(table.units[axis]) or stated_q_unit(table.header)
    found, warnings = stated, table.warnings
    if found is None:
        found, why = _likely_unit(table, float(q[-1]))
        warnings += (f"the unit of q isn't stated; taken as {_SHOWN[found]} because {why} (--unit says it)",)
    roles = _roles(table, names, axis)
    curves = []
    for column, sigma_column in roles:
        factor = intensity_unit(table.units[column])
        scale = factor if isinstance(factor, float) else 1.0
        intensity = scale * onto(table.values[:, column])
        sigma = None if sigma_column is None else scale * onto(table.values[:, sigma_column])
        use = np.isfinite(intensity)
        if sigma is not None and not np.any(sigma > 0):
            sigma, warnings = None, (*warnings, "σ is nowhere above 0; it is estimated from the curve")
        elif sigma is not None:
            use &= sigma > 0
        if np.count_nonzero(use) < FEWEST_POINTS:
            raise ReadError(
                table.path,
                table.header_line,
                f"column {table.labels[column] or column + 1!r} has {np.count_nonzero(use)} usable points; "
                f"at least {FEWEST_POINTS} are needed",
            )
        label = table.labels[column] or f"column {column + 1}"
        curves.append(
            Curve(
                _TO_INV_NM[found] * q[use],
                intensity[use],
                None if sigma is None else sigma[use],
                found,
                stated is None,
                factor != "arbitrary",
                ": ".join(part for part in (table.title, label if len(roles) > 1 or not table.title else "") if part),
                warnings,
            )
        )
    return curves


def _likely_unit(table: Table, last: float) -> tuple[QUnit, str]:
    neutrons = next(filter(None, map(_NEUTRONS.search, table.header)), None)
    if neutrons:
        return "1/A", f"{neutrons.group()} files use it"
    if last <= _LARGEST_Q_INV_A:
        return "1/A", f"q ends at {last:.3g}, below {_LARGEST_Q_INV_A:g}"
    return "1/nm", f"q ends at {last:.3g}, above {_LARGEST_Q_INV_A:g}"


def _roles(table: Table, names: list[str], axis: int) -> list[tuple[int, int | None]]:
    """Return the columns of intensity and σ of each curve."""
    columns = [number for number in range(len(names)) if number != axis]
    if not columns:
        raise ReadError(table.path, table.header_line, f"no column of intensity beside {table.names[axis]!r}")
    sigmas = [number for number in columns if _SIGMA.search(names[number]) and not _DQ.match(names[number])]
    plausible = [
        number
        for number in columns
        if number not in sigmas and not _DQ.match(names[number]) and not _OTHER.search(names[number])
    ]
    if not plausible:
        raise ReadError(
            table.path, table.header_line, f"no column of intensity among {', '.join(map(repr, table.names))}"
        )
    named = [number for number in plausible if not _NAMELESS.match(names[number])]
    if len(named) < 2:
        first = named[0] if named else plausible[0]
        after = [number for number in sigmas if number > first] or sigmas
        if not after and not named:
            after = plausible[1:2]
        return [(first, after[0] if after else None)]
    return [(number, number + 1 if number + 1 in sigmas else None) for number in named]
