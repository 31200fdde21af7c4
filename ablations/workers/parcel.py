"""What travels between a node and the driver where they share no disk: a run's files as bytes."""

import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from pickle import PickleBuffer
from typing import NamedTuple

from ablations.record import Record
from ablations.run import Run
from ablations.store import CHECKPOINT, LOCK, Store
from ablations.workers.protocol import Event, Failed, Finished
from alexnet.config import Config
from alexnet.config.source import find_same_source, split
from alexnet.durable import is_temporary, write_atomically
from alexnet.sealed import SealError, parsed, refuse_irregular

RECORD = "record.json"
ASIDE = "checkpoint-set-aside-"
STAYS = (RECORD, CHECKPOINT, LOCK, "holder")
"""In the folder of a run that is finished: its record travels as a value, others not at all."""
REST = 30.0
"""Seconds between two checkpoints of a run that travel: a driver writes those of all nodes."""
BANDWIDTH = 10e6
"""Bytes a second that checkpoints of one run may come to: hundreds of workers share a driver."""

Files = Mapping[str, PickleBuffer]
"""By name; such buffers travel beside what is pickled, and are copied once."""


class Parcel(NamedTuple):
    """An event, and what of its run travels with it."""

    event: Event
    files: Files
    record: Record | None = None
    reasons: tuple[str, ...] = ()  # of failures, in their order
    sets_aside: bool = False  # the checkpoint that was sent cannot be gone on from


class Sender:
    """On a node: a results folder of its own, from which runs are sent."""

    def __init__(self, store: Store, rest: float = REST) -> None:
        """Take the folder, and how many seconds are between checkpoints that travel."""
        self._store, self._rest = store, rest
        self._due = 0.0  # when the next checkpoint may travel
        self._sent: tuple[int, int] | None = None  # the checkpoint that has travelled last
        self._told_aside = False

    def lay_out(self, run: Run, files: Files) -> None:
        """Begin a run with what the driver has of it, and nothing else."""
        folder = self._store.folder(run)
        shutil.rmtree(folder, ignore_errors=True)
        for name, content in files.items():
            write_atomically(folder / name, bytes(content))
        self._sent, self._told_aside = _version(folder / CHECKPOINT), False
        self._due = time.monotonic() + self._rest

    def packed(self, run: Run, event: Event) -> Parcel:
        """Return an event of a run with what the driver should have of it by now."""
        folder = self._store.folder(run)
        aside = not self._told_aside and any(folder.glob(f"{ASIDE}*"))
        self._told_aside |= aside
        if not isinstance(event, Finished | Failed):
            return Parcel(event, self._checkpoint(folder, ends=False), sets_aside=aside)
        reasons = tuple(map(_reason, sorted(folder.glob("failure-*.json"))))
        if isinstance(event, Failed):
            files = self._checkpoint(folder, ends=True)
            return Parcel(event, files, reasons=reasons or (event.reason,), sets_aside=aside)
        files = {path.name: _read(path) for path in folder.iterdir() if _is_kept(path)}
        return Parcel(event, files, Record.read(folder / RECORD), reasons, aside)

    def _checkpoint(self, folder: Path, ends: bool) -> Files:
        """Return the checkpoint, if there is a new one and the last is long enough ago."""
        path, now = folder / CHECKPOINT, time.monotonic()
        version = _version(path)
        if version in (None, self._sent) or not (ends or now >= self._due):
            return {}
        content = path.read_bytes()
        self._sent = version
        self._due = now + max(self._rest, len(content) / BANDWIDTH if self._rest else 0.0)
        return {CHECKPOINT: PickleBuffer(content)}

    def clear(self, run: Run) -> None:
        """Forget a run that the driver has now."""
        shutil.rmtree(self._store.folder(run), ignore_errors=True)


def what_is_here(store: Store, run: Run) -> Files:
    """Return what a node needs to go on with a run: its checkpoint, if there is one."""
    path = store.folder(run) / CHECKPOINT
    try:
        refuse_irregular(path)
        return {CHECKPOINT: _read(path)}
    except (FileNotFoundError, SealError):
        return {}


def unpack(store: Store, run: Run, parcel: Parcel) -> None:
    """Write what has travelled into a results folder; the record last, which commits the run."""
    folder = store.folder(run)
    if parcel.sets_aside and (folder / CHECKPOINT).is_file():
        store.set_aside(folder / CHECKPOINT)
    for reason in parcel.reasons:
        store.add_failure(run, reason)
    for name, content in parcel.files.items():
        write_atomically(folder / name, bytes(content))
    if parcel.record is not None:
        store.add(parcel.record)


def sources_of(config: Config) -> dict[str, bytes]:
    """Return the files of a config's parts of one's own, by where Python looks for them.

    Raises:
        SourceError: If one is gone or has changed.
    """
    found = {}
    for part in config.network.own_parts:
        module, _ = split(part.target)
        found[f"{module.replace('.', '/')}.py"] = find_same_source(module, part.source).content
    return found


def _version(path: Path) -> tuple[int, int] | None:
    """Return what differs between a file and the one that replaces it."""
    try:
        about = path.stat()
    except OSError:
        return None
    return about.st_ino, about.st_mtime_ns


def _read(path: Path) -> PickleBuffer:
    return PickleBuffer(path.read_bytes())


def _is_kept(path: Path) -> bool:
    other = path.name in STAYS or path.name.startswith((ASIDE, "failure-", f"{LOCK}-"))
    return path.is_file() and not other and not is_temporary(path)


def _reason(path: Path) -> str:
    return str(parsed(path.read_bytes()).get("reason", ""))
