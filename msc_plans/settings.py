"""What a site sets once: prefix, store, volumes, limits, optics. Environment over file over defaults."""

from pathlib import Path

from pydantic import BaseModel, Field
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

__all__ = ["GeometrySettings", "LimitSettings", "OpticsSettings", "Settings"]

SETTINGS_FILE = Path("msc.toml")


class GeometrySettings(BaseModel):
    """Volumes, µL."""

    chamber_ul: float = Field(default=11.5, gt=0)
    coil_ul: float = Field(default=240.0, gt=0)
    dead_ul: float = Field(default=60.0, ge=0)
    cell_ul: float = Field(default=10.0, ge=0)
    cd_fraction: float = Field(default=0.5, gt=0, lt=1)


class LimitSettings(BaseModel):
    """What may be asked of the reactor: °C, µL/min."""

    nucleation_temperature: tuple[float, float] = (20.0, 350.0)
    growth_temperature: tuple[float, float] = (20.0, 350.0)
    flow_ul_min: tuple[float, float] = (50.0, 12000.0)


class OpticsSettings(BaseModel):
    """The optical cell and what flows through it."""

    path_length_cm: float = Field(default=0.1, gt=0)
    cd_concentration_mol_l: float = Field(default=0.02, gt=0, description="Cd in the mixture")
    saturation_counts: float | None = Field(default=262143.0, description="full scale of the QEPro's 18 bits")


class Settings(BaseSettings):
    """Settings of a session.

    They come from ``MSC_…`` environment variables (nested with two underscores: ``MSC_GEOMETRY__COIL_UL``),
    then from ``msc.toml`` in the working directory, then from the defaults here, which fit the simulated
    reactor.
    """

    model_config = SettingsConfigDict(
        env_prefix="MSC_", env_nested_delimiter="__", toml_file=SETTINGS_FILE, extra="forbid"
    )

    prefix: str = "MSC:"
    store: Path = Field(default=Path("msc-data"), description="folder of the Tiled catalogue, frames and journals")
    tiled_uri: str = Field(default="", description="a running Tiled server to write to instead of the folder")
    connect_timeout_s: float = Field(default=5.0, gt=0)
    heartbeat_period_s: float = Field(default=2.0, gt=0, description="wall seconds between heartbeats")
    heartbeat_timeout_s: float = Field(
        default=60.0, ge=0, description="the IOC's seconds without one; 0 switches it off"
    )
    geometry: GeometrySettings = GeometrySettings()
    limits: LimitSettings = LimitSettings()
    optics: OpticsSettings = OpticsSettings()

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
