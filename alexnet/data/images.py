"""Prepared images as tensors."""

from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Self

import numpy as np
import torch
from torch import Tensor

from alexnet.data.catalogue import DatasetError, Manifest, folder_of, read_manifest
from alexnet.data.digests import file_digest
from alexnet.data.preparation import statistics


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

    def __post_init__(self) -> None:
        """Refuse images that are not square, and a mean image that is not of these images.

        Raises:
            ValueError: With the sizes.
        """
        mean, images = self.mean.shape[:2], self.train.pixels.shape[1:3]
        if images[0] != images[1]:
            raise ValueError(f"images of {images[0]} x {images[1]} pixels are not square")
        if mean != images:
            raise ValueError(
                f"the mean image has {mean[0]} x {mean[1]} pixels, and the images have "
                f"{images[0]} x {images[1]}; prepare {self.manifest.name} again"
            )

    @property
    def channel_deviations(self) -> Tensor:
        """The standard deviations of red, green and blue over all pixels, grey levels, (3,)."""
        return ((self.axes * self.deviations) ** 2).sum(1).sqrt()

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
