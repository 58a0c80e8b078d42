"""Absorption of clusters, nanocrystals, precursor and scatter: molar extinctions over wavelength.

Each particle absorbs, over photon energy E = 1239.84/λ (eV, nm),

    ε(E) = ε₁ [B₁(E) + h₂ B₂(E - Δ)] + ε_c n x^1.3,    x = 0.08 ln(1 + e^((E - E₁ - δ)/0.08)) / 1 eV

scaled so that ε(E₁) = ε₁ by the scenario's extinction (CdSe: 5857 D^2.65, Yu 2003), n formula units in the
particle. The continuum is extinction per formula unit, ε_c one eV above its onset; ε_c = 1930 L/mol/cm is CdSe's
C_abs(350 nm) = 5.501e5 a³ cm⁻¹ (Leatherdale et al., J. Phys. Chem. B 2002, 106, 7619) at 0.0562 nm³ a unit.

cluster        B₁ a split Gaussian in E, wider on the blue side; FWHM from the scenario; E₁ fixed
nanocrystal    B₁ a Gaussian, homogeneous width and size dispersion in quadrature; E₁(D) from the sizing curve
second         the same, Δ bluer and wider: the spacing of the first states in small dots (Norris and
               Bawendi, Phys. Rev. B 1996, 53, 16338)
precursor      ε_310 exp(-(λ - 310 nm)/decay) per Cd; scatter: ε_400 (400/λ)^4 per CdSe unit in particles

Limits: ε₁ for clusters is an extrapolation of the fit to nanocrystals; widths do not change with temperature (the
optical cell is at 25 °C).
"""

import numpy as np
from numpy.typing import NDArray

from ioc_sim.physics.composition import Composition
from ioc_sim.physics.scenario import Scenario

__all__ = ["Absorption"]

_EV_NM = 1239.84
_ONSET_EV = 0.08
_NC_OFFSET_EV, _CLUSTER_OFFSET_EV = 0.15, 0.35
Array = NDArray[np.float64]


class Absorption:
    """Extinction spectra of a scenario on a wavelength axis.

    Parameters
    ----------
    scenario : Scenario
        Bands and sizes.
    wavelength_nm : ndarray
        Axis.
    grid_units, grid_nm : ndarray
        Sizes of nanocrystals, CdSe units and diameter.

    Attributes
    ----------
    peak_nm : dict of float
        First maximum of each cluster.
    clusters : dict of ndarray
        Extinction per mole of each cluster, L/mol/cm.
    nanocrystals, first_bands : ndarray
        Extinction per mole of nanocrystals, one row for each size; and of that their first exciton alone.
    """

    def __init__(self, scenario: Scenario, wavelength_nm: Array, grid_units: Array, grid_nm: Array) -> None:
        s, chemistry = scenario.spectra, scenario.chemistry
        self._spectra, self._sizing = s, scenario.sizing
        self._energy = _EV_NM / wavelength_nm
        self.wavelength_nm = wavelength_nm
        self.peak_nm = {name: band.wavelength_nm for name, band in s.clusters.items()}
        self.clusters = {name: self._cluster(name, chemistry.species[name]) for name in s.clusters}
        self.grid_units, self.grid_nm = grid_units, grid_nm
        self._path_cm = s.path_mm / 10.0
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
        peak = float(self._sizing.extinction(self._sizing.diameter_nm(band.wavelength_nm)))
        return self._particle(centre, red, blue, peak, units, _CLUSTER_OFFSET_EV)[0]

    def _nanocrystal(self, units: float, diameter: float, dispersion: float) -> tuple[Array, Array]:
        centre = _EV_NM / float(self._sizing.first_maximum_nm(diameter))
        ends = _EV_NM / self._sizing.first_maximum_nm(diameter * np.array([1 + dispersion, 1 - dispersion]))
        sigma = float(np.hypot(self._spectra.nc_fwhm_ev / 2.3548, (ends[1] - ends[0]) / 2))
        peak = float(self._sizing.extinction(diameter))
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

    def components(self, content: Composition) -> dict[str, Array]:
        """Absorbance of each cluster family, of ``NC`` and of ``rest`` (precursor and scatter)."""
        amount = content.species
        out = {name: self._path_cm * amount[name] * spectrum for name, spectrum in self.clusters.items()}
        # not @: for so little, waiting for the second thread of BLAS takes longer on a busy machine
        out["NC"] = self._path_cm * np.einsum("i,ij->j", content.sizes, self.nanocrystals)
        free = content.cd_precursor + amount["M"]
        solid = max(content.cd - free, 0.0)
        out["rest"] = self._path_cm * (free * self.precursor + solid * self.scatter)
        return out

    def first_maximum(self, content: Composition) -> tuple[float, float]:
        """Wavelength of the nanocrystals' first exciton band, nm, and their absorbance there; NaN and 0
        without any.

        It is the maximum of that band alone: on the total it may be no more than a shoulder.
        """
        if not content.sizes.sum() > 1e-14:
            return float("nan"), 0.0
        band = content.sizes @ self.first_bands
        i = int(np.clip(np.argmax(band), 1, len(band) - 2))
        left, top, right = band[i - 1 : i + 2]
        shift = 0.5 * (left - right) / (left - 2 * top + right) if left + right < 2 * top else 0.0
        peak_nm = self.wavelength_nm[i] + shift * (self.wavelength_nm[i + 1] - self.wavelength_nm[i - 1]) / 2
        height = float(np.interp(peak_nm, self.wavelength_nm, content.sizes @ self.nanocrystals))
        return float(peak_nm), self._path_cm * height

    def full_height(self, cd_mol_l: float) -> float:
        """First-maximum height with all Cd in 2.7 nm nanocrystals; *accumulated* has 2 % of it as floor."""
        row = int(np.argmin(np.abs(self.grid_nm - 2.7)))
        per_unit = float(self._sizing.extinction(self.grid_nm[row])) / float(self.grid_units[row])
        return cd_mol_l * self._path_cm * per_unit


def _split_gaussian(offset: Array, red: float, blue: float) -> Array:
    return np.exp(-0.5 * (offset / np.where(offset < 0, red, blue)) ** 2)
