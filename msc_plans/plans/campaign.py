"""The adaptive campaign: ask the advisor, measure, let it learn, until it is done."""

import logging
import uuid
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import bluesky.plan_stubs as bps
from bluesky.utils import FailedStatus, MsgGenerator, plan

from msc_plans.advisor.suggestion import Suggestion
from msc_plans.condition import Condition
from msc_plans.plan_stubs import compute, is_tripped, make_safe, safely, wait_for_future
from msc_plans.plans.check import check_choice, check_count, check_flag
from msc_plans.plans.measure import SCHEMA_VERSION, RunMetadata, arm, bring_up_steps, check_exposure, condition_run
from msc_plans.plans.operator_decision import Decision, decide
from msc_plans.plans.preflight import now, progress
from msc_plans.plans.refill import REFILLS, Refill, refill_if_needed
from msc_plans.plans.resume import StoredCampaign, read_campaign
from msc_plans.plans.schedule import Pace
from msc_plans.plans.series import CampaignFailedError, exposure_of
from msc_plans.protocols import AnalysisFailedError, History, Publish, Reactor, Results, SaxsLike, SpectrometerLike

__all__ = ["CampaignAdvisor", "msc_campaign"]

log = logging.getLogger(__name__)

ANALYSIS_TIMEOUT_S = 120.0


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
    saxs: SaxsLike | None = None,
    frame_exposure_s: float = 10.0,
    confirm: bool = False,
    refills: Refill = "ask",
    resume: str = "",
    history: History | None = None,
    sample: str = "",
    lots: dict[str, str] | None = None,
    campaign_uid: str = "",
    num_spectra: int = 5,
    md: dict[str, Any] | None = None,
) -> MsgGenerator[str]:
    """Measure what the advisor suggests until it is done; then make the reactor safe.

    Each suggestion is published as a run of its own before anything moves; each condition is a run; what its
    live analysis finds goes to the advisor. The advisor computes on a worker thread while the plan waits.

    Parameters
    ----------
    reactor, spectrometer
        The devices.
    advisor : CampaignAdvisor
        Which condition next.
    results : Results
        Where outcomes of the live analysis turn up.
    publish : callable
        Stores a suggestion as a run; see :data:`msc_plans.protocols.Publish`.
    max_conditions : int
        At the most, with those measured before a resume.
    failures_allowed : int
        Conditions in a row that may fail before the campaign gives up.
    saxs
        The SAXS detector; without it spectra only.
    frame_exposure_s : float
        Of each frame, s.
    confirm : bool
        Show each suggestion and ask whether to accept, edit or reject it.
    refills
        When a syringe is empty: ``ask`` a person, or ``draw`` from the reservoir.
    resume : str
        Uid of a campaign that was interrupted: what is stored of it is learnt, nothing is measured twice.
    history : History
        What is stored; needed to resume.
    sample, lots
        What flows (default: the material of the session's family table), and the precursor lots by name.
    campaign_uid : str
        Default: a new one.
    num_spectra : int
        Averaged into each.
    md
        Further entries of the start documents.

    Returns
    -------
    str
        The campaign's uid.

    Raises
    ------
    ValueError
        A number out of range, or a campaign to be resumed of which nothing is stored; nothing has moved.
    CampaignFailedError
        Too many conditions failed in a row; what was measured is stored.
    """
    check_count("max_conditions", max_conditions)
    check_count("failures_allowed", failures_allowed, 0)
    check_count("num_spectra", num_spectra)
    check_exposure(frame_exposure_s)
    check_flag("confirm", confirm)
    check_choice("refills", refills, REFILLS)
    if not isinstance(resume, str):
        raise ValueError(f"resume must be the uid of a campaign, not {resume!r}")
    if resume and history is None:
        raise ValueError("a campaign is resumed from what is stored of it; give its history")
    uid = resume or campaign_uid or str(uuid.uuid4())
    why = RunMetadata("campaign", uid, "", sample, lots or {}, md=md or {})
    with ThreadPoolExecutor(1, thread_name_prefix="advisor") as worker:
        loop = _Campaign(
            reactor, spectrometer, saxs, advisor, results, publish, worker, why, frame_exposure_s, confirm, refills,
            num_spectra,
        )  # fmt: skip
        if resume and history is not None:
            past = yield from compute(worker, lambda: read_campaign(history, uid))
            loop.past = past
            yield from loop.learn_the_past(history)
        if loop.past.count >= max_conditions:
            return uid
        run = loop.run(max_conditions, failures_allowed)

        def whole() -> MsgGenerator[None]:
            yield from run if saxs is None else arm(run, saxs, frame_exposure_s)
            yield from make_safe(reactor, spectrometer, saxs)

        yield from safely(whole(), reactor, spectrometer, saxs)
    return uid


@dataclass
class _Campaign:
    reactor: Reactor
    spectrometer: SpectrometerLike
    saxs: SaxsLike | None
    advisor: CampaignAdvisor
    results: Results
    publish: Publish
    worker: ThreadPoolExecutor
    why: RunMetadata
    frame_exposure_s: float
    confirm: bool
    refills: Refill
    num_spectra: int
    past: StoredCampaign = StoredCampaign()  # noqa: RUF009  it is frozen
    alarm: str = ""
    seconds: list[float] = field(default_factory=list)
    """Estimated time of each condition of this session, s."""

    def learn_the_past(self, history: History) -> MsgGenerator[None]:
        """Hand the advisor what is stored; analyse what was measured but not analysed."""
        outcomes = list(self.past.outcomes)
        for trial_id in sorted(self.past.unanalysed):
            documents = history.raw_documents(self.why.campaign_uid, trial_id)
            start = documents[0][1]
            yield from compute(self.worker, lambda documents=documents: self.results.replay(documents))
            try:
                outcome = yield from wait_for_future(self.results.outcome(start["uid"]), ANALYSIS_TIMEOUT_S)
            except AnalysisFailedError as error:
                log.warning("trial %s can't be analysed: %s", trial_id, error)
                failed = {"_id": trial_id, **start["condition"]}
                yield from compute(self.worker, lambda failed=failed: self.advisor.register_failures([failed]))
                continue
            outcomes.append({"_id": trial_id, **start["condition"], **outcome})
        yield from compute(self.worker, lambda: self.advisor.ingest(outcomes))
        failures = [{"_id": name, **condition} for name, condition in self.past.failed.items()]
        if failures:
            yield from compute(self.worker, lambda: self.advisor.register_failures(failures))

    def run(self, max_conditions: int, failures_allowed: int) -> MsgGenerator[None]:
        """Run the campaign to its end."""
        failed_in_a_row = 0
        decision = self.past.pending
        if decision is None:
            if self.past.count and (yield from self._is_over()):
                return
            decision = yield from self._suggest()
        if decision is None:
            return
        first = decision.condition
        ovens = (first.nucleation_temperature, first.growth_temperature)
        yield from bring_up_steps(
            self.reactor, self.spectrometer, *ovens, num_spectra=self.num_spectra, refills=self.refills
        )
        for number in range(self.past.count + 1, max_conditions + 1):
            try:
                yield from self._measure(decision, number, max_conditions)
                failed_in_a_row = 0
            except (FailedStatus, AnalysisFailedError, TimeoutError) as error:
                if (yield from is_tripped(self.reactor)):
                    raise
                failed_in_a_row += 1
                cause = error.__cause__ or error
                log.warning("%s failed: %s", decision.condition, cause)
                failed = {"_id": decision.advisor_id, **decision.condition.as_dict()}
                yield from compute(self.worker, lambda failed=failed: self.advisor.register_failures([failed]))
                if failed_in_a_row > failures_allowed:
                    raise CampaignFailedError(
                        f"{failed_in_a_row} conditions failed in a row, the last at {decision.condition}: {cause}"
                    ) from error
            if number == max_conditions or (yield from self._is_over()):
                return
            decision = yield from self._suggest()
            if decision is None:
                return

    def _is_over(self) -> MsgGenerator[bool]:
        stop, reason = yield from compute(self.worker, self.advisor.should_stop)
        if stop:
            print(f"campaign {self.why.campaign_uid[:8]} is done: {reason}", flush=True)
        return stop

    def _suggest(self) -> MsgGenerator[Decision | None]:
        """Ask for the next condition, let a person decide, and publish it with its reason, before anything moves."""
        while True:
            suggestions = yield from compute(self.worker, lambda: self.advisor.suggest(1))
            if not suggestions:
                raise CampaignFailedError("the advisor suggests nothing: no condition is left that its budget pays for")
            told = self.advisor.explain(str(suggestions[0]["_id"]))
            condition = Condition.from_mapping(suggestions[0])
            self.past = replace(self.past, suggested=self.past.suggested + 1)
            trial_id = f"{self.why.campaign_uid[:8]}-{self.past.suggested:03d}"
            decision = Decision(condition, trial_id, str(suggestions[0]["_id"]), "taken")
            if self.confirm:
                decision = yield from decide(self.reactor, decision, told)
            metadata = {
                "purpose": "suggestion",
                "campaign_uid": self.why.campaign_uid,
                "trial_id": trial_id,
                "condition": decision.condition.as_dict(),
                "decision": decision.word,
                "alarm": self.alarm,
                "schema_version": SCHEMA_VERSION,
            }
            self.publish(metadata, told.as_document())
            yield from bps.checkpoint()
            if decision.word == "ended":
                return None
            if decision.word != "rejected":
                return decision
            rejected = suggestions[0]
            yield from compute(self.worker, lambda rejected=rejected: self.advisor.register_failures([rejected]))

    def _show(self, number: int, most: int, here: Condition, condition: Condition, exposure_s: float) -> None:
        """Say which condition is next, and how long it takes with those after it, each as long as those so far."""
        pace = Pace.of(self.reactor)
        self.seconds.append(pace.seconds(here, condition, exposure_s, known_ahead=False))
        # the way to the first one, from cold, is of no use to know the others by
        known = self.seconds[1:] or [pace.seconds(condition, condition, exposure_s)]
        left_s = self.seconds[-1] + (most - number) * sum(known) / len(known)
        shown = progress(number - 1, most, left_s)
        print(f"{shown}; condition {number} of at most {most}: {condition}", flush=True)

    def _measure(self, decision: Decision, number: int, most: int) -> MsgGenerator[None]:
        condition = decision.condition
        exposure_s = yield from exposure_of(self.spectrometer, self.saxs, self.frame_exposure_s)
        here = yield from now(self.reactor, condition.residence_time)
        self._show(number, most, here, condition, exposure_s)
        yield from refill_if_needed(self.reactor, here, condition, exposure_s, self.refills)
        # an advisor that can compute in advance does so while ovens travel and the reactor flushes
        preparing = self.worker.submit(self._prepare)
        uid = yield from condition_run(
            self.reactor,
            self.spectrometer,
            condition,
            replace(self.why, trial_id=decision.trial_id),
            saxs=self.saxs,
        )
        yield from bps.checkpoint()
        outcome = yield from wait_for_future(self.results.outcome(uid), ANALYSIS_TIMEOUT_S)
        point = {"_id": decision.advisor_id, **condition.as_dict(), **outcome}
        yield from wait_for_future(preparing, ANALYSIS_TIMEOUT_S)
        yield from compute(self.worker, lambda: self.advisor.ingest([point]))

    def _prepare(self) -> None:
        """What the advisor can do while the reactor is busy; runs on the worker."""
        getattr(self.advisor, "prepare", lambda: None)()
        alarm = getattr(self.advisor, "alarm", None) or ""
        if alarm and alarm != self.alarm:
            log.warning("*** ALARM *** %s", alarm)
        self.alarm = alarm
