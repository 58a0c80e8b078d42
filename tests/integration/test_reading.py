"""Runs found, shown, exported and analysed again, from a real store."""

import json
import os
import runpy
import signal
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import event_model
import h5py
import numpy as np
import pandas
import pytest

from msc_plans.callbacks.frames import Frames
from msc_plans.callbacks.publish import publish_run
from msc_plans.callbacks.uvvis import UvVisCallback, UvVisSettings
from msc_plans.cli import main
from msc_plans.families import built_in_families
from msc_plans.reprocess.job import JobProgress, _missing
from msc_plans.reprocess.worker import Answer, Job, last_uid, reprocess_run
from msc_plans.settings import OpticsSettings
from msc_plans.storage import RunWriter, TiledServer, close_catalog, open_catalog
from msc_plans.storage.complete_runs import tiled_writer
from msc_plans.storage.runs import documents, read_streams
from msc_plans.storage.search import analyses_of, find_analyses, find_runs, newest, newest_raw, runs_by_uid
from tests.conftest import wait_until
from tests.system.documentation import blocks
from tests.unit.callbacks.raw_runs import Station

WAVELENGTH = np.linspace(300.0, 800.0, 1001)
CONDITIONS = [(280.0, 280.0, 14.0), (300.0, 220.0, 12.0), (300.0, 220.0, 30.0)]
NAMES = ("nucleation_temperature", "growth_temperature", "residence_time")
OPTICS = OpticsSettings(path_length_cm=0.1, saturation_counts=None)


def spectrum(height):
    return height * np.exp(-4 * np.log(2) * ((WAVELENGTH - 437.0) / 20.0) ** 2)


def measured(send, number, campaign="campaign-one", times=1):
    """A raw run of a spectrometer: the second and third condition have no band."""
    condition = dict(zip(NAMES, CONDITIONS[number], strict=True))
    run = event_model.compose_run(
        time=1.79e9 + number,
        metadata={
            "purpose": "campaign", "condition": condition, "campaign_uid": campaign, "trial_id": f"{campaign}-{number}",
            "scan_id": number + 1, "sample": "CdSe", "lots": {"Cd": "A1"},
        },
    )  # fmt: skip
    send("start", run.start_doc)
    reference, dark = np.full_like(WAVELENGTH, 1.5e5), np.full_like(WAVELENGTH, 1000.0)

    def stream(name, data, events=1):
        keys = {key: {"source": "x", "dtype": "array", "shape": [len(value)]} for key, value in data.items()}
        bundle = run.compose_descriptor(name=name, data_keys=keys)
        send("descriptor", bundle.descriptor_doc)
        for _ in range(events):
            values = {key: value.tolist() for key, value in data.items()}
            send("event", bundle.compose_event(data=values, timestamps=dict.fromkeys(data, 0.0)))

    known = {"dark": dark, "reference": reference, "wavelength_nm": WAVELENGTH}
    stream("dark_reference", {f"spectrometer_calibration_{key}": value for key, value in known.items()})
    noise = np.random.default_rng(number).normal(0, 100, WAVELENGTH.size)
    absorbing = spectrum(0.3 if number == 0 else 0.0)
    stream("primary", {"spectrometer_counts": dark + (reference - dark) * 10**-absorbing + noise}, times)
    send("stop", run.compose_stop())
    return run.start_doc["uid"]


def curve_of(raw_uid):
    """The start document and data of a SAXS analysis that could tell nothing."""
    start = {
        "purpose": "analysis", "analysis": "saxs", "raw_uid": raw_uid, "raw_time": 1.79e9, "version": "0.1.0",
        "settings": {"points": 20}, "campaign_uid": "campaign-one",
    }  # fmt: skip
    q = np.geomspace(0.2, 4.0, 20)
    nan = float("nan")
    data = {
        "mean_radius_nm": nan, "verdict": "not resolved", "absolute": True, "transmission": 0.85, "q_inv_nm": q,
        "warnings": "CdSe-437 (not resolvable)", "intensity": np.where(q > 3, nan, 1 / q), "intensity_sigma": 0.01 / q,
        "fit": 1 / q, "background": 0 * q,
    }  # fmt: skip
    return start, data


@pytest.fixture(scope="module")
def server(store_folder):
    with TiledServer(store_folder) as running:
        yield running


@pytest.fixture(scope="module")
def catalog(server):
    client = open_catalog(server.uri, server.api_key)
    yield client
    close_catalog(client)


@pytest.fixture(scope="module")
def raw(server, catalog):
    """Uids of three raw runs with their analyses, of one with frames, and of what surrounds them."""
    writer = RunWriter(server.uri, server.folder / "journal", server.api_key)
    settings = UvVisSettings(
        spectrometer="spectrometer",
        path_length_cm=0.1,
        full_conversion_height=built_in_families().material.full_conversion_height(OPTICS.cd_concentration_mol_l, 0.1),
    )
    uvvis = UvVisCallback(settings, [writer])

    def send(name, document):
        writer(name, document)
        uvvis(name, document)

    uids = [measured(send, number, times=2 if number == 1 else 1) for number in range(3)]
    metadata, data = curve_of(uids[0])
    publish_run([writer], metadata, data, units={"mean_radius_nm": "nm"})
    publish_run(
        [writer],
        {"purpose": "suggestion", "campaign_uid": "campaign-one", "trial_id": "campaign-one-0", "decision": "taken"},
        {"reason": "nothing is measured yet"},
    )
    frames = [np.full((240, 200), number, np.int32) for number in (1, 2)]
    uids.append(Station(writer, server.folder / "frames").run(frames, purpose="frames", time=1.78e9))
    assert writer.flush()
    writer.close()
    return uids


def uids_of(runs):
    return [run.metadata["start"]["uid"] for run in runs]


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({}, [3, 0, 1, 2]),
        ({"campaign": "campaign-one"}, [0, 1, 2]),
        ({"campaign": "campaign-o"}, [0, 1, 2]),
        ({"campaign": "campaign-one-of-others"}, []),
        ({"purpose": "frames"}, [3]),
        ({"condition": {"nucleation_temperature": (290, 300)}}, [1, 2]),
        ({"condition": {"nucleation_temperature": (290, 300), "residence_time": (10, 15)}}, [1]),
        ({"condition": {"growth_temperature": (250.5, 260)}}, []),
        ({"since": 1.79e9 + 0.5}, [1, 2]),
    ],
)
def test_raw_runs_are_found_by_the_server(catalog, raw, asked, found):
    assert uids_of(newest(find_runs(catalog, raw=True, **asked), 10)) == [raw[number] for number in found]
    assert uids_of(newest(find_runs(catalog, raw=True, **asked), 1)) == [raw[number] for number in found[-1:]]


def test_runs_are_found_by_the_family_that_an_analysis_found_in_them(catalog, raw):
    found = find_analyses(catalog, family="CdSe-437")
    assert uids_of(newest_raw(catalog, found, 10)) == [raw[0]]
    assert newest_raw(catalog, found, 10, purpose="frames") == []
    assert newest_raw(catalog, find_analyses(catalog, family="CdSe-43"), 10) == [], "part of a name is another name"
    assert newest_raw(catalog, find_analyses(catalog), 1, purpose="frames") == [], "after pages of 1, 2 and 4 of others"
    for limit in (1, 2, 3, 4):
        assert uids_of(newest_raw(catalog, find_analyses(catalog), limit)) == raw[:3][-limit:]
    analyses = analyses_of(catalog, raw[:2])
    kinds = {uid: [run.metadata["start"]["analysis"] for run in runs] for uid, runs in analyses.items()}
    assert kinds == {raw[0]: ["uvvis", "saxs"], raw[1]: ["uvvis"]}
    assert list(runs_by_uid(catalog, [raw[1], "none"])) == [raw[1]]


def test_frames_of_several_files_are_named_one_by_one(catalog, raw):
    known = Frames()
    for name, document in documents(catalog[raw[3]]):
        known(name, document)
        if name == "descriptor":
            uid = document["uid"]
    assert [frame.mean() for frame in known.of_stream(uid)] == [1.0, 2.0]
    assert [Path(uri).name for uri in read_streams(catalog[raw[3]])["primary"].external["saxs_image"]] == [
        "0.h5",
        "1.h5",
    ]


def test_runs_as_a_table_and_as_json(server, raw, capsys):
    assert main(["runs", "--store", str(server.folder), "--campaign", "campaign-one"]) == 0
    head, *lines = capsys.readouterr().out.splitlines()
    assert head.split() == ["time", "scan", "purpose", "condition", "families", "campaign", "status", "uid"]
    assert [line.split()[-1] for line in lines] == [uid[:8] for uid in raw[:3]]
    assert "280 → 280 °C, 14 s" in lines[0]
    assert ("CdSe-437" in lines[0], " none " in lines[1]) == (True, True)
    assert (
        main(
            [
                "runs",
                "--store",
                str(server.folder),
                "--json",
                "--nucleation-temperatures",
                "290:",
                "--residence-times",
                ":15",
            ]
        )
        == 0
    )
    (record,) = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert (record["uid"], record["scan_id"], record["families"], record["exit_status"]) == (raw[1], 2, [], "success")


def test_one_run_with_what_belongs_to_it(server, raw, capsys):
    assert main(["runs", raw[0][:8], "--store", str(server.folder)]) == 0
    said = capsys.readouterr().out
    for words in (f"run {raw[0]}", 'lots: {"Cd": "A1"}', "spectrometer_counts: shape (1, 1001)", "uvvis", "taken"):
        assert words in said
    assert main(["runs", raw[0], "--store", str(server.folder), "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["streams"]["primary"]["shapes"] == {"spectrometer_counts": [1, 1001]}
    assert [one["start"]["analysis"] for one in record["analyses"]] == ["uvvis", "saxs"]
    assert [one["start"]["decision"] for one in record["suggestions"]] == ["taken"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["runs", "0000000"], "has no run '0000000'"),
        (
            ["runs", "--nucleation-temperatures", "260"],
            "--nucleation-temperatures '260' isn't a range; give LOW:HIGH in °C",
        ),
        (["runs", "--since", "noon"], "--since 'noon' isn't a time"),
        (["runs", "--limit", "0"], "--limit must be 1 or more, not 0"),
        (["export"], "say which runs"),
        (["export", "--purpose", "none"], "no such run"),
        (["reprocess", "--workers", "0"], "--workers 0 must be 1 or more"),
    ],
)
def test_bad_input_is_said_in_one_line(server, raw, capsys, options, words):
    assert main([*options, "--store", str(server.folder)]) == 2
    said = capsys.readouterr().err
    assert words in said
    assert said.count("\n") == 1


def test_the_page_s_python_finds_the_same(server, raw, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "msc-data").symlink_to(server.folder)
    (page,) = [one.text for one in blocks("python", needs="runs")]
    script = tmp_path / "page.py"
    script.write_text(page)
    found = runpy.run_path(str(script))
    assert capsys.readouterr().out.startswith("2 [")
    assert found["counts"].shape == (1, WAVELENGTH.size)


def test_export_gives_spectrum_and_curve_and_keeps_what_is_unknown(server, raw, capsys, tmp_path):
    ask = ["export", raw[0], "--store", str(server.folder), "--output", str(tmp_path)]
    assert main(ask) == 0
    spectrum_file, curve_file = map(Path, capsys.readouterr().out.splitlines())
    assert (spectrum_file.suffix, curve_file.suffix) == (".csv", ".h5")
    table = pandas.read_csv(spectrum_file, comment="#")
    assert list(table) == ["wavelength_nm", "counts", "dark", "reference", "absorbance"]
    np.testing.assert_allclose(table["wavelength_nm"], WAVELENGTH)
    expected = -np.log10((table["counts"] - table["dark"]) / (table["reference"] - table["dark"]))
    np.testing.assert_allclose(table["absorbance"], expected, atol=1e-12)
    said = spectrum_file.read_text()
    assert f"# uid: {raw[0]}\n" in said
    assert "# condition.residence_time [s]: 14.0\n" in said
    assert "# uvvis.CdSe-465_wavelength_nm: nan\n" in said
    with h5py.File(curve_file) as file:
        top = file["sasentry01"]
        assert np.isnan(top["results/mean_radius_nm"][()])
        assert top["results/verdict"][()] == b"not resolved"
        assert top["results/warnings"][()] == b"CdSe-437 (not resolvable)"
        q = top["sasdata01/Q"][()]
        np.testing.assert_array_equal(top["sasdata01/I"], np.where(q > 3, np.nan, 1 / q))
    before = spectrum_file.stat().st_mtime_ns
    assert main(ask) == 1
    assert capsys.readouterr().err.count("is there already; --force replaces it") == 2
    assert spectrum_file.stat().st_mtime_ns == before
    assert main([*ask, "--force", "--format", "csv"]) == 0
    assert spectrum_file.stat().st_mtime_ns != before


def test_export_of_a_campaign_writes_every_spectrum_of_a_run(server, raw, capsys, tmp_path):
    assert main(["export", "--campaign", "campaign-one", "--store", str(server.folder), "--output", str(tmp_path)]) == 0
    (twice,) = tmp_path.glob(f"*{raw[1][:8]}*.csv")
    assert list(pandas.read_csv(twice, comment="#"))[:3] == ["wavelength_nm", "counts_1", "counts_2"]
    assert len(list(tmp_path.iterdir())) == 4
    assert main(["export", raw[3], "--store", str(server.folder), "--output", str(tmp_path)]) == 1
    assert "frames want `msc reprocess` first" in capsys.readouterr().err


def data_of(run):
    return {key: np.asarray(value) for key, value in read_streams(run)["primary"].data.items()}


def assert_same_results(ours, theirs):
    assert set(ours) == set(theirs)
    for key in ours:
        np.testing.assert_array_equal(ours[key], theirs[key], err_msg=key)


def test_a_worker_stores_what_the_live_analysis_gave_and_a_second_time_the_same_run(server, catalog, raw):
    optics = OPTICS.model_dump_json()
    job = Job(
        uri=server.uri,
        api_key=server.api_key,
        optics=optics,
        spectrometer="spectrometer",
        saxs="saxs",
        version="0.1.0",
        label="in a test",
    )
    found = find_runs(catalog, raw=True, campaign="campaign-one")
    assert sorted(_missing(catalog, found, job.uid, JobProgress())) == sorted(raw[:3])
    uid = last_uid(job.uid, raw[0])
    assert reprocess_run(job, raw[0]) == Answer(raw[0], 1)
    assert reprocess_run(job, raw[0]) == Answer(raw[0], 0), "what is whole is left alone"
    half_stored(catalog, uid)
    assert reprocess_run(job, raw[0]) == Answer(raw[0], 1), "what another worker left is written anew"
    live, again = (run for run in analyses_of(catalog, raw[:1])[raw[0]] if run.metadata["start"]["analysis"] == "uvvis")
    assert again.metadata["start"]["uid"] == uid
    assert again.metadata["start"]["reprocess_uid"] == job.uid
    assert_same_results(data_of(again), data_of(live))
    progress = JobProgress()
    assert sorted(_missing(catalog, found, job.uid, progress)) == sorted(raw[1:3])
    assert progress.before == 1
    lost = server.folder / "frames" / "0.h5"
    lost.rename(lost.with_suffix(".away"))
    answer = reprocess_run(job, raw[3])
    lost.with_suffix(".away").rename(lost)
    assert (answer.analyses, len(answer.failures)) == (0, 1)
    assert "0.h5 is not there; is the detector's disk mounted here?" in answer.failures[0]


def test_a_worker_looks_for_the_families_of_its_job(server, catalog, raw):
    table = (Path(__file__).parents[1] / "cds" / "families.toml").read_text()
    job = Job(
        uri=server.uri,
        api_key=server.api_key,
        optics=OPTICS.model_dump_json(),
        spectrometer="spectrometer",
        saxs="saxs",
        version="0.1.0",
        families=table,
    )
    assert reprocess_run(job, raw[1]) == Answer(raw[1], 1)
    run = catalog[last_uid(job.uid, raw[1])]
    assert run.metadata["start"]["settings"]["family_table"]["material"] == "CdS"
    keys = set(data_of(run))
    assert {"CdS-350_height", "CdS-350_ratio", "nc_height"} <= keys
    assert not [key for key in keys if key.startswith("CdSe")]


def half_stored(catalog, uid):
    """A run of which the stop document did not come."""
    start = catalog[uid].metadata["start"]
    catalog.delete_contents(uid, recursive=True, external_only=False)
    tiled_writer(catalog)("start", start)
    assert not catalog[uid].metadata.get("stop")


def test_another_version_setting_or_label_is_another_job():
    job = Job(
        uri="http://a",
        api_key=None,
        optics=OPTICS.model_dump_json(),
        spectrometer="spectrometer",
        saxs="saxs",
        version="0.1.0",
    )
    longer = OPTICS.model_copy(update={"path_length_cm": 0.2}).model_dump_json()
    others = [
        replace(job, optics=longer),
        replace(job, version="0.2.0"),
        replace(job, label="again"),
        replace(job, families="# another table"),
    ]
    assert len({one.uid for one in (job, *others)}) == 5
    elsewhere = replace(job, uri="http://b", api_key="a key")
    assert elsewhere.uid == job.uid
    assert "a key" not in repr(elsewhere), "Dask logs it"


@pytest.mark.long
@pytest.mark.timeout(600)
def test_reprocess_is_interrupted_and_goes_on_until_each_run_is_done_once(tmp_path):
    with TiledServer(tmp_path) as server:
        catalog = open_catalog(server.uri, server.api_key)
        writer = RunWriter(server.uri, tmp_path / "journal", server.api_key)
        uids = [measured(writer, number % 3) for number in range(12)]
        writer.close()
        command = [sys.executable, "-c", "import sys; from msc_plans.cli import main; sys.exit(main(sys.argv[1:]))"]
        command += ["reprocess", "--store", str(tmp_path), "--workers", "2"]
        environment = os.environ | {"MSC_OPTICS__SATURATION_COUNTS": "300000"}

        def analysed():
            return len(find_analyses(catalog).keys()[:100])

        def begun():
            before = analysed()
            process = subprocess.Popen(
                command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                start_new_session=True,
            )  # fmt: skip
            wait_until(lambda: analysed() > before, seconds=200, what="the first analysis")
            return process

        for end in (signal.SIGINT, signal.SIGKILL):
            process = begun()
            os.killpg(process.pid, end)
            _, err = process.communicate(timeout=100)
            assert (process.returncode, "Traceback" in err) == (130 if end == signal.SIGINT else -end, False), err
        process = begun()
        assert server.pid
        os.kill(server.pid, signal.SIGKILL)  # another one takes its place
        out, err = process.communicate(timeout=300)
        assert process.returncode == 0, err
        assert "12" not in out.split("runs analysed")[0], "what was stored was done again"
        again = subprocess.run(
            [*command, "--json"], env=environment, capture_output=True, text=True, check=True, timeout=300
        )
        record = json.loads(again.stdout)
        assert (record["done"], record["analyses"], record["before"]) == (0, 0, 12)
        pair = [
            subprocess.Popen([*command[:-1], "1", "--label", "both"], env=environment, stdout=subprocess.DEVNULL)
            for _ in range(2)
        ]
        assert [process.wait(timeout=300) for process in pair] == [0, 0]
        analyses = analyses_of(catalog, uids)
        assert [len(analyses[uid]) for uid in uids] == [2] * 12
        assert all(run.metadata["stop"]["exit_status"] == "success" for runs in analyses.values() for run in runs)
        assert_same_results(data_of(analyses[uids[0]][0]), data_of(analyses[uids[3]][1]))
        close_catalog(catalog)
    assert not [thread for thread in threading.enumerate() if "run-writer" in thread.name]
