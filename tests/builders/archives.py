"""Tars and zips, entry by entry."""

import tarfile
import zipfile
from collections.abc import Iterable
from pathlib import Path

from alexnet.data.prepare.files import listing


def entry(name: str, content: bytes = b"", kind: bytes = tarfile.REGTYPE) -> bytes:
    """Return a tar's header and content, without the end of a tar."""
    info = tarfile.TarInfo(name)
    info.size, info.type, info.linkname = len(content), kind, "cat/1.jpg"
    padded = content + b"\0" * (-len(content) % 512)
    return info.tobuf(tarfile.GNU_FORMAT, errors="surrogateescape") + padded


def tar_of(contents: Iterable[tuple[str, bytes]]) -> bytes:
    """Return a tar of files with these names and contents."""
    return b"".join(entry(*one) for one in contents) + b"\0" * 1024


def zip_of(path: Path, contents: dict[str | zipfile.ZipInfo, bytes], method: int = 0) -> Path:
    """Return a zip of files with these names and contents."""
    with zipfile.ZipFile(path, "w", method) as file:
        for name, content in contents.items():
            file.writestr(name, content)
    return path


def read(source: Path) -> dict[str, bytes]:
    """Return all that a source holds, by path."""
    return {file.path: file.read() for file in listing(source, source.with_suffix(".work")).files}


TAR = tar_of([("cat/1.jpg", b"a" * 600), ("cat/2.jpg", b"b" * 600)])
