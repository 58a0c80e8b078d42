"""Live plots: the spectrum with its marked peaks, the scattering curve and the sizes, as they come in.

Results arrive on the analysis thread and are only kept; a timer of the figure's own draws the latest of them, on the
thread that runs the window. So nothing here waits for a plot, nor a plot for the RunEngine.
"""

import logging
import sys
import threading
from collections.abc import Callable, Mapping
from typing import Any

from matplotlib.axes import Axes

from msc_plans.condition import Condition
from msc_plans.views.scattering import draw_curve, draw_sizes
from msc_plans.views.spectrum import draw_spectrum

__all__ = ["LivePlots", "has_display"]

log = logging.getLogger(__name__)

_DRAWN: dict[str, tuple[Callable[..., Any], ...]] = {"uvvis": (draw_spectrum,), "saxs": (draw_curve, draw_sizes)}


def has_display() -> bool:
    """Whether a window would be seen: an IPython session with an interactive backend, not a queueserver's worker."""
    queueserver = sys.modules.get("bluesky_queueserver")
    if queueserver is not None and queueserver.is_re_worker_active():
        return False
    ipython = sys.modules.get("IPython")
    if ipython is None or ipython.get_ipython() is None:
        return False
    import matplotlib
    from matplotlib.backends.registry import BackendFilter, backend_registry

    backend = matplotlib.get_backend().lower()
    return backend in backend_registry.list_builtin(BackendFilter.INTERACTIVE) or "ipympl" in backend


class LivePlots:
    """An observer of live analyses that draws them in one window.

    Open it on the main thread. Closing the window ends the drawing and is no error; it can be opened again.

    Parameters
    ----------
    period_s : float
        Between two drawings at the least.
    """

    def __init__(self, *, period_s: float = 0.4) -> None:
        self._period_s = period_s
        self._latest: dict[str, tuple[Mapping[str, Any], Any]] = {}
        self._lock = threading.Lock()
        self._axes: dict[str, tuple[Axes, ...]] = {}
        self._timer: Any = None
        self.figure: Any = None

    def open(self) -> bool:
        """Open the window unless it is open or nobody looks; return whether it is open.

        Raises
        ------
        RuntimeError
            Called on another than the main thread, where windows can't be made.
        """
        if threading.current_thread() is not threading.main_thread():
            raise RuntimeError("live plots can be opened on the main thread only")
        if self.figure is not None:
            return True
        if not has_display():
            return False
        from matplotlib import pyplot

        # Not shown by pyplot.show, which would wait for the window to be closed.
        with pyplot.ioff():
            self.figure = pyplot.figure("msc live", figsize=(12, 3.8), layout="constrained")
        spectrum, curve, sizes = self.figure.subplots(1, 3)
        self._axes = {"uvvis": (spectrum,), "saxs": (curve, sizes)}
        self.figure.canvas.mpl_connect("close_event", lambda event: self._closed())
        self._timer = self.figure.canvas.new_timer(interval=int(1000 * self._period_s))
        self._timer.add_callback(self.refresh)
        self._timer.start()
        self.figure.show()
        return True

    def close(self) -> None:
        """Close the window; idempotent. On the main thread."""
        if self.figure is not None:
            from matplotlib import pyplot

            pyplot.close(self.figure)
            self._closed()

    def __call__(self, analysis: str, start: Mapping[str, Any], result: Any) -> None:
        """Take a result, from any thread; returns at once. One that was not drawn yet is dropped for it."""
        if self.figure is not None and analysis in _DRAWN:
            with self._lock:
                self._latest[analysis] = (start, result)

    def refresh(self) -> None:
        """Draw what has come since the last time, on the thread that runs the window."""
        with self._lock:
            latest, self._latest = self._latest, {}
        if not latest or self.figure is None:
            return
        for analysis, (start, result) in latest.items():
            for axes, draw in zip(self._axes[analysis], _DRAWN[analysis], strict=True):
                axes.clear()
                try:
                    draw(axes, result, title=_title(start))
                except Exception:
                    log.exception("the %s of run %s could not be drawn", analysis, start.get("uid"))
        self.figure.canvas.draw_idle()

    def _closed(self) -> None:
        if self._timer is not None:
            self._timer.stop()
        self._timer = self.figure = None
        self._axes = {}


def _title(start: Mapping[str, Any]) -> str:
    try:
        return str(Condition.from_mapping(start["condition"]))
    except (KeyError, TypeError, ValueError):
        return str(start.get("sample") or start.get("purpose") or "")
