"""A beamline session: RunEngine, devices, live analysis and store, joined as the settings say.

``profile_collection`` and ``msc demo`` both start here. Import it only after ``EPICS_CA_…`` is set as wanted.
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

os.environ.setdefault("OPHYD_CONTROL_LAYER", "caproto")

from bluesky.run_engine import RunEngine
from ophyd import EpicsSignalRO

from devices import FlowReactor, Geometry, Limits, Spectrometer, connect, use_clock
from devices.connect import signal_clock
from msc_plans.analysis.sizing import full_conversion_height
from msc_plans.callbacks.publish import publish_run
from msc_plans.callbacks.threaded import Threaded
from msc_plans.callbacks.uvvis import UvVisCallback, UvVisSettings
from msc_plans.protocols import Documents
from msc_plans.settings import Settings
from msc_plans.storage import RunWriter
from msc_plans.views.progress import WaitingBars

__all__ = ["Session", "open_session"]


@dataclass
class Session:
    """What a person or a demo works with.

    Attributes
    ----------
    RE : RunEngine
        With baseline, progress bars, store and live analysis subscribed.
    reactor, spectrometer
        The devices, connected.
    uvvis : UvVisCallback
        Live analysis; ``outcome(uid)`` is the future of a run's result.
    catalog
        The store's catalogue; runs turn up in it as they are written.
    writer : RunWriter
        Writes raw, analysis and suggestion runs.
    """

    settings: Settings
    RE: RunEngine
    reactor: FlowReactor
    spectrometer: Spectrometer
    uvvis: UvVisCallback
    catalog: Any
    writer: RunWriter
    listeners: list[Documents]
    _closing: list[Callable[[], Any]] = field(default_factory=list)

    def publish(self, metadata: Any, data: Any) -> str:
        """Publish a run of one event, such as a suggestion, to the store and all listeners."""
        return publish_run(self.listeners, metadata, data)

    def close(self) -> None:
        """End the heartbeat and write what is still to be written; the reactor stays as it is."""
        while self._closing:
            self._closing.pop()()


def open_session(
    settings: Settings,
    *,
    catalog: Any,
    time_scale: float = 1.0,
    simulated: bool = True,
    listeners: Sequence[Documents] = (),
) -> Session:
    """Connect to the reactor and join everything.

    Parameters
    ----------
    settings : Settings
        Prefix, volumes, limits, optics.
    catalog
        From :func:`msc_plans.storage.open_catalog`.
    time_scale : float
        Of the simulated reactor: the heartbeat's timeout is in its seconds.
    simulated : bool
        Run dwell and timeouts on the twin's clock.
    listeners : sequence of callables
        Also get the documents of analyses and suggestions.

    Raises
    ------
    NoAnswerError
        The IOC does not answer.
    """
    limits = Limits(**settings.limits.model_dump())
    geometry = Geometry(**settings.geometry.model_dump())
    reactor = FlowReactor(settings.prefix, name="reactor", geometry=geometry, limits=limits)
    spectrometer = Spectrometer(f"{settings.prefix}Spec:", name="spectrometer")
    for device in (reactor, spectrometer):
        connect(device, timeout_s=settings.connect_timeout_s)
    closing: list[Callable[[], Any]] = []
    if simulated:
        signal = EpicsSignalRO(f"{settings.prefix}Sim:Clock", name="sim_clock", auto_monitor=True)
        connect(signal, timeout_s=settings.connect_timeout_s)
        for device in (reactor, spectrometer):
            use_clock(device, signal_clock(signal))

    RE = RunEngine({})
    RE.waiting_hook = WaitingBars()  # type: ignore[assignment]
    writer = RunWriter(catalog, settings.store / "backup")
    closing.append(writer.close)
    all_listeners: list[Documents] = [writer, *listeners]
    optics = settings.optics
    uvvis = UvVisCallback(
        UvVisSettings(
            spectrometer=spectrometer.name,
            path_length_cm=optics.path_length_cm,
            full_conversion_height=full_conversion_height(
                optics.cd_concentration_mol_l, optics.path_length_cm
            ),
            saturation=optics.saturation_counts,
        ),
        all_listeners,
    )
    analysis = Threaded(uvvis, name="live uvvis")
    closing.append(analysis.close)
    RE.subscribe(writer)
    RE.subscribe(analysis)
    if settings.heartbeat_timeout_s:
        reactor.interlock.start_heartbeat(
            period_s=settings.heartbeat_period_s, timeout_s=settings.heartbeat_timeout_s * time_scale
        )
        closing.append(lambda: reactor.interlock.stop_heartbeat(watch_off=True))
    return Session(settings, RE, reactor, spectrometer, uvvis, catalog, writer, all_listeners, closing)
