"""Files that are whole or not there, and what kills leave of them."""

import errno
import os
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from alexnet import durable
from alexnet.durable import (
    is_abandoned,
    is_temporary,
    replacing,
    sync_all,
    temporary_name,
    write_atomically,
    write_once,
)


def test_a_full_disk_leaves_the_old_file_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And no half-written one beside it."""
    path = tmp_path / "file"
    write_atomically(path, b"old")

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_atomically(path, b"new")

    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_what_is_written_once_stays(tmp_path: Path) -> None:
    """The second is told, and leaves nothing."""
    path = tmp_path / "folder" / "file"

    assert write_once(path, b"first")
    assert not write_once(path, b"second")

    assert path.read_bytes() == b"first"
    assert list(path.parent.iterdir()) == [path]


def test_a_file_system_that_cannot_write_folders_through_is_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some network file systems answer EINVAL; any other answer is an error."""
    real = durable.os.fsync

    def fsync(descriptor: int, code: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(code, "as the system says")
        real(descriptor)

    monkeypatch.setattr(durable.os, "fsync", lambda fd: fsync(fd, errno.EINVAL))
    write_atomically(tmp_path / "file", b"content")
    assert (tmp_path / "file").read_bytes() == b"content"

    monkeypatch.setattr(durable.os, "fsync", lambda fd: fsync(fd, errno.EIO))
    with pytest.raises(OSError, match="as the system says"):
        write_atomically(tmp_path / "file", b"other")


def test_a_large_file_has_no_name_until_it_is_whole(tmp_path: Path) -> None:
    """What fails in between leaves the old one, and what was written beside it."""
    path, beside = tmp_path / "file", tmp_path / "file.part"
    path.write_bytes(b"old")

    def fill(disk: str) -> None:
        with replacing(path, beside) as file:
            file.write(b"ne")
            raise OSError(disk)

    with pytest.raises(OSError, match="full"):
        fill("full")
    assert path.read_bytes() == b"old"

    with replacing(path, beside) as file:
        file.write(b"new")
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"
    assert not beside.exists()


@pytest.mark.skipif(os.name != "posix", reason="folders are written through there alone")
def test_content_is_written_through_before_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each file, then its name, then the folder: as the system sees it."""
    done: list[str] = []
    sync, move = os.fsync, Path.replace

    def fsync(descriptor: int) -> None:
        done.append("folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "content")
        sync(descriptor)

    def replace(path: Path, target: Path) -> Path:
        done.append("name")
        return move(path, target)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(Path, "replace", replace)

    write_atomically(tmp_path / "a", b"content")
    with replacing(tmp_path / "b", tmp_path / "b.part") as file:
        file.write(b"content")
    sync_all(tmp_path)

    assert done == [*["content", "name", "folder"] * 2, "content", "content", "folder"]


def left_by(folder: Path, process: int, age: float = 0.0) -> Path:
    """Leave a temporary file as a process of this machine would."""
    own = temporary_name("record.json")
    path = folder / own.replace(f".{os.getpid()}.", f".{process}.")
    path.write_text("half a rec")
    os.utime(path, (time.time() - age, time.time() - age))
    return path


def test_what_a_dead_process_was_writing_is_abandoned(tmp_path: Path) -> None:
    """Not what a living one does, nor for a day what another machine may be writing."""
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    gone, here = left_by(tmp_path, dead.pid, age=61), left_by(tmp_path, os.getpid(), age=61)
    fresh = left_by(tmp_path, dead.pid)
    elsewhere = tmp_path / f".record.json.another.host.{dead.pid}.0123abcd"
    elsewhere.write_text("")
    yesterday = tmp_path / f".record.json.another.host.{os.getpid()}.0123abcd"
    yesterday.write_text("")
    os.utime(yesterday, (1, 1))
    (tmp_path / ".DS_Store").write_text("")
    os.utime(tmp_path / ".DS_Store", (1, 1))
    in_use = tmp_path / f".verify.another.host.{os.getpid()}.0123abcd"
    in_use.mkdir()
    (in_use / "written today").write_text("")
    os.utime(in_use, (1, 1))

    assert {path for path in tmp_path.iterdir() if is_abandoned(path)} == (
        {gone, yesterday} if os.name == "posix" else {yesterday}
    )
    assert all(map(is_temporary, (gone, here, fresh, elsewhere, yesterday, in_use)))
    assert not is_temporary(tmp_path / ".DS_Store")
    assert not is_abandoned(tmp_path / f".gone.host.{dead.pid}.0123abcd")
