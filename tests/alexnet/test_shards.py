"""Images on disk, and large ones: shown as small ones in memory are, to the last bit."""

import contextlib
import itertools
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from alexnet.config import ChannelMeans, Config, MeanImage, PcaColour
from alexnet.data import batches
from alexnet.data.batches import prefetch, training_batches
from alexnet.data.digests import file_digest
from alexnet.data.images import Dataset, Images, Mapped, Shards, _fits, in_memory
from alexnet.data.manifest import Fit, Manifest
from alexnet.data.statistics import statistics
from alexnet.evaluation import evaluate
from alexnet.model import build
from alexnet.random_streams import derive

SIDE, VIEW = 80, 72


@pytest.fixture(scope="module")
def large(images: Dataset) -> Dataset:
    """Return 60 random images of 80 pixels."""
    pixels = np.random.default_rng(3).integers(0, 256, (60, SIDE, SIDE, 3), dtype=np.uint8)
    some = Images(torch.from_numpy(pixels), torch.arange(60) % 10)
    measured = map(torch.from_numpy, statistics(pixels))
    manifest = images.manifest.model_copy(update={"fit": Fit(kind="own", size=SIDE)})
    return Dataset(manifest, some, some, some, *measured)


def on_disk(data: Dataset, cuts: tuple[int, ...] = (0, 7, 8, 40)) -> Dataset:
    """Return a dataset whose images lie in several files."""

    def parted(images: Images) -> Images:
        pixels = in_memory(images.pixels)
        ends = (*cuts[1:], len(pixels))
        files = [Mapped(pixels[start:end]) for start, end in zip(cuts, ends, strict=True)]
        return Images(Shards(files), images.labels)

    parts = {part: parted(getattr(data, part)) for part in ("train", "valid", "test")}
    return replace(data, **parts)


OPTIONS = [
    {"random_crops": crops, "flips": flips, "colour": colour, "chunk": chunk, "normalise": kind}
    for crops, flips, colour, chunk, kind in itertools.product(
        (True, False),
        (True, False),
        (None, PcaColour(formula="source")),
        (1, 8),
        (MeanImage(), MeanImage(square="aligned"), ChannelMeans()),
    )
]  # fmt: skip


@pytest.mark.parametrize("kind", [np.float32, np.float64])
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_large_squares_are_what_numpy_says(
    options: dict[str, object], kind: type, large: Dataset, config: Config
) -> None:
    """The meaning of every option, restated image by image, to the last bit of either type."""
    config = config.but(network={"view": VIEW}, inputs=options, training={"batch": 16})
    dtype = torch.float32 if kind is np.float32 else torch.float64
    large = large.measured_in(dtype)
    drawn = batches.Draws.of(large, batches.Preprocessing.of(large, config), config, 0, 1)
    shown = torch.cat([seen for seen, _ in training_batches(large, config, 0, 1, dtype)])
    pixels, mean = in_memory(large.train.pixels).numpy(), large.mean.numpy()
    middle = (SIDE - VIEW) // 2
    normalise = config.inputs.normalise
    aligned = isinstance(normalise, MeanImage) and normalise.square == "aligned"
    divisor = np.ones(3, kind)
    if isinstance(normalise, ChannelMeans):
        mean = np.broadcast_to(large.mean.mean((0, 1)).numpy(), mean.shape)
        divisor = large.channel_deviations.numpy()
    if config.inputs.colour:
        divisor = divisor * kind(1 + config.inputs.colour.std)

    for place, which in enumerate(drawn.order.tolist()):
        shared = which if config.inputs.chunk == 1 else place // config.inputs.chunk
        top, left = (middle, middle) if drawn.corners is None else drawn.corners[shared].tolist()
        square = pixels[which, top : top + VIEW, left : left + VIEW].astype(kind)
        at = (top, left) if aligned and drawn.corners is not None else (middle, middle)
        less = mean[at[0] : at[0] + VIEW, at[1] : at[1] + VIEW]
        if drawn.mirrored is not None and drawn.mirrored[shared]:
            square = square[:, ::-1]
            less = less[:, ::-1] if aligned and drawn.corners is not None else less
        expected = square - less
        if drawn.shifts is not None:
            expected = expected + drawn.shifts[which].numpy()
        expected = expected / divisor
        assert shown.dtype == dtype
        assert np.array_equal(shown[place].permute(1, 2, 0).numpy(), expected)


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_all_ways_of_making_batches_agree(
    dtype: torch.dtype,
    options: dict[str, object],
    large: Dataset,
    config: Config,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One by one or all at once, from memory or disk, rounded at once or afterwards."""
    config = config.but(network={"view": VIEW}, inputs=options, training={"batch": 16})

    def shown(data: Dataset, kind: torch.dtype) -> torch.Tensor:
        return torch.cat([seen for seen, _ in training_batches(data, config, 1, 2, kind)])

    one_by_one = shown(large, torch.float32).to(dtype)
    ways = [shown(large, dtype), shown(on_disk(large), dtype)]
    monkeypatch.setattr(batches, "SMALL", VIEW)
    ways += [shown(large, dtype), shown(on_disk(large), dtype)]

    for way in ways:
        assert torch.equal(way, one_by_one)
        assert way.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize(
    "change",
    [{}, {"resize": 20}, {"random_crops": {"kind": "area_crops"}}, {"resize": 14, "flips": False}],
    ids=str,
)
def test_a_network_measures_the_same_from_disk(
    change: dict[str, object], images: Dataset, config: Config
) -> None:
    """Training batches, ten views, hidden layers, neighbours."""
    config = config.but(inputs=change)
    measured = [
        evaluate(build(config, 0), data, config, "float32", see_test=True)
        for data in (images, on_disk(images))
    ]

    assert measured[0][0] == measured[1][0]
    pairs = zip(
        training_batches(images, config, 0, 1),
        training_batches(on_disk(images), config, 0, 1),
        strict=True,
    )
    for (one, labels), (other, theirs) in pairs:
        assert torch.equal(one, other)
        assert torch.equal(labels, theirs)


def test_images_of_many_files_are_counted_through() -> None:
    """Slices, numbers and booleans, over the ends of files."""
    pixels = torch.arange(10, dtype=torch.uint8)[:, None, None, None].expand(10, 2, 2, 3)
    parts = Shards([Mapped(some) for some in (pixels[:3], pixels[3:4], pixels[4:])])

    def numbers(some: Shards) -> list[int]:
        return some.read()[:, 0, 0, 0].tolist()

    assert parts.shape == (10, 2, 2, 3)
    assert numbers(parts) == list(range(10))
    assert numbers(parts[2:5]) == [2, 3, 4]
    assert numbers(parts[torch.tensor([9, 0, 3, 3])]) == [9, 0, 3, 3]
    assert numbers(parts[torch.arange(10) % 2 == 1]) == [1, 3, 5, 7, 9]
    assert numbers(parts[2:][torch.tensor([0, 7])]) == [2, 9]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_batches_come_to_the_device_of_the_network(
    options: dict[str, object], large: Dataset, config: Config
) -> None:
    """Images that stay on disk, and those that were moved there: on `meta`, as on a GPU."""
    config = config.but(network={"view": VIEW}, inputs=options, training={"batch": 16})
    for data in (on_disk(large), large):
        moved = data.to(torch.device("meta"))
        assert moved.train.pixels.device.type == ("cpu" if data is not large else "meta")
        for images, labels in training_batches(moved, config, 0, 1, torch.bfloat16):
            assert images.device.type == labels.device.type == "meta"
            assert images.shape[1:] == (3, VIEW, VIEW)
            assert images.dtype == torch.bfloat16


@pytest.mark.parametrize(
    ("free", "room", "fit"),
    [(1_201, None, True), (1_200, None, False), (9_000, 1_200, False), (1_201, 9_000, True)],
)
def test_images_on_disk_move_to_a_gpu_with_twice_the_room(
    monkeypatch: pytest.MonkeyPatch, free: int, room: int | None, fit: bool
) -> None:
    """600 bytes of images; of a GPU that several share, each has its room, however much is free."""
    pixels = Shards([Mapped(torch.zeros(50, 2, 2, 3, dtype=torch.uint8))])
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (free, 10_000))

    assert _fits(pixels, torch.device("cuda"), room) is fit
    assert not _fits(pixels, torch.device("cpu"), room)


def test_memory_is_pinned_for_the_gpu_that_fetches_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not for the first one, which in a new thread is the current: it may be another's."""
    told: list[object] = []
    pixels = Shards([Mapped(torch.arange(12, dtype=torch.uint8).view(1, 2, 2, 3))])
    empty = torch.empty

    def pinning(*arguments: Any, pin_memory: bool = False, **options: Any) -> torch.Tensor:
        told.append(pin_memory)
        return empty(*arguments, **options)

    @contextlib.contextmanager
    def current(device: torch.device) -> Iterator[None]:
        told.append(str(device))
        yield
        told.append("as before")

    monkeypatch.setattr(torch, "empty", pinning)
    monkeypatch.setattr(torch.cuda, "device", current)

    images = pixels.read(torch.device("cuda:1"))

    assert images.flatten().tolist() == list(range(12))
    assert told == ["cuda:1", True, "as before"]


def test_the_next_batch_is_made_while_one_is_used() -> None:
    """All come, in order; and no more than one is made too early."""
    begun: list[int] = []

    def make(job: int) -> int:
        begun.append(job)
        return job * job

    found = prefetch(make, range(5))
    assert next(found) == 0
    deadline = time.monotonic() + 5
    while len(begun) < 2 and time.monotonic() < deadline:
        time.sleep(0.01)

    assert begun == [0, 1]
    assert list(found) == [1, 4, 9, 16]
    assert list(prefetch(make, [])) == []


def test_what_goes_wrong_ahead_is_raised() -> None:
    """In its turn, after the batches before it."""

    def jobs() -> Iterator[int]:
        yield from (2, 1, 0)

    found = prefetch(lambda job: 2 // job, jobs())

    assert [next(found), next(found)] == [1, 2]
    with pytest.raises(ZeroDivisionError):
        next(found)


def test_the_draws_have_the_streams_they_had(large: Dataset, config: Config) -> None:
    """Order, crops and flips by their names: what older runs saw, newer ones see."""
    drawn = batches.Draws.of(large, batches.Preprocessing.of(large, config), config, 4, 2)

    for purpose, found in (("order", drawn.order), ("flip", drawn.mirrored)):
        stream = torch.Generator().manual_seed(derive(4, purpose, "epoch", 2))
        expected = (
            torch.randperm(60, generator=stream)
            if purpose == "order"
            else torch.rand(60, generator=stream) < 0.5
        )
        assert found is not None
        assert torch.equal(found, expected)


GROWTH = """
import re, sys
from pathlib import Path
from typing import Any
import torch
from alexnet.data import images
from alexnet.data.batches import training_batches
from alexnet.presets import preset

def anonymous():
    return int(re.search(r"RssAnon:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) / 1024

images.RESIDENT = 0
before = anonymous()
data = images.load("large", Path(sys.argv[1]))
config = preset("paper").but(training={"batch": 16})
seen = []
for epoch in (1, 2):
    for batch, _ in training_batches(data, config, 0, epoch, torch.bfloat16):
        seen.append(anonymous())
print(max(seen) - before, data.train.pixels.shape[0])
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux to measure memory")
def test_a_set_on_disk_is_never_in_memory(tmp_path: Path) -> None:
    """Two epochs of 157 MB take a few batches of 5 MB."""
    folder = tmp_path / "large"
    folder.mkdir()
    stream = np.random.default_rng(0)
    files = {}
    for part, counts in (("train", (300, 500)), ("valid", (8,)), ("test", (8,))):
        for number, count in enumerate(counts, start=1):
            name = f"{part}_images-{number:04}-of-{len(counts):04}.npy"
            np.save(folder / name, stream.integers(0, 256, (count, 256, 256, 3), dtype=np.uint8))
            files[name] = file_digest(folder / name)
        np.save(folder / f"{part}_labels.npy", np.zeros(sum(counts), np.int64))
    measured = statistics(np.full((2, 256, 256, 3), 100, np.uint8))
    np.savez(folder / "statistics.npz", **measured._asdict())
    manifest = Manifest(
        name="large",
        classes=("a", "b"),
        fit=Fit(kind="centre", size=256),
        colour=True,
        mirror=True,
        counts={"train": 800, "valid": 8, "test": 8},
        digest="d",
        split="e",
        files=files,
    )
    (folder / "manifest.json").write_text(manifest.to_json())

    done = subprocess.run(
        [sys.executable, "-c", GROWTH, tmp_path], capture_output=True, text=True, check=True
    )

    growth, count = done.stdout.split()
    assert int(count) == 800
    assert float(growth) < 60  # MiB
