"""The paper's response normalisations, as pure functions.

Both are cheap arithmetic on large activations, so memory decides their speed: on a CPU, blocks
that stay in the cache pass through all of it before the next one is read, each in one thread.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

from alexnet.precision import wide, widened
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
    normed: Tensor = _LocalResponseNorm.apply(images, size, alpha, beta, k, groups)
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
    rows = images.permute(0, 2, 3, 1).reshape(-1, images.shape[1] // groups)
    strip = Strip.of(rows, size)
    energy = strip.rows_of(window_sums(strip.whole.square(), size))
    n, channels, h, w = images.shape
    return energy.reshape(n, h, w, channels).permute(0, 3, 1, 2)


def map_response_norm(images: Tensor, size: int, alpha: float, beta: float, k: float) -> Tensor:
    """Divide each activation by the energy around it in its own map.

    ``b = a / (k + alpha * sum(a ** 2)) ** beta``, the sum over a square of ``size`` by ``size``
    pixels around it, nothing beyond the edges.

    Args:
        images: Activations, shape (n, c, h, w).
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
    values = widened(images)  # bfloat16 has 8 bits of the square of a raw activation
    energy = functional.avg_pool2d(
        values.square(), size, stride=1, padding=size // 2, divisor_override=1
    )
    return (values * (k + alpha * energy).pow(-beta)).to(images.dtype)


class Strip:
    """Rows of channels laid end to end, with zeros between them as wide as half a window.

    A sum over neighbours is then a sum of the strip with itself shifted, however many rows and
    towers there are: long runs of contiguous numbers, which processors are fast at.
    """

    def __init__(self, rows: Tensor, size: int) -> None:
        """Make room for rows (n, channels), float32 or wider, and windows of ``size``."""
        self.count, self.width = rows.shape
        self.half = size // 2
        self.whole = torch.zeros(
            self.count * (self.width + self.half) + 2 * self.half,
            dtype=wide(rows.dtype),
            device=rows.device,
        )
        self.centre = self.whole[self.half : len(self.whole) - self.half]

    @classmethod
    def of(cls, rows: Tensor, size: int, used: "Strip | None" = None) -> "Strip":
        """Return a strip of rows, in the memory of one of the same size that is done with."""
        strip = used if used is not None and used.count == len(rows) else cls(rows, size)
        strip.rows_of(strip.centre).copy_(rows)  # the zeros between them stay
        return strip

    def rows_of(self, centre: Tensor) -> Tensor:
        """Return the rows in numbers laid out like ``centre``, without what lies between."""
        return centre.view(self.count, self.width + self.half)[:, : self.width]


def window_sums(strip: Tensor, size: int) -> Tensor:
    """Return the sum of every ``size`` neighbours in a strip (n,): shape (n - size + 1,).

    Sums of one, two, four ... neighbours are added up to ``size``, so five take three additions.
    """
    count, span, start = len(strip) - size + 1, 1, 0
    total: Tensor | None = None
    while span <= size:
        if size & span:
            part = strip[start : start + count]
            total = part if total is None else total + part
            start += span
        strip = strip[:-span] + strip[span:] if 2 * span <= size else strip
        span *= 2
    if total is None:
        raise ValueError(f"a window of {size} is none")
    return total


class _LocalResponseNorm(torch.autograd.Function):
    """Forward and backward of `local_response_norm`, block by block.

    With d = k + alpha S(a^2) and S the sum over neighbours, which is its own transpose:
    b = a d^-beta, and da = db d^-beta - 2 alpha beta a S(db a d^(-beta-1)).
    """

    @staticmethod
    def forward(
        ctx: Any, images: Tensor, size: int, alpha: float, beta: float, k: float, groups: int
    ) -> Tensor:
        ctx.save_for_backward(images)
        ctx.settings = size, alpha, beta, k, groups
        normed = _like(images)

        def work(blocks: Blocks) -> None:
            strip: Strip | None = None
            for rows, out in blocks:
                strip = Strip.of(rows, size, strip)
                base = _base(strip, size, alpha, k)
                out.copy_(strip.rows_of(_inverse_power(base, beta).mul_(strip.centre)))

        share_out(work, _blocks(groups, images, normed))
        return normed

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        (images,) = ctx.saved_tensors
        size, alpha, beta, k, groups = ctx.settings
        result = _like(images)

        def work(blocks: Blocks) -> None:
            strip: Strip | None = None
            other: Strip | None = None
            for rows, above, out in blocks:
                strip, other = Strip.of(rows, size, strip), Strip.of(above, size, other)
                base = _base(strip, size, alpha, k)
                direct = _inverse_power(base, beta).mul_(other.centre)
                torch.mul(direct, strip.centre, out=other.centre).div_(base)  # 0 between rows too
                through = window_sums(other.whole, size)
                direct.addcmul_(through, strip.centre, value=-2 * alpha * beta)
                out.copy_(strip.rows_of(direct))

        share_out(work, _blocks(groups, images, gradient, result))
        return result, None, None, None, None, None


def _base(strip: Strip, size: int, alpha: float, k: float) -> Tensor:
    """Return k + alpha S: every term has its share of k, those between the rows too."""
    share = torch.full_like(strip.whole[:1], k / size)
    return window_sums(torch.addcmul(share, strip.whole, strip.whole, value=alpha), size)


def _refuse(channels: int, size: int, groups: int) -> None:
    if size < 1 or size % 2 == 0:
        raise ValueError(f"a window of {size} has no middle; make its size odd")
    if channels % groups:
        raise ValueError(f"{channels} channels do not divide into {groups} groups")


def _like(images: Tensor) -> Tensor:
    """Return room for a result, channels-last, so that the channels of a pixel are neighbours."""
    return torch.empty_like(images, memory_format=torch.channels_last)


def _blocks(groups: int, *several: Tensor) -> Blocks:
    """Return blocks of rows (n, channels of a tower) of tensors (n, c, h, w) of one shape."""
    width = several[0].shape[1] // groups
    flat = [images.permute(0, 2, 3, 1).reshape(-1, width) for images in several]
    on_cpu = several[0].device.type == "cpu"
    rows = max(1, BLOCK // width) if on_cpu else max(1, len(flat[0]))
    return list(zip(*(torch.split(one, rows) for one in flat), strict=True))


def _inverse_power(base: Tensor, beta: float) -> Tensor:
    """Return base ** -beta in a new tensor; roots are several times faster than powers."""
    if beta == 0.75:
        root = base.rsqrt()
        return root.div_(root.rsqrt())  # r sqrt(r), of what rsqrt is the faster one
    return base.pow(-beta)
