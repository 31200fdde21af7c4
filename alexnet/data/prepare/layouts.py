"""How published datasets lay out their files, and what that says: each image's part and class."""

import csv
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import PurePosixPath

from alexnet.data.manifest import DatasetError
from alexnet.data.prepare.files import File
from alexnet.data.prepare.folders import ClassFolder, in_folders
from alexnet.data.prepare.published import (
    EMPTY,
    HIDDEN,
    NO_LABEL,
    NOT_AN_IMAGE,
    Inventory,
    Published,
    is_hidden,
    shows_an_image,
)
from alexnet.text import shown


def inventory(
    files: Iterable[File], empty: int, source: str, class_folder: ClassFolder | None = None
) -> Inventory:
    """Return what the files of a source are, whichever of the known layouts it has.

    Args:
        files: All of them.
        empty: How many empty folders there are.
        source: What to call it in messages.
        class_folder: Which of the folders around an image is its class, where that is not plain.

    Raises:
        DatasetError: If images lie where no layout has them, their labels are missing, or it is
            not plain which folders are classes.
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
        found = in_folders(seen, source, class_folder)
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
    pairs = (line.split("\t")[:2] for line in lines if "\t" in line)
    classes = {name: shown(label) for name, label in pairs}

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
        classes = {row["ImageId"]: shown(row["PredictionString"].split()[0]) for row in rows}
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
    return {code: shown(title.split(",")[0].strip()) for code, title in lines}
