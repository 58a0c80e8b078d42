"""All plans with arguments that can be done, and a campaign without analysis and store."""

from concurrent.futures import Future

from msc_plans import plans
from msc_plans.advisor.cost import Cost
from msc_plans.advisor.suggestion import Interval, Suggestion
from msc_plans.condition import Condition


class ListAdvisor:
    """Suggests ever higher temperatures."""

    def __init__(self, number=2):
        self.left = number
        self.learnt, self.failures = [], []

    def suggest(self, num_points=None):
        self.left -= 1
        self.condition = Condition(300.0 - 10.0 * self.left, 250.0, 14.0)
        return [{"_id": f"a-{self.left}", **self.condition.as_dict()}]

    def explain(self, trial_id):
        known = Interval(0.1, 0.0, 0.2)
        return Suggestion(
            trial_id, self.condition, "list", "it is next", known, known, known, 0.5, None, Cost(1.0, 2.0)
        )

    def ingest(self, points):
        self.learnt += points

    def register_failures(self, suggestions):
        self.failures += suggestions

    def should_stop(self):
        return self.left == 0, "nothing is left"


class Results:
    """Every outcome is there at once."""

    def outcome(self, raw_uid):
        future = Future()
        future.set_result({"ratio": 0.1})
        return future

    def replay(self, documents):
        pass


def campaign(reactor, spectrometer, *, advisor=None, publish=lambda md, data: "uid", **kwargs):
    told = {"campaign_uid": "c1", **kwargs}
    return plans.msc_campaign(reactor, spectrometer, advisor or ListAdvisor(), Results(), publish, **told)


def all_plans(reactor, spectrometer, saxs):
    """Return each plan by its name as a function of keyword arguments, the least of which are given."""
    devices = {"reactor": reactor, "spectrometer": spectrometer}

    def of(plan, *names, **least):
        given = {name: (devices | {"saxs": saxs})[name] for name in names}
        return lambda **kwargs: plan(**given, **{**least, **kwargs})

    both = ("reactor", "spectrometer")
    condition = {"nucleation_temperature": 280.0, "growth_temperature": 270.0, "residence_time": 14.0}
    ovens = {"nucleation_temperature": 280.0, "growth_temperature": 270.0}
    return {
        "bring_up": of(plans.bring_up, *both, **ovens),
        "flush": of(plans.flush, "reactor"),
        "growth_temperature_scan": of(
            plans.growth_temperature_scan, *both, nucleation_temperatures=[280.0], growth_offsets=[0.0, -10.0]
        ),
        "make_safe": of(plans.make_safe, *both),
        "measure_condition": of(plans.measure_condition, *both, **condition),
        "measure_fractions": of(plans.measure_fractions, *both, fractions=["F1"]),
        "mesophase_scan": of(plans.mesophase_scan, "reactor", "saxs"),
        "msc_campaign": lambda **kwargs: campaign(reactor, spectrometer, **kwargs),
        "nucleation_temperature_scan": of(
            plans.nucleation_temperature_scan, *both, nucleation_temperatures=[280.0, 290.0]
        ),
        "refill": of(plans.refill, "reactor"),
        "residence_time_scan": of(plans.residence_time_scan, *both, residence_times=[14.0]),
        "saxs_calibrate": of(plans.saxs_calibrate, "reactor", "saxs"),
        "standby": of(plans.standby, "reactor"),
        "take_dark_and_reference": of(plans.take_dark_and_reference, *both),
    }
