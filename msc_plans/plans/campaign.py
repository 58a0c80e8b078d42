"""The adaptive campaign: ask the advisor, measure, let it learn, until it is done."""

import logging
import uuid
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Protocol

from bluesky.utils import FailedStatus, MsgGenerator, plan

from msc_plans.advisor.suggestion import Suggestion
from msc_plans.condition import Condition
from msc_plans.plan_stubs import compute, make_safe, safely, wait_for_future
from msc_plans.plans.measure import SCHEMA_VERSION, bring_up, condition_run
from msc_plans.protocols import AnalysisFailedError, Publish, Reactor, Results, SpectrometerLike

__all__ = ["CampaignAdvisor", "CampaignFailedError", "msc_campaign"]

log = logging.getLogger(__name__)

ANALYSIS_TIMEOUT_S = 120.0


class CampaignFailedError(RuntimeError):
    """Too many conditions of a campaign failed one after another."""


class CampaignAdvisor(Protocol):
    """An ``Optimizer`` of bluesky_adaptive that takes failures, knows when to stop and gives reasons."""

    def suggest(self, num_points: int | None = None) -> Sequence[Mapping[str, Any]]:
        """Return the next conditions, each with an ``_id``."""
        ...

    def ingest(self, points: Sequence[Mapping[str, Any]]) -> None:
        """Learn from outcomes."""
        ...

    def register_failures(self, suggestions: Sequence[Mapping[str, Any]]) -> None:
        """Learn that conditions could not be measured."""
        ...

    def should_stop(self) -> tuple[bool, str | None]:
        """Return whether to stop, and why."""
        ...

    def explain(self, trial_id: str) -> Suggestion:
        """Return why a condition was suggested, see ``msc_plans.advisor.Suggestion``."""
        ...


@plan
def msc_campaign(
    reactor: Reactor,
    spectrometer: SpectrometerLike,
    advisor: CampaignAdvisor,
    results: Results,
    publish: Publish,
    max_conditions: int = 8,
    failures_allowed: int = 2,
    campaign_uid: str = "",
    md: dict[str, Any] | None = None,
) -> MsgGenerator[str]:
    """Measure what the advisor suggests until it is done; then make the reactor safe.

    Each suggestion is published as a run of its own before anything moves; each condition is a run; what its
    live analysis finds goes to the advisor. The advisor computes on a worker thread while the plan waits.

    Parameters
    ----------
    advisor : CampaignAdvisor
        Which condition next.
    results : Results
        Where outcomes of the live analysis turn up.
    publish : callable
        Stores a suggestion as a run; see :data:`msc_plans.protocols.Publish`.
    max_conditions : int
        At the most.
    failures_allowed : int
        Conditions in a row that may fail before the campaign gives up.

    Returns
    -------
    str
        The campaign's uid.

    Raises
    ------
    CampaignFailedError
        Too many conditions failed in a row; what was measured is stored.
    """
    if max_conditions < 1:
        raise ValueError(f"max_conditions must be 1 or more, not {max_conditions}")
    campaign_uid = campaign_uid or str(uuid.uuid4())
    with ThreadPoolExecutor(1, thread_name_prefix="advisor") as worker:
        loop = _Campaign(reactor, spectrometer, advisor, results, publish, worker, campaign_uid, dict(md or {}))
        yield from safely(loop.run(max_conditions, failures_allowed), reactor, spectrometer)
    yield from make_safe(reactor, spectrometer)
    return campaign_uid


@dataclass
class _Campaign:
    reactor: Reactor
    spectrometer: SpectrometerLike
    advisor: CampaignAdvisor
    results: Results
    publish: Publish
    worker: ThreadPoolExecutor
    uid: str
    md: dict[str, Any]

    def run(self, max_conditions: int, failures_allowed: int) -> MsgGenerator[None]:
        failed_in_a_row = 0
        suggestion = yield from self._suggest()
        first = Condition.from_mapping(suggestion)
        yield from bring_up(self.reactor, self.spectrometer, first.nucleation_temperature, first.growth_temperature)
        for number in range(1, max_conditions + 1):
            try:
                yield from self._measure(suggestion)
                failed_in_a_row = 0
            except (FailedStatus, AnalysisFailedError, TimeoutError) as error:
                failed_in_a_row += 1
                cause = error.__cause__ or error
                log.warning("%s failed: %s", Condition.from_mapping(suggestion), cause)
                failed = suggestion
                yield from compute(self.worker, lambda failed=failed: self.advisor.register_failures([failed]))
                if failed_in_a_row > failures_allowed:
                    raise CampaignFailedError(
                        f"{failed_in_a_row} conditions failed in a row, the last at "
                        f"{Condition.from_mapping(suggestion)}: {cause}"
                    ) from error
            stop, reason = yield from compute(self.worker, self.advisor.should_stop)
            if stop:
                log.info("campaign %s stops: %s", self.uid, reason)
                return
            if number < max_conditions:
                suggestion = yield from self._suggest()

    def _suggest(self) -> MsgGenerator[Mapping[str, Any]]:
        """Ask for the next condition and publish it with its reason, before anything moves."""
        suggestions = yield from compute(self.worker, lambda: self.advisor.suggest(1))
        if not suggestions:
            raise CampaignFailedError("the advisor suggests nothing: no condition is left that its budget pays for")
        suggestion = suggestions[0]
        trial_id = str(suggestion["_id"])
        metadata = {
            "purpose": "suggestion",
            "campaign_uid": self.uid,
            "trial_id": trial_id,
            "condition": Condition.from_mapping(suggestion).as_dict(),
            "schema_version": SCHEMA_VERSION,
        }
        self.publish(metadata, self.advisor.explain(trial_id).as_document())
        return suggestion

    def _measure(self, suggestion: Mapping[str, Any]) -> MsgGenerator[None]:
        condition, trial_id = Condition.from_mapping(suggestion), str(suggestion["_id"])
        # An advisor that can compute in advance does so while ovens travel and the reactor flushes.
        preparing = self.worker.submit(getattr(self.advisor, "prepare", lambda: None))
        uid = yield from condition_run(
            self.reactor,
            self.spectrometer,
            condition,
            purpose="campaign",
            campaign_uid=self.uid,
            trial_id=trial_id,
            md=self.md,
        )
        outcome = yield from wait_for_future(self.results.outcome(uid), ANALYSIS_TIMEOUT_S)
        point = {"_id": trial_id, **condition.as_dict(), **outcome}
        yield from wait_for_future(preparing, ANALYSIS_TIMEOUT_S)
        yield from compute(self.worker, lambda: self.advisor.ingest([point]))
