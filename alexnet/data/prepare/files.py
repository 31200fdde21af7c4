"""Where the bytes of a source's files lie: in a folder, a tar, a zip. Nothing is unpacked."""

import errno
import lzma
import shutil
import stat
import tarfile
import zipfile
import zlib
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import IO, BinaryIO, NamedTuple, cast

from alexnet.data.manifest import DatasetError
from alexnet.durable import replacing
from alexnet.text import counted, shown

DEEPEST = 8  # folders, within which a tar in a tar may lie
LARGEST = 256 * 2**20
"""Bytes of the largest file that is read; no photograph has more, a bomb in a zip may."""

DAMAGE = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, NotImplementedError)
"""What Python's own readers raise for damaged archives."""


class File(NamedTuple):
    """One file of a source, or one image of a file that packs many."""

    path: str  # within the source, for people
    container: str  # what holds its bytes: the file itself, a tar, a zip
    offset: int  # of its first byte there
    size: int  # bytes
    member: str | None = None  # its name in a zip, which keeps it compressed
    shape: tuple[int, ...] | None = None  # of raw pixels (h, w) or (h, w, 3); None: encoded
    age: int = 0  # when a file of a folder was changed, nanoseconds

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
                with _zip(self.container, _age(self.container)).open(self.member) as file:
                    content = file.read(wanted)
            except DAMAGE as error:
                raise OSError(f"damaged in its zip: {error}") from error
            except OSError as error:
                if error.errno != errno.EINVAL:  # of the disk
                    raise
                raise OSError("damaged in its zip: it lies before the file begins") from error
        else:
            with Path(self.container).open("rb") as file:
                file.seek(self.offset)
                content = file.read(wanted)
        if len(content) < wanted:
            raise OSError(f"ends after {len(content):,} of {counted(wanted, 'byte')}")
        return content


class Listing(NamedTuple):
    """All files of a source."""

    files: list[File]
    empty: int  # folders that hold nothing


def listing(source: Path, work: Path, besides: Path | None = None) -> Listing:
    """List the files of a folder, tar (tars within it included) or zip, in the order of paths.

    A compressed tar cannot be read here and there, so it is decompressed once, into ``work``.
    A folder ``besides`` is not looked into, should it lie in the source.

    Raises:
        DatasetError: If the source is none of these, or holds what no dataset should: entries that
            point outside of it, links in a tar, devices, pipes.
    """
    if not source.exists():
        raise DatasetError(f"there is no file or folder {source}")
    if source.is_dir():
        files, empty = _in_folder(source, besides)
    elif _begins(source).startswith(b"PK"):
        files, empty = _in_zip(source), 0
    else:
        files, empty = _in_tar(plain_tar(source, work))
    return Listing(sorted(files), empty)


def copied(source: Path, files: list[File] | None) -> int:
    """Return how many bytes, at least, have to be copied before a source can be read.

    Args:
        source: A folder, tar or zip.
        files: What a folder holds; None for the others.
    """
    if files is not None:
        return sum(file.size for file in files if file.path.endswith(".parquet"))
    begins = _begins(source)
    packed_by = (b"\x1f\x8b", b"BZh", b"\xfd7zX")  # gzip, bzip2, xz
    return source.stat().st_size if begins.startswith(packed_by) else 0


def _begins(source: Path) -> bytes:
    if not source.is_file():  # which would be waited for, or has no end
        raise DatasetError(f"{source} is a device, pipe or socket, and no folder, tar or zip")
    try:
        with source.open("rb") as file:
            return file.read(4)
    except OSError as error:
        raise DatasetError(f"{source} cannot be read: {error.strerror}") from error


def _in_folder(source: Path, besides: Path | None) -> tuple[list[File], int]:
    files: list[File] = []
    empty = 0

    def look(folder: Path, above: frozenset[tuple[int, int]]) -> None:
        nonlocal empty
        # Class folders are often links to another disk: followed, but never in circles.
        status = folder.stat()
        here = (status.st_dev, status.st_ino)
        if here in above or (besides is not None and folder.resolve() == besides.resolve()):
            return
        entries = list(folder.iterdir())
        empty += not entries
        for path in entries:
            try:
                found = path.stat()
            except OSError:  # a link to nothing; reading it will say so
                found = path.lstat()
            if stat.S_ISDIR(found.st_mode):
                look(path, above | {here})
            elif stat.S_ISREG(found.st_mode) or stat.S_ISLNK(found.st_mode):
                within = shown(path.relative_to(source).as_posix())
                files.append(File(within, str(path), 0, found.st_size, age=found.st_mtime_ns))
            else:
                raise DatasetError(f"{path} is a device, pipe or socket; leave it out of {source}")

    try:
        look(source, frozenset())
    except OSError as error:
        raise DatasetError(f"{error.filename} cannot be read: {error.strerror}") from error
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
            _copy(cast("IO[bytes]", stream), copy)
    except (tarfile.TarError, *DAMAGE) as error:
        raise _no_tar(source, error) from error
    except OSError as error:
        if error.errno is not None:  # of the disk, not of what was read
            raise
        raise _no_tar(source, error) from error
    return copy


def _copy(stream: IO[bytes], target: Path) -> None:
    beside = target.with_suffix(".part")
    try:
        with replacing(target, beside) as file:
            shutil.copyfileobj(stream, file, 2**22)
    except OSError:
        beside.unlink(missing_ok=True)  # it may have filled the disk
        raise


def _no_tar(source: Path, error: Exception) -> DatasetError:
    reason = str(error).splitlines()[0].rstrip(":") if str(error) else type(error).__name__
    return DatasetError(f"{source} is not a folder, tar or zip that can be read: {reason}")


class _Window:
    """A stretch of a file as a file: a tar in a tar sees nothing of the outer one."""

    def __init__(self, file: BinaryIO, start: int, size: int) -> None:
        self._file, self.start, self._size, self._place = file, start, size, 0

    def tell(self) -> int:
        return self._place

    def seek(self, place: int) -> int:
        self._place = place
        return place

    def read(self, count: int) -> bytes:
        self._file.seek(self.start + self._place)
        content = self._file.read(max(0, min(count, self._size - self._place)))
        self._place += len(content)
        return content


def _in_tar(source: Path) -> tuple[list[File], int]:
    files: dict[str, File] = {}
    folders: set[PurePosixPath] = set()
    try:
        with source.open("rb") as file:
            whole = _Window(file, 0, source.stat().st_size)
            _read_tar(file, whole, source, "", files, folders)
    except tarfile.TarError as error:
        raise _no_tar(source, error) from error
    used = {parent for path in files for parent in PurePosixPath(path).parents}
    leaves = folders - used - {parent for folder in folders for parent in folder.parents}
    return list(files.values()), len(leaves)


def _read_tar(
    file: BinaryIO,
    window: _Window,
    source: Path,
    within: str,
    files: dict[str, File],
    folders: set[PurePosixPath],
) -> None:
    """Add what a tar holds; tars in it are read as folders.

    Of two entries of one name the later one counts, as for who unpacks it.
    """
    with tarfile.open(fileobj=cast("BinaryIO", window), mode="r:") as tar:
        for member in tar:
            _refuse_outside(member.name, source)
            path = f"{within}{member.name}"
            if member.isdir():
                folders.add(PurePosixPath(path))
                continue
            _refuse_nameless(path, source)
            if not member.isreg():
                raise DatasetError(
                    f"{shown(path)} in {source} is a link or a device; a dataset's tar holds only "
                    "files and folders"
                )
            if member.sparse is not None:
                raise DatasetError(f"{shown(path)} in {source} is sparse; pack it again without")
            start = window.start + member.offset_data
            if path.endswith(".tar") and not member.name.split("/")[-1].startswith("."):
                if within.count("/") >= DEEPEST:
                    raise DatasetError(f"{shown(path)} in {source} is a tar in too many others")
                inner = _Window(file, start, member.size)
                _read_tar(file, inner, source, path.removesuffix(".tar") + "/", files, folders)
            else:
                name = str(PurePosixPath(shown(path)))
                files[str(PurePosixPath(path))] = File(name, str(source), start, member.size)
        # tarfile takes any end for the end; a tar's own is a block of zeros.
        window.seek(tar.offset)
        if window.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
            where = f"{shown(within.rstrip('/'))}.tar in it ends" if within else "it ends"
            raise tarfile.ReadError(
                f"{where} early, or is damaged after {counted(len(files), 'file')}"
            )


def _in_zip(source: Path) -> list[File]:
    files = {}
    for entry in _zip(str(source), _age(str(source))).infolist():
        _refuse_outside(entry.filename, source)
        path = shown(entry.filename.replace("\\", "/"))  # as some of Windows' programs write
        if path.endswith("/"):
            continue
        _refuse_nameless(path, source)
        if stat.S_ISLNK(entry.external_attr >> 16):
            raise DatasetError(f"{path} in {source} is a link; a dataset's zip holds only files")
        if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            # Python inflates others without regard to the size that they announce.
            raise DatasetError(f"{path} in {source} is compressed in a rare way; pack it again")
        if entry.flag_bits & 1:
            raise DatasetError(f"{path} in {source} is encrypted; unpack it first")
        name = str(PurePosixPath(path))
        files[name] = File(name, str(source), 0, entry.file_size, entry.filename)
    return list(files.values())


def _refuse_nameless(path: str, source: Path) -> None:
    if not PurePosixPath(path).parts:
        raise DatasetError(f"{source} holds a file without a name, {path!r}; pack it again")


def _refuse_outside(path: str, source: Path) -> None:
    pure = PurePosixPath(path.replace("\\", "/"))
    if pure.is_absolute() or ".." in pure.parts:
        raise DatasetError(
            f"{shown(path)!r} in {source} points outside of it; such a source is refused"
        )


def _age(path: str) -> int:
    return Path(path).stat().st_mtime_ns


@lru_cache(maxsize=4)
def _zip(path: str, age: int) -> zipfile.ZipFile:
    """Return an open zip, whose list of files is read once per process and state of the file."""
    try:
        return zipfile.ZipFile(path)
    except (zipfile.BadZipFile, UnicodeDecodeError) as error:
        raise DatasetError(f"{path} is not a zip that can be read: {error}") from error
