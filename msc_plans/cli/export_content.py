"""What ``msc export`` writes of a run: spectra of what was counted, curves of what was analysed."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from msc_plans.files.nxcansas import SasEntry, write_nxcansas
from msc_plans.files.spectrum_csv import write_csv
from msc_plans.storage.runs import Stream, read_streams
from msc_plans.storage.search import analyses_of, runs_by_uid

__all__ = ["Exported", "exported", "nothing_in"]

_HC_KEV_NM = 1.239841984
_CURVES = ("background", "saxs", "lamellae")
_ORDINATES = ("q_inv_nm", "intensity", "intensity_sigma")
_BESIDE = ("fit", "background")
_UNITS = {"nucleation_temperature": "°C", "growth_temperature": "°C", "residence_time": "s"}
_DARK = "_calibration_dark"


@dataclass(frozen=True)
class Exported:
    """One file's worth."""

    name: str
    """Name of the file."""
    format: str
    """``csv`` or ``nxcansas``."""
    content: Any

    def write(self, folder: Path, *, force: bool) -> Path:
        """Write the file; raises FileExistsError where it is there already."""
        path = folder / self.name
        if self.format == "csv":
            write_csv(path, *self.content, force=force)
        else:
            write_nxcansas(path, self.content, force=force)
        return path


def exported(catalog: Any, run: Any, saturation: float | None) -> Iterator[Exported]:
    """Give what a run has to export: of a raw run its spectrum and its latest curves, of an analysis its own.

    Parameters
    ----------
    catalog : CatalogOfBlueskyRuns
        Where analyses and raw runs are looked for.
    run : BlueskyRun
        Of the catalogue.
    saturation : float, optional
        Counts at which a pixel is saturated.

    Raises
    ------
    ValueError
        What was counted gives no absorbance.
    """
    start = run.metadata["start"]
    if "raw_uid" in start:
        raw = runs_by_uid(catalog, [start["raw_uid"]]).get(start["raw_uid"])
        yield from _of_analysis(run, start["uid"], raw and raw.metadata["start"], raw and read_streams(raw))
        return
    streams = read_streams(run)
    latest = {
        analysis.metadata["start"]["analysis"]: analysis
        for analysis in analyses_of(catalog, [start["uid"]])[start["uid"]]
        if (analysis.metadata.get("stop") or {}).get("exit_status") == "success"
    }
    outcomes = {name: latest[name] for name in ("uvvis", "joint") if name in latest}
    yield from _spectra(start, streams, outcomes, saturation)
    for name in _CURVES:
        if name in latest:
            yield from _of_analysis(latest[name], start["uid"], start, streams)


def _spectra(
    start: Mapping[str, Any], streams: Mapping[str, Stream], outcomes: Mapping[str, Any], saturation: float | None
) -> Iterator[Exported]:
    from msc_plans.analysis.uvvis.analyse import absorbance

    calibration, primary = streams.get("dark_reference"), streams.get("primary")
    if calibration is None or primary is None:
        return
    for key in [key for key in calibration.data if key.endswith(_DARK)]:
        device = key.removesuffix(_DARK)
        counts = primary.data.get(f"{device}_counts")
        if counts is None:
            continue
        dark, reference, wavelength = (
            np.asarray(calibration.data[f"{device}_calibration_{name}"][-1], float)
            for name in ("dark", "reference", "wavelength_nm")
        )
        single = len(counts) == 1
        columns = {"wavelength_nm": wavelength}
        columns |= {"counts" if single else f"counts_{number}": one for number, one in enumerate(counts, 1)}
        columns |= {"dark": dark, "reference": reference}
        columns["absorbance"] = absorbance(np.mean(counts, axis=0), dark, reference, saturation=saturation)
        described = _described(start) | {"absorbance": "-log10((counts - dark) / (reference - dark))"}
        if not single:
            described["absorbance"] += f", counts the mean of {len(counts)}"
        described |= {name: _analysis(one) | _outcome(read_streams(one)) for name, one in outcomes.items()}
        yield Exported(_name(start, start["uid"], "spectrum", "csv"), "csv", (columns, described))


def _of_analysis(
    run: Any, uid: str, raw: Mapping[str, Any] | None, streams: Mapping[str, Stream] | None
) -> Iterator[Exported]:
    start = run.metadata["start"]
    found = read_streams(run).get("primary")
    if found is None:
        return
    of: Mapping[str, Any] = raw or start
    values = {key: data[0] for key, data in found.data.items()}
    if set(_ORDINATES) <= set(values):
        entry = _entry(start, of, streams or {}, values, found)
        yield Exported(_name(of, uid, start["analysis"], "h5"), "nxcansas", entry)
    elif {"wavelength_nm", "absorbance"} <= set(values):
        columns = {key: np.asarray(values[key], float) for key in ("wavelength_nm", "absorbance", "fit", "rest")}
        described = _described(of) | {start["analysis"]: _analysis(run) | _outcome({"primary": found})}
        yield Exported(_name(of, uid, start["analysis"], "csv"), "csv", (columns, described))


def _entry(
    start: Mapping[str, Any],
    raw: Mapping[str, Any],
    streams: Mapping[str, Stream],
    values: Mapping[str, Any],
    found: Stream,
) -> SasEntry:
    q, intensity, sigma = (np.asarray(values[key], float) for key in _ORDINATES)
    beside = [key for key in _BESIDE if key in values and np.shape(values[key]) == q.shape]
    left = {key: value for key, value in values.items() if key not in (*_ORDINATES, *beside)}
    results = {key: value.item() if isinstance(value, np.generic) else value for key, value in left.items()}
    station = _station(streams.get("primary"))
    sample = {"name": str(raw.get("sample", "")), **station["sample"]}
    if "condition" in raw:
        sample["details"] = ", ".join(
            f"{key} {value:g} {_UNITS.get(key, '')}" for key, value in raw["condition"].items()
        )
    if "transmission" in results:
        sample["transmission"] = results["transmission"]
    return SasEntry(
        title=f"{start['analysis']} of run {raw['uid']}",
        run=raw["uid"],
        time_s=raw["time"],
        q_inv_nm=q,
        intensity=intensity,
        sigma=sigma,
        absolute=bool(values.get("absolute", False)),
        curves={key: np.asarray(values[key], float) for key in beside},
        sample=sample,
        instrument=station["instrument"],
        process={"name": start["analysis"], "version": start["version"], "settings": start.get("settings", {})},
        results=results,
        units={key: known["units"] for key, known in found.data_keys.items() if known.get("units")},
        notes={"analysis_uid": start["uid"], **_described(raw)},
    )


def _station(primary: Stream | None) -> dict[str, dict[str, Any]]:
    """What the raw run says of detector, beam and cell."""
    instrument: dict[str, Any] = {}
    sample: dict[str, Any] = {}
    for device, known in (primary.configuration if primary else {}).items():
        if f"{device}_geometry_distance_m" not in known:
            continue
        instrument |= {"name": device, "distance_m": known[f"{device}_geometry_distance_m"]}
        instrument["detector"] = known.get(f"{device}_geometry_detector") or device
        if known.get(f"{device}_energy_kev"):
            instrument["wavelength_nm"] = _HC_KEV_NM / known[f"{device}_energy_kev"]
        if f"{device}_corrections_thickness_cm" in known:
            sample["thickness_cm"] = known[f"{device}_corrections_thickness_cm"]
        temperature = primary.data.get(f"{device}_cell_temperature") if primary else None
        if temperature is not None:
            sample["temperature_c"] = float(np.mean(temperature))
    return {"instrument": instrument, "sample": sample}


def _described(start: Mapping[str, Any]) -> dict[str, Any]:
    kept = ("purpose", "campaign_uid", "trial_id", "scan_id", "sample", "lots", "scenario", "background_uid")
    time = datetime.fromtimestamp(start["time"], UTC).isoformat(timespec="milliseconds")
    condition = {f"{key} [{_UNITS.get(key, '')}]": value for key, value in start.get("condition", {}).items()}
    said = {key: start[key] for key in kept if start.get(key) not in (None, "", {})}
    return {"uid": start["uid"], "time": time, **said, **({"condition": condition} if condition else {})}


def _analysis(run: Any) -> dict[str, Any]:
    start = run.metadata["start"]
    return {key: start[key] for key in ("uid", "version", "settings", "families") if key in start}


def _outcome(streams: Mapping[str, Stream]) -> dict[str, Any]:
    primary = streams.get("primary")
    return {} if primary is None else {key: data[0].item() for key, data in primary.data.items() if data.shape == (1,)}


def _name(start: Mapping[str, Any], uid: str, what: str, suffix: str) -> str:
    return f"{datetime.fromtimestamp(start['time']):%Y%m%d-%H%M%S}_{uid[:8]}_{what}.{suffix}"


def nothing_in(run: Any, formats: Sequence[str]) -> str:
    """Say why nothing of a run was exported."""
    start = run.metadata["start"]
    wanted = " or ".join({"csv": "spectrum", "nxcansas": "analysed scattering curve"}[one] for one in formats)
    run_is = f"{start['uid'][:8]} ({start.get('purpose', 'no purpose')})"
    return f"{run_is} holds no {wanted}; frames want `msc reprocess` first"
