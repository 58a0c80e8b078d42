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
