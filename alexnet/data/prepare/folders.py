"""Images in a folder per class, under parts or under nothing: which folders are which.

A name tells part from class, so a mistake here would be learned: what is not plain is refused, with
the way out.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

from alexnet.data.manifest import DatasetError
from alexnet.data.prepare.files import File
from alexnet.data.prepare.published import (
    ARCHIVE,
    NO_LABEL,
    Inventory,
    Published,
    reason_of,
    shows_an_image,
)

ClassFolder = Literal["outer", "inner"]
"""Which of several folders around an image is its class: the first, or that it lies in."""

Role = Literal["train", "test", "unlabelled", "fold"]

ROLES: dict[str, Role] = {
    "train": "train", "training": "train", "trainset": "train", "trn": "train",
    "test": "test", "testing": "test", "testset": "test", "tst": "test", "val": "test",
    "valid": "test", "validation": "test", "dev": "test", "eval": "test", "evaluation": "test",
    "pred": "unlabelled", "predict": "unlabelled", "prediction": "unlabelled",
    "predictions": "unlabelled", "unlabelled": "unlabelled", "unlabeled": "unlabelled",
    "fold": "fold", "split": "fold", "cv": "fold",
}  # fmt: skip
"""What words in the names of folders say; what is published as validation or test is our test."""
BESIDE = frozenset(
    ("set", "sets", "data", "dataset", "images", "image", "imgs", "img", "seg", "part", "folder",
     "the", "of", "my", "new", "final", "original", "resized", "cropped", "split")
)  # fmt: skip
"""Words that may stand beside; any other word makes it the name of a class, such as test_tube."""
NAMED = 3  # classes that a message names


def role_of(name: str) -> Role | None:
    """Return what a folder is a part of, by its name; None if it may be a class.

    >>> role_of("seg_train"), role_of("Validation-Set"), role_of("fold3"), role_of("test tube")
    ('train', 'test', 'fold', None)
    """
    words = re.findall(r"[a-z]+", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower())
    roles = [ROLES[word] for word in words if word in ROLES]
    if not roles or any(word not in ROLES and word not in BESIDE for word in words):
        return None
    return next((role for role in roles if role != "fold"), "fold")


class _Placed(NamedTuple):
    """An image and the folders around it, below what all images share and below its part."""

    file: File
    folders: tuple[str, ...]


def in_folders(
    files: Iterable[File], source: str, class_folder: ClassFolder | None = None
) -> Inventory:
    """Return images in a folder per class, under train and val or test, or under nothing.

    Args:
        files: All of them.
        source: What to call it in messages.
        class_folder: Which of several folders around an image is its class; None where that is
            plain.

    Raises:
        DatasetError: If images lie in no folder of a class, or it is not plain which are classes.
    """
    set_aside = Counter[str]()
    images, archives = [], list[str]()
    for file in files:
        if shows_an_image(file):
            images.append(file)
        else:
            set_aside[reason_of(file)] += 1
            if reason_of(file) == ARCHIVE:
                archives.append(file.path)
    if not images and archives:
        raise DatasetError(
            f"{source} holds archives, such as {archives[0]}, and no images; unpack them, each "
            "into a folder named after its class, or give one of them by --source"
        )
    if not images:
        raise DatasetError(f"there are no images in {source}")
    depth = _common(images)
    if {len(file.parts) for file in images} == {depth + 1}:
        raise DatasetError(
            f"all images of {source} lie in one folder, which is one class; put every image into a "
            "folder named after its class"
        )
    first = {file.parts[depth] for file in images if len(file.parts) > depth + 1}
    roles = {name: role for name in first if (role := role_of(name)) is not None}
    _refuse_folds(roles, first, source)
    # A class may be called "test" as well: it is a part of the data beside others, or train.
    deep = any(len(file.parts) > depth + 2 and file.parts[depth] in roles for file in images)
    if (deep or len(first) > 1) and (
        len(roles) == len(first) or (deep and "train" in roles.values())
    ):
        parts, unlabelled = _in_parts(images, depth, roles, source)
        set_aside[NO_LABEL] += unlabelled
        published = [
            Published(part, name, file)
            for part, placed in parts.items()
            for file, name in _classes(placed, source, class_folder)
        ]
        names = " and ".join(
            sorted(
                (name for name in roles if roles[name] != "unlabelled"),
                key=lambda name: (roles[name] == "test", name),
            )
        )
        return Inventory(f"a folder per class under {names}", published, +set_aside, {})
    placed = []
    for file in images:
        if len(file.parts) < depth + 2:
            raise DatasetError(
                f"{file.path} in {source} is in no folder of a class; put every image into a "
                "folder named after its class"
            )
        placed.append(_Placed(file, file.parts[depth:-1]))
    published = [
        Published("train", name, file) for file, name in _classes(placed, source, class_folder)
    ]
    return Inventory("a folder per class", published, +set_aside, {}, has_test=False)


def _common(images: list[File]) -> int:
    """Return how many folders all images share."""
    folders = [file.parts[:-1] for file in images]
    shared = zip(min(folders), max(folders), strict=False)
    return next(
        (depth for depth, (one, other) in enumerate(shared) if one != other),
        min(map(len, folders)),
    )


def _refuse_folds(roles: dict[str, Role], first: set[str], source: str) -> None:
    folds = sorted(name for name, role in roles.items() if role == "fold")
    if folds and len(roles) == len(first):
        raise DatasetError(
            f"{_some(folds)} in {source} are folds, each with images of every class; give one of "
            "them, or put the images that are to be tested on under test/<class> and all others "
            "under train/<class>"
        )


def _in_parts(
    images: list[File], depth: int, roles: dict[str, Role], source: str
) -> tuple[dict[Literal["train", "test"], list[_Placed]], int]:
    """Return images under train and under val or test, and how many have no label."""
    within: dict[str, list[_Placed]] = defaultdict(list)
    for file in images:
        if file.parts[depth] not in roles or len(file.parts) < depth + 2:
            raise DatasetError(_not_in_parts(file, source))
        within[file.parts[depth]].append(_Placed(file, file.parts[depth + 1 : -1]))
    within = {name: _without_repeats(name, placed) for name, placed in within.items()}
    labelled = {
        roles[name] for name, placed in within.items() if any(one.folders for one in placed)
    }
    if not labelled & {"train", "test"}:
        _refuse_loose(within, source)
    parts: dict[Literal["train", "test"], list[_Placed]] = {"train": [], "test": []}
    without = 0
    for name, placed in within.items():
        role = roles[name]
        loose = [one for one in placed if not one.folders]
        if role == "unlabelled" or (role == "test" and len(loose) == len(placed)):
            if role == "test" and "test" not in labelled:
                train = next(name for name in within if roles[name] == "train")
                raise DatasetError(
                    f"the images of {name} in {source} have no classes, {loose[0].file.path} "
                    f"first; give the folder {train} alone, and a part of it is cut off to test on"
                )
            without += len(placed)
            continue
        if loose:
            raise DatasetError(_not_in_parts(loose[0].file, source))
        parts["train" if role == "train" else "test"] += placed
    return parts, without


def _not_in_parts(file: File, source: str) -> str:
    return (
        f"{file.path} in {source} is not in train/<class>/ or test/<class>/; "
        "put every image in a folder of its class under one of the two"
    )


def _refuse_loose(within: dict[str, list[_Placed]], source: str) -> None:
    """Refuse parts whose images lie in no folder of a class."""
    one = next(placed[0] for placed in within.values())
    raise DatasetError(
        f"{_some(sorted(within))} in {source} are parts and no classes, and {one.file.path} lies "
        "in no folder of a class; put every image into train/<class>/ or test/<class>/ (a class in "
        "the name of a file is not read)"
    )


def _without_repeats(name: str, placed: list[_Placed]) -> list[_Placed]:
    """Return images of a part without a folder that only repeats it, such as train/train/cat."""
    while placed and all(one.folders and role_of(one.folders[0]) for one in placed):
        inside = {one.folders[0] for one in placed}
        if {role_of(folder) for folder in inside} != {role_of(name)} or len(inside) > 1:
            break
        placed = [_Placed(one.file, one.folders[1:]) for one in placed]
    return placed


def _classes(
    placed: Sequence[_Placed], source: str, class_folder: ClassFolder | None
) -> list[tuple[File, str]]:
    """Return images with the names of their classes.

    Raises:
        DatasetError: If it is not plain which folder is the class.
    """
    if class_folder is None:
        _refuse_repeated(placed, source)
    place = -1 if class_folder == "inner" else 0
    return [(one.file, one.folders[place]) for one in placed]


def _refuse_repeated(placed: Sequence[_Placed], source: str) -> None:
    """Refuse classes that hold the same folders, or the classes beside them once more."""
    inside: dict[str, set[str]] = defaultdict(set)
    for one in placed:
        inside[one.folders[0]].update(one.folders[1:2])
    for name, folders in sorted(inside.items()):
        again = sorted(folders & inside.keys())
        if again:
            raise DatasetError(
                f"{name} in {source} holds folders of the same names as beside it, {_some(again)}: "
                "it seems to be a copy and no class; remove it, or give it alone as --source"
            )
    holders = Counter(folder for folders in inside.values() for folder in folders)
    shared = sorted(folder for folder, count in holders.items() if count > 1)
    if shared and len(holders) > 1:  # one folder in each, such as images, is no class
        names = sorted(name for name, folders in inside.items() if folders & set(shared))
        raise DatasetError(
            f"{_some(names)} in {source} hold folders of the same names, {_some(shared)}: the "
            "class may be either; say --class-folder outer for the first, or --class-folder inner "
            "for the second, and where each is a set of its own give one as --source"
        )


def _some(names: Sequence[str]) -> str:
    """Return names in a sentence, the first few of many.

    >>> _some(["a", "b"]), _some(["a", "b", "c", "d", "e"])
    ('a and b', 'a, b, c and 2 more')
    """
    if len(names) > NAMED + 1:
        return f"{', '.join(names[:NAMED])} and {len(names) - NAMED} more"
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))
