"""Size-selected fractions of a product: what the sample loop holds.

share(D) = yield × exp(-½ ((D - D_f)/w_f)²): of every particle's amount, by its diameter D; D_f and w_f of the fraction

Clusters have the diameter that the sizing curve gives their absorption maximum (:mod:`~ioc_sim.physics.sizing`),
nanocrystals that of the composition's grid. Precipitation and washing leave precursor, monomer and everything
dissolved behind; the fraction without a diameter (the initial sample) keeps them. Units: nm, mol/L.

Limits: a bell instead of two precipitation steps' flanks; the particles do not change on the way; fractions are
made up to the volume they were taken from.

Source: Palencia 2020, Fig. 4: an initial sample and five fractions of the product of 350 °C and 4.5 s.
"""

from collections.abc import Mapping
from dataclasses import replace

from ioc_sim.physics.composition import Composition
from ioc_sim.physics.scenario import Fraction, Scenario
from ioc_sim.physics.shares import share

__all__ = ["cluster_diameters_nm", "split"]


def cluster_diameters_nm(scenario: Scenario) -> dict[str, float]:
    """Return the diameter of each cluster family by the material's sizing curve."""
    sizing = scenario.sizing
    return {name: float(sizing.diameter_nm(band.wavelength_nm)) for name, band in scenario.spectra.clusters.items()}


def split(composition: Composition, fraction: Fraction, cluster_nm: Mapping[str, float]) -> Composition:
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
