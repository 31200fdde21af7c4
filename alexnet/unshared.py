"""Convolution with weights of its own at every place: cuda-convnet's ``local`` layers."""

from collections.abc import Iterator
from itertools import product
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

from alexnet.config.network import windows
from alexnet.precision import wide


def unshared_convolution(
    images: Tensor, weight: Tensor, bias: Tensor, size: int, stride: int, padding: int
) -> Tensor:
    """Convolve with kernels and biases that differ from place to place.

    Args:
        images: Shape (n, c, h, w), in any memory format.
        weight: Shape (places, maps, c * size * size), places in rows of the output.
        bias: Shape (maps, h', w').
        size: Side of the kernels, pixels.
        stride: Pixels.
        padding: Zeros on every side, pixels.

    Returns:
        Shape (n, maps, h', w').

    Source:
        cuda-convnet's ``local`` layer, whose biases are unshared too.
    """
    patches: Tensor = _Patches.apply(images, size, stride, padding)
    out = torch.bmm(patches, weight.transpose(1, 2))  # (places, n, maps)
    return out.permute(1, 2, 0).reshape(len(images), *bias.shape) + bias


class _Patches(torch.autograd.Function):
    """What every place sees: (n, c, h, w) to (places, n, c * size * size), contiguous.

    PyTorch's ``unfold`` has the places last, where the product at each of them has to gather what
    it sees, and again for both gradients: together that costs more than twice as much.
    """

    @staticmethod
    def forward(ctx: Any, images: Tensor, size: int, stride: int, padding: int) -> Tensor:
        count, maps, height, width = images.shape
        ctx.seen = images.shape
        ctx.kernel = size, stride, padding
        edges = (0, 0, 0, 0, padding, padding, padding, padding)
        padded = functional.pad(images.permute(2, 3, 0, 1), edges)
        down, across = (windows(side, size, stride, padding, "floor") for side in (height, width))
        patches = padded.new_empty(down, across, count, maps, size, size)
        for row, column, seen in _shifted(padded, size, stride, down, across):
            patches[..., row, column] = seen
        return patches.view(down * across, count, maps * size**2)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        count, maps, height, width = ctx.seen
        size, stride, padding = ctx.kernel
        down, across = (windows(side, size, stride, padding, "floor") for side in (height, width))
        patches = gradient.reshape(down, across, count, maps, size, size)
        # A CPU sums in the type of the gradient, as its unfold does, and CUDA's in float32.
        on_cpu, narrow = gradient.device.type == "cpu", gradient.dtype
        dtype = narrow if on_cpu else wide(narrow)
        shape = (height + 2 * padding, width + 2 * padding, count, maps)
        padded = gradient.new_zeros(shape, dtype=dtype)
        for row, column, seen in _shifted(padded, size, stride, down, across):
            # Numbers that lie apart are copied four times as fast as added, in bfloat16.
            seen += patches[..., row, column].contiguous()
        inner = padded[padding : padding + height, padding : padding + width]
        return inner.permute(2, 3, 0, 1).to(narrow), None, None, None


def _shifted(
    padded: Tensor, size: int, stride: int, down: int, across: int
) -> Iterator[tuple[int, int, Tensor]]:
    """Yield, for each pixel of a kernel, what it meets at every place: (down, across, n, c)."""
    for row, column in product(range(size), repeat=2):
        rows = slice(row, row + stride * (down - 1) + 1, stride)
        columns = slice(column, column + stride * (across - 1) + 1, stride)
        yield row, column, padded[rows, columns]
