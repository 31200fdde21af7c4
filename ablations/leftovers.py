"""What lies in a results folder, what needs it, and what nothing does any more."""

import contextlib
import os
import re
import shutil
import stat
from collections.abc import Callable, Iterator
from enum import StrEnum
from functools import cache, partial
from pathlib import Path
from typing import NamedTuple

from ablations.drivers import FOLDER as DRIVERS
from ablations.kept import DATASET, WEIGHTS
from ablations.record import Record, RecordError
from ablations.run import TUNING_SEEDS
from ablations.store import CHECKPOINT, LOCK, BusyError, Store
from alexnet.durable import is_abandoned, is_temporary
from alexnet.locks import CHOICE, is_held


class Kind(StrEnum):
    """What a file is, in the words that a person sees."""

    PLAN = "plans"
    RECORD = "records"
    WEIGHTS = "weights of compared runs"
    DATASET = "mean images and classes, beside weights"
    TUNING_WEIGHTS = "weights of tuning runs"
    SCORES = "scores"
    EXAMPLES = "examples for figures"
    CHECKPOINT = "checkpoints of runs that go on"
    STALE_CHECKPOINT = "checkpoints of finished runs"
    SET_ASIDE = "checkpoints set aside"
    SET_ASIDE_RECORD = "records of before, set aside"
    FAILURE = "reasons of failures"
    STALE_FAILURE = "reasons of failures of finished runs"
    TEMPORARY = "files that are being written"
    ABANDONED = "files that were being written when it was killed"
    FIGURE = "figures and reports"
    SMOKE = "the last smoke"
    EXPORT = "runs exported to trackers"
    LOCK = "locks"
    VERIFIED = "what was verified"
    OTHER = "other files"


UNNEEDED = frozenset(
    (
        Kind.TUNING_WEIGHTS, Kind.STALE_CHECKPOINT, Kind.SET_ASIDE, Kind.STALE_FAILURE,
        Kind.ABANDONED,
    )
)  # fmt: skip
"""What no command reads: verdicts, figures and runs that go on are the same without."""
BY_NAME = {
    "record.json": Kind.RECORD,
    "scores.safetensors": Kind.SCORES,
    "examples.safetensors": Kind.EXAMPLES,
    "verified.json": Kind.VERIFIED,
    LOCK: Kind.LOCK,
    "holder": Kind.LOCK,
    f"{LOCK}-lease": Kind.LOCK,
    CHOICE: Kind.LOCK,
}

OF_NETWORK = {WEIGHTS: Kind.WEIGHTS, DATASET: Kind.DATASET}


class Entry(NamedTuple):
    """A file, or a folder that is one thing."""

    kind: Kind
    path: Path
    size: int  # bytes


def entries(store: Store) -> Iterator[Entry]:
    """Yield everything in a results folder, the runs by their names."""
    results = store.path
    for item in _listed(results):
        if item.name == "plans":
            yield from (_plain(plan) for plan in _listed(Path(item)))
        elif item.name == "runs":
            for folder in _listed(Path(item)):
                yield from _of_run(Path(folder)) if folder.is_dir() else (_plain(folder),)
        elif item.is_dir(follow_symlinks=False):
            yield Entry(_of_folder(Path(item)), Path(item), weight(Path(item)))
        else:
            yield _plain(item)


def _listed(folder: Path) -> list[os.DirEntry[str]]:
    with contextlib.suppress(OSError), os.scandir(folder) as found:
        return sorted(found, key=lambda item: item.name)
    return []


def _of_folder(folder: Path) -> Kind:
    if (kind := _temporary(folder)) is not None:
        return kind
    if folder.name == "smoke":
        return Kind.SMOKE
    if folder.name == "export":
        return Kind.EXPORT
    if folder.name == DRIVERS:
        return Kind.LOCK
    return Kind.FIGURE if (folder / "report.json").exists() else Kind.OTHER


def _plain(item: os.DirEntry[str]) -> Entry:
    """Return what a file is that belongs to no run."""
    path = Path(item)
    kind = _temporary(path) or BY_NAME.get(path.name, Kind.OTHER)
    if path.name.endswith((".lock", ".lock-lease")):
        kind = Kind.LOCK
    elif path.parent.name == "plans" and path.suffix == ".json":
        kind = Kind.PLAN
    elif path.suffix in (".png", ".svg"):
        kind = Kind.FIGURE
    return Entry(kind, path, _size(item))


def _of_run(folder: Path) -> Iterator[Entry]:
    """Yield what lies in the folder of a run."""
    record = cache(partial(_record, folder))
    for item in _listed(folder):
        yield Entry(_kind_in_run(Path(item), record), Path(item), _size(item))


def _kind_in_run(path: Path, record: Callable[[], Record | None]) -> Kind:
    """Return what a file is in the folder of a run, whose record is read where that decides."""
    if path.name == CHECKPOINT:
        return Kind.STALE_CHECKPOINT if record() else Kind.CHECKPOINT
    if path.name in OF_NETWORK:
        found = record()
        tuned = found is not None and found.run.seed in TUNING_SEEDS
        return Kind.TUNING_WEIGHTS if tuned else OF_NETWORK[path.name]
    if path.name.startswith("checkpoint-set-aside"):
        return Kind.SET_ASIDE
    if path.name.startswith("record-set-aside"):
        return Kind.SET_ASIDE_RECORD
    if re.fullmatch(r"failure-\d+\.json", path.name):
        return Kind.STALE_FAILURE if record() else Kind.FAILURE
    return _temporary(path) or BY_NAME.get(path.name, Kind.OTHER)


def _temporary(path: Path) -> Kind | None:
    """Return what a file is that has not its last name; None if it has."""
    if not is_temporary(path):
        return None
    left = is_abandoned(path) and not (path.is_dir() and is_held(path / LOCK))
    return Kind.ABANDONED if left else Kind.TEMPORARY


def _record(folder: Path) -> Record | None:
    """Return the record in the folder of a run; None if it cannot be trusted."""
    with contextlib.suppress(RecordError, OSError):
        return Record.read(folder / "record.json")
    return None


def _size(item: os.DirEntry[str]) -> int:
    try:
        if item.is_dir(follow_symlinks=False):
            return weight(Path(item))
        return item.stat(follow_symlinks=False).st_size
    except OSError:  # gone
        return 0


def weight(folder: Path) -> int:
    """Return the bytes of all files in a folder."""
    total = 0
    for path in folder.rglob("*"):
        with contextlib.suppress(OSError):  # gone meanwhile
            about = path.lstat()
            total += about.st_size if not stat.S_ISDIR(about.st_mode) else 0
    return total


def delete(store: Store, several: list[Entry]) -> list[Entry]:
    """Delete what nothing needs; return what was deleted.

    What another process is at stays: nothing is deleted in the folder of a run whose lock is held,
    nor what has become something else since it was listed.
    """
    deleted = []
    for entry in several:
        with contextlib.suppress(OSError, BusyError), _held(store, entry.path):
            record = partial(_record, entry.path.parent)
            if _is_of_a_run(store, entry.path) and _kind_in_run(entry.path, record) != entry.kind:
                continue
            if entry.path.is_dir() and not entry.path.is_symlink():
                shutil.rmtree(entry.path)
            else:
                entry.path.unlink()
            deleted.append(entry)
    return deleted


def _held(store: Store, path: Path) -> contextlib.AbstractContextManager[None]:
    return store.lock_folder(path.parent) if _is_of_a_run(store, path) else contextlib.nullcontext()


def _is_of_a_run(store: Store, path: Path) -> bool:
    return path.parent.parent == store.path / "runs"


SWEPT = (Kind.ABANDONED, Kind.STALE_CHECKPOINT)


def sweep(store: Store) -> list[Entry]:
    """Delete what kills have left and nobody will read: at the start of a command that writes.

    Files of dead processes, and checkpoints beside the record of a run.
    """
    left = []
    for folder in (store.path, store.path / "plans", *_folders(store.path / "runs")):
        record = partial(_record, folder)
        for item in _listed(folder):
            path = Path(item)
            # No record is read but beside a checkpoint: there may be thousands.
            kind = _kind_in_run(path, record) if path.name == CHECKPOINT else _temporary(path)
            if kind in SWEPT:
                left.append(Entry(kind, path, _size(item)))
    return delete(store, left)


def _folders(runs: Path) -> list[Path]:
    return [Path(item) for item in _listed(runs) if item.is_dir(follow_symlinks=False)]
