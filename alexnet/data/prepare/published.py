"""What a source publishes: images with a part and a class, and what is not one of them."""

from collections import Counter
from pathlib import PurePosixPath
from typing import Literal, NamedTuple

from alexnet.data.prepare.files import File

IMAGE_ENDINGS = (
    ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm",
    ".pgm", ".pbm", ".pnm", ".avif", ".heic", ".jp2",
)  # fmt: skip
BEGINNINGS = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF8", b"II*\0", b"MM\0*")
LEFT_BEHIND = frozenset(
    (
        "__macosx", "thumbs.db", "desktop.ini", "@eadir", "$recycle.bin", "@recycle", "#recycle",
        "recycler", "lost+found", "system volume information", "__pycache__",
    )
)  # fmt: skip
"""Names, in small letters, of what systems, disks and servers (Synology, QNAP) keep."""

HIDDEN = "hidden"
NOT_AN_IMAGE = "not an image"
NO_LABEL = "without a label"
EMPTY = "an empty folder"
ARCHIVE = "an archive in it, not looked into"
ARCHIVES = (".zip", ".tar", ".tgz", ".gz", ".bz2", ".xz", ".7z", ".rar", ".zst")
"""Endings; a tar within a tar is read, and so is no archive here."""


class Published(NamedTuple):
    """One image with what its publisher says of it."""

    part: Literal["train", "test"]
    name: str  # of its class
    file: File


class Inventory(NamedTuple):
    """What a source holds."""

    layout: str  # in words
    images: list[Published]
    set_aside: Counter[str]  # files that are no images with a label, by reason
    titles: dict[str, str]  # of classes that are named by a code
    has_test: bool = True  # else a part of the images is cut off


def is_hidden(file: File) -> bool:
    """Whether it is one of the files that systems, disks and file servers leave behind."""
    return any(part.startswith(".") or part.lower() in LEFT_BEHIND for part in file.parts)


def reason_of(file: File) -> str:
    """Return why a file that shows no image is left aside."""
    return ARCHIVE if PurePosixPath(file.path).suffix.lower() in ARCHIVES else NOT_AN_IMAGE


def shows_an_image(file: File) -> bool:
    """Whether it claims to be an image, by its ending or else by how it begins."""
    ending = PurePosixPath(file.path).suffix.lower()
    if ending in IMAGE_ENDINGS:
        return True
    if ending in (".txt", ".csv", ".xml", ".json", ".md", ".html", ".mat"):
        return False
    try:
        begins = file.read(12)
    except OSError:
        return False
    return (
        begins.startswith(BEGINNINGS)
        or (begins.startswith(b"RIFF") and begins.endswith(b"WEBP"))
        or (begins.startswith(b"BM") and begins[6:10] == bytes(4))
    )
