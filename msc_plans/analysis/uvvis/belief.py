"""How far a fitted family band is to be believed: the probability that it is there, and σ of its height.

Eight numbers say how the band stands: what the fit saves by it, what it would save if nothing else could take its
place, how it compares with the absorption below it and with the families to its red (whose higher transitions fall
here), its width, its distance from the table's wavelength, its height over its own σ, and how well the whole spectrum
is described. A logistic function of them with one small hidden layer, the mean of a few trained alike, gives the
probability. Its weights (`belief.json`) were found by maximum likelihood on synthetic spectra of any breadth
(`benchmarks/_uvvis_train.py`): lopsided pseudo-Voigt bands, random higher transitions, continua, baselines, drift,
grids and noise; other seeds score it (`benchmarks/uvvis.py`). How often a family is there in them, 35 %, is the prior
in the probability.
"""

import json
import math
from functools import cache
from importlib.resources import files

import numpy as np

from msc_plans.families import Family

__all__ = ["FEATURES", "evidence", "height_sigma", "height_terms", "place_sigma_nm", "probability"]

FEATURES = ("gain", "own share", "standing", "wide", "away", "redder", "height over sigma", "misfit")
"""What `evidence` returns, in order."""

_PLACE_NM, _WIDTH_NM = (0.25, 0.2), (0.8, 1.0)


def evidence(
    family: Family,
    *,
    gain: float,
    height: float,
    height_sigma: float,
    rest: float,
    redder: float,
    noise: float,
    misfit: float,
    wavelength_nm: float,
    fwhm_nm: float,
) -> np.ndarray:
    """Eight numbers by which a band is judged, shape (8,).

    Parameters
    ----------
    family : Family
        Its tolerance and widths.
    gain : float
        χ² saved by the family, over χ² per degree of freedom.
    height, height_sigma : float
        Absorbance of the band and its σ from noise and covariance.
    rest, redder : float
        Absorbance of everything below the band but the baseline, and summed height of the families to its red.
    noise : float
        Standard deviation of a bin there, absorbance.
    misfit : float
        χ² per degree of freedom of the whole fit, at least 1.
    wavelength_nm, fwhm_nm : float
        The band's maximum and width.
    """

    def level(value: float) -> float:
        return math.log10(max(value, 0.0) + 3.0 * noise)

    narrow, wide = family.fwhm_nm
    saved = min(math.log1p(max(gain, 0.0)), 12.0)
    return np.array(
        [
            saved,
            saved - math.log1p((height / noise) ** 2),
            min(max(level(height) - level(rest), -2.0), 2.0),
            max((fwhm_nm - narrow) / (wide - narrow) - 0.5, 0.0),
            min(1.0, abs(wavelength_nm - family.wavelength_nm) / family.tolerance_nm) ** 2,
            min(max(level(redder) - level(height), -2.0), 2.0),
            min(math.log10((height + height_sigma) / (height_sigma + 1e-12)), 2.5),
            math.log(misfit),
        ]
    )


@cache
def _table() -> dict[str, np.ndarray]:
    """Mean and deviation of the evidence, of each network W, b, v, l, c, stacked, and what `height_terms` weigh."""
    table = json.loads((files("msc_plans.analysis.uvvis") / "belief.json").read_text(encoding="utf-8"))
    return {key: np.array(value) for key, value in table.items()}


def probability(evidence: np.ndarray) -> float:
    """Probability that a family is there, from what :func:`evidence` returns."""
    table = _table()
    z = (evidence - table["mean"]) / table["deviation"]
    hidden = np.tanh(z @ table["W"] + table["b"])
    logits = np.sum(table["v"] * hidden, axis=1) + table["l"] @ z + table["c"]
    return float(1.0 / (1.0 + np.exp(-logits.mean())))


def height_terms(*, height: float, rest: float, bend: float, neighbours: float, probability: float) -> np.ndarray:
    """What may have been taken for, or from, a band, shape (4,), absorbance².

    The variance of its height is a weighted sum of these: its own shape, what overlaps it, and for a band that is there
    the bend of what lies below and its neighbours' tails. The weights are in `belief.json`.
    """
    return np.array(
        [height**2, height * max(rest, 0.0), probability * bend**2, probability * neighbours**2], dtype=float
    )


def height_sigma(
    *, from_noise: float, height: float, rest: float, bend: float, neighbours: float, probability: float
) -> float:
    """σ of a band's height: noise, shape, what overlaps it, and doubt that it is there at all.

    Parameters
    ----------
    from_noise : float
        From the fit's covariance, absorbance.
    height, rest : float
        Absorbance of the band and of all below it but the baseline.
    bend : float
        Second difference of what lies below over the band's FWHM, absorbance: what might pass for a band.
    neighbours : float
        Height of the other families at the band's place at one and a half times their width, absorbance.
    probability : float
        That the family is there.
    """
    terms = height_terms(height=height, rest=rest, bend=bend, neighbours=neighbours, probability=probability)
    return math.sqrt(from_noise**2 + float(_table()["height"] @ terms) + (1.0 - probability) * height**2)


def place_sigma_nm(
    family: Family, *, from_noise: tuple[float, float], height: float, rest: float
) -> tuple[float, float]:
    """σ of a band's maximum and of its FWHM, nm: noise, and what overlaps it; at most what the family allows."""
    narrow, wide = family.fwhm_nm
    limits = (family.tolerance_nm, 0.5 * (wide - narrow))
    if height <= 0:
        return limits
    overlap = math.sqrt(max(rest, 0.0) / height)
    place, width = (
        min(limit, math.hypot(noise, own + share * overlap))
        for limit, noise, (own, share) in zip(limits, from_noise, (_PLACE_NM, _WIDTH_NM), strict=True)
    )
    return place, width
