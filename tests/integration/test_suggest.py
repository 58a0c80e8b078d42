"""``msc suggest`` and ``msc fit`` on histories, as a user calls them."""

import io
import json
import math
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from msc_plans.callbacks.publish import publish_run
from msc_plans.cli import main
from msc_plans.condition import Condition
from msc_plans.kinetics.mechanism_file import mechanisms
from msc_plans.kinetics.synthetic import outcome_record
from msc_plans.storage import CatalogHistory, RunWriter, TiledServer, close_catalog, open_catalog

MECHANISMS = """
base = "palencia2020"

[mechanisms.sequential]
title = "Nanocrystals come from CdSe-465"
steps = ["families", "465 to NC"]

[mechanisms.window]
title = "Nanocrystals come from CdSe-403"
steps = ["families", "403 to NC"]
"""
GRID = ("--nucleation-temperatures", "250:330:20", "--residence-times", "4.5,14")
AXES = ("nucleation_temperature", "growth_temperature", "residence_time")
INTERVALS = ("height", "ratio", "nc_wavelength_nm")


def plain(record):
    """As JSON has it: None for what is no number."""
    return {key: value if math.isfinite(value) else None for key, value in record.items()}


@pytest.fixture(scope="module")
def records():
    """Three conditions of a world with the middle values of all priors."""
    sequential, rng = mechanisms()["sequential"], np.random.default_rng(4)
    truth = np.array([*(prior.mean for prior in sequential.priors), 0.0, 0.0])
    conditions = [Condition(t, t, s) for t, s in ((250, 14), (290, 14), (330, 14))]
    return [{**one.as_dict(), **plain(outcome_record(sequential, truth, one, rng))} for one in conditions]


@pytest.fixture
def folder(tmp_path, monkeypatch, records):
    monkeypatch.chdir(tmp_path)
    Path("two.toml").write_text(MECHANISMS)
    Path("empty.jsonl").touch()
    write("h.jsonl", records)
    return tmp_path


def write(name, records):
    Path(name).write_text("".join(f"{json.dumps(one)}\n" for one in records))


def msc(capsys, command, *arguments, particles=50):
    """Return exit code, stdout and stderr; two mechanisms and few particles are quick."""
    code = main([command, *map(str, arguments), "--mechanisms", "two.toml", "--particles", str(particles)])
    out, err = capsys.readouterr()
    return code, out, err


def suggest(capsys, *arguments):
    """Return the objects that are printed."""
    code, out, err = msc(capsys, "suggest", *arguments, "--json")
    assert (code, err) == (0, "")
    return [json.loads(line, parse_constant=pytest.fail) for line in out.splitlines()]


def fit(capsys, *arguments):
    code, out, err = msc(capsys, "fit", *arguments, "--json")
    assert (code, err) == (0, "")
    return json.loads(out, parse_constant=pytest.fail)


def where(suggestion):
    return tuple(suggestion[axis] for axis in AXES)


def refused(capsys, command, *arguments):
    """Return the one line on stderr."""
    code, out, err = msc(capsys, command, *arguments)
    assert (code, out) == (2, "")
    (line,) = err.splitlines()
    assert line.startswith(f"msc {command}: ")
    return line


def test_an_empty_history_gives_a_first_suggestion(folder, capsys):
    (first,) = suggest(capsys, "empty.jsonl", *GRID)
    assert first["conditions_used"] == 0
    assert first["mechanisms"] == {"sequential": 0.5, "window": 0.5}
    assert "nothing is measured yet" in first["reason"]
    assert (first["stop"], first["alarm"]) == (None, None)


def test_a_batch_says_all_that_a_planner_needs(folder, capsys, records):
    found = suggest(capsys, "h.jsonl", *GRID, "-n", 3)
    assert [one["rank"] for one in found] == [1, 2, 3]
    assert len({where(one) for one in found}) == 3
    measured = {where(one) for one in records}
    for one in found:
        assert where(one) not in measured
        assert one["nucleation_temperature"] in (250, 270, 290, 310, 330)
        assert one["residence_time"] in (4.5, 14)
        assert one["runner_up"] is not None
        assert where(one["runner_up"]) != where(one)
        assert one["family"] == "CdSe-437"
        assert 0 <= one["probability"] <= 1
        for name in INTERVALS:
            assert one[f"{name}_low"] <= one[name] <= one[f"{name}_high"]
        assert one["cost_seconds"] > 60
        assert one["cost_ul"] > 1000
        assert one["conditions_used"] == 3
        assert not one["measured_before"]
        assert sum(one["mechanisms"].values()) == pytest.approx(1.0)
        assert set(one) == {
            *AXES, *INTERVALS, *(f"{name}_{end}" for name in INTERVALS for end in ("low", "high")),
            "rank", "family", "goal", "reason", "probability", "runner_up", "cost_seconds", "cost_ul",
            "measured_before", "mechanisms", "conditions_used", "stop", "alarm",
        }  # fmt: skip


def test_the_same_seed_gives_the_same_answer(folder, capsys, monkeypatch, records):
    write("one.jsonl", records[1:2])
    arguments = ("--nucleation-temperatures", "250,270,310", "--residence-times", "14", "-n", 2)
    first = suggest(capsys, "one.jsonl", *arguments, "--seed", 3)
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(Path("one.jsonl").read_bytes())))
    assert suggest(capsys, "-", *arguments, "--seed", 3) == first
    other = suggest(capsys, "one.jsonl", *arguments, "--seed", 4)
    assert [one["height"] for one in other] != [one["height"] for one in first]


def test_limits_forbidden_boxes_and_failures_are_kept(folder, capsys):
    grid = (
        "--nucleation-temperatures",
        "250:310:20",
        "--growth-offsets",
        "-20:20:20",
        "--residence-times",
        "14",
        "-n",
        99,
    )
    limits = ("--limit", "growth_temperature=250:310", "--limit", "nucleation_temperature=20:300")
    box = ("--forbid", "nucleation_temperature=260:280,growth_temperature=265:320")
    found = suggest_some(capsys, *grid, *limits, *box)
    assert len(found) == 6
    for nucleation, growth, _ in found:
        assert 250 <= growth <= 310
        assert nucleation <= 300
        assert not (260 <= nucleation <= 280 and growth >= 265)
    failed = sorted(found)[0]
    write("failed.jsonl", [{**dict(zip(AXES, failed, strict=True)), "failed": True}])
    left = suggest_some(capsys, *grid, *limits, *box, history="failed.jsonl")
    assert sorted(left) == sorted(found)[1:]


def suggest_some(capsys, *arguments, history="empty.jsonl"):
    """Return the conditions, where fewer than asked for are left."""
    code, out, err = msc(capsys, "suggest", history, *arguments, "--json")
    assert code == 0
    assert "are left to suggest" in err or "have failed" in err
    return [where(json.loads(line)) for line in out.splitlines()]


@pytest.mark.parametrize(
    ("goal", "words"),
    [
        (("map", "--map-time", "14", "--family", "CdSe-403"), "CdSe-403"),
        (("maximise", "--by", "purity"), "the purest CdSe-437"),
        (("discriminate",), "from"),
        (("learn",), "tells most about the rate constants"),
    ],
)
def test_every_goal_has_its_reason(folder, capsys, goal, words):
    (found,) = suggest(
        capsys, "empty.jsonl", *goal, "--nucleation-temperatures", "250:310:20", "--residence-times", "14"
    )
    assert words in found["reason"]


def test_the_table_fits_a_terminal_and_says_when_the_goal_is_reached(folder, capsys, records):
    code, out, err = msc(
        capsys, "suggest", "h.jsonl", "--nucleation-temperatures", "250,290,330", "--residence-times", "14", "-n", 2
    )
    assert (code, err) == (0, "")
    assert max(map(len, out.splitlines())) <= 100
    for words in ("Goal: map where CdSe-437 accumulates", "3 conditions measured", "why:", "runner-up:", "P(acc.)"):
        assert words in out
    assert "measured before" in out
    assert "Goal reached: every cell is decided." in out
    assert "No alarm." in out


def test_a_budget_that_does_not_last_gives_no_suggestion(folder, capsys):
    code, out, err = msc(capsys, "suggest", "empty.jsonl", *GRID, "--max-ml", "2")
    assert (code, err) == (0, "")
    assert "budget would be exceeded by any further condition: 2.0 of 2 mL are left" in out
    assert "runner-up" not in out
    code, out, err = msc(capsys, "suggest", "empty.jsonl", *GRID, "--max-ml", "2", "--json")
    assert (code, out) == (0, "")
    assert "budget would be exceeded" in err
    found = suggest(capsys, "empty.jsonl", *GRID, "--max-ml", "2", "--volume-ul", "250")
    assert found[0]["cost_ul"] < 2000


def test_what_no_mechanism_gives_raises_the_alarm(folder, capsys, records):
    absurd = {**records[1], "CdSe-382_height": 1.9, "nc_height": 1.9, "nc_wavelength_nm": 690.0}
    write("absurd.jsonl", [records[1], absurd])
    Path("two.toml").write_text(MECHANISMS.partition("[mechanisms.window]")[0])
    (found,) = suggest(capsys, "absurd.jsonl", "--nucleation-temperatures", "250,330", "--residence-times", "10")
    assert "no mechanism fits" in found["alarm"]
    code, out, _ = msc(capsys, "fit", "absurd.jsonl")
    assert code == 0
    assert "*** ALARM *** no mechanism fits" in out
    assert max(map(len, out.splitlines())) <= 100


def test_fit_weighs_mechanisms_and_learns_constants(folder, capsys):
    found = fit(capsys, "h.jsonl", "--plot", "all.png")
    assert sum(found["probabilities"].values()) == pytest.approx(1.0)
    assert found["mechanism"] == max(found["probabilities"], key=found["probabilities"].get)
    assert (found["conditions_used"], found["conditions_failed"], found["alarm"]) == (3, 0, None)
    assert found["reference_temperature"] == 280.0
    for one in found["constants"]:
        for name in ("log10_k", "energy_kj_mol"):
            assert one[f"{name}_low"] <= one[name] <= one[f"{name}_high"]
    conversion = found["constants"][0]
    assert (conversion["name"], conversion["log10_k_learnt"]) == ("conversion", True)
    assert conversion["log10_k_low"] < -1.3 < conversion["log10_k_high"]
    units = {one["name"]: one["k_unit"] for one in found["constants"]}
    assert (units["conversion"], units["403 to 437"], units["nucleation"]) == ("1/s", "L/mmol/s", "L²/mmol²/s")
    assert Path("all.png").read_bytes()[:4] == b"\x89PNG"
    assert Path("all.png").stat().st_size > 20_000
    assert found["picture"] == "all.png"


def test_before_any_data_nothing_is_learnt(folder, capsys):
    code, out, err = msc(capsys, "fit", "empty.jsonl", "--mechanism", "window", "--plot")
    assert (code, err) == (0, "")
    constants = [line for line in out.splitlines() if "/s " in line]
    assert len(constants) == 14
    assert all(line.count("not learnt") == 2 for line in constants)
    assert "nothing measured yet" in out
    assert max(map(len, out.splitlines())) <= 100
    assert Path("empty.jsonl.fit.png").stat().st_size > 20_000


BROKEN = {
    "json": ('{"nucleation_temperature": 280, ', "h.jsonl:2: '{\"nucleation_temperature\": 280,' is no JSON"),
    "list": ("[1, 2]", "h.jsonl:2: is a list, not an object; give one object a line"),
    "missing": ({"noise": ...}, "h.jsonl:2: the point lacks the outcome noise"),
    "no condition": ({"residence_time": ...}, "h.jsonl:2: a condition needs residence_time"),
    "word": ({"CdSe-437_height": "high"}, "h.jsonl:2: the outcome CdSe-437_height must be a number, not 'high'"),
    "kelvin": ({"growth_temperature": 553.0}, "h.jsonl:2: growth_temperature 553 is outside 0 to 500 °C"),
    "text": ({"residence_time": "14 s"}, "h.jsonl:2: residence_time must be a finite number, not '14 s'"),
    "time": ({"residence_time": -1}, "h.jsonl:2: residence_time must be above 0 s, not -1 s"),
    "full": ({"full_conversion_height": 0}, "h.jsonl:2: full_conversion_height must be above 0, not 0"),
    "sigma": ({"nc_wavelength_nm_sigma": 0}, "h.jsonl:2: nc_wavelength_nm_sigma must be above 0, not 0; give null"),
    "failed": ({"failed": "yes"}, "h.jsonl:2: failed must be true or false, not 'yes'"),
}


@pytest.mark.parametrize("kind", BROKEN)
@pytest.mark.parametrize("command", ["suggest", "fit"])
def test_a_broken_line_is_named(folder, capsys, records, kind, command):
    broken, words = BROKEN[kind]
    if isinstance(broken, dict):
        broken = json.dumps({k: v for k, v in {**records[1], **broken}.items() if v is not ...})
    Path("h.jsonl").write_text(f"{json.dumps(records[0])}\n{broken}\n")
    assert words in refused(capsys, command, "h.jsonl")


def test_a_file_that_is_no_text_is_named(folder, capsys):
    Path("h.jsonl").write_bytes(b"\n\xff\xfe{}\n")
    assert "h.jsonl:2: byte 0xff is no UTF-8" in refused(capsys, "fit", "h.jsonl")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nowhere.jsonl"], "nowhere.jsonl: No such file"),
        (["h.jsonl", "--campaign", "c1"], "--campaign is for a store; h.jsonl is a file"),
        (["."], ".: is a folder without a store"),
        (["http://127.0.0.1:1/"], "http://127.0.0.1:1/: no store answers there"),
        (["h.jsonl", "fly"], "unknown goal 'fly'; goals are map, maximise"),
        (["h.jsonl", "--family", "CdSe-999"], "unknown family 'CdSe-999'; families are CdSe-382"),
        (["h.jsonl", "maximise", "--by", "colour"], "by must be 'amount' or 'purity', not 'colour'"),
        (["h.jsonl", "learn", "--family", "CdSe-437"], "--family is for the goal map or maximise"),
        (["h.jsonl", "--map-time", "9"], "no candidate has a residence time of 9 s; they have 1.5, 3"),
        (
            ["h.jsonl", "--nucleation-temperatures", "240:350"],
            "--nucleation-temperatures '240:350': '240:350' isn't a range; give begin:end:step",
        ),
        (["h.jsonl", "--nucleation-temperatures", "350:240:10"], "'350:240:10' is empty"),
        (["h.jsonl", "--nucleation-temperatures", "1:1e9:1"], "more than 500 values; use a larger step"),
        (["h.jsonl", "--residence-times", "3,x"], "--residence-times '3,x': 'x' isn't a number"),
        (["h.jsonl", "--residence-times", "0.1:40:0.1"], "the grid has 4800 conditions, at most 2000"),
        (["h.jsonl", "--nucleation-temperatures", "520"], "nucleation_temperature 520 is outside 0 to 500 °C"),
        (
            ["h.jsonl", "--growth-temperatures", "240", "--growth-offsets", "-9:9:9"],
            "give --growth-temperatures or --growth-offsets, not both",
        ),
        (["h.jsonl", "--limit", "growth=1:2"], "--limit 'growth=1:2': 'growth' isn't a value of a condition"),
        (["h.jsonl", "--limit", "growth_temperature=20:30"], "no condition is left in the search space"),
        (["h.jsonl", "--forbid", "growth_temperature=9"], "'growth_temperature=9' is not name=low:high"),
        (["h.jsonl", "--flow", "10:90"], "--flow needs --volume-ul"),
        (["h.jsonl", "--flow", "90", "--volume-ul", "250"], "--flow '90' is not low:high"),
        (["h.jsonl", "--flow", "1:2", "--volume-ul", "250"], "no condition is left in the search space"),
        (["h.jsonl", "--feed-mmol-l", "0"], "--feed-mmol-l must be above 0, not 0"),
        (["h.jsonl", "--chamber-fraction", "3"], "--chamber-fraction must be between 0 and 1, not 3"),
        (["h.jsonl", "--seed", "-1"], "--seed must be 0 or more, not -1"),
        (["h.jsonl", "--max-ml", "-3"], "--max-ml must be above 0, not -3"),
        (["h.jsonl", "-n", "0"], "-n must be 1 or more, not 0"),
    ],
)
def test_bad_input_is_one_line(folder, capsys, arguments, words):
    assert words in refused(capsys, "suggest", *arguments)


def test_bad_mechanisms_particles_and_pictures_are_one_line(folder, capsys):
    assert "unknown mechanism 'warp'; mechanisms are sequential, window" in refused(
        capsys, "fit", "h.jsonl", "--mechanism", "warp"
    )
    assert "the picture is a PNG" in refused(capsys, "fit", "h.jsonl", "--plot", "h.jsonl")
    assert "there is no folder away" in refused(capsys, "fit", "h.jsonl", "--plot", "away/fit.png")
    assert msc(capsys, "fit", "h.jsonl", particles=7)[::2] == (
        2, "msc fit: particles must be an even number of at least 50, not 7\n",
    )  # fmt: skip
    one = MECHANISMS.replace("[mechanisms.window]", "[mechanisms.sequential.unused]")
    for content, words in (
        (None, "No such file"),
        ("x =", "two.toml is no TOML"),
        ("species = 3\n[mechanisms.a]\nsteps = []", "species: must be a table, not 3"),
        (MECHANISMS.replace("403 to NC", "warp"), "unknown step warp"),
        (one, "the goal discriminate needs two mechanisms or more; there is sequential only"),
    ):
        Path("two.toml").unlink(missing_ok=True)
        if content is not None:
            Path("two.toml").write_text(content)
        assert words in refused(capsys, "suggest", "h.jsonl", "discriminate")


@pytest.fixture
def store(folder, records):
    """Two campaigns: the older of one condition; the later of two that were measured and one that failed."""
    server = TiledServer(folder / "store").start()
    catalog = open_catalog(folder / "store")
    writer = RunWriter(folder / "store", folder / "store" / "journal")

    def publish(campaign, trial, purpose, data=(), exit_status="success", record=records[0]):
        condition = {axis: record[axis] for axis in AXES}
        start = {"purpose": purpose, "campaign_uid": campaign, "trial_id": trial, "condition": condition}
        publish_run([writer], start, dict(data), exit_status=exit_status)

    def outcome(record):
        return {key: math.nan if value is None else value for key, value in record.items() if key not in AXES}

    publish("old-1", "trial-0001", "analysis", outcome(records[0]))
    publish("new-2", "trial-0001", "suggestion", {"reason": "because"})
    publish("new-2", "trial-0001", "analysis", {**outcome(records[0]), "fit": np.zeros(5), "comment": "extra"})
    publish("new-2", "trial-0002", "analysis", outcome(records[1]), record=records[1])
    publish("new-2", "trial-0003", "campaign", exit_status="fail", record=records[2])
    assert writer.flush()
    writer.close()
    stored = CatalogHistory(catalog)
    assert stored.campaigns() == ["old-1", "new-2"]
    assert stored.failures("new-2") == {"trial-0003": {axis: records[2][axis] for axis in AXES}}
    close_catalog(catalog)
    server.stop()
    return folder / "store"


@pytest.mark.long
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # Tiled's own, where its app runs in this process
def test_a_store_gives_what_a_file_gives(store, capsys, records):
    write("same.jsonl", [*records[:2], {**{axis: records[2][axis] for axis in AXES}, "failed": True}])
    found = fit(capsys, store)
    assert found == fit(capsys, "same.jsonl")
    assert (found["conditions_used"], found["conditions_failed"]) == (2, 1)
    assert fit(capsys, store, "--campaign", "old")["conditions_used"] == 1
    assert "--campaign 'c9' isn't a campaign of this store; there are old-1, new-2" in refused(
        capsys, "fit", store, "--campaign", "c9"
    )
