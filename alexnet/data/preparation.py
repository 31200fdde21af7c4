"""From published files to the prepared form: arrays in a fixed order, statistics, a manifest.

First every file is digested, which fixes the order of images and what is held out; then each shard
is decoded on its own. Both are done by as many processes as wanted, and taken up again after a
kill; the result is the same bytes.
"""

import errno
import json
import os
import re
import tempfile
from collections import Counter, defaultdict
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from filelock import FileLock, Timeout

from alexnet.data import downloads, layouts, packs
from alexnet.data.catalogue import CATALOGUE, Description, Download
from alexnet.data.decoding import Examined, common_fit, examined
from alexnet.data.digests import Label, dataset_digest, digest_of, file_digest, held_out
from alexnet.data.files import File, copied, listing
from alexnet.data.layouts import Inventory
from alexnet.data.manifest import (
    IN_PACKAGE,
    PARTS,
    DatasetError,
    Fit,
    Manifest,
    Part,
    damaged,
    folder_of,
    in_words,
    stored,
)
from alexnet.data.pool import Pool
from alexnet.data.shards import Member, finished, shards, write
from alexnet.data.statistics import GREY, Statistics, Sums
from alexnet.data.work import Place
from alexnet.names import suggestion

CHUNK = 256  # files that are digested at a time
ALLOWED = 0.01  # of the images may be left out without asking
FEW = 500  # images, for which further processes are not worth their start
TEST_SHARE = 0.2  # of each class, where a source has no test images
PIXELS = 3  # bytes
OWN_NAME = re.compile(r"[A-Za-z0-9][\w.-]{0,63}")


THROWN = "unfinished work on another source, or for another form, was thrown away"


@dataclass(frozen=True)
class Order:
    """What is asked for."""

    name: str
    source: Path | Literal["hub", "official"] | None
    data_dir: Path
    resize: Literal["centre", "stretch"] | None = None
    size: int | None = None  # pixels
    mirror: bool = True  # of a person's own images: whether mirrored ones are natural
    allow_missing: bool = False
    workers: int | None = None
    plan_only: bool = False

    @property
    def place(self) -> Place:
        """Where it is made and kept."""
        return Place(self.data_dir, self.name)

    @property
    def description(self) -> Description | None:
        """What the catalogue says, if it is in it."""
        return CATALOGUE.get(self.name)

    @property
    def form(self) -> str:
        """What of the order decides the bytes that are written, beside the source."""
        return f"{self.resize} {self.size} {self.mirror}"

    @property
    def fit(self) -> Fit | None:
        """How images come to one size, or None if that depends on them."""
        usual = self.description.fit if self.description else None
        if self.resize is None and self.size is None:
            return usual
        size = self.size or (usual.size if usual else 256)
        return Fit(kind=self.resize or "centre", size=size)


class Fetching(NamedTuple):
    """A download is about to start."""

    download: Download
    warning: str  # what a person should know before, or nothing


class Found(NamedTuple):
    """What a source holds and what will be done with it, said before it is done."""

    layout: str
    images: int
    classes: int
    set_aside: dict[str, int]
    fit: Fit | None  # None: as the images turn out to be
    needed: int  # bytes, at most
    free: int  # bytes
    workers: int


class Note(NamedTuple):
    """Something that a person should know."""

    label: str
    text: str


class Progress(NamedTuple):
    """How far a stage has come."""

    stage: Literal["digests", "images", "check"]
    done: int
    total: int


Event = Fetching | Found | Note | Progress | Manifest


def prepare(order: Order) -> Iterator[Event]:
    """Write the prepared form of a dataset to ``data_dir/name``; yield what happens.

    The last event is the manifest, but for a plan alone. A dataset that is there already is
    checked, not made again. It is written beside its folder and renamed when complete.

    Raises:
        DatasetError: If the source is missing, damaged or not what it should be; if too many images
            cannot be read; if the disk is too small; if anything else would be written over.
    """
    if order.name in IN_PACKAGE:
        embedded = yield from _already(order)
        if embedded is None:
            raise DatasetError(f"{order.name} is damaged in the package; install it again")
        yield embedded
        return
    if not OWN_NAME.fullmatch(order.name) or order.name.endswith(".partial"):
        raise DatasetError(
            f"{order.name!r} cannot name a dataset; use letters, digits, '-', '_' and '.'"
        )
    order.place.refuse_foreign()
    if not order.place.target.exists():
        _source(order)  # nothing is written if there is none
    if order.plan_only:
        yield from _planned(order)
        return
    try:
        order.data_dir.mkdir(parents=True, exist_ok=True)
        with FileLock(order.data_dir / f".{order.name}.lock", timeout=0):
            try:
                present = yield from _already(order)
                if present is None:
                    yield from _prepare(order)
                else:
                    order.place.tidy(all_done=True)  # a kill may have come between
                    yield present
            finally:
                order.place.tidy()
    except Timeout:
        raise DatasetError(f"{order.name} is being prepared by another process") from None
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS, errno.EPERM):
            raise
        raise DatasetError(
            f"cannot write to {order.data_dir}: {error.strerror}; what is finished is kept, the "
            "same command goes on"
        ) from error


def _already(order: Order) -> Generator[Event, None, Manifest | None]:
    """Check the dataset that is there; return its manifest, or None if it has to be made."""
    try:
        manifest = stored(order.name, order.data_dir)
    except DatasetError as error:
        yield Note("again", str(error))
        return None
    if manifest is None:
        return None
    _refuse_other_form(order, manifest)
    checks = damaged(manifest, folder_of(order.name, order.data_dir))
    for done, (name, bad) in enumerate(checks, start=1):
        if bad:
            yield Note("damaged", f"{name} is not as it was written; the dataset is made again")
            return None
        yield Progress("check", done, len(manifest.files))
    if order.source is not None:
        yield Note("source", "not looked at; to use it, remove the prepared dataset first")
    return manifest


def _refuse_other_form(order: Order, manifest: Manifest) -> None:
    resized = (order.resize or order.size) and order.fit != manifest.fit
    turned = order.description is None and not order.mirror and manifest.mirror
    if resized or turned:
        wanted = f"{order.fit}" if resized else "--no-mirror"
        raise DatasetError(
            f"{order.name} is prepared in {order.data_dir} at {manifest.fit}; for {wanted} "
            "choose another --data-dir or remove it first"
        )


def _source(order: Order) -> Path | Download:
    """Return the source to use: a person's own, or the fastest download.

    Raises:
        DatasetError: If there is none.
    """
    source, description = order.source, order.description
    if isinstance(source, Path):
        if not source.exists():
            raise DatasetError(f"there is no file or folder {source}")
        order.place.refuse_source(source)
        return source
    if description is None:
        if order.place.target.exists():
            raise DatasetError(f"to make {order.name} again, give its images by --source PATH")
        raise DatasetError(
            f"there is no dataset {order.name!r} in the catalogue, "
            f"{suggestion(order.name, CATALOGUE)}; for images of your own give --source PATH"
        )
    chosen = downloads.choose(description, source)
    if chosen is None:
        token = " (or --source hub, with your token)" if description.downloads else ""
        raise DatasetError(f"{order.name} needs --source PATH:  {description.layout}{token}")
    return chosen


def _planned(order: Order) -> Iterator[Event]:
    """Say what would be done; leave nothing behind."""
    source = _source(order)
    if isinstance(source, Download):
        yield _fetching(order, source)
        return
    with tempfile.TemporaryDirectory() as work:
        found = _listed(order, source, Path(work))
        _refuse_wrong_counts(order, found)
        yield _found(order, found)


def _fetching(order: Order, chosen: Download) -> Fetching:
    assert order.description is not None
    return Fetching(chosen, downloads.warning(order.description, chosen))


def _prepare(order: Order) -> Iterator[Event]:
    place, source = order.place, _source(order)
    if isinstance(source, Download):
        assert order.description is not None
        yield _fetching(order, source)
        size = int(source.megabytes * 1e6)
        images = sum(order.description.published.values())
        arrays = images * PIXELS * order.description.size**2
        place.refuse_small_disk(2 * size + arrays, f"{order.name}, with what is downloaded,")
        if place.begin(f"{source.kind} {source.where}\n{order.form}"):
            yield Note("new start", THROWN)
        source = downloads.fetch(order.description, source, place.download)
    elif source.is_dir():
        listed = listing(source, place.work, order.data_dir).files
        lines = (f"{f.path} {f.size} {f.age}" for f in listed if not layouts.is_hidden(f))
        token = digest_of("\n".join(lines).encode())
        if place.begin(f"{source.resolve()} {token}\n{order.form}"):
            yield Note("new start", THROWN)
    else:
        status = source.stat()
        token = f"{source.resolve()} {status.st_size} {status.st_mtime_ns}"
        if place.begin(f"{token}\n{order.form}"):
            yield Note("new start", THROWN)
    yield from _copying(order, source)
    found = _listed(order, source, place.work)
    _refuse_wrong_counts(order, found)
    announced = _found(order, found)
    yield announced
    if order.fit is not None:
        place.refuse_small_disk(announced.needed, order.name)
    with Pool(announced.workers) as pool:
        yield from _decoded(order, found, pool)


def _copying(order: Order, source: Path) -> Iterator[Event]:
    """Say, and refuse if there is no room, that a source has to be copied to be read."""
    done = any(order.place.work.glob("packed*.json")) or any(order.place.work.glob("*.tar"))
    size = copied(source)
    if size and not done:
        what = "what cannot be read here and there (compressed, or Parquet)"
        yield Note("copied first", f"{in_words(size)} or more: {what}")
        order.place.refuse_small_disk(size, f"a copy of {source}")


def _listed(order: Order, source: Path, work: Path) -> Inventory:
    """Return what a source holds."""
    files, empty = listing(source, work, order.data_dir)
    found = packs.unpacked(files, order.name, str(source), work)
    found = found or layouts.inventory(files, empty, str(source))
    if not found.images:
        raise DatasetError(f"there are no images with a label in {source}")
    return found


def _found(order: Order, found: Inventory) -> Found:
    images = len(found.images)
    size = order.fit.size if order.fit else 256
    here = sum(path.stat().st_size for path in order.place.arrays.glob("*_images-*.npy"))
    return Found(
        layout=found.layout,
        images=images,
        classes=len({image.name for image in found.images}),
        set_aside=dict(found.set_aside),
        fit=order.fit,
        needed=max(0, images * PIXELS * size**2 - here),
        free=order.place.free(),
        workers=min(order.workers or os.cpu_count() or 1, -(-images // FEW)),
    )


def _decoded(order: Order, found: Inventory, pool: Pool) -> Iterator[Event]:
    """Digest all images and write them; the last event is the manifest."""
    images, fit = found.images, order.fit
    known = yield from _digests(order, [image.file for image in images], fit is None, pool)
    if fit is None:
        fit = common_fit([one.size for one in known if one.size])
        order.place.refuse_small_disk(len(images) * PIXELS * fit.size**2, order.name)
    left_out = {
        image.file.path: one.reason
        for image, one in zip(images, known, strict=True)
        if not one.digest
    }
    readable = [
        Member("train", Label(image.part, image.name, one.digest), image.file)
        for image, one in zip(images, known, strict=True)
        if one.digest
    ]
    _refuse_losses(order, left_out, len(images))
    while True:
        members = _in_parts(order.name, readable, found.has_test)
        plan = shards(members, fit, order.place)
        todo = [shard for shard in plan if finished(shard) is None]
        if not todo:
            break
        done = len(members) - sum(len(shard.members) for shard in todo)
        yield Progress("images", done, len(members))
        for shard, written in pool.spread(write, todo):
            left_out |= written.left_out
            _refuse_losses(order, left_out, len(images))
            done += len(shard.members)
            yield Progress("images", done, len(members))
        # Without the images that turned out unreadable other ones may be held out; few shards
        # change then, and mostly none.
        readable = [member for member in readable if member.file.path not in left_out]
    manifest = _finished(order, found, fit, members)
    manifest = manifest.model_copy(update={"left_out": dict(sorted(left_out.items()))})
    order.place.put_in_place(manifest)
    yield manifest


def _refuse_wrong_counts(order: Order, found: Inventory) -> None:
    counts = Counter(image.part for image in found.images)
    _refuse_odd_classes(image[:2] for image in found.images)
    description = order.description
    if description is None:
        return
    classes = {image.name for image in found.images}
    published = dict(description.published) or dict(counts)
    if dict(counts) != published or len(classes) != description.classes:
        having = f"{counts['train']:,} + {counts['test']:,} images of {len(classes)} classes"
        wanted = f"{published['train']:,} + {published.get('test', 0):,} of {description.classes}"
        raise DatasetError(
            f"{order.name} has {wanted}, and the source {having}; it may be cut short. As a "
            "dataset of your own, under another name, it is taken as it is"
        )


def _refuse_odd_classes(labels: Iterable[tuple[str, str]]) -> None:
    """Refuse images, given as (part, class), that no network could learn to tell apart."""
    seen = set(labels)
    classes = {name for part, name in seen if part == "train"}
    foreign = {name for part, name in seen if part == "test"} - classes
    if not classes:
        raise DatasetError("the source has no images to train on, only test images")
    if foreign:
        raise DatasetError(
            f"the class {min(foreign)!r} has test images and none to train on; "
            "every class needs both"
        )
    if len(classes) < 2:
        raise DatasetError(
            f"the source has one class, {min(classes)!r}; telling classes apart takes two or more"
        )


def _refuse_losses(order: Order, left_out: dict[str, str], images: int) -> None:
    if len(left_out) == images:
        path, reason = next(iter(left_out.items()))
        raise DatasetError(f"the source has no image that can be read ({path}: {reason})")
    if order.allow_missing or len(left_out) <= ALLOWED * images:
        return
    some = "; ".join(f"{path}: {reason}" for path, reason in list(left_out.items())[:3])
    raise DatasetError(
        f"at least {len(left_out):,} of {images:,} images cannot be read ({some}); more than 1 % "
        "are missing: mend the source, or go on without them by --allow-missing"
    )


def _digests(
    order: Order, files: Sequence[File], sizes: bool, pool: Pool
) -> Generator[Progress, None, list[Examined]]:
    """Digest all files, going on from what an earlier start has noted; return what is known."""
    notes = order.place.notes / "digests.jsonl"
    known: dict[int, list[Examined]] = {}
    if notes.exists():
        for line in notes.read_text(encoding="utf-8").splitlines():
            try:
                row = json.loads(line)
            except ValueError:  # the last line of a start that was killed
                continue
            found = [
                Examined(digest, tuple(size) if size else None, reason)
                for digest, size, reason in row["files"]
            ]
            # What could not be read may be readable by now.
            if all(one.digest for one in found):
                known[row["start"]] = found
    starts = range(0, len(files), CHUNK)
    todo = [start for start in starts if start not in known]
    done = len(files) - sum(len(files[start : start + CHUNK]) for start in todo)
    jobs = [(start, files[start : start + CHUNK]) for start in todo]
    yield Progress("digests", done, len(files))
    with notes.open("a", encoding="utf-8") as file:
        if notes.stat().st_size:
            file.write("\n")  # ends what a killed start has left of a line
        for (start, some), found in pool.spread(partial(_examine, sizes=sizes), jobs):
            known[start] = found
            file.write(json.dumps({"start": start, "files": found}) + "\n")
            file.flush()
            done += len(some)
            yield Progress("digests", done, len(files))
    return [one for start in starts for one in known[start]]


def _examine(job: tuple[int, Sequence[File]], sizes: bool) -> list[Examined]:
    return [examined(file, sizes) for file in job[1]]


def _in_parts(name: str, readable: Sequence[Member], has_test: bool) -> list[Member]:
    """Return images in their parts: test as published or cut, valid cut from the rest."""
    if not has_test:
        labels = [member.label._replace(part="train") for member in readable]
        cut = held_out(labels, name, "test", TEST_SHARE)
        readable = [
            member._replace(label=label._replace(part="test" if label.digest in cut else "train"))
            for member, label in zip(readable, labels, strict=True)
        ]
    valid = held_out([member.label for member in readable], name)

    def part(label: Label) -> Part:
        if label.part == "test":
            return "test"
        return "valid" if label.digest in valid else "train"

    return [member._replace(part=part(member.label)) for member in readable]


def _finished(order: Order, found: Inventory, fit: Fit, members: Sequence[Member]) -> Manifest:
    """Write labels and statistics beside the arrays; return the manifest."""
    _refuse_odd_classes(
        ("test" if member.part == "test" else "train", member.label.name) for member in members
    )
    plan = shards(members, fit, order.place)
    classes = tuple(sorted({member.label.name for member in members}))
    numbers = {name: number for number, name in enumerate(classes)}
    files = {shard.name: done.file for shard in plan if (done := finished(shard))}
    total = Sums.none(fit.size, fit.size)
    labels: dict[Part, list[int]] = defaultdict(list)
    for shard in plan:
        labels[shard.part] += [numbers[member.label.name] for member in shard.members]
        if shard.part == "train":
            with np.load(shard.sums) as parts:
                total = total.plus(Sums(int(parts["images"]), parts["levels"], parts["products"]))
    for part in PARTS:
        if not labels[part]:
            raise DatasetError(
                f"{order.name} has too few images: none is left for {part}; "
                "ten or more of each class are needed"
            )
        np.save(order.place.arrays / f"{part}_labels.npy", np.array(labels[part], dtype=np.int64))
    measured = total.statistics()
    np.savez(order.place.arrays / "statistics.npz", **measured._asdict())
    for name in (*(f"{part}_labels.npy" for part in PARTS), "statistics.npz"):
        files[name] = file_digest(order.place.arrays / name)
    manifest = _manifest(order, found, fit, members, measured)
    return manifest.model_copy(update={"classes": classes, "files": dict(sorted(files.items()))})


def _manifest(
    order: Order, found: Inventory, fit: Fit, members: Sequence[Member], measured: Statistics
) -> Manifest:
    labels = [member.label for member in members]
    digests: dict[Part, list[str]] = {
        part: [m.label.digest for m in members if m.part == part] for part in PARTS
    }
    trained = set(digests["train"]) | set(digests["valid"])
    how = () if fit.kind == "own" else (f"{fit.kind} {fit.size}",)
    about = order.description
    return Manifest(
        name=order.name,
        title=about.title if about else f"{len(labels):,} images of your own",
        licence=about.licence if about else "",
        classes=(),
        titles=found.titles or (about.titles if about else {}),
        fit=fit,
        colour=about.colour if about else bool(measured.deviations[1] > GREY),
        mirror=about.mirror if about else order.mirror,
        counts={part: len(some) for part, some in digests.items()},
        digest=dataset_digest(labels, *how),
        split=digest_of("\n".join(sorted(set(digests["valid"]))).encode()),
        files={},
        source=found.layout,
        set_aside=dict(found.set_aside),
        repeated=len(labels) - len({label.digest for label in labels}),
        leaked=sum(digest in trained for digest in digests["test"]),
    )
