"""Live plots: what is drawn, on which thread, and when no window is made."""

import sys
import threading
from types import SimpleNamespace

import matplotlib
import numpy as np
import pytest
from matplotlib import pyplot
from matplotlib.backend_bases import CloseEvent

from msc_plans.analysis import uvvis
from msc_plans.analysis.saxs.result import SaxsResult
from msc_plans.views import live
from msc_plans.views.live import LivePlots, has_display

START = {
    "uid": "u",
    "condition": {"nucleation_temperature": 280.0, "growth_temperature": 270.0, "residence_time": 4.5},
}
TITLE = "280 °C → 270 °C, 4.5 s"


def spectrum(place=437.0):
    wavelength = np.linspace(330.0, 700.0, 700)
    band = 0.3 * np.exp(-4 * np.log(2) * ((wavelength - place) / 20.0) ** 2)
    return uvvis.analyse(wavelength, band + np.random.default_rng(0).normal(0, 0.001, wavelength.size))


def sizes(mean=0.95):
    q = np.linspace(0.6, 5.0, 120)
    x = q * mean
    curve = 0.3 * (3 * (np.sin(x) - x * np.cos(x)) / x**3) ** 2
    radius = np.linspace(0.7 * mean, 1.3 * mean, 40)
    weight = np.exp(-0.5 * ((radius / mean - 1) / 0.08) ** 2)
    return SaxsResult(
        mean_radius_nm=mean, mean_radius_interval_nm=(0.99 * mean, 1.01 * mean), relative_width=0.08,
        relative_width_sigma=0.01, volume_fraction=1e-4, volume_fraction_sigma=1e-6, verdict="continuous",
        chi2_reduced=1.0, method="inversion", radius_nm=radius, volume_weighted=weight,
        volume_weighted_sigma=0.1 * weight, q_inv_nm=q, intensity=curve, intensity_sigma=0.02 * curve + 1e-4, fit=curve,
        background=np.full_like(q, 1e-3),
    )  # fmt: skip


@pytest.fixture
def watched(monkeypatch):
    """As if an IPython session with a window were there."""
    monkeypatch.setattr(live, "has_display", lambda: True)


@pytest.fixture
def plots(watched):
    plots = LivePlots()
    yield plots
    plots.close()
    assert pyplot.get_fignums() == []


def deliver(plots, *items):
    """Hand results over as the analysis does: on a thread of its own."""
    thread = threading.Thread(target=lambda: [plots(name, START, result) for name, result in items])
    thread.start()
    thread.join()


@pytest.mark.parametrize(
    ("queueserver", "ipython", "backend", "seen"),
    [
        (None, None, "qtagg", False),
        (None, False, "qtagg", False),
        (None, True, "agg", False),
        (None, True, "module://matplotlib_inline.backend_inline", False),
        (None, True, "qtagg", True),
        (None, True, "module://ipympl.backend_nbagg", True),
        (False, True, "tkagg", True),
        (True, True, "qtagg", False),
    ],
)
def test_a_window_is_for_who_looks_at_it(monkeypatch, queueserver, ipython, backend, seen):
    modules = {
        "bluesky_queueserver": None
        if queueserver is None
        else SimpleNamespace(is_re_worker_active=lambda: queueserver),
        "IPython": None if ipython is None else SimpleNamespace(get_ipython=lambda: object() if ipython else None),
    }
    for name, module in modules.items():
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setattr(matplotlib, "get_backend", lambda: backend)
    assert has_display() is seen


def test_where_nobody_looks_there_is_no_figure(monkeypatch):
    monkeypatch.setattr(live, "has_display", lambda: False)
    plots = LivePlots()
    assert not plots.open()
    deliver(plots, ("uvvis", spectrum()), ("saxs", sizes()))
    plots.refresh()
    plots.close()
    assert pyplot.get_fignums() == []


def test_results_wait_for_the_windows_own_thread_to_be_drawn(plots, tmp_path):
    assert plots.open()
    assert plots.open()
    before = [len(axes.lines) for axes in plots.figure.axes]
    deliver(plots, ("uvvis", spectrum()), ("saxs", sizes()), ("joint", object()))
    assert [len(axes.lines) for axes in plots.figure.axes] == before
    plots.refresh()
    absorption, curve, distribution = plots.figure.axes
    assert {axes.get_title() for axes in plots.figure.axes} == {TITLE}
    assert any("437" in text.get_text() for text in absorption.texts)
    assert "q" in curve.get_xlabel()
    assert "nm" in distribution.get_xlabel()
    plots.figure.savefig(tmp_path / "live.png", dpi=60)
    assert pyplot.imread(tmp_path / "live.png")[..., :3].std() > 0.05


def test_the_latest_result_wins_and_others_stay(plots, monkeypatch):
    drawn = []
    for name, draws in live._DRAWN.items():
        recorders = tuple(lambda axes, result, *, title, name=name: drawn.append((name, result)) for _ in draws)
        monkeypatch.setitem(live._DRAWN, name, recorders)
    plots.open()
    deliver(plots, ("uvvis", 1), ("uvvis", 2), ("saxs", 3), ("uvvis", 4))
    plots.refresh()
    plots.refresh()
    assert drawn == [("uvvis", 4), ("saxs", 3), ("saxs", 3)]


def test_the_timer_draws_a_few_times_a_second_and_ends_with_the_window(plots):
    plots.open()
    figure, timer = plots.figure, plots._timer
    assert 200 <= timer.interval <= 1000
    assert [callback for callback, *_ in timer.callbacks] == [plots.refresh]
    # what a window system sends when its window is closed
    figure.canvas.callbacks.process("close_event", CloseEvent("close_event", figure.canvas))
    pyplot.close(figure)
    assert plots.figure is None
    deliver(plots, ("uvvis", spectrum()))
    plots.refresh()
    assert plots.open()
    assert plots.figure is not figure


def test_what_can_not_be_drawn_is_logged_and_the_rest_is_drawn(plots, caplog):
    plots.open()
    deliver(plots, ("uvvis", "no result at all"), ("saxs", sizes()))
    plots.refresh()
    assert "the uvvis of run u could not be drawn" in caplog.text
    assert plots.figure.axes[1].get_title() == TITLE


def test_a_run_without_condition_is_named_by_sample_or_purpose(plots, monkeypatch):
    draws = tuple(lambda axes, result, *, title: axes.set_title(title) for _ in live._DRAWN["saxs"])
    monkeypatch.setitem(live._DRAWN, "saxs", draws)
    plots.open()
    for start, title in (({"sample": "CdSe F2"}, "CdSe F2"), ({"purpose": "lamellae"}, "lamellae"), ({}, "")):
        plots("saxs", start, sizes())
        plots.refresh()
        assert plots.figure.axes[1].get_title() == title


def test_windows_are_opened_on_the_main_thread_only(plots):
    errors = []

    def elsewhere():
        try:
            plots.open()
        except RuntimeError as error:
            errors.append(str(error))

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert errors == ["live plots can be opened on the main thread only"]
