"""Size-selected fractions of a product: what the sample loop holds.

share(D) = yield × exp(-½ ((D - D_f)/w_f)²): of every particle's amount, by its diameter D; D_f and w_f of the fraction

Clusters have the diameter that Yu's curve gives their absorption maximum (:mod:`~ioc_sim.physics.sizing`),
nanocrystals that of the composition's grid. Precipitation and washing leave precursor, monomer and everything
dissolved behind; the fraction without a diameter (the initial sample) keeps them. Units: nm, mol/L.

Limits: a bell instead of two precipitation steps' flanks; the particles do not change on the way; fractions are
made up to the volume they were taken from.

Source: Palencia 2020, Fig. 4: an initial sample and five fractions of the product of 350 °C and 4.5 s.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ioc_sim.physics.composition import Composition
from ioc_sim.physics.sizing import diameter_nm

if TYPE_CHECKING:
    from ioc_sim.physics.scenario import Fraction, Spectra

__all__ = ["check_shares", "cluster_diameters_nm", "share", "split"]

Array = NDArray[np.float64]


def cluster_diameters_nm(spectra: "Spectra") -> dict[str, float]:
    """Diameter of each cluster family by Yu's curve."""
    return {name: float(diameter_nm(band.wavelength_nm)) for name, band in spectra.clusters.items()}


def share(fraction: "Fraction", particle_nm: ArrayLike) -> Array:
    """Share of the particles of diameter ``particle_nm`` that is in the fraction, same shape, 0 to 1."""
    size = np.asarray(particle_nm, float)
    if fraction.diameter_nm is None:
        return np.full(size.shape, fraction.yield_share)
    return fraction.yield_share * np.exp(-0.5 * ((size - fraction.diameter_nm) / fraction.width_nm) ** 2)


def split(composition: Composition, fraction: "Fraction", cluster_nm: Mapping[str, float]) -> Composition:
    """Composition of a fraction.

    Parameters
    ----------
    composition : Composition
        The product it is taken from.
    fraction : Fraction
        Which.
    cluster_nm : mapping
        Diameter of each cluster, nm; species that are not in it are dissolved.
    """
    dissolved = fraction.yield_share if fraction.diameter_nm is None else 0.0
    species = {
        name: amount * (float(share(fraction, cluster_nm[name])) if name in cluster_nm else dissolved)
        for name, amount in composition.species.items()
    }
    return replace(
        composition,
        species=species,
        sizes=composition.sizes * share(fraction, composition.grid_nm),
        cd_excess=composition.cd_excess * dissolved,
        se_excess=composition.se_excess * dissolved,
    )


def check_shares(fractions: Mapping[Any, "Fraction"]) -> None:
    """Refuse fractions that hold more of a size than there was; those without a diameter are not counted.

    Raises
    ------
    ValueError
        Names the diameter, the sum of shares there and the fractions that make it.
    """
    sized = {name: f for name, f in fractions.items() if f.diameter_nm is not None}
    if not sized:
        return
    # the sum is largest close to a centre or between two
    centres = np.array([f.diameter_nm for f in sized.values()])
    reach, step = max(f.width_nm for f in sized.values()), min(f.width_nm for f in sized.values()) / 20.0
    sizes = np.arange(centres.min() - reach, centres.max() + reach, step)
    shares = {name: share(f, sizes) for name, f in sized.items()}
    total = np.sum(list(shares.values()), axis=0)
    worst = int(np.argmax(total))
    if total[worst] > 1.0 + 1e-9:
        guilty = ", ".join(name for name, s in shares.items() if s[worst] > 0.01)
        raise ValueError(f"fractions {guilty} together hold {total[worst]:.2f} of what is {sizes[worst]:.2f} nm wide")
