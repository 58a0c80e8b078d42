"""A named reactor with its chemistry: the tables of a scenario, checked.

A scenario holds every number the twin uses, each with its unit in its name; :mod:`.scenario_file` reads it.
Its values are the truth: the twin and scoring read them, no record serves them.
"""

from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from ioc_sim.physics.faults import check_fault
from ioc_sim.physics.shares import check_shares
from ioc_sim.physics.sizing import CDSE, Sizing

__all__ = [
    "FRACTIONS",
    "Band",
    "Chemistry",
    "Detector",
    "Fault",
    "Fouling",
    "Fraction",
    "FrameModel",
    "Gate",
    "Lamp",
    "Mesophase",
    "NanocrystalGrowth",
    "OvenParameters",
    "ParticleMaterial",
    "Plumbing",
    "Precursor",
    "PumpParameters",
    "ReactionStep",
    "Reverse",
    "SampleLoop",
    "Saxs",
    "Scenario",
    "Spectra",
    "XrayBeam",
]


FRACTIONS = ("Fi", "F1", "F2", "F3", "F4", "F5")
"""What the sample loop can hold: the initial sample and five fractions of it."""


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Plumbing(_Table):
    """Volumes at 25 °C, tubing, mixing and solvent."""

    chamber_ul: float = Field(gt=0)
    coil_ul: float = Field(gt=0)
    dead_ul: float = Field(ge=0)
    cell_ul: float = Field(gt=0)
    bore_mm: float = Field(gt=0)
    heat_up_90_s: float = Field(ge=0)
    quench_s: float = Field(ge=0)
    rtd: Literal["plug", "dispersion", "tanks"]
    peclet: float = Field(gt=1)
    tanks: float = Field(ge=1)
    density_25_g_ml: float = Field(gt=0)
    density_slope_g_ml_c: float = Field(le=0)
    heat_capacity_j_g_c: float = Field(ge=0)
    viscosity_25_mpa_s: float = Field(gt=0)
    viscosity_energy_kj_mol: float = Field(ge=0)
    back_pressure_bar: float = Field(ge=0)

    @property
    def reactor_ul(self) -> float:
        """Volume of chamber and coil, µL: over the flow it is the nominal residence time."""
        return self.chamber_ul + self.coil_ul

    def density_ratio(self, temperature_c: float) -> float:
        """Density at ``temperature_c`` over that at 25 °C: hot residence over nominal residence."""
        return 1.0 + self.density_slope_g_ml_c * (temperature_c - 25.0) / self.density_25_g_ml


class Precursor(_Table):
    """Concentrations in the 1:1 mixture of the two streams."""

    cd_mol_l: float = Field(gt=0)
    se_mol_l: float = Field(gt=0)


class Reverse(_Table):
    """Van 't Hoff solubility c* of a reversible step, log₁₀ in units of the Cd precursor."""

    log10_c0: float
    energy_kj_mol: float


class Gate(_Table):
    """A step runs only through one of two forms in equilibrium: its rate is multiplied by 1/(1 + K).

    K = 10^log10_k0 exp(-H/R (1/T - 1/T0)) (van 't Hoff): with H > 0 the step closes as it gets hotter (a mesophase
    or ligand layer that melts), with H < 0 it opens.
    """

    log10_k0: float
    energy_kj_mol: float


class ReactionStep(_Table):
    """A mass-action step; ``orders`` defaults to the reactants' coefficients; ``off`` takes it out."""

    reactants: dict[str, float]
    products: dict[str, float]
    orders: dict[str, float] | None = None
    log10_k0: float
    energy_kj_mol: float
    reverse: Reverse | None = None
    gate: Gate | None = None
    off: bool = False


class NanocrystalGrowth(_Table):
    """Growth of nanocrystals: dn/dt = k_g n^p (M - c_N exp(capillary/r)), p the exponent.

    They are born with ``seed_units``; one that has shrunk to ``vanishing_units`` is monomer.
    """

    seed_units: float = Field(gt=1)
    vanishing_units: float = Field(gt=1)
    growth_exponent: float = Field(ge=0, le=1)
    log10_growth0: float
    growth_energy_kj_mol: float
    log10_solubility0: float
    solubility_energy_kj_mol: float
    capillary_nm: float = Field(ge=0)
    relative_dispersion: float = Field(ge=0, lt=0.5)


class Chemistry(_Table):
    """Species (formula units in each, such as CdSe) and steps."""

    reference_temperature_c: float
    unit_volume_nm3: float = Field(gt=0)
    species: dict[str, float]
    steps: dict[str, ReactionStep] = Field(min_length=1)
    nanocrystals: NanocrystalGrowth

    @property
    def running(self) -> list[ReactionStep]:
        """The steps that are not off."""
        return [step for step in self.steps.values() if not step.off]

    @model_validator(mode="after")
    def _balanced(self) -> "Chemistry":
        units = self.species | {"NC": self.nanocrystals.seed_units}
        missing = {"P", "M"} - set(self.species)
        if missing:
            raise ValueError(f"species lacks {', '.join(sorted(missing))}")
        for name, step in self.steps.items():
            if step.off:
                continue
            unknown = ({*step.reactants, *step.products, *(step.orders or ())}) - set(units)
            if unknown:
                raise ValueError(f"step {name} names unknown species {', '.join(sorted(unknown))}")
            lost = sum(units[s] * v for s, v in step.reactants.items())
            lost -= sum(units[s] * v for s, v in step.products.items())
            if abs(lost) > 1e-9:
                raise ValueError(f"step {name} ({step.reactants} -> {step.products}) loses {lost:g} CdSe units")
            if step.reverse is not None and set(step.products) <= {"M"}:
                raise ValueError(f"step {name}: a reverse needs a product besides M to set its rate")
            if "NC" in {*step.reactants, *(step.orders or ())} or (step.reverse and "NC" in step.products):
                raise ValueError(f"step {name}: NC may only be born; growth and dissolution are its own law")
        return self


class Band(_Table):
    """First absorption band of a cluster."""

    wavelength_nm: float = Field(gt=200, lt=900)
    fwhm_nm: float = Field(gt=0)


class Spectra(_Table):
    """Absorption; see :mod:`ioc_sim.physics.bands`."""

    path_mm: float = Field(gt=0)
    clusters: dict[str, Band]
    blue_to_red_width: float = Field(ge=1)
    second_shift_ev: float = Field(gt=0)
    second_height: float = Field(ge=0)
    second_width_ratio: float = Field(gt=0)
    nc_fwhm_ev: float = Field(gt=0)
    continuum_l_mol_cm: float = Field(ge=0)
    precursor_310_l_mol_cm: float = Field(ge=0)
    precursor_decay_nm: float = Field(gt=0)
    scatter_400_l_mol_cm: float = Field(ge=0)


class ParticleMaterial(_Table):
    """What clusters and nanocrystals are made of; see `Sizing`. A scenario without it is of CdSe."""

    sizing_polynomial: tuple[float, ...] = Field(min_length=2)
    sizing_range_nm: tuple[float, float]
    extinction_l_mol_cm: float = Field(gt=0)
    extinction_exponent: float = Field(gt=0)

    @model_validator(mode="after")
    def _rises(self) -> "ParticleMaterial":
        low, high = self.sizing_range_nm
        if not 0 < low < high:
            raise ValueError(f"sizing_range_nm must be (shortest, longest), not {self.sizing_range_nm}")
        diameters = self.sizing.diameter_nm(np.linspace(low, high, 200))
        if not (diameters[0] > 0 and (np.diff(diameters) > 0).all()):
            raise ValueError(f"sizing_polynomial must be positive and rise from {low:g} to {high:g} nm")
        return self

    @property
    def sizing(self) -> Sizing:
        """The curve and the extinction."""
        return Sizing(self.sizing_polynomial, self.sizing_range_nm, self.extinction_l_mol_cm, self.extinction_exponent)


class Lamp(_Table):
    """Light source."""

    peak_counts_100_ms: float = Field(gt=0)
    drift_fraction: float = Field(ge=0)
    drift_period_s: float = Field(gt=0)
    stray_fraction: float = Field(ge=0, lt=1)


class Detector(_Table):
    """Array detector."""

    saturation_counts: float = Field(gt=0)
    electrons_per_count: float = Field(gt=0)
    read_noise_counts: float = Field(ge=0)
    offset_counts: float = Field(ge=0)
    dark_counts_s: float = Field(ge=0)
    shot_noise: bool
    wavelength_coefficients_nm: tuple[float, ...]


class Saxs(_Table):
    """Small-angle scattering of what is in the X-ray cell; see :mod:`ioc_sim.physics.scattering`."""

    cluster_radius_nm: dict[str, float]
    cluster_relative_width: float = Field(ge=0, lt=0.5)
    crystal_sld_a2: float = Field(gt=0)
    solvent_sld_a2: float = Field(gt=0)
    solvent_cm: float = Field(ge=0)
    solvent_halo_cm: float = Field(ge=0)
    solvent_halo_inv_nm: float = Field(gt=0)
    solvent_halo_width_inv_nm: float = Field(gt=0)
    kapton_porod_cm: float = Field(ge=0)
    kapton_exponent: float = Field(gt=0)
    kapton_halo_cm: float = Field(ge=0)
    kapton_halo_inv_nm: float = Field(gt=0)
    kapton_halo_width_inv_nm: float = Field(gt=0)


class Mesophase(_Table):
    """Lamellae of the Cd precursor, their melting, and the precursor's broad hump.

    Intensities are per mol/L of unreacted Cd precursor.
    """

    spacing_nm: float = Field(gt=0)
    width_inv_nm: float = Field(gt=0)
    first_order_cm_l_mol: float = Field(ge=0)
    second_order_cm_l_mol: float = Field(ge=0)
    melting_c: float
    melting_kj_mol: float = Field(gt=0)
    hump_cm_l_mol: float = Field(ge=0)
    hump_inv_nm: float = Field(gt=0)
    hump_correlation_nm: float = Field(gt=0)


class XrayBeam(_Table):
    """Beam at the SAXS cell."""

    energy_kev: float = Field(gt=0)
    flux_ph_s: float = Field(gt=0)
    ring_current_ma: float = Field(gt=0)
    lifetime_h: float = Field(gt=0)
    fill_every_h: float = Field(gt=0)
    cell_thickness_mm: float = Field(gt=0)
    transmission: float = Field(gt=0, le=1)
    monitor_noise: float = Field(ge=0)
    cell_lag_s: float = Field(gt=0)


class FrameModel(_Table):
    """Area detector of the SAXS station; see :mod:`ioc_sim.physics.frame`."""

    rows: int = Field(gt=0)
    columns: int = Field(gt=0)
    pixel_mm: float = Field(gt=0)
    distance_mm: float = Field(gt=0)
    centre_row: float
    centre_column: float
    module_rows: int = Field(gt=0)
    gap_rows: int = Field(ge=0)
    beamstop_radius_mm: float = Field(ge=0)
    hot_pixels: int = Field(ge=0)
    efficiency: float = Field(gt=0, le=1)
    max_counts: int = Field(gt=0)
    parasitic_counts_s: float = Field(ge=0)
    poisson: bool


class Fraction(_Table):
    """What the sample loop holds: a share of each particle, by its diameter.

    ``yield_share`` times a Gaussian in diameter around ``diameter_nm``; without a diameter, of every size alike.
    """

    yield_share: float = Field(gt=0, le=1)
    diameter_nm: float | None = None
    width_nm: float = Field(default=0.1, gt=0)


class SampleLoop(_Table):
    """A loop of ``volume_ul`` with the product of a condition, whole or split by size."""

    volume_ul: float = Field(gt=0)
    nucleation_temperature: float
    growth_temperature: float
    residence_time: float = Field(gt=0)
    fractions: dict[str, Fraction]

    @model_validator(mode="after")
    def _no_more_than_there_was(self) -> "SampleLoop":
        if tuple(self.fractions) != FRACTIONS:
            raise ValueError(f"fractions must be {', '.join(FRACTIONS)} in this order, not {', '.join(self.fractions)}")
        check_shares(self.fractions)
        return self


class Fouling(_Table):
    """Deposit that grows with the mixture that has passed.

    Attributes
    ----------
    start_ml, full_ml : float
        Mixture that has passed at start; and what makes a full deposit (effects saturate exponentially).
    volume_share : float
        Share of chamber and coil that a full deposit fills.
    film_absorbance_400, film_exponent : float
        A full film's absorbance on the optical cell's windows at 400 nm; it goes as wavelength^-exponent.
    """

    start_ml: float = Field(ge=0)
    full_ml: float = Field(gt=0)
    volume_share: float = Field(ge=0, lt=0.9)
    film_absorbance_400: float = Field(ge=0)
    film_exponent: float = Field(ge=0)


class Fault(_Table):
    """A fault that sets in by itself; names and values are those of the records below ``Sim:Fault:``."""

    name: str
    value: float | str
    at_s: float = Field(ge=0)
    for_s: float | None = Field(default=None, gt=0)

    @model_validator(mode="after")
    def _known(self) -> "Fault":
        check_fault(self.name, self.value)
        return self


class OvenParameters(_Table):
    """An oven with its heater, controller and thermometer."""

    heat_capacity_j_c: float = Field(gt=0)
    loss_w_c: float = Field(gt=0)
    heater_w: float = Field(gt=0)
    ramp_rate_c_min: float = Field(ge=0)
    proportional_band_c: float = Field(gt=0)
    integral_s: float = Field(ge=0)
    derivative_s: float = Field(ge=0)
    sensor_lag_s: float = Field(ge=0)
    noise_c: float = Field(ge=0)


class PumpParameters(_Table):
    """A syringe pump."""

    capacity_ul: float = Field(gt=0)
    diameter_mm: float = Field(gt=0)
    ramp_s: float = Field(ge=0)
    pulsation: float = Field(ge=0, lt=0.5)
    pulse_volume_ul: float = Field(gt=0)


class Scenario(_Table):
    """A reactor and its chemistry."""

    name: str
    title: str
    step_s: float = Field(gt=0, le=5)
    ambient_c: float
    plumbing: Plumbing
    precursor: Precursor
    chemistry: Chemistry
    spectra: Spectra
    lamp: Lamp
    detector: Detector
    oven: OvenParameters
    pump: PumpParameters
    saxs: Saxs
    mesophase: Mesophase
    beam: XrayBeam
    frame: FrameModel
    loop: SampleLoop
    material: ParticleMaterial | None = None
    fouling: Fouling | None = None
    faults: tuple[Fault, ...] = ()

    @property
    def sizing(self) -> Sizing:
        """Sizing curve and extinction of the material."""
        return CDSE if self.material is None else self.material.sizing

    @model_serializer(mode="wrap")
    def _without_default_material(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # what is written of a scenario of CdSe stays as it was: its text is a frozen checksum and a cache's key
        found = dump(self)
        if self.material is None:
            found.pop("material", None)
        return found

    @model_validator(mode="after")
    def _bands_have_species(self) -> "Scenario":
        unknown = set(self.spectra.clusters) - set(self.chemistry.species)
        if unknown:
            raise ValueError(f"spectra.clusters names unknown species {', '.join(sorted(unknown))}")
        unknown = set(self.saxs.cluster_radius_nm) ^ set(self.spectra.clusters)
        if unknown:
            raise ValueError(f"saxs.cluster_radius_nm and spectra.clusters differ in {', '.join(sorted(unknown))}")
        return self
