"""Files that are whole or not there, after a kill and after a power cut: content, name, folder.

Content is written through to the disk before it gets its name, and the name before anything relies
on it.
"""

import contextlib
import errno
import os
import platform
import re
import secrets
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

OLD = 86_400
"""Seconds after which nobody writes a temporary file any more, whoever began it."""
FRESH = 60
"""Seconds within which no file is taken for one that nobody writes."""
TEMPORARY = re.compile(r"\..+\.(\d+)\.[0-9a-z_]{8}")


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file so that all who look see the old one or the whole new one, after a crash too."""
    with _written_beside(path, content) as beside:
        beside.replace(path)


def write_once(path: Path, content: bytes) -> bool:
    """Write a file where there is none, so that one of several who try at a time succeeds.

    On several machines too, whose locks may not reach each other: a second name for a file is
    given once.

    Returns:
        Whether it is this one; False if there is a file, which stays as it is.
    """
    with _written_beside(path, content) as beside:
        try:
            os.link(beside, path)
        except FileExistsError:
            return False
        except OSError as error:
            if error.errno not in NO_LINKS:
                raise
            try:
                path.open("xb").close()
            except FileExistsError:
                return False
            beside.replace(path)
    return True


NO_LINKS = (
    errno.EPERM, errno.EACCES, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK,
    errno.EINVAL,
)  # fmt: skip
"""What file systems without a second name for a file say, such as FAT."""
NO_FSYNC = (errno.EINVAL, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS, errno.EBADF)
"""What file systems say that cannot write a folder through to the disk, such as network ones."""


@contextlib.contextmanager
def _written_beside(path: Path, content: bytes) -> Iterator[Path]:
    """Write content to the disk beside a file; afterwards write their folder through, too."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(temporary_name(path.name))
    try:
        with beside.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        yield beside
    finally:
        beside.unlink(missing_ok=True)
    sync_folder(path.parent)


def temporary_name(name: str) -> str:
    """Return a name that a file or folder has while it is being written.

    It tells by whom: several processes may write the same file, on several machines.
    """
    return f"{temporary_prefix(name)}{secrets.token_hex(4)}"


def temporary_prefix(name: str) -> str:
    """Return how the names of temporary files of this process begin; eight letters follow."""
    return f".{name}.{platform.node()[:32]}.{os.getpid()}."


def is_temporary(path: Path) -> bool:
    """Return whether a name is one of `temporary_name`."""
    return TEMPORARY.fullmatch(path.name) is not None


def is_abandoned(path: Path) -> bool:
    """Return whether a temporary file is one that nobody writes: a kill has left it.

    Its process was on this machine and is gone, or it was not touched for a day, nor anything in it
    if it is a folder. Not within a minute: containers may share a machine's name and not see each
    other's processes. A folder in which less is written has a lock in it, see `alexnet.locks`.
    """
    if (named := TEMPORARY.fullmatch(path.name)) is None:
        return False
    touched = _touched(path)
    age = time.time() - touched if touched is not None else 0.0
    if age < FRESH:
        return False
    if age > OLD:
        return True
    here = f".{platform.node()[:32]}.{named[1]}." in path.name
    return here and not lives(int(named[1]))


def _touched(path: Path) -> float | None:
    """Return when a file was last written, or the newest in a folder; None if it is gone."""
    times = []
    for inside in (path, *(path.rglob("*") if path.is_dir() and not path.is_symlink() else ())):
        with contextlib.suppress(OSError):
            times.append(inside.lstat().st_mtime)
    return max(times, default=None)


def lives(process: int) -> bool:
    """Return whether a process of this machine is there, as far as that can be seen."""
    if os.name != "posix":
        return True
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True


@contextlib.contextmanager
def replacing(path: Path, beside: Path) -> Iterator[BinaryIO]:
    """Open a file beside another that gets its name once all is written through to the disk.

    For what is too large to be held in memory. Raised from, it leaves ``beside``.
    """
    with beside.open("wb") as file:
        yield file
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
    sync_folder(path.parent)


def sync_all(folder: Path) -> None:
    """Write every file of a folder, and their names, through to the disk."""
    for path in folder.iterdir():
        with path.open("r+b") as file:
            os.fsync(file.fileno())
    sync_folder(folder)


def sync_folder(folder: Path) -> None:
    """Write the names in a folder through to the disk, where the system can."""
    if os.name != "posix":
        return
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    except OSError as error:
        if error.errno not in NO_FSYNC:
            raise
    finally:
        os.close(opened)
