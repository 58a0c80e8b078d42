"""A beamline session: RunEngine, devices, live analysis and store, joined as the settings say.

``profile_collection``, ``msc demo`` and ``msc campaign`` all start here. Import it only after ``EPICS_CA_…`` is set as
wanted.
"""

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

from bluesky.run_engine import RunEngine

from devices import (
    FlowReactor,
    ReactorGeometry,
    ReactorLimits,
    SaxsDetector,
    Spectrometer,
    connect,
    disconnect,
    use_clock,
)
from devices.core.connect import find_clock
from msc_plans.callbacks.calibrations import LatestCalibrations
from msc_plans.callbacks.live import LiveAnalysis
from msc_plans.callbacks.publish import publish_run
from msc_plans.callbacks.repeats import WithoutRepeats
from msc_plans.callbacks.threaded import Threaded
from msc_plans.callbacks.uvvis import UvVisCallback
from msc_plans.callbacks.validation import validate_quickly
from msc_plans.protocols import Documents, History
from msc_plans.session.analyses import make_analyses
from msc_plans.session.suspenders import Suspending
from msc_plans.settings import SaxsSettings, Settings
from msc_plans.storage import CatalogHistory, RunWriter, StoreBusyError, TiledServer, close_catalog, open_catalog
from msc_plans.views.live import LivePlots
from msc_plans.views.progress import WaitingBars

__all__ = ["Session", "open_session", "reactor_of"]

log = logging.getLogger(__name__)


def _call(device: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    return device(*args, **kwargs)


@dataclass
class Session:
    """What a person or a demo works with.

    Attributes
    ----------
    RE : RunEngine
        With progress bars, suspenders, store and live analysis.
    reactor, spectrometer
        The devices, connected.
    saxs : SaxsDetector, optional
        The same, where the settings say that there is one.
    uvvis : UvVisCallback
        Live analysis; ``outcome(uid)`` is the future of a run's result.
    plots : LivePlots
        Of the analyses; ``plots.open()`` shows them where there is a display.
    catalog
        The store's catalogue; runs turn up in it as they are written, see `flush`.
    """

    settings: Settings
    RE: RunEngine
    reactor: FlowReactor
    spectrometer: Spectrometer
    saxs: SaxsDetector | None
    uvvis: UvVisCallback
    plots: LivePlots
    catalog: Any
    _writer: RunWriter
    _listeners: list[Documents]
    _closing: ExitStack

    def publish(self, metadata: Mapping[str, Any], data: Mapping[str, Any]) -> str:
        """Publish a run of one event, such as a suggestion, to the store and all listeners."""
        return publish_run(self._listeners, metadata, data)

    @property
    def waiting(self) -> int:
        """Runs that the catalogue does not have, or not wholly."""
        return self._writer.waiting

    def flush(self, timeout: float = 60.0) -> bool:
        """Wait until the catalogue has all that was measured; False where it can't, or not within `timeout` seconds."""
        return not self._writer.trouble and self._writer.flush(timeout)

    def history(self) -> History:
        """What is stored of campaigns, once everything that was measured is, by sessions that have died, too."""
        if not self._writer.settle():
            log.warning("not all that was measured is in the catalogue yet: a resumed campaign may measure it again")
        return CatalogHistory(self.catalog)

    def close(self) -> None:
        """Write what is still to be written, end the heartbeat, disconnect; the reactor stays as it is."""
        self._closing.close()

    def close_at_exit(self) -> None:
        """Close when the interpreter ends."""
        # Not atexit: it runs after the thread pools that Channel Access needs have been shut down.
        threading._register_atexit(self.close)  # type: ignore[attr-defined]


def open_session(settings: Settings, *, listeners: Sequence[Documents] = ()) -> Session:
    """Connect to the reactor and the store and join everything; one session a process.

    What an earlier session left running, because it died, is ended: solvent, ovens to standby. The twin's clock is used
    where there is one. Without ``settings.tiled_uri`` a Tiled server is started on the store's folder, unless one
    serves it.

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
    validate_quickly()
    with ExitStack() as stack:
        stack.callback(disconnect)
        reactor = reactor_of(settings)
        spectrometer = Spectrometer(f"{settings.prefix}Spec:", name="spectrometer")
        saxs = _saxs(settings) if settings.saxs.use else None
        devices = [device for device in (reactor, spectrometer, saxs) if device is not None]
        for device in devices:
            connect(device, timeout_s=settings.connect_timeout_s)
        clock, time_scale = find_clock(settings.prefix)
        for device in devices:
            use_clock(device, clock)
        if saxs is not None:
            _configure(saxs, settings.saxs)
        catalog = _open_store(settings, stack)
        writer = RunWriter(settings.tiled_uri or settings.store, settings.store / "journal")
        stack.callback(writer.close)
        all_listeners: list[Documents] = [writer, *listeners]
        plots = LivePlots()
        uvvis, analyses = make_analyses(
            settings.optics,
            settings.family_table,
            spectrometer.name,
            saxs.name if saxs else None,
            all_listeners,
            [plots],
        )
        analysis = Threaded(LiveAnalysis(analyses), name="live analysis")
        stack.callback(analysis.close)
        RE = RunEngine({}, md_normalizer=partial(_with_sample, settings.family_table.material.formula))
        RE.waiting_hook = WaitingBars()  # type: ignore[assignment]
        RE.subscribe(WithoutRepeats(writer))
        RE.subscribe(WithoutRepeats(analysis))
        RE.subscribe(LatestCalibrations(RE.md))
        RE.preprocessors.append(Suspending(settings))
        if reactor.interlock.abandoned(1.5 * settings.heartbeat_period_s):
            # before the heartbeat begins anew, which would keep the IOC from doing it
            log.warning(
                "an earlier session ended without making the reactor safe: solvent flows, and the ovens go to standby"
            )
            reactor.take_over()
            if saxs is not None:
                saxs.stop()
        if settings.heartbeat_timeout_s:
            timeout_s = settings.heartbeat_timeout_s * time_scale
            reactor.interlock.start_heartbeat(period_s=settings.heartbeat_period_s, timeout_s=timeout_s)
            stack.callback(reactor.interlock.stop_heartbeat, watch_off=True)
        return Session(
            settings, RE, reactor, spectrometer, saxs, uvvis, plots, catalog, writer, all_listeners, stack.pop_all()
        )


def _with_sample(material: str, start: dict[str, Any]) -> dict[str, Any]:
    """Return the metadata of a run with the material for a sample that nobody named."""
    return {**start, "sample": material} if start.get("sample") == "" else start


def reactor_of(settings: Settings, make: Callable[..., FlowReactor] = _call) -> FlowReactor:
    """Return the reactor that settings describe, not yet connected; ``make(FlowReactor, …)`` may make another."""
    return make(
        FlowReactor,
        settings.prefix,
        name="reactor",
        geometry=ReactorGeometry(**settings.geometry.model_dump()),
        limits=ReactorLimits(**settings.limits.model_dump()),
        residue=settings.residue,
        flush_flow_ul_min=settings.flush_flow_ul_min,
        syringe_ul=settings.syringe_ul,
        **settings.ovens.model_dump(),
    )


def _saxs(settings: Settings) -> SaxsDetector:
    told = settings.saxs
    frames = f"{settings.store.resolve()}/frames/%Y/%m/%d"
    return SaxsDetector(
        f"{settings.prefix}Saxs:",
        name="saxs",
        write_path=told.write_path or frames,
        read_path=told.read_path or told.write_path or frames,
    )


def _configure(saxs: SaxsDetector, told: SaxsSettings) -> None:
    geometry = told.model_dump(
        include={
            "detector", "distance_m", "poni1_m", "poni2_m", "rot1_rad", "rot2_rad", "rot3_rad",
            "beam_stop_radius_m", "mask_file", "saturation",
        }
    )  # fmt: skip
    saxs.geometry.configure(geometry | dict.fromkeys(("pixel1_m", "pixel2_m"), told.pixel_m))
    corrections = {"thickness_cm", "calibration_factor", "empty_beam_ratio", "transmission", "polarization"}
    saxs.corrections.configure(told.model_dump(include=corrections))


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
