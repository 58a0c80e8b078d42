"""How far a fitted family band is to be believed: the probability that it is there, and σ of its height.

What the fit saves by a family, how the band stands to the absorption below it, and whether its position and width had
to go to their limits are turned into a probability by a logistic function. Its coefficients, and those of σ, were found
by maximum likelihood on 1400 synthetic spectra (`benchmarks/_uvvis_synthetic.py`, seeds 1005 and 1006): skewed
pseudo-Voigt bands, random higher transitions, continua, baselines, drift, grids and noise, a family there in 35 % of
cases. Other seeds of the same family score it (`benchmarks/uvvis.py`). The prior of 35 % is part of the probability.
"""

import math

from scipy.special import expit

from msc_plans.analysis.families import Family

__all__ = ["height_sigma", "place_sigma_nm", "probability"]

_CONSTANT, _GAIN, _GAIN_SQUARED, _STANDING, _WIDE, _AWAY = -2.091, 0.936, 0.076, 1.366, -9.249, -2.888
_SHAPE, _OVERLAP = 0.03, 0.0156
_PLACE_NM, _WIDTH_NM = (0.25, 0.2), (0.8, 1.0)


def probability(
    family: Family, *, gain: float, height: float, rest: float, noise: float, wavelength_nm: float, fwhm_nm: float
) -> float:
    """Probability that the family is there.

    Parameters
    ----------
    family : Family
        Its tolerance and widths.
    gain : float
        χ² saved by the family, over χ² per degree of freedom.
    height, rest : float
        Absorbance of the band, and of everything below it but the baseline, at its maximum.
    noise : float
        Standard deviation of a bin there, absorbance.
    wavelength_nm, fwhm_nm : float
        The band's maximum and width.
    """
    evidence = math.log1p(max(gain, 0.0))
    standing = math.log10(height / (max(rest, 0.0) + 3.0 * noise) + 0.01)
    narrow, wide = family.fwhm_nm
    width = (fwhm_nm - narrow) / (wide - narrow)
    away = min(1.0, abs(wavelength_nm - family.wavelength_nm) / family.tolerance_nm)
    return float(
        expit(
            _CONSTANT
            + _GAIN * evidence
            + _GAIN_SQUARED * evidence**2
            + _STANDING * standing
            + _WIDE * max(width - 0.6, 0.0)
            + _AWAY * away**2
        )
    )


def height_sigma(*, from_noise: float, height: float, rest: float, probability: float) -> float:
    """σ of a band's height: noise, shape, what overlaps it, and doubt that it is there at all."""
    variance = from_noise**2 + (_SHAPE * height) ** 2
    variance += _OVERLAP * height * max(rest, 0.0) + (1.0 - probability) * height**2
    return math.sqrt(variance)


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
