"""The analyses of a raw run as the settings say: the same live, in an agent and when stored runs are reprocessed."""

from collections.abc import Sequence

from msc_plans.callbacks.joint import JointCallback
from msc_plans.callbacks.raw_run import Observer, RawRunCallback
from msc_plans.callbacks.saxs import BackgroundOf, SaxsAnalysisSettings, SaxsCallback
from msc_plans.callbacks.uvvis import UvVisCallback, UvVisSettings
from msc_plans.errors import InputError
from msc_plans.families import FamilyTable
from msc_plans.protocols import Documents
from msc_plans.settings import OpticsSettings

__all__ = ["make_analyses", "uvvis_settings"]


def make_analyses(
    optics: OpticsSettings,
    families: FamilyTable,
    spectrometer: str,
    saxs: str | None,
    listeners: Sequence[Documents],
    observers: Sequence[Observer] = (),
    background: BackgroundOf = lambda uid: None,
) -> tuple[UvVisCallback, list[RawRunCallback]]:
    """Return UV-vis, and all callbacks in the order in which they want each document: UV-vis, SAXS, both together.

    Parameters
    ----------
    optics : OpticsSettings
        Of the optical cell.
    families : FamilyTable
        What is looked for.
    spectrometer, saxs : str
        Names of the devices; without ``saxs`` there is UV-vis alone.
    listeners, observers : sequence of callables
        Get documents and results.
    background : callable
        Finds SAXS backgrounds that have not passed through here.

    Raises
    ------
    InputError
        The family table lacks what the height at full conversion needs.
    """
    settings = uvvis_settings(optics, families, spectrometer)
    if saxs is None:
        uvvis = UvVisCallback(settings, listeners, observers)
        return uvvis, [uvvis]
    joint = JointCallback(optics.path_length_cm, listeners, observers, families=families)
    both = [*observers, joint.take]
    uvvis = UvVisCallback(settings, listeners, both)
    of_frames = SaxsCallback(SaxsAnalysisSettings(saxs, families=families), listeners, both, background=background)
    return uvvis, [uvvis, of_frames, joint]


def uvvis_settings(optics: OpticsSettings, families: FamilyTable, spectrometer: str) -> UvVisSettings:
    """Return how the runs of a spectrometer are analysed.

    Raises
    ------
    InputError
        The family table lacks what the height at full conversion needs.
    """
    try:
        full = families.material.full_conversion_height(optics.cd_concentration_mol_l, optics.path_length_cm)
    except ValueError as error:
        raise InputError(f"families: {error}; add it to the table that the setting families names") from error
    return UvVisSettings(
        spectrometer=spectrometer,
        path_length_cm=optics.path_length_cm,
        full_conversion_height=full,
        saturation=optics.saturation_counts,
        families=families,
    )
