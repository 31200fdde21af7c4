"""The paper's response normalisations, as pure functions.

Both are cheap arithmetic on large activations, so memory decides their speed: on a CPU, blocks
that stay in the cache pass through all of it before the next one is read.
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

BLOCK = 1 << 18
"""Activations of a block; four bytes each, and four buffers, fit the cache of a core."""


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
    squares = _wide(images.permute(0, 2, 3, 1)).square()
    energy = _sum_of_neighbours(squares, size, groups, torch.empty_like(squares))
    return energy.permute(0, 3, 1, 2)


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
    wide = _wide(images)
    energy = functional.avg_pool2d(
        wide.square(), size, stride=1, padding=size // 2, divisor_override=1
    )
    return (wide * (k + alpha * energy).pow(-beta)).to(images.dtype)


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
        for block, out in _blocks(images, normed):
            wide = _wide(block)
            energy = wide.square()
            base = _sum_of_neighbours(energy, size, groups, torch.empty_like(energy))
            out.copy_(_inverse_power(base.mul_(alpha).add_(k), beta).mul_(wide))
        return normed

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        (images,) = ctx.saved_tensors
        size, alpha, beta, k, groups = ctx.settings
        result = _like(images)
        for block, above, out in _blocks(images, gradient, result):
            wide = _wide(block)
            scratch = wide.square()
            base = _sum_of_neighbours(scratch, size, groups, torch.empty_like(scratch))
            base.mul_(alpha).add_(k)
            direct = _inverse_power(base, beta).mul_(above)
            torch.mul(direct, wide, out=scratch)
            scratch.div_(base)
            through = _sum_of_neighbours(scratch, size, groups, base).mul_(wide)
            out.copy_(direct.add_(through, alpha=-2 * alpha * beta))
        return result, None, None, None, None, None


def _refuse(channels: int, size: int, groups: int) -> None:
    if size % 2 == 0:
        raise ValueError(f"a window of {size} has no middle; make its size odd")
    if channels % groups:
        raise ValueError(f"{channels} channels do not divide into {groups} groups")


def _like(images: Tensor) -> Tensor:
    """Return room for a result, channels-last, so that the channels of a pixel are neighbours."""
    return torch.empty_like(images, memory_format=torch.channels_last)


def _blocks(*several: Tensor) -> Iterator[tuple[Tensor, ...]]:
    """Yield blocks of pixels, (pixels, c), of tensors (n, c, h, w) of one shape."""
    channels = several[0].shape[1]
    flat = [images.permute(0, 2, 3, 1).reshape(-1, channels) for images in several]
    on_cpu = several[0].device.type == "cpu"
    pixels = max(1, BLOCK // channels) if on_cpu else max(1, len(flat[0]))
    return zip(*(torch.split(one, pixels) for one in flat), strict=True)


def _wide(activations: Tensor) -> Tensor:
    """Return activations in a type that squares of raw ones fit: bfloat16 has 8 bits of them."""
    return activations if activations.dtype == torch.float64 else activations.float()


def _sum_of_neighbours(values: Tensor, size: int, groups: int, out: Tensor) -> Tensor:
    """Return in ``out`` the sums over ``size`` neighbours along the last axis, within groups."""
    split = (*values.shape[:-1], groups, values.shape[-1] // groups)
    near, total = values.reshape(split), out.view(split)
    total.copy_(near)
    for shift in range(1, min(size // 2, split[-1] - 1) + 1):
        total[..., shift:].add_(near[..., :-shift])
        total[..., :-shift].add_(near[..., shift:])
    return out


def _inverse_power(base: Tensor, beta: float) -> Tensor:
    """Return base ** -beta in a new tensor; roots are several times faster than powers."""
    if beta == 0.75:
        root = base.rsqrt()
        return root.mul_(root.sqrt())
    return base.pow(-beta)
