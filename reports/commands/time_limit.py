"""A limit of time on a long task, which then stops as if Ctrl-C had been pressed.

Its own, or that of a scheduler, which tells it by a signal.
"""

import _thread
import re
import signal
import sys
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
SOON = 0.1
"""Seconds after which an interruption that was ignored comes again."""
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


def _send(number: signal.Signals) -> None:
    """Send a signal to the main thread, which ends what it waits for."""
    if hasattr(signal, "pthread_kill"):
        signal.pthread_kill(threading.main_thread().ident or 0, number)
    else:  # Windows
        _thread.interrupt_main(number)


class TimeLimit:
    """Raises KeyboardInterrupt in the main thread when the time is over, and knows that it did.

    So when a scheduler tells it so by a signal, once: what is being ended is not interrupted again.

    What has to be caught is outside of the ``with``: there it can no longer be raised. Within it,
    an interruption is raised again, of whichever kind, if Python ignored it: where a finalizer or
    the callback of a weak reference runs, nothing can be raised.
    """

    def __init__(self, seconds: float | None) -> None:
        """Set no limit if None."""
        self.seconds = seconds
        self.reached = False
        self.told = ""  # by which signal
        self._before: Any = None
        self._handlers: dict[signal.Signals, Any] = {}
        self._timer: threading.Timer | None = None
        self._is_lost = False  # what told it was ignored
        self._again: threading.Timer | None = None
        self._unraisable: Any = None

    def __enter__(self) -> Self:
        """Start the clock, and listen."""
        self._unraisable, sys.unraisablehook = sys.unraisablehook, self._ignored
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
        if not self.told or self._is_lost:
            self._is_lost = False
            self.told = self.told or signal.Signals(number).name
            raise KeyboardInterrupt

    def _rung(self, number: int, frame: FrameType | None) -> None:
        self.reached = True
        raise KeyboardInterrupt

    def _ignored(self, lost: Any) -> None:
        """Have an interruption that Python has ignored come again soon, as the signal it was.

        Not at once: nothing can be raised in here either.
        """
        if not issubclass(lost.exc_type, KeyboardInterrupt):
            self._unraisable(lost)
            return
        self._is_lost = True
        rung = "SIGALRM" if self.reached and hasattr(signal, "setitimer") else "SIGINT"
        self._again = threading.Timer(SOON, _send, [signal.Signals[self.told or rung]])
        self._again.daemon = True
        self._again.start()

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
        sys.unraisablehook = self._unraisable
        if self._again is not None:
            self._again.cancel()
            self._again.join()  # whose signal would end the process that no longer listens
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
