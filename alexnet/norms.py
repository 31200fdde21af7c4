"""The paper's response normalisations, as pure functions.

Both are cheap arithmetic on large activations, so memory decides their speed: on a CPU, blocks
that stay in the cache pass through all of it before the next one is read, each in one thread.
"""

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from alexnet.precision import wide
from alexnet.text import counted
from alexnet.threads import Blocks, share_out

BLOCK = 1 << 18
"""Activations of a block; four bytes each, and a few copies, fit the cache of a core."""


def local_response_norm(
    images: Tensor, size: int, alpha: float, beta: float, k: float, groups: int = 1
) -> Tensor:
    """Divide each activation by the energy of its neighbouring channels.

    ``b[c] = a[c] / (k + alpha * sum(a[j] ** 2)) ** beta``, with j over ``size`` channels around
    c; windows are cut short at the first and last channel of a group. The backward pass
    computes this anew, so that nothing but ``images`` is kept for it.

    Args:
        images: Activations, shape (n, c, h, w), in any memory format; fastest in channels-last.
        size: Channels in the window, odd (the paper's n).
        alpha: Weight of the *sum* of squares, as printed. PyTorch, Caffe and the released 2012
            code weigh the mean: their value is ``size`` times this one.
        beta: Exponent.
        k: Added before the power; positive, so the division is always defined.
        groups: Towers; windows do not cross them.

    Returns:
        Shape (n, c, h, w), in the type of ``images``; computed in float32 or wider.

    Raises:
        ValueError: If the channels do not divide into ``groups``, or ``size`` is even.

    Example:
        >>> ones = torch.tensor([1.0, 2.0, 3.0]).reshape(1, 3, 1, 1)
        >>> local_response_norm(ones, size=3, alpha=1.0, beta=1.0, k=1.0).flatten()
        tensor([0.1667, 0.1333, 0.2143])

    Source:
        Krizhevsky, Sutskever and Hinton (2012), section 3.3: n=5, alpha=1e-4, beta=0.75, k=2.
    """
    _refuse(images.shape[1], size, groups)
    cut = partial(_by_channel, groups)
    normed: Tensor = _ResponseNorm.apply(images, cut, (1,), size, alpha, beta, k)
    return normed


def neighbours_energy(images: Tensor, size: int, groups: int = 1) -> Tensor:
    """Return the sum of squares over the neighbouring channels of each activation.

    Args:
        images: Activations, shape (n, c, h, w).
        size: Channels in the window, odd.
        groups: Windows do not cross them.

    Returns:
        The paper's sum in section 3.3, float32 or wider, shape (n, c, h, w).

    Raises:
        ValueError: If the channels do not divide into ``groups``, or ``size`` is even.
    """
    _refuse(images.shape[1], size, groups)
    rows = _rows(images, groups)
    strip = Strip.of(rows, (1,), size)
    energy = strip.inner(strip.window_sums(strip.whole.square()))
    n, channels, h, w = images.shape
    return energy.reshape(n, h, w, channels).permute(0, 3, 1, 2)


def map_response_norm(images: Tensor, size: int, alpha: float, beta: float, k: float) -> Tensor:
    """Divide each activation by the energy around it in its own map.

    ``b = a / (k + alpha * sum(a ** 2)) ** beta``, the sum over a square of ``size`` by ``size``
    pixels around it, nothing beyond the edges. The backward pass computes this anew.

    Args:
        images: Activations, shape (n, c, h, w), in any memory format; fastest in channels-last.
        size: Side of the square, pixels, odd.
        alpha: Weight of the *sum*; cuda-convnet's ``scale`` is ``size`` squared times this one.
        beta: Exponent.
        k: Added before the power; 1 in cuda-convnet.

    Returns:
        Shape (n, c, h, w), in the type of ``images``; computed in float32 or wider.

    Raises:
        ValueError: If ``size`` is even.

    Source:
        cuda-convnet's ``rnorm`` layer; Caffe's WITHIN_CHANNEL.
    """
    _refuse(images.shape[1], size, groups=1)
    normed: Tensor = _ResponseNorm.apply(images, _by_pixel, (1, 2), size, alpha, beta, k)
    return normed


class Strip:
    """A block of numbers laid end to end, with zeros between them as wide as half a window.

    Rows along the axes that windows cover end in zeros, which the next row begins with. A sum
    over neighbours is then a sum of the strip with itself shifted, however many rows and towers
    there are: long runs of contiguous numbers, which processors are fast at.
    """

    def __init__(self, block: Tensor, axes: tuple[int, ...], size: int) -> None:
        """Make room for a block, and windows of ``size`` along each of its axes in ``axes``."""
        self.shape, self.size = block.shape, size
        half = size // 2
        self._padded = [
            side + half if axis in axes else side for axis, side in enumerate(block.shape)
        ]
        self._steps = [math.prod(self._padded[axis + 1 :]) for axis in axes]  # to a neighbour
        self.window = size ** len(axes)  # numbers in it
        edge = half * sum(self._steps)
        self.whole = torch.zeros(
            math.prod(self._padded) + 2 * edge, dtype=wide(block.dtype), device=block.device
        )
        self.centre = self.whole[edge : len(self.whole) - edge]

    @classmethod
    def of(
        cls, block: Tensor, axes: tuple[int, ...], size: int, used: "Strip | None" = None
    ) -> "Strip":
        """Return a strip of a block, in the memory of one of the same shape that is done with."""
        same = used is not None and used.shape == block.shape
        strip = used if used is not None and same else cls(block, axes, size)
        strip.inner(strip.centre).copy_(block)  # the zeros between stay
        return strip

    def inner(self, centre: Tensor) -> Tensor:
        """Return the block in numbers laid out like ``centre``, without what lies between."""
        within = tuple(slice(side) for side in self.shape)
        return centre.view(self._padded)[within]

    def window_sums(self, whole: Tensor) -> Tensor:
        """Return, laid out like ``centre``, the sum over the window around each number."""
        for step in self._steps:
            whole = window_sums(whole, self.size, step)
        return whole


def window_sums(strip: Tensor, size: int, step: int = 1) -> Tensor:
    """Return the sum of every ``size`` numbers of a strip (n,) that are ``step`` apart.

    Sums of one, two, four ... neighbours are added up to ``size``, so five take three additions.

    Returns:
        Shape (n - (size - 1) * step,).
    """
    count, span, start = len(strip) - (size - 1) * step, 1, 0
    total: Tensor | None = None
    while span <= size:
        shift = span * step
        if size & span:
            part = strip[start : start + count]
            total = part if total is None else total + part
            start += shift
        strip = strip[:-shift] + strip[shift:] if 2 * span <= size else strip
        span *= 2
    if total is None:
        raise ValueError(f"a window of {size} is none")
    return total


class _ResponseNorm(torch.autograd.Function):
    """Forward and backward of both norms, block by block.

    With d = k + alpha S(a^2) and S the sum over neighbours, which is its own transpose:
    b = a d^-beta, and da = db d^-beta - 2 alpha beta a S(db a d^(-beta-1)).
    """

    @staticmethod
    def forward(
        ctx: Any,
        images: Tensor,
        cut: Callable[..., Blocks],
        axes: tuple[int, ...],
        size: int,
        alpha: float,
        beta: float,
        k: float,
    ) -> Tensor:
        ctx.save_for_backward(images)
        ctx.settings = cut, axes, size, alpha, beta, k
        normed = _like(images)

        def work(blocks: Blocks) -> None:
            strip: Strip | None = None
            for block, out in blocks:
                strip = Strip.of(block, axes, size, strip)
                base = _base(strip, alpha, k)
                out.copy_(strip.inner(_inverse_power(base, beta).mul_(strip.centre)))

        share_out(work, cut(images, normed))
        return normed

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        (images,) = ctx.saved_tensors
        cut, axes, size, alpha, beta, k = ctx.settings
        result = _like(images)

        def work(blocks: Blocks) -> None:
            strip: Strip | None = None
            other: Strip | None = None
            for block, above, out in blocks:
                strip = Strip.of(block, axes, size, strip)
                other = Strip.of(above, axes, size, other)
                base = _base(strip, alpha, k)
                direct = _inverse_power(base, beta).mul_(other.centre)
                torch.mul(direct, strip.centre, out=other.centre).div_(base)  # 0 between too
                through = other.window_sums(other.whole)
                direct.addcmul_(through, strip.centre, value=-2 * alpha * beta)
                out.copy_(strip.inner(direct))

        share_out(work, cut(images, gradient, result))
        return result, None, None, None, None, None, None


def _base(strip: Strip, alpha: float, k: float) -> Tensor:
    """Return k + alpha S: every term has its share of k, those between the rows too."""
    share = torch.full_like(strip.whole[:1], k / strip.window)
    return strip.window_sums(torch.addcmul(share, strip.whole, strip.whole, value=alpha))


def _refuse(channels: int, size: int, groups: int) -> None:
    if size < 1 or size % 2 == 0:
        raise ValueError(f"a window of {size} has no middle; make its size odd")
    if channels % groups:
        raise ValueError(
            f"{counted(channels, 'channel does', 'channels do')} not divide into {groups} groups"
        )


def _like(images: Tensor) -> Tensor:
    """Return room for a result, channels-last, so that the channels of a pixel are neighbours."""
    return torch.empty_like(images, memory_format=torch.channels_last)


def _rows(images: Tensor, groups: int) -> Tensor:
    """Return images (n, c, h, w) as rows (n, channels of a tower), a row a pixel and tower."""
    return images.permute(0, 2, 3, 1).reshape(-1, images.shape[1] // groups)


def _by_channel(groups: int, *several: Tensor) -> Blocks:
    """Return blocks of `_rows` of tensors of one shape."""
    return _blocks([_rows(images, groups) for images in several])


def _by_pixel(*several: Tensor) -> Blocks:
    """Return blocks of images (n, h, w, c) of tensors (n, c, h, w) of one shape."""
    return _blocks([images.permute(0, 2, 3, 1) for images in several])


def _blocks(several: list[Tensor]) -> Blocks:
    """Return tensors cut along their first axis into blocks, on a CPU small ones."""
    first = several[0]
    each = max(1, math.prod(first.shape[1:]))
    most = max(1, BLOCK // each) if first.device.type == "cpu" else len(first)
    return list(zip(*(torch.split(one, max(1, most)) for one in several), strict=True))


def _inverse_power(base: Tensor, beta: float) -> Tensor:
    """Return base ** -beta in a new tensor; roots are several times faster than powers."""
    if beta == 0.75:
        root = base.rsqrt()
        return root.div_(root.rsqrt())  # r sqrt(r), of what rsqrt is the faster one
    return base.pow(-beta)
