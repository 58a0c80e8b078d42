import os
import subprocess
import sys

import pytest
from pydantic import ValidationError

from msc_plans.cli import COMMANDS, main
from msc_plans.errors import InputError
from msc_plans.settings import Settings, read_settings


def test_environment_over_file_over_defaults(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert Settings().prefix == "MSC:"
    (tmp_path / "msc.toml").write_text('prefix = "BL7:"\n[geometry]\ncoil_ul = 100.0\n')
    assert (Settings().prefix, Settings().geometry.coil_ul, Settings().geometry.chamber_ul) == ("BL7:", 100.0, 11.5)
    monkeypatch.setenv("MSC_PREFIX", "LAB:")
    monkeypatch.setenv("MSC_GEOMETRY__DEAD_UL", "42")
    assert (Settings().prefix, Settings().geometry.dead_ul) == ("LAB:", 42.0)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[geometry]\ncoil_ul = -1.0\n", "coil_ul"),
        ("prefixx = 'A:'\n", "prefixx"),
        ("[optics]\npath_length_cm = 'x'\n", "path"),
    ],
)
def test_a_wrong_setting_is_named(tmp_path, monkeypatch, text, words):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "msc.toml").write_text(text)
    with pytest.raises(ValidationError, match=words):
        Settings()


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


FILES = [
    ("prefixx = 'A:'", "msc.toml: there is no setting 'prefixx'; did you mean 'prefix'? There are prefix, store, "),
    (
        "[geometry]\ncoil = 1",
        "msc.toml: there is no setting 'geometry.coil'; did you mean 'coil_ul'? There are chamber_ul,",
    ),
    ("[geometry]\ncoil_ul = -1.0", "msc.toml: geometry.coil_ul = -1.0: must be greater than 0"),
    ("[optics]\npath_length_cm = 'x'", "msc.toml: optics.path_length_cm = 'x': must be a valid number"),
    ("[[suspenders]]\npvv = 1", "msc.toml: there is no setting 'suspenders.0.pvv'; did you mean 'pv'?"),
    ("tiled_uri = 'http://x?api_key=secret'", "api_key=…': leave the key out of it, and give it as TILED_API_KEY"),
    ("prefix = [", "msc.toml: can't be read as TOML"),
]
VARIABLES = [
    ("MSC_PREFX", "A:", "MSC_PREFX: there is no setting 'prefx'; did you mean 'prefix'?"),
    ("MSC_GEOMETRY__COIL", "1", "MSC_GEOMETRY__COIL: there is no setting 'coil'; did you mean 'coil_ul'?"),
    ("MSC_GEOMETRY__COIL_UL", "-1", "MSC_GEOMETRY__COIL_UL: geometry.coil_ul = '-1': must be greater than 0"),
    ("MSC_SAXS__USE", "perhaps", "MSC_SAXS__USE: saxs.use = 'perhaps': must be a valid boolean"),
    ("MSC_GEOMETRY", "240", "MSC_GEOMETRY: geometry = 240: must be a valid dictionary"),
    ("MSC_GEOMETRY", "{", "MSC_…: "),
]


@pytest.mark.parametrize(("text", "says"), FILES)
def test_the_file_the_key_and_what_is_allowed_are_named(folder, text, says):
    (folder / "msc.toml").write_text(text)
    with pytest.raises(InputError) as caught:
        read_settings()
    assert says in str(caught.value)
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value).partition("as TOML")[0]


@pytest.mark.parametrize(("name", "value", "says"), VARIABLES)
def test_the_variable_the_key_and_what_is_allowed_are_named(folder, monkeypatch, name, value, says):
    monkeypatch.setenv(name, value)
    with pytest.raises(InputError) as caught:
        read_settings()
    assert str(caught.value).startswith(says)


def test_a_value_of_the_command_line_is_not_blamed_on_the_file(folder):
    with pytest.raises(InputError, match=r"^the command line: residue = 3: must be less than 0.5$"):
        read_settings(residue=3)


COMMAND_LINES = {
    "agent": [], "campaign": [], "doctor": [], "export": ["abcdefgh"], "plan": ["check", "standby"], "queue": [],
    "reproduce": ["--prefix", "X:"], "reprocess": [], "runs": [], "session": ["--simulate"],
    "analyze": ["uvvis", "msc.toml"], "suggest": ["history.jsonl"], "fit": ["history.jsonl"],
    "replay": [], "tiled": [], "verify": [],
}  # fmt: skip
WITHOUT_SETTINGS = {"completion", "demo", "ioc"}


@pytest.mark.parametrize("command", COMMAND_LINES)
@pytest.mark.parametrize(("text", "says"), [FILES[0], FILES[2]], ids=["key", "value"])
def test_every_command_says_it_in_one_line(folder, monkeypatch, capsys, command, text, says):
    (folder / "msc.toml").write_text(text)
    (folder / "history.jsonl").write_text("")
    assert main([command, *COMMAND_LINES[command]]) == 2
    said = capsys.readouterr().err
    assert says in said
    assert said.count("\n") == 1, said


def test_no_command_is_forgotten():
    assert COMMAND_LINES.keys() | WITHOUT_SETTINGS == COMMANDS.keys()


def test_ipython_shows_one_line(folder):
    (folder / "msc.toml").write_text(FILES[0][0])
    (folder / "start.py").write_text("from msc_plans.settings import read_settings\nread_settings()\n")
    done = subprocess.run(
        [sys.executable, "-m", "IPython", "--no-banner", "--simple-prompt", "start.py"],
        env={**os.environ, "IPYTHONDIR": str(folder / "ipython")}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    said = done.stdout + done.stderr
    assert FILES[0][1] in said
    assert "Traceback" not in said
