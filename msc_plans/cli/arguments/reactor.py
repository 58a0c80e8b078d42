"""Which reactor a command works on: a simulated one that it starts, or a real one behind a prefix."""

import argparse
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from msc_plans.errors import InputError

__all__ = ["add_reactor_arguments", "chosen_reactor"]


def add_reactor_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options that choose a reactor and a store."""
    parser.add_argument(
        "--simulate", nargs="?", const="palencia2020", metavar="SCENARIO",
        help="start a simulated reactor, of this scenario (default scenario: %(const)s)",
    )  # fmt: skip
    parser.add_argument(
        "--prefix", help="prefix of the records of a real reactor (default: MSC_PREFIX, msc.toml or MSC:)"
    )
    parser.add_argument(
        "--time-scale", type=float, default=1.0, help="simulated seconds in one second (default: %(default)s)"
    )
    parser.add_argument(
        "--seed", type=int, default=0, help="seed of the simulated noise, and of the advisor (default: %(default)s)"
    )
    parser.add_argument("--store", type=Path, help="folder of the runs (default: MSC_STORE, msc.toml or msc-data)")


@contextmanager
def chosen_reactor(args: argparse.Namespace) -> Iterator[dict[str, str]]:
    """Start the simulated reactor if one is asked for; yields the environment in which a session finds all.

    Raises
    ------
    InputError
        Options that contradict one another or can't be.
    """
    from msc_plans.session.simulator import Simulator, SimulatorError, settings_of_scenario
    from msc_plans.settings import read_settings

    if args.simulate and args.prefix:
        raise InputError("--simulate and --prefix: choose one")
    if not 0 < args.time_scale <= 1000:
        raise InputError(f"--time-scale must be above 0 and at most 1000, not {args.time_scale:g}")
    settings = read_settings()
    told = {"MSC_PREFIX": args.prefix, "MSC_STORE": str(args.store.resolve()) if args.store else None}
    environment = dict(os.environ) | {key: value for key, value in told.items() if value}
    if not args.simulate:
        yield environment
        return
    simulated = settings_of_scenario(args.simulate)
    store = Path(environment.get("MSC_STORE") or settings.store).resolve()
    try:
        store.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"--store {store}: {error.strerror}") from error
    simulator = Simulator(
        scenario=args.simulate, seed=args.seed, time_scale=args.time_scale,
        log=store / "ioc.log", data_root=store / "frames",
    )  # fmt: skip
    simulated |= {"MSC_PREFIX": simulator.prefix, "MSC_STORE": str(store)}
    try:
        with simulator:
            yield environment | simulator.environment | simulated
    except SimulatorError as error:
        raise InputError(str(error)) from error
