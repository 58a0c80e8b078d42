"""Several conditions in the cheapest order, each a run of its own, joined by ``campaign_uid``."""

import logging
import uuid
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Literal, TypeVar

import bluesky.plan_stubs as bps
from bluesky.utils import FailedStatus, MsgGenerator

from msc_plans.condition import Condition
from msc_plans.plan_stubs import is_tripped, safely
from msc_plans.plans.check import check_choice, check_count
from msc_plans.plans.measure import RunMetadata, arm, check_run, condition_run, require_dark_and_reference
from msc_plans.plans.preflight import forecast, now, preflight, progress
from msc_plans.plans.refill import REFILLS, Refill, refill_if_needed
from msc_plans.plans.schedule import Pace, cheapest_order
from msc_plans.protocols import Reactor, SaxsLike, SpectrometerLike

__all__ = ["CampaignFailedError", "Order", "documented", "exposure_of", "series"]

log = logging.getLogger(__name__)

Order = Literal["cheapest", "given"]
"""In which order conditions are measured: that of the least oven travel, or as they are given."""


_OPTIONS = """saxs
        The SAXS detector; without it spectra only.
    frame_exposure_s : float
        Of each frame, s.
    order
        ``cheapest`` in oven travel, or as ``given``.
    refills
        When a syringe is empty: ``ask`` a person, or ``draw`` from the reservoir.
    failures_allowed : int
        Conditions in a row that may fail.
    sample, lots
        What flows (default: the material of the session's family table), and the precursor lots by name.
    campaign_uid : str
        Joins the runs; default: a new one.
    background_uid : str
        Run of the solvent to subtract from the frames; empty: the session's latest.
    md
        Further entries of the start documents.

    Returns
    -------
    list of str
        The runs' uids, in the order of measurement.

    Raises
    ------
    ValueError
        Any of the conditions can't be done; nothing has moved.
    CampaignFailedError
        Too many conditions failed one after another; what was measured is stored."""

_Plan = TypeVar("_Plan", bound=Callable[..., object])


def documented(plan: _Plan) -> _Plan:
    """Write the options that all series share into a plan's docstring, where it says ``(options)``."""
    plan.__doc__ = (plan.__doc__ or "").replace("(options)", _OPTIONS)
    return plan


class CampaignFailedError(RuntimeError):
    """Too many conditions of a series or campaign failed one after another."""


def series(
    reactor: Reactor,
    spectrometer: SpectrometerLike,
    conditions: Sequence[Condition],
    why: RunMetadata,
    *,
    saxs: SaxsLike | None = None,
    frame_exposure_s: float = 10.0,
    order: Order = "cheapest",
    refills: Refill = "ask",
    failures_allowed: int = 2,
    num: int = 1,
) -> MsgGenerator[list[str]]:
    """Measure conditions; make the reactor safe on stop, abort and exceptions.

    A condition that fails is recorded as failed, and the next one is measured.

    Returns
    -------
    list of str
        The runs' uids, in the order of measurement.

    Raises
    ------
    ValueError
        Any of the conditions can't be done; nothing has moved.
    CampaignFailedError
        More than ``failures_allowed`` conditions failed one after another; what was measured is stored.
    """
    if not conditions:
        raise ValueError(f"{why.purpose}: there are no conditions to measure")
    check_choice("order", order, ("cheapest", "given"))
    check_choice("refills", refills, REFILLS)
    check_count("failures_allowed", failures_allowed, 0)
    for condition in conditions:
        check_run(reactor, condition, num=num, frame_exposure_s=frame_exposure_s)
    yield from require_dark_and_reference(spectrometer)
    exposure_s = yield from exposure_of(spectrometer, saxs, frame_exposure_s, num)
    here = yield from now(reactor, conditions[0].residence_time)
    pace = Pace.of(reactor)
    numbers = cheapest_order(conditions, pace, here) if order == "cheapest" else list(range(len(conditions)))
    ordered = [conditions[number] for number in numbers]
    plan = yield from preflight(reactor, ordered, exposure_s=exposure_s)
    print(f"{why.purpose}: {plan}", flush=True)
    campaign_uid = why.campaign_uid or str(uuid.uuid4())

    def runs() -> MsgGenerator[list[str]]:
        uids: list[str] = []
        failed_in_a_row, place = 0, here
        for done, (number, condition) in enumerate(zip(numbers, ordered, strict=True)):
            rest = ordered[done:]
            left = forecast(rest, pace, exposure_s=exposure_s, start=place).seconds
            print(f"{progress(done, len(ordered), left)}; {done + 1} of {len(ordered)}: {condition}", flush=True)
            yield from refill_if_needed(reactor, place, condition, exposure_s, refills)
            run = condition_run(
                reactor,
                spectrometer,
                condition,
                replace(why, campaign_uid=campaign_uid, trial_id=f"{campaign_uid[:8]}-{number + 1:03d}"),
                saxs=saxs,
                num=num,
                then=rest[1] if len(rest) > 1 else None,
                exposure_s=exposure_s,
            )
            try:
                uids.append((yield from run))
                failed_in_a_row = 0
            except (FailedStatus, TimeoutError) as error:
                if (yield from is_tripped(reactor)):
                    raise
                failed_in_a_row += 1
                cause = error.__cause__ or error
                log.warning("%s failed: %s", condition, cause)
                if failed_in_a_row > failures_allowed:
                    raise CampaignFailedError(
                        f"{failed_in_a_row} conditions failed in a row, the last at {condition}: {cause}"
                    ) from error
            place = condition
        return uids

    plan_of_all = runs() if saxs is None else arm(runs(), saxs, frame_exposure_s)
    return (yield from safely(plan_of_all, reactor, spectrometer, saxs))


def exposure_of(
    spectrometer: SpectrometerLike, saxs: SaxsLike | None, frame_exposure_s: float, num: int = 1
) -> MsgGenerator[float]:
    """Return how long the cells are looked at for each condition, s."""
    integration_ms = yield from bps.rd(spectrometer.integration_time_ms)
    spectra = yield from bps.rd(spectrometer.num_spectra)
    spectrum_s = float(integration_ms) * float(spectra) / 1e3
    return num * max(spectrum_s, 0.0 if saxs is None else frame_exposure_s)
