"""Who is at work on what, in a folder that several processes and machines may share.

A lock that the system keeps, and releases when its owner dies. On a file system that has none, a
lease: a file that its owner refreshes, and that another may take over once it is no longer.
"""

import contextlib
import errno
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from filelock import BaseFileLock, FileLock, SoftFileLease, Timeout

NO_LOCKS = (errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOLCK, errno.EINVAL)
"""What systems say that have no locks there, such as some network file systems."""
LEASE = 60.0
"""Seconds without a sign of life after which another may take a lease over."""

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


def is_held(path: Path) -> bool:
    """Return whether another has the lock of a file.

    Not of a lease: who holds one touches its file more often than `is_abandoned` waits.
    """
    if not path.exists() or not has_locks(path.parent):
        return False
    try:
        with locked(path, wait=False):
            return False
    except Timeout:
        return True


def _lock(path: Path) -> BaseFileLock:
    if has_locks(path.parent):
        return FileLock(path)
    if path not in _leases:
        _leases[path] = SoftFileLease(path.with_name(f"{path.name}-lease"), lease_duration=LEASE)
    return _leases[path]


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
