"""Scattering curves to NXcanSAS, the NeXus application definition for reduced small-angle data (version 1.1).

https://manual.nexusformat.org/classes/applications/NXcanSAS.html
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from msc_plans.files.atomic import whole_file

__all__ = ["SasEntry", "write_nxcansas"]


@dataclass(frozen=True)
class SasEntry:
    """A reduced curve and where it comes from."""

    title: str
    run: str
    """Uid of the run."""
    time_s: float
    """When it was measured, s since 1970."""
    q_inv_nm: np.ndarray = field(repr=False)
    """Shape (points,)."""
    intensity: np.ndarray = field(repr=False)
    """cm⁻¹ where `absolute`, else arbitrary; NaN where unknown. As `sigma`, of the shape of ``q_inv_nm``."""
    sigma: np.ndarray = field(repr=False)
    absolute: bool = True
    curves: Mapping[str, np.ndarray] = field(default_factory=dict)
    """Further ordinates on the same axis, such as ``fit`` and ``background``."""
    sample: Mapping[str, Any] = field(default_factory=dict)
    """``name``, ``details``, and with units in the key ``thickness_cm``, ``transmission``, ``temperature_c``."""
    instrument: Mapping[str, Any] = field(default_factory=dict)
    """``name``, ``wavelength_nm``, ``distance_m``; what is not known is left out."""
    process: Mapping[str, Any] = field(default_factory=dict)
    """``name``, ``version`` and the settings of the analysis."""
    results: Mapping[str, Any] = field(default_factory=dict)
    """Numbers, words and arrays that the analysis gave."""
    units: Mapping[str, str] = field(default_factory=dict)
    """Units of `results`, by key."""
    notes: Mapping[str, Any] = field(default_factory=dict)
    """What else the run says of itself."""


def write_nxcansas(path: str | Path, entry: SasEntry, *, force: bool = False) -> None:
    """Write a curve with its results to an HDF5 file.

    ``/sasentry01/sasdata01`` holds Q, I and Idev; ``/sasentry01/results`` every number, word and array of the analysis
    under its own name, what is not known as NaN.

    Parameters
    ----------
    path : str or Path
        File to be made.
    entry : SasEntry
        See there.
    force : bool
        Replace a file that is there already.

    Raises
    ------
    FileExistsError
        The file is there already.
    """
    with whole_file(path, force=force) as unfinished, h5py.File(unfinished, "w") as file:
        file.attrs.update({"NX_class": "NXroot", "default": "sasentry01", "file_name": Path(path).name})
        file.attrs["file_time"] = datetime.now(UTC).isoformat(timespec="seconds")
        top = _group(file, "sasentry01", "NXentry", "SASentry", version="1.1", default="sasdata01")
        top["definition"] = "NXcanSAS"
        top["definition"].attrs["version"] = "1.1"
        top["title"] = entry.title
        top["run"] = entry.run
        top["start_time"] = _iso(entry.time_s)
        _write_data(top, entry)
        _write_instrument(top, entry.instrument)
        _write_sample(top, entry.sample)
        _write_process(top, entry)
        results = _group(top, "results", "NXcollection")
        for key, value in entry.results.items():
            _put(results, key, value, entry.units.get(key, ""))
        notes = _group(top, "sasnote01", "NXnote", "SASnote")
        for key, value in _flat(entry.notes):
            _put(notes, key, value)


def _write_data(top: h5py.Group, entry: SasEntry) -> None:
    data = _group(top, "sasdata01", "NXdata", "SASdata", signal="I", axes=["Q"], I_axes="Q")
    data.attrs["Q_indices"] = np.array([0])
    data.attrs["timestamp"] = _iso(entry.time_s)
    unit = "1/cm" if entry.absolute else "arbitrary"
    _put(data, "Q", entry.q_inv_nm, "1/nm")
    _put(data, "I", entry.intensity, unit)
    data["I"].attrs["uncertainties"] = "Idev"
    _put(data, "Idev", entry.sigma, unit)
    if entry.curves:
        # No SASdata: loaders would take it for another measurement.
        fitted = _group(top, "fitted", "NXdata", signal=next(iter(entry.curves)), axes=["Q"])
        fitted["Q"] = data["Q"]
        for name, values in entry.curves.items():
            _put(fitted, name, values, unit)


def _write_instrument(top: h5py.Group, known: Mapping[str, Any]) -> None:
    instrument = _group(top, "sasinstrument01", "NXinstrument", "SASinstrument")
    instrument["name"] = str(known.get("name", "SAXS"))
    source = _group(instrument, "sassource01", "NXsource", "SASsource")
    source["radiation"] = "x-ray"
    source["probe"] = "x-ray"
    if "wavelength_nm" in known:
        _put(source, "incident_wavelength", float(known["wavelength_nm"]), "nm")
    detector = _group(instrument, "sasdetector01", "NXdetector", "SASdetector")
    detector["name"] = str(known.get("detector", "detector"))
    if "distance_m" in known:
        _put(detector, "SDD", float(known["distance_m"]), "m")


def _write_sample(top: h5py.Group, known: Mapping[str, Any]) -> None:
    sample = _group(top, "sassample01", "NXsample", "SASsample")
    sample["name"] = str(known.get("name", ""))
    if "details" in known:
        sample["details"] = str(known["details"])
    for key, (name, unit) in {
        "thickness_cm": ("thickness", "cm"),
        "transmission": ("transmission", ""),
        "temperature_c": ("temperature", "C"),
    }.items():
        if key in known:
            _put(sample, name, float(known[key]), unit)


def _write_process(top: h5py.Group, entry: SasEntry) -> None:
    process = _group(top, "sasprocess01", "NXprocess", "SASprocess")
    process["name"] = "msc-plans"
    process["date"] = _iso(entry.time_s)
    process["description"] = f"{entry.process.get('name', 'reduction')}, version {entry.process.get('version', '?')}"
    for number, (key, value) in enumerate(_flat(entry.process)):
        term = _group(process, f"term{number:02d}", "NXparameters")
        term["name"], term["value"] = key, value if isinstance(value, float | int) else str(value)


def _group(parent: h5py.Group, name: str, nexus: str, cansas: str = "", **attributes: Any) -> h5py.Group:
    group = parent.create_group(name)
    group.attrs["NX_class"] = nexus
    if cansas:
        group.attrs["canSAS_class"] = cansas
    for key, value in attributes.items():
        group.attrs[key] = value
    return group


def _put(group: h5py.Group, name: str, value: Any, unit: str = "") -> None:
    if isinstance(value, list | tuple):
        value = np.asarray(value, dtype=h5py.string_dtype()) if _words(value) else np.asarray(value)
    name = name.replace("/", "_")  # to HDF5 it would be a group
    group[name] = value if isinstance(value, np.ndarray | float | int | bool) else str(value)
    if unit:
        group[name].attrs["units"] = unit


def _words(values: Any) -> bool:
    return any(isinstance(value, str) for value in values)


def _flat(described: Mapping[str, Any], before: str = "") -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for key, value in described.items():
        found += _flat(value, f"{before}{key}.") if isinstance(value, Mapping) else [(f"{before}{key}", value)]
    return found


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
