"""Measure what the paper's claims need: the plans of a reproduction on a session opened for it."""

import logging
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

from bluesky.utils import FailedStatus, RunEngineInterrupted

from msc_plans import plans
from msc_plans.errors import InputError
from msc_plans.paper.campaigns import GOALS, run_campaign, told_of
from msc_plans.paper.experiments import NeededRuns, needs_of, plans_for
from msc_plans.paper.records import archive_of, in_journals
from msc_plans.plans import CampaignFailedError
from msc_plans.session.session import open_session
from msc_plans.settings import Settings
from msc_plans.storage import ServerError

__all__ = ["SPECTRA", "ReproductionError", "measure_experiments", "say"]

SPECTRA = 50
"""Averaged for each condition: with 5 s of light what a spectrum's model misses is as large as its noise."""
_ANALYSIS_TIMEOUT_S = 600.0
_CATCH_UP_S = 120.0


class ReproductionError(RuntimeError):
    """The reactor could not do what the paper needs."""


def say(words: str) -> None:
    """Print to stderr: stdout is for the results."""
    print(words, file=sys.stderr, flush=True)


# -- from what is stored


def measure_experiments(
    settings: Settings, only: Sequence[str], uid: str, origin: Mapping[str, Any], folder: Path, *, resume: bool
) -> None:
    """Measure what the paper needs and wait until it is stored.

    Parameters
    ----------
    settings : Settings
        Of the session that is opened for it.
    only : sequence of str
        Claims, figures or ``adaptive``; empty for everything.
    uid : str
        Of the reproduction.
    origin : mapping
        Scenario or prefix, seed and time scale, for the start documents.
    folder : Path
        Of the journals.
    resume : bool
        Whether to leave out what is measured already.

    Raises
    ------
    InputError
        Reactor or store can't be reached, or the settings leave out a device that is needed.
    ReproductionError
        The reactor could not do what the paper needs; what was measured is stored.
    KeyboardInterrupt
        Someone ended it; the reactor was made safe.
    """
    needs = needs_of(only)
    if resume:
        stored = archive_of(uid, in_journals(folder, uid))
        needs = needs.without(stored.records.all, stored.conclusions)
    if not len(needs) and not needs.goals:
        say("Everything that was asked for is measured already.")
        return
    try:
        session = open_session(settings)
    except (ConnectionError, ServerError) as error:
        raise InputError(str(error)) from error
    # what goes wrong is said once, by this command, not by a traceback beside it
    logging.getLogger("bluesky").setLevel(logging.CRITICAL)
    again = f"go on with: msc reproduce --resume {uid[:8]} --store {session.settings.store}"
    try:
        goals = f", campaigns: {', '.join(sorted(needs.goals))}" if needs.goals else ""
        say(f"Reproduction {uid[:8]}: {len(needs)} runs{goals}; {again}")
        origin = {**origin, **told_of(session.settings, session.reactor)}

        def left() -> NeededRuns:
            return needs.without(archive_of(uid, in_journals(folder, uid)).records.all, analysed=False)

        _run_plans(session, needs, {"reproduce_uid": uid, "reproduce": origin}, left, resume=resume)
        _catch_up(session)
    except (CampaignFailedError, FailedStatus) as error:
        raise ReproductionError(f"{error.__cause__ or error}. What was measured is stored; {again}") from error
    except (RunEngineInterrupted, KeyboardInterrupt) as error:
        if session.RE.state != "idle":
            session.RE.abort()
        say(f"Interrupted, the reactor was made safe; {again}")
        raise KeyboardInterrupt from error
    finally:
        session.close()


def _run_plans(
    session: Any, needs: NeededRuns, md: dict[str, Any], left: Callable[[], NeededRuns], *, resume: bool
) -> None:
    available = {name: getattr(plans, name) for name in plans.__all__}
    if (needs.precursors or needs.saxs) and session.saxs is None:
        raise InputError("Figs. 2 and 3 need SAXS, and the settings say that there is no SAXS station (saxs.use)")

    def measure(needs: NeededRuns) -> None:
        first = 25.0 if needs.precursors else 200.0
        session.RE(
            plans.bring_up(session.reactor, session.spectrometer, first, first, num_spectra=SPECTRA, refills="draw")
        )
        for words, plan in plans_for(needs, available, session, md):
            say(f"-- {words}")
            uids = session.RE(plan)
            if uids:
                # analyses keep pace: what is stored at the end is all there is to say
                session.uvvis.outcome(uids[-1]).exception(_ANALYSIS_TIMEOUT_S)

    # plans print their progress, and stdout is for the results
    with redirect_stdout(sys.stderr):
        if len(needs):
            measure(needs)
            failed = left()
            if len(failed):
                say(f"-- {len(failed)} runs failed: once more")
                measure(failed)
        if resume and needs.goals:
            # what was measured of a campaign is read from the catalogue
            _catch_up(session)
        for goal in (goal for goal in GOALS if goal in needs.goals):
            say(f"-- adaptive, {goal}: {GOALS[goal]} conditions at the most")
            run_campaign(session, goal, md, num_spectra=SPECTRA, resume=resume)
        session.RE(plans.make_safe(session.reactor, session.spectrometer, session.saxs))


def _catch_up(session: Any) -> None:
    """Wait until the catalogue has everything; the verdicts need only the journals."""
    deadline = time.monotonic() + _CATCH_UP_S
    while not session.flush(5.0):
        say(f"-- the catalogue takes in the last {session.waiting} runs …")
        if time.monotonic() > deadline:
            say("The catalogue lacks some runs: they wait in the journals, and msc replay brings them in")
            return


# -- the report
