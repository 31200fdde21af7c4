"""Images of sources that pack many into one file, copied so that each can be read by itself."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from alexnet.data.prepare.files import File
from alexnet.data.prepare.published import Published
from alexnet.durable import replacing, write_atomically
from alexnet.sealed import SealError, read_sealed, sealed


class Row(NamedTuple):
    """One image of a pack."""

    part: str
    name: str  # of its class
    path: str
    content: bytes
    shape: tuple[int, ...] | None  # of raw pixels; None: encoded


class Gathered(NamedTuple):
    """What a copied pack holds."""

    images: list[Published]
    titles: dict[str, str]  # of classes that are named by a code
    unlabelled: int


class Found:
    """What comes to be known beside the images, while they are copied."""

    def __init__(self) -> None:
        """Nothing yet."""
        self.titles: dict[str, str] = {}
        self.unlabelled = 0


def gathered(images: Callable[[Found], Iterator[Row]], spool: Path) -> Gathered:
    """Copy images into one file, unless that is done; then ``images`` is not called.

    Args:
        images: Yields them, and notes what else it finds.
        spool: The file to write; an index is written beside it.
    """
    index = spool.with_suffix(".json")
    known = _known(index)
    if known is None:
        found, labels = Found(), list[tuple[str, str]]()

        def contents() -> Iterator[tuple[str, bytes, tuple[int, ...] | None]]:
            for row in images(found):
                labels.append((row.part, row.name))
                yield row.path, row.content, row.shape

        files = packed(contents(), spool)
        rows = [
            (*label, file.path, file.offset, file.size, file.shape)
            for label, file in zip(labels, files, strict=True)
        ]
        content = {"titles": found.titles, "unlabelled": found.unlabelled, "rows": rows}
        write_atomically(index, json.dumps(sealed(content)).encode())
        known = read_sealed(index)
    published = [_published(fields, spool) for fields in known["rows"]]
    return Gathered(published, known["titles"], known["unlabelled"])


def _known(index: Path) -> dict[str, Any] | None:
    """Return what an earlier start has noted, or None where it has nothing that can be trusted."""
    try:
        return read_sealed(index)
    except (OSError, SealError):
        return None


def packed(images: Iterator[tuple[str, bytes, tuple[int, ...] | None]], spool: Path) -> list[File]:
    """Write images one after another into one file, and return where each lies.

    For sources that cannot be read here and there, such as Parquet. Each image is its path, its
    bytes and, where these are raw pixels, their shape.
    """
    files, beside = [], spool.with_suffix(".part")
    with replacing(spool, beside) as file:
        for path, content, shape in images:
            start = file.tell()
            file.write(content)
            files.append(File(path, str(spool), start, len(content), shape=shape))
    return files


def _published(fields: list[Any], spool: Path) -> Published:
    """Return an image as the index has it, in the spool wherever that lies now."""
    part, name, path, offset, size, shape = fields
    file = File(path, str(spool), offset, size, shape=tuple(shape) if shape else None)
    return Published("train" if part == "train" else "test", name, file)
