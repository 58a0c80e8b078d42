"""A few hundred bad inputs for each reader; many more in ``benchmarks/fuzz.py``."""

from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmarks._fuzz_mutate import mutated
from benchmarks._fuzz_targets import TARGETS

SLOW = {"people": 30, "checkpoint": 20, "command": 25, "scenario": 100, "nexus": 100}
FAST = ["curves", "frame_paths", "history", "journal", "mechanisms", "settings", "spectra"]
# they import much
LONG = ("people", "checkpoint", "command")
NAMES = [pytest.param(name, marks=pytest.mark.long if name in LONG else ()) for name in TARGETS]


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def refused(target, data, folder):
    try:
        target.read(data, folder)
    except target.refusals():
        return True
    return False


@pytest.mark.parametrize("name", NAMES)
def test_what_is_good_is_taken(name, tmp_path):
    target = TARGETS[name]
    taken = [not refused(target, seed, tmp_path) for seed in target.seeds()]
    assert any(taken)


@pytest.mark.parametrize("name", NAMES)
def test_what_is_bad_is_refused_or_taken_but_nothing_falls_over(name, tmp_path):
    target, random = TARGETS[name], Random(f"default {name}")
    seeds = target.seeds()
    for _ in range(SLOW.get(name, 200)):
        refused(target, mutated(seeds, target.tree, random), tmp_path)


@pytest.mark.parametrize("name", FAST)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.one_of(st.binary(max_size=300), st.text(max_size=200).map(lambda text: text.encode(errors="replace"))))
def test_anything_at_all_is_refused_or_taken(name, data, tmp_path):
    refused(TARGETS[name], data, tmp_path)


# -- what was found


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("mechanisms", b'base = "' + b"x" * 5000 + b'"'),
        ("mechanisms", b'base = "../mechanisms/palencia2020"\n[mechanisms.a]\nsteps = []'),
        ("mechanisms", b"mechanisms = " + b"[" * 3000),
        ("mechanisms", b'base = "palencia2020"\n[species]\nx = 1' + b"0" * 400),
        ("scenario", b'base = "' + b"x" * 5000 + b'"'),
        ("scenario", b'base = "\\u0000"'),
        ("scenario", b"a = " + b"[" * 3000),
        ("scenario", b"\xff"),
        ("settings", b"prefix = ["),
        ("settings", b"a = " + b"[" * 3000),
        ("settings", b"\xff"),
        ("settings", b'geometry = "x"'),
        ("ioc_state", b"[]"),
        ("ioc_state", b'{"twin": []}'),
        ("ioc_state", b"[" * 3000),
        pytest.param("checkpoint", b"[" * 3000, marks=pytest.mark.long),
        pytest.param("checkpoint", b'{"schema_version": 2, "posteriors": "x"}', marks=pytest.mark.long),
        ("frame_paths", b"{root}\n/etc/f\n%s%s"),
    ],
)
def test_what_fell_over_once_is_refused(name, data, tmp_path):
    assert refused(TARGETS[name], data, tmp_path)


def test_a_file_is_not_made_in_the_place_of_its_root(tmp_path):
    from ioc_sim.areadetector.data_root import DataRoot

    root = DataRoot(tmp_path / "frames")
    with pytest.raises(ValueError, match="where all files go"):
        root.file(f"{tmp_path}/frames/", "", 0, "%s")


@pytest.mark.parametrize("name", ["x" * 5000, "a\0b"])
def test_a_name_that_can_be_no_files_is_refused_by_readers_and_commands(name):
    from msc_plans.cli import main
    from msc_plans.files import ReadError, read_curves, read_spectra

    for read in (read_curves, read_spectra):
        with pytest.raises(ReadError, match="can't be opened"):
            read(name)
    assert [main([*command, name]) for command in (["suggest"], ["fit"], ["analyze", "saxs"])] == [2, 2, 1]


@pytest.mark.parametrize("command", [["plan", "check", "standby"], ["queue"], ["agent"], ["session"]])
def test_settings_that_can_not_be_read_are_bad_input_and_named(command, tmp_path, monkeypatch, capsys):
    from msc_plans.cli import main

    (tmp_path / "msc.toml").write_text("prefix = [")
    assert main(command) == 2
    said = capsys.readouterr().err
    assert f"msc {command[0]}: msc.toml: can't be read as TOML" in said
    (tmp_path / "msc.toml").write_text("")
    monkeypatch.setenv("MSC_GEOMETRY__COIL_UL", "wide")
    assert main(command) == 2
    assert "geometry.coil_ul = 'wide'" in capsys.readouterr().err
    monkeypatch.delenv("MSC_GEOMETRY__COIL_UL")
    monkeypatch.setenv("MSC_GEOMETRY", "{")
    assert main(command) == 2
    assert "geometry" in capsys.readouterr().err
