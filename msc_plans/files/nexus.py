"""Tables in HDF5 files: NXcanSAS, NXdata, or plain data sets that are named as what they are."""

import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import h5py
import numpy as np

from msc_plans.files.errors import ReadError
from msc_plans.files.table import Table

__all__ = ["read_nexus"]

Wanted = Literal["spectra", "curves"]

_MOST_VALUES = 50_000_000
_AXES = {
    "spectra": re.compile(r"^(wave|lambda|wl\b|energy|photon_energy)", re.I),
    "curves": re.compile(r"^(q|q_.*|x|momentum_transfer)$", re.I),
}
_VALUES = {
    "spectra": re.compile(r"abs|optical_density|^od|transm|count|dark|ref|sample|intensity|spectr", re.I),
    "curves": re.compile(r"^(i|i_.*|int.*|sigma|error.*|idev|i?_?errors?|std.*|unc.*|qdev|dq)$", re.I),
}


def read_nexus(path: Path, wanted: Wanted) -> tuple[Table, ...]:
    """Read the tables of an HDF5 file, in this process.

    Call `msc_plans.files.isolated.read_isolated` for files of unknown origin.

    In this order, the first that there is: each ``SASdata`` group of NXcanSAS (for curves; ``I_axes``, ``Q``, ``I`` and
    the data set that its ``uncertainties`` names, else ``Idev``); the NXdata group to which ``default`` leads from the
    root; the NXdata groups whose axis is named as what is wanted; the groups that hold data sets named
    as wavelength and absorbance, or as Q and I.

    Returns
    -------
    tuple of Table
        The first column is the axis. Titles are the groups' names where there are several.

    Raises
    ------
    ReadError
        The file is broken, or holds none of these.
    """
    try:
        with h5py.File(path, "r") as file:
            found = _tables(path, file, wanted)
    except ReadError:
        raise
    except (OSError, RuntimeError, KeyError, ValueError, TypeError, AttributeError) as error:
        # h5py raises any of these on a damaged file
        raise ReadError(path, None, f"can't be read as HDF5: {error}") from error
    if not found:
        what = "an axis named wavelength and absorbance" if wanted == "spectra" else "Q and I"
        raise ReadError(path, None, f"no NXdata{' or SASdata' * (wanted == 'curves')} group and no group with {what}")
    if len(found) == 1:
        return (found[0][1],)
    return tuple(Table(**{**vars(table), "title": name.strip("/")}) for name, table in found)


def _tables(path: Path, file: h5py.File, wanted: Wanted) -> list[tuple[str, Table]]:
    groups = [file, *_groups(file)]
    if wanted == "curves":
        sas = [group for group in groups if _text(group.attrs.get("canSAS_class")) == "SASdata"]
        if sas:
            return [(str(group.name), _sasdata(path, group)) for group in sas]
    plotted = _default(file)
    if plotted is not None:
        table = _nxdata(path, plotted)
        if table is not None:
            return [(str(plotted.name), table)]
    data = [group for group in groups if _text(group.attrs.get("NX_class")) == "NXdata"]
    tables = [(str(group.name), table) for group in data if (table := _nxdata(path, group)) is not None]
    named = [(name, table) for name, table in tables if _AXES[wanted].match(table.names[0])]
    if named or tables:
        return named or tables[:1]
    return [(str(group.name), table) for group in groups if (table := _by_name(path, group, wanted)) is not None]


def _groups(file: h5py.File) -> list[h5py.Group]:
    found: list[h5py.Group] = []

    def take(_: str, item: Any) -> None:
        if isinstance(item, h5py.Group):
            found.append(item)

    file.visititems(take)
    return found


def _text(value: Any) -> str:
    """Return an attribute as text: HDF5 has bytes, str and arrays of either."""
    if isinstance(value, np.ndarray):
        value = value.ravel()[0] if value.size else ""
    return value.decode("utf-8", errors="replace") if isinstance(value, bytes) else str("" if value is None else value)


def _texts(value: Any) -> list[str]:
    """Return an attribute of several names, however it was written: an array, or one string with separators."""
    if isinstance(value, (np.ndarray, list, tuple)) and np.size(value) > 1:
        return [_text(item) for item in np.ravel(np.asarray(value, dtype=object))]
    return [name for name in re.split(r"[,:\s\[\]]+", _text(value)) if name]


def _default(file: h5py.File) -> h5py.Group | None:
    group: Any = file
    for _ in range(8):
        name = _text(group.attrs.get("default"))
        if not name:
            break
        group = group.get(name)
        if not isinstance(group, h5py.Group):
            return None
    return group if _text(group.attrs.get("NX_class")) == "NXdata" else None


def _array(path: Path, dataset: Any) -> np.ndarray | None:
    """Return a data set of numbers, None for anything else."""
    if not isinstance(dataset, h5py.Dataset) or dataset.dtype.kind not in "fiu" or not dataset.shape:
        return None
    if math.prod(dataset.shape) > _MOST_VALUES:
        raise ReadError(
            path, None, f"{dataset.name} has {math.prod(dataset.shape)} values: too many for a spectrum or curve"
        )
    values = np.asarray(dataset[()], dtype=float)
    squeezed = values.reshape([length for length in values.shape if length > 1] or [1])
    return np.where(np.isfinite(squeezed), squeezed, np.nan)


def _named(dataset: Any, name: str) -> str:
    attributes = dataset.attrs
    unit = _text(attributes.get("units")) or _text(attributes.get("unit"))
    return f"{name} [{unit}]" if unit else name


def _table(path: Path, group: h5py.Group, axis: str, columns: list[str]) -> Table | None:
    """Join data sets of a group to a table; those of two dimensions become several columns."""
    x = _array(path, group.get(axis))
    if x is None or x.ndim != 1 or len(x) < 2:
        return None
    arrays, names, units = [x], [axis], [_named(group[axis], axis)]
    for name in columns:
        values = _array(path, group.get(name))
        if values is None or name == axis or values.ndim > 2 or len(x) not in values.shape:
            continue
        said = _named(group[name], name)
        if values.ndim == 1:
            rows, labels = [values], [name]
        else:
            rows = list(values if values.shape[1] == len(x) else values.T)
            labels = [f"{name}[{number}]" for number in range(len(rows))]
        arrays += rows
        names += labels
        units += [said] * len(rows)
    if len(arrays) < 2:
        return None
    if len(x) * len(arrays) > _MOST_VALUES:
        raise ReadError(path, None, f"{group.name} has {len(x) * len(arrays)} values: too many for a spectrum or curve")
    return Table(
        path, np.column_stack(arrays), np.zeros(0, dtype=int), tuple(names), tuple(names), tuple(units), title=""
    )


def _uncertainty(group: h5py.Group, signal: str) -> list[str]:
    dataset = group.get(signal)
    stated = _text(dataset.attrs.get("uncertainties")) if isinstance(dataset, h5py.Dataset) else ""
    for name in (stated, _text(group.attrs.get("uncertainties")), f"{signal}dev", f"{signal}_errors", "errors"):
        if name and name in group:
            return [name]
    return []


def _sasdata(path: Path, group: h5py.Group) -> Table:
    signal = _text(group.attrs.get("signal")) or "I"
    axes = _texts(group.attrs.get("I_axes")) or _texts(group.attrs.get("axes"))
    q = next((name for name in axes if name.lower() == "q"), "Q")
    dimensions = [q, signal]
    for name in dimensions:
        if not isinstance(group.get(name), h5py.Dataset):
            raise ReadError(path, None, f"{group.name} is SASdata without its data set {name!r}")
    shape = _array(path, group[q])
    if shape is None or shape.ndim != 1:
        raise ReadError(path, None, f"{group.name}/{q} isn't one-dimensional; integrate the image first")
    table = _table(path, group, q, [signal, *_uncertainty(group, signal)])
    if table is None:
        sizes = " and ".join(f"{name} {getattr(group[name], 'shape', '')}" for name in dimensions)
        raise ReadError(path, None, f"{group.name}: {sizes} don't fit together")
    return _as_roles(table, ("Q", "I", "Idev"), (q, signal))


def _as_roles(table: Table, roles: tuple[str, str, str], said: tuple[str, str]) -> Table:
    """Name the columns of a curve by their roles, whatever the file calls them."""

    def role(name: str) -> str:
        stem, bracket, rest = name.partition("[")
        return (roles[said.index(stem)] if stem in said else roles[2]) + bracket + rest

    names = [role(name) for name in table.names]
    # I[0] I[1] … Idev[0] Idev[1] …: each σ beside its intensity
    signals = [number for number, name in enumerate(names) if name.startswith("I") and not name.startswith("Idev")]
    order = [0]
    for number in signals:
        sigma = names[number].replace("I", "Idev", 1)
        order += [number, names.index(sigma)] if sigma in names else [number]
    units = [f"{names[number]} {table.units[number].partition(' ')[2]}" for number in order]
    chosen = tuple(names[number] for number in order)
    return Table(table.path, table.values[:, order], table.lines, chosen, chosen, tuple(units), title=table.title)


def _nxdata(path: Path, group: h5py.Group) -> Table | None:
    signal = _text(group.attrs.get("signal"))
    if signal and not isinstance(group.get(signal), h5py.Dataset):
        # NeXus before 2014: the attribute holds a number on the data set itself
        signal = ""
    if not signal:
        signal = next((name for name, item in _datasets(group) if "signal" in item.attrs), "")
    if not signal:
        return None
    axes = _texts(group.attrs.get("axes")) or _texts(group[signal].attrs.get("axes"))
    axes += [name for name, item in _datasets(group) if "axis" in item.attrs]
    others = _texts(group.attrs.get("auxiliary_signals"))
    sigma = _uncertainty(group, signal)
    for axis in reversed(axes):
        table = _table(path, group, axis, [signal, *others, *sigma])
        if table is not None:
            curve = axis.lower().startswith("q") and not others
            return _as_roles(table, ("q", "I", "Idev"), (axis, signal)) if curve else table
    return None


def _datasets(group: h5py.Group) -> Iterator[tuple[str, h5py.Dataset]]:
    for name in map(str, group):
        item = group.get(name)
        if isinstance(item, h5py.Dataset):
            yield name, item


def _by_name(path: Path, group: h5py.Group, wanted: Wanted) -> Table | None:
    names = [name for name, item in _datasets(group) if item.shape]
    axis = next((name for name in names if _AXES[wanted].match(name)), None)
    if axis is None:
        return None
    columns = [name for name in names if name != axis and _VALUES[wanted].search(name)]
    if wanted == "spectra":
        absorbing = [name for name in columns if re.search(r"abs|optical_density|^od|transm", name, re.I)]
        columns = absorbing or columns
    else:
        columns.sort(key=lambda name: not re.match(r"i(_|nt|$)", name, re.I))
    return _table(path, group, axis, columns)
