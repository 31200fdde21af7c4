"""Images of one size in files of about 128 MiB, each holding the images of a range of digests.

A shard depends on nothing but which images it holds, so shards can be written by any number of
processes, and those that a killed preparation has finished are not written again.
"""

import hashlib
import io
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from alexnet.data.digests import Label, digest_of, file_digest
from alexnet.data.manifest import DatasetError, Fit, Part
from alexnet.data.pictures import UndecodableError, square
from alexnet.data.prepare.decoding import decoded
from alexnet.data.prepare.files import File
from alexnet.data.prepare.work import PrepareFolder
from alexnet.data.statistics import Pixels, Sums
from alexnet.durable import replacing, write_atomically
from alexnet.sealed import read_sealed, sealed

SHARD = 128 * 2**20  # bytes
BLOCK = 16  # images that are written and summed at a time
MOST = 8192  # images, so that small ones too are shared out among processes


class Member(NamedTuple):
    """One image with the part that it is in, here: train, valid or test."""

    part: Part
    label: Label
    file: File


class Shard(NamedTuple):
    """Images of one part that are stored together, in the order of their digests."""

    part: Part
    name: str  # of its file
    members: tuple[Member, ...]
    fit: Fit
    place: PrepareFolder

    @property
    def path(self) -> Path:
        """The array of images."""
        return self.place.arrays / self.name

    @property
    def note(self) -> Path:
        """What was written, kept until the dataset is complete."""
        return self.place.notes / f"{self.name}.json"

    @property
    def sums(self) -> Path:
        """Sums over its images, if they are to train on; kept until then as well."""
        return self.place.notes / f"{self.name}.sums.npz"


FLAT = 8
"""Grey levels between the darkest and the brightest number, in what shows next to nothing."""


class Written(NamedTuple):
    """What came of writing a shard."""

    key: str  # of the members that are in it
    file: str  # SHA-256 of the array's file
    left_out: dict[str, str]  # path and reason of images that could not be decoded
    flat: list[str]  # paths of images with next to no contrast


def shards(members: Iterable[Member], fit: Fit, place: PrepareFolder) -> list[Shard]:
    """Return the shards of a dataset."""
    parts: dict[Part, list[Member]] = defaultdict(list)
    for member in members:
        parts[member.part].append(member)
    return [shard for part, some in parts.items() for shard in _shards_of(part, some, fit, place)]


def _shards_of(
    part: Part, members: Sequence[Member], fit: Fit, place: PrepareFolder
) -> Iterator[Shard]:
    each = min(MOST, max(1, SHARD // fit.image_bytes))
    total = -(-len(members) // each)
    ranges: dict[int, list[Member]] = defaultdict(list)
    for member in members:
        ranges[int(member.label.digest[:12], 16) * total >> 48].append(member)
    for number in sorted(ranges):
        ordered = sorted(ranges[number], key=lambda m: (m.label.digest, m.label))
        name = f"{part}_images-{number + 1:04}-of-{total:04}.npy"
        yield Shard(part, name, tuple(ordered), fit, place)


def key_of(members: Iterable[Member]) -> str:
    """Return what tells shards apart: which images they hold."""
    return digest_of("\n".join(member.label.digest for member in members).encode())


def finished(shard: Shard) -> Written | None:
    """Return what is known of a shard that is already written with just these images, or None."""
    try:
        written = Written(**read_sealed(shard.note))
    except (OSError, ValueError, TypeError):
        return None
    if written.key != key_of(shard.members) or not shard.path.exists():
        return None
    whole = len(_header(1, shard.fit.size)) + len(shard.members) * shard.fit.image_bytes
    return written if shard.path.stat().st_size == whole else None


def write(shard: Shard) -> Written:
    """Decode a shard's images and write them, some at a time; leave out what cannot be decoded.

    Raises:
        DatasetError: If an image is not the one that was digested.
        OSError: If the disk is full.
    """
    beside, size = shard.path.with_suffix(".part"), shard.fit.size
    shard.note.unlink(missing_ok=True)  # or it would speak of other bytes, were this killed
    left_out: dict[str, str] = {}
    kept: list[Member] = []
    flat: list[str] = []
    sums, digest = Sums.none(size, size), hashlib.sha256(_header(len(shard.members), size))
    block = np.empty((BLOCK, size, size, 3), np.uint8)
    with replacing(shard.path, beside) as file:
        file.write(_header(len(shard.members), size))
        for members in batched(shard.members, BLOCK):
            filled = 0
            for member in members:
                try:
                    block[filled] = _pixels(member, shard.fit)
                except UndecodableError as error:
                    left_out[member.file.path] = str(error)
                    continue
                kept.append(member)
                if np.ptp(block[filled]) < FLAT:
                    flat.append(member.file.path)
                filled += 1
            done = block[:filled]
            file.write(done.data)
            digest.update(done.data)
            if shard.part == "train":
                sums = sums.plus(Sums.of(done))
        if left_out:
            file.seek(0)
            file.write(_header(len(kept), size))
        if shard.part == "train":
            with replacing(shard.sums, shard.sums.with_suffix(".part")) as beside_sums:
                np.savez(beside_sums, **sums._asdict())
    bits = file_digest(shard.path) if left_out else digest.hexdigest()
    written = Written(key_of(kept), bits, left_out, flat)
    write_atomically(shard.note, json.dumps(sealed(written._asdict())).encode())
    return written


def _pixels(member: Member, fit: Fit) -> Pixels:
    image, digest = decoded(member.file)
    if digest != member.label.digest:
        raise DatasetError(
            f"{member.file.path} was changed while it was being prepared; start again"
        )
    return square(image, fit)


def batched(members: Sequence[Member], size: int) -> Iterator[Sequence[Member]]:
    """Yield members, so many at a time; the last may be fewer."""
    for start in range(0, len(members), size):
        yield members[start : start + size]


def _header(count: int, size: int) -> bytes:
    """Return how a .npy file of so many images begins; as long for any number of them."""
    about = {"descr": "|u1", "fortran_order": False, "shape": (count, size, size, 3)}
    content = io.BytesIO()
    np.lib.format.write_array_header_1_0(content, about)
    return content.getvalue()
