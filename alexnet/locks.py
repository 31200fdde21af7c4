"""Who is at work on what, in a folder that several processes and machines may share.

A lock that the system keeps, and releases when its owner dies. On a file system that has none, a
lease: a file that its owner refreshes, and that another may take over once it is no longer. So it
is where a folder says so: some network file systems have locks that do not reach other machines,
which nobody can see from one of them.
"""

import contextlib
import errno
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from filelock import BaseFileLock, FileLock, SoftFileLease, Timeout

from alexnet.sealed import SealError, read_bytes

NO_LOCKS = (errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOLCK, errno.EINVAL)
"""What systems say that have no locks there, such as some network file systems."""
LEASE = 60.0
"""Seconds without a sign of life after which another may take a lease over."""
Kind = Literal["system", "lease"]
CHOICE = "locks"
"""A file: the kind of the locks of its folder and of those below, where a person has chosen one."""
DEPTH = 2
"""Folders between that file and a lock, at most."""

_with_locks: dict[int, bool] = {}  # by device
_leases: dict[Path, SoftFileLease] = {}  # each has seen for how long the owner's is unchanged


@contextlib.contextmanager
def locked(path: Path, wait: bool = True) -> Iterator[None]:
    """Hold the lock of a file, which is made if there is none.

    Args:
        path: Of a file that is for this alone.
        wait: Until another has given it up.

    Raises:
        filelock.Timeout: If another has it, and this does not wait.
        OSError: If the folder cannot be written.
    """
    lock = _lock(path)
    if lock.is_locked:  # by this process, which would be let in again
        raise Timeout(str(path))
    with lock.acquire(timeout=-1 if wait else 0):
        yield
    _leases.pop(path, None)  # of thousands of runs; who waits for one keeps it, and the time


def is_held(path: Path) -> bool:
    """Return whether another has the lock of a file.

    Not of a lease: who holds one touches its file more often than `is_abandoned` waits.
    """
    if not path.exists() or kind_of(path.parent) == "lease":
        return False
    try:
        with locked(path, wait=False):
            return False
    except Timeout:
        return True


def _lock(path: Path) -> BaseFileLock:
    if kind_of(path.parent) == "system":
        return FileLock(path)
    if path not in _leases:
        _leases[path] = SoftFileLease(path.with_name(f"{path.name}-lease"), lease_duration=LEASE)
    return _leases[path]


def kind_of(folder: Path) -> Kind:
    """Return which locks a folder has: those that were chosen for it, else what there are."""
    for place in (folder, *folder.parents[:DEPTH]):
        if (kind := chosen_kind(place)) is not None:
            return kind
    return "system" if has_locks(folder) else "lease"


def chosen_kind(folder: Path) -> Kind | None:
    """Return which locks a person has chosen for a folder and all below; None if nobody has."""
    try:
        text = read_bytes(folder / CHOICE, 100).decode(errors="replace").strip()
    except (OSError, SealError):  # there is none, or a folder of that name, which says nothing
        return None
    return {"system": "system", "lease": "lease"}.get(text)  # type: ignore[return-value]


def has_locks(folder: Path) -> bool:
    """Return whether the file system of a folder, which is there, has locks."""
    device = folder.stat().st_dev
    if device not in _with_locks:
        _with_locks[device] = _tried(folder)
    return _with_locks[device]


def _tried(folder: Path) -> bool:
    if os.name != "posix":
        return True
    import fcntl

    with tempfile.TemporaryFile(dir=folder) as probe:
        try:
            fcntl.flock(probe, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in NO_LOCKS:
                raise
            return False
    return True
