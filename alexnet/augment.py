"""What is done to images before the network sees them: pure functions of what was drawn.

Stored images have shape (n, h, w, 3); seen as (n, 3, h, w) they are in channels-last memory.
"""

import math
from collections import Counter
from typing import NamedTuple

import torch
from torch import Tensor

from alexnet.config import AreaCrops, PcaColour

TRIES = 10
"""Rectangles drawn for an image before all of it is taken, as torchvision does."""


def centre(images: Tensor, size: int) -> Tensor:
    """Return the central square: (..., h, w, 3) to (..., size, size, 3)."""
    top, left = ((side - size) // 2 for side in images.shape[-3:-1])
    return images[..., top : top + size, left : left + size, :]


class View(NamedTuple):
    """A square seen at test time."""

    top: int  # pixels
    left: int  # pixels
    mirrored: bool
    share: float  # of the ten views that are this one


def ten_views(side: int, size: int) -> list[View]:
    """Return section 4.1's views: centre and corners of a square, then their reflections.

    Views that coincide, as all five do when ``size`` is ``side``, are one with a larger share.

    >>> [(view.top, view.left) for view in ten_views(256, 224)[:5]]
    [(16, 16), (0, 0), (0, 32), (32, 0), (32, 32)]
    """
    end, middle = side - size, (side - size) // 2
    corners = Counter([(middle, middle), (0, 0), (0, end), (end, 0), (end, end)])
    return [
        View(top, left, mirrored, count / 10)
        for mirrored in (False, True)
        for (top, left), count in corners.items()
    ]


def crop(images: Tensor, which: Tensor, corners: Tensor, size: int) -> Tensor:
    """Return a square of some images: (m, h, w, 3) to (n, size, size, 3).

    Args:
        images: Those that are chosen from.
        which: The number of each image that is wanted, (n,).
        corners: The upper left pixel of each square, row and column, (n, 2).
        size: Pixels.
    """
    windows = images.unfold(1, size, 1).unfold(2, size, 1).movedim(3, -1)
    return windows[which, corners[:, 0], corners[:, 1]]


def resized(images: Tensor, size: int) -> Tensor:
    """Return squares of ``size`` pixels, antialiased: (n, h, w, 3) to (n, size, size, 3)."""
    # Loading torchvision takes a second, which most runs have no use for.
    from torchvision.transforms.v2 import functional

    scaled: Tensor = functional.resize(images.permute(0, 3, 1, 2), [size, size], antialias=True)
    return scaled.permute(0, 2, 3, 1)


def area_boxes(draws: Tensor, crops: AreaCrops, height: int, width: int) -> Tensor:
    """Return a rectangle for each image: top, left, height, width, pixels, int64 (n, 4).

    Args:
        draws: Uniform in 0 to 1, (n, tries, 4): area, shape, row, column.
        crops: The smallest area and the most stretched shape.
        height: Of the images, pixels.
        width: Of the images, pixels.

    Source:
        torchvision's RandomResizedCrop: the first rectangle that fits, else the whole image.
    """
    area = height * width * (crops.smallest + (1 - crops.smallest) * draws[..., 0])
    shape = (math.log(crops.stretch) * (2 * draws[..., 1] - 1)).exp()  # width / height
    tall, wide = (area / shape).sqrt().round(), (area * shape).sqrt().round()
    top, left = draws[..., 2] * (height - tall + 1), draws[..., 3] * (width - wide + 1)
    fits = (tall >= 1) & (tall <= height) & (wide >= 1) & (wide <= width)
    boxes = torch.stack([top, left, tall, wide], -1).long()
    first = fits.int().argmax(1)
    chosen = boxes[torch.arange(len(boxes)), first]
    whole = torch.tensor([0, 0, height, width])
    return torch.where(fits.any(1, keepdim=True), chosen, whole)


def crop_resized(images: Tensor, boxes: Tensor, size: int) -> Tensor:
    """Return a rectangle of each image at ``size`` by ``size`` pixels, antialiased.

    Args:
        images: Shape (n, h, w, 3).
        boxes: Top, left, height, width, pixels, (n, 4).
        size: Pixels.
    """
    # Rectangles differ in size, so there is no batch to resize; torchvision's loop is as good.
    cut = (
        resized(image[None, top : top + height, left : left + width], size)
        for image, (top, left, height, width) in zip(images, boxes.tolist(), strict=True)
    )
    return torch.cat(list(cut))


def flip(images: Tensor, chosen: Tensor) -> Tensor:
    """Mirror, left to right, the images where ``chosen`` (n,) is True."""
    return torch.where(chosen[:, None, None, None], images.flip(2), images)


def colour_shifts(draws: Tensor, deviations: Tensor, axes: Tensor, colour: PcaColour) -> Tensor:
    """Return what is added to every pixel of each image, in grey levels of 0 to 255.

    Args:
        draws: Standard normal, shape (n, 3).
        deviations: Standard deviations along the principal components, grey levels, (3,).
        axes: The components, one a column, (3, 3).
        colour: Which formula, and the standard deviation of the draws.

    Source:
        Section 4.1 ("unit": eigenvalues of pixels from 0 to 1); convdata.py of the released
        code ("source": their square roots).
    """
    unit = (deviations / 255) ** 2 * 255
    lengths = unit if colour.formula == "unit" else deviations
    return (draws * colour.std * lengths) @ axes.T
