"""Where the bytes of a source's files lie: in a folder, a tar, a zip. Nothing is unpacked."""

import os
import stat
import tarfile
import unicodedata
import zipfile
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import BinaryIO, NamedTuple

from alexnet.data.manifest import DatasetError

LARGEST = 256 * 2**20
"""Bytes of the largest file that is read; no photograph has more, a bomb in a zip may."""


class File(NamedTuple):
    """One file of a source, or one image of a file that packs many."""

    path: str  # within the source, for people
    container: str  # what holds its bytes: the file itself, a tar, a zip
    offset: int  # of its first byte there
    size: int  # bytes
    member: str | None = None  # its name in a zip, which keeps it compressed
    shape: tuple[int, ...] | None = None  # of raw pixels (h, w) or (h, w, 3); None: encoded

    @property
    def parts(self) -> tuple[str, ...]:
        """The folders that it lies in, and its name."""
        return PurePosixPath(self.path).parts

    def read(self, limit: int | None = None) -> bytes:
        """Return its bytes, or the first so many.

        Raises:
            OSError: If they cannot be read, or are fewer than they should be.
        """
        wanted = self.size if limit is None else min(limit, self.size)
        if self.member is not None:
            try:
                with _zip(self.container).open(self.member) as file:
                    content = file.read(wanted)
            except (zipfile.BadZipFile, EOFError, NotImplementedError) as error:
                raise OSError(f"damaged in its zip: {error}") from error
        else:
            with Path(self.container).open("rb", buffering=0) as file:
                file.seek(self.offset)
                content = file.read(wanted)
        if len(content) < wanted:
            raise OSError(f"ends after {len(content):,} of {wanted:,} bytes")
        return content


class Listing(NamedTuple):
    """All files of a source."""

    files: list[File]
    empty: int  # folders that hold nothing


def listing(source: Path, work: Path) -> Listing:
    """List the files of a folder, tar (tars within it included) or zip, in the order of paths.

    A compressed tar cannot be read here and there, so it is decompressed once, into ``work``.

    Raises:
        DatasetError: If the source is none of these, or holds what no dataset should: entries that
            point outside of it, links in a tar, devices, pipes.
    """
    if not source.exists():
        raise DatasetError(f"there is no file or folder {source}")
    if source.is_dir():
        files, empty = _in_folder(source)
    elif zipfile.is_zipfile(source):
        files, empty = _in_zip(source), 0
    else:
        files, empty = _in_tar(plain_tar(source, work))
    # What a tar or zip holds twice under one name is, as for who unpacks it, the later one.
    return Listing(sorted({file.path: file for file in files}.values()), empty)


def _shown(path: str) -> str:
    """Return a path that can be written and compared: whole characters, composed alike."""
    whole = os.fsencode(path).decode("utf-8", "backslashreplace")
    return unicodedata.normalize("NFC", whole)


def _in_folder(source: Path) -> tuple[list[File], int]:
    files, empty, seen = [], 0, set[tuple[int, int]]()
    # Class folders are often links to another disk: followed, but never in circles.
    for folder, folders, names in os.walk(source, followlinks=True):
        status = Path(folder).stat()
        if (status.st_dev, status.st_ino) in seen:
            folders.clear()
            continue
        seen.add((status.st_dev, status.st_ino))
        empty += not folders and not names
        for name in names:
            path = Path(folder, name)
            try:
                found = path.stat()
            except OSError:  # a link to nothing; reading it will say so
                found = path.lstat()
            if not stat.S_ISREG(found.st_mode) and not stat.S_ISLNK(found.st_mode):
                raise DatasetError(f"{path} is a device, pipe or socket; leave it out of {source}")
            within = _shown(path.relative_to(source).as_posix())
            files.append(File(within, str(path), 0, found.st_size))
    return files, empty


def plain_tar(source: Path, work: Path) -> Path:
    """Return a tar that can be read at any place: the source, or a decompressed copy in ``work``.

    Raises:
        DatasetError: If it is no tar.
    """
    try:
        with tarfile.open(source, "r:"):
            return source
    except tarfile.TarError:
        pass
    copy = work / "decompressed.tar"
    if copy.exists():
        return copy
    try:
        with tarfile.open(source) as tar:  # finds out how it is compressed
            stream = tar.fileobj
            assert stream is not None
            stream.seek(0)
            work.mkdir(parents=True, exist_ok=True)
            beside = copy.with_suffix(".part")
            with beside.open("wb") as file:
                while block := stream.read(2**22):
                    file.write(block)
            beside.rename(copy)
    except (tarfile.TarError, EOFError) as error:
        reason = str(error).splitlines()[0]
        raise DatasetError(f"{source} is not a tar that can be read: {reason}") from error
    return copy


def _in_tar(source: Path) -> tuple[list[File], int]:
    files: list[File] = []
    folders: set[str] = set()
    try:
        with source.open("rb") as file:
            _read_tar(file, source, "", files, folders)
    except tarfile.TarError as error:
        reason = str(error).splitlines()[0]
        raise DatasetError(f"{source} is not a tar that can be read: {reason}") from error
    used = {str(parent) for found in files for parent in PurePosixPath(found.path).parents}
    leaves = folders - used - {str(p) for f in folders for p in PurePosixPath(f).parents}
    return files, len(leaves)


def _read_tar(
    file: BinaryIO, source: Path, within: str, files: list[File], folders: set[str]
) -> None:
    """Add what a tar holds, from the place that ``file`` is at; tars in it are read as folders."""
    with tarfile.open(fileobj=file, mode="r:") as tar:
        for member in tar:
            path = _shown(f"{within}{member.name}")
            _refuse_outside(path, source)
            if member.isdir():
                folders.add(str(PurePosixPath(path)))
                continue
            if not member.isreg():
                raise DatasetError(
                    f"{path} in {source} is a link or a device; a dataset's tar holds only "
                    "files and folders"
                )
            if member.sparse is not None:
                raise DatasetError(f"{path} in {source} is stored sparse; pack it again without")
            start = member.offset_data
            if path.endswith(".tar"):
                place = file.tell()
                file.seek(start)
                _read_tar(file, source, path.removesuffix(".tar") + "/", files, folders)
                file.seek(place)
            else:
                path = str(PurePosixPath(path))
                files.append(File(path, str(source), start, member.size))


def _in_zip(source: Path) -> list[File]:
    files = []
    for entry in _zip(str(source)).infolist():
        path = _shown(entry.filename)
        _refuse_outside(path, source)
        if entry.is_dir():
            continue
        if stat.S_ISLNK(entry.external_attr >> 16):
            raise DatasetError(f"{path} in {source} is a link; a dataset's zip holds only files")
        if entry.flag_bits & 1:
            raise DatasetError(f"{path} in {source} is encrypted; unpack it first")
        files.append(
            File(str(PurePosixPath(path)), str(source), 0, entry.file_size, entry.filename)
        )
    return files


def _refuse_outside(path: str, source: Path) -> None:
    pure = PurePosixPath(path)
    if pure.is_absolute() or ".." in pure.parts or ("\\" in path and "..\\" in path):
        raise DatasetError(f"{path!r} in {source} points outside of it; such a source is refused")


@lru_cache(maxsize=4)
def _zip(path: str) -> zipfile.ZipFile:
    """Return an open zip; its list of files is read once per process."""
    try:
        return zipfile.ZipFile(path)
    except zipfile.BadZipFile as error:
        raise DatasetError(f"{path} is not a zip that can be read: {error}") from error


def packed(images: Iterator[tuple[str, bytes, tuple[int, ...] | None]], spool: Path) -> list[File]:
    """Write images one after another into one file, and return where each lies.

    For sources that cannot be read here and there, such as Parquet. Each image is its path, its
    bytes and, where these are raw pixels, their shape.
    """
    files, beside = [], spool.with_suffix(".part")
    with beside.open("wb") as file:
        for path, content, shape in images:
            start = file.tell()
            file.write(content)
            files.append(File(path, str(spool), start, len(content), shape=shape))
    beside.rename(spool)
    return files
