"""What is stored of a campaign that was interrupted, as far as it matters for going on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from msc_plans.condition import Condition
from msc_plans.plans.operator_decision import Decision
from msc_plans.protocols import History

__all__ = ["StoredCampaign", "read_campaign"]


@dataclass(frozen=True)
class StoredCampaign:
    """The past of a campaign.

    Attributes
    ----------
    outcomes : sequence of mappings
        Of what was measured and analysed, with ``_id`` and condition.
    unanalysed : frozenset of str
        Trials that were measured, but of which no result is stored.
    failed : mapping
        Conditions that failed, by trial.
    suggested : int
        How many conditions were suggested.
    pending : Decision, optional
        Suggested last, and not measured.
    """

    outcomes: Sequence[Mapping[str, Any]] = ()
    unanalysed: frozenset[str] = frozenset()
    failed: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    suggested: int = 0
    pending: Decision | None = None

    @property
    def count(self) -> int:
        """Conditions that were tried."""
        return len(self.outcomes) + len(self.unanalysed) + len(self.failed)


def read_campaign(history: History, campaign_uid: str) -> StoredCampaign:
    """Read what is stored of a campaign.

    Raises
    ------
    ValueError
        Nothing is.
    """
    suggestions = history.suggestions(campaign_uid)
    if not suggestions:
        raise ValueError(f"nothing is stored of a campaign {campaign_uid!r}")
    done = history.done_trials(campaign_uid)
    outcomes = [one for one in history.outcomes(campaign_uid) if one["_id"] in done]
    analysed = {one["_id"] for one in outcomes}
    failed = {name: one for name, one in history.failures(campaign_uid).items() if name not in done}
    last = suggestions[-1]
    tried = last["trial_id"] in done | set(failed) or last.get("decision") in ("rejected", "ended")
    pending = (
        None
        if tried
        else Decision(Condition.from_mapping(last["condition"]), last["trial_id"], last["trial_id"], "taken")
    )
    return StoredCampaign(outcomes, frozenset(done - analysed), failed, len(suggestions), pending)
