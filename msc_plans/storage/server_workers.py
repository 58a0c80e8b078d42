"""Several processes that do the same, of which none is missed for long."""

import os
import signal
import sys
import threading
from collections.abc import Callable
from multiprocessing.connection import wait
from multiprocessing.context import ForkProcess
from types import FrameType

from msc_plans.processes import end_with_parent

__all__ = ["keep_running"]

_LOOK_S = 0.3
_RESTART_S = 1.0
_SECONDS_TO_END = 5.0


def keep_running(number: int, work: Callable[[], int], parent: int = 0) -> int:
    """Run `work` in `number` processes until SIGTERM or SIGINT; one that dies is replaced.

    They are forked, so that imports are shared: no thread may run yet.

    Parameters
    ----------
    number : int
        Of processes.
    work : callable
        Works until SIGTERM, and returns 0; anything else says that it can't even begin, and ends all.
    parent : int
        Ends with this process, too; 0: with none.

    Returns
    -------
    code : int
        0, or what `work` returned that could not begin.

    Raises
    ------
    KeyboardInterrupt
        SIGINT came.
    """
    here = os.getpid()
    ended: list[int] = []

    def one() -> None:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        end_with_parent(here)
        sys.exit(work())

    def start() -> ForkProcess:
        process = ForkProcess(target=one)
        process.start()
        return process

    def end(number: int, frame: FrameType | None) -> None:
        ended.append(number)

    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, end)
    running = [start() for _ in range(number)]
    code = 0
    while not ended and not code and (not parent or os.getppid() == parent):
        wait([process.sentinel for process in running], timeout=_LOOK_S)
        dead = [process for process in running if not process.is_alive()]
        # of one that a signal ended it is negative
        code = max((0, *(process.exitcode or 0 for process in dead)))
        if dead and not ended and not code:
            threading.Event().wait(_RESTART_S)
            running = [start() if process in dead else process for process in running]
    for process in running:
        process.terminate()
    for process in running:
        process.join(_SECONDS_TO_END)
        process.kill()
        process.join()
    if signal.SIGINT in ended:
        raise KeyboardInterrupt
    return code
