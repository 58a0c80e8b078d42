"""A person decides on what the advisor suggests."""

from dataclasses import dataclass, replace

import bluesky.plan_stubs as bps
import bluesky.preprocessors as bpp
from bluesky.utils import MsgGenerator

from msc_plans.advisor.suggestion import Suggestion
from msc_plans.condition import Condition
from msc_plans.protocols import Reactor

__all__ = ["Decision", "decide"]

_ASK = "Enter: measure it; three numbers (°C °C s): measure that instead; n: suggest another; q: end the campaign > "


@dataclass(frozen=True)
class Decision:
    """What is to be measured next.

    Attributes
    ----------
    condition : Condition
        The advisor's or the person's.
    trial_id, advisor_id : str
        In documents, and as the advisor calls it.
    word : str
        ``taken``, ``edited``, ``rejected`` or ``ended``.
    """

    condition: Condition
    trial_id: str
    advisor_id: str
    word: str


def decide(reactor: Reactor, decision: Decision, told: Suggestion) -> MsgGenerator[Decision]:
    """Show a suggestion with its reason and ask until the answer can be understood and done."""
    expected = told.ratio
    print(
        f"\nSuggested: {told.condition}\n  why: {told.reason}\n"
        f"  expected ratio {expected.median:.3f} ({expected.low:.3f} to {expected.high:.3f}); "
        f"runner-up: {told.runner_up or 'none'}",
        flush=True,
    )
    while True:
        # not rewindable: an answer to a question that RunEngine repeats would not get here
        answer = yield from bpp.rewindable_wrapper(bps.input_plan(_ASK), False)
        if answer is None:  # interrupted; Enter is an empty answer
            continue
        words = str(answer).split()
        if words in ([], ["y"]):
            return decision
        if words in (["n"], ["q"]):
            return replace(decision, word="rejected" if words == ["n"] else "ended")
        try:
            asked = Condition(*(float(word) for word in words))
            reactor.check_value(asked.as_dict())
        except (TypeError, ValueError) as error:
            print(f"{answer!r} can't be understood: {error}", flush=True)
            continue
        return replace(decision, condition=asked, word="edited")
