"""One campaign in the queue: suggest, queue, wait, learn. Everything that matters is in store and queue."""

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from msc_plans.advisor import Advisor
from msc_plans.callbacks.publish import publish_run
from msc_plans.condition import Condition
from msc_plans.errors import InputError
from msc_plans.plans.measure import SCHEMA_VERSION
from msc_plans.plans.resume import StoredCampaign, read_campaign
from msc_plans.queue.held import HeldSuggestions, asked_at_terminal
from msc_plans.queue.items import AgentError, CampaignQueue, Item
from msc_plans.settings import Settings
from msc_plans.storage import CatalogHistory, RunWriter

__all__ = ["Agent", "AgentOptions", "Trial", "say"]

log = logging.getLogger(__name__)

ANALYSED_WITHIN_S = 60.0
STORED_WITHIN_S = 180.0
_POLL_S = 0.5
_STOPPED_WITHIN_S = 5.0
_DEVICES = {"reactor": "reactor", "spectrometer": "spectrometer"}


def say(what: str) -> None:
    """Tell the person at the terminal."""
    print(what, flush=True)


@dataclass(frozen=True)
class Trial:
    """A suggestion on its way: as documents and the advisor call it."""

    trial_id: str
    advisor_id: str
    condition: Condition


@dataclass(frozen=True, kw_only=True)
class AgentOptions:
    """How far an agent goes, and how each condition is measured.

    Attributes
    ----------
    max_conditions : int
        Conditions to try at most, with those before a resume.
    failures_allowed : int
        Conditions in a row that may fail.
    saxs : bool
        Take SAXS frames as well.
    frame_exposure_s : float
        Exposure time of each frame, s.
    sample : str
        Name of what flows.
    refills : {'ask', 'draw'}
        What happens when a syringe is empty.
    hold : bool
        Hold each suggestion until a person releases it.
    resume : bool
        Go on with what is stored of the campaign.
    """

    max_conditions: int = 8
    failures_allowed: int = 2
    saxs: bool = False
    frame_exposure_s: float = 10.0
    sample: str = ""
    refills: str = "ask"
    hold: bool = False
    resume: bool = False


class Agent:
    """One campaign: everything that matters is in store and queue, so that it can be resumed from there.

    Parameters
    ----------
    settings : Settings
        Store and optics.
    options : AgentOptions
        How far it goes, and how each condition is measured.
    uid : str
        Of the campaign.
    advisor : Advisor
        Which condition next.
    queue : CampaignQueue
        Where it is measured.
    catalog
        Where it is stored.
    writer : RunWriter
        Brings suggestions there.
    """

    def __init__(
        self,
        settings: Settings,
        options: AgentOptions,
        uid: str,
        advisor: Advisor,
        queue: CampaignQueue,
        catalog: Any,
        writer: RunWriter,
    ) -> None:
        self.settings = settings
        self.options = options
        self.uid = uid
        self.advisor = advisor
        self.queue = queue
        self.catalog = catalog
        self.writer = writer
        self.held = HeldSuggestions(settings.store)
        self.count = 0
        self.suggested = 0
        self.alarm = ""

    def run(self) -> None:
        """Go on until the advisor is done, or enough conditions have been tried; then make the reactor safe.

        Raises
        ------
        AgentError
            The campaign can't go on.
        """
        trial = self._learn_the_past()
        say(f"Campaign {self.uid}: {self.advisor.goal}; {self.count} of at most {self.options.max_conditions} tried.")
        failed_in_a_row = 0
        self.queue.go_on()
        while True:
            trial = trial or self._next()
            if trial is None:
                break
            why = self._try(trial)
            if why is None:
                failed_in_a_row = 0
            elif why:
                failed_in_a_row += 1
                log.warning("%s failed: %s", trial.condition, why)
                if failed_in_a_row > self.options.failures_allowed:
                    raise AgentError(
                        f"{failed_in_a_row} conditions failed in a row, the last at {trial.condition}: {why}"
                    )
                self.queue.go_on()
            trial = None
        self._make_safe()

    # -- one condition

    def _next(self) -> Trial | None:
        """Return the next suggestion, published; None when the campaign is over."""
        if self.count >= self.options.max_conditions:
            return None
        if self.count:
            stop, reason = self.advisor.should_stop()
            if stop:
                say(f"The campaign is done: {reason}.")
                return None
        suggestions = self.advisor.suggest(1)
        if not suggestions:
            say("The campaign is done: no condition is left.")
            return None
        self.suggested += 1
        trial_id = f"{self.uid[:8]}-{self.suggested:03d}"
        trial = Trial(trial_id, str(suggestions[0]["_id"]), Condition.from_mapping(suggestions[0]))
        told = self.advisor.explain(trial.advisor_id)
        self._publish(trial, "held" if self.options.hold else "taken", told.as_document())
        say(f"{trial_id}: {trial.condition}\n  why: {told.reason}")
        return trial

    def _try(self, trial: Trial) -> str | None:
        """Let a condition be measured and learn from it; returns why it failed, None if it did not.

        Empty: a person did not want it.
        """

        def mine(item: Item) -> bool:
            return item.get("kwargs", {}).get("trial_id") == trial.trial_id

        if not self.queue.state_of(mine):
            if self.options.hold and not self._released(trial):
                return self._reject(trial)
            self._bring_up(trial.condition)
            self.queue.add("measure_condition", self._measurement(trial), {})
        self.held.forget(trial.trial_id)
        # what takes the advisor seconds is done while the reactor is busy
        ended = self.queue.follow(mine, self._prepare, lambda: self._measured(trial))
        outcome, why = None, ""
        if ended in ("completed", "stopped") or self._measured(trial):
            outcome, why = self._stored(trial, patient=ended != "stopped")
        elif ended == "failed":
            why = self.queue.why_failed(mine).strip() or "see the queue's history"
        self.queue.remove_ended(mine)
        if outcome is not None:
            if ended == "failed":
                self.queue.go_on()
            self.count += 1
            self.advisor.ingest([{"_id": trial.advisor_id, **trial.condition.as_dict(), **outcome}])
            return None
        if ended not in ("completed", "failed"):
            return self._reject(trial)
        self.count += 1
        self.advisor.register_failures([{"_id": trial.advisor_id, **trial.condition.as_dict()}])
        return why

    def _measurement(self, trial: Trial) -> dict[str, Any]:
        saxs = {"saxs": "saxs", "frame_exposure_s": self.options.frame_exposure_s} if self.options.saxs else {}
        return {
            **_DEVICES,
            **trial.condition.as_dict(),
            **saxs,
            "sample": self.options.sample,
            "refills": self.options.refills,
            "purpose": "campaign",
            "campaign_uid": self.uid,
            "trial_id": trial.trial_id,
        }

    def _released(self, trial: Trial) -> bool:
        """Wait until a person has decided."""
        trial_id = trial.trial_id
        self.held.hold(trial_id, {"trial_id": trial_id, "campaign_uid": self.uid, **trial.condition.as_dict()})
        say(f"  held: msc agent --release {trial_id} (or Enter here), msc agent --reject {trial_id} (or n)")
        while not (word := self.held.decision(trial_id) or asked_at_terminal(_POLL_S)):
            pass
        say(f"  {word}")
        return word == "released"

    def _reject(self, trial: Trial) -> str:
        """Note in the store that a condition is not wanted, so that a resume does not ask for it again."""
        say(f"  {trial.trial_id} is not wanted")
        self._publish(trial, "rejected", {})
        self.suggested += 1  # of the store's suggestions that was one more
        self.held.forget(trial.trial_id)
        self.advisor.register_failures([{"_id": trial.advisor_id, **trial.condition.as_dict()}])
        return ""

    def _prepare(self) -> None:
        self.advisor.prepare()
        alarm = self.advisor.alarm or ""
        if alarm and alarm != self.alarm:
            log.warning("*** ALARM *** %s", alarm)
        self.alarm = alarm

    # -- before and after

    def _bring_up(self, condition: Condition) -> None:
        def mine(item: Item) -> bool:
            return item["name"] == "bring_up" and item.get("meta", {}).get("campaign_uid") == self.uid

        if not self.queue.state_of(mine):
            temperatures = condition.as_dict()
            del temperatures["residence_time"]
            asked = {**_DEVICES, **temperatures, "refills": self.options.refills}
            self.queue.add("bring_up", asked, {"campaign_uid": self.uid})
        if self.queue.follow(mine) == "failed":
            why = self.queue.why_failed(mine).strip()
            self.queue.remove_ended(mine)
            raise AgentError(f"bring_up failed: {why}")

    def _make_safe(self) -> None:
        def mine(item: Item) -> bool:
            meta = item.get("meta", {})
            return item["name"] == "make_safe" and (meta.get("campaign_uid"), meta.get("tried")) == (
                self.uid,
                self.count,
            )

        if not self.queue.state_of(mine):
            self.queue.add("make_safe", _DEVICES, {"campaign_uid": self.uid, "tried": self.count})
        ended = self.queue.follow(mine)
        if ended != "completed":
            raise AgentError(f"make_safe has {ended or 'gone'}; look at pumps and ovens")
        say(f"{self.count} conditions tried; the reactor is safe. Runs: {self.settings.store} (campaign {self.uid})")

    # -- the store

    def _learn_the_past(self) -> Trial | None:
        """Hand the advisor what is stored of the campaign; returns the suggestion that is still under way."""
        if not self.options.resume:
            return None
        try:
            past: StoredCampaign = read_campaign(self._history(), self.uid)
        except ValueError as error:
            raise InputError(str(error)) from error
        outcomes = list(past.outcomes)
        failed = dict(past.failed)
        for trial_id in sorted(past.unanalysed):
            condition = self._history(trial_id).raw_documents(self.uid, trial_id)[0][1]["condition"]
            outcome, _ = self._stored(Trial(trial_id, trial_id, condition))
            if outcome is None:
                failed[trial_id] = condition
            else:
                outcomes.append({"_id": trial_id, **condition, **outcome})
        self.advisor.ingest(outcomes)
        self.advisor.register_failures([{"_id": name, **condition} for name, condition in failed.items()])
        self.count, self.suggested = past.count, past.suggested
        known = failed.keys() | {one["_id"] for one in outcomes}
        self.queue.remove_ended(lambda item: item.get("kwargs", {}).get("trial_id") in known)
        if past.pending is None:
            return None
        return Trial(past.pending.trial_id, past.pending.trial_id, past.pending.condition)

    def _measured(self, trial: Trial) -> bool:
        return trial.trial_id in self._history(trial.trial_id).done_trials(self.uid)

    def _stored(self, trial: Trial, *, patient: bool = True) -> tuple[Mapping[str, Any] | None, str]:
        """Wait for the outcome of a trial that has been measured; returns it, or None and why there is none."""
        begun, analysed = time.monotonic(), False
        while (waited_s := time.monotonic() - begun) < STORED_WITHIN_S:
            history = self._history(trial.trial_id)
            measured = trial.trial_id in history.done_trials(self.uid)
            for outcome in history.outcomes(self.uid) if measured else ():
                try:
                    self.advisor.observables.observation(outcome)
                except ValueError:
                    continue  # of another analysis, which was quicker
                return {key: value for key, value in outcome.items() if key != "_id"}, ""
            if trial.trial_id in history.failures(self.uid):
                return None, "the run, or its analysis, failed"
            if not measured and not patient and waited_s > _STOPPED_WITHIN_S:
                return None, "stopped by a person before anything was measured"
            if measured and not analysed and waited_s > ANALYSED_WITHIN_S:
                self._analyse(history, trial.trial_id)
                analysed = True
            time.sleep(_POLL_S)
        return None, f"nothing is stored of {trial.trial_id} after {STORED_WITHIN_S:g} s"

    def _analyse(self, history: CatalogHistory, trial_id: str) -> None:
        """Do what the worker would have done, had it not died."""
        from msc_plans.callbacks.uvvis import UvVisCallback
        from msc_plans.session.analyses import uvvis_settings

        log.warning("%s was measured but not analysed; analysing it here", trial_id)
        callback = UvVisCallback(
            uvvis_settings(self.settings.optics, self.settings.family_table, "spectrometer"), [self.writer]
        )
        callback.replay(history.raw_documents(self.uid, trial_id))
        self.writer.flush()

    def _history(self, trial_id: str = "") -> CatalogHistory:
        """Return what is stored, of one trial only where that will do."""
        from tiled.queries import Key

        return CatalogHistory(self.catalog.search(Key("trial_id") == trial_id) if trial_id else self.catalog)

    def _publish(self, trial: Trial, decision: str, told: Mapping[str, Any]) -> None:
        metadata = {
            "purpose": "suggestion",
            "campaign_uid": self.uid,
            "trial_id": trial.trial_id,
            "condition": trial.condition.as_dict(),
            "decision": decision,
            "alarm": self.alarm,
            "schema_version": SCHEMA_VERSION,
        }
        publish_run([self.writer], metadata, told)
        if not self.writer.flush():
            raise AgentError(f"{trial.trial_id} can't be stored; what would be measured next would not be known")
