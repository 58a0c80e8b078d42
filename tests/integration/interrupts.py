"""What the interrupt tests share: a campaign from a list, its documents as history, and trouble at message N."""

import asyncio
from concurrent.futures import Future

from msc_plans.advisor.cost import Cost
from msc_plans.advisor.suggestion import Interval, Suggestion
from msc_plans.callbacks.publish import publish_run
from msc_plans.condition import Condition

CONDITIONS = (Condition(120, 118, 14), Condition(124, 122, 14))
UID = "c1"


class ListAdvisor:
    """Suggests what is on its list and not measured yet; what failed is suggested again."""

    def __init__(self, conditions=CONDITIONS):
        self.wanted = list(conditions)
        self.asked = {}
        self.learnt = {}

    def suggest(self, num_points=None):
        trial_id = f"trial-{len(self.asked)}"
        self.asked[trial_id] = next(one for one in self.wanted if one not in self.learnt)
        return [{"_id": trial_id, **self.asked[trial_id].as_dict()}]

    def explain(self, trial_id):
        known = Interval(0.1, 0.0, 0.2)
        condition = self.asked[trial_id]
        return Suggestion(trial_id, condition, "a list", "it is next", known, known, known, 0.5, None, Cost(1.0, 2.0))

    def ingest(self, points):
        self.learnt |= {Condition.from_mapping(point): point for point in points}

    def register_failures(self, suggestions):
        pass

    def should_stop(self):
        return set(self.wanted) <= set(self.learnt), "the list is done"


class Store:
    """Documents of a campaign: the history of what ran, and the outcome of each run without any analysis."""

    def __init__(self):
        self.starts, self.stops, self.events = {}, {}, {}
        self._streams = {}
        self._futures = {}

    def __call__(self, name, doc):
        if name == "start":
            self.starts[doc["uid"]] = doc
            self.events[doc["uid"]] = []
        elif name == "descriptor":
            self._streams[doc["uid"]] = (doc["run_start"], doc["name"])
        elif name == "event":
            run, stream = self._streams[doc["descriptor"]]
            self.events[run].append((stream, doc["seq_num"]))
        elif name == "stop":
            self.stops[doc["run_start"]] = doc
            if self.starts[doc["run_start"]]["purpose"] == "campaign" and self.success(doc["run_start"]):
                self._analyse(self.starts[doc["run_start"]])

    def _analyse(self, start):
        keys = {key: start[key] for key in ("campaign_uid", "trial_id", "condition")}
        publish_run([self], {"purpose": "analysis", **keys}, {"ratio": 0.1})
        self.outcome(start["uid"]).set_result({"ratio": 0.1})

    def success(self, uid):
        return self.stops[uid]["exit_status"] == "success"

    def runs(self, purpose):
        return [uid for uid, start in self.starts.items() if start["purpose"] == purpose]

    # -- what a campaign asks of results and history

    def outcome(self, uid):
        return self._futures.setdefault(uid, Future())

    def publish(self, metadata, data):
        return publish_run([self], metadata, data)

    def _raw(self):
        return {self.starts[uid]["trial_id"]: uid for uid in self.runs("campaign") if uid in self.stops}

    def done_trials(self, campaign_uid):
        return {trial for trial, uid in self._raw().items() if self.success(uid)}

    def outcomes(self, campaign_uid):
        found = [self.starts[uid] for uid in self.runs("analysis")]
        return [{"_id": start["trial_id"], **start["condition"], "ratio": 0.1} for start in found]

    def suggestions(self, campaign_uid):
        return [self.starts[uid] for uid in self.runs("suggestion")]

    def failures(self, campaign_uid):
        failed = {trial: uid for trial, uid in self._raw().items() if self.stops[uid]["exit_status"] == "fail"}
        return {trial: self.starts[uid]["condition"] for trial, uid in failed.items()}

    def measured(self):
        """Conditions of the raw runs that ended in success, in their order."""
        done = [uid for uid in self.runs("campaign") if self.success(uid)]
        return [Condition.from_mapping(self.starts[uid]["condition"]) for uid in done]


class InjectedError(Exception):
    """The exception that is thrown into the plan."""


class AtMessage:
    """A ``msg_hook`` and preprocessor that counts the campaign's messages and does something at one of them."""

    def __init__(self, number=None, do=lambda: None, *, throw=False):
        self.seen = []
        self._number, self._do, self.throw = number, do, throw

    def __call__(self, msg):
        """The hook: called by the RunEngine before it does what the message says."""
        if len(self.seen) == self._number and not self.throw:
            self._do()
        self.seen.append(msg)

    def throwing(self, plan):
        """Throw an exception into a plan in place of its message."""
        answer, count = None, 0
        while True:
            try:
                msg = plan.send(answer)
                if count == self._number:
                    msg = plan.throw(InjectedError("thrown by the test"))
            except StopIteration as end:
                return end.value
            count += 1
            while True:
                try:
                    answer = yield msg
                    break
                except GeneratorExit:
                    plan.close()
                    raise
                except Exception as error:  # noqa: BLE001  those of the RunEngine go to the plan
                    try:
                        msg = plan.throw(error)
                    except StopIteration as end:
                        return end.value


def pause(RE):
    """Ask for a pause from within the RunEngine's own loop, so that it comes at this very message."""
    asyncio.run_coroutine_threadsafe(RE._request_pause_coro(), RE.loop)
