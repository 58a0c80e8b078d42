"""``python -m ioc_sim``: serve the simulated reactor over Channel Access."""

import argparse
import logging
import os
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ioc_sim.ioc import Ioc

DEFAULT_PORT = 5064
_SLOW_S = 4.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the soft IOC to a parser."""
    parser.add_argument("--prefix", default="MSC:", help="prefix of all records (default: %(default)s)")
    parser.add_argument("--scenario", default="palencia2020", help="built-in name or TOML file (default: %(default)s)")
    parser.add_argument(
        "--time-scale", type=float, default=1.0, help="simulated seconds in one second (default: %(default)s)"
    )
    parser.add_argument("--seed", type=int, default=0, help="seed of all noise (default: %(default)s)")
    parser.add_argument("--port", type=int, help="Channel Access port (default: EPICS_CA_SERVER_PORT or 5064)")
    parser.add_argument(
        "--interface", action="append", metavar="ADDRESS",
        help="address to serve on, repeatable; 0.0.0.0 for all (default: 127.0.0.1 only)",
    )  # fmt: skip
    parser.add_argument("--state", type=Path, metavar="FILE", help="keep temperatures, syringes and the latch here")
    parser.add_argument(
        "--data-root", type=Path, default=Path("msc-data/frames"), metavar="DIR",
        help="folder below which the SAXS detector's files go (default: ./%(default)s)",
    )  # fmt: skip
    parser.add_argument("--end-with-parent", type=int, metavar="PID", help=argparse.SUPPRESS)
    parser.add_argument("--list", action="store_true", help="print the record names and exit")


def serve(args: argparse.Namespace) -> int:
    """Run the IOC as the options say; returns the exit code (2: bad input, said on stderr)."""
    # small products: waiting for a second thread of BLAS takes longer than they do
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from ioc_sim.ioc import Ioc
    from ioc_sim.physics.scenario_file import load_scenario
    from ioc_sim.server import PortInUseError, check_port, run

    try:
        ioc = Ioc(
            load_scenario(args.scenario), prefix=args.prefix, time_scale=args.time_scale,
            seed=args.seed, state_file=args.state, data_root=args.data_root,
        )  # fmt: skip
        if args.list:
            print("\n".join(ioc.pvdb))
            return 0
        port = args.port or int(os.environ.get("EPICS_CA_SERVER_PORT", DEFAULT_PORT))
        check_port(port)
    except (ValueError, OSError, PortInUseError) as error:
        print(f"msc ioc: {error}", file=sys.stderr)
        return 2
    os.environ["EPICS_CA_SERVER_PORT"] = str(port)
    interfaces = args.interface or ["127.0.0.1"]
    _compile(ioc)
    print(
        f"Simulated reactor {args.scenario} at {args.time_scale:g}x: {len(ioc.pvdb)} records "
        f"{args.prefix}… on {', '.join(interfaces)} port {port}. Ctrl-C stops it.",
        flush=True,
    )
    run(ioc, interfaces=interfaces, parent=args.end_with_parent)
    return 0


def _compile(ioc: "Ioc") -> None:
    """Load the compiled chemistry, or compile it, before anybody is served: later it would hold up all records."""
    from ioc_sim.bench import measure

    said = threading.Timer(_SLOW_S, print, ["Compiling the simulated chemistry, once …"], {"flush": True})
    said.start()
    try:
        cold = {"nucleation_temperature": 25.0, "growth_temperature": 25.0, "residence_time": 14.0}
        measure(ioc.twin.scenario, cold, 0, 100.0)
    finally:
        said.cancel()
        said.join()


def main(argv: list[str] | None = None) -> int:
    """Parse the command line and serve."""
    parser = argparse.ArgumentParser("python -m ioc_sim", description=__doc__)
    add_arguments(parser)
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    return serve(parser.parse_args(argv))


if __name__ == "__main__":
    sys.exit(main())
