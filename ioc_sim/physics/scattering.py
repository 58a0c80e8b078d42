"""Small-angle scattering of what is in the X-ray cell: composition in, absolute intensity out.

particles  dΣ/dΩ = Σ_j N_j Δρ² <V² P(q)>_j,   V²P = (4π)² (sin qR - qR cos qR)²/q⁶   (Rayleigh's sphere)
           averaged over a Gaussian of radii in closed form: with x = qR, u = q<R>, v = qσ
             2 <(sin x - x cos x)²> = 1 + u² + v² + e^(-2v²) [(u² - 3v² - 4v⁴ - 1) cos 2u - (2u + 4uv²) sin 2u]
           below u = 0.3, where that cancels, the series in q² with the Gaussian's moments
clusters   <R> the radius seen by X-rays, σ/<R> one width for all families
crystals   every size of the composition's grid, widened by the nanocrystals' own relative dispersion
precursor  lamellae and hump, see :mod:`~ioc_sim.physics.mesophase`
solvent    flat + foot of the chain halo;  Kapton windows: power law + halo;  halos Lorentzian

Units: q nm⁻¹, R nm, amounts mol/L, dΣ/dΩ cm⁻¹, scattering length densities Å⁻². N = 0.6022 nm⁻³ per mol/L.

Sources: sphere and its average as in sasmodels 1.1.0 ``sphere`` with a Gaussian radius (compared in the tests).
CdSe 39.7e-6 Å⁻² (bulk at 12.46 keV). Octadecene 7.64e-6 Å⁻² at 25 °C (144 electrons, 252.5 g/mol, 0.789 g/mL),
6.2e-6 at 230 °C, where the cell is in Fig. 2 of Palencia 2020; its intensity at q = 0, kT κ Δρ² = 0.020 cm⁻¹ with
κ = 8.4e-10 /Pa, is that of flat part and halo foot together. Kapton: power -3.25 at small q (Lurio et al.,
J. Synchrotron Rad. 2007, 14, 527), 15.5 Å repeat.

Limits: no interference between particles (volume fractions are below 1e-3); one contrast, whatever the cell's
temperature (cold octadecene would lower it by 8 %); amounts as at 25 °C (a cell at 230 °C holds 18 % less per
volume); a homogeneous sphere without ligand shell; the Gaussian's tail to negative radii is counted (nothing for
widths below 0.2); the background does not depend on temperature.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ioc_sim.physics.composition import Composition
from ioc_sim.physics.mesophase import Lamellae
from ioc_sim.physics.scenario import Scenario

__all__ = ["Q_INV_NM", "Scattering", "ScatteringParticles", "sphere_nm6"]

Array = NDArray[np.float64]

# fine enough for linear interpolation: 0.2 % at the tip of a Bragg peak, less than 0.01 % elsewhere below 8 nm⁻¹
Q_INV_NM: Array = np.concatenate(
    [np.geomspace(0.02, 0.5, 400, endpoint=False), np.arange(0.5, 8.0, 0.004), np.arange(8.0, 20.01, 0.04)]
)
_PER_NM3 = 0.602214076
_CM_NM = 1e7
_NM2_PER_A2 = 100.0
_SERIES_BELOW = 0.3
# (3 (sin x - x cos x)/x³)² = Σ s_n x^2n
_SERIES = (1.0, -1.0 / 5.0, 3.0 / 175.0, -4.0 / 4725.0, 2.0 / 72765.0)


def _moments(mean: Array, sd: Array, highest: int) -> list[Array]:
    """Raw moments 0 … ``highest`` of Gaussians."""
    out = [np.ones_like(mean), mean]
    for n in range(2, highest + 1):
        out.append(mean * out[-1] + (n - 1) * sd**2 * out[-2])
    return out


def sphere_nm6(q_inv_nm: ArrayLike, radius_nm: ArrayLike, relative_width: float = 0.0) -> Array:
    """Mean of V² P(q) over spheres with a Gaussian distribution of radii, nm⁶.

    Parameters
    ----------
    q_inv_nm, radius_nm : array_like
        Of shapes that broadcast; mean radius.
    relative_width : float
        Standard deviation over mean radius.

    Returns
    -------
    ndarray
        Of the broadcast shape; times number density (nm⁻³) and contrast² (nm⁻⁴) it is dΣ/dΩ in nm⁻¹.
    """
    q, mean = np.broadcast_arrays(np.asarray(q_inv_nm, float), np.asarray(radius_nm, float))
    sd = relative_width * mean
    u, v2 = q * mean, (q * sd) ** 2
    u2, vanishing = u**2, np.asarray(u < _SERIES_BELOW)
    damped = np.exp(-2.0 * v2)
    wave = (u2 - 3.0 * v2 - 4.0 * v2**2 - 1.0) * np.cos(2.0 * u) - u * (2.0 + 4.0 * v2) * np.sin(2.0 * u)
    out = np.asarray(8.0 * np.pi**2 * (1.0 + u2 + v2 + damped * wave) / np.where(vanishing, 1.0, q) ** 6)
    if vanishing.any():
        m = _moments(mean[vanishing], sd[vanishing], 14)
        terms = [s * q[vanishing] ** (2 * n) * m[6 + 2 * n] for n, s in enumerate(_SERIES)]
        out[vanishing] = (4.0 * np.pi / 3.0) ** 2 * np.sum(terms, axis=0)
    return out


@dataclass(frozen=True)
class ScatteringParticles:
    """All particles of a composition as X-rays see them.

    Attributes
    ----------
    volume_fraction : float
        Of all particles.
    radius_nm, relative_width : float
        Volume-weighted mean and standard deviation over mean; NaN without particles.
    shares : dict of float
        Each cluster family's share, and that of ``NC``, of the volume; zeros without particles.
    """

    volume_fraction: float
    radius_nm: float
    relative_width: float
    shares: dict[str, float]


class Scattering:
    """Absolute intensity of a scenario's compositions.

    Parameters
    ----------
    scenario : Scenario
        Sizes, contrast, precursor and background.
    grid_units, grid_nm : ndarray
        Sizes of nanocrystals, CdSe units and diameter, of all compositions to come.

    Attributes
    ----------
    q_inv_nm : ndarray
        Grid of all intensities, 0.02 to 20 nm⁻¹: :data:`Q_INV_NM`.
    """

    def __init__(self, scenario: Scenario, grid_units: Array, grid_nm: Array) -> None:
        self._saxs = scenario.saxs
        self._dispersion = scenario.chemistry.nanocrystals.relative_dispersion
        self.q_inv_nm = Q_INV_NM
        contrast = (self._saxs.crystal_sld_a2 - self._saxs.solvent_sld_a2) * _NM2_PER_A2
        self._scale = _PER_NM3 * contrast**2 * _CM_NM
        width = self._saxs.cluster_relative_width
        self._clusters = {
            name: self._scale * sphere_nm6(Q_INV_NM, radius, width)
            for name, radius in self._saxs.cluster_radius_nm.items()
        }
        self._lamellae = Lamellae(scenario.mesophase, Q_INV_NM)
        self._grid_units, self._crystal_radius_nm = grid_units, grid_nm / 2.0
        self._crystals = self._scale * sphere_nm6(Q_INV_NM, self._crystal_radius_nm[:, None], self._dispersion)

    def components_cm(self, composition: Composition, cell_temperature_c: float) -> dict[str, Array]:
        """Parts of :meth:`intensity_cm`: each cluster family, ``NC``, ``lamellae`` and ``hump``."""
        self._check_grid(composition)
        out = {name: composition.species[name] * row for name, row in self._clusters.items()}
        # not @: for so little, waiting for the second thread of BLAS takes 50 times as long on a busy machine
        out["NC"] = np.einsum("i,ij->j", composition.sizes, self._crystals)
        out["lamellae"] = self._lamellae.peaks_cm(composition.cd_precursor, cell_temperature_c)
        out["hump"] = self._lamellae.hump_cm(composition.cd_precursor)
        return out

    def intensity_cm(self, composition: Composition, cell_temperature_c: float) -> Array:
        """dΣ/dΩ of particles and precursor, cm⁻¹, on :attr:`q_inv_nm`; without solvent and windows.

        Parameters
        ----------
        composition : Composition
            What is in the cell.
        cell_temperature_c : float
            Its temperature; melts the lamellae.

        Raises
        ------
        ValueError
            The composition's nanocrystals are on another grid.
        """
        return np.sum(list(self.components_cm(composition, cell_temperature_c).values()), axis=0)

    def background_cm(self, solvent: bool = True) -> Array:
        """dΣ/dΩ of the windows, and of the solvent unless the cell is empty, cm⁻¹ on :attr:`q_inv_nm`."""
        s, q = self._saxs, self.q_inv_nm
        out = s.kapton_porod_cm * q**-s.kapton_exponent
        out += _lorentzian(q, s.kapton_halo_cm, s.kapton_halo_inv_nm, s.kapton_halo_width_inv_nm)
        if solvent:
            out += s.solvent_cm + _lorentzian(q, s.solvent_halo_cm, s.solvent_halo_inv_nm, s.solvent_halo_width_inv_nm)
        return out

    def particles(self, composition: Composition) -> ScatteringParticles:
        """Truth for scoring: volume, mean radius and width of the particles, and each family's share."""
        self._check_grid(composition)
        names = list(self._saxs.cluster_radius_nm)
        radii = np.array([*self._saxs.cluster_radius_nm.values(), *self._crystal_radius_nm])
        amounts = np.array([*(composition.species[name] for name in names), *composition.sizes])
        widths = np.full(len(radii), self._dispersion)
        widths[: len(names)] = self._saxs.cluster_relative_width
        _, _, _, m3, m4, m5 = _moments(radii, widths * radii, 5)
        volumes = 4.0 * np.pi / 3.0 * _PER_NM3 * amounts * m3
        total = float(volumes.sum())
        if not total > 0.0:
            return ScatteringParticles(0.0, float("nan"), float("nan"), dict.fromkeys([*names, "NC"], 0.0))
        mean = float(amounts @ m4 / (amounts @ m3))
        variance = max(float(amounts @ m5 / (amounts @ m3)) - mean**2, 0.0)
        shares = dict(zip(names, (volumes / total).tolist(), strict=False))
        shares["NC"] = float(volumes[len(names) :].sum()) / total
        return ScatteringParticles(total, mean, variance**0.5 / mean, shares)

    def _check_grid(self, composition: Composition) -> None:
        if not np.array_equal(composition.grid_units, self._grid_units):
            raise ValueError("nanocrystals of the composition are on another grid than the scattering was made for")


def _lorentzian(q_inv_nm: Array, height_cm: float, centre_inv_nm: float, half_width_inv_nm: float) -> Array:
    return height_cm / (1.0 + ((q_inv_nm - centre_inv_nm) / half_width_inv_nm) ** 2)
