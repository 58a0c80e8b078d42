"""What ``msc reproduce`` measures, and what it makes of stored documents; no reactor."""

import json
import math
import re
from collections.abc import Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import event_model
import pytest

from msc_plans.cli import main
from msc_plans.condition import Condition
from msc_plans.paper.claims.claims import CLAIMS, AnalysedRun, Records
from msc_plans.paper.experiments import ADAPTIVE, FIGURES, NeededRuns, chosen, needs_of, plans_for
from msc_plans.paper.records import archive_of, dumps, in_journals, latest_in_journals
from msc_plans.paper.report import NOT_CARRIED, results_of, write_report
from msc_plans.storage.journal import Journal
from msc_plans.views.report import HtmlReport
from tests.unit.paper.test_claims import at, fractions, mixture, radii, uvvis, window


def test_everything_is_measured_once() -> None:
    needs = needs_of(())
    # the grid of Fig. 1, and of S3 what is not in it: five times at three temperatures
    assert len(needs.uvvis) == 100 + 15
    assert (len(needs.saxs), len(needs.precursors), len(needs.fractions)) == (10, 9, 6)
    assert needs.goals == {"map", "discriminate"}
    assert not needs.uvvis & needs.saxs


@pytest.mark.parametrize("name", [claim.name for claim in CLAIMS])
def test_every_claim_and_figure_names_what_it_needs(name: str) -> None:
    assert len(needs_of([name])) > 0
    assert needs_of([name]).goals == frozenset()
    claims, figures = chosen([name])
    assert (claims, figures) == ([name], [])


def test_a_figure_brings_its_claims() -> None:
    claims, figures = chosen(["F3", "K-final"])
    assert claims == ["K-final", "F3-lamellae", "F3-origin"]
    assert figures == ["F3"]
    assert chosen([]) == ([claim.name for claim in CLAIMS], list(FIGURES))
    assert needs_of(["K-final"]).uvvis == {Condition(350, 350, 7.6)}
    assert needs_of([ADAPTIVE]) == NeededRuns(goals=frozenset(("map", "discriminate")))


def test_what_is_measured_and_analysed_is_not_measured_again() -> None:
    needs = needs_of(["F1-window", "F3", "F4", "F2"])
    assert needs.without([at(280, 280, 14.0)]) == needs
    left = needs.without([at(280, 280, 14.0, uvvis=uvvis())])
    assert needs.uvvis - left.uvvis == {Condition(280, 280, 14.0)}
    # spectra alone don't do for what needs frames
    assert needs.without([at(200, 230, 1.5, uvvis=uvvis())]).saxs == needs.saxs
    assert needs.without([at(200, 230, 1.5, uvvis=uvvis(), saxs={})]).saxs < needs.saxs
    assert len(needs.without(mixture(1, 1, 1)).precursors) == 6
    assert needs.without(fractions()).fractions == {"Fi", "F5"}
    # within a session the analyses may be under way
    bare = [at(280, 280, 14.0), at(200, 230, 1.5)]
    left = needs.without(bare, analysed=False)
    assert (needs.uvvis - left.uvvis, needs.saxs - left.saxs) == (
        {Condition(280, 280, 14.0)},
        {Condition(200, 230, 1.5)},
    )


class Devices:
    reactor = spectrometer = saxs = None


def plans_of(needs: NeededRuns) -> list[tuple[str, dict[str, Any]]]:
    called: list[tuple[str, dict[str, Any]]] = []

    class Names(dict):
        def __missing__(self, name: str) -> Any:
            return lambda *args, **kwargs: called.append((name, {"args": args, **kwargs}))

    list(plans_for(needs, Names(), Devices(), {"reproduce_uid": "x"}))
    return called


def test_the_plans_measure_what_is_needed_and_say_whose_they_are() -> None:
    called = plans_of(needs_of(()))
    assert [name for name, _ in called] == [
        "saxs_calibrate", "mesophase_scan", "mesophase_scan", "mesophase_scan", "measure_fractions",
        "nucleation_temperature_scan", "residence_time_scan", "residence_time_scan", "residence_time_scan",
        "growth_temperature_scan",
    ]  # fmt: skip
    assert all(given["md"] == {"reproduce_uid": "x"} for _, given in called)
    assert called[-1][1]["args"][3] == [float(-step) for step in range(0, 100, 10)]


def test_what_is_left_of_a_grid_is_measured_row_by_row() -> None:
    grid = needs_of(["F1-rows"])
    measured = [at(n, n, 14.0, uvvis=uvvis()) for n in range(260, 300, 10)]
    called = plans_of(grid.without(measured))
    assert {name for name, _ in called} == {"growth_temperature_scan"}
    made = {
        Condition(n, n + offset, given["args"][4])
        for _, given in called
        for n in given["args"][2]
        for offset in given["args"][3]
    }
    assert made == grid.uvvis - {one.condition for one in measured}


def run_of(
    start: Mapping[str, Any], data: Mapping[str, Any] | None = None, exit_status: str = "success", time: float = 0.0
) -> list[tuple[str, dict[str, Any]]]:
    run = event_model.compose_run(metadata=dict(start), time=time)
    found: list[tuple[str, Any]] = [("start", run.start_doc)]
    if data is not None:
        keys = {key: {"source": "x", "dtype": "number", "shape": []} for key in data}
        stream = run.compose_descriptor(name="primary", data_keys=keys)
        found.append(("descriptor", stream.descriptor_doc))
        event = stream.compose_event(data=dict(data), timestamps=dict.fromkeys(data, time), time=time)
        found.append(("event", event))
    found.append(("stop", run.compose_stop(exit_status=exit_status, time=time + 10.0)))
    return [(name, dict(document)) for name, document in found]


def reproduction(uid: str = "r1", **told: Any) -> list[list[tuple[str, dict[str, Any]]]]:
    runs = []
    level = 1000.0
    for number, record in enumerate(window()):
        assert record.condition is not None
        level -= 50.0
        told = {"scenario": "palencia2020", "seed": 1, "time_scale": 10.0} | told
        start = {"purpose": "scan", "reproduce_uid": uid, "reproduce": told, "condition": record.condition.as_dict()}
        contents = {f"reactor_pump_{name}_content_ul": level for name in ("cd", "se", "solvent")}
        raw = run_of(start, contents, time=100.0 * number)
        analysis = {"purpose": "analysis", "analysis": "uvvis", "raw_uid": raw[0][1]["uid"], "version": "1"}
        runs += [raw, run_of(analysis, record.results["uvvis"], time=100.0 * number + 20)]
    return runs


def test_records_come_from_the_documents_alone() -> None:
    runs = reproduction()
    failed = run_of({"purpose": "scan", "reproduce_uid": "r1"}, exit_status="fail", time=5.0)
    archive = archive_of("r1", [*reversed(runs), failed])
    assert len(archive.records.all) == 10
    assert archive.failed == 1
    assert archive.told["seed"] == 1
    assert archive.versions == ["1"]
    found = archive.records.both(280, 14.0)
    assert found is not None
    assert found.number("uvvis", "CdSe-437_ratio") == 0.13
    used = archive.used["scan"]
    assert used.runs == 11
    # ten runs of 10 s at ten times the clock's speed, and the failed one, which doesn't say
    assert used.seconds == pytest.approx(1010.0)
    # 50 µL between readings
    assert used.microlitres == {"Cd": 450.0, "Se": 450.0, "Solvent": 450.0}
    assert used.mixture_ml == pytest.approx(0.9)


def test_what_lies_between_two_runs_counts_within_a_session_only() -> None:
    runs = reproduction()
    for number, run in enumerate(runs[::2]):
        run[0][1]["scan_id"] = (1, 2, 3, 1, 2, 3, 4, 5, 6, 7)[number]
    used = archive_of("r1", runs).used["scan"]
    # one is begun each 100 s and takes 10; the fourth is the first of another session
    assert used.seconds == pytest.approx(10.0 * ((10.0 + 2 * 100.0) + (10.0 + 6 * 100.0)))


def test_the_later_analysis_counts_and_a_failed_one_does_not() -> None:
    raw, analysis = reproduction()[:2]
    again = {**analysis[0][1], "uid": "again"}
    later = run_of({key: again[key] for key in ("purpose", "analysis", "raw_uid", "version")}, {"x": 2.0}, time=900.0)
    failed = run_of({key: again[key] for key in ("purpose", "analysis", "raw_uid", "version")}, None, "fail", 950.0)
    (record,) = archive_of("r1", [later, failed, analysis, raw]).records.all
    assert record.results["uvvis"] == {"x": 2.0}


def journalled(folder: Any, runs: list[list[tuple[str, dict[str, Any]]]]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for run in runs:
        journal = Journal(folder, run[0][1]["uid"])
        for name, document in run:
            journal.append(Journal.line(name, document))
        journal.close()


def test_journals_of_two_reproductions_are_not_mixed(tmp_path) -> None:
    journalled(tmp_path, reproduction("r1", seed=1))
    other = reproduction("r2", seed=2)
    for run in other:
        run[0][1]["time"] += 1e4
    journalled(tmp_path / "stored" / "2020-01", other)
    assert latest_in_journals(tmp_path) == "r2"
    assert latest_in_journals(tmp_path, "r1") == "r1"
    assert latest_in_journals(tmp_path, "x") is None
    assert latest_in_journals(tmp_path / "nowhere") is None
    for uid, seed in (("r1", 1), ("r2", 2)):
        archive = archive_of(uid, in_journals(tmp_path, uid))
        assert archive.told["seed"] == seed
        assert len(archive.records.all) == 10
    assert len(archive_of("r3", in_journals(tmp_path, "r3")).records.all) == 0


def test_who_reads_the_archive_is_told_what_it_lacks(tmp_path, monkeypatch, capsys) -> None:
    @contextmanager
    def catalog(store: Any) -> Any:
        raise FileNotFoundError(store)
        yield

    monkeypatch.setattr("msc_plans.storage.opened", catalog)
    journalled(tmp_path / "journal", reproduction()[:3])
    assert main(["reproduce", "--from-catalog", "--store", str(tmp_path)]) == 2
    said = capsys.readouterr().err
    assert (
        f"3 runs are not in the catalogue yet; they are read in their journals (msc replay --store {tmp_path})" in said
    )


def verdicts(**told: Any) -> dict[str, tuple[str, str]]:
    archive = archive_of("r1", reproduction(**told))
    results = results_of(archive, ["F1", "K-slow"], 0)
    return {one["claim"]: (one["verdict"], one["verdict_of_data"]) for one in results["claims"]}


def test_only_the_default_scenario_is_presumed_not_to_carry_anything() -> None:
    assert verdicts()["F1-window"] == ("shown", "shown")
    assert verdicts()["F1-rows"] == ("not carried by this twin", "not resolvable")
    assert verdicts(scenario="shifted")["F1-rows"] == ("not resolvable", "not resolvable")
    assert verdicts(scenario="", prefix="REAL:")["F1-rows"] == ("not resolvable", "not resolvable")


def test_what_is_presumed_is_what_the_page_of_the_twin_says() -> None:
    from pathlib import Path

    page = (Path(__file__).parents[3] / "docs" / "twin.md").read_text()
    listed = re.findall(r"^\| (\S+) \|.*\*\*not carried\*\* \|$", page, re.MULTILINE)
    assert set(listed) == NOT_CARRIED["palencia2020"]


def test_results_are_strict_json() -> None:
    results = results_of(archive_of("r1", reproduction()), ["F1"], 0)
    assert json.loads(dumps(results))["claims"][0]["claim"] == "F1-window"
    assert (
        dumps({"a": math.nan, "b": [math.inf, 1.0], "c": (math.nan,)}) == '{"a": null, "b": [null, 1.0], "c": [null]}'
    )


def test_the_report_needs_nothing_beside_it(tmp_path) -> None:
    archive = archive_of("r1", reproduction())
    spectrum = {"wavelength_nm": [380.0, 400.0, 500.0, 640.0], "absorbance": [0.3, 0.2, 0.1, math.nan]}
    spectra = [replace(one, results={"uvvis": one.results["uvvis"] | spectrum}) for one in archive.records.all]
    archive = replace(archive, records=Records([*spectra, *mixture(1.0, 0.6, 0.0)]))
    only = ["F1", "F3", "S2", "F4"]
    write_report(tmp_path / "report" / "index.html", archive, results_of(archive, only, 0), only)
    page = (tmp_path / "report" / "index.html").read_text()
    assert [path.name for path in (tmp_path / "report").iterdir()] == ["index.html"]
    assert page.count("data:image/png;base64,") == 2
    assert not re.findall(r'(?:src|href)="(?!data:)', page)
    assert "http" not in page
    for words in ("F1-window", "supplementary information was not at hand", "Fig. 4: nothing was measured", "seed 1"):
        assert words in page


def test_words_are_escaped(tmp_path) -> None:
    report = HtmlReport("a < b")
    report.table(("<i>",), [(["<b>", "x"],)])
    report.write(tmp_path / "x.html")
    page = (tmp_path / "x.html").read_text()
    assert "<b>" not in page
    assert "<i>" not in page
    assert "a &lt; b" in page


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--only", "F9"], "--only F9: no claim or figure"),
        (["--seed", "-1"], "--seed must be 0 or more"),
        (["--prefix", "X:", "--scenario", "ideal"], "choose one"),
        (["--from-catalog", "--resume"], "measures nothing"),
        (["--from-catalog", "--store", "nowhere"], "there is no store in this folder"),
        (["--resume", "--store", "nowhere"], "no reproduction"),
        (["--scenario", "nosuch"], "nosuch"),
        (["--time-scale", "0"], "--time-scale must be above 0"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(tmp_path, monkeypatch, capsys, arguments, words) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["reproduce", *arguments]) == 2
    error = capsys.readouterr().err
    assert words in error
    assert len(error.splitlines()) == 1


def test_steps_and_sizes_have_figures() -> None:
    from msc_plans.paper.figures import paper_figure

    told = {"radius_nm": [0.8, 0.9], "volume_weighted": [1.0, 2.0], "verdict": "quantized"}
    told |= {key: [0.5, 1.0, 2.0] for key in ("q_inv_nm", "intensity", "intensity_sigma")}
    made = [
        AnalysedRun(one.uid, one.purpose, 0.0, one.condition, results={"saxs": {**one.results["saxs"], **told}})
        for one in radii({190: 0.87, 200: math.nan})
    ]
    assert paper_figure("F2", Records(made)) is not None
    assert paper_figure("S3", Records([at(280, 280, s, uvvis=uvvis()) for s in (1.5, 14.0)])) is not None
    assert all(paper_figure(name, Records([])) is None for name in FIGURES)
