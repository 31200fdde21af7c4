"""A limit of time on a long task, which then stops as if Ctrl-C had been pressed."""

import _thread
import re
import threading
from types import TracebackType
from typing import Self

from rich.console import Console

from reports.terminal import say
from reports.words import clock

TIME_LIMIT, INTERRUPTED = 4, 130
"""Exit codes."""
STOPPED = "only epochs under way are lost; the same command goes on"
UNITS = {"s": 1, "m": 60, "h": 3600, "": 1}
WRITTEN = re.compile(r"(\d+(?:\.\d+)?)\s*([smh]?)")


def seconds_of(text: str) -> float:
    """Return a time as a person writes it, in seconds.

    >>> seconds_of("5m"), seconds_of("90s"), seconds_of("1.5h"), seconds_of("300")
    (300.0, 90.0, 5400.0, 300.0)

    Raises:
        ValueError: If it is no time, or none at all.
    """
    written = WRITTEN.fullmatch(text.strip())
    found = float(written[1]) * UNITS[written[2]] if written else 0.0
    if not found:
        raise ValueError(f"{text!r} is not a time; write for example 90s, 5m or 2h")
    return found


class TimeLimit:
    """Raises KeyboardInterrupt in the main thread when the time is over, and knows that it did.

    What has to be caught is outside of the ``with``: there it can no longer be raised.
    """

    def __init__(self, seconds: float | None) -> None:
        """Set no limit if None."""
        self.seconds = seconds
        self.reached = False
        self._over = threading.Lock()
        self._timer = threading.Timer(seconds or 0.0, self._interrupt)
        self._timer.daemon = True

    def _interrupt(self) -> None:
        with self._over:
            if not self._timer.finished.is_set():
                self.reached = True
                _thread.interrupt_main()

    def __enter__(self) -> Self:
        """Start the clock."""
        if self.seconds is not None:
            self._timer.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop it: from now on nothing is interrupted."""
        with self._over:
            self._timer.cancel()

    def stopped(self, console: Console, text: str) -> int:
        """Say why a task was stopped; return the exit code."""
        if not self.reached or self.seconds is None:
            say(console, "stopped", text)
            return INTERRUPTED
        say(console, "time limit", f"{clock(self.seconds)} are over; {text}")
        return TIME_LIMIT
