"""Child processes: start one, wait until it is ready, see that it has ended, end it; and end with one's parent."""

import http.client
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import IO

__all__ = ["Child", "ChildError", "end_with_parent"]

_POLL_S = 0.05
_PARENT_POLL_S = 0.3
_SECONDS_TO_END = 5.0
_TAIL_BYTES = 4096


class ChildError(RuntimeError):
    """A child process ended, or was not ready in time, at its start; the message names it and its log."""


class Child:
    """A running child process, in a session of its own, so that Ctrl-C at the terminal doesn't reach it.

    Parameters
    ----------
    name : str
        What messages call it, such as ``"the simulated reactor"``.
    command : sequence of str
        Program and arguments.
    log : Path, optional
        Its standard output and error are appended here; without it they are discarded.
    environment : mapping, optional
        Variables beside those of this process.
    descriptors : sequence of int
        File descriptors that the child inherits, such as a listening socket or a lock.
    pipes : bool
        Give it pipes as standard input and output, see `stdin` and `stdout`; standard error goes to the log.
    buffering : int
        Of the pipes, as for `open`; 0: none, so that a fork of this process can write nothing twice.
    error : type of ChildError
        What is raised where it does not become ready.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        log: Path | None = None,
        environment: Mapping[str, str] | None = None,
        descriptors: Sequence[int] = (),
        pipes: bool = False,
        buffering: int = -1,
        error: type[ChildError] = ChildError,
    ) -> None:
        self.name = name
        self._log = log
        self._error = error
        self._log_start = log.stat().st_size if log is not None and log.exists() else 0
        with ExitStack() as stack:
            output = subprocess.DEVNULL if log is None else stack.enter_context(log.open("ab"))
            self._process = subprocess.Popen(
                command,
                bufsize=buffering,
                stdin=subprocess.PIPE if pipes else subprocess.DEVNULL,
                stdout=subprocess.PIPE if pipes else output,
                stderr=None if pipes and log is None else output,
                env={**os.environ, **(environment or {})},
                pass_fds=descriptors,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """Process id, which is also the id of its process group."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    @property
    def returncode(self) -> int | None:
        """Exit code, the negative number of the signal that ended it, or None while it runs."""
        return self._process.poll()

    @property
    def stdin(self) -> IO[bytes]:
        """Pipe to its standard input."""
        assert self._process.stdin is not None, f"{self.name} was started without pipes"
        return self._process.stdin

    @property
    def stdout(self) -> IO[bytes]:
        """Pipe from its standard output."""
        assert self._process.stdout is not None, f"{self.name} was started without pipes"
        return self._process.stdout

    def wait_until(self, ready: Callable[[], bool], timeout_s: float, problem: str = "is not ready") -> None:
        """Wait until ``ready()`` is true.

        Parameters
        ----------
        ready : callable
            Polled 20 times a second.
        timeout_s : float
            Seconds to wait at most.
        problem : str
            What the message says of the child where the time is up.

        Raises
        ------
        ChildError
            It ended first, or the time is up; of the class given as ``error``.
        """
        deadline = time.monotonic() + timeout_s
        while not ready():
            if not self.running:
                raise self._failure(f"ended at its start (code {self.returncode})")
            if time.monotonic() > deadline:
                raise self._failure(f"{problem} within {timeout_s:g} s")
            time.sleep(_POLL_S)

    def wait_for_http(self, address: str, path: str, timeout_s: float) -> None:
        """Wait until it answers a GET with status 200 on a socket that listens already.

        The request waits in the socket's backlog until the child takes it, and fails at once if the child ends.

        Parameters
        ----------
        address : str
            ``HOST:PORT``.
        path : str
            Path of the request.
        timeout_s : float
            Seconds to wait at most.

        Raises
        ------
        ChildError
            It ended, did not answer in time, or answered with another status.
        """
        connection = http.client.HTTPConnection(address, timeout=timeout_s)
        try:
            connection.request("GET", path)
            status = connection.getresponse().status
        except TimeoutError as error:
            raise self._failure(f"did not answer within {timeout_s:g} s") from error
        except (OSError, http.client.HTTPException) as error:
            raise self._failure(f"ended at its start ({error})") from error
        finally:
            connection.close()
        if status != 200:
            raise self._failure(f"answered with HTTP status {status}")

    def _failure(self, what: str) -> ChildError:
        last = f"; it wrote: {line}" if (line := self._last_line()) else ""
        where = f"; see {self._log}" if self._log else ""
        return self._error(f"{self.name} {what}{last}{where}")

    def _last_line(self) -> str:
        if self._log is None:
            return ""
        with suppress(OSError), self._log.open("rb") as file:
            file.seek(max(file.seek(0, os.SEEK_END) - _TAIL_BYTES, self._log_start))
            lines = file.read().decode(errors="replace").split("\n")
            return next((line.strip() for line in reversed(lines) if line.strip()), "")
        return ""

    def wait(self, timeout_s: float) -> None:
        """Wait for its end; SIGKILL after ``timeout_s`` seconds. Its pipes stay open: read them out, then `end` it."""
        try:
            self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self._signal(signal.SIGKILL)
            self._process.wait()

    def end(self, timeout_s: float = 10.0, *, by: signal.Signals = signal.SIGTERM) -> None:
        """End it with all processes of its group and close its pipes.

        Parameters
        ----------
        timeout_s : float
            Seconds after which SIGKILL follows.
        by : signal
            What is sent first.
        """
        self._signal(by)
        self.wait(timeout_s)
        # what it started itself and did not end
        self._signal(signal.SIGKILL)
        with self._process:  # closes the pipes
            pass

    def disown(self) -> None:
        """Forget it in a process forked from the one that started it: close the pipes here, wait for nothing."""
        self._process.returncode = 0
        with self._process:
            pass

    def _signal(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError, PermissionError):
            if self._process.returncode is not None and _exists(self.pid):
                return  # another process has the number by now: of our group none can be left
            os.killpg(self.pid, number)


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    return True


def end_with_parent(parent: int) -> None:
    """End this process when ``parent`` is no longer its parent: SIGTERM, then at once if it is still there 5 s later.

    Call it in the child. Not PR_SET_PDEATHSIG: that fires when the *thread* that started us ends.
    """

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_PARENT_POLL_S)
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(_SECONDS_TO_END)
        os._exit(1)

    threading.Thread(target=watch, name="parent-watch", daemon=True).start()
