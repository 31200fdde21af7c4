"""Digests that name images, datasets and splits by their content, and the split they decide."""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from alexnet.random_streams import derive


class Label(NamedTuple):
    """One image, named by content: which part it was published in, its class, its digest."""

    part: str  # train or test
    name: str  # of its class
    digest: str


def digest_of(content: bytes) -> str:
    """Return the SHA-256 of bytes, in hex."""
    return hashlib.sha256(content).hexdigest()


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def dataset_digest(labels: Iterable[Label], *how: str) -> str:
    """Return the digest of a dataset, whatever order its images come in.

    Args:
        labels: Of all images.
        how: What was done to the images' pixels, if anything.
    """
    return digest_of("\n".join([*sorted(map(" ".join, labels)), *how]).encode())


def held_out(
    labels: Sequence[Label], name: str, purpose: str = "split", share: float = 0.1
) -> set[str]:
    """Return the digests of the training images held out: as ``valid``, unless told otherwise.

    A tenth (or another share) of each class, at most 50,000 in all: those whose digest, hashed
    together with a number derived from purpose and dataset's name, comes first. Needs no generator,
    so every machine and version agrees.
    """
    key = derive(0, purpose, name)
    classes: dict[str, list[str]] = defaultdict(list)
    for label in labels:
        if label.part == "train":
            classes[label.name].append(label.digest)
    total = sum(map(len, classes.values()))
    share = min(share, 50_000 / max(1, total))
    return {
        digest
        for digests in classes.values()
        for digest in sorted(digests, key=lambda d: digest_of(f"{key}/{d}".encode()))[
            : round(share * len(digests))
        ]
    }
