"""A beamline session: RunEngine, devices, live analysis and store, joined as the settings say.

``profile_collection`` and ``msc demo`` both start here. Import it only after ``EPICS_CA_…`` is set as wanted.
"""

import threading
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import Any

from bluesky.run_engine import RunEngine

from devices import FlowReactor, Geometry, Limits, Spectrometer, connect, disconnect, use_clock
from devices.connect import find_clock
from msc_plans.analysis.sizing import full_conversion_height
from msc_plans.callbacks.publish import publish_run
from msc_plans.callbacks.threaded import Threaded
from msc_plans.callbacks.uvvis import UvVisCallback, UvVisSettings
from msc_plans.protocols import Documents
from msc_plans.settings import OpticsSettings, Settings
from msc_plans.storage import RunWriter, StoreBusyError, TiledServer, close_catalog, open_catalog
from msc_plans.views.live import LivePlots
from msc_plans.views.progress import WaitingBars

__all__ = ["Session", "open_session"]


@dataclass
class Session:
    """What a person or a demo works with.

    Attributes
    ----------
    RE : RunEngine
        With progress bars, store and live analysis.
    reactor, spectrometer
        The devices, connected.
    uvvis : UvVisCallback
        Live analysis; ``outcome(uid)`` is the future of a run's result.
    plots : LivePlots
        Of the analyses; ``plots.open()`` shows them where somebody looks.
    catalog
        The store's catalogue; runs turn up in it as they are written.
    """

    settings: Settings
    RE: RunEngine
    reactor: FlowReactor
    spectrometer: Spectrometer
    uvvis: UvVisCallback
    plots: LivePlots
    catalog: Any
    _listeners: list[Documents]
    _closing: ExitStack

    def publish(self, metadata: Mapping[str, Any], data: Mapping[str, Any]) -> str:
        """Publish a run of one event, such as a suggestion, to the store and all listeners."""
        return publish_run(self._listeners, metadata, data)

    def close(self) -> None:
        """Write what is still to be written, end the heartbeat, disconnect; the reactor stays as it is."""
        self._closing.close()

    def close_at_exit(self) -> None:
        """Close when the interpreter ends."""
        # Not atexit: it runs after the thread pools that Channel Access needs have been shut down.
        threading._register_atexit(self.close)  # type: ignore[attr-defined]


def open_session(settings: Settings, *, listeners: Sequence[Documents] = ()) -> Session:
    """Connect to the reactor and the store and join everything; one session a process.

    The twin's clock is used where there is one. Without ``settings.tiled_uri`` a Tiled server is started on
    the store's folder, unless one serves it already.

    Parameters
    ----------
    settings : Settings
        Prefix, store, volumes, limits, optics.
    listeners : sequence of callables
        Get the documents of analyses and suggestions, as the store does.

    Raises
    ------
    NoAnswerError
        The IOC does not answer.
    """
    with ExitStack() as stack:
        stack.callback(disconnect)
        limits = Limits(**settings.limits.model_dump())
        geometry = Geometry(**settings.geometry.model_dump())
        reactor = FlowReactor(settings.prefix, name="reactor", geometry=geometry, limits=limits)
        spectrometer = Spectrometer(f"{settings.prefix}Spec:", name="spectrometer")
        for device in (reactor, spectrometer):
            connect(device, timeout_s=settings.connect_timeout_s)
        clock, time_scale = find_clock(settings.prefix)
        for device in (reactor, spectrometer):
            use_clock(device, clock)
        catalog = _open_store(settings, stack)
        writer = RunWriter(catalog, settings.store / "backup")
        stack.callback(writer.close)
        all_listeners: list[Documents] = [writer, *listeners]
        plots = LivePlots()
        uvvis = UvVisCallback(_uvvis_settings(settings.optics, spectrometer.name), all_listeners, [plots])
        analysis = Threaded(uvvis, name="live uvvis")
        stack.callback(analysis.close)
        RE = RunEngine({})
        RE.waiting_hook = WaitingBars()  # type: ignore[assignment]
        RE.subscribe(writer)
        RE.subscribe(analysis)
        if settings.heartbeat_timeout_s:
            timeout_s = settings.heartbeat_timeout_s * time_scale
            reactor.interlock.start_heartbeat(period_s=settings.heartbeat_period_s, timeout_s=timeout_s)
            stack.callback(reactor.interlock.stop_heartbeat, watch_off=True)
        return Session(settings, RE, reactor, spectrometer, uvvis, plots, catalog, all_listeners, stack.pop_all())


def _open_store(settings: Settings, stack: ExitStack) -> Any:
    if settings.tiled_uri:
        catalog = open_catalog(settings.tiled_uri)
    else:
        with suppress(StoreBusyError):
            server = TiledServer(settings.store)
            server.start()
            stack.callback(server.stop)
        catalog = open_catalog(settings.store)
    stack.callback(close_catalog, catalog)
    return catalog


def _uvvis_settings(optics: OpticsSettings, spectrometer: str) -> UvVisSettings:
    return UvVisSettings(
        spectrometer=spectrometer,
        path_length_cm=optics.path_length_cm,
        full_conversion_height=full_conversion_height(optics.cd_concentration_mol_l, optics.path_length_cm),
        saturation=optics.saturation_counts,
    )
