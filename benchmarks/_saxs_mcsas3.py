"""McSAS3 on a curve: the peer of the Monte Carlo method."""

import contextlib
import io
import os
import tempfile
import time
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

os.environ["SAS_OPENCL"] = "none"


@dataclass(frozen=True)
class Peer:
    """Sets of radii that McSAS3 ended with."""

    radius_nm: np.ndarray
    """Shape (repetitions, contributions)."""
    chi2_reduced: np.ndarray
    steps: np.ndarray
    seconds: float


def mcsas3(
    q_inv_nm: np.ndarray,
    intensity: np.ndarray,
    sigma: np.ndarray,
    *,
    radius_limits_nm: tuple[float, float] | None,
    contributions: int,
    repetitions: int,
    most_steps: int = 100_000,
    cores: int = 2,
) -> Peer:
    """Run McSAS3 1.0.6 with its own sphere; no limits means its default, π/q_max to π/q_min."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pandas
        from mcsas3.mc_data_1d import McData1D  # pyright: ignore[reportMissingImports]
        from mcsas3.mc_hat import McHat  # pyright: ignore[reportMissingImports]

        frame = pandas.DataFrame({"Q": q_inv_nm, "I": intensity, "ISigma": sigma})
        unbinned: dict[str, Any] = {"nbins": 0}
        measured: Any = McData1D(df=frame, **unbinned).measData
        settings: dict[str, Any] = {
            "modelName": "mcsas_sphere",
            "modelDType": "default",
            "nContrib": contributions,
            "fitParameterLimits": {"radius": "auto" if radius_limits_nm is None else list(radius_limits_nm)},
            "staticParameters": {"sld": 33.5, "sld_solvent": 0.0},
            "maxIter": most_steps,
            "convCrit": 1,
            "nRep": repetitions,
            "nCores": min(cores, repetitions),
            # Without this every process repeats the same random numbers.
            "seed": None,
        }
        hat = McHat(**settings)
        with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
            target = Path(folder) / "mcsas3.h5"
            began = time.perf_counter()
            hat.run(measured, target)
            seconds = time.perf_counter() - began
            with h5py.File(target) as file:
                root: Any = file["analyses/MCResult1"]
                radii, chi2, steps = [], [], []
                for r in range(repetitions):
                    radii.append(np.array(root[f"model/repetition{r}/parameterSet/data"], dtype=float).ravel())
                    chi2.append(float(np.array(root[f"optimization/repetition{r}/gof"])))
                    steps.append(int(np.array(root[f"optimization/repetition{r}/step"])))
    return Peer(np.array(radii), np.array(chi2), np.array(steps), seconds)
