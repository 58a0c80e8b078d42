"""The adaptive retelling: campaigns that look for the paper's conclusions among its conditions, one a goal.

What the advisor concludes is stored as an analysis of the campaign's last run, so that a report needs the archive only.
"""

import json
import uuid
from collections.abc import Mapping
from dataclasses import asdict
from importlib.metadata import version
from typing import Any, Final

import numpy as np

from msc_plans.advisor import Advisor
from msc_plans.advisor.goals import DiscriminateGoal, MapGoal
from msc_plans.paper.claims.optical import GRID_NUCLEATION, GRID_S, TIMES_S
from msc_plans.paper.records import CONCLUSION
from msc_plans.session.advisors import advisor_for, space_for
from msc_plans.settings import Settings

__all__ = ["FAMILY", "GOALS", "advisor_of", "campaign_uid_of", "conclude", "run_campaign", "told_of"]

GOALS: Final[Mapping[str, int]] = {"map": 8, "discriminate": 10}
"""Conditions at the most, by goal."""
FAMILY: Final = "CdSe-437"
_TIMES: Final = {"map": (GRID_S,), "discriminate": TIMES_S}
_PARTICLES: Final = 200


def campaign_uid_of(reproduce_uid: str, goal: str) -> str:
    """Return the uid of a reproduction's campaign: the same whenever it is asked for, so that it can be resumed."""
    return str(uuid.uuid5(uuid.NAMESPACE_OID, f"{reproduce_uid} {goal}"))


def advisor_of(settings: Settings, goal: str, *, dwell_s: float, seed: int) -> Advisor:
    """Return the advisor of a campaign: it chooses among the paper's temperatures and times, with both ovens equal."""
    space = space_for(settings, [float(t) for t in GRID_NUCLEATION], residence_times=[float(s) for s in _TIMES[goal]])
    return advisor_for(settings, goal, FAMILY, space, dwell_s=dwell_s, seed=seed, particles=_PARTICLES)


def conclude(advisor: Advisor) -> dict[str, Any]:
    """Return what an advisor concludes, as an event's data: numbers, words and arrays.

    ``mechanisms`` (and ``steps``, for the goal `discriminate`) are probabilities by name, as JSON; for the goal `map`
    there are arrays over its cells.
    """
    done, why = advisor.should_stop()
    advisor.prepare()
    found: dict[str, Any] = {
        "goal": advisor.goal.name,
        "stopped": why if done and why else "as many conditions as were allowed",
        "mechanisms": json.dumps(advisor.mechanism_probabilities),
        "alarm": advisor.alarm or "",
    }
    if isinstance(advisor.goal, DiscriminateGoal):
        found["steps"] = json.dumps(advisor.rivals)
    if isinstance(advisor.goal, MapGoal):
        cells = advisor.cells()
        found |= {
            "cell_celsius": np.array([one.condition.growth_temperature for one in cells]),
            "cell_probability": np.array([one.probability for one in cells]),
            "cell_ratio": np.array([one.ratio for one in cells]),
            "cell_measured": np.array([float(one.measured) for one in cells]),
        }
    return found


def run_campaign(session: Any, goal: str, md: Mapping[str, Any], *, num_spectra: int, resume: bool) -> None:
    """Run a campaign to its end, or go on with it, and publish what it concludes.

    Parameters
    ----------
    session : Session
        From `open_session`.
    goal : str
        One of `GOALS`.
    md : mapping
        ``reproduce_uid`` and ``reproduce``, for the start documents; the goal is added.
    num_spectra : int
        Averaged for each condition.
    resume : bool
        Whether some of it may be stored already.
    """
    from msc_plans.plans import msc_campaign

    told = {**md, "reproduce": {**md["reproduce"], "goal": goal}}
    uid = campaign_uid_of(md["reproduce_uid"], goal)
    history = session.history() if resume else None
    begun = history is not None and bool(history.suggestions(uid))
    seed = int(md["reproduce"].get("seed", 0))
    advisor = advisor_of(session.settings, goal, dwell_s=session.reactor.nucleation.dwell_s, seed=seed)
    runs: list[str] = []

    def note(_: str, document: Mapping[str, Any]) -> None:
        runs.append(document["uid"])

    token = session.RE.subscribe(note, "start")
    try:
        session.RE(
            msc_campaign(
                session.reactor,
                session.spectrometer,
                advisor,
                session.uvvis,
                session.publish,
                max_conditions=GOALS[goal],
                refills="draw",
                resume=uid if begun else "",
                history=history,
                campaign_uid=uid,
                num_spectra=num_spectra,
                md=told,
            )
        )
    finally:
        session.RE.unsubscribe(token)
    if not runs and history is not None:
        # all of it was measured before it was interrupted
        last = max(history.done_trials(uid))
        runs.append(history.raw_documents(uid, last)[0][1]["uid"])
    start = {
        "purpose": "analysis",
        "analysis": CONCLUSION,
        "raw_uid": runs[-1],
        "version": version("msc-plans"),
        "settings": {"goal": str(advisor.goal), "seed": advisor.seed, "particles": advisor.particles},
    }
    session.publish(start, conclude(advisor))


def told_of(settings: Settings, reactor: Any) -> dict[str, Any]:
    """Return what a report must know of the reactor beside its records: feed and volumes, and what time costs."""
    advisor = advisor_of(settings, "map", dwell_s=reactor.nucleation.dwell_s, seed=0)
    return {"reactor": asdict(advisor.reactor), "cost": asdict(advisor.cost)}
