"""The batches that training and evaluation see, made from stored images."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from alexnet import augment
from alexnet.augment import View
from alexnet.chance import stream_seed
from alexnet.config import AreaCrops, ChannelMeans, Config, MeanImage, Offsets, Stream
from alexnet.data.images import Dataset, Images

EVALUATION_BATCH = 500
"""Images scored at a time; part of how a run is measured, so that it is the same everywhere."""


@dataclass(frozen=True)
class Lens:
    """How stored images are shown to a network, but for what chance does to them."""

    view: int  # pixels
    resize: int | None  # pixels
    mean: Tensor  # float32 (side, side, 3), grey levels, of images as they are cropped from
    divisor: Tensor  # float32 (3,), grey levels
    aligned: bool  # whether the mean is cropped where the image is, not in the centre

    @classmethod
    def of(cls, data: Dataset, config: Config) -> Self:
        """Return how a config's network sees a dataset.

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
        return cls(config.network.view, resize, mean, divisor, aligned)

    def laid_out(self, pixels: Tensor) -> Tensor:
        """Return stored images (n, h, w, 3) at the size that they are cropped from."""
        return pixels if self.resize is None else augment.resized(pixels, self.resize)

    def mean_at(self, corners: Tensor | None) -> Tensor:
        """Return what is subtracted from squares at corners (n, 2): a square, or one for each."""
        if corners is None or not self.aligned:
            return augment.centre(self.mean, self.view)
        return augment.crop(self.mean.expand(len(corners), -1, -1, -1), corners, self.view)


@dataclass(frozen=True)
class Draws:
    """All that chance decides about the images of one epoch, each thing from its own stream."""

    order: Tensor  # (n,), which image comes when
    corners: Tensor | None  # (n, 2), upper left pixel of each image's square
    boxes: Tensor | None  # (n, 4), top, left, height, width of its rectangle; on the CPU
    mirrored: Tensor | None  # (n,), booleans
    shifts: Tensor | None  # (n, 3), added to its channels, grey levels

    @classmethod
    def of(cls, data: Dataset, lens: Lens, config: Config, seed: int, epoch: int) -> Self:
        """Draw for all images on the CPU, so that neither batch size nor device moves anything."""
        inputs = config.inputs
        count, device = len(data.train.first(config.training.images)), data.mean.device
        side = len(lens.mean)

        def stream(purpose: Stream, *when: object) -> torch.Generator:
            names = when or ("epoch", epoch)
            return torch.Generator().manual_seed(stream_seed(seed, config.pinned, purpose, *names))

        once = ("once",) if inputs.shuffle == "once" else ()
        order = torch.randperm(count, generator=stream("order", *once)).to(device)
        corners = boxes = mirrored = shifts = None
        match inputs.random_crops:
            case AreaCrops():
                draws = torch.rand(count, augment.TRIES, 4, generator=stream("crop"))
                boxes = augment.area_boxes(draws, inputs.random_crops, side, side)
            case True | Offsets():
                every = side - lens.view + 1
                places = every if inputs.random_crops is True else inputs.random_crops.places
                corners = torch.randint(places, (count, 2), generator=stream("crop")).to(device)
        if inputs.flips:
            mirrored = (torch.rand(count, generator=stream("flip")) < 0.5).to(device)
        if inputs.colour and epoch <= (inputs.colour.last_epoch or epoch):
            noise = torch.randn(count, 3, generator=stream("colour")).to(device)
            shifts = augment.colour_shifts(noise, data.deviations, data.axes, inputs.colour)
        return cls(order, corners, boxes, mirrored, shifts)


def training_batches(
    data: Dataset, config: Config, seed: int, epoch: int
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield the batches of one pass: images float32 (n, 3, view, view), labels (n,).

    The last batch may be short; every image is seen once.
    """
    lens, inputs, batch = Lens.of(data, config), config.inputs, config.training.batch
    draws = Draws.of(data, lens, config, seed, epoch)
    divisor = lens.divisor
    if draws.shifts is not None and inputs.colour and inputs.colour.formula == "source":
        divisor = divisor * (1 + inputs.colour.std)
    for number, which in enumerate(torch.split(draws.order, batch)):
        # An image's own draws go with it; what a chunk shares goes with its place in the order.
        places = torch.arange(number * batch, number * batch + len(which), device=which.device)
        shared = which if inputs.chunk == 1 else places // inputs.chunk
        corners = None if draws.corners is None else draws.corners[shared]
        mean = lens.mean_at(corners)
        pixels = lens.laid_out(data.train.pixels[which])
        if draws.boxes is not None:
            pixels = augment.crop_resized(pixels, draws.boxes[which.cpu()], lens.view)
        elif corners is not None:
            pixels = augment.crop(pixels, corners, lens.view)
        else:
            pixels = augment.centre(pixels, lens.view)
        if draws.mirrored is not None:
            pixels = augment.flip(pixels, draws.mirrored[shared])
            mean = augment.flip(mean, draws.mirrored[shared]) if mean.dim() == 4 else mean
        seen = pixels.float() - mean
        if draws.shifts is not None:
            seen = seen + draws.shifts[which][:, None, None, :]
        yield (seen / divisor).permute(0, 3, 1, 2), data.train.labels[which]


def view_batches(images: Images, lens: Lens, view: View) -> Iterator[Tensor]:
    """Yield one view of images in their stored order, for evaluation: float32 (n, 3, size, size).

    The centre of the mean image is subtracted whatever the view, as the 2012 code does, unless
    the config asks for the aligned square.
    """
    corner = torch.tensor([[view.top, view.left]], device=lens.mean.device)
    mean = lens.mean_at(corner).reshape(lens.view, lens.view, 3)
    rows, columns = (slice(start, start + lens.view) for start in (view.top, view.left))
    for pixels in torch.split(images.pixels, EVALUATION_BATCH):
        seen = lens.laid_out(pixels)[:, rows, columns].float()
        turned = lens.aligned and view.mirrored
        shown = (seen.flip(2) if view.mirrored else seen) - (mean.flip(1) if turned else mean)
        yield (shown / lens.divisor).permute(0, 3, 1, 2)
