"""What is measured on training images: the mean image and the principal components of RGB."""

from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]

GREY = 1.0  # grey levels; second components below it are rounding, not colour
ROWS = 256  # whose products, at most 255 times 255, sum to less than 2^24: float32 has them all


class Statistics(NamedTuple):
    """What is taken from the training images: the mean image and RGB's principal components."""

    mean: NDArray[np.float64]  # (h, w, 3), grey levels
    deviations: NDArray[np.float64]  # (3,), standard deviations along the axes, largest first
    axes: NDArray[np.float64]  # (3, 3), one component a column, its largest entry positive


class Sums(NamedTuple):
    """Sums over images, from which their statistics follow; those of parts add up.

    All are sums of integers and therefore exact: neither the order of images nor how they are
    parted changes a digit. They stay below 2^63 up to 10^14 pixels: a thousand times ImageNet.
    """

    images: int
    levels: NDArray[np.int64]  # (h, w, 3)
    products: NDArray[np.int64]  # (3, 3), over all pixels

    @classmethod
    def none(cls, height: int, width: int) -> Self:
        """Return the sums over no image."""
        return cls(0, np.zeros((height, width, 3), np.int64), np.zeros((3, 3), np.int64))

    @classmethod
    def of(cls, images: Pixels) -> Self:
        """Return the sums over images (n, h, w, 3)."""
        levels = images.sum(axis=0, dtype=np.uint32).astype(np.int64)
        products = np.zeros((3, 3), np.int64)
        rows = images.reshape(-1, images.shape[2] * 3)
        for start in range(0, len(rows), ROWS):
            values = rows[start : start + ROWS].astype(np.float32)
            # Red, green and blue lie side by side, so that red times green is each value times the
            # next; down the columns, where every third is of one pair, the sums are exact.
            for apart in range(3):
                pairs = values[:, : values.shape[1] - apart], values[:, apart:]
                columns = np.einsum("ij,ij->j", *pairs).astype(np.int64)
                for channel in range(3 - apart):
                    products[channel, channel + apart] += columns[channel::3].sum()
        products += np.triu(products, 1).T
        return cls(len(images), levels, products)

    def plus(self, other: Self) -> Self:
        """Return the sums over the images of both."""
        return type(self)(
            self.images + other.images, self.levels + other.levels, self.products + other.products
        )

    def statistics(self) -> Statistics:
        """Return the mean image and the principal components; signs are fixed by rule."""
        mean = self.levels / self.images
        pixels = self.images * mean.shape[0] * mean.shape[1]
        levels = mean.reshape(-1, 3).mean(axis=0)
        values, axes = np.linalg.eigh(self.products / pixels - np.outer(levels, levels))
        order = np.argsort(values)[::-1]
        axes = axes[:, order]
        axes *= np.sign(axes[np.abs(axes).argmax(axis=0), range(3)])
        return Statistics(mean, np.sqrt(np.maximum(values[order], 0)), axes)


def statistics(images: Pixels) -> Statistics:
    """Return the statistics of images (n, h, w, 3)."""
    return Sums.of(images).statistics()
