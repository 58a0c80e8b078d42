"""Raw runs as documents, with frames and spectra made here from known curves by the textbook's formulas."""

import event_model
import h5py
import numpy as np

CONDITION = {"nucleation_temperature": 280.0, "growth_temperature": 280.0, "residence_time": 14.0}
SHAPE = (240, 200)
PIXEL_M, DISTANCE_M, ENERGY_KEV = 172e-6, 0.35, 12.0
PONI_M = (20.0 * PIXEL_M, 98.0 * PIXEL_M)
FACTOR, THICKNESS_CM = 1.2e-6, 0.15
I0, TRANSMISSION = 1e6, 0.85
WAVELENGTH_NM = np.linspace(300.0, 800.0, 1001)
DARK, REFERENCE = 1000.0, 150000.0
CONFIGURATION = {
    "energy_kev": ENERGY_KEV, "camera_exposure_s": 1.0,
    "geometry_distance_m": DISTANCE_M, "geometry_poni1_m": PONI_M[0], "geometry_poni2_m": PONI_M[1],
    "geometry_rot1_rad": 0.0, "geometry_rot2_rad": 0.0, "geometry_rot3_rad": 0.0,
    "geometry_pixel1_m": PIXEL_M, "geometry_pixel2_m": PIXEL_M, "geometry_detector": "",
    "geometry_beam_stop_radius_m": 1e-3, "geometry_mask_file": "", "geometry_saturation": 0.0,
    "corrections_thickness_cm": THICKNESS_CM, "corrections_calibration_factor": FACTOR,
    "corrections_empty_beam_ratio": 1.0, "corrections_transmission": 0.0, "corrections_polarization": 0.0,
}  # fmt: skip


def solvent(q):
    return 0.01 + 2e-4 * q**-3.0


def spheres(q, radius_nm=1.6, relative_width=0.1, scale=0.6):
    """Spheres whose volume fraction is normal in radius, scale cm⁻¹ at q = 0."""
    radii = np.linspace(radius_nm * (1 - 4 * relative_width), radius_nm * (1 + 4 * relative_width), 81)
    weight = np.exp(-0.5 * ((radii / radius_nm - 1) / relative_width) ** 2) * radii**3
    x = q[..., None] * radii
    amplitude = 3 * (np.sin(x) - x * np.cos(x)) / x**3
    return scale * (amplitude**2 @ weight) / weight.sum()


def frame_of(intensity, seed, i0=I0):
    """A frame by the textbook's formulas; see test_saxs_integrate."""
    row_m = (np.arange(SHAPE[0]) + 0.5) * PIXEL_M - PONI_M[0]
    column_m = (np.arange(SHAPE[1]) + 0.5) * PIXEL_M - PONI_M[1]
    two_theta = np.arctan(np.hypot(row_m[:, None], column_m[None, :]) / DISTANCE_M)
    weight = (PIXEL_M / DISTANCE_M) ** 2 * np.cos(two_theta) ** 3
    q = 4 * np.pi * ENERGY_KEV / 1.239841984 * np.sin(two_theta / 2)
    mean = i0 / FACTOR * TRANSMISSION * THICKNESS_CM * intensity(q) * weight
    return np.random.default_rng(seed).poisson(mean).astype(np.int32)


class Station:
    """Sends documents of runs as the detector does: a file, a resource and a datum an exposure."""

    def __init__(self, send, folder):
        self.send, self.folder, self.files = send, folder, 0

    def run(self, frames, *, spectrum=None, kind="datum", exit_status="success", write=True, time=None, **metadata):
        run = event_model.compose_run(metadata={"purpose": "campaign", **metadata}, time=time)
        self.send("start", run.start_doc)
        if spectrum is not None:
            self._dark_and_reference(run)
        external = "STREAM:" if kind == "stream" else "FILESTORE:"
        keys = {
            "saxs_image": {"source": "x", "dtype": "array", "shape": [1, *SHAPE], "external": external},
            "saxs_i0": {"source": "x", "dtype": "number", "shape": []},
            "saxs_i1": {"source": "x", "dtype": "number", "shape": []},
        }
        if spectrum is not None:
            keys["spec_counts"] = {"source": "x", "dtype": "array", "shape": list(WAVELENGTH_NM.shape)}
        data = {f"saxs_{key}": value for key, value in CONFIGURATION.items()}
        configuration = {"saxs": {"data": data, "timestamps": dict.fromkeys(data, 0.0), "data_keys": {}}}
        stream = run.compose_descriptor(name="primary", data_keys=keys, configuration=configuration)
        self.send("descriptor", stream.descriptor_doc)
        for frame in frames:
            path = self.folder / f"{self.files}.h5"
            self.files += 1
            if write:
                with h5py.File(path, "w") as file:
                    file["/entry/data/data"] = frame[None]
            values = {"saxs_i0": I0, "saxs_i1": TRANSMISSION * I0}
            if spectrum is not None:
                noise = np.random.default_rng(self.files).normal(0, 100, WAVELENGTH_NM.size)
                values["spec_counts"] = (DARK + (REFERENCE - DARK) * 10**-spectrum + noise).tolist()
            if kind == "stream":
                resource = run.compose_stream_resource(
                    mimetype="application/x-hdf5", uri=path.as_uri(), data_key="saxs_image",
                    parameters={"dataset": "entry/data/data"},
                )  # fmt: skip
                self.send("stream_resource", resource.stream_resource_doc)
                indices = {"start": 0, "stop": 1}
                self.send("stream_datum", resource.compose_stream_datum(indices, indices, stream.descriptor_doc))
            else:
                resource = run.compose_resource(
                    spec="AD_HDF5", root=str(self.folder), resource_path=path.name,
                    resource_kwargs={"frame_per_point": 1}, path_semantics="posix",
                )  # fmt: skip
                self.send("resource", resource.resource_doc)
                datum = resource.compose_datum({"point_number": 0})
                self.send("datum", datum)
                values["saxs_image"] = datum["datum_id"]
            filled = {"saxs_image": False} if kind == "datum" else {}
            self.send("event", stream.compose_event(data=values, timestamps=dict.fromkeys(values, 0.0), filled=filled))
        self.send("stop", run.compose_stop(exit_status=exit_status))
        return run.start_doc["uid"]

    def _dark_and_reference(self, run):
        ones = np.ones_like(WAVELENGTH_NM)
        columns = {"dark": DARK * ones, "reference": REFERENCE * ones, "wavelength_nm": WAVELENGTH_NM}
        data = {f"spec_calibration_{key}": values.tolist() for key, values in columns.items()}
        keys = {key: {"source": "x", "dtype": "array", "shape": [len(values)]} for key, values in data.items()}
        stream = run.compose_descriptor(name="dark_reference", data_keys=keys)
        self.send("descriptor", stream.descriptor_doc)
        self.send("event", stream.compose_event(data=data, timestamps=dict.fromkeys(data, 0.0)))

    def background(self, **metadata):
        return self.run([frame_of(solvent, seed) for seed in (100, 101, 102)], **{"purpose": "background", **metadata})


def dispersion(q):
    return spheres(q) + solvent(q)


def analyses(published, name):
    """Start document and data of the analysis runs of a name."""
    starts = {d["uid"]: d for n, d in published if n == "start" and d["analysis"] == name}
    streams = {d["uid"]: d["run_start"] for n, d in published if n == "descriptor"}
    data = {streams[d["descriptor"]]: d["data"] for n, d in published if n == "event"}
    return [(start, data.get(uid, {})) for uid, start in starts.items()]
