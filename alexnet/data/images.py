"""Prepared images as tensors, and the batches that training and evaluation see."""

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Self

import numpy as np
import torch
from torch import Tensor

from alexnet import augment
from alexnet.augment import View
from alexnet.chance import stream_seed
from alexnet.config import Config, Stream
from alexnet.data.catalogue import DatasetError, Manifest, folder_of, read_manifest
from alexnet.data.digests import file_digest
from alexnet.data.preparation import statistics

EVALUATION_BATCH = 500
"""Images scored at a time; part of how a run is measured, so that it is the same everywhere."""


@dataclass(frozen=True)
class Images:
    """Stored images and their classes."""

    pixels: Tensor  # uint8 (n, h, w, 3)
    labels: Tensor  # int64 (n,)

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.labels)

    def first(self, count: int | None) -> "Images":
        """Return the first so many images, or all."""
        return Images(self.pixels[:count], self.labels[:count])

    def to(self, device: torch.device) -> "Images":
        """Return these images on a device."""
        return Images(self.pixels.to(device), self.labels.to(device))


@dataclass(frozen=True)
class Dataset:
    """A dataset in memory with what was measured on its training images."""

    manifest: Manifest
    train: Images
    valid: Images
    test: Images
    mean: Tensor  # float32 (h, w, 3), grey levels
    deviations: Tensor  # float32 (3,), along the axes, grey levels
    axes: Tensor  # float32 (3, 3), principal components of RGB, one a column

    @property
    def has_colour(self) -> bool:
        """Whether the channels differ by more than rounding: grey images have one component."""
        return float(self.deviations.sort().values[-2]) > 1.0  # grey levels

    def to(self, device: torch.device) -> Self:
        """Return this dataset on a device."""
        tensors = {
            field.name: getattr(self, field.name).to(device)
            for field in fields(self)
            if field.name != "manifest"
        }
        return replace(self, **tensors)


def load(name: str, data_dir: Path) -> Dataset:
    """Read a dataset into memory, after checking every file against its digest.

    Raises:
        DatasetError: If it is not prepared here or a file was changed since.
    """
    manifest, folder = read_manifest(name, data_dir), folder_of(name, data_dir)
    for file, digest in manifest.files.items():
        if not (folder / file).exists() or file_digest(folder / file) != digest:
            raise DatasetError(f"{folder / file} is damaged or missing; prepare {name} again")
    arrays: dict[str, np.ndarray] = {}
    for file in manifest.files:
        content = np.load(folder / file)
        arrays |= dict(content) if file.endswith(".npz") else {file.removesuffix(".npy"): content}
    if "mean" not in arrays:  # the embedded set ships its images alone, 28 pixels and grey
        for part in manifest.counts:
            grey = np.pad(arrays[f"{part}_images"], ((0, 0), (2, 2), (2, 2)))
            arrays[f"{part}_images"] = np.repeat(grey[..., None], 3, axis=-1)
        arrays |= statistics(arrays["train_images"])._asdict()

    def images(part: str) -> Images:
        labels = arrays[f"{part}_labels"].astype(np.int64)
        return Images(torch.from_numpy(arrays[f"{part}_images"]), torch.from_numpy(labels))

    def measured(name: str) -> Tensor:
        return torch.from_numpy(arrays[name].astype(np.float32))

    return Dataset(
        manifest=manifest,
        train=images("train"),
        valid=images("valid"),
        test=images("test"),
        mean=measured("mean"),
        deviations=measured("deviations"),
        axes=measured("axes"),
    )


def training_batches(
    data: Dataset, config: Config, seed: int, epoch: int
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield the batches of one pass: images float32 (n, 3, view, view), labels (n,).

    Order, crops, flips and colour are drawn on the CPU for all images before the first batch,
    each from its own stream, so neither batch size nor device nor another augmentation moves
    them. The last batch may be short; every image is seen once.
    """
    inputs, view = config.inputs, config.network.view
    images = data.train.first(config.training.images)
    count, height = len(images), images.pixels.shape[1]
    device = images.pixels.device

    def stream(purpose: Stream) -> torch.Generator:
        return torch.Generator().manual_seed(
            stream_seed(seed, config.pinned, purpose, "epoch", epoch)
        )

    order = torch.randperm(count, generator=stream("order")).to(device)
    mean = augment.centre(data.mean, view)
    if inputs.random_crops:
        size = (count, 2)
        corners = torch.randint(height - view + 1, size, generator=stream("crop")).to(device)
    if inputs.flips:
        chosen = (torch.rand(count, generator=stream("flip")) < 0.5).to(device)
    if inputs.colour:
        draws = torch.randn(count, 3, generator=stream("colour")).to(device)
        shifts = augment.colour_shifts(draws, data.deviations, data.axes, inputs.colour)
        rescale = 1 + inputs.colour.std if inputs.colour.formula == "source" else 1.0
    for which in torch.split(order, config.training.batch):
        pixels = images.pixels[which]
        if inputs.random_crops:
            pixels = augment.crop(pixels, corners[which], view)
        else:
            pixels = augment.centre(pixels, view)
        if inputs.flips:
            pixels = augment.flip(pixels, chosen[which])
        batch = pixels.float() - mean
        if inputs.colour:
            batch = (batch + shifts[which][:, None, None, :]) / rescale
        yield batch.permute(0, 3, 1, 2), images.labels[which]


def view_batches(images: Images, mean: Tensor, view: View, size: int) -> Iterator[Tensor]:
    """Yield one view of images in their stored order, for evaluation: float32 (n, 3, size, size).

    The centre of the mean image is subtracted whatever the view, as the 2012 code does.
    """
    rows, columns = slice(view.top, view.top + size), slice(view.left, view.left + size)
    centre = augment.centre(mean, size)
    for pixels in torch.split(images.pixels, EVALUATION_BATCH):
        seen = pixels[:, rows, columns]
        batch = (seen.flip(2) if view.mirrored else seen).float() - centre
        yield batch.permute(0, 3, 1, 2)
