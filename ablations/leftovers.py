"""What lies in a results folder, what needs it, and what nothing does any more."""

import contextlib
import os
import re
import shutil
import stat
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from ablations.record import Record, RecordError
from ablations.run import TUNING_SEEDS
from ablations.store import CHECKPOINT, BusyError, Store
from alexnet.durable import is_abandoned, is_temporary


class Kind(StrEnum):
    """What a file is, in the words that a person sees."""

    PLAN = "plans"
    RECORD = "records"
    WEIGHTS = "weights of compared runs"
    TUNING_WEIGHTS = "weights of tuning runs"
    SCORES = "scores"
    EXAMPLES = "examples for figures"
    CHECKPOINT = "checkpoints of runs that go on"
    STALE_CHECKPOINT = "checkpoints of finished runs"
    SET_ASIDE = "damaged checkpoints"
    SET_ASIDE_RECORD = "records of before, set aside"
    FAILURE = "reasons of failures"
    STALE_FAILURE = "reasons of failures of finished runs"
    TEMPORARY = "files that are being written"
    ABANDONED = "files that were being written when it was killed"
    FIGURE = "figures and reports"
    SMOKE = "the last smoke"
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
    "lock": Kind.LOCK,
    "holder": Kind.LOCK,
    "lock-lease": Kind.LOCK,
}


class Entry(NamedTuple):
    """A file, or a folder that is one thing."""

    kind: Kind
    path: Path
    size: int  # bytes


def entries(store: Store) -> Iterator[Entry]:
    """Yield everything in a results folder, the runs by their names."""
    results = store.results
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
    if is_temporary(folder):
        return Kind.ABANDONED if is_abandoned(folder) else Kind.TEMPORARY
    if folder.name == "smoke" and _is_smoke(folder):
        return Kind.SMOKE
    return Kind.FIGURE if (folder / "report.json").exists() else Kind.OTHER


def _is_smoke(folder: Path) -> bool:
    """Whether a folder holds what a smoke leaves, and nothing of a person."""
    runs = [item.name for item in _listed(folder / "runs")]
    others = [item.name for item in _listed(folder) if item.name != "runs"]
    return all(re.fullmatch("[0-9a-f]{12}", name) for name in runs) and all(
        name.startswith(".") for name in others
    )


def _plain(item: os.DirEntry[str]) -> Entry:
    """Return what a file is that belongs to no run."""
    path, kind = Path(item), Kind.OTHER
    if is_temporary(path):
        kind = Kind.ABANDONED if is_abandoned(path) else Kind.TEMPORARY
    elif path.suffix == ".lock":
        kind = Kind.LOCK
    elif path.parent.name == "plans" and path.suffix == ".json":
        kind = Kind.PLAN
    elif path.suffix in (".png", ".svg"):
        kind = Kind.FIGURE
    elif path.name in BY_NAME:
        kind = BY_NAME[path.name]
    return Entry(kind, path, _size(item))


def _of_run(folder: Path) -> Iterator[Entry]:
    """Yield what lies in the folder of a run."""
    found = _listed(folder)
    record = _record(folder) if any(item.name == "record.json" for item in found) else None
    for item in found:
        kind = BY_NAME.get(item.name, Kind.OTHER)
        if item.name == CHECKPOINT:
            kind = Kind.STALE_CHECKPOINT if record else Kind.CHECKPOINT
        elif item.name == "weights.safetensors":
            tuned = record is not None and record.run.seed in TUNING_SEEDS
            kind = Kind.TUNING_WEIGHTS if tuned else Kind.WEIGHTS
        elif item.name.startswith("checkpoint-set-aside"):
            kind = Kind.SET_ASIDE
        elif item.name.startswith("record-set-aside"):
            kind = Kind.SET_ASIDE_RECORD
        elif re.fullmatch(r"failure-\d+\.json", item.name):
            kind = Kind.STALE_FAILURE if record else Kind.FAILURE
        elif is_temporary(Path(item)):
            kind = Kind.ABANDONED if is_abandoned(Path(item)) else Kind.TEMPORARY
        yield Entry(kind, Path(item), _size(item))


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

    What another process is at stays: nothing is deleted in the folder of a run whose lock is held.
    """
    deleted = []
    for entry in several:
        with contextlib.suppress(OSError, BusyError), _held(store, entry.path):
            if entry.path.is_dir() and not entry.path.is_symlink():
                shutil.rmtree(entry.path)
            else:
                entry.path.unlink()
            deleted.append(entry)
    return deleted


def _held(store: Store, path: Path) -> contextlib.AbstractContextManager[None]:
    if path.parent.parent == store.results / "runs":
        return store.lock_folder(path.parent)
    return contextlib.nullcontext()


def sweep(store: Store) -> list[Entry]:
    """Delete what kills have left and nobody will read: at the start of a command that writes.

    Files of dead processes, and checkpoints beside the record of a run.
    """
    left = []
    for folder in (store.results, store.results / "plans", *_folders(store.results / "runs")):
        names = _listed(folder)
        has_record = any(item.name == "record.json" for item in names)
        for item in names:
            path = Path(item)
            if is_abandoned(path):
                left.append(Entry(Kind.ABANDONED, path, _size(item)))
            elif item.name == CHECKPOINT and has_record and _record(folder):
                left.append(Entry(Kind.STALE_CHECKPOINT, path, _size(item)))
    return delete(store, left)


def _folders(runs: Path) -> list[Path]:
    return [Path(item) for item in _listed(runs) if item.is_dir(follow_symlinks=False)]
