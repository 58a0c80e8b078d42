"""``msc --help`` shows every command, and completion knows every option."""

import argparse
import shutil
import subprocess

import pytest

from msc_plans.cli import COMMANDS, build_parser, main


def test_the_guide_shows_every_command_and_how_to_begin():
    text = build_parser([]).format_help()
    assert [name for name in COMMANDS if f"\n  {name} " not in text] == []
    assert text.index("msc demo") < text.index("msc session --simulate") < text.index("Measure:")
    assert "docs/index.md" in text
    assert max(map(len, text.splitlines())) <= 80


def test_without_a_command_the_guide_is_shown(capsys):
    assert main([]) == 2
    assert "Begin with:" in capsys.readouterr().err


def test_every_command_says_what_it_is_for_in_80_columns(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    (commands,) = [one for one in build_parser()._actions if isinstance(one, argparse._SubParsersAction)]
    assert set(commands.choices) == set(COMMANDS)
    for name, parser in commands.choices.items():
        assert parser.description, name
        assert max(map(len, parser.format_help().splitlines())) <= 80, name
        options = [one for one in parser._actions if not isinstance(one, argparse._SubParsersAction)]
        assert [one.dest for one in options if not one.help] == [], name


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion(shell, capsys):
    assert main(["completion", shell]) == 0
    script = capsys.readouterr().out
    assert "residence-times" in script
    assert "doctor" in script
    if shutil.which(shell):
        subprocess.run([shell, "-n"], input=script, text=True, check=True, timeout=30)


def test_bash_completes_commands_and_options(capsys):
    main(["completion", "bash"])
    script = capsys.readouterr().out
    asked = (
        'COMP_WORDS=(msc {0}); COMP_CWORD=$((${{#COMP_WORDS[@]}}-1)); $(complete -p msc | sed "s/.*-F //; s/ .*//") '
    )
    for words, expected in (("ses", "session"), ("campaign --resi", "--residence-times"), ("completion f", "fish")):
        done = subprocess.run(
            ["bash", "-c", f'{script}\n{asked.format(words)}; echo "${{COMPREPLY[@]}}"'],
            capture_output=True, text=True, timeout=30, check=True,
        )  # fmt: skip
        assert done.stdout.split() == [expected]


def every_parser(parser, name="msc"):
    """Each command's parser, by what is typed for it."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for word, below in action.choices.items():
                yield from every_parser(below, f"{name} {word}")
    if parser.description != build_parser([]).description:
        yield name, parser


OLD = {
    "--conditions", "--hours", "--ml", "--budget-ml", "--failures", "--draw", "--frame-exposure", "--nucleation",
    "--growth", "--times", "--time", "--goal", "--to",
}  # fmt: skip
GRID = {"nucleation_temperatures", "growth_temperatures", "growth_offsets", "residence_times"}
FRAGMENTS = ("of the ", "of all ", "of a ", "of this ", "of clusters", "at the most", "in a row", "that may", "whose ")


def test_one_name_stands_for_one_thing():
    kinds = {}
    for name, parser in every_parser(build_parser()):
        for action in parser._actions:
            assert not OLD & set(action.option_strings), name
            kinds.setdefault(action.dest, {}).setdefault((action.type, action.nargs), []).append(name)
    # a profile is a folder of startup code, or of IPython; the rest is the same everywhere
    mixed = {
        dest: found for dest, found in kinds.items() if len(found) > 1 and dest not in ("resume", "store", "history")
    }
    assert {dest for dest in mixed if dest in GRID | {"family", "seed", "time_scale", "max_ml", "max_hours"}} == set()


def test_every_command_with_a_grid_of_conditions_has_all_of_its_options():
    found = {name: {one.dest for one in parser._actions} for name, parser in every_parser(build_parser())}
    with_grid = {name for name, names in found.items() if "growth_offsets" in names}
    assert with_grid == {"msc suggest", "msc campaign", "msc agent"}
    assert [name for name in with_grid if not found[name] >= GRID | {"goal", "family", "max_ml", "max_hours"}] == []


def test_plans_and_options_share_their_names():
    import inspect
    from types import SimpleNamespace

    from msc_plans.session.plans import campaign_plan
    from msc_plans.settings import Settings

    plan = campaign_plan(SimpleNamespace(settings=Settings()))
    parameters = inspect.signature(plan).parameters
    (campaign,) = (parser for name, parser in every_parser(build_parser()) if name == "msc campaign")
    names = {one.dest for one in campaign._actions} - {"help", "simulate", "prefix", "time_scale", "store"}
    assert names <= parameters.keys()


def test_a_help_can_be_read_alone():
    fragments = [
        (name, one.dest, one.help)
        for name, parser in every_parser(build_parser())
        for one in parser._actions
        if one.help and one.help != argparse.SUPPRESS and one.help.startswith((*FRAGMENTS, "("))
    ]
    assert fragments == []
