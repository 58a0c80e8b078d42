"""The main job in a minute: simulated reactor, adaptive campaign for a cluster's window, figure, store."""

import argparse
import logging
import os
import sys
import time
import uuid
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from msc_plans.cli.arguments.campaign import add_goal_arguments
from msc_plans.errors import InputError

__all__ = ["add_arguments", "run"]

MAX_CONDITIONS = 8
PARTICLES = 200


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``msc demo``."""
    parser.add_argument(
        "--store",
        type=Path,
        default=Path("msc-demo"),
        help="folder for runs and figure (default: %(default)s)",
    )
    parser.add_argument(
        "--max-conditions",
        type=int,
        default=MAX_CONDITIONS,
        help="number of conditions to measure at most, 1 to 8 (default: %(default)s)",
    )
    add_goal_arguments(parser)
    parser.add_argument(
        "--scenario", default="palencia2020", help="scenario of the simulated reactor (default: %(default)s)"
    )
    parser.add_argument(
        "--time-scale", type=float, default=200.0, help="simulated seconds in one second (default: %(default)s)"
    )
    parser.add_argument("--seed", type=int, default=0, help="seed of noise and advisor (default: %(default)s)")
    parser.add_argument("--ioc-port", type=int, default=0, help="Channel Access port (default: a free one)")
    parser.add_argument("--tiled-port", type=int, default=0, help="Tiled port (default: a free one)")
    parser.add_argument("--keep", action="store_true", help="leave IOC and Tiled running and say how to attach")


def run(args: argparse.Namespace) -> int:
    """Run the demo; returns the exit code."""
    from msc_plans.advisor.goals import goal_of
    from msc_plans.session.simulator import check_scenario
    from msc_plans.settings import read_settings

    families = read_settings().family_table
    args.family = args.family or families.campaign_family
    try:
        goal = goal_of(args.goal, args.family, families)
        if not 1 <= args.max_conditions <= MAX_CONDITIONS:
            raise ValueError(f"--max-conditions must be 1 to {MAX_CONDITIONS}, not {args.max_conditions}")
        if not 0 < args.time_scale <= 1000:
            raise ValueError(f"--time-scale must be above 0 and at most 1000, not {args.time_scale:g}")
        for port in (args.ioc_port, args.tiled_port):
            if not 0 <= port < 65536:
                raise ValueError(f"port {port} is not between 0 and 65535")
    except ValueError as error:
        raise InputError(str(error)) from error
    check_scenario(args.scenario, args.ioc_port)
    return Demo(args, goal).run()


class Demo:
    """One demo: what it starts it stops, unless told to keep it."""

    def __init__(self, args: argparse.Namespace, goal: Any) -> None:
        self.args = args
        self.goal = goal
        self.store: Path = args.store.resolve()
        self.simulator: Any = None
        self.tiled: Any = None

    def run(self) -> int:
        """Run from start to figure; returns the exit code."""
        from bluesky.utils import FailedStatus, RunEngineInterrupted

        from msc_plans.plans import CampaignFailedError
        from msc_plans.session.simulator import SimulatorError
        from msc_plans.storage import ServerError

        try:
            self._run()
        except ConnectionError as error:
            raise InputError(str(error)) from error
        except (CampaignFailedError, FailedStatus, SimulatorError, ServerError) as error:
            why = error.__cause__ if isinstance(error, FailedStatus) else error
            print(f"msc demo: {why}. What was measured is in {self.store}", file=sys.stderr)
            return 1
        except RunEngineInterrupted:
            print(f"msc demo: interrupted. What was measured is in {self.store}", file=sys.stderr)
            return 130
        return 0

    def _run(self) -> None:
        begun = time.monotonic()
        with ExitStack() as stack:
            children = stack.enter_context(ExitStack())
            self._start(children)
            started = time.monotonic()
            uid, measured, advisor = self._campaign(stack)
            # While the store's thread writes the last runs.
            figure = self._draw(measured, advisor)
            if self.args.keep:
                children.pop_all()
        self._say_where(uid, figure)
        print(
            f"{len(measured)} conditions in {time.monotonic() - begun:.0f} s, "
            f"{started - begun:.0f} s of them for starting up."
        )

    def _start(self, stack: ExitStack) -> None:
        from msc_plans.session.simulator import Simulator

        args, keep = self.args, self.args.keep
        print(f"Starting the simulated reactor ({args.scenario}, {args.time_scale:g}x) and Tiled …", flush=True)
        self.store.mkdir(parents=True, exist_ok=True)
        self.simulator = Simulator(
            scenario=args.scenario, seed=args.seed, time_scale=args.time_scale, port=args.ioc_port,
            log=self.store / "ioc.log", data_root=self.store / "frames", keep=keep,
        ).launch()  # fmt: skip
        stack.callback(self.simulator.stop)
        os.environ.update(self.simulator.environment)
        with ThreadPoolExecutor(1) as pool:
            serving = pool.submit(self._serve, stack)
            import msc_plans.session.session  # noqa: F401  imports while the children do theirs

            self.simulator.wait_ready()
            serving.result()

    def _serve(self, stack: ExitStack) -> None:
        from msc_plans.storage import PortBusyError, StoreBusyError, TiledServer

        try:
            self.tiled = TiledServer(self.store, self.args.tiled_port, outlive=self.args.keep).start()
        except (PortBusyError, StoreBusyError) as error:
            raise InputError(str(error)) from error
        stack.callback(self.tiled.stop)

    def _campaign(self, stack: ExitStack) -> tuple[str, list[Any], Any]:
        from bluesky.utils import RunEngineInterrupted

        from msc_plans.advisor import SearchSpace
        from msc_plans.plans import msc_campaign
        from msc_plans.session.plans import make_advisor
        from msc_plans.session.session import open_session
        from msc_plans.settings import read_settings
        from msc_plans.views.lines import CampaignLines

        settings = read_settings(prefix="MSC:", store=self.store, tiled_uri="")
        collected = Collected(self.args.family, self.goal.threshold)
        lines = CampaignLines(self.args.family, tqdm_write)
        session = open_session(settings, listeners=[lines, collected])
        stack.callback(session.close)
        advisor = make_advisor(
            session,
            self.args.goal,
            self.args.family,
            SearchSpace.equal_ovens(),
            seed=self.args.seed,
            particles=PARTICLES,
            checkpoint_path=self.store / "advisor.json",
        )
        print(f"Campaign: {self.goal}, at most {self.args.max_conditions} conditions.", flush=True)
        plan = msc_campaign(
            session.reactor,
            session.spectrometer,
            advisor,
            session.uvvis,
            session.publish,
            max_conditions=self.args.max_conditions,
            # nobody is there to fill a syringe, and at 200x a busy machine empties one while it computes
            refills="draw",
            campaign_uid=collected.campaign_uid,
        )
        # What goes wrong is said once, by this command, not by a traceback beside it.
        logging.getLogger("bluesky").setLevel(logging.CRITICAL)
        try:
            session.RE(plan)
        except RunEngineInterrupted:
            session.RE.abort()
            raise
        advisor.checkpoint()
        return collected.campaign_uid, collected.measured, advisor

    def _draw(self, measured: list[Any], advisor: Any) -> Path:
        import numpy as np

        from msc_plans.condition import Condition
        from msc_plans.views.campaign import MapPrediction, campaign_figure

        temperatures = np.linspace(240.0, 350.0, 12)
        times = np.linspace(1.5, 16.0, 12)
        cells = [Condition(float(t), float(t), float(s)) for s in times for t in temperatures]
        ratio = advisor.predict(cells).ratio.reshape(len(times), len(temperatures))
        prediction = MapPrediction(
            family=self.args.family,
            temperature=temperatures,
            residence_time=times,
            ratio=ratio,
            threshold=self.goal.threshold,
        )
        families = advisor.observables.families
        figure = campaign_figure(measured, prediction, families, f"{self.goal}: {len(measured)} conditions")
        path = self.store / "campaign.png"
        figure.savefig(path, dpi=130)
        return path

    def _say_where(self, campaign_uid: str, figure: Path) -> None:
        print(f"\nFigure: {figure}\nRuns:   {self.store} (campaign {campaign_uid[:8]}). Open them with\n")
        print("    from msc_plans.storage import open_catalog")
        print(f"    catalog = open_catalog({str(self.store)!r})")
        print('    catalog[-1].metadata["start"]["purpose"], len(catalog)\n')
        if not self.args.keep:
            return
        print("IOC and Tiled go on running. Attach with\n")
        for name, value in self.simulator.environment.items():
            print(f"    export {name}={value}")
        print(f"    export MSC_STORE={self.store}")
        print("    msc session\n")
        print(f"Tiled answers at {self.tiled.uri} with the key in {self.store / 'api_key'}.")
        print(f"Stop both with: kill {self.simulator.pid} {self.tiled.pid}\n")


def tqdm_write(line: str) -> None:
    """Print a line above any progress bar."""
    from tqdm import tqdm

    tqdm.write(line, file=sys.stdout)
    sys.stdout.flush()


class Collected:
    """A callback that keeps what the figure needs of the analysis runs of one campaign."""

    def __init__(self, family: str, threshold: float) -> None:
        self.campaign_uid = str(uuid.uuid4())
        self.measured: list[Any] = []
        self._family = family
        self._threshold = threshold
        self._conditions: dict[str, Any] = {}
        self._streams: dict[str, Any] = {}

    def __call__(self, name: str, document: Mapping[str, Any]) -> None:
        """Take a document."""
        if name == "start" and document.get("analysis") == "uvvis":
            self._conditions[document["uid"]] = document["condition"]
        elif name == "descriptor" and document["run_start"] in self._conditions:
            self._streams[document["uid"]] = self._conditions.pop(document["run_start"])
        elif name == "event" and document["descriptor"] in self._streams:
            self._keep(self._streams.pop(document["descriptor"]), document["data"])

    def _keep(self, condition: Mapping[str, float], data: Mapping[str, Any]) -> None:
        import numpy as np

        from msc_plans.analysis.accumulation import verdict
        from msc_plans.condition import Condition
        from msc_plans.views.campaign import Measured

        wavelength, absorbance, rest = (np.asarray(data[key], float) for key in ("wavelength_nm", "absorbance", "rest"))
        use = np.isfinite(absorbance) & np.isfinite(rest)
        ratio, sigma, there = (data[f"{self._family}_{end}"] for end in ("ratio", "ratio_sigma", "probability"))
        self.measured.append(
            Measured(
                condition=Condition.from_mapping(condition),
                outcome=data,
                wavelength_nm=wavelength[use],
                absorbance=absorbance[use],
                families=(absorbance - rest)[use],
                verdict=verdict(ratio, sigma, self._threshold, there),
            )
        )
