"""The analyses of a raw run as the settings say: the same live, in an agent and when stored runs are reprocessed."""

from collections.abc import Sequence

from msc_plans.analysis.sizing import full_conversion_height
from msc_plans.callbacks.joint import JointCallback
from msc_plans.callbacks.raw_run import Observer, RawRunCallback
from msc_plans.callbacks.saxs import BackgroundOf, SaxsCallback, SaxsSettings
from msc_plans.callbacks.uvvis import UvVisCallback, UvVisSettings
from msc_plans.protocols import Documents
from msc_plans.settings import OpticsSettings

__all__ = ["make_analyses", "uvvis_settings"]


def make_analyses(
    optics: OpticsSettings,
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
    spectrometer, saxs : str
        Names of the devices; without ``saxs`` there is UV-vis alone.
    listeners, observers : sequence of callables
        Get documents and results.
    background : callable
        Finds SAXS backgrounds that have not passed through here.
    """
    joint = JointCallback(optics.path_length_cm, listeners, observers)
    both = [*observers, joint.take]
    uvvis = UvVisCallback(uvvis_settings(optics, spectrometer), listeners, both)
    if saxs is None:
        return uvvis, [uvvis]
    return uvvis, [uvvis, SaxsCallback(SaxsSettings(saxs), listeners, both, background=background), joint]


def uvvis_settings(optics: OpticsSettings, spectrometer: str) -> UvVisSettings:
    """Return how the runs of a spectrometer are analysed."""
    return UvVisSettings(
        spectrometer=spectrometer,
        path_length_cm=optics.path_length_cm,
        full_conversion_height=full_conversion_height(optics.cd_concentration_mol_l, optics.path_length_cm),
        saturation=optics.saturation_counts,
    )
