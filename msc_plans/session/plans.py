"""The plans of a session as its people call them: those that need its services have them handed in."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from bluesky.utils import MsgGenerator, plan

from msc_plans import plans
from msc_plans.advisor import Advisor, Budget, SearchSpace
from msc_plans.plans.refill import Refill
from msc_plans.protocols import Reactor, SaxsLike, SpectrometerLike
from msc_plans.session.advisors import advisor_for, space_for
from msc_plans.session.forms import with_forms
from msc_plans.session.session import Session
from msc_plans.vocabulary import GoalName

__all__ = ["plans_of"]


def plans_of(session: Session) -> Mapping[str, Callable[..., Any]]:
    """Return all plans by name, for a namespace of IPython or the queueserver's worker."""
    found = {name: getattr(plans, name) for name in plans.__all__ if name != "CampaignFailedError"}
    found["msc_campaign"] = campaign_plan(session)
    return with_forms(found, session.settings, saxs=session.saxs is not None)


def make_advisor(
    session: Session,
    goal: str,
    family: str | None,
    space: SearchSpace,
    *,
    seed: int = 0,
    particles: int = 200,
    budget: Budget | None = None,
    checkpoint_path: Path | None = None,
) -> Advisor:
    """Return an advisor that knows the session's reactor and optics."""
    return advisor_for(
        session.settings,
        goal,
        family,
        space,
        dwell_s=session.reactor.nucleation.dwell_s,
        seed=seed,
        particles=particles,
        budget=budget,
        checkpoint_path=checkpoint_path,
    )


def campaign_plan(session: Session) -> Callable[..., Any]:
    """Return `msc_campaign` for a session: its advisor, live analysis, families and store are handed in."""
    campaign_family = session.settings.family_table.campaign_family

    @plan
    def msc_campaign(
        reactor: Reactor,
        spectrometer: SpectrometerLike,
        goal: GoalName = "map",
        family: str = campaign_family,
        nucleation_temperatures: list[float] | None = None,
        growth_temperatures: list[float] | None = None,
        residence_times: list[float] | None = None,
        growth_offsets: list[float] | None = None,
        max_conditions: int = 8,
        max_hours: float | None = None,
        max_ml: float | None = None,
        failures_allowed: int = 2,
        saxs: SaxsLike | None = None,
        frame_exposure_s: float = 10.0,
        confirm: bool = False,
        refills: Refill = "ask",
        resume: str = "",
        seed: int = 0,
        particles: int = 200,
        sample: str = "",
        lots: dict[str, str] | None = None,
        md: dict[str, Any] | None = None,
    ) -> MsgGenerator[str]:
        """Measure what the advisor suggests until it is done; then make the reactor safe.

        Parameters
        ----------
        reactor, spectrometer
            The devices.
        goal
            ``map`` where a family accumulates, ``maximise`` it, ``discriminate`` between mechanisms, ``learn`` rates.
        family : str
            Of clusters.
        nucleation_temperatures
            To choose from, °C; default: 240 to 350 in steps of 10.
        growth_temperatures
            To choose from, °C; default: both ovens equal. Not together with ``growth_offsets``.
        residence_times
            To choose from, s; default: 14.
        growth_offsets
            Growth less nucleation temperature, to choose from, K; default: 0.
        max_conditions : int
            At the most, with those measured before a resume.
        max_hours, max_ml
            Time, h, and mixture, mL, that may be used; none: any.
        failures_allowed : int
            Conditions in a row that may fail.
        saxs
            The SAXS detector; without it spectra only.
        frame_exposure_s : float
            Of each frame, s.
        confirm : bool
            Ask a person at the terminal about each suggestion.
        refills
            When a syringe is empty: ``ask`` a person, or ``draw`` from the reservoir.
        resume : str
            Uid of a campaign that was interrupted: goes on with it, measures nothing twice.
        seed, particles : int
            Of the advisor.
        sample, lots
            What flows (default: the material of the family table), and the precursor lots by name.
        md
            Further entries of the start documents.

        Returns
        -------
        str
            The campaign's uid.
        """
        space = space_for(
            session.settings,
            nucleation_temperatures,
            growth_temperatures=growth_temperatures,
            residence_times=residence_times,
            growth_offsets=growth_offsets,
        )
        budget = Budget(
            seconds=None if max_hours is None else 3600.0 * max_hours,
            microlitres=None if max_ml is None else 1e3 * max_ml,
        )
        advisor = make_advisor(session, goal, family, space, seed=seed, particles=particles, budget=budget)
        return (
            yield from plans.msc_campaign(
                reactor,
                spectrometer,
                advisor,
                session.uvvis,
                session.publish,
                max_conditions=max_conditions,
                failures_allowed=failures_allowed,
                saxs=saxs,
                frame_exposure_s=frame_exposure_s,
                confirm=confirm,
                refills=refills,
                resume=resume,
                history=session.history() if resume else None,
                sample=sample,
                lots=lots,
                md=md,
            )
        )

    return msc_campaign
