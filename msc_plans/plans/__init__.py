"""The experiments, as Bluesky plans."""

from msc_plans.plan_stubs import make_safe, take_dark_and_reference
from msc_plans.plans.campaign import CampaignFailedError, msc_campaign
from msc_plans.plans.measure import bring_up, measure_condition
from msc_plans.plans.scan import nucleation_temperature_scan, residence_time_scan

__all__ = [
    "CampaignFailedError",
    "bring_up",
    "make_safe",
    "measure_condition",
    "msc_campaign",
    "nucleation_temperature_scan",
    "residence_time_scan",
    "take_dark_and_reference",
]
