"""Keep an adaptive campaign going in the queue: suggest, queue, learn from what is stored; may die and be resumed."""

import argparse
import fcntl
import sys
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from msc_plans.errors import InputError

if TYPE_CHECKING:
    from msc_plans.settings import Settings

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``msc agent``."""
    parser.add_argument(
        "goal", nargs="?", default="map", choices=("map", "maximise", "discriminate", "learn"),
        help="what the campaign is after (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument("--family", help="cluster family (default: campaign_family of the family table)")
    parser.add_argument(
        "--max-conditions", type=int, default=8, help="with those before a resume (default: %(default)s)"
    )
    parser.add_argument("--failures", type=int, default=2, help="in a row that are allowed (default: %(default)s)")
    parser.add_argument("--nucleation-temperatures", type=float, nargs="+", metavar="C", help="to choose from")
    parser.add_argument("--residence-times", type=float, nargs="+", metavar="S", help="to choose from (default: 14)")
    parser.add_argument("--growth-offsets", type=float, nargs="+", metavar="K", help="to choose from (default: 0)")
    parser.add_argument("--seed", type=int, default=0, help="of the advisor (default: %(default)s)")
    parser.add_argument("--particles", type=int, default=200, help="of the advisor (default: %(default)s)")
    parser.add_argument("--saxs", action="store_true", help="take frames, too")
    parser.add_argument("--frame-exposure", type=float, default=10.0, metavar="S", help="(default: %(default)s)")
    parser.add_argument("--sample", default="", help="what flows (default: the family table's material)")
    parser.add_argument("--draw", action="store_true", help="fill empty syringes from their reservoirs, without asking")
    parser.add_argument("--hold", action="store_true", help="queue nothing that a person has not released")
    decision = parser.add_mutually_exclusive_group()
    decision.add_argument("--resume", metavar="UID", help="go on with this campaign")
    decision.add_argument("--release", metavar="TRIAL", help="let the agent queue a suggestion that it holds")
    decision.add_argument("--reject", metavar="TRIAL", help="let the agent suggest another one")
    parser.add_argument("--address", help="of the RE Manager (default: QSERVER_ZMQ_CONTROL_ADDRESS)")
    parser.add_argument("--group", default="operator", help="user group in the queue (default: %(default)s)")
    parser.add_argument("--store", type=Path, help="folder of the runs (default: MSC_STORE, msc.toml or msc-data)")


def run(args: argparse.Namespace) -> int:
    """Run ``msc agent``; returns the exit code."""
    from msc_plans.queue.held import Held, NotHeldError
    from msc_plans.settings import read_settings

    if args.max_conditions < 1 or args.failures < 0:
        told = f"{args.max_conditions} and {args.failures}"
        raise InputError(f"--max-conditions must be 1 or more, --failures 0 or more; not {told}")
    settings = read_settings(**({"store": args.store} if args.store else {}))
    try:
        if args.release or args.reject:
            word = "released" if args.release else "rejected"
            print(f"{word}: {Held(settings.store).decide(args.release or args.reject, word)}", end="")
            return 0
    except NotHeldError as error:
        raise InputError(str(error)) from error
    return _keep_going(args, settings)


def _keep_going(args: argparse.Namespace, settings: "Settings") -> int:
    from msc_plans.cli.queue import serve_store
    from msc_plans.queue.agent import Agent, say
    from msc_plans.queue.client import Manager
    from msc_plans.queue.items import AgentError, CampaignQueue
    from msc_plans.session.advisors import advisor_for, space_for
    from msc_plans.storage import RunWriter, close_catalog, open_catalog

    uid = args.resume or str(uuid.uuid4())
    with ExitStack() as stack:
        try:
            space = space_for(settings, args.nucleation_temperatures, args.residence_times, args.growth_offsets)
            advisor = advisor_for(
                settings, args.goal, args.family, space, seed=args.seed, particles=args.particles
            )  # fmt: skip
            manager = Manager(args.address)
        except ValueError as error:
            raise InputError(str(error)) from error
        except ImportError as error:
            raise InputError(f"{error}; install the queueserver: pip install 'msc-plans[queue]'") from error
        stack.callback(manager.close)
        stack.enter_context(_alone(settings.store, uid))
        if not manager.status():
            raise InputError("the RE Manager does not answer; is msc queue running, and does --address fit it?")
        if not settings.tiled_uri:
            serve_store(settings.store, stack)
        catalog = open_catalog(settings.tiled_uri or settings.store)
        stack.callback(close_catalog, catalog)
        writer = RunWriter(settings.tiled_uri or settings.store, settings.store / "journal")
        stack.callback(writer.close)
        agent = Agent(settings, args, uid, advisor, CampaignQueue(manager, args.group, say), catalog, writer)
        try:
            agent.run()
        except AgentError as error:
            print(f"msc agent: {error}. Go on with: msc agent --resume {uid}", file=sys.stderr)
            return 1
        except KeyboardInterrupt:
            print(f"\nWhat is queued stays queued. Go on with: msc agent --resume {uid}", file=sys.stderr)
            return 130
    return 0


@contextmanager
def _alone(store: Path, uid: str) -> Iterator[None]:
    """Be the only agent of a campaign; the lock is the kernel's, and goes with its holder."""
    path = store / "agent" / f"{quote(uid[:8], safe='')}.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise InputError(f"another agent keeps campaign {uid} going") from error
        try:
            yield
        finally:
            path.unlink(missing_ok=True)
