"""The advisor that knows a site's reactor and optics, and what it may choose from: from the settings alone."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from devices import ReactorGeometry
from msc_plans.advisor import Advisor, Budget, CostModel, SearchSpace
from msc_plans.advisor.goals import goal_of
from msc_plans.errors import InputError
from msc_plans.kinetics.mechanism import Mechanism
from msc_plans.kinetics.mechanism_file import mechanisms, read_mechanisms
from msc_plans.kinetics.observation import Optics
from msc_plans.kinetics.solver import FlowModel
from msc_plans.settings import Settings

__all__ = ["advisor_for", "space_for"]


def advisor_for(
    settings: Settings,
    goal: str,
    family: str | None,
    space: SearchSpace,
    *,
    dwell_s: float = 30.0,
    seed: int = 0,
    particles: int = 200,
    budget: Budget | None = None,
    checkpoint_path: Path | None = None,
) -> Advisor:
    """Return an advisor for the reactor of the settings.

    Parameters
    ----------
    settings : Settings
        Volumes, ovens, optics, families and mechanisms.
    goal : str
        See :func:`msc_plans.advisor.goals.goal_of`.
    family : str, optional
        What the goal is about. Default: the campaign family of the settings' table.
    space : SearchSpace
        What it may choose from.
    dwell_s : float
        For how long an oven must be in band, s.
    seed, particles, budget, checkpoint_path
        As for `Advisor`.

    Raises
    ------
    ValueError
        A goal or family that there is not, or mechanisms and families that do not belong together.
    InputError
        The settings' mechanisms can't be read.
    """
    families = settings.family_table
    optics, geometry = settings.optics, ReactorGeometry(**settings.geometry.model_dump())
    heating_k_min = settings.ovens.heating_k_min
    return Advisor(
        goal_of(goal, family or "", families),
        space,
        cost=CostModel(
            reactor_volume_ul=geometry.heated_ul,
            flush_volumes=geometry.front_ul(settings.residue) / geometry.heated_ul,
            heating_k_min=heating_k_min,
            cooling_k_min=0.75 * heating_k_min,
            dwell_seconds=dwell_s,
        ),
        budget=budget,
        reactor=FlowModel(
            cadmium_millimolar=1e3 * optics.cd_concentration_mol_l,
            chamber_fraction=geometry.chamber_ul / geometry.heated_ul,
        ),
        optics=Optics(path_length_cm=optics.path_length_cm),
        mechanisms=_mechanisms(settings),
        families=families,
        seed=seed,
        particles=particles,
        checkpoint_path=checkpoint_path,
    )


def _mechanisms(settings: Settings) -> Mapping[str, Mechanism]:
    path = settings.mechanisms
    if path is None:
        return mechanisms()
    try:
        return read_mechanisms(path)
    except OSError as error:
        raise InputError(f"settings: mechanisms = {str(path)!r}: can't be read: {error.strerror}") from error
    except ValueError as error:  # it names the file
        raise InputError(f"settings: mechanisms: {error}") from error


def space_for(
    settings: Settings,
    nucleation_temperatures: Sequence[float] | None = None,
    *,
    growth_temperatures: Sequence[float] | None = None,
    residence_times: Sequence[float] | None = None,
    growth_offsets: Sequence[float] | None = None,
) -> SearchSpace:
    """Return what may be chosen from, within the limits of the settings.

    Parameters
    ----------
    settings : Settings
        Limits and volumes.
    nucleation_temperatures
        °C; default: 240 to 350 in steps of 10.
    growth_temperatures
        °C; default: both ovens equal. Not together with ``growth_offsets``.
    residence_times
        s; default: 14.
    growth_offsets
        Growth less nucleation temperature, K; default: 0.

    Raises
    ------
    ValueError
        The limits leave nothing, or both offsets and temperatures of the growth oven are given.
    """
    limits = settings.limits
    return SearchSpace(
        nucleation_temperatures or [float(one) for one in range(240, 351, 10)],
        residence_times or [14.0],
        growth_offsets,
        growth_temperatures=growth_temperatures,
        limits={
            "nucleation_temperature": limits.nucleation_temperature,
            "growth_temperature": limits.growth_temperature,
        },
        flow_limits=limits.flow_ul_min,
        reactor_volume_ul=ReactorGeometry(**settings.geometry.model_dump()).heated_ul,
    )
