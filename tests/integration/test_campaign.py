"""The campaign's own loop on the soft IOC, with an advisor that reads from a list."""

import pytest

from msc_plans.advisor.cost import Cost
from msc_plans.advisor.suggestion import Interval, Suggestion
from msc_plans.callbacks.publish import publish_run
from msc_plans.callbacks.threaded import Threaded
from msc_plans.callbacks.uvvis import UvVisCallback, UvVisSettings
from msc_plans.condition import Condition
from msc_plans.families import built_in_families
from msc_plans.plans import CampaignFailedError, msc_campaign

GOOD, ALSO_GOOD = Condition(120, 120, 14), Condition(125, 125, 14)
# what no oven limit forbids but no cooling by air reaches in the time allowed
FAILS = Condition(349, 20, 14)


class ListAdvisor:
    def __init__(self, conditions):
        self.waiting = list(conditions)
        self.asked = {}
        self.learnt, self.failed = [], []

    def suggest(self, num_points=None):
        trial_id = f"trial-{len(self.asked)}"
        self.asked[trial_id] = self.waiting.pop(0)
        return [{"_id": trial_id, **self.asked[trial_id].as_dict()}]

    def explain(self, trial_id):
        known = Interval(0.1, 0.0, 0.2)
        return Suggestion(
            trial_id, self.asked[trial_id], "a list", "it is next", known, known, known, 0.5, None, Cost(1.0, 2.0)
        )

    def ingest(self, points):
        self.learnt += points

    def register_failures(self, suggestions):
        self.failed += suggestions

    def should_stop(self):
        return not self.waiting, "the list is empty"


@pytest.fixture
def campaign(RE, reactor, spectrometer):
    published = []
    settings = UvVisSettings(
        spectrometer="spectrometer",
        path_length_cm=0.1,
        full_conversion_height=built_in_families().material.full_conversion_height(0.02, 0.1),
    )
    listeners = [lambda *item: published.append(item)]
    uvvis = UvVisCallback(settings, listeners)
    analysis = Threaded(uvvis, name="analysis of a test")
    RE.subscribe(analysis)
    RE.subscribe(lambda *item: published.append(item))
    timeout = reactor.growth.timeout_s
    reactor.growth.timeout_s = reactor.nucleation.timeout_s = 1.0

    def run(advisor, **kwargs):
        def publish(metadata, data):
            return publish_run(listeners, metadata, data)

        RE(msc_campaign(reactor, spectrometer, advisor, uvvis, publish, campaign_uid="c1", **kwargs))

    yield run, published
    reactor.growth.timeout_s = reactor.nucleation.timeout_s = timeout
    analysis.close()


def starts(published, purpose):
    return [doc for name, doc in published if name == "start" and doc["purpose"] == purpose]


def test_each_condition_is_suggested_measured_analysed_and_learnt(campaign, reactor):
    run, published = campaign
    advisor = ListAdvisor([GOOD, ALSO_GOOD])
    run(advisor)
    assert [Condition.from_mapping(point) for point in advisor.learnt] == [GOOD, ALSO_GOOD]
    assert [point["_id"] for point in advisor.learnt] == ["trial-0", "trial-1"]
    assert {"CdSe-437_ratio", "nc_wavelength_nm", "noise"} <= set(advisor.learnt[0])
    for purpose in ("suggestion", "campaign", "analysis"):
        found = starts(published, purpose)
        assert [doc["trial_id"] for doc in found] == ["c1-001", "c1-002"]
        assert {doc["campaign_uid"] for doc in found} == {"c1"}
    assert reactor.pump_solvent.status.get(use_monitor=False) == "Idle", "made safe at the end"


def test_a_failed_condition_is_told_to_the_advisor_and_the_campaign_goes_on(campaign, caplog):
    run, published = campaign
    advisor = ListAdvisor([GOOD, FAILS, ALSO_GOOD])
    run(advisor)
    assert [s["_id"] for s in advisor.failed] == ["trial-1"]
    assert [point["_id"] for point in advisor.learnt] == ["trial-0", "trial-2"]
    assert [d["exit_status"] for n, d in published if n == "stop"].count("fail") == 1
    assert "did not happen within 1 s" in caplog.text


@pytest.mark.long
def test_too_many_failures_in_a_row_end_it_safely_and_say_why(campaign, reactor):
    run, _ = campaign
    advisor = ListAdvisor([FAILS, FAILS, FAILS])
    with pytest.raises(
        CampaignFailedError, match=r"2 conditions failed in a row, the last at 349 °C → 20 °C, 14 s: .*"
    ):
        run(advisor, failures_allowed=1)
    assert len(advisor.failed) == 2
    assert reactor.growth.setpoint.get() == reactor.standby_temperature.get()
