"""From published files to the prepared form: arrays in a fixed order, statistics, a manifest.

First every file is digested, which fixes the order of images and what is held out; then each shard
is decoded on its own. Both are done by as many processes as wanted, and taken up again after a
kill; the result is the same bytes.
"""

import errno
import json
import os
import re
import shutil
from collections import Counter, defaultdict
from collections.abc import Generator, Iterator, Sequence
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
from alexnet.data.files import File, listing
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
    stored,
)
from alexnet.data.pool import Pool
from alexnet.data.shards import Member, finished, shards, write
from alexnet.data.statistics import GREY, Statistics, Sums
from alexnet.names import suggestion

MARK, DOWNLOAD = "source.txt", "download"
CHUNK = 256  # files that are digested at a time
ALLOWED = 0.01  # of the images may be left out without asking
FEW = 500  # images, for which further processes are not worth their start
TEST_SHARE = 0.2  # of each class, where a source has no test images
PIXELS = 3  # bytes
OWN_NAME = re.compile(r"[A-Za-z0-9][\w.-]{0,63}")


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
    def work(self) -> Path:
        """Where unfinished work lies."""
        return self.data_dir / f"{self.name}.partial"

    @property
    def target(self) -> Path:
        """Where the prepared dataset will lie."""
        return self.data_dir / self.name

    @property
    def description(self) -> Description | None:
        """What the catalogue says, if it is in it."""
        return CATALOGUE.get(self.name)

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


class Progress(NamedTuple):
    """How far a stage has come."""

    stage: Literal["digests", "images", "check"]
    done: int
    total: int


Event = Fetching | Found | Progress | Manifest


def prepare(order: Order) -> Iterator[Event]:
    """Write the prepared form of a dataset to ``data_dir/name``; yield what happens.

    The last event is the manifest. A dataset that is there already is checked, not made again.
    It is written beside the final folder and renamed when complete, so what is there is whole.

    Raises:
        DatasetError: If the source is missing, damaged or not what it should be; if too many images
            cannot be read; if the disk is too small.
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
    try:
        order.data_dir.mkdir(parents=True, exist_ok=True)
        with FileLock(order.data_dir / f".{order.name}.lock", timeout=0):
            present = yield from _already(order)
            if present is None:
                yield from _prepare(order)
            else:
                yield present
    except DatasetError:
        _tidy(order)
        raise
    except Timeout:
        raise DatasetError(f"{order.name} is being prepared by another process") from None
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS, errno.EPERM):
            raise
        raise DatasetError(
            f"cannot write to {order.data_dir}: {error.strerror}; what is finished is kept, the "
            "same command goes on"
        ) from error


def _tidy(order: Order) -> None:
    """Leave no folder where nothing was done."""
    if order.work.is_dir():
        kept = [p for p in order.work.rglob("*") if p.is_file() and p.name != MARK]
        if not kept and (order.work / MARK).exists():
            shutil.rmtree(order.work)


def _already(order: Order) -> Generator[Event, None, Manifest | None]:
    """Check the dataset that is there; return its manifest, or None if it has to be made."""
    try:
        manifest = stored(order.name, order.data_dir)
    except DatasetError:
        return None
    if manifest is None:
        return None
    if order.fit not in (None, manifest.fit) and (order.resize or order.size):
        raise DatasetError(
            f"{order.name} is prepared in {order.data_dir} at {manifest.fit}; for {order.fit} "
            "choose another --data-dir or remove it first"
        )
    checks = damaged(manifest, folder_of(order.name, order.data_dir))
    for done, (_, bad) in enumerate(checks, start=1):
        if bad:
            return None
        yield Progress("check", done, len(manifest.files))
    return manifest


def _prepare(order: Order) -> Iterator[Event]:
    found = yield from _inventory(order)
    images = found.images
    _refuse_wrong_counts(order, found)
    workers = min(order.workers or os.cpu_count() or 1, -(-len(images) // FEW))
    needed = _needed(order, len(images))
    free = shutil.disk_usage(order.data_dir).free
    names = {image.name for image in images}
    aside = dict(found.set_aside)
    fit = order.fit
    yield Found(found.layout, len(images), len(names), aside, fit, needed, free, workers)
    if fit is not None:
        _refuse_small_disk(order, needed, free)
    if order.plan_only:
        return
    with Pool(workers) as pool:
        yield from _decoded(order, found, pool)


def _decoded(order: Order, found: Inventory, pool: Pool) -> Iterator[Event]:
    """Digest all images and write them; the last event is the manifest."""
    images, fit = found.images, order.fit
    known = yield from _digests(order, [image.file for image in images], fit is None, pool)
    if fit is None:
        fit = common_fit([one.size for one in known if one.size])
        needed = len(images) * PIXELS * fit.size**2
        _refuse_small_disk(order, needed, shutil.disk_usage(order.data_dir).free)
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
        plan = shards(members, fit, order.work)
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
    yield _finish(order, found, fit, members, left_out)


def _inventory(order: Order) -> Generator[Event, None, Inventory]:
    """Find the source, fetch it if need be, and return what it holds."""
    source = order.source
    if not isinstance(source, Path):
        description = order.description
        if description is None:
            raise DatasetError(
                f"there is no dataset {order.name!r} in the catalogue, "
                f"{suggestion(order.name, CATALOGUE)}; for images of your own give --source PATH"
            )
        chosen = downloads.choose(description, source)
        if chosen is None:
            raise DatasetError(f"{order.name} needs --source PATH:  {description.layout}")
        yield Fetching(chosen, downloads.warning(description, chosen))
        source = downloads.fetch(chosen, order.work / DOWNLOAD)
    if not source.exists():
        raise DatasetError(f"there is no file or folder {source}")
    _refuse_foreign_folders(order, source)
    status = source.stat()
    token = "" if source.is_dir() else f"{status.st_size} {status.st_mtime_ns}"
    if token:
        _begin(order, token)
    files, empty = listing(source, order.work)
    if not token:
        listed = "\n".join(f"{file.path} {file.size}" for file in files)
        _begin(order, digest_of(listed.encode()))
    found = packs.unpacked(files, order.name, str(source), order.work)
    found = found or layouts.inventory(files, empty, str(source))
    if not found.images:
        raise DatasetError(f"there are no images with a label in {source}")
    return found


def _refuse_foreign_folders(order: Order, source: Path) -> None:
    """Never put a dataset, or unfinished work, where a person keeps something else."""
    for folder, ours in ((order.target, "manifest.json"), (order.work, MARK)):
        if isinstance(order.source, Path) and source.resolve().is_relative_to(folder.resolve()):
            raise DatasetError(
                f"{source} lies where {order.name} would be written; move it, or choose another "
                "--data-dir or name"
            )
        foreign = folder.exists() and not (folder / ours).exists()
        if foreign and any(path.name != DOWNLOAD for path in folder.iterdir()):
            raise DatasetError(
                f"{folder} is there and holds something else; choose another --data-dir or name"
            )


def _begin(order: Order, token: str) -> None:
    """Throw away unfinished work on another source, or for another form."""
    mark = order.work / MARK
    text = f"{token}\n{order.resize} {order.size}\n"
    if mark.exists() and mark.read_text() == text:
        return
    if order.work.exists():
        for path in order.work.iterdir():
            if path.name != DOWNLOAD:
                shutil.rmtree(path) if path.is_dir() else path.unlink()
    order.work.mkdir(parents=True, exist_ok=True)
    mark.write_text(text)


def _refuse_wrong_counts(order: Order, found: Inventory) -> None:
    counts = Counter(image.part for image in found.images)
    classes = {image.name for image in found.images if image.part == "train"}
    foreign = {image.name for image in found.images if image.part == "test"} - classes
    if not counts["train"]:
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
    description = order.description
    if description is None:
        return
    published = dict(description.published) or dict(counts)
    if dict(counts) != published or len(classes) != description.classes:
        having = f"{counts['train']:,} + {counts['test']:,} images of {len(classes)} classes"
        wanted = f"{published['train']:,} + {published.get('test', 0):,} of {description.classes}"
        raise DatasetError(
            f"{order.name} has {wanted}, and the source {having}; it may be cut short. As a "
            "dataset of your own, under another name, it is taken as it is"
        )


def _needed(order: Order, images: int) -> int:
    """Return how many bytes the arrays take, at most, beyond what is already written."""
    size = order.fit.size if order.fit else 256
    here = sum(p.stat().st_size for p in order.work.glob("*_images-*.npy"))
    return max(0, images * PIXELS * size**2 - here)


def _refuse_small_disk(order: Order, needed: int, free: int) -> None:
    if needed > free:
        raise DatasetError(
            f"{order.name} takes {needed / 1e9:.1f} GB, and {order.data_dir} has "
            f"{free / 1e9:.1f} GB free; choose another --data-dir"
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
    notes = order.work / "digests.jsonl"
    known: dict[int, list[Examined]] = {}
    if notes.exists():
        for line in notes.read_text(encoding="utf-8").splitlines():
            try:
                row = json.loads(line)
            except ValueError:  # the last line of a start that was killed
                continue
            known[row["start"]] = [
                Examined(digest, tuple(size) if size else None, reason)
                for digest, size, reason in row["files"]
            ]
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


def _finish(
    order: Order, found: Inventory, fit: Fit, members: Sequence[Member], left_out: dict[str, str]
) -> Manifest:
    """Write labels, statistics and manifest, and put all of it in its place."""
    plan = shards(members, fit, order.work)
    written = {shard.name: finished(shard) for shard in plan}
    classes = tuple(sorted({member.label.name for member in members}))
    numbers = {name: number for number, name in enumerate(classes)}
    files = {name: one.file for name, one in written.items() if one}
    total = Sums.none(fit.size, fit.size)
    labels: dict[Part, list[int]] = defaultdict(list)
    for shard in plan:
        labels[shard.part] += [numbers[member.label.name] for member in shard.members]
        if shard.part == "train":
            with np.load(shard.sums) as parts:
                total = total.plus(Sums(int(parts["images"]), parts["levels"], parts["products"]))
    for part in PARTS:
        if not labels[part]:
            raise DatasetError(f"{order.name} has too few images: none is left for {part}")
        np.save(order.work / f"{part}_labels.npy", np.array(labels[part], dtype=np.int64))
    measured = total.statistics()
    np.savez(order.work / "statistics.npz", **measured._asdict())
    for name in (*(f"{part}_labels.npy" for part in PARTS), "statistics.npz"):
        files[name] = file_digest(order.work / name)
    manifest = _manifest(order, found, fit, members, measured)
    manifest = manifest.model_copy(
        update={"classes": classes, "files": dict(sorted(files.items())), "left_out": left_out}
    )
    _put_in_place(order, manifest)
    return manifest


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


def _put_in_place(order: Order, manifest: Manifest) -> None:
    text = manifest.model_dump_json(indent=2) + "\n"
    (order.work / "manifest.json").write_text(text, encoding="utf-8")
    for path in order.work.iterdir():
        if path.name not in manifest.files and path.name != "manifest.json":
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    shutil.rmtree(order.target, ignore_errors=True)
    order.work.rename(order.target)
