"""Outcome records that the model itself would give: for what-if planning and for tests of the algebra.

Inference that recovers such a world shows that its equations are solved right, and nothing of the chemistry.
"""

import numpy as np
from numpy.typing import NDArray

from msc_plans.condition import Condition
from msc_plans.kinetics.mechanism import Mechanism
from msc_plans.kinetics.observation import RATIO_FLOOR, Observables, heights_of
from msc_plans.kinetics.solver import FlowModel, solve

__all__ = ["outcome_record"]


def outcome_record(
    mechanism: Mechanism,
    parameters: NDArray[np.float64],
    condition: Condition,
    rng: np.random.Generator,
    *,
    reactor: FlowModel | None = None,
    observables: Observables | None = None,
    relative_noise: float = 0.1,
    noise: float = 0.002,
    full_conversion_height: float = 2.0,
) -> dict[str, float]:
    """Return the flat outcome record of one condition in a world with these parameters.

    Parameters
    ----------
    mechanism : Mechanism
        The mechanism.
    parameters : array
        Rate parameters and the two ln gains, as one row of ``Posterior.parameters``.
    condition : Condition
        Where.
    rng : numpy.random.Generator
        Source of the noise.
    reactor : FlowModel, optional
        Feed and volumes.
    observables : Observables, optional
        What is seen. Default: of the built-in families.
    relative_noise : float
        Log-normal noise of each height.
    noise : float
        Noise of the absorbance; a band is found from five times this on.
    full_conversion_height : float
        Absorbance.
    """
    reactor, observables = reactor or FlowModel(), observables or Observables()
    families = observables.families
    rates, gains = parameters[None, : len(mechanism)], parameters[None, len(mechanism) :]
    concentrations = solve(mechanism, rates, [condition], reactor, rtol=1e-5)
    quantities = observables.predict(mechanism, concentrations, gains, reactor.cadmium_millimolar)
    *shares, crystals = heights_of(quantities)[0, 0]
    maximum, width = (quantities[0, 0, observables.index(name)] for name in ("NC maximum", "NC width"))

    def measured(height: float) -> float:
        factor = np.exp(relative_noise * rng.standard_normal())
        return max(0.0, float(height * full_conversion_height * factor + noise * rng.standard_normal()))

    heights = {family: measured(height) for family, height in zip(families.names, shares, strict=True)}
    crystal = measured(crystals)
    seen = crystal > 5 * noise
    floor = RATIO_FLOOR * full_conversion_height
    record = {
        "nc_wavelength_nm": float(maximum + rng.standard_normal()) if seen else np.nan,
        "nc_wavelength_nm_sigma": 1.0 if seen else np.nan,
        "nc_fwhm_nm": float(np.exp(width)) if seen else np.nan,
        "nc_height": crystal,
        "nc_height_sigma": noise + 0.02 * crystal,
        "full_conversion_height": full_conversion_height,
        "noise": noise,
    }
    for family, height in heights.items():
        rest = crystal + floor + heights.get(families[family].denominator, 0.0)
        sigma = noise + 0.02 * height
        record |= {
            f"{family}_height": height,
            f"{family}_height_sigma": sigma,
            f"{family}_probability": 1.0 if height > 5 * noise else 0.0,
            f"{family}_ratio": height / rest,
            f"{family}_ratio_sigma": sigma / rest,
        }
    return record
