"""A limit of time on a long task, which then stops as if Ctrl-C had been pressed.

Its own, or that of a scheduler, which tells it by a signal.
"""

import _thread
import re
import signal
import threading
from types import FrameType, TracebackType
from typing import Any, Self

from rich.console import Console

from reports.commands.console import say
from reports.commands.exit_codes import INTERRUPTED, TIME_LIMIT
from reports.wording.formatting import clock

STOPPED = "only what runs did since their last checkpoint is lost; the same command goes on"
UNITS = {"s": 1, "m": 60, "h": 3600}
WRITTEN = re.compile(r"(\d+(?:\.\d+)?)\s*([smh]?)")
TOLD = ("SIGTERM", "SIGUSR1")
"""Signals by which schedulers say that the time is over, or nearly: SLURM's ``--signal``."""
LONGEST = 1e8
"""Seconds, three years; systems have no longer alarms."""


def seconds_of(text: str) -> float:
    """Return a time as a person writes it, in seconds.

    >>> seconds_of("5m"), seconds_of("90s"), seconds_of("1.5h")
    (300.0, 90.0, 5400.0)

    Raises:
        ValueError: If it is no time, has no unit, is none at all, or longer than anything here.
    """
    written = WRITTEN.fullmatch(text.strip())
    if written and not written[2]:
        number = written[1]
        either = ", ".join(f"{number}{unit}" for unit in UNITS)
        raise ValueError(f"{text!r} has no unit; write {either} for seconds, minutes or hours")
    found = float(written[1]) * UNITS[written[2]] if written else 0.0
    if not 0 < found <= LONGEST:
        raise ValueError(f"{text!r} is not a time; write for example 90s, 5m or 2h")
    return found


class TimeLimit:
    """Raises KeyboardInterrupt in the main thread when the time is over, and knows that it did.

    So when a scheduler tells it so by a signal, once: what is being ended is not interrupted again.

    What has to be caught is outside of the ``with``: there it can no longer be raised.
    """

    def __init__(self, seconds: float | None) -> None:
        """Set no limit if None."""
        self.seconds = seconds
        self.reached = False
        self.told = ""  # by which signal
        self._before: Any = None
        self._handlers: dict[signal.Signals, Any] = {}
        self._timer: threading.Timer | None = None

    def __enter__(self) -> Self:
        """Start the clock, and listen."""
        if threading.current_thread() is threading.main_thread():  # no other may
            known = [signal.Signals[name] for name in TOLD if hasattr(signal, name)]
            self._handlers = {one: signal.signal(one, self._tell) for one in known}
        if self.seconds is None:
            return self
        if hasattr(signal, "setitimer"):  # ends a wait at once, even where Ctrl-C is ignored
            self._before = signal.signal(signal.SIGALRM, self._rung)
            signal.setitimer(signal.ITIMER_REAL, self.seconds)
        else:  # Windows
            self._timer = threading.Timer(self.seconds, self._tell_main)
            self._timer.daemon = True
            self._timer.start()
        return self

    def _tell(self, number: int, frame: FrameType | None) -> None:
        if not self.told:
            self.told = signal.Signals(number).name
            raise KeyboardInterrupt

    def _rung(self, number: int, frame: FrameType | None) -> None:
        self.reached = True
        raise KeyboardInterrupt

    def _tell_main(self) -> None:
        self.reached = True
        _thread.interrupt_main()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop it: from now on nothing is interrupted."""
        if self._timer is not None:
            self._timer.cancel()
        elif self.seconds is not None:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, self._before)
        for one, before in self._handlers.items():
            signal.signal(one, before)

    def stopped(self, console: Console, text: str) -> int:
        """Say why a task was stopped; return the exit code."""
        if self.told:
            say(console, "stopped", f"{self.told} came; {text}")
            return TIME_LIMIT
        if not self.reached or self.seconds is None:
            say(console, "stopped", text)
            return INTERRUPTED
        say(console, "time limit", f"{clock(self.seconds)} reached; {text}")
        return TIME_LIMIT
