"""What a site sets once: prefix, store, volumes, limits, optics. Environment over file over defaults."""

import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path
from typing import Any, Self, cast

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    TomlConfigSettingsSource,
)

from msc_plans.errors import InputError
from msc_plans.families import FamilyTable, built_in_families, load_families

__all__ = [
    "GeometrySettings",
    "LimitSettings",
    "OpticsSettings",
    "OvenSettings",
    "SaxsSettings",
    "Settings",
    "Suspender",
    "read_settings",
]

SETTINGS_FILE = Path("msc.toml")
_PREFIX = "MSC_"


class _Section(BaseModel):
    """A table of ``msc.toml``: a key that is not known is refused."""

    model_config = ConfigDict(extra="forbid")


class GeometrySettings(_Section):
    """Volumes, µL."""

    chamber_ul: float = Field(default=11.5, gt=0, description="mixing chamber in the nucleation oven")
    coil_ul: float = Field(default=240.0, gt=0, description="coil in the growth oven")
    dead_ul: float = Field(default=60.0, ge=0, description="between coil and cells")
    cell_ul: float = Field(default=10.0, ge=0, description="of the cells")
    cd_fraction: float = Field(default=0.5, gt=0, lt=1, description="share of the Cd precursor in the mixture")
    spread: float = Field(default=0.2, gt=0, lt=1, description="σ over mean of the residence times, by a tracer test")


class OvenSettings(_Section):
    """How fast the ovens heat and cool, for the plans' forecasts."""

    heating_k_min: float = Field(default=60.0, gt=0, description="fastest heating of either oven")
    cooling_s: float = Field(default=280.0, gt=0, description="time constant of cooling by air")


class LimitSettings(_Section):
    """What may be asked of the reactor: °C, µL/min."""

    nucleation_temperature: tuple[float, float] = Field(default=(20.0, 350.0), description="lowest and highest, °C")
    growth_temperature: tuple[float, float] = Field(default=(20.0, 350.0), description="lowest and highest, °C")
    flow_ul_min: tuple[float, float] = Field(
        default=(50.0, 12000.0), description="slowest and fastest flow of the mixture"
    )


class OpticsSettings(_Section):
    """The optical cell and what flows through it."""

    path_length_cm: float = Field(default=0.1, gt=0, description="of light through the cell")
    cd_concentration_mol_l: float = Field(default=0.02, gt=0, description="Cd in the mixture")
    saturation_counts: float | None = Field(default=262143.0, description="full scale of the QEPro's 18 bits")


class SaxsSettings(_Section):
    """The SAXS station: where its files go, where the detector is, and what takes counts to cm⁻¹.

    Distances and angles are pyFAI's (PONI). The defaults are those of the simulated detector.
    """

    use: bool = Field(default=True, description="false: there is no SAXS station")
    write_path: str = Field(
        default="", description="folder of the frames as the IOC sees it; empty: frames/ in the store"
    )
    read_path: str = Field(default="", description="the same folder as this machine sees it, where that differs")
    detector: str = Field(default="Pilatus 300k", description="pyFAI's name; its module gaps are masked")
    distance_m: float = Field(default=0.9, gt=0, description="sample to detector (PONI)")
    poni1_m: float = Field(default=90.0 * 172e-6, description="point of normal incidence along the rows")
    poni2_m: float = Field(default=243.0 * 172e-6, description="and along the columns")
    rot1_rad: float = Field(default=0.0, description="pyFAI's rotation 1")
    rot2_rad: float = Field(default=0.0, description="and 2")
    rot3_rad: float = Field(default=0.0, description="and 3")
    pixel_m: float = Field(default=172e-6, gt=0, description="edge of a pixel")
    beam_stop_radius_m: float = Field(default=1.5e-3, ge=0, description="around the beam, masked; 0: none")
    mask_file: str = Field(default="", description="image, 1 where a pixel is left out; empty: none")
    saturation: float = Field(default=1048575.0, ge=0, description="counts of one exposure; 0: none")
    thickness_cm: float = Field(default=0.15, gt=0, description="of the sample in the beam")
    calibration_factor: float = Field(
        default=1e-6 / 0.845, ge=0, description="monitor counts for each photon detected; 0: not calibrated"
    )
    empty_beam_ratio: float = Field(default=1.0, gt=0, description="diode over monitor without a cell")
    transmission: float = Field(default=0.0, ge=0, le=1, description="instead of the diode's; 0: the diode's")
    polarization: float = Field(default=0.0, ge=0, le=1, description="horizontal less vertical share; 0: not corrected")


class Suspender(_Section):
    """A record that suspends plans while it is outside, and lets them go on when it is well inside again."""

    pv: str = Field(description="record, below the prefix if it starts with a colon")
    below: float | None = Field(default=None, description="suspends below this")
    above: float | None = Field(default=None, description="suspends above this")
    resume: float = Field(description="goes on at this")
    wait_s: float = Field(default=10.0, ge=0, description="wall seconds that it must stay inside")
    why: str = Field(description="said to whoever waits")

    @model_validator(mode="after")
    def _one_side(self) -> Self:
        if (self.below is None) == (self.above is None):
            raise ValueError(f"suspender on {self.pv}: give either below or above")
        return self


def _suspenders() -> list[Suspender]:
    return [
        Suspender(pv=":Reactor:RingCurrent", below=20.0, resume=50.0, why="the storage ring has no beam"),
        Suspender(pv=":Reactor:FrontEnd", below=0.5, resume=0.5, why="the front-end shutter is closed"),
        Suspender(pv=":Reactor:Pressure", above=15.0, resume=12.0, why="the pressure is high: a clog?"),
        Suspender(pv=":Reactor:Interlock", above=0.5, resume=0.5, why="the interlock is tripped"),
        Suspender(pv=":Oven:Nucleation:LOOP1:PV:RBV", above=360.0, resume=355.0, why="the nucleation oven is too hot"),
        Suspender(pv=":Oven:Growth:LOOP1:PV:RBV", above=360.0, resume=355.0, why="the growth oven is too hot"),
    ]


class Settings(BaseSettings):
    """Settings of a session.

    They come from ``MSC_…`` environment variables (nested with two underscores: ``MSC_GEOMETRY__COIL_UL``),
    then from ``msc.toml`` in the working directory, then from the defaults here, which fit the simulated
    reactor.
    """

    model_config = SettingsConfigDict(
        env_prefix=_PREFIX, env_nested_delimiter="__", toml_file=SETTINGS_FILE, extra="forbid"
    )

    prefix: str = Field(default="MSC:", description="of all records of the reactor")
    store: Path = Field(default=Path("msc-data"), description="folder of the Tiled catalogue, frames and journals")
    tiled_uri: str = Field(default="", description="a running Tiled server to write to instead of the folder")
    connect_timeout_s: float = Field(default=5.0, gt=0, description="for the records of a device to answer")
    heartbeat_period_s: float = Field(default=2.0, gt=0, description="wall seconds between heartbeats")
    heartbeat_timeout_s: float = Field(
        default=60.0, ge=0, description="the IOC's seconds without one; 0 switches it off"
    )
    residue: float = Field(
        default=0.01, gt=0, lt=0.5, description="share of the liquid before that may be left in a cell at a measurement"
    )
    syringe_ul: float = Field(default=100_000.0, gt=0, description="capacity of each syringe")
    flush_flow_ul_min: float = Field(default=2000.0, gt=0, description="of solvent, and of one precursor alone")
    families: Path | None = Field(default=None, description="TOML table of cluster families; without it, CdSe's")
    mechanisms: Path | None = Field(
        default=None, description="TOML file of mechanisms that make these families; without it, CdSe's"
    )
    geometry: GeometrySettings = GeometrySettings()
    ovens: OvenSettings = OvenSettings()
    saxs: SaxsSettings = SaxsSettings()
    suspenders: list[Suspender] = Field(default_factory=_suspenders)
    limits: LimitSettings = LimitSettings()
    optics: OpticsSettings = OpticsSettings()

    @field_validator("tiled_uri")
    @classmethod
    def _no_key(cls, value: str) -> str:
        if "api_key=" in value:  # it would be seen in logs and in the arguments of processes
            raise ValueError("leave the key out of it, and give it as TILED_API_KEY")
        return value

    @field_validator("families")
    @classmethod
    def _readable(cls, value: Path | None) -> Path | None:
        try:
            if value is not None:
                load_families(value)
        except OSError as error:
            raise ValueError(f"can't be read: {error.strerror}") from error
        return value

    @cached_property
    def family_table(self) -> FamilyTable:
        """The families that are looked for."""
        return built_in_families() if self.families is None else load_families(self.families)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Environment over file over defaults."""
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)


def read_settings(**overrides: Any) -> Settings:
    """Return the settings of the environment and of ``msc.toml``.

    Parameters
    ----------
    **overrides
        Values that hold whatever environment and file say.

    Raises
    ------
    InputError
        ``msc.toml`` can't be read, or a key or value isn't allowed; the message says which, and where it stands.
    """
    unknown = [f"{name}: {_unknown(key, fields)}" for name, key, fields in _unknown_variables()]
    if unknown:
        raise InputError("; ".join(unknown))
    try:
        return Settings(**overrides)
    except ValidationError as error:
        raise InputError("; ".join(_problem(one, overrides) for one in error.errors())) from error
    except SettingsError as error:  # a variable of the environment that should be JSON
        raise InputError(f"MSC_…: {error}; nested values are set one by one, as MSC_SAXS__USE") from error
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError, ValueError) as error:
        raise InputError(f"{SETTINGS_FILE}: can't be read as TOML: {error}") from error


def _unknown_variables() -> Iterator[tuple[str, str, Mapping[str, FieldInfo]]]:
    """Yield each variable ``MSC_…`` that sets nothing, the key that is not known, and the fields that are."""
    for name in sorted(os.environ):
        if not name.upper().startswith(_PREFIX):
            continue
        fields: Mapping[str, FieldInfo] = Settings.model_fields
        for key in name[len(_PREFIX) :].lower().split("__"):
            if key not in fields:
                yield name, key, fields
                break
            inner = fields[key].annotation
            if not (isinstance(inner, type) and issubclass(inner, BaseModel)):
                break
            fields = inner.model_fields


def _problem(error: ErrorDetails, overrides: Mapping[str, Any]) -> str:
    """Return what is wrong with one value: where it stands, key, value, and what is allowed."""
    path = [str(part) for part in error["loc"]]
    key = ".".join(path) or "settings"
    variables = {name.upper(): name for name in os.environ}
    candidates = [_PREFIX + "__".join(path[:length]).upper() for length in range(len(path), 0, -1)]
    origin = next((variables[name] for name in candidates if name in variables), str(SETTINGS_FILE))
    if path and path[0] in overrides:
        origin = "the command line"
    if error["type"] == "extra_forbidden":
        return f"{origin}: {_unknown(key, _fields_beside(path))}"
    allowed = error["msg"].removeprefix("Value error, ").replace("Input should be", "must be")
    return f"{origin}: {key} = {_shortened(error['input'])}: {allowed}"


def _fields_beside(path: list[str]) -> Mapping[str, FieldInfo]:
    fields: Mapping[str, FieldInfo] = Settings.model_fields
    for part in path[:-1]:
        if part.isdigit():
            continue
        inner = fields[part].annotation
        fields = Suspender.model_fields if part == "suspenders" else cast("type[BaseModel]", inner).model_fields
    return fields


def _unknown(key: str, fields: Mapping[str, FieldInfo]) -> str:
    close = get_close_matches(key.rpartition(".")[2], fields, 1)
    meant = f"did you mean {close[0]!r}? " if close else ""
    return f"there is no setting {key!r}; {meant}There are {', '.join(fields)}"


def _shortened(value: Any) -> str:
    text = re.sub(r"api_key=[^&\s'\"]+", "api_key=…", repr(value))
    return text if len(text) <= 80 else f"{text[:77]}..."
