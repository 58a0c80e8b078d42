"""A table of CdS families goes through everything: file analysis, live callback, goal, campaign, lines and figure."""

import json
import os
import subprocess
import sys
from pathlib import Path

import event_model
import numpy as np
import pytest
from matplotlib.text import Text

from ioc_sim.bench import measure, noise_free
from ioc_sim.physics.scenario_file import load_scenario
from msc_plans.advisor import Advisor, DiscriminateGoal, MapGoal, SearchSpace
from msc_plans.advisor.goals import goal_of
from msc_plans.analysis import joint, saxs, uvvis
from msc_plans.callbacks.uvvis import UvVisCallback
from msc_plans.cli import main
from msc_plans.condition import Condition
from msc_plans.errors import InputError
from msc_plans.families import Family, FamilyTable, built_in_families, load_families
from msc_plans.kinetics.inference import Posterior
from msc_plans.kinetics.mechanism_file import read_mechanisms
from msc_plans.kinetics.observation import Observables
from msc_plans.kinetics.synthetic import outcome_record
from msc_plans.session.advisors import advisor_for, space_for
from msc_plans.session.analyses import uvvis_settings
from msc_plans.settings import OpticsSettings, Settings, read_settings
from msc_plans.storage import opened
from msc_plans.views.campaign import MapPrediction, Measured, campaign_figure
from msc_plans.views.kinetics import Comparison, RateBand, kinetics_figure
from msc_plans.views.lines import CampaignLines

FOLDER = Path(__file__).parents[1] / "cds"
CDS = load_families(FOLDER / "families.toml")
MECHANISMS = read_mechanisms(FOLDER / "mechanisms.toml")
SCENARIO = load_scenario(FOLDER / "scenario.toml")
HOT = Condition(310, 310, 14)
FULL = CDS.material.full_conversion_height(SCENARIO.precursor.cd_mol_l, SCENARIO.spectra.path_mm / 10)


@pytest.fixture(scope="module")
def raw():
    return measure(SCENARIO, HOT.as_dict(), seed=1, exposure=100.0)


@pytest.fixture(scope="module")
def result(raw):
    absorbance = uvvis.absorbance(raw.counts, raw.dark, raw.reference)
    return uvvis.analyse(raw.wavelength_nm, absorbance, families=CDS)


def found(families):
    return {band["family"] for band in families if band["detected"]}


def test_the_twin_makes_them_and_the_analysis_finds_and_sizes_them(result):
    true = noise_free(SCENARIO, HOT.as_dict())
    assert {band.family for band in result.families if band.detected} == {"CdS-350", "CdS-373"}
    for name in ("CdS-350", "CdS-373"):
        band = result.family(name)
        assert abs(band.height - true["heights"][name]) < 4 * band.sigma["height"]
        assert "Chem. Mater. 2003" in band.extinction_source
    crystal = result.nanocrystal
    assert crystal.wavelength_nm == pytest.approx(true["nc_wavelength_nm"], abs=4)
    curve = CDS.material.known_sizing("this test")
    assert (crystal.diameter_nm, crystal.unit) == (pytest.approx(curve.diameter_nm(crystal.wavelength_nm)), "CdS units")
    of_cdse = built_in_families().material.known_sizing("this test")
    assert abs(crystal.diameter_nm - of_cdse.diameter_nm(crystal.wavelength_nm)) > 1


def test_the_table_says_which_family_stands_in_the_denominator(result):
    heights = {band.family: band.height for band in result.families}
    judged = uvvis.accumulation(result, "CdS-350", full_conversion_height=FULL)
    rest = result.nanocrystal.height + heights["CdS-373"] + 0.02 * FULL
    assert judged.ratio == pytest.approx(heights["CdS-350"] / rest)
    assert judged.verdict == "accumulated"
    last = uvvis.accumulation(result, "CdS-373", full_conversion_height=FULL)
    assert last.ratio == pytest.approx(heights["CdS-373"] / (result.nanocrystal.height + 0.02 * FULL))


def test_what_a_table_does_not_give_is_not_known(raw):
    bare = FamilyTable(tuple(Family(one.name, one.wavelength_nm, one.diameter_nm) for one in CDS))
    absorbance = uvvis.absorbance(raw.counts, raw.dark, raw.reference)
    result = uvvis.analyse(raw.wavelength_nm, absorbance, families=bare)
    assert result.family("CdS-350").detected
    assert np.isnan(result.family("CdS-350").concentration_mol_l)
    assert np.isnan([result.nanocrystal.diameter_nm, result.nanocrystal.aggregation_number]).all()
    with pytest.raises(ValueError, match=r"no \[material.extinction\], which the height at full conversion needs"):
        bare.material.full_conversion_height(0.02, 0.1)
    with pytest.raises(InputError, match=r"families: the family table has no .*; add it to the table"):
        uvvis_settings(OpticsSettings(), bare, "spec")
    with pytest.raises(ValueError, match=r"no \[material.sizing\], which the kinetic model needs"):
        Observables(bare)
    q = np.linspace(0.6, 5.0, 120)
    sizes = saxs.analyse(q, 0.05 + 2 * np.exp(-((q * 1.5) ** 2) / 5), 0.01 * np.ones_like(q), families=bare)
    assert np.isnan(sizes.volume_fraction)
    assert any("scattering contrast" in warning for warning in sizes.warnings)
    with pytest.raises(ValueError, match=r"no \[material.extinction\], which the analysis of both signals"):
        joint.combine(result, sizes, families=bare, path_length_cm=0.1)


@pytest.mark.parametrize("chosen", ["option", "setting"])
def test_a_file(raw, tmp_path, monkeypatch, capsys, chosen):
    monkeypatch.chdir(tmp_path)
    table = np.column_stack([raw.wavelength_nm, uvvis.absorbance(raw.counts, raw.dark, raw.reference)])
    np.savetxt("cds.csv", table, delimiter=",", header="Wavelength (nm),Abs", comments="", fmt="%.8g")
    path = str(FOLDER / "families.toml")
    if chosen == "setting":
        monkeypatch.setenv("MSC_FAMILIES", path)
    option = ["--families", path] if chosen == "option" else []
    assert main(["analyze", "uvvis", "cds.csv", "--json", *option]) == 0
    record = json.loads(capsys.readouterr().out)
    assert found(record["families"]) == {"CdS-350", "CdS-373"}
    assert main(["analyze", "uvvis", "cds.csv", *option]) == 0
    said = capsys.readouterr().out
    assert "CdS-350" in said
    assert "CdS units" in said
    assert "CdSe" not in said


def test_a_bad_table_is_refused_in_one_line(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("bad.toml").write_text("[[family]]\nname = 'CdS-350'\nwavelength_nm = 350.0\n")
    Path("msc.toml").write_text("families = 'bad.toml'\n")
    with pytest.raises(InputError, match=r"families = .*bad.toml: family 'CdS-350': .*missing \['diameter_nm'\]"):
        read_settings()
    Path("msc.toml").write_text("families = 'nowhere.toml'\n")
    with pytest.raises(InputError, match=r"families = .*can't be read: No such file"):
        read_settings()


def test_live(raw, result):
    published = []
    callback = UvVisCallback(uvvis_settings(OpticsSettings(), CDS, "spec"), [lambda *item: published.append(item)])
    run = event_model.compose_run(metadata={"purpose": "campaign", "condition": HOT.as_dict()})
    callback("start", run.start_doc)
    dark = {"dark": raw.dark, "reference": raw.reference, "wavelength_nm": raw.wavelength_nm}
    for stream, data in (
        ("dark_reference", {f"spec_calibration_{key}": value for key, value in dark.items()}),
        ("primary", {"spec_counts": raw.counts}),
    ):
        keys = {key: {"source": "x", "dtype": "array", "shape": [len(value)]} for key, value in data.items()}
        bundle = run.compose_descriptor(name=stream, data_keys=keys)
        callback("descriptor", bundle.descriptor_doc)
        lists = {key: value.tolist() for key, value in data.items()}
        callback("event", bundle.compose_event(data=lists, timestamps=dict.fromkeys(data, 0.0)))
    callback("stop", run.compose_stop())
    start, data = published[0][1], published[2][1]["data"]
    assert start["families"] == ["CdS-350", "CdS-373"]
    assert start["settings"]["family_table"]["material"] == "CdS"
    assert start["settings"]["family_table"]["families"] == list(CDS.names)
    assert data["CdS-350_ratio"] == pytest.approx(uvvis.outcome(result, full_conversion_height=FULL)["CdS-350_ratio"])
    assert not [key for key in data if "CdSe" in key]


def test_a_goal_is_about_a_family_of_the_table():
    assert goal_of("map", "CdS-350", CDS) == goal_of("map", families=CDS) == MapGoal("CdS-350")
    assert str(goal_of("maximise", "CdS-373", CDS)) == "find the most CdS-373"
    with pytest.raises(ValueError, match="unknown family 'CdSe-437'; families are CdS-311, CdS-322, CdS-350, CdS-373"):
        goal_of("map", "CdSe-437", CDS)


def settings(**more):
    return Settings(families=FOLDER / "families.toml", mechanisms=FOLDER / "mechanisms.toml", **more)


def test_the_advisor_suggests_learns_and_says_why_about_them(tmp_path):
    space = space_for(settings(), [260, 280, 300, 320])
    advisor = advisor_for(settings(), "map", None, space, particles=50, checkpoint_path=tmp_path / "advisor.json")
    assert str(advisor.goal) == "map where CdS-350 accumulates at 14 s"
    (suggestion,) = advisor.suggest(1)
    told = advisor.explain(suggestion["_id"])
    assert "CdS-350" in told.reason
    assert "CdSe" not in f"{told.reason} {told.goal}"
    mechanism = MECHANISMS["ladder"]
    parameters = Posterior(mechanism, observables=advisor.observables, particles=50).parameters[0]
    record = outcome_record(
        mechanism, parameters, told.condition, np.random.default_rng(1), observables=advisor.observables
    )
    assert record["CdS-350_ratio"] > 0
    advisor.ingest([{**suggestion, **record}])
    assert set(advisor.mechanism_probabilities) == {"ladder", "beside"}
    advisor.checkpoint()
    again = Advisor.load(tmp_path / "advisor.json", MECHANISMS, CDS)
    assert again.suggest(1) == advisor.suggest(1)
    with pytest.raises(ValueError, match=r"is of the families CdS-311, .*, and the table has CdSe-382"):
        Advisor.load(tmp_path / "advisor.json", MECHANISMS)


def test_mechanisms_of_another_material_are_refused(tmp_path):
    with pytest.raises(
        ValueError, match=r"no mechanism has a species that is a family of the table \(CdS-311, CdS-322"
    ):
        Advisor(families=CDS, particles=50)
    (tmp_path / "without.toml").write_text((FOLDER / "mechanisms.toml").read_text().replace("CdS-322", "other"))
    without = read_mechanisms(tmp_path / "without.toml")
    with pytest.raises(ValueError, match="about CdS-322, which is not a species of any of the mechanisms"):
        Advisor(MapGoal("CdS-322"), mechanisms=without, families=CDS, particles=50)


def texts(figure):
    return " ".join(text.get_text() for text in figure.findobj(Text))


def test_lines_and_figures_name_them(raw, result):
    outcome = uvvis.outcome(result, full_conversion_height=FULL)
    lines = []
    callback = CampaignLines("CdS-350", lines.append)
    start = {"uid": "1", "purpose": "analysis", "analysis": "uvvis", "condition": HOT.as_dict()}
    callback("start", start)
    callback("descriptor", {"uid": "2", "run_start": "1"})
    callback("event", {"descriptor": "2", "data": outcome})
    assert "CdS-350 -373" in lines[0]
    shown = Measured(
        condition=HOT,
        outcome=outcome,
        wavelength_nm=result.wavelength_nm,
        absorbance=result.absorbance,
        families=result.absorbance - result.rest,
        verdict="accumulated",
    )
    grid = np.array([260.0, 300.0])
    prediction = MapPrediction(
        family="CdS-350", temperature=grid, residence_time=grid / 20, ratio=np.eye(2), threshold=0.085
    )
    said = texts(campaign_figure([shown], prediction, CDS, "a campaign"))
    assert {"311", "322", "350", "373"} <= set(said.split())
    assert "predicted CdS-350 / (NC + 373 + floor)" in said
    posterior = Posterior(MECHANISMS["ladder"], observables=Observables(CDS), particles=50)
    posterior.update([HOT], [posterior.observables.observation(outcome)])
    band = RateBand.of("nucleation", "1/s", posterior, 1, learnt=True)
    said += texts(kinetics_figure({"ladder": 1.0}, "ladder", [band], Comparison.of(posterior), "rates"))
    assert "CdS-373" in said
    assert "CdSe" not in f"{said} {lines}"


def test_steps_are_told_apart_by_their_own_spectra():
    space = SearchSpace([260, 300], [14])
    advisor = Advisor(DiscriminateGoal(), space, mechanisms=MECHANISMS, families=CDS, particles=50)
    assert advisor.family == "CdS-350"
    assert set(advisor.rivals) <= {"373 to NC", "322 to NC", "373 to NC + 322 to NC", "none of them"}


@pytest.mark.long
@pytest.mark.timeout(300)
def test_a_campaign_over_channel_access(tmp_path):
    """``msc demo`` on the CdS reactor: IOC, session, live analysis, store, figure; what is stored is read again."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("EPICS_")}
    environment |= {
        "MSC_FAMILIES": str(FOLDER / "families.toml"),
        "MSC_MECHANISMS": str(FOLDER / "mechanisms.toml"),
        "OMP_NUM_THREADS": "1",
    }

    def run(*arguments):
        command = [Path(sys.executable).parent / "msc", *map(str, arguments)]
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=200, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert "CdSe" not in done.stdout
        return done.stdout

    said = run("demo", "--scenario", FOLDER / "scenario.toml", "--max-conditions", 2, "--store", "store")
    assert "Campaign: map where CdS-350 accumulates at 14 s" in said
    assert "CdS-350 -373" in said
    assert (tmp_path / "store" / "campaign.png").stat().st_size > 20_000
    with opened(tmp_path / "store") as catalog:
        starts = [run.metadata["start"] for run in catalog.values()]
    purposes = [start["purpose"] for start in starts]
    assert [purposes.count(one) for one in ("campaign", "analysis", "suggestion")] == [2, 2, 2]
    assert {start["sample"] for start in starts if start["purpose"] == "campaign"} == {"CdS"}
    assert "CdS-350" in run("runs", "--store", "store", "--family", "CdS-350")
    assert "map where CdS-350 accumulates" in run("suggest", "store", "--particles", 50)
    assert "311 to 322" in run("fit", "store", "--particles", 50)
