"""What is in a measuring cell: the common language of chemistry and signals."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Composition"]


@dataclass(frozen=True)
class Composition:
    """Amounts in a cell.

    Attributes
    ----------
    species : dict of float
        Mol/L of every species of the network, precursor ``P`` (as Cd-Se pairs) and monomer ``M`` included.
    units : dict of float
        CdSe units in each of those.
    sizes : ndarray
        Mol/L of nanocrystals at each of :attr:`grid_units`.
    grid_units, grid_nm : ndarray
        CdSe units and diameter, nm, of those sizes.
    cd_excess, se_excess : float
        Mol/L of each precursor that finds no partner.
    """

    species: dict[str, float]
    units: dict[str, float]
    sizes: NDArray[np.float64]
    grid_units: NDArray[np.float64]
    grid_nm: NDArray[np.float64]
    cd_excess: float
    se_excess: float

    @property
    def cd_precursor(self) -> float:
        """Unreacted Cd precursor, mol/L."""
        return self.species["P"] + self.cd_excess

    @property
    def paired(self) -> float:
        """Cd and Se each in species and nanocrystals, mol/L of CdSe units."""
        clusters = sum(self.units[name] * amount for name, amount in self.species.items())
        return clusters + float(self.sizes @ self.grid_units)

    @property
    def cd(self) -> float:
        """All Cd, mol/L."""
        return self.paired + self.cd_excess

    @property
    def se(self) -> float:
        """All Se, mol/L."""
        return self.paired + self.se_excess
