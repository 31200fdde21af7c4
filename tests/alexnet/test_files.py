"""Files are read where they lie, from folders, tars and zips; what is odd is refused by name."""

import bz2
import gzip
import lzma
import os
import tarfile
import unicodedata
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pytest

from alexnet.data.manifest import DatasetError
from alexnet.data.prepare.files import File, copied, listing
from alexnet.data.prepare.spool import packed
from tests.builders.archives import TAR, entry, read, tar_of, zip_of

CONTENTS = {
    "cat/1.jpg": b"first",
    "cat/deep/2.jpg": np.random.default_rng(0).bytes(3000),
    "dog/empty.jpg": b"",
    "dög/ß 日本.jpg": b"z" * 100_000,
    f"{'long/' * 40}name.png": b"more than a hundred characters",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder of a few files."""
    for name, content in CONTENTS.items():
        path = tmp_path / "folder" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return tmp_path / "folder"


def tarred(folder: Path, mode: str) -> Path:
    """Return a tar of a folder, compressed as said."""
    path = folder.parent / "source.tar"
    with tarfile.open(path, mode) as tar:
        tar.add(folder, ".")
    return path


def nested(folder: Path, _: str) -> Path:
    """Return a tar with a tar of one class in it."""
    path = folder.parent / "source.tar"
    inner = [(name[4:], content) for name, content in CONTENTS.items() if name.startswith("cat/")]
    rest = [(name, content) for name, content in CONTENTS.items() if not name.startswith("cat/")]
    path.write_bytes(tar_of([*rest[:1], ("cat.tar", tar_of(inner)), *rest[1:]]))
    return path


def zipped(folder: Path, method: str) -> Path:
    """Return a zip of a folder."""
    return zip_of(folder.parent / "source.zip", dict(CONTENTS), int(method))


def itself(folder: Path, _: str) -> Path:
    """Return a folder."""
    return folder


@pytest.mark.parametrize(
    ("make", "how"),
    [
        (itself, ""),
        *((tarred, f"w:{kind}") for kind in ("", "gz", "bz2", "xz")),
        (nested, ""),
        *((zipped, str(method)) for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)),
    ],
)
def test_all_containers_hold_the_same(
    make: Callable[[Path, str], Path], how: str, folder: Path, tmp_path: Path
) -> None:
    """Bytes, order and sizes; as much of them as is asked for, and never more."""
    found = listing(make(folder, how), tmp_path / "work")

    assert {file.path: file.read() for file in found.files} == CONTENTS
    assert [file.path for file in found.files] == sorted(CONTENTS)
    assert [file.size for file in found.files] == [len(CONTENTS[f.path]) for f in found.files]
    for limit in (0, 3, 10**9):
        assert [f.read(limit) for f in found.files] == [
            CONTENTS[f.path][:limit] for f in found.files
        ]
    assert found.files[0].parts == ("cat", "1.jpg")
    assert found.empty == 0


@pytest.mark.parametrize("kind", ["gz", "bz2", "xz"])
def test_a_compressed_tar_is_decompressed_once(kind: str, folder: Path, tmp_path: Path) -> None:
    """Into the folder of unfinished work, where later starts find it; the source is not touched."""
    source = tarred(folder, f"w:{kind}")
    before, work = source.read_bytes(), tmp_path / "work"

    first = listing(source, work)
    copies = {path.name: path.stat().st_mtime_ns for path in work.iterdir()}
    source.rename(tmp_path / "elsewhere.tar")
    (tmp_path / "source.tar").write_bytes(before)

    assert listing(source, work) == first
    assert {path.name: path.stat().st_mtime_ns for path in work.iterdir()} == copies
    assert len(copies) == 1
    assert source.read_bytes() == before


def test_a_plain_tar_is_not_copied(folder: Path, tmp_path: Path) -> None:
    """Its files are read in it."""
    source = tarred(folder, "w")

    found = listing(source, tmp_path / "work")

    assert {file.container for file in found.files} == {str(source)}
    assert not (tmp_path / "work").exists()


def test_linked_folders_are_followed_and_never_in_circles(folder: Path, tmp_path: Path) -> None:
    """A class on another disk; a link to a folder around it; one to itself."""
    (tmp_path / "disk" / "inner").mkdir(parents=True)
    (tmp_path / "disk" / "inner" / "3.jpg").write_bytes(b"three")
    (folder / "bird").symlink_to(tmp_path / "disk")
    (folder / "cat" / "back").symlink_to(folder)
    (tmp_path / "disk" / "round").symlink_to(tmp_path / "disk")

    found = read(folder)

    assert found == CONTENTS | {"bird/inner/3.jpg": b"three"}


def test_links_to_nothing_are_listed_and_cannot_be_read(folder: Path, tmp_path: Path) -> None:
    """So that they are counted as lost; of two kinds, to nowhere and to themselves."""
    for name, to in (("lost.jpg", "nowhere"), ("loop.jpg", "loop.jpg")):
        (folder / name).symlink_to(to)

    files = {file.path: file for file in listing(folder, tmp_path).files}

    for name in ("lost.jpg", "loop.jpg"):
        with pytest.raises(OSError, match=r"No such file|Too many levels"):
            files[name].read()


def test_pipes_are_refused(folder: Path, tmp_path: Path) -> None:
    """Opening one would wait for ever."""
    os.mkfifo(folder / "pipe.jpg")

    with pytest.raises(DatasetError, match=r"pipe\.jpg is a device, pipe or socket, and no folder"):
        listing(folder / "pipe.jpg", tmp_path)
    with pytest.raises(DatasetError, match=r"zero is a device"):  # which has no end
        copied(Path("/dev/zero"), None)
    with pytest.raises(DatasetError, match=r"pipe\.jpg is a device, pipe or socket; leave it"):
        listing(folder, tmp_path)


def test_empty_folders_are_counted(folder: Path, tmp_path: Path) -> None:
    """Only those with nothing at all in them, in folders and in tars."""
    (folder / "none").mkdir()
    (folder / "some" / "none").mkdir(parents=True)

    assert listing(folder, tmp_path).empty == 2
    assert listing(tarred(folder, "w"), tmp_path).empty == 2


def test_names_are_written_alike_everywhere(tmp_path: Path) -> None:
    """Letters as the source has them; bytes that are no letters are shown."""
    decomposed = unicodedata.normalize("NFD", "été/ö.jpg")
    odd = os.fsdecode(b"caf\xe9.jpg")
    source = tmp_path / "names"
    (source / decomposed).parent.mkdir(parents=True)
    (source / decomposed).write_bytes(b"1")
    (source / odd).write_bytes(b"2")
    (tmp_path / "names.tar").write_bytes(tar_of([(decomposed, b"1"), (odd, b"2")]))
    expected = {decomposed: b"1", r"caf\xe9.jpg": b"2"}

    assert read(source) == read(tmp_path / "names.tar") == expected
    assert read(zip_of(tmp_path / "names.zip", {decomposed: b"1"})) == {decomposed: b"1"}


@pytest.mark.filterwarnings("ignore:Duplicate name:UserWarning")
def test_of_two_files_of_one_name_the_later_counts(tmp_path: Path) -> None:
    """As for who unpacks a tar or a zip."""
    (tmp_path / "twice.tar").write_bytes(tar_of([("a", b"old"), ("b", b"1"), ("./a", b"new!")]))
    with zipfile.ZipFile(tmp_path / "twice.zip", "w") as file:
        for name, content in (("a", b"old"), ("b", b"1"), ("a", b"new!")):
            file.writestr(name, content)

    for name in ("twice.tar", "twice.zip"):
        assert read(tmp_path / name) == {"a": b"new!", "b": b"1"}


REFUSED = {
    "a hard link": (entry("cat/hard.jpg", kind=tarfile.LNKTYPE), r"cat/hard\.jpg in .* is a link"),
    "a link": (entry("cat/soft.jpg", kind=tarfile.SYMTYPE), r"cat/soft\.jpg in .* is a link"),
    "a device": (entry("null", kind=tarfile.CHRTYPE), "null in .* is a link or a device"),
    "a pipe": (entry("pipe", kind=tarfile.FIFOTYPE), "pipe in .* is a link or a device"),
    "sparse": (entry("holes", kind=tarfile.GNUTYPE_SPARSE), "holes in .* is sparse"),
    "above": (entry("cat/../../x.jpg"), r"'cat/\.\./\.\./x\.jpg' in .* points outside"),
    "absolute": (entry("/etc/passwd"), "'/etc/passwd' in .* points outside"),
    "of Windows": (entry("..\\x.jpg"), "points outside"),
    "inside": (entry("n1.tar", tar_of([("../x.jpg", b"")])), r"'\.\./x\.jpg' in .* points out"),
    "cut in a file": (
        TAR[:2500],
        "is not a folder, tar or zip that can be read: unexpected end of data",
    ),
    "cut in the first header": (TAR[:300], "is not a folder, tar or zip that can be read"),
    "no tar": (b"a text", "is not a folder, tar or zip that can be read"),
    "nothing": (b"", "is not a folder, tar or zip that can be read"),
    "gz cut": (gzip.compress(TAR)[:-20], "is not a folder, tar or zip that can be read"),
    "bz2 cut": (bz2.compress(TAR)[:-20], "is not a folder, tar or zip that can be read"),
    "xz cut": (lzma.compress(TAR)[:-20], "is not a folder, tar or zip that can be read"),
}


@pytest.mark.parametrize(("content", "reason"), REFUSED.values(), ids=REFUSED)
def test_tars_with_anything_but_files_are_refused(
    content: bytes, reason: str, tmp_path: Path
) -> None:
    """By the entry's name; so are damaged ones, by their own."""
    source = tmp_path / "odd.tar"
    source.write_bytes(content)

    with pytest.raises(DatasetError, match=reason) as refusal:
        listing(source, tmp_path / "work")
    assert str(source) in str(refusal.value)


def test_an_empty_tar_is_empty(tmp_path: Path) -> None:
    """Which is for who looks for images to complain about."""
    (tmp_path / "empty.tar").write_bytes(tar_of([]))

    assert listing(tmp_path / "empty.tar", tmp_path) == ([], 0)


def test_zips_with_anything_but_files_are_refused(tmp_path: Path) -> None:
    """By the entry's name: what points outside, links, what is encrypted."""
    link = zipfile.ZipInfo("cat/soft.jpg")
    link.external_attr = 0o120777 << 16
    secret = zip_of(tmp_path / "secret.zip", {"cat/1.jpg": b"1"})
    content = bytearray(secret.read_bytes())
    content[content.index(b"PK\1\2") + 8] |= 1
    secret.write_bytes(content)
    sources = {
        r"'\.\./x\.jpg' in .* points outside": zip_of(tmp_path / "a.zip", {"../x.jpg": b""}),
        "'/etc/passwd' in .* points outside": zip_of(tmp_path / "b.zip", {"/etc/passwd": b""}),
        r"cat/soft\.jpg in .* is a link": zip_of(tmp_path / "c.zip", {link: b"1.jpg"}),
        r"cat/1\.jpg in .* is encrypted": secret,
    }

    for reason, source in sources.items():
        with pytest.raises(DatasetError, match=reason):
            listing(source, tmp_path)


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED])
def test_a_damaged_file_of_a_zip_cannot_be_read(method: int, tmp_path: Path) -> None:
    """Its neighbour can; whichever of its bytes is changed."""
    content = bytes(range(200)) * 3
    path = zip_of(tmp_path / "whole.zip", {"a": content, "b": b"fine"}, method)
    whole = path.read_bytes()
    for place in range(31, whole.index(b"PK\3\4", 31), 7):
        damaged = tmp_path / f"{place}.zip"
        damaged.write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])

        first, second = listing(damaged, tmp_path).files

        with pytest.raises(OSError, match="damaged in its zip"):
            first.read()
        assert second.read() == b"fine"


def test_a_container_that_became_shorter_is_noticed(folder: Path, tmp_path: Path) -> None:
    """Or went away; between the listing of its files and their reading."""
    source = tarred(folder, "w")
    files = [*listing(source, tmp_path).files, *listing(folder, tmp_path).files]
    os.truncate(source, 512)
    for path in folder.rglob("*.*"):
        os.truncate(path, 0)

    for file in files:
        if file.size:
            with pytest.raises(OSError, match=f"ends after 0 of {file.size:,} bytes"):
                file.read()
    source.unlink()
    with pytest.raises(FileNotFoundError):
        files[0].read()


def test_a_source_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """By its name."""
    with pytest.raises(DatasetError, match=r"no file or folder .*nowhere"):
        listing(tmp_path / "nowhere", tmp_path)


def test_packed_images_are_read_one_by_one(tmp_path: Path) -> None:
    """In their order, with their shape, from one file that is there only when whole."""
    images = [("a", b"one", None), ("b", b"", (0, 3)), ("c", b"three!", (1, 2, 3))]
    spool = tmp_path / "spool.bin"

    files = packed(iter(images), spool)

    assert [(file.path, file.read(), file.shape) for file in files] == images
    assert all(
        file == File(file.path, str(spool), file.offset, file.size, shape=file.shape)
        for file in files
    )

    def broken() -> Iterable[tuple[str, bytes, None]]:
        yield "a", b"one", None
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        packed(iter(broken()), tmp_path / "other.bin")
    assert not (tmp_path / "other.bin").exists()
