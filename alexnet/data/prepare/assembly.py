"""From what a source holds to arrays: digests, parts, shards, labels, statistics, manifest."""

import json
from collections import defaultdict
from collections.abc import Generator, Iterator, Sequence
from functools import partial

import numpy as np

from alexnet.data.digests import Label, dataset_digest, digest_of, file_digest, held_out
from alexnet.data.manifest import PARTS, DatasetError, Fit, Manifest, Part
from alexnet.data.prepare.decoding import Examined, common_fit, examined
from alexnet.data.prepare.files import File
from alexnet.data.prepare.published import Inventory
from alexnet.data.prepare.request import Event, PrepareRequest, Progress
from alexnet.data.prepare.shards import Member, finished, shards, write
from alexnet.data.prepare.sources import refuse_odd_classes
from alexnet.data.prepare.worker_pool import WorkerPool
from alexnet.data.statistics import GREY, Statistics, Sums
from alexnet.sealed import SealError, parsed, sealed, unsealed
from alexnet.text import counted

CHUNK = 256  # files that are digested at a time
ALLOWED = 0.01  # of the images may be left out without asking
EXAMPLES = 3  # of what is strange, by name
TEST_SHARE = 0.2  # of each class, where a source has no test images


def assembled(request: PrepareRequest, found: Inventory, pool: WorkerPool) -> Iterator[Event]:
    """Digest all images and write them; the last event is the manifest."""
    images, fit = found.images, request.fit
    known = yield from _digests(request, [image.file for image in images], fit is None, pool)
    if fit is None:
        fit = common_fit([one.size for one in known if one.size])
        request.place.refuse_small_disk(len(images) * fit.image_bytes, request.name)
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
    _refuse_losses(request, left_out, len(images))
    while True:
        members = _in_parts(request.name, readable, found.has_test)
        plan = shards(members, fit, request.place)
        todo = [shard for shard in plan if finished(shard) is None]
        if not todo:
            break
        done = len(members) - sum(len(shard.members) for shard in todo)
        yield Progress("images", done, len(members))
        for shard, written in pool.spread(write, todo):
            left_out |= written.left_out
            _refuse_losses(request, left_out, len(images))
            done += len(shard.members)
            yield Progress("images", done, len(members))
        # Without the images that turned out unreadable other ones may be held out; few shards
        # change then, and mostly none.
        readable = [member for member in readable if member.file.path not in left_out]
    manifest = _finished(request, found, fit, members)
    manifest = manifest.model_copy(update={"left_out": dict(sorted(left_out.items()))})
    request.place.put_in_place(manifest)
    yield manifest


def _refuse_losses(request: PrepareRequest, left_out: dict[str, str], images: int) -> None:
    if len(left_out) == images:
        path, reason = next(iter(left_out.items()))
        raise DatasetError(f"the source has no image that can be read ({path}: {reason})")
    if request.allow_missing or len(left_out) <= ALLOWED * images:
        return
    some = "; ".join(f"{path}: {reason}" for path, reason in list(left_out.items())[:3])
    raise DatasetError(
        f"at least {len(left_out):,} of {counted(images, 'image')} cannot be read ({some}); more "
        "than 1 % are missing: mend the source, or go on without them by --allow-missing"
    )


def _digests(
    request: PrepareRequest, files: Sequence[File], sizes: bool, pool: WorkerPool
) -> Generator[Progress, None, list[Examined]]:
    """Digest all files, going on from what an earlier start has noted; return what is known."""
    notes = request.place.notes / "digests.jsonl"
    known: dict[int, list[Examined]] = {}
    if notes.exists():
        for line in notes.read_bytes().splitlines():
            try:
                row = unsealed(parsed(line))
            except SealError:  # the last line of a start that was killed, or one that was damaged
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
            file.write(json.dumps(sealed({"start": start, "files": found})) + "\n")
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


def _finished(
    request: PrepareRequest, found: Inventory, fit: Fit, members: Sequence[Member]
) -> Manifest:
    """Write labels and statistics beside the arrays; return the manifest."""
    refuse_odd_classes(
        ("test" if member.part == "test" else "train", member.label.name) for member in members
    )
    plan = shards(members, fit, request.place)
    classes = tuple(sorted({member.label.name for member in members}))
    numbers = {name: number for number, name in enumerate(classes)}
    written = {shard.name: done for shard in plan if (done := finished(shard))}
    files = {name: done.file for name, done in written.items()}
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
                f"{request.name} has too few images: none is left for {part}; "
                "ten or more of each class are needed"
            )
        np.save(request.place.arrays / f"{part}_labels.npy", np.array(labels[part], dtype=np.int64))
    measured = total.statistics()
    np.savez(request.place.arrays / "statistics.npz", **measured._asdict())
    for name in (*(f"{part}_labels.npy" for part in PARTS), "statistics.npz"):
        files[name] = file_digest(request.place.arrays / name)
    manifest = _manifest(request, found, fit, members, measured)
    flat = sorted(path for done in written.values() for path in done.flat)
    relabelled = _relabelled(members)
    examples = {"relabelled": relabelled[:EXAMPLES], "flat": flat[:EXAMPLES]}
    manifest = manifest.but(
        relabelled=len(relabelled),
        flat=len(flat),
        such_as={kind: tuple(some) for kind, some in examples.items() if some},
    )
    return manifest.model_copy(update={"classes": classes, "files": dict(sorted(files.items()))})


def _relabelled(members: Sequence[Member]) -> list[str]:
    """Return every image of which an exact copy has another class, and that copy, as a sentence."""
    first: dict[str, Member] = {}
    other: dict[str, Member] = {}  # the first of another class than the first
    by_path = sorted(members, key=lambda one: one.file.path)
    for member in by_path:
        before = first.setdefault(member.label.digest, member)
        if before.label.name != member.label.name:
            other.setdefault(member.label.digest, member)
    pairs = []
    for member in by_path:
        digest = member.label.digest
        if digest in other:
            one = first[digest]
            twin = other[digest] if one.label.name == member.label.name else one
            pairs.append(
                f"{member.file.path} ({member.label.name}) is {twin.file.path} ({twin.label.name})"
            )
    return pairs


def _manifest(
    request: PrepareRequest,
    found: Inventory,
    fit: Fit,
    members: Sequence[Member],
    measured: Statistics,
) -> Manifest:
    labels = [member.label for member in members]
    digests: dict[Part, list[str]] = {
        part: [m.label.digest for m in members if m.part == part] for part in PARTS
    }
    trained = set(digests["train"]) | set(digests["valid"])
    how = () if fit.kind == "own" else (f"{fit.kind} {fit.size}",)
    about = request.description
    return Manifest(
        name=request.name,
        title=about.title if about else f"{counted(len(labels), 'image')} of your own",
        licence=about.licence if about else "",
        classes=(),
        titles=found.titles or (about.titles if about else {}),
        fit=fit,
        colour=about.colour if about else bool(measured.deviations[1] > GREY),
        mirror=about.mirror if about else request.mirror,
        counts={part: len(some) for part, some in digests.items()},
        digest=dataset_digest(labels, *how),
        split=digest_of("\n".join(sorted(set(digests["valid"]))).encode()),
        files={},
        source=found.layout,
        set_aside=dict(found.set_aside),
        repeated=len(labels) - len({label.digest for label in labels}),
        leaked=sum(digest in trained for digest in digests["test"]),
    )
