"""Live SAXS: the raw run's frames in, curve, sizes and Bragg peaks out, as documents of analysis runs."""

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np

from msc_plans.analysis import lamellae, saxs
from msc_plans.analysis.curve import ScatteringCurve, subtract, without_peaks
from msc_plans.analysis.integration.geometry import PoniGeometry
from msc_plans.analysis.integration.integrator import Integrator
from msc_plans.analysis.integration.mask import beam_stop_mask, detector_mask, load_mask
from msc_plans.analysis.lamellae.result import LamellaeResult
from msc_plans.analysis.saxs.result import SaxsResult
from msc_plans.callbacks.frames import Frames
from msc_plans.callbacks.raw_run import Analysis, Observer, RawRun, RawRunCallback
from msc_plans.families import FamilyTable, built_in_families
from msc_plans.protocols import Documents

__all__ = ["BackgroundOf", "SaxsAnalysisSettings", "SaxsCallback"]

BackgroundOf = Callable[[str], ScatteringCurve | None]
"""Finds the integrated curve of an older background run by its uid."""

_KEPT = 32


@dataclass(frozen=True)
class SaxsAnalysisSettings:
    """What the analysis must be told beside what the documents say of geometry and corrections.

    Attributes
    ----------
    detector : str
        Name of the device whose frames are analysed.
    points : int
        Of the curves.
    sizes_from_inv_nm : float
        q from which on particles are looked for. Below 0.6 nm⁻¹ the cadmium precursor has a broad maximum of its own
        (Palencia 2020, Fig. 3) that a sphere model would take for large particles.
    lamellae_below_c : float
        Bragg peaks are looked for in a cell colder than this, °C: the precursor's lamellae are molten at 100 °C (same
        figure), and the search takes longer than all else.
    background_max_age_s : float
        An older background is used with a warning.
    families : FamilyTable
        What the curves are compared with. Default: the built-in table.
    """

    detector: str
    points: int = 300
    sizes_from_inv_nm: float = 0.6
    lamellae_below_c: float = 120.0
    background_max_age_s: float = 8 * 3600.0
    families: FamilyTable = field(default_factory=built_in_families)


class SaxsCallback(RawRunCallback):
    """Analyse the frames of each raw run; see :class:`RawRunCallback`.

    A run of purpose ``background`` is integrated, published and kept; the others name theirs by ``background_uid``
    in the start document. Where it is missing, stale or unfit the result says so in a warning.

    Parameters
    ----------
    settings : SaxsAnalysisSettings
        See there.
    listeners, observers : sequence of callables
        Get documents and results.
    background : callable, optional
        Finds backgrounds that have not passed through here.
    """

    name = "saxs"

    def __init__(
        self,
        settings: SaxsAnalysisSettings,
        listeners: Sequence[Documents],
        observers: Sequence[Observer] = (),
        *,
        background: BackgroundOf = lambda uid: None,
    ) -> None:
        told = {one.name: getattr(settings, one.name) for one in fields(settings)}
        del told["detector"]
        told["family_table"] = told.pop("families").as_document()
        super().__init__(told, listeners, observers)
        self._settings = settings
        self._background = background
        self._frames = Frames()
        self._backgrounds: OrderedDict[str, ScatteringCurve] = OrderedDict()
        self._integrators: OrderedDict[tuple[Any, ...], Integrator] = OrderedDict()

    def __call__(self, name: str, document: Mapping[str, Any]) -> None:
        """Take a document of a raw run."""
        self._frames(name, document)
        super().__call__(name, document)

    def _concerns(self, run: RawRun) -> bool:
        return run.stream_with("primary", f"{self._settings.detector}_image") is not None

    def _analyse(self, run: RawRun) -> Sequence[Analysis]:
        curve = self._curve(run)
        if run.start.get("purpose") == "background":
            _keep(self._backgrounds, run.uid, curve)
            return [Analysis("background", curve, _of_curve(curve), _arrays(curve))]
        curve = self._less_background(run, curve)
        told = {"background_uid": curve.background_uid}
        analyses = []
        if self._may_be_layered(run):
            use = curve.usable
            layers = lamellae.analyse(curve.q_inv_nm[use], curve.intensity[use], curve.sigma[use])
            if layers.peaks or run.start.get("purpose") == "mesophase_scan":
                analyses.append(Analysis("lamellae", layers, _of_lamellae(layers), _arrays_of_lamellae(layers), told))
            curve = without_peaks(curve, layers)
        use = curve.usable & (curve.q_inv_nm >= self._settings.sizes_from_inv_nm)
        result = saxs.analyse(
            curve.q_inv_nm[use],
            curve.intensity[use],
            curve.sigma[use],
            absolute=curve.absolute,
            families=self._settings.families,
            method="monte carlo",
        )
        result = replace(result, warnings=(*curve.warnings, *result.warnings))
        arrays = {
            "q_inv_nm": result.q_inv_nm,
            "intensity": result.intensity,
            "intensity_sigma": result.intensity_sigma,
            "fit": result.fit,
            "background": result.background,
            "radius_nm": result.radius_nm,
            "volume_weighted": result.volume_weighted,
            "volume_weighted_sigma": result.volume_weighted_sigma,
        }
        analyses.append(Analysis(self.name, result, _of_sizes(result, curve), arrays, told))
        return analyses

    def _may_be_layered(self, run: RawRun) -> bool:
        key = f"{self._settings.detector}_cell_temperature"
        stream = run.stream_with("primary", key)
        return stream is None or min(data[key] for data in stream[1]) < self._settings.lamellae_below_c

    # -- the curve

    def _curve(self, run: RawRun) -> ScatteringCurve:
        name = self._settings.detector
        stream = run.stream_with("primary", f"{name}_image")
        assert stream is not None
        descriptor, events = stream
        frames = [self._frames.of_datum(data[f"{name}_image"]) for data in events if f"{name}_image" in data]
        frames += self._frames.of_stream(descriptor["uid"])
        if not frames:
            raise ValueError("the run holds no frames")
        known = {
            key.removeprefix(f"{name}_"): value for key, value in descriptor["configuration"][name]["data"].items()
        }
        stack = np.concatenate(frames)
        each = len(stack) // len(events)
        curve = self._integrator(known, stack.shape[1:]).reduce(
            stack,
            i0=np.repeat([data[f"{name}_i0"] for data in events], each),
            i1=np.repeat([data[f"{name}_i1"] for data in events], each),
            exposure_s=known["camera_exposure_s"],
            thickness_cm=known["corrections_thickness_cm"],
            empty_beam_ratio=known["corrections_empty_beam_ratio"],
            transmission=known["corrections_transmission"] or None,
            calibration_factor=known["corrections_calibration_factor"] or None,
            uid=run.uid,
        )
        return replace(curve, time_s=run.start["time"])

    def _integrator(self, known: Mapping[str, Any], shape: tuple[int, ...]) -> Integrator:
        """One for each geometry and mask, kept: the first frame takes longer than those after it."""
        names = [key for key in sorted(known) if key.startswith("geometry_")]
        key = (shape, known["energy_kev"], known["corrections_polarization"], *(known[name] for name in names))
        if key not in self._integrators:
            integrator = _integrator(known, shape, self._settings.points)
            _keep(self._integrators, key, integrator)
        return self._integrators[key]

    def _less_background(self, run: RawRun, curve: ScatteringCurve) -> ScatteringCurve:
        uid = run.start.get("background_uid", "")
        if not uid:
            return _warned(curve, "no background was subtracted: the run names none")
        try:
            background = self._backgrounds.get(uid) or self._background(uid)
            if background is None:
                return _warned(curve, f"no background was subtracted: no curve of run {uid} is known")
            curve = subtract(curve, background)
        except ValueError as error:
            return _warned(curve, f"no background was subtracted: {error}")
        age_s = run.start["time"] - background.time_s
        if not age_s <= self._settings.background_max_age_s:
            return _warned(curve, f"the background is {age_s / 3600:.1f} h old")
        return curve


def _integrator(known: Mapping[str, Any], shape: tuple[int, ...], points: int) -> Integrator:
    rows, columns = shape
    geometry = PoniGeometry(
        distance_m=known["geometry_distance_m"],
        poni1_m=known["geometry_poni1_m"],
        poni2_m=known["geometry_poni2_m"],
        energy_kev=known["energy_kev"],
        shape=(rows, columns),
        pixel1_m=known["geometry_pixel1_m"],
        pixel2_m=known["geometry_pixel2_m"],
        rot1=known["geometry_rot1_rad"],
        rot2=known["geometry_rot2_rad"],
        rot3=known["geometry_rot3_rad"],
    )
    mask = beam_stop_mask(geometry, known["geometry_beam_stop_radius_m"])
    if known["geometry_detector"]:
        mask |= detector_mask(known["geometry_detector"], geometry.shape)
    if known["geometry_mask_file"]:
        mask |= load_mask(known["geometry_mask_file"], geometry.shape)
    return Integrator(
        geometry,
        mask,
        points=points,
        polarization=known["corrections_polarization"] or None,
        saturation=known["geometry_saturation"] or None,
    )


def _keep(kept: OrderedDict[Any, Any], key: Any, value: Any) -> None:
    kept[key] = value
    while len(kept) > _KEPT:
        kept.popitem(last=False)


def _warned(curve: ScatteringCurve, warning: str) -> ScatteringCurve:
    return replace(curve, warnings=(*curve.warnings, warning))


# -- results as flat records


def _arrays(curve: ScatteringCurve) -> dict[str, np.ndarray]:
    return {"q_inv_nm": curve.q_inv_nm, "intensity": curve.intensity, "intensity_sigma": curve.sigma}


def _of_curve(curve: ScatteringCurve) -> dict[str, Any]:
    return {
        "absolute": curve.absolute,
        "transmission": float(curve.transmission),
        "background_uid": curve.background_uid,
        "warnings": "; ".join(curve.warnings),
    }


def _of_sizes(result: SaxsResult, curve: ScatteringCurve) -> dict[str, Any]:
    low, high = result.mean_radius_interval_nm
    record: dict[str, Any] = {
        "mean_radius_nm": float(result.mean_radius_nm),
        "mean_radius_nm_low": float(low),
        "mean_radius_nm_high": float(high),
        "relative_width": float(result.relative_width),
        "relative_width_sigma": float(result.relative_width_sigma),
        "volume_fraction": float(result.volume_fraction),
        "volume_fraction_sigma": float(result.volume_fraction_sigma),
        "verdict": result.verdict,
        "chi2_reduced": float(result.chi2_reduced),
        "method": result.method,
    }
    for share in result.families:
        record |= {
            f"{share.family}_fraction": float(share.fraction),
            f"{share.family}_fraction_sigma": float(share.fraction_sigma),
        }
    return record | _of_curve(curve) | {"warnings": "; ".join(result.warnings)}


def _of_lamellae(result: LamellaeResult) -> dict[str, Any]:
    return {
        "structure": result.structure,
        "d_spacing_nm": float(result.d_spacing_nm),
        "d_spacing_nm_sigma": float(result.d_spacing_sigma_nm),
        "chi2_reduced": float(result.chi2_reduced),
        "number_of_peaks": len(result.peaks),
    }


def _arrays_of_lamellae(result: LamellaeResult) -> dict[str, np.ndarray]:
    arrays = {
        "q_inv_nm": result.q_inv_nm,
        "intensity": result.intensity,
        "intensity_sigma": result.sigma,
        "fit": result.fit,
        "background": result.background,
    }
    if not result.peaks:
        return arrays
    columns = ("q_inv_nm", "fwhm_inv_nm", "height", "area_inv_nm")
    return arrays | {
        **{f"peak_{name}": np.array([getattr(peak, name) for peak in result.peaks]) for name in columns},
        **{f"peak_{name}_sigma": np.array([peak.sigma[name] for peak in result.peaks]) for name in columns},
        # 0 where a peak is no order of lamellae
        "peak_order": np.array([peak.order or 0 for peak in result.peaks]),
    }
