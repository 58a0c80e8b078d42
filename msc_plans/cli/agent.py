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

from msc_plans.cli.arguments.campaign import add_campaign_arguments, budget_of, check_campaign
from msc_plans.cli.arguments.grid import axes_of
from msc_plans.errors import InputError

if TYPE_CHECKING:
    from msc_plans.settings import Settings

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``msc agent``."""
    add_campaign_arguments(parser)
    parser.add_argument(
        "--seed", type=int, default=0, help="seed of the advisor; the same seed gives the same answer (default: 0)"
    )
    parser.add_argument("--hold", action="store_true", help="hold each suggestion until a person releases it")
    decision = parser.add_mutually_exclusive_group()
    decision.add_argument("--resume", metavar="UID", help="go on with the campaign of this uid")
    decision.add_argument("--release", metavar="TRIAL", help="release a suggestion that an agent holds")
    decision.add_argument(
        "--reject", metavar="TRIAL", help="reject a suggestion that an agent holds, so that it suggests another one"
    )
    parser.add_argument("--address", help="0MQ address of the RE Manager (default: QSERVER_ZMQ_CONTROL_ADDRESS)")
    parser.add_argument("--group", default="operator", help="user group in the queue (default: %(default)s)")
    parser.add_argument("--store", type=Path, help="folder of the runs (default: MSC_STORE, msc.toml or msc-data)")


def run(args: argparse.Namespace) -> int:
    """Run ``msc agent``; returns the exit code."""
    from msc_plans.queue.held import HeldSuggestions, NotHeldError
    from msc_plans.settings import read_settings

    check_campaign(args)
    settings = read_settings(**({"store": args.store} if args.store else {}))
    try:
        if args.release or args.reject:
            word = "released" if args.release else "rejected"
            print(f"{word}: {HeldSuggestions(settings.store).decide(args.release or args.reject, word)}", end="")
            return 0
    except NotHeldError as error:
        raise InputError(str(error)) from error
    return _keep_going(args, settings)


def _keep_going(args: argparse.Namespace, settings: "Settings") -> int:
    from msc_plans.queue.agent import Agent, AgentOptions, say
    from msc_plans.queue.client import Manager
    from msc_plans.queue.items import AgentError, CampaignQueue
    from msc_plans.queue.startup import serve_store
    from msc_plans.session.advisors import advisor_for, space_for
    from msc_plans.storage import RunWriter, close_catalog, open_catalog

    uid = args.resume or str(uuid.uuid4())
    with ExitStack() as stack:
        try:
            space = space_for(settings, **axes_of(args))
            advisor = advisor_for(
                settings, args.goal, args.family, space,
                seed=args.seed, particles=args.particles, budget=budget_of(args),
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
        options = AgentOptions(
            max_conditions=args.max_conditions, failures_allowed=args.failures_allowed, saxs=args.saxs,
            frame_exposure_s=args.frame_exposure_s, sample=args.sample, refills=args.refills, hold=args.hold,
            resume=bool(args.resume),
        )  # fmt: skip
        agent = Agent(settings, options, uid, advisor, CampaignQueue(manager, args.group, say), catalog, writer)
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
