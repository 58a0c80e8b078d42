"""Absorption of clusters, nanocrystals, precursor and scatter: molar extinctions over wavelength.

Each particle absorbs, over photon energy E = 1239.84/λ (eV, nm),

    ε(E) = ε₁ [B₁(E) + h₂ B₂(E - Δ)] + ε_c n x^1.3,    x = 0.08 ln(1 + e^((E - E₁ - δ)/0.08)) / 1 eV

scaled so that ε(E₁) = ε₁ = 5857 D^2.65 (Yu 2003), n CdSe units in the particle. The continuum is extinction
per CdSe unit, ε_c one eV above its onset; ε_c = 1930 L/mol/cm is C_abs(350 nm) = 5.501e5 a³ cm⁻¹
(Leatherdale et al., J. Phys. Chem. B 2002, 106, 7619) at 0.0562 nm³ a unit.

cluster        B₁ a split Gaussian in E, wider on the blue side; FWHM from the scenario; E₁ fixed
nanocrystal    B₁ a Gaussian, homogeneous width and size dispersion in quadrature; E₁(D) from Yu's curve
second         the same, Δ bluer and wider: the spacing of the first states in small dots (Norris and
               Bawendi, Phys. Rev. B 1996, 53, 16338)
precursor      ε_310 exp(-(λ - 310 nm)/decay) per Cd; scatter: ε_400 (400/λ)^4 per CdSe unit in particles

Limits: ε₁ for clusters is an extrapolation of Yu's fit; widths do not change with temperature (the optical
cell is at 25 °C).
"""

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammainc

from ioc_sim.physics.scenario import Scenario
from ioc_sim.physics.sizing import diameter_nm, extinction_l_mol_cm, first_maximum_nm, sphere_diameter_nm

__all__ = ["Absorption", "population"]

_EV_NM = 1239.84
_ONSET_EV = 0.08
_NC_OFFSET_EV, _CLUSTER_OFFSET_EV = 0.15, 0.35
Array = NDArray[np.float64]


def population(mean_units: Array, sd_units: Array, seed_units: float, grid_units: Array) -> Array:
    """Share of particles on each point of ``grid_units``, one row for each mean and width.

    A gamma distribution that starts at the seed's size (all nanocrystals were born there and grew) with the
    given mean and standard deviation; between grid points the share is split so that number and mass are
    both kept.
    """
    low = np.minimum(seed_units, 0.97 * mean_units)[:, None]
    mean = mean_units[:, None] - low
    sd = np.maximum(sd_units, 1e-3 * mean_units)[:, None]
    shape, scale = (mean / sd) ** 2, sd**2 / mean
    x = np.maximum(grid_units - low, 0.0)
    number = np.diff(gammainc(shape, x / scale), axis=1)
    excess = mean * np.diff(gammainc(shape + 1.0, x / scale), axis=1)
    upper = (excess - (grid_units[:-1] - low) * number) / np.diff(grid_units)
    out = np.zeros((len(mean_units), len(grid_units)))
    out[:, 1:] += upper
    out[:, :-1] += number - upper
    return out


class Absorption:
    """Extinction spectra of a scenario on a wavelength axis.

    Parameters
    ----------
    scenario : Scenario
        Bands and sizes.
    wavelength_nm : ndarray
        Axis.

    Attributes
    ----------
    clusters : dict of ndarray
        Extinction per mole of each cluster, L/mol/cm.
    grid_units, grid_nm : ndarray
        Sizes of nanocrystals, CdSe units and diameter.
    nanocrystals, first_bands : ndarray
        Extinction per mole of nanocrystals, one row for each size; and of that their first exciton alone.
    """

    def __init__(self, scenario: Scenario, wavelength_nm: Array) -> None:
        s, chemistry = scenario.spectra, scenario.chemistry
        self._spectra = s
        self._energy = _EV_NM / wavelength_nm
        self.wavelength_nm = wavelength_nm
        self.peak_nm = {name: band.wavelength_nm for name, band in s.clusters.items()}
        self.clusters = {name: self._cluster(name, chemistry.species[name]) for name in s.clusters}
        self.grid_units = np.geomspace(40.0, 4000.0, 180)
        self.grid_nm = sphere_diameter_nm(self.grid_units, chemistry.unit_volume_nm3)
        dispersion = chemistry.nanocrystals.relative_dispersion
        sizes = zip(self.grid_units, self.grid_nm, strict=True)
        pairs = [self._nanocrystal(units, diameter, dispersion) for units, diameter in sizes]
        self.nanocrystals = np.array([whole for whole, _ in pairs])
        self.first_bands = np.array([first for _, first in pairs])
        self.precursor = s.precursor_310_l_mol_cm * np.exp(-(wavelength_nm - 310.0) / s.precursor_decay_nm)
        self.scatter = s.scatter_400_l_mol_cm * (400.0 / wavelength_nm) ** 4

    def _cluster(self, name: str, units: float) -> Array:
        band = self._spectra.clusters[name]
        centre = _EV_NM / band.wavelength_nm
        fwhm = centre * band.fwhm_nm / band.wavelength_nm
        red = fwhm / np.sqrt(2 * np.log(2)) / (1.0 + self._spectra.blue_to_red_width)
        blue = red * self._spectra.blue_to_red_width
        peak = float(extinction_l_mol_cm(diameter_nm(band.wavelength_nm)))
        return self._particle(centre, red, blue, peak, units, _CLUSTER_OFFSET_EV)[0]

    def _nanocrystal(self, units: float, diameter: float, dispersion: float) -> tuple[Array, Array]:
        centre = _EV_NM / float(first_maximum_nm(diameter))
        ends = _EV_NM / first_maximum_nm(diameter * np.array([1 + dispersion, 1 - dispersion]))
        sigma = float(np.hypot(self._spectra.nc_fwhm_ev / 2.3548, (ends[1] - ends[0]) / 2))
        peak = float(extinction_l_mol_cm(diameter))
        return self._particle(centre, sigma, sigma, peak, units, _NC_OFFSET_EV)

    def _particle(
        self, centre: float, red: float, blue: float, peak: float, units: float, offset: float
    ) -> tuple[Array, Array]:
        """Return the whole extinction and its first band."""
        s, wide = self._spectra, self._spectra.second_width_ratio

        def parts(energy: Array) -> tuple[Array, Array, Array]:
            first = _split_gaussian(energy - centre, red, blue)
            second = _split_gaussian(energy - centre - s.second_shift_ev, wide * red, wide * blue)
            onset = _ONSET_EV * np.logaddexp(0.0, (energy - centre - offset) / _ONSET_EV)
            return first, s.second_height * second, s.continuum_l_mol_cm * units * onset**1.3

        one, two, rest = (float(x[0]) for x in parts(np.array([centre])))
        first, second, continuum = parts(self._energy)
        scale = (peak - rest) / (one + two)
        return scale * (first + second) + continuum, scale * first


def _split_gaussian(offset: Array, red: float, blue: float) -> Array:
    return np.exp(-0.5 * (offset / np.where(offset < 0, red, blue)) ** 2)
