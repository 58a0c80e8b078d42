import io

import numpy as np
import pytest

from msc_plans.analysis.uvvis.analyse import analyse, outcome
from msc_plans.callbacks.publish import publish_run
from msc_plans.condition import Condition
from msc_plans.families import built_in_families
from msc_plans.views.campaign import MapPrediction, Measured, campaign_figure
from msc_plans.views.lines import CampaignLines, describe_outcome
from msc_plans.views.progress import WaitingBars


@pytest.fixture(scope="module")
def record():
    wavelength = np.linspace(300.0, 750.0, 901)
    band = 0.3 * np.exp(-4 * np.log(2) * ((wavelength - 437.0) / 20.0) ** 2)
    absorbance = band + np.random.default_rng(2).normal(0, 5e-4, wavelength.size)
    return wavelength, absorbance, outcome(analyse(wavelength, absorbance), full_conversion_height=0.8)


def test_a_condition_is_a_line_and_so_is_what_comes_next(record):
    lines = []
    callback = CampaignLines("CdSe-437", lines.append)
    condition = Condition(280, 280, 14).as_dict()
    publish_run([callback], {"purpose": "analysis", "analysis": "uvvis", "condition": condition}, record[2])
    publish_run([callback], {"purpose": "suggestion", "condition": condition}, {"reason": "it is least certain"})
    publish_run(
        [callback],
        {"purpose": "analysis", "analysis": "uvvis", "condition": condition},
        {},
        exit_status="fail",
        reason="no light",
    )
    publish_run([callback], {"purpose": "other"}, {"x": 1.0})
    assert lines[0].startswith(" 1  280 °C → 280 °C, 14 s")
    assert "CdSe-437" in lines[0]
    assert lines[1] == "    next 280 °C → 280 °C, 14 s: it is least certain"
    assert "failed: no light" in lines[2]
    assert len(lines) == 3


def test_a_blank_is_said_to_be_one(record):
    nothing = {**record[2], "nc_wavelength_nm": float("nan")}
    nothing |= {key: 0.0 for key in nothing if key.endswith("_probability")}
    assert describe_outcome(nothing, "CdSe-437").startswith("no family")
    assert "no NC" in describe_outcome(nothing, "CdSe-437")


def test_the_figure_shows_each_spectrum_and_each_condition(record, tmp_path):
    wavelength, absorbance, found = record
    measured = [
        Measured(
            condition=Condition(t, t, 14),
            outcome=found,
            wavelength_nm=wavelength,
            absorbance=absorbance,
            families=absorbance,
            verdict=verdict,
        )
        for t, verdict in [(260, "absent"), (280, "accumulated"), (300, "undecided")]
    ]
    temperature, time = np.linspace(240, 350, 12), np.linspace(1.5, 16, 10)
    ratio = np.exp(-(((temperature[None, :] - 285) / 20) ** 2)) * np.ones((10, 1)) * 0.2
    prediction = MapPrediction(
        family="CdSe-437", temperature=temperature, residence_time=time, ratio=ratio, threshold=0.085
    )
    figure = campaign_figure(measured, prediction, built_in_families(), "a title")
    _, left, right = figure.axes[:3]
    numbers = {text.get_text() for text in right.texts} & {"1", "2", "3"}
    assert numbers == {"1", "2", "3"}
    assert {"382", "403", "437", "465"} <= {text.get_text() for text in left.texts}
    figure.savefig(tmp_path / "figure.png")
    assert (tmp_path / "figure.png").stat().st_size > 20_000


def test_no_bar_is_drawn_where_nobody_looks():
    class Status:
        done = False
        watched = False

        def watch(self, func):
            self.watched = True

    file, status = io.StringIO(), Status()
    bars = WaitingBars(file)
    bars([status])
    bars(None)
    assert not status.watched
    assert file.getvalue() == ""


def test_a_bar_on_a_terminal_shows_what_is_waited_for_and_goes_away():
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    class Status:
        done = False

        def watch(self, func):
            self.func = func

    file, status = Terminal(), Status()
    bars = WaitingBars(file, delay_s=0.0)
    bars([status])
    status.func(name="growth", current=150.0, initial=25.0, target=280.0, unit="°C", fraction=0.5)
    bars(None)
    assert "growth: 150.0 of 280.0 °C" in file.getvalue()
    assert "50%" in file.getvalue()
