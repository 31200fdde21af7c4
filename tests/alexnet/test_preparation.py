"""Preparing datasets: the same bytes however it is done, taken up after a kill, honest losses."""

import errno
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import time
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock
from PIL import Image
from rich.console import Console

from alexnet.data.digests import digest_of
from alexnet.data.images import load
from alexnet.data.manifest import DatasetError, Fit, Manifest
from alexnet.data.prepare import shards
from alexnet.data.prepare.preparation import prepare
from alexnet.data.prepare.request import Event, Found, PrepareRequest, Progress
from alexnet.data.statistics import statistics
from alexnet.data.stored import damaged, read_manifest, stored
from reports.commands.prepare import run
from tests.builders.sources import contents, made, picture

pytestmark = pytest.mark.usefixtures("small_shards")


def test_the_same_bytes_from_any_source_by_any_number_of_processes(
    pets: Path, tmp_path: Path
) -> None:
    """Folder, tar in another order with other names, zip; one process and three."""
    with tarfile.open(tmp_path / "all.tar", "w") as tar:
        for number, path in enumerate(sorted(pets.rglob("*.jpg"), reverse=True)):
            tar.add(path, f"some/{path.parent.relative_to(pets)}/{number}.jpeg")
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as file:
        for path in pets.rglob("*.jpg"):
            file.write(path, path.relative_to(pets))
    orders = [
        PrepareRequest("pets", pets, tmp_path / "one", workers=1),
        PrepareRequest("pets", tmp_path / "all.tar", tmp_path / "two", workers=3),
        PrepareRequest("pets", tmp_path / "all.zip", tmp_path / "three", workers=1),
    ]

    manifests = [made(order) for order in orders]

    assert manifests[0] == manifests[1] == manifests[2]
    assert manifests[0].counts == {"train": 180, "valid": 20, "test": 40}
    assert manifests[0].classes == ("cat", "dog")
    assert (
        contents(orders[0].place.target)
        == contents(orders[1].place.target)
        == contents(orders[2].place.target)
    )
    assert len(manifests[0].shards("train")) == 4


def test_what_is_read_back_is_what_was_there(pets: Path, tmp_path: Path) -> None:
    """Every picture with its class, in one part, in the order of digests; the statistics too."""
    made(PrepareRequest("pets", pets, tmp_path / "data"))
    data = load("pets", tmp_path / "data")
    expected = {
        (np.asarray(Image.open(path)).tobytes(), path.parent.name): digest_of(path.read_bytes())
        for path in pets.rglob("*.jpg")
    }

    found = [
        [
            (image.numpy().tobytes(), data.manifest.classes[label])
            for image, label in zip(part.pixels, part.labels.tolist(), strict=True)
        ]
        for part in (data.train, data.valid, data.test)
    ]

    assert {one for part in found for one in part} == expected.keys()
    for part in found:
        digests = [expected[one] for one in part]
        assert digests == sorted(digests)
    measured = statistics(np.asarray(data.train.pixels))
    for ours, whole in zip((data.mean, data.deviations, data.axes), measured, strict=True):
        assert np.array_equal(ours.numpy(), whole)


def test_a_prepared_dataset_is_checked_and_not_made_again(pets: Path, tmp_path: Path) -> None:
    """Its source may be gone; nothing is written."""
    order = PrepareRequest("pets", pets, tmp_path / "data")
    first = made(order)
    before = {path.name: path.stat().st_mtime_ns for path in order.place.target.iterdir()}
    shutil.rmtree(pets)

    events = list(prepare(order))

    assert events[-1] == first
    assert {event.stage for event in events if isinstance(event, Progress)} == {"check"}
    assert {path.name: path.stat().st_mtime_ns for path in order.place.target.iterdir()} == before


def test_a_damaged_dataset_is_refused_and_made_again(pets: Path, tmp_path: Path) -> None:
    """One bit of one image."""
    order = PrepareRequest("pets", pets, tmp_path / "data")
    manifest = made(order)
    path = order.place.target / manifest.shards("train")[0]
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)

    with pytest.raises(DatasetError, match=f"{path.name} is damaged"):
        load("pets", tmp_path / "data")
    assert [name for name, bad in damaged(manifest, order.place.target) if bad] == [path.name]
    assert made(order) == manifest
    assert not any(bad for _, bad in damaged(manifest, order.place.target))


SLOW = """
import sys, time
from pathlib import Path
from alexnet.data.prepare import preparation
from alexnet.data.prepare import shards
from alexnet.data.prepare.preparation import PrepareRequest, prepare

shards.MOST, preparation.FEW = 50, 60
if __name__ == "__main__":
    for event in prepare(PrepareRequest("pets", Path(sys.argv[1]), Path(sys.argv[2]), workers=2)):
        if getattr(event, "stage", "") == "images" and event.done >= 60:
            print("some are done", flush=True)
            time.sleep(60)
"""


def test_a_killed_preparation_is_taken_up(pets: Path, tmp_path: Path) -> None:
    """Without notice; its processes end, finished shards are kept, the bytes are the same."""
    script = tmp_path / "slow.py"
    script.write_text(SLOW)
    data = tmp_path / "data"
    whole = made(PrepareRequest("pets", pets, tmp_path / "whole"))
    with subprocess.Popen(
        [sys.executable, script, pets, data],
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(Path.cwd())},
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"some are done\n"
        process.send_signal(signal.SIGKILL)
    wait_until_gone(process.pid)
    with pytest.raises(DatasetError, match=r"no dataset"):
        read_manifest("pets", data)
    order = PrepareRequest("pets", pets, data)
    finished = list(order.place.notes.glob("*.json"))
    before = {path.stem: (order.place.arrays / path.stem).stat().st_ino for path in finished}

    events = list(prepare(order))

    assert finished
    assert events[-1] == whole
    first = next(e for e in events if isinstance(e, Progress) and e.stage == "images")
    assert first.done >= 50
    after = {path.name: path.stat().st_ino for path in order.place.target.glob("*_images*")}
    assert before.items() <= after.items()
    assert contents(order.place.target) == contents(tmp_path / "whole" / "pets")


def wait_until_gone(session: int) -> None:
    """Wait up to ten seconds until no process of a session is left."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        listed = subprocess.run(
            ["ps", "-o", "stat=", "--sid", str(session)],
            capture_output=True,
            text=True,
            check=False,
        )
        if not [line for line in listed.stdout.split() if not line.startswith("Z")]:
            return
        time.sleep(0.1)
    pytest.fail("processes are left")


def test_digests_that_are_known_are_not_taken_again(pets: Path, tmp_path: Path) -> None:
    """Even if the last line was cut by a kill."""
    order = PrepareRequest("pets", pets, tmp_path / "data")
    for event in prepare(order):
        if isinstance(event, Progress) and event.stage == "images":
            break
    notes = order.place.notes / "digests.jsonl"
    notes.write_text(notes.read_text() + '{"start": 512, "fil')

    first = next(e for e in prepare(order) if isinstance(e, Progress))

    assert (first.stage, first.done, first.total) == ("digests", 240, 240)
    assert made(order).images == 240


def test_unfinished_work_on_another_source_is_thrown_away(pets: Path, tmp_path: Path) -> None:
    """A file more is another source, another size another form."""
    order = PrepareRequest("pets", pets, tmp_path / "data")
    for event in prepare(order):
        if isinstance(event, Progress) and event.stage == "images" and event.done:
            break
    (pets / "train" / "cat" / "new.jpg").write_bytes(picture(999))

    first = next(e for e in prepare(order) if isinstance(e, Progress))

    assert (first.done, first.total) == (0, 241)


def test_an_image_that_changes_while_it_is_prepared_stops_it(pets: Path, tmp_path: Path) -> None:
    """Of the same length, so that nothing else tells."""
    order = PrepareRequest("pets", pets, tmp_path / "data", workers=1)
    path = pets / "train" / "cat" / "0.jpg"
    events = prepare(order)
    for event in events:
        if isinstance(event, Progress) and event.stage == "images":
            break
    content = bytearray(path.read_bytes())
    content[-10] ^= 1
    path.write_bytes(content)

    with pytest.raises(DatasetError, match=r"0\.jpg was changed while"):
        list(events)


def broken(pets: Path, count: int) -> None:
    """Cut so many cats short, after the header."""
    for path in sorted((pets / "train" / "cat").iterdir())[:count]:
        path.write_bytes(path.read_bytes()[:800])


def test_few_unreadable_images_are_left_out_and_listed(pets: Path, tmp_path: Path) -> None:
    """Two of 240; the result is that of a source that never had them."""
    broken(pets, 2)
    with_them = made(PrepareRequest("pets", pets, tmp_path / "one"))
    for path in with_them.left_out:
        (pets / path).unlink()

    without = made(PrepareRequest("pets", pets, tmp_path / "other"))

    assert len(with_them.left_out) == 2
    assert all("truncated" in reason for reason in with_them.left_out.values())
    assert with_them.model_copy(update={"left_out": {}}) == without
    one, other = (contents(tmp_path / name / "pets") for name in ("one", "other"))
    assert one.pop("manifest.json") != other.pop("manifest.json")
    assert one == other


def test_many_unreadable_images_stop_it(pets: Path, tmp_path: Path) -> None:
    """More than 1 %, unless they are allowed to be missing; what was done is not done again."""
    broken(pets, 5)
    order = PrepareRequest("pets", pets, tmp_path / "data")
    with pytest.raises(DatasetError, match=r"of 240 images cannot be read .*--allow-missing"):
        made(order)

    events = list(prepare(replace(order, allow_missing=True)))

    assert isinstance(events[-1], Manifest)
    assert len(events[-1].left_out) == 5
    assert events[-1].images == 235


def test_without_test_images_a_fifth_is_cut_off(pets: Path, tmp_path: Path) -> None:
    """Of each class, by digests: other names and another order cut the same."""
    flat = tmp_path / "flat"
    for number, path in enumerate(sorted(pets.rglob("*.jpg"))):
        for name in (f"{number}.jpg", f"z{240 - number}.jpg"):
            copy = (flat / ("b" if name.startswith("z") else "a")) / path.parent.name / name
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy)

    one = made(PrepareRequest("pets", flat / "a", tmp_path / "one"))
    other = made(PrepareRequest("pets", flat / "b", tmp_path / "other"))

    assert one == other
    assert one.counts == {"train": 172, "valid": 20, "test": 48}
    labels = load("pets", tmp_path / "one").test.labels
    assert labels.bincount().tolist() == [24, 24]


def test_copies_are_counted_and_stay_together(pets: Path, tmp_path: Path) -> None:
    """Three cats twice among those to train on, one of them in test as well."""
    cats = sorted((pets / "train" / "cat").iterdir())[:3]
    for path in cats:
        shutil.copyfile(path, path.with_name(f"copy of {path.name}"))
    shutil.copyfile(cats[0], pets / "test" / "cat" / "leaked.jpg")

    found = made(PrepareRequest("pets", pets, tmp_path / "data"))

    assert (found.images, found.repeated, found.leaked) == (244, 4, 1)
    data = load("pets", tmp_path / "data")
    parts = [{image.numpy().tobytes() for image in p.pixels} for p in (data.train, data.valid)]
    assert not parts[0] & parts[1]


@pytest.mark.parametrize(
    ("change", "fit"),
    [
        ({}, Fit(kind="own", size=32)),
        ({"resize": "centre", "size": 20}, Fit(kind="centre", size=20)),
        ({"resize": "stretch", "size": 20}, Fit(kind="stretch", size=20)),
        ({"size": 24}, Fit(kind="centre", size=24)),
        ({"resize": "stretch"}, Fit(kind="stretch", size=256)),
    ],
)  # fmt: skip
def test_images_come_to_the_size_that_was_asked_for(
    change: dict[str, object], fit: Fit, pets: Path, tmp_path: Path
) -> None:
    """By themselves they stay as they are: they are small, square and alike."""
    order = replace(PrepareRequest("pets", pets, tmp_path / "data"), **change)  # type: ignore[arg-type]

    found = made(order)

    assert found.fit == fit
    assert load("pets", tmp_path / "data").train.pixels.shape[1:] == (fit.size, fit.size, 3)


def test_resized_otherwise_is_another_dataset(pets: Path, tmp_path: Path) -> None:
    """To a run's identity; where nothing is resized, the digest is of the images alone."""
    digests = {
        made(PrepareRequest("pets", pets, tmp_path / f"{resize}{size}", resize, size)).digest  # type: ignore[arg-type]
        for resize, size in ((None, None), ("centre", 20), ("stretch", 20), ("centre", 24))
    }

    assert len(digests) == 4


def test_a_dataset_of_another_size_is_not_replaced(pets: Path, tmp_path: Path) -> None:
    """Silently, that is."""
    made(PrepareRequest("pets", pets, tmp_path / "data"))

    with pytest.raises(DatasetError, match=r"is prepared in .* as they are; for 20 x 20"):
        made(PrepareRequest("pets", pets, tmp_path / "data", size=20))


def remove(*paths: str) -> Callable[[Path], None]:
    """Return what removes parts of the pets."""
    return lambda pets: [shutil.rmtree(pets / path) for path in paths] and None


@pytest.mark.parametrize(
    ("name", "spoil", "message"),
    [
        ("pets", remove("train/dog", "test/dog"), "one class, 'cat'"),
        ("pets", remove("train/dog"), "'dog' has test images and none to train on"),
        ("pets", remove(""), "no file or folder"),
        ("pets", lambda pets: broken(pets, 0) or empty(pets), "no image that can be read"),
        ("pets", remove("train", "test"), "no images"),
        ("cifar10_jpeg", lambda pets: None, r"has 50,000 \+ 10,000 of 10, and .* 200 \+ 40"),
        ("fashion_mini.partial", lambda pets: None, "cannot name a dataset"),
        ("../up", lambda pets: None, "cannot name a dataset"),
    ],
)  # fmt: skip
def test_a_source_that_makes_no_dataset_is_refused(
    name: str, spoil: Callable[[Path], None], message: str, pets: Path, tmp_path: Path
) -> None:
    """With what is wrong, and without leaving anything that looks prepared."""
    spoil(pets)

    with pytest.raises(DatasetError, match=message):
        made(PrepareRequest(name, pets, tmp_path / "data"))
    assert not (tmp_path / "data" / name / "manifest.json").exists()


def test_images_are_never_written_over(pets: Path, tmp_path: Path) -> None:
    """Neither by a dataset of the folder's own name nor by unfinished work."""
    shutil.copytree(pets, tmp_path / "rabbits.partial")
    for name, source in (("pets", pets), ("pets", pets / "train"), ("rabbits", pets)):
        with pytest.raises(DatasetError, match="choose another --data-dir or name"):
            made(PrepareRequest(name, source, tmp_path))

    assert len(list(pets.rglob("*.jpg"))) == 240
    assert len(list((tmp_path / "rabbits.partial").rglob("*.jpg"))) == 240


def empty(pets: Path) -> None:
    """Empty every file."""
    for path in pets.rglob("*.jpg"):
        path.write_bytes(b"")


def test_a_full_disk_is_said_and_what_is_done_is_kept(
    pets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both before, as far as can be known, and when it happens."""
    order = PrepareRequest("pets", pets, tmp_path / "data", size=256, workers=1)
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=10_000_000))
    with pytest.raises(DatasetError, match=r"takes 47 MB, and .* has 10 MB free"):
        made(order)
    monkeypatch.undo()
    monkeypatch.setattr(shards, "MOST", 50)
    real = np.savez

    def full(path: Path, **arrays: np.ndarray) -> None:
        if "0002" in str(path):
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        real(path, **arrays)

    monkeypatch.setattr(np, "savez", full)
    with pytest.raises(DatasetError, match="No space left on device; what is finished is kept"):
        made(order)
    monkeypatch.undo()
    monkeypatch.setattr(shards, "MOST", 50)

    first = next(e for e in prepare(order) if isinstance(e, Progress) and e.stage == "images")

    assert first.done > 0


def test_two_cannot_prepare_one_dataset_at_a_time(pets: Path, tmp_path: Path) -> None:
    """The second is told, and can come again."""
    order = PrepareRequest("pets", pets, tmp_path / "data")
    order.data_dir.mkdir()
    with (
        FileLock(tmp_path / "data" / ".pets.lock"),
        pytest.raises(DatasetError, match="another process"),
    ):
        made(order)

    assert made(order).images == 240


def test_a_dry_run_writes_no_dataset(pets: Path, tmp_path: Path) -> None:
    """It says what there is, what it becomes and how much that takes."""
    events: list[Event] = list(
        prepare(PrepareRequest("pets", pets, tmp_path / "data", size=64, plan_only=True))
    )

    assert len(events) == 1
    assert isinstance(events[0], Found)
    assert (events[0].images, events[0].classes) == (240, ("cat", "dog"))
    assert events[0].needed == 240 * 64 * 64 * 3
    assert not (tmp_path / "pets" / "manifest.json").exists()


def test_the_manifest_is_written_in_every_alphabet(tmp_path: Path) -> None:
    """Names of classes and files as they are."""
    for number in range(60):
        path = tmp_path / "世界" / ("кошка", "chien à poil")[number % 2] / f"ü{number}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(picture(number))
    (tmp_path / "世界" / "кошка" / "ü0.jpg").write_bytes(b"")

    found = made(PrepareRequest("mine", tmp_path / "世界", tmp_path / "data", allow_missing=True))

    assert found.classes == ("chien à poil", "кошка")
    assert found.left_out == {"кошка/ü0.jpg": "empty"}
    assert stored("mine", tmp_path / "data") == found


FASHION = Path("/usr/share/datasets/fashion-mnist")


@pytest.mark.skipif(not FASHION.exists(), reason="Debian's dataset-fashion-mnist is not installed")
def test_the_official_fashion_mnist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """70,000 images whose first pictures are the embedded set's, in a frame."""
    monkeypatch.undo()

    found = made(PrepareRequest("fashion_mnist", FASHION, tmp_path))

    assert found.counts == {"train": 54_000, "valid": 6_000, "test": 10_000}
    data, mini = load("fashion_mnist", tmp_path), load("fashion_mini", tmp_path)
    assert np.array_equal(data.valid.labels.bincount(), [600] * 10)
    everything = {
        image.numpy().tobytes() for part in (data.train, data.valid) for image in part.pixels
    }
    assert {image.numpy().tobytes() for image in mini.train.pixels} <= everything


def test_copies_under_two_classes_are_counted_and_named(pets: Path, tmp_path: Path) -> None:
    """The same picture as a cat and as a dog, in train or across parts: each of them counts."""
    for one, other in (
        ("train/cat/0.jpg", "train/dog/900.jpg"),
        ("train/cat/2.jpg", "test/dog/901.jpg"),
    ):
        shutil.copy(pets / one, pets / other)
    shutil.copy(pets / "train/cat/4.jpg", pets / "train/cat/902.jpg")

    found = made(PrepareRequest("pets", pets, tmp_path / "data", size=64))

    assert (found.relabelled, found.repeated, found.leaked) == (4, 3, 1)
    assert found.such_as["relabelled"] == (
        "test/dog/901.jpg (dog) is train/cat/2.jpg (cat)",
        "train/cat/0.jpg (cat) is train/dog/900.jpg (dog)",
        "train/cat/2.jpg (cat) is test/dog/901.jpg (dog)",
    )


def test_images_without_contrast_are_counted_and_named(pets: Path, tmp_path: Path) -> None:
    """Black ones, as wrongly scaled grey levels make, and ones of a single colour."""
    Image.new("RGB", (64, 64), (9, 9, 9)).save(pets / "train" / "cat" / "black.png")
    Image.new("L", (64, 64), 200).save(pets / "test" / "dog" / "white.png")
    faint = Image.new("L", (64, 64), 100)
    faint.putpixel((0, 0), 108)
    faint.save(pets / "train" / "cat" / "faint.png")

    found = made(PrepareRequest("pets", pets, tmp_path / "data", size=64))

    assert found.flat == 2
    assert found.such_as["flat"] == ("test/dog/white.png", "train/cat/black.png")


def test_what_is_strange_is_said(pets: Path, tmp_path: Path, capsys) -> None:
    """With the names of the classes, before the images are read."""
    shutil.copy(pets / "train/cat/0.jpg", pets / "train/dog/900.jpg")
    Image.new("RGB", (64, 64), (9, 9, 9)).save(pets / "train" / "cat" / "black.png")

    code = run(PrepareRequest("pets", pets, tmp_path / "data", size=64), Console(width=200))

    said = " ".join(capsys.readouterr().out.split())
    assert code == 0
    assert "classes cat, dog" in said
    assert "two classes 2 images are exact copies of images of another class, such as" in said
    assert "no contrast 1 image differs by less than 8 grey levels within, such as" in said
    assert "train/cat/black.png" in said
