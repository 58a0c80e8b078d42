"""Progress bars on what the RunEngine waits for."""

import sys
from collections.abc import Callable, Iterable
from typing import Any, TextIO

from tqdm import tqdm

__all__ = ["WaitingBars"]

_FORMAT = "  {desc:<46.46} {percentage:3.0f}% |{bar:24}| {elapsed} gone{postfix}"


class WaitingBars:
    """A ``RunEngine.waiting_hook``: one bar for each long wait, gone when it is over.

    Parameters
    ----------
    file : text stream
        Where to draw; nothing is drawn unless it is a terminal.
    delay_s : float
        Waits shorter than this get no bar.
    """

    def __init__(self, file: TextIO | None = None, *, delay_s: float = 0.5) -> None:
        self._file = file or sys.stderr
        self._delay_s = delay_s
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
                    status.watch(self._new_bar())

    def _new_bar(self) -> Callable[..., None]:
        """Return what a status reports to: a bar for each thing it waits for, one after the other."""
        bar, watched = self._open(), ""

        def update(
            *,
            name: str = "",
            current: float = 0,
            target: float = 0,
            unit: str = "",
            fraction: float = 1,
            time_elapsed: float = 0,
            time_remaining: float | None = None,
            **_: Any,
        ) -> None:
            nonlocal bar, watched
            if bar not in self._bars:  # a last word after the wait was over
                return
            if watched and name != watched:
                self._bars.remove(bar)
                bar.close()
                bar = self._open()
            watched = name
            bar.set_description_str(f"{name}: {current:.1f} of {target:.1f} {unit}", refresh=False)
            if time_remaining is None and 0 < fraction < 1:
                time_remaining = time_elapsed * fraction / (1 - fraction)
            if time_remaining is not None:
                bar.set_postfix_str(f"{tqdm.format_interval(round(time_remaining))} left", refresh=False)
            bar.update(1.0 - fraction - bar.n)

        return update

    def _open(self) -> tqdm:
        bar = tqdm(
            total=1.0, file=self._file, leave=False, bar_format=_FORMAT, delay=self._delay_s,
            miniters=0, mininterval=min(0.1, self._delay_s),
        )  # fmt: skip
        self._bars.append(bar)
        return bar
