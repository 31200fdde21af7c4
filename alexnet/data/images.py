"""Prepared images as tensors."""

import copy
import itertools
import math
import mmap
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np
import torch
from torch import Tensor

from alexnet.data import synthetic
from alexnet.data.manifest import IN_PACKAGE, PARTS, DatasetError, Manifest, Part, folder_of
from alexnet.data.statistics import GREY, Statistics, statistics
from alexnet.data.stored import at_start, damaged, read_manifest
from alexnet.text import counted

RESIDENT = 2**30
"""Bytes of a dataset's images up to which they are read into memory; larger sets are mapped, so
that the system keeps as much of them as it has room for, once for all processes."""
MOVED = 1024  # images at a time, on their way to a GPU


class Mapped(NamedTuple):
    """A file of images that the system reads where and when they are wanted."""

    images: Tensor  # uint8 (n, h, w, 3)
    memory: mmap.mmap | None = None  # the whole file; None if the images are in memory
    start: int = 0  # of the first image in it, bytes

    @classmethod
    def of(cls, path: Path) -> Self:
        """Map a .npy file of images.

        Raises:
            DatasetError: If it is none.
        """
        try:
            with path.open("rb") as file:
                np.lib.format.read_magic(file)
                shape, _, _ = np.lib.format.read_array_header_1_0(file)
                start = file.tell()
                memory = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except ValueError as error:
            raise DatasetError(f"{path} is damaged: {error}") from error
        if len(memory) != start + math.prod(shape):
            raise DatasetError(f"{path} is damaged: it has {counted(len(memory), 'byte')}")
        with warnings.catch_warnings():
            # PyTorch knows no tensors that cannot be written, and says so; nobody writes to these.
            warnings.simplefilter("ignore", UserWarning)
            pixels = torch.frombuffer(memory, dtype=torch.uint8, offset=start)
        return cls(pixels.view(shape), memory, start)

    def will_need(self, row: int) -> None:
        """Let the system begin to read an image, and go on: a disk serves many at a time."""
        if self.memory is None or not hasattr(mmap, "MADV_WILLNEED"):
            return
        length = self.images[0].numel()
        first = self.start + row * length
        page = first // mmap.PAGESIZE * mmap.PAGESIZE
        self.memory.madvise(mmap.MADV_WILLNEED, page, first + length - page)


class Shards:
    """Images in several files, as if they were one tensor; read when they are wanted."""

    def __init__(self, files: Sequence[Mapped]) -> None:
        """Hold the images of several files, none of them without any."""
        self.files = tuple(files)
        sizes = torch.tensor([len(file.images) for file in self.files])
        self._ends = sizes.cumsum(0)
        self._before = self._ends - sizes
        self.index = torch.arange(int(self._ends[-1]))  # numbers of images, over all files

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.index)

    @property
    def shape(self) -> torch.Size:
        """As of a tensor: (n, h, w, 3)."""
        return torch.Size((len(self), *self.files[0].images.shape[1:]))

    @property
    def device(self) -> torch.device:
        """The CPU, which reads them."""
        return torch.device("cpu")

    def __getitem__(self, which: slice | Tensor) -> "Shards":
        """Return some of the images; nothing is read."""
        # Thousands of files are counted once, not for every batch.
        some = copy.copy(self)
        some.index = self.index[which]
        return some

    def _places(self) -> Iterator[tuple[Mapped, int]]:
        """Yield the file of each image, and its number there."""
        files = torch.bucketize(self.index, self._ends, right=True)
        rows = self.index - self._before[files]
        for file, row in zip(files.tolist(), rows.tolist(), strict=True):
            yield self.files[file], row

    def __iter__(self) -> Iterator[Tensor]:
        """Yield the images, each (h, w, 3), as views of the files."""
        for file, row in self._places():
            yield file.images[row]

    def will_need(self) -> None:
        """Let the system begin to read these images."""
        for file, row in self._places():
            file.will_need(row)

    def read(self, fetched_by: torch.device | None = None) -> Tensor:
        """Return the images in memory, uint8 (n, h, w, 3); pinned, if a GPU will fetch them."""
        if fetched_by is None:
            images = torch.empty(self.shape, dtype=torch.uint8)
        else:
            # In a new thread the current GPU is the first, and pinning is a matter of the current.
            with torch.cuda.device(fetched_by):
                images = torch.empty(self.shape, dtype=torch.uint8, pin_memory=True)
        for place, image in zip(images, self, strict=True):
            place.copy_(image)
        return images


Pixels = Tensor | Shards


def in_memory(pixels: Pixels) -> Tensor:
    """Return images as a tensor, reading them if they lie on disk."""
    return pixels.read() if isinstance(pixels, Shards) else pixels


def some(pixels: Pixels, which: Tensor) -> Iterable[Tensor]:
    """Return some images, one after another, each (h, w, 3); none is copied."""
    return pixels[which] if isinstance(pixels, Shards) else map(pixels.__getitem__, which.tolist())


@dataclass(frozen=True)
class Images:
    """Stored images and their classes."""

    pixels: Pixels  # uint8 (n, h, w, 3); on the device, or on disk
    labels: Tensor  # int64 (n,), on the device

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.labels)

    @property
    def device(self) -> torch.device:
        """Where the network that sees them computes."""
        return self.labels.device

    def first(self, count: int | None) -> "Images":
        """Return the first so many images, or all."""
        return Images(self.pixels[:count], self.labels[:count])

    def between(self, start: int, end: int) -> "Images":
        """Return the images from one number to before another."""
        return Images(self.pixels[start:end], self.labels[start:end])

    def only(self, chosen: Tensor) -> "Images":
        """Return the images that are chosen: booleans or numbers, (n,)."""
        return Images(self.pixels[chosen.to(self.pixels.device)], self.labels[chosen])

    def batches(self, size: int) -> Iterator[Tensor]:
        """Yield the images in their stored order, some at a time, on the device."""
        for start in range(0, len(self), size):
            yield in_memory(self.pixels[start : start + size]).to(self.device)

    def to(self, device: torch.device, room: int | None = None) -> "Images":
        """Return these images on a device; on disk they stay if they do not fit.

        Args:
            device: Where the network is that sees them.
            room: Bytes of the device's memory that are this process's; None: all that are free.
        """
        pixels = self.pixels
        if isinstance(pixels, Tensor):
            pixels = pixels.to(device)
        elif _fits(pixels, device, room):
            moved = torch.empty(pixels.shape, dtype=torch.uint8, device=device)
            for start in range(0, len(pixels), MOVED):  # never all of them in the host's memory
                moved[start : start + MOVED] = pixels[start : start + MOVED].read()
            pixels = moved
        return Images(pixels, self.labels.to(device))


def _fits(pixels: Shards, device: torch.device, room: int | None) -> bool:
    """Whether images on disk should move to a device: a GPU with twice the room for them.

    Of processes that share one, each has its own room, which no other's images are counted in.
    """
    if device.type != "cuda":
        return False
    free, _ = torch.cuda.mem_get_info(device)
    return 2 * math.prod(pixels.shape) < (free if room is None else min(free, room))


@dataclass(frozen=True)
class Measured:
    """What was measured on training images, for what is computed on the device."""

    mean: Tensor  # float64 (h, w, 3), grey levels
    deviations: Tensor  # float64 (3,), along the axes, grey levels
    axes: Tensor  # float64 (3, 3), principal components of RGB, one a column

    @property
    def channel_deviations(self) -> Tensor:
        """The standard deviations of red, green and blue over all pixels, grey levels, (3,)."""
        return channel_deviations(self.deviations, self.axes)

    def to(self, dtype: torch.dtype) -> "Measured":
        """Return it in a type that it is used in."""
        return Measured(*(getattr(self, field.name).to(dtype) for field in fields(self)))


def channel_deviations(deviations: Tensor, axes: Tensor) -> Tensor:
    """Return the standard deviations of the channels (3,) from those along axes (3, 3)."""
    return ((axes * deviations) ** 2).sum(1).sqrt()


@dataclass(frozen=True)
class Dataset:
    """A dataset, in memory or on disk, with what was measured on its training images."""

    manifest: Manifest
    train: Images
    valid: Images
    test: Images
    mean: Tensor  # float64 (h, w, 3), grey levels
    deviations: Tensor  # float64 (3,), along the axes, grey levels
    axes: Tensor  # float64 (3, 3), principal components of RGB, one a column

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
        return channel_deviations(self.deviations, self.axes)

    @property
    def has_colour(self) -> bool:
        """Whether the channels differ by more than rounding: grey images have one component."""
        return float(self.deviations.sort().values[-2]) > GREY

    def measured_in(self, dtype: torch.dtype) -> Self:
        """Return this dataset with what was measured on it in a type that it is used in."""
        measured = (self.mean, self.deviations, self.axes)
        mean, deviations, axes = (one.to(dtype) for one in measured)
        return replace(self, mean=mean, deviations=deviations, axes=axes)

    def to(self, device: torch.device, room: int | None = None) -> Self:
        """Return this dataset on a device; see `Images.to`."""
        parts = {part: getattr(self, part).to(device, room) for part in PARTS}
        measured = {name: getattr(self, name).to(device) for name in ("mean", "deviations", "axes")}
        return replace(self, **parts, **measured)


def load(name: str, data_dir: Path) -> Dataset:
    """Read a dataset: into memory if it is small, mapped if it is large.

    Raises:
        DatasetError: If it is not prepared here, or a file is missing or was changed since. Of a
            dataset too large to be digested at every start, every file is looked at for its size,
            and some for their digests, others each time.
    """
    manifest, folder = read_manifest(name, data_dir), folder_of(name, data_dir)
    if name == synthetic.GENERATED:
        return _generated(manifest)
    _refuse_damage(manifest, folder)
    if name in IN_PACKAGE:
        return _embedded(manifest, folder)
    parts = [_part(manifest, folder, part) for part in PARTS]
    with np.load(folder / "statistics.npz") as found:
        return _dataset(manifest, parts, Statistics(**found))


def _dataset(manifest: Manifest, parts: Sequence[Images], measured: Statistics) -> Dataset:
    train, valid, test = parts
    mean, deviations, axes = map(torch.from_numpy, measured)
    return Dataset(manifest, train, valid, test, mean, deviations, axes)


def _refuse_damage(manifest: Manifest, folder: Path) -> None:
    paths = [folder / name for name in manifest.files]
    missing = (path for path in paths if not path.exists())
    changed = (
        folder / name for name, wrong in damaged(manifest, folder, at_start(manifest)) if wrong
    )
    if path := next(itertools.chain(missing, changed), None):
        raise DatasetError(f"{path} is damaged or missing; prepare {manifest.name} again")


def _part(manifest: Manifest, folder: Path, part: Part) -> Images:
    labels = torch.from_numpy(np.load(folder / f"{part}_labels.npy"))
    files = [Mapped.of(folder / name) for name in manifest.shards(part)]
    pixels = Shards(files)
    if len(pixels) != len(labels):
        labelled, seen = counted(len(labels), "label"), counted(len(pixels), "image")
        raise DatasetError(f"{part} has {labelled} for {seen} in {folder}")
    return Images(pixels.read() if manifest.total_bytes <= RESIDENT else pixels, labels)


def _generated(manifest: Manifest) -> Dataset:
    """Return the images that are computed."""
    arrays = synthetic.arrays()
    parts = [
        Images(torch.from_numpy(arrays[part].pixels), torch.from_numpy(arrays[part].labels))
        for part in PARTS
    ]
    return _dataset(manifest, parts, statistics(arrays["train"].pixels))


def _embedded(manifest: Manifest, folder: Path) -> Dataset:
    """Return the set that ships its images alone: grey, 28 pixels, here in a frame of two."""
    pixels, parts = {}, []
    with np.load(folder / "images.npz") as arrays:
        for part in PARTS:
            grey = np.pad(arrays[f"{part}_images"], ((0, 0), (2, 2), (2, 2)))
            pixels[part] = np.repeat(grey[..., None], 3, axis=-1)
            labels = torch.from_numpy(arrays[f"{part}_labels"].astype(np.int64))
            parts.append(Images(torch.from_numpy(pixels[part]), labels))
    return _dataset(manifest, parts, statistics(pixels["train"]))
