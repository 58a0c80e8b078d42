"""The experiments, as Bluesky plans."""

from msc_plans.plan_stubs import flush, make_safe, standby, take_dark_and_reference
from msc_plans.plans.campaign import msc_campaign
from msc_plans.plans.fractions import measure_fractions
from msc_plans.plans.measure import bring_up, measure_condition
from msc_plans.plans.refill import refill
from msc_plans.plans.saxs import mesophase_scan, saxs_calibrate
from msc_plans.plans.scan import growth_temperature_scan, nucleation_temperature_scan, residence_time_scan
from msc_plans.plans.series import CampaignFailedError

__all__ = [
    "CampaignFailedError",
    "bring_up",
    "flush",
    "growth_temperature_scan",
    "make_safe",
    "measure_condition",
    "measure_fractions",
    "mesophase_scan",
    "msc_campaign",
    "nucleation_temperature_scan",
    "refill",
    "residence_time_scan",
    "saxs_calibrate",
    "standby",
    "take_dark_and_reference",
]
