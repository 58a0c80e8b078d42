"""What UV-vis and SAXS of one condition say together."""

from dataclasses import dataclass, field
from typing import Final

import numpy as np

__all__ = ["NANOCRYSTALS", "JointResult", "SpeciesAmount"]

NANOCRYSTALS: Final = "NC"
"""Name of the nanocrystals among the species."""


@dataclass(frozen=True)
class SpeciesAmount:
    """How much there is of one species.

    The amounts are most probable values, 0 where nothing is there; σ is the root mean square distance from them, so
    where an amount is 0 the upper end of the interval is the limit.
    """

    name: str
    """Name of the family, or `NANOCRYSTALS`."""
    radius_nm: float
    """Mean, by volume, that amounts are converted with; NaN for nanocrystals that neither signal shows."""
    volume_fraction: float
    volume_fraction_sigma: float
    volume_fraction_interval: tuple[float, float]
    """95 %."""
    concentration_mol_l: float
    """Concentration of particles: ``φ / (V N_A)``."""
    concentration_mol_l_sigma: float
    units_mol_l: float
    """Concentration of formula units, by the volume of one; NaN where the table doesn't give it."""
    units_mol_l_sigma: float
    fraction: float
    """Share of the particles' volume; NaN where there are none."""
    fraction_sigma: float
    uvvis_volume_fraction: float
    """By UV-vis alone; NaN where the spectrum doesn't reach."""
    uvvis_volume_fraction_sigma: float
    """That of the extinction is in it."""


@dataclass(frozen=True)
class JointResult:
    """Amounts that both signals agree on best, and whether they do."""

    species: tuple[SpeciesAmount, ...]
    """Families by the table's order, then the nanocrystals."""
    covariance: np.ndarray = field(repr=False)
    """Covariance of the volume fractions, shape (species, species)."""
    volume_fraction: float
    """Volume fraction of all particles."""
    volume_fraction_sigma: float
    nc_radius_sigma_nm: float
    agree: bool
    p_value: float
    """Probability of a difference between the signals as large as this, where they see the same sample."""
    chi2: float
    degrees_of_freedom: float
    """Of the difference: one for each species that is there, a quarter for one that isn't (amounts at 0 on either side
    mostly don't differ), one for the nanocrystals' radius."""
    disagreement: tuple[str, ...]
    """What is different, in words; empty where they agree."""
    absolute: bool
    """Whether the curve was; else its scale was free and the amounts are those of UV-vis."""
    extinction_factor: float
    """By which all extinctions would be multiplied, at best fit; the joint fit's share of a difference in amount."""
    saxs_factor: float
    """The same for the scattering."""
    warnings: tuple[str, ...] = ()

    def of(self, name: str) -> SpeciesAmount:
        """The amount of this species.

        Raises
        ------
        ValueError
            There is none of this name.
        """
        for species in self.species:
            if species.name == name:
                return species
        raise ValueError(f"no species {name!r} in this result; it has {[species.name for species in self.species]}")
