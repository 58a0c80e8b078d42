"""Start IPython on a simulated reactor, or on a real one behind a prefix, with all plans and live analysis."""

import argparse
import importlib.util
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from msc_plans.cli.arguments.reactor import add_reactor_arguments, chosen_reactor
from msc_plans.errors import InputError

__all__ = ["add_arguments", "run"]

STARTUP = Path(__file__).parents[1] / "profile_collection" / "startup" / "00_session.py"

BANNER = """
{where}
  RE                         runs plans; Ctrl-C twice pauses, then RE.resume(), RE.abort() or RE.stop()
  reactor, spectrometer, saxs
  catalog                    what is stored: catalog[-1]
  plans                      bring_up, measure_condition, growth_temperature_scan, msc_campaign …; help(bring_up)
  RE(make_safe(reactor))     ovens to standby, flush, pumps off; do so before you leave
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``msc session``."""
    add_reactor_arguments(parser)
    parser.add_argument(
        "--profile", type=Path, help="IPython profile folder with a startup of its own (default: IPython's profile msc)"
    )


def run(args: argparse.Namespace) -> int:
    """Run IPython until it is left; returns its exit code."""
    if importlib.util.find_spec("IPython") is None:
        raise InputError("IPython is not installed; install the extra 'session': pip install 'msc-plans[session]'")
    from msc_plans.settings import read_settings

    profile = _profile_options(args.profile)
    read_settings()  # or IPython would start with what is wrong in them
    print("Starting …", flush=True)
    with chosen_reactor(args) as environment:
        if args.simulate:
            where = f"Simulated reactor {args.simulate} at {args.time_scale:g}x; runs go to {environment['MSC_STORE']}."
        else:
            where = f"Reactor behind {_answering(environment)}"
        command = [
            sys.executable, "-m", "IPython", *profile, "--no-confirm-exit",
            "--TerminalInteractiveShell.enable_tip=False", "--TerminalInteractiveShell.banner2=",
            f"--TerminalInteractiveShell.banner1={BANNER.format(where=where)}",
        ]  # fmt: skip
        with _interrupts_left_to_the_child():
            return subprocess.run(command, env=environment, check=False).returncode


def _profile_options(told: Path | None) -> list[str]:
    """Return what IPython is told of its profile: history and settings are the user's, the startup is ours."""
    if told is None:
        return ["--profile=msc", f"--InteractiveShellApp.exec_files={STARTUP}"]
    profile = told.resolve()
    if not (profile / "startup").is_dir():
        raise InputError(
            f"{profile} isn't an IPython profile: it has no folder 'startup'; name one that has with --profile"
        )
    return [f"--profile-dir={profile}"]


def _answering(environment: Mapping[str, str]) -> str:
    """Return the prefix, if something answers there: IPython would start with nothing but a traceback."""
    from caproto import CaprotoError
    from caproto.sync.client import read

    from msc_plans.settings import read_settings

    prefix = environment.get("MSC_PREFIX") or read_settings().prefix
    record = f"{prefix}Reactor:Interlock"
    try:
        read(record, timeout=3, repeater=False)
    except (CaprotoError, OSError) as error:
        raise InputError(
            f"{record} does not answer; is the IOC running, and do prefix, EPICS_CA_ADDR_LIST and "
            "EPICS_CA_SERVER_PORT fit it? (--simulate starts a simulated reactor)"
        ) from error
    return prefix


@contextmanager
def _interrupts_left_to_the_child() -> Iterator[None]:
    """Ctrl-C goes to the whole terminal: it is IPython's, and must not end this process before it."""
    before = signal.signal(signal.SIGINT, lambda number, frame: None)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
