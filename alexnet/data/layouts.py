"""How published datasets lay out their files, and what that says: each image's part and class."""

import csv
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import PurePosixPath
from typing import Literal, NamedTuple

from alexnet.data.files import File
from alexnet.data.manifest import DatasetError

IMAGE_ENDINGS = (
    ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm",
    ".pgm", ".pbm", ".pnm", ".avif", ".heic", ".jp2",
)  # fmt: skip
BEGINNINGS = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF8", b"II*\0", b"MM\0*")
TRAIN, TEST = ("train", "training"), ("val", "valid", "validation", "test", "testing")
"""Names of folders; what a dataset publishes as validation or test is our test."""

HIDDEN = "hidden"
NOT_AN_IMAGE = "not an image"
NO_LABEL = "without a label"
EMPTY = "an empty folder"


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
    """Whether it is one of the files that systems leave behind."""
    rubbish = ("__MACOSX", "Thumbs.db", "desktop.ini")
    return any(part.startswith(".") or part in rubbish for part in file.parts)


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


def inventory(files: Iterable[File], empty: int, source: str) -> Inventory:
    """Return what the files of a source are, whichever of the known layouts it has.

    Args:
        files: All of them.
        empty: How many empty folders there are.
        source: What to call it in messages.

    Raises:
        DatasetError: If images lie where no layout has them, or their labels are missing.
    """
    set_aside = Counter({EMPTY: empty} if empty else {})
    seen = []
    for file in files:
        if is_hidden(file):
            set_aside[HIDDEN] += 1
        else:
            seen.append(file)
    for recognise in (_tiny_imagenet, _kaggle):
        if found := recognise(seen, source):
            break
    else:
        found = _folders(seen, source)
    # A name may be composed in two ways, by the system that it was packed on.
    images = [
        image._replace(name=unicodedata.normalize("NFC", image.name)) for image in found.images
    ]
    return found._replace(images=images, set_aside=found.set_aside + set_aside)


def _named(files: Iterable[File], name: str) -> File | None:
    return next((file for file in files if file.parts[-1] == name), None)


def _text(file: File) -> str:
    return file.read().decode("utf-8-sig", "replace")


def _tiny_imagenet(files: list[File], source: str) -> Inventory | None:
    """train/CLASS/images/*, val/images/* with val_annotations.txt, test/images/* without labels."""
    annotations = _named(files, "val_annotations.txt")
    if annotations is None:
        return None
    lines = _text(annotations).splitlines()
    classes = dict(line.split("\t")[:2] for line in lines if "\t" in line)

    def label(parts: tuple[str, ...]) -> tuple[str, str] | None:
        depth = next((i for i, part in enumerate(parts[:-1]) if part in ("train", "val")), None)
        if depth is None:
            return None
        part, within = "train" if parts[depth] == "train" else "test", parts[depth + 1 :]
        if len(within) > 1 and within[0] != "images":  # many sort the validation images too
            return part, within[0]
        return (part, classes[within[-1]]) if part == "test" else None

    words = _named(files, "words.txt")
    return _by_rule("Tiny ImageNet", files, label, words, source)


def _kaggle(files: list[File], source: str) -> Inventory | None:
    """ILSVRC/Data/CLS-LOC/{train/CLASS,val,test}/*, the labels of val in LOC_val_solution.csv."""
    if not any("CLS-LOC" in file.parts and "Data" in file.parts for file in files):
        return None
    solution = _named(files, "LOC_val_solution.csv")
    if solution is None:
        raise DatasetError(
            f"{source} looks like Kaggle's ILSVRC, but LOC_val_solution.csv, which has the labels "
            "of its validation images, is not in it; put it beside the folder ILSVRC"
        )
    rows = csv.DictReader(_text(solution).splitlines())
    try:
        classes = {row["ImageId"]: row["PredictionString"].split()[0] for row in rows}
    except (KeyError, IndexError, AttributeError) as error:
        raise DatasetError(
            f"{solution.path} in {source} is not Kaggle's list: it has the columns ImageId and "
            "PredictionString, and in the second the class first"
        ) from error

    def label(parts: tuple[str, ...]) -> tuple[str, str] | None:
        within = parts[parts.index("CLS-LOC") + 1 :] if "CLS-LOC" in parts else ()
        if len(within) == 3 and within[0] == "train":
            return "train", within[1]
        if len(within) == 2 and within[0] == "val":
            return "test", classes[PurePosixPath(within[1]).stem]
        return None

    return _by_rule(
        "Kaggle's ILSVRC", files, label, _named(files, "LOC_synset_mapping.txt"), source
    )


def _by_rule(
    layout: str,
    files: list[File],
    label: Callable[[tuple[str, ...]], tuple[str, str] | None],
    words: File | None,
    source: str,
) -> Inventory:
    """Return images with the part and class that a rule gives for their path."""
    images, set_aside = [], Counter[str]()
    for file in files:
        if not shows_an_image(file):
            set_aside[NOT_AN_IMAGE] += 1
            continue
        try:
            found = label(file.parts)
        except KeyError:
            raise DatasetError(f"{file.path} in {source} has no label in its list") from None
        if found is None:
            set_aside[NO_LABEL] += 1
        else:
            part, name = found
            images.append(Published("train" if part == "train" else "test", name, file))
    codes = {image.name for image in images}
    titles = synset_titles(_text(words)) if words else {}
    return Inventory(layout, images, set_aside, {c: t for c, t in titles.items() if c in codes})


def synset_titles(text: str) -> dict[str, str]:
    r"""Return the title of each WordNet code, from lines such as ``n01440764 tench, Tinca``.

    >>> synset_titles("n01440764\ttench, Tinca tinca")
    {'n01440764': 'tench'}
    """
    lines = re.findall(r"^(n\d{8})\s+(.+)$", text, re.MULTILINE)
    return {code: title.split(",")[0].strip() for code, title in lines}


def _folders(files: list[File], source: str) -> Inventory:
    """Return images in a folder per class, under train and val or test, or under nothing."""
    set_aside = Counter[str]()
    images = []
    for file in files:
        if shows_an_image(file):
            images.append(file)
        else:
            set_aside[NOT_AN_IMAGE] += 1
    if not images:
        raise DatasetError(f"there are no images in {source}")
    depth = _common(images)
    if {len(file.parts) for file in images} == {depth + 1}:
        raise DatasetError(
            f"all images of {source} lie in one folder, which is one class; put every image into a "
            "folder named after its class"
        )
    first = {file.parts[depth] for file in images if len(file.parts) > depth + 1}
    split = {name for name in first if name.lower() in TRAIN + TEST}
    # A class may be called "test" as well: it is a part of the data beside others, or train.
    deep = any(len(file.parts) > depth + 2 and file.parts[depth] in split for file in images)
    if deep and (split == first or any(name.lower() in TRAIN for name in split)):
        published, unlabelled = _in_parts(images, depth, source)
        set_aside[NO_LABEL] += unlabelled
        names = " and ".join(sorted(split, key=lambda name: name.lower() in TEST))
        return Inventory(f"a folder per class under {names}", published, +set_aside, {})
    published = []
    for file in images:
        if len(file.parts) < depth + 2:
            raise DatasetError(
                f"{file.path} in {source} is in no folder of a class; put every image into a "
                "folder named after its class"
            )
        published.append(Published("train", file.parts[depth], file))
    return Inventory("a folder per class", published, +set_aside, {}, has_test=False)


def _common(images: list[File]) -> int:
    """Return how many folders all images share."""
    folders = [file.parts[:-1] for file in images]
    shared = zip(min(folders), max(folders), strict=False)
    return next(
        (depth for depth, (one, other) in enumerate(shared) if one != other),
        min(map(len, folders)),
    )


def _in_parts(images: list[File], depth: int, source: str) -> tuple[list[Published], int]:
    """Return images under train and val or test, and how many of a test have no label."""
    classless = {
        file.parts[depth].lower() for file in images if len(file.parts) == depth + 2
    } & set(TEST)
    labelled = {file.parts[depth].lower() for file in images if len(file.parts) > depth + 2}
    unlabelled = classless if labelled & set(TEST) else set()
    published, without = [], 0
    for file in images:
        part = file.parts[depth].lower()
        if part in unlabelled and part not in labelled:
            without += 1
        elif len(file.parts) < depth + 3 or part not in TRAIN + TEST:
            raise DatasetError(
                f"{file.path} in {source} is not in train/<class>/ or test/<class>/; "
                "put every image in a folder of its class under one of the two"
            )
        else:
            where: Literal["train", "test"] = "train" if part in TRAIN else "test"
            published.append(Published(where, file.parts[depth + 1], file))
    return published, without
