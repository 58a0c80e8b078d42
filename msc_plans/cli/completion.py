"""Print a script that completes commands and options at the Tab key."""

import argparse

from msc_plans.cli import build_parser

__all__ = ["add_arguments", "run"]


_WHERE = """\
bash:  msc completion bash > ~/.local/share/bash-completion/completions/msc
zsh:   msc completion zsh > ~/.zfunc/_msc
       (with fpath+=~/.zfunc before compinit in ~/.zshrc)
fish:  msc completion fish > ~/.config/fish/completions/msc.fish
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``msc completion``."""
    parser.epilog = _WHERE
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("shell", choices=("bash", "zsh", "fish"), help="shell to print the script for")


def run(args: argparse.Namespace) -> int:
    """Print the script; returns the exit code."""
    import shtab

    print(shtab.complete(build_parser(), args.shell))
    return 0
