"""Find the weights of the probability that a family is there: ``python benchmarks/_uvvis_train.py [SPECTRA]``.

Writes `msc_plans/analysis/uvvis_belief.json`. To be run again when the fit (`uvvis_model.py`, `uvvis_fit.py`) or the
evidence (`uvvis_belief.py`) changes; 6000 spectra take about two minutes on one core.
"""

import json
import sys
from pathlib import Path

import numpy as np
from _uvvis_synthetic import any_breadth, draw
from scipy.optimize import minimize
from scipy.special import expit

import msc_plans.analysis
from msc_plans.analysis.uvvis import judge_spectrum

SEED, HIDDEN, RIDGE, NETWORKS = 1005, 10, 0.5, 4


def gather(spectra: int) -> tuple[np.ndarray, np.ndarray]:
    """Evidence, shape (cases, 8), and whether the family is there, shape (cases,)."""
    rng = np.random.default_rng(SEED)
    rows, there = [], []
    for _ in range(spectra):
        spectrum = draw(rng, blank=bool(rng.random() < 0.1), breadth=any_breadth(rng))
        for name, row in judge_spectrum(spectrum.wavelength_nm, spectrum.absorbance).items():
            rows.append(row)
            there.append(name in spectrum.families)
    return np.array(rows), np.array(there, dtype=float)


def train(z: np.ndarray, there: np.ndarray, seed: int) -> dict[str, np.ndarray]:
    """Weights of one network by maximum likelihood with a ridge."""
    inputs = z.shape[1]
    ends = np.cumsum([inputs * HIDDEN, HIDDEN, HIDDEN, inputs])

    def parts(w: np.ndarray) -> list[np.ndarray]:
        inner, bias, outer, straight, constant = np.split(w, ends)
        return [inner.reshape(inputs, HIDDEN), bias, outer, straight, constant]

    def loss(w: np.ndarray) -> tuple[float, np.ndarray]:
        inner, bias, outer, straight, constant = parts(w)
        hidden = np.tanh(z @ inner + bias)
        logit = hidden @ outer + z @ straight + constant
        error = expit(logit) - there
        back = np.outer(error, outer) * (1.0 - hidden**2)
        gradient = [(z.T @ back).ravel(), back.sum(0), hidden.T @ error, z.T @ error, [error.sum()]]
        ridge = np.append(w[:-1], 0.0)
        value = np.sum(np.logaddexp(0.0, logit) - there * logit) + RIDGE * ridge @ ridge
        return float(value), np.concatenate(gradient) + 2.0 * RIDGE * ridge

    start = np.random.default_rng(seed).normal(scale=0.3, size=ends[-1] + 1)
    found = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": 1000}).x
    return dict(zip("Wbvlc", [*parts(found)[:4], found[-1]], strict=True))


def main() -> int:
    """Gather, train, write."""
    evidence, there = gather(int(sys.argv[1]) if len(sys.argv) > 1 else 6000)
    print(f"{len(there)} cases, {there.mean():.3f} of them there")
    mean, deviation = evidence.mean(0), evidence.std(0)
    networks = [train((evidence - mean) / deviation, there, seed) for seed in range(NETWORKS)]
    table = {"mean": mean, "deviation": deviation} | {k: np.array([n[k] for n in networks]) for k in "Wbvlc"}
    where = Path(msc_plans.analysis.__path__[0]) / "uvvis_belief.json"
    rounded = {key: np.round(value, 5).tolist() for key, value in table.items()}
    where.write_text(json.dumps(rounded) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
