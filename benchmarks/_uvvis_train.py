"""Find by what a family is believed and its height's σ: ``python benchmarks/_uvvis_train.py [SPECTRA]``.

Writes `msc_plans/analysis/uvvis/belief.json`: the weights of the probability that a family is there, and those of
the terms of its height's variance, by maximum likelihood on the heights of the families that are there (Student's t of
6 degrees of freedom: a few bands in a hundred are taken for something else altogether). To be run again when the fit
(`uvvis_model.py`, `uvvis_fit.py`) or the evidence (`uvvis_belief.py`) changes; 6000 spectra take a few minutes on one
core.
"""

import json
import sys
from pathlib import Path

import numpy as np
from _uvvis_synthetic import any_breadth, draw
from scipy.optimize import minimize
from scipy.special import expit

import msc_plans.analysis
from msc_plans.analysis.uvvis.belief import height_terms
from msc_plans.analysis.uvvis.judge import Standing, judge_spectrum

SEED, HIDDEN, RIDGE, NETWORKS = 1005, 10, 0.5, 4
FREEDOM = 6.0


def gather(spectra: int) -> tuple[list[Standing], np.ndarray]:
    """How each family stands, and its true height, shape (cases,); 0 where it isn't there."""
    rng = np.random.default_rng(SEED)
    rows, heights = [], []
    for _ in range(spectra):
        spectrum = draw(rng, blank=bool(rng.random() < 0.1), breadth=any_breadth(rng))
        for name, row in judge_spectrum(spectrum.wavelength_nm, spectrum.absorbance).items():
            rows.append(row)
            heights.append(spectrum.families[name][2] if name in spectrum.families else 0.0)
    return rows, np.array(heights)


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


def believed(networks: list[dict[str, np.ndarray]], z: np.ndarray) -> np.ndarray:
    """Probability by the mean of the networks, shape (cases,)."""
    logits = [np.tanh(z @ n["W"] + n["b"]) @ n["v"] + z @ n["l"] + n["c"] for n in networks]
    return expit(np.mean(logits, axis=0))


def height_weights(cases: list[Standing], heights: np.ndarray, probability: np.ndarray) -> np.ndarray:
    """Weights of `height_terms`, shape (4,), by the likelihood of the true heights of families that are there."""
    there = np.flatnonzero(heights > 0)
    terms = np.array(
        [
            height_terms(height=c.height, rest=c.rest, bend=c.bend, neighbours=c.neighbours, probability=p)
            for c, p, height in zip(cases, probability, heights, strict=True)
            if height > 0
        ]
    )
    measured, noise = (np.array([getattr(cases[k], name) for k in there]) for name in ("height", "from_noise"))
    fixed = noise**2 + (1.0 - probability[there]) * measured**2
    squared = (heights[there] - measured) ** 2 * FREEDOM / (FREEDOM - 2.0)

    def loss(logarithms: np.ndarray) -> float:
        variance = fixed + terms @ np.exp(logarithms)
        return float(np.mean(0.5 * np.log(variance) + 0.5 * (FREEDOM + 1) * np.log1p(squared / variance / FREEDOM)))

    return np.exp(minimize(loss, np.full(4, -3.0), method="L-BFGS-B", bounds=[(-9.0, 2.0)] * 4).x)


def main() -> int:
    """Gather, train, write."""
    cases, heights = gather(int(sys.argv[1]) if len(sys.argv) > 1 else 6000)
    evidence, there = np.array([case.evidence for case in cases]), (heights > 0).astype(float)
    print(f"{len(there)} cases, {there.mean():.3f} of them there")
    mean, deviation = evidence.mean(0), evidence.std(0)
    z = (evidence - mean) / deviation
    networks = [train(z, there, seed) for seed in range(NETWORKS)]
    weights = height_weights(cases, heights, believed(networks, z))
    print(f"weights of the height's variance {weights}")
    table = {"mean": mean, "deviation": deviation} | {k: np.array([n[k] for n in networks]) for k in "Wbvlc"}
    table["height"] = weights
    where = Path(msc_plans.analysis.__path__[0]) / "belief.json"
    rounded = {key: np.round(value, 5).tolist() for key, value in table.items()}
    where.write_text(json.dumps(rounded) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
