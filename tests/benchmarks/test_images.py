"""Reading and preparing images, beside torchvision's folders and PyTorch's DataLoader.

`invoke bench` prints how many times the fastest of its group each takes for as many images.
Real photographs are used where ``photographs.py`` finds them.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import photographs
import pytest
import torch
from PIL import Image
from pytest_benchmark.fixture import BenchmarkFixture
from torch.utils.data import DataLoader, Dataset
from torchvision import datasets
from torchvision.transforms import v2

from alexnet.config import Config
from alexnet.data.batches import training_batches
from alexnet.data.images import in_memory, load
from alexnet.data.prepare.preparation import prepare
from alexnet.data.prepare.request import PrepareRequest
from alexnet.presets import preset

CORES = min(2, os.cpu_count() or 1)
LARGE, SMALL = 4_096, 40_960  # images a round
MEAN, DEVIATION = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> dict[bool, tuple[Path, Path]]:
    """Return, for large images and small ones, their folder and where they are prepared."""
    found = {}
    for large in (True, False):
        base = tmp_path_factory.mktemp("large" if large else "small")
        source = photographs.folder(large, base / "images")
        order = PrepareRequest("some", source, base / "data", size=256 if large else None)
        list(prepare(order))
        found[large] = (source, order.data_dir)
    return found


class InMemory(Dataset[tuple[torch.Tensor, int]]):
    """Small images as torchvision's CIFAR10 has them: an array, made into pictures one by one."""

    def __init__(self, data_dir: Path, transform: v2.Compose) -> None:
        """Hold the prepared images."""
        self.train, self.transform = load("some", data_dir).train, transform
        self.pixels = in_memory(self.train.pixels).numpy()

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.pixels)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        """Return one image and its class."""
        return self.transform(Image.fromarray(self.pixels[index])), int(self.train.labels[index])


def with_dataloader(
    large: bool, source: Path, data_dir: Path, transforms: list[object], count: int
) -> Callable[[], object]:
    """Return what most people write: images changed one by one by two workers."""
    chain = v2.Compose(
        [v2.PILToTensor(), v2.ToDtype(torch.float32, scale=True), v2.Normalize(MEAN, DEVIATION)]
    )
    chain = v2.Compose([*transforms, chain])
    images = (
        datasets.ImageFolder(str(source / "train"), chain) if large else InMemory(data_dir, chain)
    )
    loader = DataLoader(
        images, 128, shuffle=True, num_workers=CORES, drop_last=True, persistent_workers=True
    )
    return first_images(lambda: iter(loader), count)


def ours(data_dir: Path, config: Config, dtype: torch.dtype, count: int) -> Callable[[], object]:
    """Return our batches of a prepared dataset."""
    data = load("some", data_dir)
    epochs = iter(range(1, 10_000))
    return first_images(lambda: training_batches(data, config, 0, next(epochs), dtype), count)


def first_images(
    epoch: Callable[[], Iterator[tuple[torch.Tensor, object]]], count: int
) -> Callable[[], object]:
    """Return what sees so many images, in as many epochs as that takes."""

    def see() -> None:
        seen = 0
        while seen < count:
            for images, _ in epoch():
                seen += len(images)
                if seen >= count:
                    return

    return see


@pytest.mark.parametrize("how", ["ours, bfloat16", "ours, float32", "DataLoader"])
@pytest.mark.parametrize("large", [True, False], ids=["224 pixels", "32 pixels"])
def test_batches(
    benchmark: BenchmarkFixture, large: bool, how: str, place: dict[bool, tuple[Path, Path]]
) -> None:
    """Crop and flip, and for ours PCA colour too at 224; batches of 128, two cores."""
    count = LARGE if large else SMALL
    benchmark.group = f"{count:,} images in batches, {224 if large else 32} pixels"
    source, data_dir = place[large]
    torch.set_num_threads(CORES)
    if how == "DataLoader":
        crops = (
            [v2.Resize(256), v2.CenterCrop(256), v2.RandomCrop(224)]
            if large
            else [v2.RandomCrop(32, 4)]
        )
        run = with_dataloader(large, source, data_dir, [*crops, v2.RandomHorizontalFlip()], count)
    else:
        config = preset("paper" if large else "alexnet_cifar")
        if not large:
            config = config.but(inputs={"colour": None})
        dtype = torch.bfloat16 if "bfloat16" in how else torch.float32
        run = ours(data_dir, config, dtype, count)

    benchmark.pedantic(run, rounds=5 if "ours" in how else 2, warmup_rounds=1)


@pytest.mark.parametrize("how", ["ours", "ImageFolder"])
def test_preparation(
    benchmark: BenchmarkFixture,
    how: str,
    place: dict[bool, tuple[Path, Path]],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """Shorter side to 256 and the central square, two processes; ours also digests and writes."""
    source, _ = place[True]
    count = sum(1 for _ in source.rglob("*.[jJ]*"))
    benchmark.group = f"{count:,} images decoded and resized"
    chain = v2.Compose([v2.Resize(256), v2.CenterCrop(256), v2.PILToTensor()])

    def torchvision() -> None:
        for part in sorted(path for path in source.iterdir() if path.is_dir()):
            images = datasets.ImageFolder(str(part), chain)
            for _ in DataLoader(images, 128, num_workers=CORES):
                pass

    target = tmp_path_factory.mktemp("prepared")

    def prepared() -> None:
        list(prepare(PrepareRequest("some", source, target, size=256, workers=CORES)))

    def away() -> None:  # or later rounds would wait for the disk to take the earlier ones
        shutil.rmtree(target / "some", ignore_errors=True)

    benchmark.pedantic(prepared if how == "ours" else torchvision, setup=away, rounds=3)
