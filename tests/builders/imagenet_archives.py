"""ImageNet's official archives, with pictures that are made up: their colour says their class."""

import gzip
import hashlib
import io
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import scipy.io
from numpy.typing import NDArray
from PIL import Image
from torchvision.datasets import imagenet

LEVELS = 10
DARKEST, STEP = 12, 25
"""Colours are so many levels of grey apart, which JPEG keeps apart."""
NOISE = 6
"""At most so many levels, so that no two pictures are the same."""
FIELDS = ("ID", "WNID", "words", "gloss", "num_children", "children", "height")


def tar_of(contents: Mapping[str, bytes]) -> bytes:
    """Return a tar."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as tar:
        for name, one in contents.items():
            info = tarfile.TarInfo(name)
            info.size = len(one)
            tar.addfile(info, io.BytesIO(one))
    return content.getvalue()


def kit_of(codes: Sequence[str], titles: Sequence[str], labels: Sequence[int]) -> bytes:
    """Return the development kit: a synset that is no class comes last, as there.

    Args:
        codes: WordNet's, by the kit's own number of a class, which begins with 1.
        titles: Of each.
        labels: The kit's number of each validation image, by its name.
    """
    rows = [(n, *pair, "", 0, [], 0) for n, pair in enumerate(zip(codes, titles, strict=True), 1)]
    top = (len(codes) + 1, "n00001740", "entity", "all", len(codes), [*range(1, len(codes) + 1)], 1)
    synsets = np.array([*rows, top], [(name, "O") for name in FIELDS])
    scipy.io.savemat(meta := io.BytesIO(), {"synsets": synsets})
    truth = "".join(f"{label}\n" for label in labels).encode()
    kit = {"meta.mat": meta.getvalue(), "ILSVRC2012_validation_ground_truth.txt": truth}
    inside = {f"ILSVRC2012_devkit_t12/data/{name}": one for name, one in kit.items()}
    return gzip.compress(tar_of(inside))


def write_archives(folder: Path, archives: Mapping[str, bytes]) -> dict[str, tuple[str, str]]:
    """Write archives (``train``, ``val``, ``devkit``) under their official names.

    Returns:
        What torchvision would have to know of them, in place of the published digests.
    """
    known = {}
    for what, (name, _) in imagenet.ARCHIVE_META.items():
        (folder / name).write_bytes(archives[what])
        known[what] = (name, hashlib.md5(archives[what]).hexdigest())
    return known


def codes_of(count: int) -> list[str]:
    """Return so many WordNet codes, in an order of their own, as the kit has them."""
    return [f"n{1_000_000 + 7 * ((n * 37) % 1009):08d}" for n in range(count)]


def picture(kind: int, number: int, width: int = 40, height: int = 30) -> bytes:
    """Return a JPEG whose colour has the digits of a number below 1,000.

    Args:
        kind: That number.
        number: Of pictures of one kind, each has its own.
        width: Pixels.
        height: Pixels.
    """
    digits = [kind // 10**place % LEVELS for place in (2, 1, 0)]
    noise = np.random.default_rng([kind, number]).integers(-NOISE, NOISE + 1, (height, width, 3))
    pixels = DARKEST + STEP * np.array(digits) + noise
    Image.fromarray(pixels.astype(np.uint8)).save(file := io.BytesIO(), "JPEG", quality=95)
    return file.getvalue()


def kinds_of(pixels: NDArray[np.uint8]) -> list[int]:
    """Return the numbers that pictures were made of, from their mean colours.

    Args:
        pixels: Of images, (images, height, width, 3).
    """
    digits = np.rint((pixels.mean(axis=(1, 2)) - DARKEST) / STEP).astype(int)
    return [int(r) * 100 + int(g) * 10 + int(b) for r, g, b in digits]


def official(folder: Path, classes: int, images: int) -> dict[str, tuple[str, str]]:
    """Write the three archives of ILSVRC-2012, with so many classes and images of each.

    Validation images, one of each class, are in an order of their own.
    """
    codes = codes_of(classes)
    inner = {
        f"{code}.tar": tar_of({f"{code}_{n}.JPEG": picture(kind, n) for n in range(images)})
        for kind, code in enumerate(codes)
    }
    shown = [(kind * 13 + 5) % classes for kind in range(classes)]
    val = {f"ILSVRC2012_val_{n:08d}.JPEG": picture(kind, images) for n, kind in enumerate(shown, 1)}
    kit = kit_of(codes, [f"kind {kind}" for kind in range(classes)], [kind + 1 for kind in shown])
    return write_archives(
        folder, {"train": tar_of(dict(sorted(inner.items()))), "val": tar_of(val), "devkit": kit}
    )


def by_folders(path: Path, classes: int, images: int) -> None:
    """Write a tar of ILSVRC-2010 as it is read here: a folder of each class in train and test."""
    tests = 1
    pictures = dict(_of_folders(classes, images, tests))
    path.write_bytes(tar_of(pictures))


def _of_folders(classes: int, images: int, tests: int) -> Iterator[tuple[str, bytes]]:
    for part, numbers in (("train", range(images)), ("test", range(images, images + tests))):
        for kind, code in enumerate(codes_of(classes)):
            for n in numbers:
                yield f"{part}/{code}/{code}_{n}.JPEG", picture(kind, n)
