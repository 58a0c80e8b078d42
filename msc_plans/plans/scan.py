"""Scans of one or both temperatures or of time: each condition is a run of its own, joined by ``campaign_uid``."""

from collections.abc import Sequence
from typing import Any

from bluesky.utils import MsgGenerator, plan

from msc_plans.condition import Condition
from msc_plans.plans.check import MOST_CONDITIONS, as_numbers, check_number
from msc_plans.plans.measure import RunMetadata
from msc_plans.plans.refill import Refill
from msc_plans.plans.series import Order, documented, series
from msc_plans.protocols import Reactor, SaxsLike, SpectrometerLike

__all__ = ["growth_temperature_scan", "nucleation_temperature_scan", "residence_time_scan"]

FIGURE_1_NUCLEATION = (260.0, 270.0, 280.0, 290.0, 300.0, 310.0, 320.0, 330.0, 340.0, 350.0)
FIGURE_1_OFFSETS = (0.0, -10.0, -20.0, -30.0, -40.0, -50.0, -60.0, -70.0, -80.0, -90.0)
FIGURE_2_NUCLEATION = (190.0, 200.0, 210.0, 220.0, 230.0, 240.0, 250.0, 260.0, 270.0, 280.0)
FIGURE_S3_TIMES = (1.5, 3.0, 4.5, 7.6, 10.0, 14.0)


@documented
@plan
def growth_temperature_scan(
    reactor: Reactor,
    spectrometer: SpectrometerLike,
    nucleation_temperatures: Sequence[float] = FIGURE_1_NUCLEATION,
    growth_offsets: Sequence[float] = FIGURE_1_OFFSETS,
    residence_time: float = 14.0,
    saxs: SaxsLike | None = None,
    frame_exposure_s: float = 10.0,
    order: Order = "cheapest",
    refills: Refill = "ask",
    failures_allowed: int = 2,
    sample: str = "",
    lots: dict[str, str] | None = None,
    campaign_uid: str = "",
    background_uid: str = "",
    md: dict[str, Any] | None = None,
) -> MsgGenerator[list[str]]:
    """Measure several growth temperatures for each nucleation temperature: the grid of Fig. 1 by default.

    Parameters
    ----------
    reactor, spectrometer
        The devices.
    nucleation_temperatures
        °C.
    growth_offsets
        Growth less nucleation temperature, K; above 0 the growth oven is the hotter.
    residence_time : float
        s.
    (options)
    """
    temperatures = as_numbers("nucleation_temperatures", nucleation_temperatures)
    offsets = as_numbers("growth_offsets", growth_offsets)
    check_number("the number of conditions", len(temperatures) * len(offsets), 0, MOST_CONDITIONS, "in all")
    conditions = [
        Condition(nucleation, nucleation + offset, residence_time) for nucleation in temperatures for offset in offsets
    ]
    why = RunMetadata("growth_temperature_scan", campaign_uid, "", sample, lots or {}, background_uid, md or {})
    options: dict[str, Any] = {"order": order, "refills": refills, "failures_allowed": failures_allowed}
    return (
        yield from series(
            reactor, spectrometer, conditions, why, saxs=saxs, frame_exposure_s=frame_exposure_s, **options
        )
    )


@documented
@plan
def nucleation_temperature_scan(
    reactor: Reactor,
    spectrometer: SpectrometerLike,
    nucleation_temperatures: Sequence[float] = FIGURE_2_NUCLEATION,
    residence_time: float = 1.5,
    growth_temperature: float | None = 230.0,
    saxs: SaxsLike | None = None,
    frame_exposure_s: float = 10.0,
    order: Order = "cheapest",
    refills: Refill = "ask",
    failures_allowed: int = 2,
    sample: str = "",
    lots: dict[str, str] | None = None,
    campaign_uid: str = "",
    background_uid: str = "",
    md: dict[str, Any] | None = None,
) -> MsgGenerator[list[str]]:
    """Measure at several nucleation temperatures: those of Fig. 2 by default (add ``saxs`` for its frames).

    Parameters
    ----------
    reactor, spectrometer
        The devices.
    nucleation_temperatures
        °C.
    residence_time : float
        s.
    growth_temperature
        °C, above or below; none: the growth oven follows the nucleation oven.
    (options)
    """
    temperatures = as_numbers("nucleation_temperatures", nucleation_temperatures)
    conditions = [
        Condition(t, t if growth_temperature is None else growth_temperature, residence_time) for t in temperatures
    ]
    why = RunMetadata("nucleation_temperature_scan", campaign_uid, "", sample, lots or {}, background_uid, md or {})
    options: dict[str, Any] = {"order": order, "refills": refills, "failures_allowed": failures_allowed}
    return (
        yield from series(
            reactor, spectrometer, conditions, why, saxs=saxs, frame_exposure_s=frame_exposure_s, **options
        )
    )


@documented
@plan
def residence_time_scan(
    reactor: Reactor,
    spectrometer: SpectrometerLike,
    residence_times: Sequence[float] = FIGURE_S3_TIMES,
    nucleation_temperature: float = 280.0,
    growth_temperature: float | None = None,
    saxs: SaxsLike | None = None,
    frame_exposure_s: float = 10.0,
    order: Order = "cheapest",
    refills: Refill = "ask",
    failures_allowed: int = 2,
    sample: str = "",
    lots: dict[str, str] | None = None,
    campaign_uid: str = "",
    background_uid: str = "",
    md: dict[str, Any] | None = None,
) -> MsgGenerator[list[str]]:
    """Measure at several residence times: those of Fig. S3 by default (Fig. S2: 4.5 s).

    Parameters
    ----------
    reactor, spectrometer
        The devices.
    residence_times
        s.
    nucleation_temperature : float
        °C.
    growth_temperature
        °C; none: the growth oven has the nucleation temperature.
    (options)
    """
    growth = nucleation_temperature if growth_temperature is None else growth_temperature
    conditions = [
        Condition(nucleation_temperature, growth, time) for time in as_numbers("residence_times", residence_times)
    ]
    why = RunMetadata("residence_time_scan", campaign_uid, "", sample, lots or {}, background_uid, md or {})
    options: dict[str, Any] = {"order": order, "refills": refills, "failures_allowed": failures_allowed}
    return (
        yield from series(
            reactor, spectrometer, conditions, why, saxs=saxs, frame_exposure_s=frame_exposure_s, **options
        )
    )
