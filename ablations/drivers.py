"""Who is at work on a results folder: several commands may share one, on one machine or on many.

Each leaves a file there while it works, by which the others know of it; what it does for them is to
be read by people. Runs are shared out by locks, and all have to have the same kind of them.
"""

import contextlib
import json
import os
import platform
import secrets
import threading
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from alexnet import locks
from alexnet.durable import is_temporary, lives, write_atomically, write_once
from alexnet.sealed import read_bytes
from alexnet.text import shown

FOLDER = "drivers"
"""In a results folder: a file for each command that is at work there."""
BEAT = 15.0
"""Seconds between two signs of life."""
SILENT = 90.0
"""Seconds without a sign of life after which a command is taken for gone."""
LONGEST = 2000
"""Bytes of such a file."""


class DriverError(ValueError):
    """A command cannot join those at work on a folder; the message says why and the way out."""


class Driver(NamedTuple):
    """A command that trains what is missing in a folder."""

    host: str
    process: int
    since: str
    study: str
    locks: locks.Kind

    def __str__(self) -> str:
        """Return it in words."""
        return f"process {self.process} on {self.host} since {self.since} ({self.study})"


@contextlib.contextmanager
def joined(results: Path, study: str, asked: locks.Kind | None) -> Iterator[list[Driver]]:
    """Be known in a folder, which is there, as one that is at work; yield the others.

    Args:
        results: Folder of plans and records.
        study: What this command trains.
        asked: Which locks a person asked for: written into the folder, for all who come. None for
            those that it has.

    Raises:
        DriverError: If the others have other locks than this one would.
    """
    kind = _kind(results, asked)
    since = datetime.now().astimezone().isoformat(sep=" ", timespec="minutes")
    me = Driver(platform.node()[:64], os.getpid(), since, study, kind)
    path = results / FOLDER / f"{me.host}.{me.process}.{secrets.token_hex(4)}.json"
    _write(path, json.dumps(me._asdict()).encode())
    over = threading.Event()
    beats = threading.Thread(target=_beat, args=(path, over), daemon=True)
    beats.start()
    try:
        # Each is known before it looks: of two that start at once, one sees the other.
        others = at_work(results, path)
        for other in others:
            if other.locks != kind:
                raise DriverError(
                    f"{other} is at work in {results} with --locks {other.locks}, and this command "
                    f"would have --locks {kind}: neither would see what the other holds; give all "
                    "the same"
                )
        if asked is not None and locks.chosen_kind(results) is None:
            write_once(results / locks.CHOICE, f"{asked}\n".encode())
        _kind(results, kind)
        yield others
    finally:
        over.set()
        path.unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # others are at work
            path.parent.rmdir()


def _kind(results: Path, asked: locks.Kind | None) -> locks.Kind:
    """Return which locks this command has in a folder.

    Raises:
        DriverError: If the folder has others than were asked for, or than this machine can have.
    """
    file, chosen = results / locks.CHOICE, locks.chosen_kind(results)
    if chosen is None and file.exists():
        raise DriverError(f"{file} names no kind of locks; write lease or system into it")
    kind = chosen or asked or ("system" if locks.has_locks(results) else "lease")
    if asked not in (None, kind):
        raise DriverError(
            f"runs in {results} are shared out with --locks {kind}, as {file} says, and not with "
            f"--locks {asked}; delete that file once nobody is at work there, to choose anew"
        )
    if kind == "system" and not locks.has_locks(results):
        raise DriverError(
            f"the file system of {results} has no locks on this machine; give all commands there "
            "--locks lease"
        )
    return kind


def _write(path: Path, content: bytes) -> None:
    """Write a file into a folder that another may remove in that moment, as it is empty."""
    for _ in range(20):
        with contextlib.suppress(FileNotFoundError):
            write_atomically(path, content)
            return
        time.sleep(0.01)
    write_atomically(path, content)


def _beat(path: Path, over: threading.Event) -> None:
    """Give signs of life until it is over."""
    while not over.wait(BEAT):
        with contextlib.suppress(OSError):
            os.utime(path)


def at_work(results: Path, own: Path | None = None) -> list[Driver]:
    """Return the commands that are at work in a folder, by their host and process.

    Args:
        results: Folder of plans and records.
        own: The file of this command, which is left out, and by which the clock of the file system
            is read: those of several machines differ.
    """
    now = time.time() if own is None else own.stat().st_mtime
    found = []
    for path in (results / FOLDER).glob("*.json"):
        if path == own or is_temporary(path):
            continue
        with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
            silent = now - path.stat().st_mtime
            driver = _driver(read_bytes(path, LONGEST))
            if silent > SILENT:
                if own is not None:
                    path.unlink()
            elif driver.host != platform.node()[:64] or lives(driver.process):
                found.append(driver)
    return sorted(found)


def _driver(content: bytes) -> Driver:
    """Return what a file says.

    Raises:
        ValueError: If it is cut short or damaged.
    """
    told = json.loads(content)
    kind = {"system": "system", "lease": "lease"}[told["locks"]]
    texts = (shown(str(told[name]))[:64] for name in ("host", "since", "study"))
    host, since, study = texts
    return Driver(host, int(told["process"]), since, study, kind)  # type: ignore[arg-type]
