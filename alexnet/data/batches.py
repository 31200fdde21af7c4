"""The batches that training and evaluation see, made from stored images."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Self, TypeVar

import torch
from torch import Tensor

from alexnet import augment
from alexnet.augment import View
from alexnet.config import AreaCrops, ChannelMeans, Config, MeanImage, Offsets, Stream
from alexnet.data.images import Dataset, Images, Measured, Pixels, Shards, some
from alexnet.precision import wide
from alexnet.random_streams import stream_seed

EVALUATION_BATCH = 500
"""Images scored at a time; part of how a run is measured, so that it is the same everywhere."""

SMALL = 64
"""Pixels of a view, up to which whole batches are worked on at once on a CPU."""

Job = TypeVar("Job")
Made = TypeVar("Made")


@dataclass(frozen=True)
class Preprocessing:
    """How stored images are shown to a network, but for what chance does to them."""

    view: int  # pixels
    resize: int | None  # pixels
    mean: Tensor  # (side, side, 3), grey levels, of images as they are cropped from
    divisor: Tensor  # (3,), grey levels, in the type of the mean
    divides: bool  # whether any divisor is not 1
    aligned: bool  # whether the mean is cropped where the image is, not in the centre

    @classmethod
    def of(cls, data: Dataset | Measured, config: Config) -> Self:
        """Return how a config's network sees a dataset; computed in the type of its statistics.

        Raises:
            ValueError: If the images are too small.
        """
        if wrong := config.misfit(len(data.mean)):
            raise ValueError(wrong)
        normalise, resize = config.inputs.normalise, config.inputs.resize
        mean, divisor = data.mean, torch.ones_like(data.deviations)
        match normalise:
            case MeanImage():
                divisor = divisor * normalise.divisor
            case ChannelMeans(means=means, deviations=deviations):
                levels = data.mean.mean((0, 1)) if means is None else data.mean.new_tensor(means)
                mean = levels.expand_as(mean)
                divisor = (
                    data.channel_deviations
                    if deviations is None
                    else divisor.new_tensor(deviations)
                )
        if resize is not None:
            mean = augment.resized(mean[None], resize)[0]
        aligned = isinstance(normalise, MeanImage) and normalise.square == "aligned"
        divides = not isinstance(normalise, MeanImage) or normalise.divisor != 1
        return cls(config.network.view, resize, mean, divisor, divides, aligned)

    def laid_out(self, pixels: Tensor) -> Tensor:
        """Return stored images (n, h, w, 3) at the size that they are cropped from."""
        return pixels if self.resize is None else augment.resized(self.exact(pixels), self.resize)

    def exact(self, pixels: Tensor) -> Tensor:
        """Return stored images to be resized: in float64, where no level is rounded afterwards.

        Whole grey levels would be the same on two processors but for a few, which are one apart.
        """
        return pixels.double() if self.mean.dtype == torch.float64 else pixels

    def mean_at(self, corners: Tensor | None) -> Tensor:
        """Return what is subtracted from squares at corners (n, 2): a square, or one for each."""
        if corners is None or not self.aligned:
            return augment.centre(self.mean, self.view)
        same = torch.zeros(len(corners), dtype=torch.int64, device=corners.device)
        return augment.crop(self.mean[None], same, corners, self.view)

    def divided_by(self, factor: float) -> Self:
        """Return a preprocessing whose divisor is larger by a factor."""
        return replace(self, divisor=self.divisor * factor, divides=True)


@dataclass(frozen=True)
class Draws:
    """All that chance decides about the images of one epoch, each thing from its own stream."""

    order: Tensor  # (n,), which image comes when
    corners: Tensor | None  # (n, 2), upper left pixel of each image's square
    boxes: Tensor | None  # (n, 4), top, left, height, width of its rectangle; on the CPU
    mirrored: Tensor | None  # (n,), booleans
    shifts: Tensor | None  # (n, 3), added to its channels, grey levels

    @classmethod
    def of(
        cls, data: Dataset, preprocessing: Preprocessing, config: Config, seed: int, epoch: int
    ) -> Self:
        """Draw for all images on the CPU, so that neither batch size nor device moves anything."""
        inputs = config.inputs
        count = len(data.train.first(config.training.images))
        device, dtype, side = data.mean.device, data.mean.dtype, len(preprocessing.mean)

        def stream(purpose: Stream, *when: object) -> torch.Generator:
            names = when or ("epoch", epoch)
            return torch.Generator().manual_seed(stream_seed(seed, config.pinned, purpose, *names))

        once = ("once",) if inputs.shuffle == "once" else ()
        # The order is wanted where the images are: on the CPU while they lie on disk.
        order = torch.randperm(count, generator=stream("order", *once))
        order = order.to(data.train.pixels.device)
        corners = boxes = mirrored = shifts = None
        match inputs.random_crops:
            case AreaCrops():
                draws = torch.rand(count, augment.TRIES, 4, generator=stream("crop")).to(dtype)
                boxes = augment.area_boxes(draws, inputs.random_crops, side, side)
            case True | Offsets():
                every = side - preprocessing.view + 1
                places = every if inputs.random_crops is True else inputs.random_crops.places
                corners = torch.randint(places, (count, 2), generator=stream("crop")).to(device)
        if inputs.flips:
            mirrored = (torch.rand(count, generator=stream("flip")) < 0.5).to(device)
        if inputs.colour and epoch <= (inputs.colour.last_epoch or epoch):
            noise = torch.randn(count, 3, generator=stream("colour"), dtype=dtype)
            noise = noise.to(device)
            shifts = augment.colour_shifts(noise, data.deviations, data.axes, inputs.colour)
        return cls(order, corners, boxes, mirrored, shifts)


@dataclass(frozen=True)
class Wanted:
    """The images of one batch, and what chance decided about each."""

    which: Tensor  # (n,), numbers of images
    corners: Tensor | None  # (n, 2)
    boxes: Tensor | None  # (n, 4), on the CPU
    mirrored: Tensor | None  # (n,)
    shifts: Tensor | None  # (n, 3)

    def only(self, rows: slice) -> "Wanted":
        """Return what is wanted for some of its images, in their order."""
        parts = (self.which, self.corners, self.boxes, self.mirrored, self.shifts)
        which, *decided = (None if part is None else part[rows] for part in parts)
        assert which is not None
        return Wanted(which, *decided)


def wanted(draws: Draws, batch: int, chunk: int) -> Iterator[Wanted]:
    """Yield what is wanted for each batch of an epoch; the last one may be short."""
    for number, which in enumerate(torch.split(draws.order, batch)):
        # An image's own draws go with it; what a chunk shares goes with its place in the order.
        places = torch.arange(number * batch, number * batch + len(which), device=which.device)
        shared = which if chunk == 1 else places // chunk
        yield Wanted(
            which,
            None if draws.corners is None else draws.corners[shared],
            None if draws.boxes is None else draws.boxes[which.cpu()],
            None if draws.mirrored is None else draws.mirrored[shared],
            None if draws.shifts is None else draws.shifts[which],
        )


def training_batches(
    data: Dataset,
    config: Config,
    seed: int,
    epoch: int,
    dtype: torch.dtype = torch.float32,
    rows: Callable[[int], slice] | None = None,
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield the batches of one pass: images (n, 3, view, view), labels (n,), on the device.

    The last batch may be short; every image is seen once. For a GPU, images that lie on disk are
    read one batch ahead, while it computes.

    Args:
        data: Its training images are shown.
        config: Says which images, how many at a time, and what is done to them.
        seed: Of the run.
        epoch: From 1.
        dtype: Of the images; computed in float32, or in float64 if it is that, and rounded once.
        rows: Which of a batch of so many are made; all, if None. There may be none.
    """
    data = data.measured_in(wide(dtype))
    train, inputs = data.train, config.inputs
    preprocessing = Preprocessing.of(data, config)
    draws = Draws.of(data, preprocessing, config, seed, epoch)
    if draws.shifts is not None and inputs.colour and inputs.colour.formula == "source":
        preprocessing = preprocessing.divided_by(1 + inputs.colour.std)
    batches = wanted(draws, config.training.batch, inputs.chunk)
    if rows is not None:
        batches = (batch.only(rows(len(batch.which))) for batch in batches)
    if isinstance(train.pixels, Shards):
        batches = advise_next(train.pixels, batches)

    def made(batch: Wanted) -> tuple[Tensor, Tensor]:
        images = seen(train.pixels, batch, preprocessing, dtype)
        return images.permute(0, 3, 1, 2), train.labels[batch.which.to(train.device)]

    # A CPU that trains has nothing to gain from a thread that would take its cores.
    from_disk = isinstance(train.pixels, Shards) and train.device.type == "cuda"
    return prefetch(made, batches) if from_disk else map(made, batches)


def advise_next(pixels: Shards, batches: Iterator[Wanted]) -> Iterator[Wanted]:
    """Yield batches, having told the system which images the one after will want."""
    batch = next(batches, None)
    while batch is not None:
        following = next(batches, None)
        if following is not None and len(following.which):
            pixels[following.which].will_need()
        yield batch
        batch = following


def prefetch(make: Callable[[Job], Made], jobs: Iterable[Job]) -> Iterator[Made]:
    """Yield what ``make`` returns for each job, the next one already being made in a thread."""
    with ThreadPoolExecutor(1) as thread:
        being_made: Future[Made] | None = None
        for job in jobs:
            following = thread.submit(make, job)
            if being_made is not None:
                yield being_made.result()
            being_made = following
        if being_made is not None:
            yield being_made.result()


def seen(pixels: Pixels, batch: Wanted, preprocessing: Preprocessing, dtype: torch.dtype) -> Tensor:
    """Return what a network sees of some images, (n, view, view, 3), on its device."""
    device = preprocessing.mean.device
    if not len(batch.which):
        return torch.empty(0, preprocessing.view, preprocessing.view, 3, dtype=dtype, device=device)
    moved = batch.boxes is not None or preprocessing.resize is not None
    if device.type == "cpu" and preprocessing.view > SMALL and not moved:
        return one_by_one(pixels, batch, preprocessing, dtype)
    squares = squares_of(pixels, batch, preprocessing)
    mean = preprocessing.mean_at(batch.corners)
    if batch.mirrored is not None:
        squares = augment.flip(squares, batch.mirrored)
        mean = augment.flip(mean, batch.mirrored) if mean.dim() == 4 else mean
    # In place, and in rows: the pixels' three channels alone are too short to be fast.
    found = squares.to(mean.dtype).sub_(mean)
    rows = found.view(len(found), preprocessing.view, -1)
    if batch.shifts is not None:
        rows += batch.shifts.repeat(1, preprocessing.view)[:, None]
    if preprocessing.divides:
        rows /= preprocessing.divisor.repeat(preprocessing.view)
    return found.to(dtype)


def squares_of(pixels: Pixels, batch: Wanted, preprocessing: Preprocessing) -> Tensor:
    """Return the square of each image that is shown, (n, view, view, 3): uint8 unless resized."""
    which = batch.which
    if isinstance(pixels, Shards):
        device = preprocessing.mean.device
        # Pinned, so that this thread need not wait for the copy.
        fetched_by = device if device.type == "cuda" else None
        pixels = pixels[which].read(fetched_by).to(device, non_blocking=True)
        which = torch.arange(len(which), device=device)
    if batch.corners is not None and preprocessing.resize is None:
        return augment.crop(pixels, which, batch.corners, preprocessing.view)
    images = preprocessing.laid_out(pixels[which])
    if batch.boxes is not None:
        return augment.crop_resized(preprocessing.exact(images), batch.boxes, preprocessing.view)
    if batch.corners is not None:
        every = torch.arange(len(images), device=images.device)
        return augment.crop(images, every, batch.corners, preprocessing.view)
    return augment.centre(images, preprocessing.view)


def one_by_one(
    pixels: Pixels, batch: Wanted, preprocessing: Preprocessing, dtype: torch.dtype
) -> Tensor:
    """Return what ``seen`` does, for large squares on a CPU: there, five to ten times as fast.

    One image's square stays in the cache through every step, which those of a batch do not.
    """
    view, count = preprocessing.view, len(batch.which)
    margin = (len(preprocessing.mean) - view) // 2
    middle = preprocessing.mean[margin : margin + view, margin : margin + view].contiguous()
    corners = [(margin, margin)] * count if batch.corners is None else batch.corners.tolist()
    mirrored = [False] * count if batch.mirrored is None else batch.mirrored.tolist()
    shifts = None if batch.shifts is None else batch.shifts.repeat(1, view)
    divisor = preprocessing.divisor.repeat(view)
    aligned = preprocessing.aligned and batch.corners is not None
    means = (preprocessing.mean, preprocessing.mean.flip(1)) if aligned else ()
    found, square = (
        torch.empty(count, view, view, 3, dtype=dtype),
        preprocessing.mean.new_empty(view, view, 3),
    )
    for number, (image, (top, left), turned) in enumerate(
        zip(some(pixels, batch.which), corners, mirrored, strict=True)
    ):
        cut = image[top : top + view, left : left + view]
        square.copy_(cut.flip(1) if turned else cut)
        column = len(preprocessing.mean) - view - left if turned else left
        square -= means[turned][top : top + view, column : column + view] if aligned else middle
        rows = square.view(view, -1)
        if shifts is not None:
            rows += shifts[number]
        if preprocessing.divides:
            rows /= divisor
        found[number] = square
    return found


def view_batches(images: Images, preprocessing: Preprocessing, view: View) -> Iterator[Tensor]:
    """Yield one view of images in their stored order, for evaluation: (n, 3, size, size).

    The centre of the mean image is subtracted whatever the view, as the 2012 code does, unless
    the config asks for the aligned square.
    """
    corner = torch.tensor([[view.top, view.left]], device=preprocessing.mean.device)
    mean = preprocessing.mean_at(corner).reshape(preprocessing.view, preprocessing.view, 3)
    rows, columns = (slice(start, start + preprocessing.view) for start in (view.top, view.left))
    for pixels in images.batches(EVALUATION_BATCH):
        seen = preprocessing.laid_out(pixels)[:, rows, columns].to(mean.dtype)
        turned = preprocessing.aligned and view.mirrored
        shown = (seen.flip(2) if view.mirrored else seen) - (mean.flip(1) if turned else mean)
        yield (shown / preprocessing.divisor).permute(0, 3, 1, 2)
