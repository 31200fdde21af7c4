"""What processes of any kind need that this one starts: their variables, and to end with it."""

import contextlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator, Mapping
from types import MappingProxyType


@contextlib.contextmanager
def environment(
    variables: Mapping[str, str], always: Mapping[str, str] = MappingProxyType({})
) -> Iterator[None]:
    """Set variables for a child about to start; what a person has set stays, but for ``always``."""
    fresh = {name: value for name, value in variables.items() if name not in os.environ}
    before = {name: os.environ.get(name) for name in {**fresh, **always}}
    os.environ.update({**fresh, **always})
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def follow_parent() -> None:
    """Leave Ctrl-C to the parent, and end when it is gone, even if it was killed.

    So with SIGUSR1, by which a scheduler tells a whole job that its time is nearly over.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(signal, "SIGUSR1"):
        signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: multiprocessing.process.BaseProcess) -> None:
    parent.join()
    os._exit(1)
