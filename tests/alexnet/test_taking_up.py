"""What preparation must never lose or mix up: a person's files, sources, unfinished work."""

import os
import shutil
import signal
import tarfile
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from alexnet.data.digests import digest_of
from alexnet.data.images import load
from alexnet.data.manifest import DatasetError, Manifest
from alexnet.data.prepare import preparation, work
from alexnet.data.prepare.decoding import decoded
from alexnet.data.prepare.files import File
from alexnet.data.prepare.preparation import prepare
from alexnet.data.prepare.request import Note, PrepareRequest, Progress
from alexnet.data.prepare.worker_pool import WorkerPool
from alexnet.data.stored import all_stored
from tests.builders.packs import parquet
from tests.builders.sources import contents, made, picture

pytestmark = pytest.mark.usefixtures("small_shards")


def stopped(order: PrepareRequest, stage: str = "images") -> None:
    """Begin a preparation and leave it when the first part of a stage is done."""
    for event in prepare(order):
        if isinstance(event, Progress) and event.stage == stage and event.done:
            return
    pytest.fail("it was done before")


def resumed(order: PrepareRequest) -> int:
    """Return how many images are done already when they are decoded again."""
    events = prepare(order)
    return next(e.done for e in events if isinstance(e, Progress) and e.stage == "images")


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("pets", "manifest.json"),
        ("pets", "download/thesis.tex"),
        ("pets.partial", "download/thesis.tex"),
        ("pets.partial", "notes/thesis.tex"),
    ],
)
def test_what_a_person_keeps_there_is_not_written_over(
    folder: str, name: str, pets: Path, tmp_path: Path
) -> None:
    """Whatever it is called."""
    path = tmp_path / "data" / folder / name
    path.parent.mkdir(parents=True)
    path.write_text('{"name": "my site", "files": []}')
    (path.parent / "thesis.tex").write_text("years")

    with pytest.raises(DatasetError, match="is not a prepared dataset"):
        made(PrepareRequest("pets", pets, tmp_path / "data"))

    assert (path.parent / "thesis.tex").exists()


def test_a_link_to_another_disk_is_refused_at_once(pets: Path, tmp_path: Path) -> None:
    """And not after all images are decoded."""
    (tmp_path / "data").mkdir()
    (tmp_path / "disk").mkdir()
    (tmp_path / "data" / "pets").symlink_to(tmp_path / "disk")

    with pytest.raises(DatasetError, match="choose another --data-dir"):
        next(prepare(PrepareRequest("pets", pets, tmp_path / "data")))


def test_another_source_of_the_same_sizes_is_another_source(pets: Path, tmp_path: Path) -> None:
    """Same names, same bytes but for their last: nothing of the first is used."""
    other = tmp_path / "other"
    shutil.copytree(pets, other)
    for path in other.rglob("*.jpg"):
        content = bytearray(path.read_bytes())
        content[-10] ^= 1
        path.write_bytes(content)
    order = PrepareRequest("pets", pets, tmp_path / "data")
    stopped(order)

    events = list(prepare(replace(order, source=other)))

    assert events[-1] == made(PrepareRequest("pets", other, tmp_path / "fresh"))
    assert any(isinstance(event, Note) and "thrown away" in event.text for event in events)


def test_a_mended_image_is_read(pets: Path, tmp_path: Path) -> None:
    """Though an earlier start has found it unreadable, and its length and age are the same."""
    path = pets / "train" / "cat" / "0.jpg"
    good, age = path.read_bytes(), path.stat()
    path.write_bytes(bytes(len(good)))
    os.utime(path, ns=(age.st_atime_ns, age.st_mtime_ns))
    order = PrepareRequest("pets", pets, tmp_path / "data")
    stopped(order)
    path.write_bytes(good)
    os.utime(path, ns=(age.st_atime_ns, age.st_mtime_ns))

    found = made(order)

    assert found.left_out == {}
    assert found.images == 240


def test_what_a_system_leaves_in_a_folder_changes_nothing(pets: Path, tmp_path: Path) -> None:
    """Nor does a data folder that lies within the source."""
    order = PrepareRequest("pets", pets, pets / "data")
    stopped(order)
    (pets / "train" / ".DS_Store").write_text("mac")

    assert resumed(order) > 0


@pytest.mark.parametrize("point", ["before", "between", "after"])
def test_a_kill_at_the_very_end_loses_nothing(
    point: str, pets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before arrays and an older dataset change places, between, and before the folder goes."""
    order = PrepareRequest("pets", pets, tmp_path / "data")
    manifest = made(order)
    wanted = contents(order.place.target)
    (order.place.target / "train_labels.npy").write_bytes(b"damaged")
    real, removing = Path.rename, shutil.rmtree

    def killed(path: Path, target: Path) -> Path:
        if (point, path.name) in (("before", "pets"), ("between", "arrays")):
            raise KeyboardInterrupt
        return real(path, target)

    def kept(path: Path, **options: object) -> None:
        if point == "after" and path.name == "pets.partial":
            raise KeyboardInterrupt
        removing(path, **options)  # type: ignore[arg-type]

    with monkeypatch.context() as patched:
        patched.setattr(Path, "rename", killed)
        patched.setattr(work.shutil, "rmtree", kept)
        with pytest.raises(KeyboardInterrupt):
            made(order)

    assert made(order) == manifest
    assert contents(order.place.target) == wanted
    assert not order.place.work.exists()


def test_a_dry_run_leaves_everything_as_it_was(pets: Path, tmp_path: Path) -> None:
    """No folder where there was none, and unfinished work on another source."""
    order = PrepareRequest("pets", pets, tmp_path / "data")
    list(prepare(replace(order, plan_only=True)))
    assert not order.data_dir.exists()
    stopped(order)
    before = contents(order.place.arrays)
    with tarfile.open(tmp_path / "pets.tgz", "w:gz") as tar:
        tar.add(pets, "pets")

    list(prepare(replace(order, source=tmp_path / "pets.tgz", plan_only=True)))
    *rest, last = prepare(PrepareRequest("cifar10", "official", tmp_path / "none", plan_only=True))

    assert contents(order.place.arrays) == before
    assert type(last).__name__ == "Fetching"
    assert rest == []
    assert not (tmp_path / "none").exists()
    assert resumed(order) > 0


def test_unfinished_work_may_be_moved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A relative data folder, taken up from elsewhere: copies of packed images are found."""
    monkeypatch.setattr(preparation, "FEW", 10_000)
    rows, labels = [picture(number) for number in range(120)], [0, 1] * 60
    for part, count in (("train", 120), ("test", 20)):
        path = tmp_path / "hub" / f"{part}-0.parquet"
        parquet(path, rows[:count], labels[:count], ["a", "b"])
    monkeypatch.chdir(tmp_path)
    order = PrepareRequest("mine", tmp_path / "hub", Path("data"))
    stopped(order, "digests")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "data").rename(tmp_path / "elsewhere" / "data")
    monkeypatch.chdir(tmp_path / "elsewhere")

    assert made(order).images == 140


def test_left_out_images_do_not_depend_on_processes(pets: Path, tmp_path: Path) -> None:
    """Broken ones in many shards: the manifest too is the same bytes."""
    for number, path in enumerate(sorted(pets.rglob("*.jpg"))):
        if number % 25 == 0:
            path.write_bytes(path.read_bytes()[:-20])
    orders = [
        PrepareRequest("pets", pets, tmp_path / str(n), size=32, allow_missing=True, workers=n)
        for n in (1, 3)
    ]
    for order in orders:
        made(order)

    one, other = (contents(order.place.target) for order in orders)
    assert one == other
    assert b"truncated" in one["manifest.json"]


def test_a_class_that_loses_its_training_images_is_named(pets: Path, tmp_path: Path) -> None:
    """Though its test images are whole."""
    for part, count in (("train", 2), ("test", 2)):
        for number in range(count):
            path = pets / part / "emu" / f"{number}.jpg"
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(picture(5000 + number) if part == "test" else b"gone")

    with pytest.raises(DatasetError, match="'emu' has test images and none to train on"):
        made(PrepareRequest("pets", pets, tmp_path / "data", allow_missing=True))


def test_a_shard_that_was_cut_is_written_again(pets: Path, tmp_path: Path) -> None:
    """Its note alone is not believed."""
    order = PrepareRequest("pets", pets, tmp_path / "data")
    stopped(order)
    done = resumed(order)
    path = next(order.place.arrays.glob("*_images-*.npy"))
    path.write_bytes(b"")

    assert resumed(order) < done
    assert made(order).images == 240
    assert len(load("pets", tmp_path / "data").train) == 180


def die(number: int) -> int:
    """End this process as the system does when memory runs out."""
    os.kill(os.getpid(), signal.SIGKILL)
    return number


def test_a_killed_process_is_said() -> None:
    """With what to do."""
    with WorkerPool(2) as pool, pytest.raises(DatasetError, match="fewer --workers") as caught:
        list(pool.spread(die, range(4)))

    assert isinstance(caught.value.__cause__, BrokenProcessPool)


def test_the_digest_of_pixels_is_what_it_was(tmp_path: Path) -> None:
    """SHA-256 of the bytes alone, by which runs on CIFAR-10 are named."""
    pixels = np.arange(32 * 32 * 3, dtype=np.uint32).astype(np.uint8).reshape(32, 32, 3)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    size = (tmp_path / "a.png").stat().st_size

    _, digest = decoded(File("a.png", str(tmp_path / "a.png"), 0, size))

    assert digest == digest_of(bytes(range(256)) * 12)


def test_test_rows_without_labels_are_set_aside(tmp_path: Path) -> None:
    """As ILSVRC's own test images are published; a fifth is cut if there are no others."""
    rows = [picture(number) for number in range(60)]
    labels = [number % 2 for number in range(60)]
    parquet(tmp_path / "hub" / "train-0.parquet", rows, labels, ["a", "b"])
    parquet(tmp_path / "hub" / "test-0.parquet", rows[:7], [-1] * 7, ["a", "b"])

    alone = made(PrepareRequest("mine", tmp_path / "hub", tmp_path / "one"))
    parquet(tmp_path / "hub" / "validation-0.parquet", rows[:10], labels[:10], ["a", "b"])
    beside = made(PrepareRequest("mine", tmp_path / "hub", tmp_path / "two"))

    assert alone.set_aside == beside.set_aside == {"without a label": 7}
    assert (alone.counts["test"], beside.counts["test"]) == (12, 10)


def test_a_renamed_dataset_is_found_by_its_new_name(pets: Path, tmp_path: Path) -> None:
    """In the list too."""
    made(PrepareRequest("pets", pets, tmp_path / "data"))
    (tmp_path / "data" / "pets").rename(tmp_path / "data" / "animals")

    names = [manifest.name for manifest in all_stored(tmp_path / "data")]

    assert names == ["fashion_mini", "animals"]
    assert len(load("animals", tmp_path / "data").test) == 40


def test_a_damaged_dataset_without_its_source_says_so(pets: Path, tmp_path: Path) -> None:
    """Which file, and what is needed."""
    order = PrepareRequest("pets", pets, tmp_path / "data")
    made(order)
    (order.place.target / "train_labels.npy").write_bytes(b"")
    events = prepare(replace(order, source=None))

    note = next(event for event in events if isinstance(event, Note))
    assert note.text.startswith("train_labels.npy is not as it was written")
    with pytest.raises(DatasetError, match="to make pets again, give its images by --source"):
        next(events)
    assert order.place.target.exists()


def test_another_form_is_not_ignored(pets: Path, tmp_path: Path) -> None:
    """Mirrored images that are not natural after all, and a source that is not looked at."""
    order = PrepareRequest("pets", pets, tmp_path / "data")
    manifest = made(order)
    with pytest.raises(DatasetError, match="for --no-mirror choose another"):
        made(replace(order, mirror=False))

    events = list(prepare(order))

    assert isinstance(events[-1], Manifest)
    assert events[-1] == manifest
    assert any(isinstance(event, Note) and "not looked at" in event.text for event in events)


@pytest.mark.parametrize("note", ["digests.jsonl", "*.json"])
def test_a_flipped_digit_in_the_notes_is_looked_up_again(
    pets: Path, tmp_path: Path, note: str
) -> None:
    """What an earlier start noted of a file or a shard; it ended in "start again" for ever."""
    order = PrepareRequest("pets", pets, tmp_path / "data", size=64)
    stopped(order)
    damaged = sorted(order.place.notes.glob(note))
    assert damaged
    for path in damaged:
        text = path.read_text()
        digits = [place for place, letter in enumerate(text) if letter in "0123456789"]
        for place in digits[10::97]:
            text = f"{text[:place]}{(int(text[place]) + 1) % 10}{text[place + 1 :]}"
        path.write_text(text)

    found = made(order)

    assert found == made(PrepareRequest("pets", pets, tmp_path / "other", size=64))
