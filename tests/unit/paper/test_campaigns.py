"""The campaigns of ``msc reproduce`` and what is made of them: documents made up, no reactor."""

import json
from dataclasses import asdict
from types import SimpleNamespace
from typing import Any

import pytest

from msc_plans.advisor import Advisor, CostModel, SearchSpace
from msc_plans.advisor.goals import goal_of
from msc_plans.callbacks.publish import publish_run
from msc_plans.condition import Condition
from msc_plans.kinetics.mechanism_file import mechanisms as built_in
from msc_plans.paper import campaigns as reproduce_adaptive
from msc_plans.paper.campaigns import GOALS, advisor_of, campaign_uid_of, conclude, run_campaign, told_of
from msc_plans.paper.claims.claims import Records
from msc_plans.paper.compare import compared, grid_of
from msc_plans.paper.experiments import needs_of
from msc_plans.paper.records import CONCLUSION, Archive, Usage, archive_of
from msc_plans.paper.report import mechanisms, results_of, write_report
from msc_plans.settings import Settings
from tests.unit.paper.test_claims import at, uvvis, window
from tests.unit.paper.test_reproduce import reproduction, run_of

CELLS = tuple(float(t) for t in range(260, 360, 10))
COST = asdict(CostModel(reactor_volume_ul=250.0))


def conclusion(goal: str = "map", **more: Any) -> dict[str, Any]:
    data: dict[str, Any] = {"goal": goal, "stopped": "every cell is decided", "alarm": ""}
    data["mechanisms"] = json.dumps({"sequential": 0.7, "hot": 0.3})
    if goal == "map":
        ratios = [0.03, 0.12, 0.13, 0.14, 0.12, *[0.0] * 5]
        columns = {"celsius": CELLS, "ratio": ratios, "probability": [float(r > 0.085) for r in ratios]}
        data |= {f"cell_{name}": list(column) for name, column in columns.items()}
    else:
        data["steps"] = json.dumps({"465 to NC": 0.96, "none of them": 0.04})
    return data | more


def archive(ratios: dict[int, float], conclusions: dict[str, Any] | None = None, **more: Any) -> Archive:
    campaign = tuple(at(t, t, 14.0, uvvis=uvvis(ratio)) for t, ratio in ratios.items())
    told = {"scenario": "palencia2020", "cost": COST, "time_scale": 400.0}
    used = {"adaptive, map": Usage(len(campaign), 7200.0, {"Cd": 1000.0, "Se": 2000.0})}
    found = {"map": conclusion()} if conclusions is None else conclusions
    return Archive("r1", told, Records(window()), used, 0, ["1"], {"map": campaign}, found, **more)


SAME = {260: 0.03, 270: 0.12, 300: 0.12, 310: 0.0}


def test_the_same_window_is_no_disagreement() -> None:
    told = compared(archive(SAME), [], [])
    assert told["disagreements"] == []
    assert told["edges"]["grid"] == told["edges"]["adaptive"]
    assert [one["begins"] for one in told["edges"]["grid"]] == [True, False]
    # where it was not measured the campaign's prediction stands, and its word is by probability
    by_celsius = {one["celsius"]: one for one in told["cells"]}
    assert (by_celsius[280]["adaptive"], by_celsius[280]["predicted_ratio"]) == ("accumulated", 0.13)
    assert by_celsius[270]["adaptive_ratio"] == 0.12
    assert "predicted_ratio" not in by_celsius[270]


def test_what_differs_is_named() -> None:
    told = compared(archive({260: 0.2, 250: 0.0, 310: 0.03, 330: 0.0, 300: 0.13}), [], [])
    assert told["disagreements"][0].startswith("the window begins at 266.1 ± ")
    assert "260 °C: not accumulated by the grid, accumulated by the campaign (measured)" in told["disagreements"]
    predicted = conclusion(cell_probability=[0.0, 0.01, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0])
    (said,) = compared(archive({260: 0.03, 300: 0.12, 310: 0.0}, {"map": predicted}), [], [])["disagreements"]
    assert said == "270 °C: accumulated by the grid, not accumulated by the campaign (predicted)"


def test_undecided_disagrees_with_nothing() -> None:
    told = archive(SAME)
    wide = tuple(at(t, t, 14.0, uvvis=uvvis(0.01, 0.2)) for t in (270, 280))
    cells = compared(Archive(**{**vars(told), "campaigns": {"map": wide}}), [], [])["cells"]
    assert {one["adaptive"] for one in cells if one["celsius"] in (270, 280)} == {"undecided"}
    assert not any(one["disagreement"] for one in cells)


def ranges(**probabilities: float) -> list[dict[str, Any]]:
    known = {"range": "T", "paper": "x", "expected": ["hot"], "conditions": 3, "alarm": None, "of_the_paper": 0.5}
    return [known | {"probabilities": probabilities}, {"range": "U", "paper": "x", "expected": [], "conditions": 0}]


def test_ranges_disagree_by_the_most_probable_mechanism() -> None:
    grid, campaigns = ranges(hot=0.6, window=0.4), ranges(hot=0.1, window=0.9)
    (said,) = compared(archive(SAME), grid, campaigns)["disagreements"]
    assert said == "T: most probable is hot (0.60) by the grid, window (0.90) by the campaigns"
    assert compared(archive(SAME), grid, grid)["disagreements"] == []


def test_both_ways_are_priced_by_one_model() -> None:
    rows = {one["way"]: one for one in compared(archive(SAME), [], [])["costs"]}
    model, place, seconds = CostModel(**COST), None, 0.0
    for celsius in SAME:
        condition = Condition(celsius, celsius, 14.0)
        seconds += model.cost(place, condition).seconds
        place = condition
    assert rows["adaptive, map"]["hours"] == pytest.approx(seconds / 3600)
    assert rows["adaptive, map"]["run_hours"] == 2.0
    assert rows["adaptive, map"]["run_mixture_ml"] == 3.0
    assert rows["Fig. 1, ovens equal"]["conditions"] == 10
    # nothing is said of a way that was not gone
    assert "Figs. S2 and S3" in rows
    assert compared(Archive("r1", {}, Records(()), {}, 0, []), [], []) is None


def test_the_grid_is_what_the_paper_measured() -> None:
    records = [*window(), at(350, 300, 14.0, uvvis=uvvis()), at(280, 280, 4.5, uvvis=uvvis()), at(280, 230, 1.5)]
    found = grid_of(Archive("r1", {}, Records(records), {}, 0, []))
    assert [len(one) for one in found.values()] == [11, 10, 11]


def documents() -> list[list[tuple[str, dict[str, Any]]]]:
    """A campaign of two runs in a reproduction, with its conclusion."""
    told = {"scenario": "palencia2020", "seed": 1, "time_scale": 10.0, "cost": COST}
    runs = reproduction(**told)
    for number, celsius in enumerate((270, 260)):
        condition = {"nucleation_temperature": celsius, "growth_temperature": celsius, "residence_time": 14.0}
        start = {"purpose": "campaign", "reproduce_uid": "r1", "reproduce": {**told, "goal": "map"}}
        raw = run_of({**start, "condition": condition}, {"x": 1.0}, time=5000.0 + 100.0 * number)
        analysis = {"purpose": "analysis", "analysis": "uvvis", "raw_uid": raw[0][1]["uid"], "version": "1"}
        runs += [raw, run_of(analysis, uvvis(0.12 if celsius == 270 else 0.03), time=5010.0 + 100.0 * number)]
    ended = {"purpose": "analysis", "analysis": CONCLUSION, "raw_uid": runs[-2][0][1]["uid"], "version": "1"}
    return [*runs, run_of(ended, conclusion(), time=6000.0)]


def test_campaigns_are_told_apart_from_the_grid() -> None:
    found = archive_of("r1", documents())
    assert len(found.records.all) == 10
    assert [one.condition and one.condition.growth_temperature for one in found.campaigns["map"]] == [270, 260]
    assert found.used["adaptive, map"].runs == 2
    assert found.conclusions["map"]["stopped"] == "every cell is decided"
    assert CONCLUSION not in found.campaigns["map"][-1].results
    # what is said of the reproduction is not said of a campaign of it
    assert "goal" not in found.told
    assert needs_of([]).without(found.records.all, found.conclusions).goals == {"discriminate"}
    begun = archive_of("r1", documents()[:-1])
    assert needs_of([]).without(begun.records.all, begun.conclusions).goals == {"map", "discriminate"}


def test_the_report_sets_them_side_by_side(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("msc_plans.paper.report.mechanisms", lambda records, seed, feed: ranges(hot=0.6))
    found = archive_of("r1", documents())
    results = results_of(found, ["adaptive"], 0)
    assert json.loads(json.dumps(results["adaptive"]["conclusions"]))["map"]["finished"] is True
    write_report(tmp_path / "index.html", found, results, ["adaptive"])
    page = (tmp_path / "index.html").read_text()
    for words in (
        "by adaptive campaigns", "disagree: upper edges of the window: 1 by the grid, 0 by the campaigns.",
        "every cell is decided", "adaptive, map", "begins at 266.1 ±",
        "predicted 0.130", "sequential 0.70",
    ):  # fmt: skip
        assert words in page
    assert page.count("data:image/png;base64,") == 1


def test_who_does_not_ask_for_campaigns_is_told_of_none() -> None:
    found = archive_of("r1", documents())
    results = results_of(found, ["F1-window"], 0)
    assert (results["adaptive"], results["mechanisms"]) == (None, [])
    assert [one["claim"] for one in results["claims"]] == ["F1-window"]


def test_the_feed_is_that_of_the_reactor() -> None:
    """A twice as rich feed is another model: other probabilities of the same spectra."""
    records = [at(280, 280, s, uvvis=uvvis(0.2, baseline=0.0, noise=0.001, nc_fwhm_nm=40.0)) for s in (4.5, 14.0)]
    rows = [mechanisms(records, 0, {"cadmium_millimolar": feed})[1]["probabilities"] for feed in (10.0, 20.0)]
    assert rows[0] != rows[1]
    assert all(sum(one.values()) == pytest.approx(1.0) for one in rows)


# -- how a campaign is run


def test_each_campaign_looks_at_the_papers_conditions() -> None:
    equal = {Condition(t, t, 14.0) for t in CELLS}
    advisors = {goal: advisor_of(Settings(), goal, dwell_s=30.0, seed=0) for goal in GOALS}
    assert set(advisors["map"].space.candidates()) == equal
    assert equal < set(advisors["discriminate"].space.candidates())
    assert advisors["map"].reactor.cadmium_millimolar == 1e3 * Settings().optics.cd_concentration_mol_l


def test_a_campaign_has_the_same_uid_whenever_it_is_asked_for() -> None:
    uids = {campaign_uid_of(uid, goal) for uid in ("r1", "r2") for goal in GOALS}
    assert len(uids) == 4
    assert campaign_uid_of("r1", "map") == campaign_uid_of("r1", "map")


def quick_advisor(goal: str) -> Advisor:
    """An advisor of two mechanisms with few particles that has seen nothing."""
    few = {name: built_in()[name] for name in ("sequential", "dead_end")}
    return Advisor(goal_of(goal, "CdSe-437"), SearchSpace(CELLS, [14.0]), mechanisms=few, particles=50, seed=1)


@pytest.mark.parametrize("goal", list(GOALS))
def test_a_conclusion_can_be_stored(goal: str) -> None:
    data = conclude(quick_advisor(goal))
    sent: list[tuple[str, dict[str, Any]]] = []
    publish_run([lambda name, document: sent.append((name, document))], {"purpose": "analysis"}, data)
    stored = next(document["data"] for name, document in sent if name == "event")
    assert stored["stopped"] == "as many conditions as were allowed"
    assert sum(json.loads(stored["mechanisms"]).values()) == pytest.approx(1.0)
    if goal == "map":
        assert stored["cell_celsius"] == list(CELLS)
        assert set(stored["cell_measured"]) == {0.0}
    else:
        assert sum(json.loads(stored["steps"]).values()) == pytest.approx(1.0, abs=1e-6)


class Engine:
    """Runs a plan to its end: each is asked for no more than what it was made of."""

    def __init__(self, uids: list[str]) -> None:
        self.uids, self.plans, self._told = uids, [], {}

    def subscribe(self, function: Any, name: str) -> int:
        self._told[1] = function
        return 1

    def unsubscribe(self, token: int) -> None:
        del self._told[token]

    def __call__(self, plan: Any) -> None:
        self.plans.append(plan)
        for uid in self.uids:
            self._told[1]("start", {"uid": uid})


class Stored:
    def __init__(self, suggested: int) -> None:
        self.suggested = suggested

    def suggestions(self, uid: str) -> list[dict[str, Any]]:
        return [{}] * self.suggested

    def done_trials(self, uid: str) -> set[str]:
        return {"c-001", "c-002"}

    def raw_documents(self, uid: str, trial_id: str) -> list[tuple[str, dict[str, Any]]]:
        return [("start", {"uid": f"raw of {trial_id}"})]


@pytest.mark.parametrize(
    ("resume", "suggested", "uids", "given", "last"),
    [
        (False, 0, ["a", "b"], "", "b"),
        (True, 0, ["a", "b"], "", "b"),
        (True, 2, ["c"], campaign_uid_of("r1", "map"), "c"),
        (True, 2, [], campaign_uid_of("r1", "map"), "raw of c-002"),
    ],
    ids=["new", "resumed before it began", "resumed", "resumed at its end"],
)
def test_a_campaign_goes_on_where_it_was(monkeypatch, resume, suggested, uids, given, last) -> None:
    asked: dict[str, Any] = {}
    monkeypatch.setattr("msc_plans.plans.msc_campaign", lambda *devices, **told: asked.update(told))
    monkeypatch.setattr(reproduce_adaptive, "advisor_of", lambda settings, goal, **told: quick_advisor(goal))
    published: list[dict[str, Any]] = []
    session = SimpleNamespace(
        RE=Engine(uids), settings=Settings(), spectrometer=None, uvvis=None,
        reactor=SimpleNamespace(nucleation=SimpleNamespace(dwell_s=30.0)),
        history=lambda: Stored(suggested), publish=lambda start, data: published.append(start),
    )  # fmt: skip
    md = {"reproduce_uid": "r1", "reproduce": {"seed": 3}}
    run_campaign(session, "map", md, num_spectra=50, resume=resume)
    assert (asked["resume"], asked["campaign_uid"]) == (given, campaign_uid_of("r1", "map"))
    assert asked["md"] == {"reproduce_uid": "r1", "reproduce": {"seed": 3, "goal": "map"}}
    assert asked["num_spectra"] == 50
    (start,) = published
    assert (start["raw_uid"], start["analysis"]) == (last, CONCLUSION)


def test_what_a_report_must_know_is_told() -> None:
    told = told_of(Settings(), SimpleNamespace(nucleation=SimpleNamespace(dwell_s=12.0)))
    assert CostModel(**told["cost"]).dwell_seconds == 12.0
    assert json.loads(json.dumps(told)) == told
