"""Progress bars on what the RunEngine waits for."""

import sys
from collections.abc import Iterable
from typing import Any, TextIO

from tqdm import tqdm

__all__ = ["WaitingBars"]

_FORMAT = "  {desc:<46.46} {percentage:3.0f}% |{bar:24}| {elapsed} gone, {remaining} left"


class WaitingBars:
    """A ``RunEngine.waiting_hook``: one bar for each long wait, gone when it is over.

    Parameters
    ----------
    file : text stream
        Where to draw; nothing is drawn unless it is a terminal.
    """

    def __init__(self, file: TextIO | None = None) -> None:
        self._file = file or sys.stderr
        self._bars: list[tqdm] = []

    def __call__(self, statuses: Iterable[Any] | None) -> None:
        """Draw bars for statuses that can be watched; clear them when called with None."""
        if statuses is None:
            while self._bars:
                self._bars.pop().close()
            return
        if self._file.isatty():
            for status in statuses:
                if hasattr(status, "watch") and not status.done:
                    self._watch(status)

    def _watch(self, status: Any) -> None:
        bar = tqdm(
            total=1.0,
            file=self._file,
            leave=False,
            bar_format=_FORMAT,
            mininterval=0.2,
            delay=0.5,
            dynamic_ncols=True,
        )
        self._bars.append(bar)

        def update(
            *, name: str = "", current: float = 0.0, target: float = 0.0, unit: str = "", fraction: float = 1.0,
            initial: float | None = None, **_: Any,
        ) -> None:  # fmt: skip
            what = f"{name}: {current:.1f} of {target:.1f} {unit}"
            if bar.desc.split(":")[0] != name:
                bar.reset(total=1.0)
            bar.set_description_str(what, refresh=False)
            bar.n = 1.0 - fraction
            bar.update(0)

        status.watch(update)
