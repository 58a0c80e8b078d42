"""A named reactor with its chemistry, read from TOML and checked.

A scenario file holds every number the twin uses, each with its unit in its name. ``base = "name"`` takes
another scenario and overrides parts of it: tables are merged key by key, lists are replaced whole.
Its values are the truth: the twin and scoring read them, no record serves them.
"""

import tomllib
from importlib import resources
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

__all__ = [
    "Band",
    "Chemistry",
    "Detector",
    "Lamp",
    "Nanocrystals",
    "OvenModel",
    "Plumbing",
    "Precursor",
    "PumpModel",
    "Reverse",
    "Scenario",
    "Spectra",
    "Step",
    "load_scenario",
    "scenario_names",
]


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


class Step(_Table):
    """A mass-action step; ``orders`` defaults to the reactants' coefficients."""

    reactants: dict[str, float]
    products: dict[str, float]
    orders: dict[str, float] | None = None
    log10_k0: float
    energy_kj_mol: float
    reverse: Reverse | None = None


class Nanocrystals(_Table):
    """Growth of nanocrystals: dn/dt = k_g n^p (M - c_N exp(capillary/r)), p the exponent."""

    seed_units: float = Field(gt=1)
    growth_exponent: float = Field(ge=0, le=1)
    log10_growth0: float
    growth_energy_kj_mol: float
    log10_solubility0: float
    solubility_energy_kj_mol: float
    capillary_nm: float = Field(ge=0)
    relative_dispersion: float = Field(ge=0, lt=0.5)


class Chemistry(_Table):
    """Species (CdSe units in each) and steps."""

    reference_temperature_c: float
    unit_volume_nm3: float = Field(gt=0)
    species: dict[str, float]
    steps: list[Step] = Field(min_length=1)
    nanocrystals: Nanocrystals

    @model_validator(mode="after")
    def _balanced(self) -> "Chemistry":
        units = self.species | {"NC": self.nanocrystals.seed_units}
        missing = {"P", "M"} - set(self.species)
        if missing:
            raise ValueError(f"species lacks {', '.join(sorted(missing))}")
        for number, step in enumerate(self.steps):
            unknown = ({*step.reactants, *step.products, *(step.orders or ())}) - set(units)
            if unknown:
                raise ValueError(f"step {number} names unknown species {', '.join(sorted(unknown))}")
            lost = sum(units[s] * v for s, v in step.reactants.items())
            lost -= sum(units[s] * v for s, v in step.products.items())
            if abs(lost) > 1e-9:
                raise ValueError(f"step {number} ({step.reactants} -> {step.products}) loses {lost:g} CdSe units")
            if step.reverse is not None and set(step.products) <= {"M"}:
                raise ValueError(f"step {number}: a reverse needs a product besides M to set its rate")
            if "NC" in {*step.reactants, *(step.orders or ())} or (step.reverse and "NC" in step.products):
                raise ValueError(f"step {number}: NC may only be born; growth and dissolution are its own law")
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


class OvenModel(_Table):
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


class PumpModel(_Table):
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
    oven: OvenModel
    pump: PumpModel

    @model_validator(mode="after")
    def _bands_have_species(self) -> "Scenario":
        unknown = set(self.spectra.clusters) - set(self.chemistry.species)
        if unknown:
            raise ValueError(f"spectra.clusters names unknown species {', '.join(sorted(unknown))}")
        return self


def scenario_names() -> list[str]:
    """Names of the built-in scenarios."""
    folder = resources.files("ioc_sim") / "scenarios"
    return sorted(f.name.removesuffix(".toml") for f in folder.iterdir() if f.name.endswith(".toml"))


def load_scenario(name_or_path: str | Path) -> Scenario:
    """Read a built-in scenario by name, or a TOML file by path.

    Raises
    ------
    ValueError
        No such scenario, not TOML, or a value that is not allowed; says which, and in which file.
    """
    table, origin = _read(name_or_path, ())
    try:
        return Scenario.model_validate(table)
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(map(str, e['loc'])) or 'scenario'} = {_shown(e['input'])}: {e['msg']}" for e in error.errors()
        )
        raise ValueError(f"{origin}: {problems}") from error


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _read(name_or_path: str | Path, seen: tuple[str, ...]) -> tuple[dict[str, Any], str]:
    origin, text = _text(name_or_path)
    if origin in seen:
        raise ValueError(f"{origin}: base goes in a circle ({' -> '.join((*seen, origin))})")
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"{origin}: not TOML: {error}") from error
    base = table.pop("base", None)
    if base is None:
        return table, origin
    beside = Path(origin).parent / f"{base}.toml"
    below, _ = _read(beside if beside.is_file() else str(base), (*seen, origin))
    return _merged(below, table), origin


def _text(name_or_path: str | Path) -> tuple[str, str]:
    path = Path(name_or_path)
    if path.is_file():
        return str(path), path.read_text(encoding="utf-8")
    if str(name_or_path) in scenario_names():
        built_in = resources.files("ioc_sim") / "scenarios" / f"{name_or_path}.toml"
        return str(built_in), built_in.read_text(encoding="utf-8")
    known = ", ".join(scenario_names())
    raise ValueError(f"no scenario {str(name_or_path)!r}: neither a file nor a built-in one ({known})")


def _merged(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    out = dict(below)
    for key, value in above.items():
        old = out.get(key)
        out[key] = _merged(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return out
